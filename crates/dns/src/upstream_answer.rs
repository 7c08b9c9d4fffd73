//! Judges what an upstream sent and keeps only what answers the question.
//!
//! A forwarder that stores whatever comes along can be poisoned by records nobody asked for (CVE-2025-40778,
//! CVE-2019-10191). The answer is therefore rebuilt from the records on the alias chain of the question, plus the
//! SOA and denial records of the zone it ends in.

use crate::{
    name::{NameBuf, end_of_plain_name, is_at_or_below, parent, suffixes},
    record::Record,
    wire::{CLASS_IN, HEADER_LEN, OPCODE, QR, RCODE, TC, rcode, rtype, u16_at, u32_at},
    writer::{Answer, Section, Writer},
};

/// The longest time anything is kept (RFC 8767 section 4 recommends a cap of days; a day is plenty for an event).
const TTL_MAX_S: u32 = 86_400;
/// The longest time a negative answer is kept (RFC 2308 section 5: 1 to 3 hours).
const NEGATIVE_TTL_MAX_S: u32 = 3_600;
/// Aliases followed in one answer.
const ALIASES_MAX: usize = 16;
/// Records looked at in one answer.
const RECORDS_MAX: usize = 2_048;

/// Records of a section that room is made for before they are read, whatever the count says.
const ROOM_AT_ONCE: usize = 3;

/// The question as it was put to the upstream.
pub(crate) struct Asked<'a> {
    pub(crate) id: u16,
    /// Name, type and class, in the case that was sent.
    pub(crate) question: &'a [u8],
    pub(crate) dnssec_ok: bool,
    /// Over UDP the case must come back as sent.
    pub(crate) is_case_exact: bool,
}

/// What a packet from an upstream means.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Not ours, or not a DNS message: keep waiting (the TuDoor attacks live on giving up here).
    Mismatch,
    /// Ours, but the question's case was changed: a forgery or an upstream that folds names.
    CaseChanged,
    /// Ours, but unreadable: keep waiting.
    Malformed,
    /// Ask again over TCP (RFC 7766 section 5).
    Truncated,
    /// SERVFAIL: another upstream may know better.
    ServFail,
    /// FORMERR or NOTIMP: perhaps it cannot read our OPT record.
    FormErr,
    /// REFUSED and the like: this upstream will not help with this question.
    Rejected,
    /// Data or a sound negative answer. A lifetime of 0 serves those who wait and nobody else.
    Answer(Answer),
}

/// Judges `message` as the answer to `asked`.
pub(crate) fn judge(asked: &Asked<'_>, message: &[u8]) -> Verdict {
    let (Some(id), Some(flags), true) = (u16_at(message, 0), u16_at(message, 2), message.len() >= HEADER_LEN) else {
        return Verdict::Mismatch;
    };
    if id != asked.id || flags & QR == 0 || flags & OPCODE != 0 {
        return Verdict::Mismatch;
    }
    let refused = !matches!(flags & RCODE, rcode::NOERROR | rcode::NXDOMAIN);
    let question_end = HEADER_LEN + asked.question.len();
    match (u16_at(message, 4), message.get(HEADER_LEN..question_end)) {
        // Some servers that cannot read a query answer with the header alone.
        (Some(0), _) if refused && message.len() == HEADER_LEN => {}
        (Some(1), Some(question)) if question == asked.question => {}
        (Some(1), Some(question)) if is_same_but_case(question, asked.question) => {
            if asked.is_case_exact {
                return Verdict::CaseChanged;
            }
        }
        _ => return Verdict::Mismatch,
    }
    if flags & TC != 0 {
        return Verdict::Truncated;
    }
    match flags & RCODE {
        rcode::NOERROR | rcode::NXDOMAIN => rebuild(asked, message, question_end, flags & RCODE),
        rcode::SERVFAIL => Verdict::ServFail,
        rcode::FORMERR | rcode::NOTIMP => Verdict::FormErr,
        _ => Verdict::Rejected,
    }
}

/// Only the name may differ in case: type HTTPS is 65, the letter A.
fn is_same_but_case(question: &[u8], asked: &[u8]) -> bool {
    let name_len = asked.len().saturating_sub(4);
    question.len() == asked.len()
        && question[..name_len].eq_ignore_ascii_case(&asked[..name_len])
        && question[name_len..] == asked[name_len..]
}

