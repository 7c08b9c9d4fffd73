//! Everything answered without asking anyone: event zones, clients' names, special names, ANY.

use model::Timestamp;

use crate::{
    blocked::Blocked,
    client_names::{ClientNames, is_partial_reverse},
    name::NameBuf,
    special::SpecialNames,
    wire::{AA, rcode, rtype},
    writer::{Answer, Section, TooLong, Writer},
    zone::{LocalZone, Zones},
};

/// Aliases followed inside local zones.
const ALIASES_MAX: usize = 8;
/// TTL of the HINFO that answers ANY.
const ANY_TTL: u32 = 3_600;
/// The HINFO of RFC 8482 section 4.2: CPU "RFC8482", no OS.
const ANY_RDATA: &[u8] = b"\x07RFC8482\x00";

/// What our own names say.
#[derive(Debug)]
pub(crate) enum LocalAnswer {
    /// All there is to say.
    Done(Answer),
    /// An alias leads to a name that is not ours, folded.
    Leaves { so_far: Answer, target: Box<[u8]> },
}

impl LocalAnswer {
    /// What is known here.
    pub(crate) fn answer(&self) -> &Answer {
        match self {
            Self::Done(answer) | Self::Leaves { so_far: answer, .. } => answer,
        }
    }
}

/// See the module.
pub(crate) struct Local {
    pub(crate) zones: Zones,
    pub(crate) client_names: ClientNames,
    pub(crate) special: SpecialNames,
    pub(crate) blocked: Blocked,
}

impl Local {
    /// True for names that are never asked of upstreams because of the plan. `name` is folded.
    pub(crate) fn is_ours(&self, name: &[u8]) -> bool {
        self.zones.find(name).is_some() || self.blocked.find(name).is_some()
    }

    /// The answer, or `None` when upstreams must be asked. `name` is folded; special names are ordinary
    /// ones when others are asked for them.
    pub(crate) fn answer(
        &self,
        now: Timestamp,
        name: &[u8],
        qtype: u16,
        question: &[u8],
        is_forwarded: bool,
    ) -> Option<LocalAnswer> {
        if let Some(zone) = self.zones.find(name) {
            return self.zone_answer(now, zone, name, qtype, question).ok();
        }
        if qtype == rtype::PTR
            && let Some(client) = self.client_names.find(now, name).first()
        {
            let mut writer = Writer::new(question);
            writer.record(Section::Answer, name, client.rtype, client.ttl, &client.rdata).ok()?;
            return Some(LocalAnswer::Done(writer.finish(AA)));
        }
        if let Some(apex) = self.blocked.find(name) {
            return Blocked::answer(apex, question).map(LocalAnswer::Done);
        }
        if !is_forwarded && let Some(answer) = self.special.answer(name, qtype, question) {
            return Some(LocalAnswer::Done(answer));
        }
        (qtype == rtype::ANY).then(|| minimal_any(name, question).ok()).flatten().map(LocalAnswer::Done)
    }

    /// RFC 1034 section 4.3.2, with wildcards (RFC 4592), without delegations, which are not served.
    fn zone_answer<'a>(
        &'a self,
        now: Timestamp,
        mut zone: &'a LocalZone,
        name: &[u8],
        qtype: u16,
        question: &[u8],
    ) -> Result<LocalAnswer, TooLong> {
        let done = |answer| Ok(LocalAnswer::Done(answer));
        let mut writer = Writer::new(question);
        let mut name: Box<[u8]> = name.into();
        for _ in 0..=ALIASES_MAX {
            let node = zone.node(&name);
            let planned = node.filter(|node| node.has_records());
            let client = if planned.is_none() { self.client_names.find(now, &name) } else { Vec::new() };
            let exists = node.is_some() || !client.is_empty() || is_partial_reverse(&name);
            let wildcard = if exists { None } else { zone.wildcard(&name) };
            let (planned, exists) = (planned.or(wildcard), exists || wildcard.is_some());
            if exists && qtype == rtype::ANY {
                return minimal_any(&name, question).map(LocalAnswer::Done);
            }
            if let Some(client) = client.iter().find(|client| client.rtype == qtype) {
                writer.record(Section::Answer, &name, qtype, client.ttl, &client.rdata)?;
                return done(writer.finish(AA));
            }
            if let Some(set) = planned.and_then(|node| node.rrset(qtype)) {
                for rdata in &set.rdatas {
                    writer.record(Section::Answer, &name, qtype, set.ttl, rdata)?;
                }
                return done(writer.finish(AA));
            }
            let alias = planned.and_then(|node| node.rrset(rtype::CNAME)).map(|set| (set.ttl, set.rdatas.first()));
            let Some((ttl, Some(alias))) = alias else {
                zone.write_soa(&mut writer)?;
                return done(writer.finish(AA | if exists { rcode::NOERROR } else { rcode::NXDOMAIN }));
            };
            writer.record(Section::Answer, &name, rtype::CNAME, ttl, alias)?;
            name = alias.to_ascii_lowercase().into();
            let Some(next) = self.zones.find(&name) else {
                return Ok(LocalAnswer::Leaves { so_far: writer.finish(AA), target: name });
            };
            zone = next;
        }
        done(writer.finish(AA | rcode::SERVFAIL))
    }
}

/// RFC 8482 section 4.2: ANY is answered with one small record.
fn minimal_any(name: &[u8], question: &[u8]) -> Result<Answer, TooLong> {
    let mut writer = Writer::new(question);
    let name = NameBuf::folded(name).ok_or(TooLong)?;
    writer.record(Section::Answer, name.as_slice(), rtype::HINFO, ANY_TTL, ANY_RDATA)?;
    Ok(writer.finish(0))
}
