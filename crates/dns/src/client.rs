//! The client's side of the wire, for simulated clients: build a query, read the head of a reply.

use crate::wire::{CLASS_IN, HEADER_LEN, QR, RCODE, RD, TC, UDP_LEN_MAX, rtype, u16_at};

/// Type A (IPv4 address, RFC 1035).
pub const TYPE_A: u16 = rtype::A;
/// Type PTR (name of an address, RFC 1035).
pub const TYPE_PTR: u16 = rtype::PTR;
/// Type AAAA (IPv6 address, RFC 3596).
pub const TYPE_AAAA: u16 = rtype::AAAA;
/// Type HTTPS (service binding, RFC 9460).
pub const TYPE_HTTPS: u16 = 65;

/// A query of class IN with RD set, and with an OPT record of 1232 octets when `edns` is true.
///
/// `name` is dotted text without escapes. Empty labels are skipped, long ones cut at 63 octets, and labels that
/// would make the name longer than 255 octets are left out, so the result is always well-formed.
pub fn query(id: u16, name: &str, qtype: u16, edns: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + name.len());
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&RD.to_be_bytes());
    bytes.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        if bytes.len() - HEADER_LEN + label.len() + 2 > crate::wire::NAME_LEN_MAX {
            break;
        }
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label);
    }
    bytes.push(0);
    bytes.extend_from_slice(&qtype.to_be_bytes());
    bytes.extend_from_slice(&CLASS_IN.to_be_bytes());
    if edns {
        bytes.push(0);
        bytes.extend_from_slice(&rtype::OPT.to_be_bytes());
        bytes.extend_from_slice(&UDP_LEN_MAX.to_be_bytes());
        bytes.extend_from_slice(&[0; 6]);
    }
    bytes
}

/// The head of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The query's id.
    pub id: u16,
    /// The low four bits of the response code: 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    pub rcode: u8,
    /// Ask again over TCP.
    pub truncated: bool,
    /// Records in the answer section, as the header counts them.
    pub answers: usize,
}

impl Answer {
    /// Reads a reply; `None` for a query or less than a header. Records are not looked at.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let flags = u16_at(bytes, 2)?;
        if bytes.len() < HEADER_LEN || flags & QR == 0 {
            return None;
        }
        Some(Self {
            id: u16_at(bytes, 0)?,
            rcode: (flags & RCODE) as u8,
            truncated: flags & TC != 0,
            answers: usize::from(u16_at(bytes, 6)?),
        })
    }
}
