//! Strict parse of what a client sent: nothing allocated, every octet accounted for.

use crate::{
    cookie::{ClientCookie, ReplyCookie},
    name::end_of_plain_name,
    record::Record,
    wire::{
        CLASS_IN, HEADER_LEN, OPCODE, OPTION_COOKIE, OPTION_KEEPALIVE, OPTION_PADDING, QR, UDP_LEN_MAX, UDP_LEN_MIN,
        rcode, rtype, u16_at,
    },
};

/// Records beside the question that we are willing to walk over in a query; honest ones send an OPT and perhaps a TSIG.
const EXTRA_RECORDS_MAX: u32 = 32;

/// What the answer to a query must repeat or obey.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) id: u16,
    /// The flags as received.
    pub(crate) flags: u16,
    /// Name, type and class as received, case kept; empty when they could not be read.
    pub(crate) question: &'a [u8],
    pub(crate) edns: Option<Edns>,
}

/// What a client's OPT record says (RFC 6891 section 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Edns {
    /// The UDP payload the client can take, clamped to 512..=1232.
    pub(crate) udp_len_max: u16,
    /// DNSSEC OK (RFC 3225).
    pub(crate) dnssec_ok: bool,
    /// The client pads its queries (RFC 7830), and so do we our replies where nobody can look in.
    pub(crate) is_padded: bool,
    /// The client asks for how long a silent connection stays open (RFC 7828).
    pub(crate) wants_keepalive: bool,
    /// The client's cookie (RFC 7873).
    pub(crate) cookie: Option<ClientCookie>,
    /// The cookie that the reply carries.
    pub(crate) reply_cookie: Option<ReplyCookie>,
    version: u8,
}

/// A query that may be answered: opcode QUERY, one question of class IN, an ordinary type or ANY.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    pub(crate) head: Head<'a>,
    /// Uncompressed wire form, case as received.
    pub(crate) name: &'a [u8],
    pub(crate) qtype: u16,
}

/// What became of a packet from a client.
#[derive(Debug)]
pub(crate) enum Parsed<'a> {
    /// Shorter than a header: nothing to answer to.
    Malformed,
    /// A response. Answering one would let two servers talk for ever.
    NotQuery,
    /// To be answered with this response code and no records.
    Reject(Head<'a>, u16),
    Query(Query<'a>),
}

/// Reads a client's packet. RFC 1035 section 4.1, RFC 6891 section 6, RFC 9619 (one question).
pub(crate) fn parse(message: &[u8]) -> Parsed<'_> {
    let (Some(id), Some(flags), true) = (u16_at(message, 0), u16_at(message, 2), message.len() >= HEADER_LEN) else {
        return Parsed::Malformed;
    };
    if flags & QR != 0 {
        return Parsed::NotQuery;
    }
    let mut head = Head { id, flags, question: &[], edns: None };
    let bad_form = if flags & OPCODE == 0 { rcode::FORMERR } else { rcode::NOTIMP };
    if u16_at(message, 4) != Some(1) {
        return Parsed::Reject(head, bad_form);
    }
    let Some(name_end) = end_of_plain_name(message, HEADER_LEN) else { return Parsed::Reject(head, bad_form) };
    let Some(question) = message.get(HEADER_LEN..name_end + 4) else { return Parsed::Reject(head, bad_form) };
    head.question = question;
    match read_edns(message, name_end + 4) {
        Ok(edns) => head.edns = edns,
        Err(edns) => {
            head.edns = edns;
            return Parsed::Reject(head, bad_form);
        }
    }
    let (Some(qtype), Some(qclass)) = (u16_at(message, name_end), u16_at(message, name_end + 2)) else {
        return Parsed::Reject(head, bad_form);
    };
    match refusal(&head, qtype, qclass) {
        Some(rcode) => Parsed::Reject(head, rcode),
        None => Parsed::Query(Query { head, name: &message[HEADER_LEN..name_end], qtype }),
    }
}

/// Why a well-formed query is not answered, if so.
fn refusal(head: &Head<'_>, qtype: u16, qclass: u16) -> Option<u16> {
    if head.edns.is_some_and(|edns| edns.version > 0) {
        return Some(rcode::BADVERS);
    }
    if head.flags & OPCODE != 0 {
        return Some(rcode::NOTIMP);
    }
    if qclass != CLASS_IN {
        return Some(rcode::REFUSED);
    }
    match qtype {
        0 | rtype::OPT | rtype::NXNAME => Some(rcode::FORMERR),
        rtype::MAILB | rtype::MAILA => Some(rcode::NOTIMP),
        rtype::ANY => None,
        // TKEY, TSIG, IXFR, AXFR and types that are none (RFC 6895 section 3.1).
        129..=254 => Some(rcode::REFUSED),
        _ => None,
    }
}

/// The client's OPT record. Errors carry the first OPT seen, so that the FORMERR can have one too.
fn read_edns(message: &[u8], mut at: usize) -> Result<Option<Edns>, Option<Edns>> {
    let counts = [6, 8, 10].map(|at| u16_at(message, at).unwrap_or(0));
    if counts.iter().copied().map(u32::from).sum::<u32>() > EXTRA_RECORDS_MAX {
        return Err(None);
    }
    let mut edns = None;
    for (section, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            let Some((record, next)) = Record::read(message, at) else { return Err(edns) };
            at = next;
            if record.rtype != rtype::OPT {
                continue;
            }
            // RFC 6891 section 6.1.1: one OPT, in the additional section, owned by the root.
            if edns.is_some() || section != 2 || record.owner.as_slice() != b"\0" {
                return Err(edns);
            }
            let mut read = Edns {
                udp_len_max: record.class.clamp(UDP_LEN_MIN, UDP_LEN_MAX),
                dnssec_ok: record.ttl & 0x8000 != 0,
                is_padded: false,
                wants_keepalive: false,
                cookie: None,
                reply_cookie: None,
                version: record.ttl.to_be_bytes()[1],
            };
            if !read_options(record.rdata, &mut read) {
                return Err(edns);
            }
            edns = Some(read);
        }
    }
    if at == message.len() { Ok(edns) } else { Err(edns) }
}

/// Reads what matters of the options. False when they do not fill the RDATA exactly, or a cookie has a length it may not
/// have (RFC 7873 section 5.2.2). Of several cookies the first counts (section 5.2).
fn read_options(mut rdata: &[u8], edns: &mut Edns) -> bool {
    while !rdata.is_empty() {
        let (Some(code), Some(length)) = (u16_at(rdata, 0), u16_at(rdata, 2)) else { return false };
        let Some((option, rest)) = rdata.get(4..).and_then(|rest| rest.split_at_checked(usize::from(length))) else {
            return false;
        };
        match code {
            OPTION_COOKIE => match ClientCookie::read(option) {
                Some(cookie) => edns.cookie = edns.cookie.or(Some(cookie)),
                None => return false,
            },
            OPTION_PADDING => edns.is_padded = true,
            // RFC 7828 section 3.1: clients leave the time out.
            OPTION_KEEPALIVE if option.is_empty() => edns.wants_keepalive = true,
            OPTION_KEEPALIVE => return false,
            _ => {}
        }
        rdata = rest;
    }
    true
}