fn rebuild(asked: &Asked<'_>, message: &[u8], question_end: usize, rcode: u16) -> Verdict {
    let Some(sections) = Sections::read(message, question_end) else { return Verdict::Malformed };
    if sections.extended_rcode != 0 {
        return Verdict::Rejected;
    }
    let Some(qname_end) = end_of_plain_name(asked.question, 0) else { return Verdict::Malformed };
    let Some(qtype) = u16_at(asked.question, qname_end) else { return Verdict::Malformed };
    let Some(chain) = Chain::follow(&asked.question[..qname_end], qtype, message, &sections.answer) else {
        return Verdict::Rejected;
    };
    if chain.has_data && rcode == rcode::NXDOMAIN {
        return Verdict::Rejected;
    }
    assemble(asked, message, &sections, &chain, qtype, rcode).map_or(Verdict::Malformed, Verdict::Answer)
}

/// The records of a message, section by section; those of other classes than IN are left out.
struct Sections<'a> {
    answer: Vec<Record<'a>>,
    authority: Vec<Record<'a>>,
    /// The upper eight bits of the response code (RFC 6891 section 6.1.3).
    extended_rcode: u8,
}

impl<'a> Sections<'a> {
    fn read(message: &'a [u8], mut at: usize) -> Option<Self> {
        let room = |count_at| usize::from(u16_at(message, count_at).unwrap_or(0)).min(ROOM_AT_ONCE);
        let mut sections =
            Self { answer: Vec::with_capacity(room(6)), authority: Vec::with_capacity(room(8)), extended_rcode: 0 };
        let mut records_left = RECORDS_MAX;
        for (section, count_at) in [6, 8, 10].into_iter().enumerate() {
            for _ in 0..u16_at(message, count_at)? {
                records_left = records_left.checked_sub(1)?;
                let (record, next) = Record::read(message, at)?;
                at = next;
                match section {
                    0 if record.class == CLASS_IN => sections.answer.push(record),
                    1 if record.class == CLASS_IN => sections.authority.push(record),
                    2 if record.rtype == rtype::OPT => sections.extended_rcode = record.ttl.to_be_bytes()[0],
                    _ => {}
                }
            }
        }
        Some(sections)
    }
}

/// The folded names from the question along its CNAMEs (RFC 1034 section 3.6.2).
struct Chain {
    names: Vec<NameBuf>,
    has_data: bool,
}

