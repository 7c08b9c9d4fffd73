//! Turns a kept answer into the octets for one client: its id, its question's case, its EDNS, aged TTLs, its size.

use crate::{
    query::{Edns, Head},
    wire::{
        CD, EDE_STALE_ANSWER, EDE_STALE_NXDOMAIN_ANSWER, HEADER_LEN, MESSAGE_LEN_MAX, OPCODE, QR, RA, RCODE, RD, TC,
        UDP_LEN_MAX, UDP_LEN_MIN, rcode, rtype, u16_at,
    },
    writer::Answer,
};

use crate::Transport;

/// The TTL of data past its end (RFC 8767 section 4).
const STALE_TTL_S: u32 = 30;
/// EDNS option code of extended errors (RFC 8914 section 2).
const OPTION_EXTENDED_ERROR: u16 = 15;

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
///
/// The client's question is copied over ours octet by octet: both have the same length, so pointers stay valid and
/// its mixed case comes back (draft-vixie-dnsext-dns0x20). AD is never set: nothing was validated here.
pub(crate) fn reply(head: &Head<'_>, transport: Transport, answer: &Answer, freshness: Freshness) -> Reply {
    let question_end = HEADER_LEN + head.question.len();
    let opt = head.edns.map(|edns| Opt { edns, extended_rcode: 0, extended_error: extended_error(answer, freshness) });
    let size = answer.wire.len() + opt.as_ref().map_or(0, Opt::len);
    let is_truncated = size > limit(head, transport);
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(if is_truncated { &answer.wire[..question_end] } else { &answer.wire });
    bytes[0..2].copy_from_slice(&head.id.to_be_bytes());
    let flags = u16::from_be_bytes([bytes[2], bytes[3]]) | response_flags(head) | if is_truncated { TC } else { 0 };
    bytes[2..4].copy_from_slice(&flags.to_be_bytes());
    bytes[HEADER_LEN..question_end].copy_from_slice(head.question);
    if is_truncated {
        bytes[6..12].fill(0);
    } else {
        age(&mut bytes, &answer.ttl_offsets, freshness);
    }
    if let Some(opt) = opt {
        opt.append(&mut bytes);
    }
    Reply { bytes, is_truncated }
}

/// A reply without records: header, the question if it could be read, OPT if the client sent one.
pub(crate) fn refuse(head: &Head<'_>, rcode: u16, extended_error: Option<u16>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + head.question.len() + 17);
    bytes.extend_from_slice(&head.id.to_be_bytes());
    bytes.extend_from_slice(&(response_flags(head) | (rcode & RCODE)).to_be_bytes());
    bytes.extend_from_slice(&[0, u8::from(!head.question.is_empty()), 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(head.question);
    if let Some(edns) = head.edns {
        Opt { edns, extended_rcode: (rcode >> 4) as u8, extended_error }.append(&mut bytes);
    }
    bytes
}

/// QR and RA set; opcode, RD and CD as the client sent them (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2).
fn response_flags(head: &Head<'_>) -> u16 {
    QR | RA | (head.flags & (OPCODE | RD | CD))
}

/// The largest message this client can take.
fn limit(head: &Head<'_>, transport: Transport) -> usize {
    match transport {
        Transport::Udp => usize::from(head.edns.map_or(UDP_LEN_MIN, |edns| edns.udp_len_max)),
        Transport::Tcp => MESSAGE_LEN_MAX,
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

/// Our OPT record (RFC 6891 section 6.1.2): version 0, DO as the client sent it, no options but an extended error.
struct Opt {
    edns: Edns,
    extended_rcode: u8,
    extended_error: Option<u16>,
}

impl Opt {
    fn len(&self) -> usize {
        11 + if self.extended_error.is_some() { 6 } else { 0 }
    }

    fn append(&self, bytes: &mut Vec<u8>) {
        bytes.push(0);
        bytes.extend_from_slice(&rtype::OPT.to_be_bytes());
        bytes.extend_from_slice(&UDP_LEN_MAX.to_be_bytes());
        bytes.extend_from_slice(&[self.extended_rcode, 0, if self.edns.dnssec_ok { 0x80 } else { 0 }, 0]);
        match self.extended_error {
            Some(code) => {
                bytes.extend_from_slice(&[0, 6]);
                bytes.extend_from_slice(&OPTION_EXTENDED_ERROR.to_be_bytes());
                bytes.extend_from_slice(&[0, 2]);
                bytes.extend_from_slice(&code.to_be_bytes());
            }
            None => bytes.extend_from_slice(&[0, 0]),
        }
        bytes[11] = 1;
    }
}
