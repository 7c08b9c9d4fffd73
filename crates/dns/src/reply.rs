//! Turns a kept answer into the octets for one client: its id, its question's case, its EDNS, aged TTLs, its size.

use std::time::Duration;

use crate::{
    Transport,
    query::{Edns, Head},
    wire::{
        AD, CD, EDE_STALE_ANSWER, EDE_STALE_NXDOMAIN_ANSWER, HEADER_LEN, MESSAGE_LEN_MAX, OPCODE, OPTION_COOKIE,
        OPTION_EXTENDED_ERROR, OPTION_KEEPALIVE, OPTION_PADDING, QR, RA, RCODE, RD, TC, UDP_LEN_MAX, UDP_LEN_MIN,
        rcode, rtype, u16_at,
    },
    writer::Answer,
};

/// The TTL of data past its end (RFC 8767 section 4).
const STALE_TTL_S: u32 = 30;
/// Replies to clients that pad are as long as a multiple of this (RFC 8467 section 4.1).
const PADDED_BLOCK: usize = 468;
/// Queries to upstreams that are asked encrypted (RFC 8467 section 4.1).
const QUERY_PADDED_BLOCK: usize = 128;

/// How long a silent connection of a client stays open (RFC 7766 section 6.2.3), while there are not too many.
pub const STREAM_IDLE: Duration = Duration::from_secs(10);
/// The same in units of 100 ms, for who asks (RFC 7828 section 3.1).
const KEEPALIVE: u16 = (STREAM_IDLE.as_millis() / 100) as u16;

/// Whether an answer's lifetime has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Freshness {
    /// Kept for so long.
    Fresh { age_s: u32 },
    /// Past its end (RFC 8767).
    Stale,
}

/// Octets for a client, and whether they had to be cut to TC=1.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_truncated: bool,
}

/// The reply made of `answer`, which may be past its end.
pub(crate) fn reply(head: &Head<'_>, transport: Transport, answer: &Answer, freshness: Freshness) -> Reply {
    let mut bytes = Vec::with_capacity(answer.wire.len() + OPT_LEN_TYPICAL);
    let is_truncated = append_reply(&mut bytes, head, transport, answer, freshness);
    Reply { bytes, is_truncated }
}

/// Appends the reply to `out`; true when it had to be cut to TC=1.
///
/// The client's question is copied over ours octet by octet: both have the same length, so pointers stay valid and
/// its mixed case comes back (draft-vixie-dnsext-dns0x20). AD is set on what was validated here, for who asks for it
/// (RFC 6840 section 5.8).
pub(crate) fn append_reply(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    transport: Transport,
    answer: &Answer,
    freshness: Freshness,
) -> bool {
    let question_end = HEADER_LEN + head.question.len();
    let opt = head.edns.as_ref().map(|edns| Opt {
        edns,
        extended_rcode: 0,
        extended_error: extended_error(answer, freshness),
        transport,
    });
    let is_truncated = answer.wire.len() + opt.as_ref().map_or(0, Opt::len) > limit(head, transport);
    let begin = out.len();
    out.extend_from_slice(if is_truncated { &answer.wire[..question_end] } else { &answer.wire });
    let bytes = &mut out[begin..];
    bytes[0..2].copy_from_slice(&head.id.to_be_bytes());
    // What is past its end is past what its signatures say, too.
    let wants_ad =
        freshness != Freshness::Stale && (head.flags & AD != 0 || head.edns.is_some_and(|edns| edns.dnssec_ok));
    let known = u16::from_be_bytes([bytes[2], bytes[3]]) & if wants_ad { !0 } else { !AD };
    let flags = known | response_flags(head) | if is_truncated { TC } else { 0 };
    bytes[2..4].copy_from_slice(&flags.to_be_bytes());
    bytes[HEADER_LEN..question_end].copy_from_slice(head.question);
    if is_truncated {
        bytes[6..12].fill(0);
    } else {
        age(bytes, &answer.ttl_offsets, freshness);
    }
    if let Some(opt) = opt {
        opt.append(out, begin);
    }
    is_truncated
}

/// The answer as it is at this moment: TTLs aged, and told as past its end if it is.
pub(crate) fn aged(answer: &Answer, freshness: Freshness) -> Answer {
    let mut now = Answer { extended_error: extended_error(answer, freshness), ..answer.clone() };
    age(&mut now.wire, &answer.ttl_offsets, freshness);
    now.lifetime_s = match freshness {
        Freshness::Fresh { age_s } => answer.lifetime_s.saturating_sub(age_s),
        Freshness::Stale => {
            now.wire[3] &= !(AD as u8);
            STALE_TTL_S
        }
    };
    now
}

/// A reply without records: header, the question if it could be read, OPT if the client sent one.
pub(crate) fn refuse(head: &Head<'_>, transport: Transport, rcode: u16, extended_error: Option<u16>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + head.question.len() + OPT_LEN_TYPICAL);
    append_refusal(&mut bytes, head, transport, rcode, extended_error);
    bytes
}

