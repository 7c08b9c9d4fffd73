//! Numbers of the DNS wire format, each with its RFC, and big-endian reads that never panic.

/// Octets of the header (RFC 1035 section 4.1.1).
pub(crate) const HEADER_LEN: usize = 12;
/// The longest name in wire form (RFC 1035 section 3.1).
pub(crate) const NAME_LEN_MAX: usize = 255;
/// The longest message, set by the two length octets of TCP (RFC 1035 section 4.2.2).
pub(crate) const MESSAGE_LEN_MAX: usize = 65_535;
/// The largest UDP answer we send or invite: no fragments on any usual path (DNS flag day 2020).
pub(crate) const UDP_LEN_MAX: u16 = 1232;
/// What a client without EDNS can take over UDP (RFC 1035 section 4.2.1); also the floor of RFC 6891 section 6.2.3.
pub(crate) const UDP_LEN_MIN: u16 = 512;

/// Response, not query.
pub(crate) const QR: u16 = 0x8000;
/// The four bits of the opcode.
pub(crate) const OPCODE: u16 = 0x7800;
/// Authoritative answer.
pub(crate) const AA: u16 = 0x0400;
/// Truncated.
pub(crate) const TC: u16 = 0x0200;
/// Recursion desired.
pub(crate) const RD: u16 = 0x0100;
/// Recursion available.
pub(crate) const RA: u16 = 0x0080;
/// Authentic data (RFC 4035 section 3.2.3).
pub(crate) const AD: u16 = 0x0020;
/// Checking disabled (RFC 4035 section 3.2.2).
pub(crate) const CD: u16 = 0x0010;
/// The four bits of the response code.
pub(crate) const RCODE: u16 = 0x000f;

/// Response codes (RFC 1035 section 4.1.1; BADVERS: RFC 6891 section 9).
pub(crate) mod rcode {
    pub(crate) const NOERROR: u16 = 0;
    pub(crate) const FORMERR: u16 = 1;
    pub(crate) const SERVFAIL: u16 = 2;
    pub(crate) const NXDOMAIN: u16 = 3;
    pub(crate) const NOTIMP: u16 = 4;
    pub(crate) const REFUSED: u16 = 5;
    pub(crate) const BADVERS: u16 = 16;
}

/// Record and query types (IANA registry "Domain Name System Parameters").
pub(crate) mod rtype {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const MD: u16 = 3;
    pub(crate) const MF: u16 = 4;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const MB: u16 = 7;
    pub(crate) const MG: u16 = 8;
    pub(crate) const MR: u16 = 9;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const HINFO: u16 = 13;
    pub(crate) const MINFO: u16 = 14;
    pub(crate) const MX: u16 = 15;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const RP: u16 = 17;
    pub(crate) const AFSDB: u16 = 18;
    pub(crate) const RT: u16 = 21;
    pub(crate) const SIG: u16 = 24;
    pub(crate) const PX: u16 = 26;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const NXT: u16 = 30;
    pub(crate) const SRV: u16 = 33;
    pub(crate) const NAPTR: u16 = 35;
    pub(crate) const KX: u16 = 36;
    pub(crate) const DNAME: u16 = 39;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const SVCB: u16 = 64;
    pub(crate) const HTTPS: u16 = 65;
    pub(crate) const RRSIG: u16 = 46;
    pub(crate) const NSEC: u16 = 47;
    pub(crate) const NSEC3: u16 = 50;
    /// Meta type that may never be asked (RFC 9824 section 3.4).
    pub(crate) const NXNAME: u16 = 128;
    pub(crate) const MAILB: u16 = 253;
    pub(crate) const MAILA: u16 = 254;
    pub(crate) const ANY: u16 = 255;
}

/// Class IN (RFC 1035 section 3.2.4).
pub(crate) const CLASS_IN: u16 = 1;

/// EDNS option code of cookies (RFC 7873 section 4).
pub(crate) const OPTION_COOKIE: u16 = 10;
/// EDNS option code of edns-tcp-keepalive (RFC 7828 section 3.1).
pub(crate) const OPTION_KEEPALIVE: u16 = 11;
/// EDNS option code of padding (RFC 7830 section 3).
pub(crate) const OPTION_PADDING: u16 = 12;
/// EDNS option code of extended errors (RFC 8914 section 2).
pub(crate) const OPTION_EXTENDED_ERROR: u16 = 15;

/// Extended DNS error "DNSSEC Bogus" (RFC 8914 section 4.7).
pub(crate) const EDE_DNSSEC_BOGUS: u16 = 6;
/// Extended DNS error "Signature Expired" (RFC 8914 section 4.8).
pub(crate) const EDE_SIGNATURE_EXPIRED: u16 = 7;
/// Extended DNS error "Blocked" (RFC 8914 section 4.16): the name is on a list of the team's.
pub(crate) const EDE_BLOCKED: u16 = 15;
/// Extended DNS error "Prohibited" (RFC 8914 section 4.19): the client is not in the access list.
pub(crate) const EDE_PROHIBITED: u16 = 18;
/// Extended DNS error "Stale Answer" (RFC 8914 section 4.4).
pub(crate) const EDE_STALE_ANSWER: u16 = 3;
/// Extended DNS error "Stale NXDOMAIN Answer" (RFC 8914 section 4.20).
pub(crate) const EDE_STALE_NXDOMAIN_ANSWER: u16 = 19;
/// Extended DNS error "Network Error" (RFC 8914 section 4.24): no upstream could be reached.
pub(crate) const EDE_NETWORK_ERROR: u16 = 23;
/// Extended DNS error "Other" (RFC 8914 section 4.1): a bound of ours was reached.
pub(crate) const EDE_OTHER: u16 = 0;

/// The two octets at `at`, if the message has them.
pub(crate) fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    let octets = message.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(octets.try_into().ok()?))
}

/// The four octets at `at`, if the message has them.
pub(crate) fn u32_at(message: &[u8], at: usize) -> Option<u32> {
    let octets = message.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}
