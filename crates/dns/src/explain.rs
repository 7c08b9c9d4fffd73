//! What an operator asks: why an answer is what it is, and that the cache forgets.

use std::{str::FromStr, time::Duration};

use domain::base::{Name, Rtype};
use model::Timestamp;

use crate::{
    Engine,
    cache::Key,
    local::LocalAnswer,
    name::{from_text, is_at_or_below},
    wire::{AD, CLASS_IN, HEADER_LEN, RCODE, rtype, u16_at},
    writer::Answer,
};

/// Where the answer to a question comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A zone of the event, by its origin; names of DHCP clients stand in one of them.
    OwnZone(String),
    /// A DHCP client's reverse name outside our own zones.
    ClientName,
    /// On a list of names that are not answered, by the name on the list.
    Blocked(String),
    /// A name that no upstream should ever be asked for (RFC 6761 and others).
    SpecialName,
    /// Type ANY is answered with one small record (RFC 8482).
    MinimalAny,
    /// The servers of this zone are asked, and their answer is kept.
    Forward(String),
    /// Nobody here knows: upstreams are asked, and their answer is kept.
    Upstreams,
}

/// What an answer says, without its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Response code (RFC 1035 section 4.1.1).
    pub rcode: u16,
    /// Records in the answer section.
    pub records: u16,
}

/// An answer that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cached {
    /// For clients that want DNSSEC records (DO, RFC 4035 section 4.9.1).
    pub dnssec_ok: bool,
    /// For clients that check themselves (CD).
    pub checking_disabled: bool,
    /// What it says.
    pub shape: Shape,
    /// Its signatures were checked here and are good (AD).
    pub is_secure: bool,
    /// The extended error that is sent with it (RFC 8914).
    pub extended_error: Option<u16>,
    /// How long it is still served as it is; `None` once it is past its end.
    pub fresh_for: Option<Duration>,
    /// Past its end: how long it may still be served when nobody can be asked (RFC 8767).
    pub usable_for: Duration,
    /// A refresh failed a moment ago: it is served without another try for so long.
    pub recheck_in: Duration,
}

/// Why an answer is what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The name as it is looked up: lower case, absolute.
    pub name: String,
    /// The type's mnemonic.
    pub qtype: String,
    /// Who answers when nothing is kept.
    pub source: Source,
    /// What our own names say.
    pub own: Option<Shape>,
    /// An alias of ours leads to this name, which is not ours and is looked up next.
    pub leads_to: Option<String>,
    /// What is kept; an answer that is kept goes before all else.
    pub cached: Vec<Cached>,
    /// Clients wait for an answer of upstreams now.
    pub is_waited_for: bool,
}

/// What to forget.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Flush {
    /// One name, all types.
    Name(String),
    /// A name and all below it.
    Suffix(String),
    /// Everything.
    All,
}

/// Neither a name nor a type, as it was given.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskError {
    /// Not a name.
    #[error("`{0}` is no DNS name; write it like `www.example.org`")]
    Name(String),
    /// Not a type.
    #[error("`{0}` is no record type; write it like `A`, `AAAA`, `HTTPS` or `TYPE65`")]
    Type(String),
}

impl Engine {
    /// Why a question is answered as it is. Changes nothing, asks nobody.
    pub fn explain(&self, now: Timestamp, name: &str, qtype: &str) -> Result<Explanation, AskError> {
        let wire = from_text(name).ok_or_else(|| AskError::Name(name.to_owned()))?;
        let qtype = Rtype::from_str(qtype).map_err(|_| AskError::Type(qtype.to_owned()))?;
        let question = [&wire, qtype.to_int().to_be_bytes().as_slice(), &CLASS_IN.to_be_bytes()].concat();
        let own = self.own_answer(now, &wire, qtype.to_int(), &question);
        let source = match (&own, self.local.zones.find(&wire)) {
            (_, Some(zone)) => Source::OwnZone(text(&zone.origin)),
            (None, None) => {
                self.forwards.zone(&wire).map_or(Source::Upstreams, |(zone, _)| Source::Forward(text(zone)))
            }
            (Some(_), None) if !self.local.client_names.find(now, &wire).is_empty() => Source::ClientName,
            (Some(_), None) if self.local.blocked.find(&wire).is_some() => {
                Source::Blocked(self.local.blocked.find(&wire).map(text).unwrap_or_default())
            }
            (Some(_), None) if qtype.to_int() == rtype::ANY => Source::MinimalAny,
            (Some(_), None) => Source::SpecialName,
        };
        let flags = [(false, false), (true, false), (false, true), (true, true)];
        let key = |(dnssec_ok, checking_disabled)| Key::new(&wire, qtype.to_int(), dnssec_ok, checking_disabled);
        Ok(Explanation {
            name: text(&wire),
            qtype: qtype.to_string(),
            source,
            own: own.as_ref().map(|own| shape(own.answer())),
            leads_to: match &own {
                Some(LocalAnswer::Leaves { target, .. }) => Some(text(target)),
                _ => None,
            },
            cached: flags.into_iter().filter_map(|of| self.cached(now, &key(of), of)).collect(),
            is_waited_for: flags.into_iter().any(|of| self.inflight.find(key(of).as_slice()).is_some()),
        })
    }

    fn cached(&self, now: Timestamp, key: &Key, (dnssec_ok, checking_disabled): (bool, bool)) -> Option<Cached> {
        let left = |until: Timestamp| if until > now { until.since(now) } else { Duration::ZERO };
        self.cache.look(now, key.as_slice(), |kept| Cached {
            dnssec_ok,
            checking_disabled,
            shape: shape(kept.answer),
            is_secure: u16_at(&kept.answer.wire, 2).unwrap_or(0) & AD != 0,
            extended_error: kept.answer.extended_error,
            fresh_for: (kept.expires > now).then(|| left(kept.expires)),
            usable_for: left(kept.usable_until),
            recheck_in: left(kept.recheck),
        })
    }

    /// Forgets what is kept, and says how many answers that were.
    pub fn flush(&mut self, what: &Flush) -> Result<usize, AskError> {
        let parse = |name: &String| from_text(name).ok_or_else(|| AskError::Name(name.clone()));
        Ok(match what {
            Flush::Name(name) => {
                let wire = parse(name)?;
                self.cache.remove_where(|name| *name == *wire)
            }
            Flush::Suffix(name) => {
                let wire = parse(name)?;
                self.cache.remove_where(|name| is_at_or_below(name, &wire))
            }
            Flush::All => self.cache.remove_where(|_| true),
        })
    }
}

fn shape(answer: &Answer) -> Shape {
    let field = |at| u16_at(&answer.wire, at).unwrap_or(0);
    Shape { rcode: field(2) & RCODE, records: field(HEADER_LEN - 6) }
}

/// A name for people; ours are always well formed.
pub(crate) fn text(name: &[u8]) -> String {
    Name::from_slice(name).map(|name| format!("{}.", name.to_string().trim_end_matches('.'))).unwrap_or_default()
}