/// Appends a reply without records to `out`. `rcode` may have TC set.
pub(crate) fn append_refusal(
    out: &mut Vec<u8>,
    head: &Head<'_>,
    transport: Transport,
    rcode: u16,
    extended_error: Option<u16>,
) {
    let begin = out.len();
    out.extend_from_slice(&head.id.to_be_bytes());
    out.extend_from_slice(&(response_flags(head) | (rcode & (RCODE | TC))).to_be_bytes());
    out.extend_from_slice(&[0, u8::from(!head.question.is_empty()), 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(head.question);
    if let Some(edns) = &head.edns {
        let extended_rcode = ((rcode & !TC) >> 4) as u8;
        Opt { edns, extended_rcode, extended_error, transport }.append(out, begin);
    }
}

/// QR and RA set; opcode, RD and CD as the client sent them (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2).
fn response_flags(head: &Head<'_>) -> u16 {
    QR | RA | (head.flags & (OPCODE | RD | CD))
}

/// The largest message this client can take.
fn limit(head: &Head<'_>, transport: Transport) -> usize {
    match transport {
        Transport::Udp => usize::from(head.edns.map_or(UDP_LEN_MIN, |edns| edns.udp_len_max)),
        Transport::Tcp | Transport::Tls | Transport::Https | Transport::Own => MESSAGE_LEN_MAX,
    }
}

/// What is told of data past its end (RFC 8914 sections 4.4 and 4.20), else what the answer itself says.
fn extended_error(answer: &Answer, freshness: Freshness) -> Option<u16> {
    match freshness {
        Freshness::Fresh { .. } => answer.extended_error,
        Freshness::Stale if u16_at(&answer.wire, 2).unwrap_or(0) & RCODE == rcode::NXDOMAIN => {
            Some(EDE_STALE_NXDOMAIN_ANSWER)
        }
        Freshness::Stale => Some(EDE_STALE_ANSWER),
    }
}

/// Takes the age off every TTL, never below 0 (RFC 1035 section 3.2.1, RFC 2181 section 8); past the end all are 30 s.
fn age(bytes: &mut [u8], ttl_offsets: &[u16], freshness: Freshness) {
    if freshness == (Freshness::Fresh { age_s: 0 }) {
        return;
    }
    for &at in ttl_offsets {
        let Some(field) = bytes.get_mut(usize::from(at)..usize::from(at) + 4) else { continue };
        let ttl = u32::from_be_bytes([field[0], field[1], field[2], field[3]]);
        let ttl = match freshness {
            Freshness::Fresh { age_s } => ttl.saturating_sub(age_s),
            Freshness::Stale => STALE_TTL_S,
        };
        field.copy_from_slice(&ttl.to_be_bytes());
    }
}

/// What an OPT record without options takes (RFC 6891 section 6.1.2).
const OPT_LEN_EMPTY: usize = 11;
/// What an OPT record with a cookie and an extended error takes.
const OPT_LEN_TYPICAL: usize = OPT_LEN_EMPTY + 28 + 6;

/// Our OPT record (RFC 6891 section 6.1.2): version 0, DO as the client sent it, an extended error, the client's cookie
/// and ours, and padding where it hides something.
struct Opt<'a> {
    edns: &'a Edns,
    extended_rcode: u8,
    extended_error: Option<u16>,
    transport: Transport,
}

impl Opt<'_> {
    /// Its length but for padding, which goes only where length is no concern.
    fn len(&self) -> usize {
        let keepalive = if self.says_keepalive() { 6 } else { 0 };
        OPT_LEN_EMPTY
            + self.extended_error.map_or(0, |_| 6)
            + self.edns.reply_cookie.map_or(0, |cookie| 4 + cookie.len())
            + keepalive
    }

    /// RFC 7828 section 3.2: over a connection only, to who asks.
    fn says_keepalive(&self) -> bool {
        self.edns.wants_keepalive && matches!(self.transport, Transport::Tcp | Transport::Tls)
    }

    /// Appends it to the message that begins at `begin`.
    fn append(&self, out: &mut Vec<u8>, begin: usize) {
        out.push(0);
        out.extend_from_slice(&rtype::OPT.to_be_bytes());
        out.extend_from_slice(&UDP_LEN_MAX.to_be_bytes());
        out.extend_from_slice(&[self.extended_rcode, 0, if self.edns.dnssec_ok { 0x80 } else { 0 }, 0]);
        let length_at = out.len();
        out.extend_from_slice(&[0, 0]);
        if let Some(cookie) = &self.edns.reply_cookie {
            option(out, OPTION_COOKIE, cookie);
        }
        if let Some(code) = self.extended_error {
            option(out, OPTION_EXTENDED_ERROR, &code.to_be_bytes());
        }
        if self.says_keepalive() {
            option(out, OPTION_KEEPALIVE, &KEEPALIVE.to_be_bytes());
        }
        if self.edns.is_padded && self.transport.is_encrypted() {
            let unpadded = out.len() - begin + 4;
            let padding = unpadded.next_multiple_of(PADDED_BLOCK).min(MESSAGE_LEN_MAX).saturating_sub(unpadded);
            option(out, OPTION_PADDING, &[0; PADDED_BLOCK][..padding]);
        }
        let length = (out.len() - length_at - 2) as u16;
        out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        out[begin + 11] = 1;
    }
}

/// Pads a query of ours, which ends with its OPT record, to a multiple of 128 octets (RFC 8467 section 4.1): for upstreams that
/// are asked encrypted. One without an OPT record stays as it is.
pub fn pad_query(bytes: &mut Vec<u8>) {
    let Some(begin) = bytes.len().checked_sub(OPT_LEN_EMPTY) else { return };
    let is_opt = bytes[begin..].starts_with(&[0, 0, rtype::OPT as u8]) && bytes.ends_with(&[0, 0]);
    if !is_opt || bytes.get(HEADER_LEN - 1) != Some(&1) {
        return;
    }
    let unpadded = bytes.len() + 4;
    let padding = unpadded.next_multiple_of(QUERY_PADDED_BLOCK) - unpadded;
    option(bytes, OPTION_PADDING, &[0; QUERY_PADDED_BLOCK][..padding]);
    bytes[begin + OPT_LEN_EMPTY - 2..begin + OPT_LEN_EMPTY].copy_from_slice(&((padding + 4) as u16).to_be_bytes());
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
}