impl Chain {
    /// `None` for a loop or more than 16 aliases.
    fn follow(qname: &[u8], qtype: u16, message: &[u8], answer: &[Record<'_>]) -> Option<Self> {
        let mut names = vec![NameBuf::folded(qname)?];
        loop {
            let last = names[names.len() - 1];
            let owned = |record: &&Record<'_>| record.owner.as_slice().eq_ignore_ascii_case(last.as_slice());
            let has_data = answer.iter().filter(owned).any(|record| record.rtype == qtype);
            let alias = answer.iter().filter(owned).find(|record| record.rtype == rtype::CNAME);
            let Some(alias) = alias.filter(|_| !has_data) else { return Some(Self { names, has_data }) };
            let rdata = alias.expanded_rdata(message)?;
            let target = NameBuf::folded(&rdata)?;
            if names.len() > ALIASES_MAX || names.iter().any(|name| name.as_slice() == target.as_slice()) {
                return None;
            }
            names.push(target);
        }
    }

    fn last(&self) -> &[u8] {
        self.names[self.names.len() - 1].as_slice()
    }

    /// True when a record of the answer section belongs to the question.
    fn wants(&self, record: &Record<'_>, qtype: u16, dnssec_ok: bool) -> bool {
        let Some(owner) = NameBuf::folded(record.owner.as_slice()) else { return false };
        let owner = owner.as_slice();
        let rtype = match record.rtype {
            // An RRSIG belongs to the type it covers, its first field (RFC 4034 section 3.1.1).
            rtype::RRSIG if dnssec_ok && qtype != rtype::RRSIG => u16_at(record.rdata, 0).unwrap_or(0),
            other => other,
        };
        if rtype == rtype::DNAME && qtype != rtype::DNAME {
            return self.names.iter().any(|name| name.as_slice() != owner && is_at_or_below(name.as_slice(), owner));
        }
        match self.names.iter().position(|name| name.as_slice() == owner) {
            Some(at) if at + 1 == self.names.len() => rtype == qtype,
            Some(_) => rtype == rtype::CNAME,
            None => false,
        }
    }
}

fn assemble(
    asked: &Asked<'_>,
    message: &[u8],
    sections: &Sections<'_>,
    chain: &Chain,
    qtype: u16,
    rcode: u16,
) -> Option<Answer> {
    // Owners that are the question's name point to it: they must not bring the case that we asked in.
    let mut question = asked.question.to_vec();
    let name_len = question.len().saturating_sub(4);
    question[..name_len].make_ascii_lowercase();
    let mut writer = Writer::new(&question);
    for record in sections.answer.iter().filter(|record| chain.wants(record, qtype, asked.dnssec_ok)) {
        copy(&mut writer, Section::Answer, record, message, bounded_ttl(record.ttl))?;
    }
    if chain.has_data {
        if asked.dnssec_ok {
            copy_denial(&mut writer, sections, message, chain.last(), TTL_MAX_S)?;
        }
        return Some(writer.finish(rcode));
    }
    let soa = sections
        .authority
        .iter()
        .find(|record| record.rtype == rtype::SOA && owns(record, chain.last()))
        .and_then(|record| Some((record, record.expanded_rdata(message)?)));
    let Some((soa, rdata)) = soa else {
        // RFC 2308 section 5: without SOA a negative answer must not be kept.
        return Some(Answer { lifetime_s: 0, ..writer.finish(rcode) });
    };
    let minimum = u32_at(&rdata, rdata.len() - 4)?;
    let ttl = bounded_ttl(soa.ttl).min(bounded_ttl(minimum)).min(NEGATIVE_TTL_MAX_S);
    writer.record(Section::Authority, soa.owner.as_slice(), rtype::SOA, ttl, &rdata).ok()?;
    if asked.dnssec_ok {
        copy_denial(&mut writer, sections, message, chain.last(), ttl)?;
    }
    Some(writer.finish(rcode))
}

/// Copies NSEC, NSEC3 and signatures of them and of the SOA: proof for a client that validates (RFC 4035 section 3.1.3).
fn copy_denial(writer: &mut Writer, sections: &Sections<'_>, message: &[u8], name: &[u8], ttl_max: u32) -> Option<()> {
    let is_proof = |record: &&Record<'_>| match record.rtype {
        rtype::NSEC | rtype::NSEC3 => true,
        rtype::RRSIG => matches!(u16_at(record.rdata, 0), Some(rtype::NSEC | rtype::NSEC3 | rtype::SOA)),
        _ => false,
    };
    for record in sections.authority.iter().filter(is_proof) {
        // Proof owners lie beside the name, so only a common parent can be asked for: the owner's parent, or the
        // zone apex itself for the NSEC and signatures it owns.
        let owner = NameBuf::folded(record.owner.as_slice())?;
        let above = parent(owner.as_slice()).unwrap_or(b"\0");
        let shares_zone = suffixes(above).any(|zone| zone.len() > 1 && is_at_or_below(name, zone));
        if shares_zone || is_at_or_below(name, above) || is_at_or_below(name, owner.as_slice()) {
            copy(writer, Section::Authority, record, message, bounded_ttl(record.ttl).min(ttl_max))?;
        }
    }
    Some(())
}

fn copy(writer: &mut Writer, section: Section, record: &Record<'_>, message: &[u8], ttl: u32) -> Option<()> {
    let mut add = |rdata: &[u8]| writer.record(section, record.owner.as_slice(), record.rtype, ttl, rdata).ok();
    match record.plain_rdata() {
        Some(rdata) => add(rdata),
        None => add(&record.expanded_rdata(message)?),
    }
}

/// True when `record`'s owner is `name` or above it.
fn owns(record: &Record<'_>, name: &[u8]) -> bool {
    NameBuf::folded(record.owner.as_slice()).is_some_and(|owner| is_at_or_below(name, owner.as_slice()))
}

/// RFC 2181 section 8: a TTL with the top bit set counts as 0; ours is capped at a day.
fn bounded_ttl(ttl: u32) -> u32 {
    if ttl > i32::MAX as u32 { 0 } else { ttl.min(TTL_MAX_S) }
}
