use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use model::Mac;

use super::domain_names::{read_names, write_name};

/// Option types.
mod kind {
    /// Source link-layer address (RFC 4861 section 4.6.1).
    pub(super) const SOURCE_LINK_LAYER: u8 = 1;
    /// Prefix information (RFC 4861 section 4.6.2).
    pub(super) const PREFIX: u8 = 3;
    /// MTU (RFC 4861 section 4.6.4).
    pub(super) const MTU: u8 = 5;
    /// Route information (RFC 4191 section 2.3).
    pub(super) const ROUTE: u8 = 24;
    /// Recursive name servers (RFC 8106 section 5.1).
    pub(super) const NAME_SERVERS: u8 = 25;
    /// Search list (RFC 8106 section 5.2).
    pub(super) const SEARCH_LIST: u8 = 31;
    /// Captive portal (RFC 8910 section 2.3).
    pub(super) const CAPTIVE_PORTAL: u8 = 37;
    /// NAT64 prefix (RFC 8781 section 4).
    pub(super) const PREF64: u8 = 38;
}

const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;
/// Lengths of NAT64 prefixes by their code (RFC 8781 section 4).
const PREF64_LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];

/// How much a router or route is preferred to others (RFC 4191 section 2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Preference {
    Low,
    #[default]
    Medium,
    High,
}

impl Preference {
    /// From bits 3 and 4 of a flags octet. The reserved value counts as medium.
    pub(super) fn from_flags(flags: u8) -> Self {
        match flags & 0x18 {
            0x08 => Self::High,
            0x18 => Self::Low,
            _ => Self::Medium,
        }
    }

    pub(super) fn flags(self) -> u8 {
        match self {
            Self::Low => 0x18,
            Self::Medium => 0,
            Self::High => 0x08,
        }
    }
}

/// An option of a router solicitation or advertisement. Lifetimes are seconds from now, `u32::MAX` = for ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RaOption {
    /// Ethernet address of the sender.
    SourceLinkLayer(Mac),
    /// A prefix of the link.
    Prefix {
        /// The prefix, host bits zero.
        prefix: Ipv6Net,
        /// Flag L: its addresses are on this link.
        is_on_link: bool,
        /// Flag A: hosts make addresses of it (RFC 4862).
        is_autonomous: bool,
        /// Valid lifetime.
        valid: u32,
        /// Preferred lifetime.
        preferred: u32,
    },
    /// The link's MTU, octets.
    Mtu(u32),
    /// A route through the sender.
    Route {
        /// The destination, host bits zero.
        prefix: Ipv6Net,
        /// How much it is preferred.
        preference: Preference,
        /// How long it holds.
        lifetime: u32,
    },
    /// Recursive name servers.
    NameServers {
        /// How long they may be used.
        lifetime: u32,
        /// One to 127 addresses.
        servers: Vec<Ipv6Addr>,
    },
    /// Domain search list.
    SearchList {
        /// How long it may be used.
        lifetime: u32,
        /// The names, without a dot at the end.
        domains: Vec<String>,
    },
    /// URI of the captive portal's API.
    CaptivePortal(String),
    /// The prefix by which a NAT64 is reached.
    Pref64 {
        /// A /96, /64, /56, /48, /40 or /32, host bits zero.
        prefix: Ipv6Net,
        /// How long it holds: a multiple of 8, at most 65,528.
        lifetime: u16,
    },
    /// Another option, or one of the above that says nothing sensible; to be ignored (RFC 4861 section 4.6).
    Unknown {
        /// Its type.
        kind: u8,
        /// What follows type and length: 6 octets and whole eights.
        data: Vec<u8>,
    },
}

impl RaOption {
    /// The option of `kind` with `data`, which is what follows type and length.
    pub(super) fn read(kind: u8, data: &[u8]) -> Self {
        Self::read_known(kind, data).unwrap_or_else(|| Self::Unknown { kind, data: data.into() })
    }

    fn read_known(kind: u8, data: &[u8]) -> Option<Self> {
        Some(match kind {
            kind::SOURCE_LINK_LAYER => Self::SourceLinkLayer(Mac(data.try_into().ok()?)),
            kind::PREFIX => {
                let data: &[u8; 30] = data.try_into().ok()?;
                Self::Prefix {
                    prefix: Ipv6Net::new(octets(&data[14..]), data[0]).ok()?.trunc(),
                    is_on_link: data[1] & ON_LINK != 0,
                    is_autonomous: data[1] & AUTONOMOUS != 0,
                    valid: number(&data[2..])?,
                    preferred: number(&data[6..])?,
                }
            }
            kind::MTU => Self::Mtu(number(data.get(2..6).filter(|_| data.len() == 6)?)?),
            kind::ROUTE => read_route(data)?,
            kind::NAME_SERVERS => {
                let (servers, []) = data.get(6..)?.as_chunks::<16>() else { return None };
                let servers: Vec<_> = servers.iter().map(|server| Ipv6Addr::from(*server)).collect();
                (!servers.is_empty()).then_some(())?;
                Self::NameServers { lifetime: number(data.get(2..)?)?, servers }
            }
            kind::SEARCH_LIST => {
                let domains = read_names(data.get(6..)?).filter(|domains| !domains.is_empty())?;
                Self::SearchList { lifetime: number(data.get(2..)?)?, domains }
            }
            kind::CAPTIVE_PORTAL => {
                let end = data.iter().rposition(|&octet| octet != 0)? + 1;
                let is_uri = data[..end].iter().all(u8::is_ascii_graphic);
                Self::CaptivePortal(String::from_utf8(data[..end].into()).ok().filter(|_| is_uri)?)
            }
            kind::PREF64 => read_pref64(data)?,
            _ => return None,
        })
    }

    /// Appends the option, padded to whole eights. False, and nothing appended, when it cannot be said: a name that is
    /// none, more than 2,040 octets, a NAT64 prefix of another length.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) -> bool {
        let start = bytes.len();
        bytes.extend([0, 0]);
        let written = self.write_data(bytes);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        match (written, u8::try_from((bytes.len() - start) / 8)) {
            (Some(kind), Ok(eights)) => bytes[start..start + 2].copy_from_slice(&[kind, eights]),
            (None, _) | (_, Err(_)) => {
                bytes.truncate(start);
                return false;
            }
        }
        true
    }

    /// Appends what follows type and length; the type.
    fn write_data(&self, bytes: &mut Vec<u8>) -> Option<u8> {
        Some(match self {
            Self::SourceLinkLayer(mac) => {
                bytes.extend(mac.0);
                kind::SOURCE_LINK_LAYER
            }
            Self::Prefix { prefix, is_on_link, is_autonomous, valid, preferred } => {
                let flags = if *is_on_link { ON_LINK } else { 0 } | if *is_autonomous { AUTONOMOUS } else { 0 };
                bytes.extend([prefix.prefix_len(), flags]);
                bytes.extend([*valid, *preferred, 0].map(u32::to_be_bytes).as_flattened());
                bytes.extend(prefix.network().octets());
                kind::PREFIX
            }
            Self::Mtu(mtu) => {
                bytes.extend([0, 0]);
                bytes.extend(mtu.to_be_bytes());
                kind::MTU
            }
            Self::Route { prefix, preference, lifetime } => {
                bytes.extend([prefix.prefix_len(), preference.flags()]);
                bytes.extend(lifetime.to_be_bytes());
                // RFC 4191 section 2.3: only as much of the prefix as is needed, in eights.
                let len = usize::from(prefix.prefix_len()).div_ceil(64) * 8;
                bytes.extend(&prefix.network().octets()[..len]);
                kind::ROUTE
            }
            Self::NameServers { lifetime, servers } => {
                bytes.extend([0, 0]);
                bytes.extend(lifetime.to_be_bytes());
                bytes.extend(servers.iter().flat_map(Ipv6Addr::octets));
                kind::NAME_SERVERS
            }
            Self::SearchList { lifetime, domains } => {
                bytes.extend([0, 0]);
                bytes.extend(lifetime.to_be_bytes());
                domains.iter().try_for_each(|domain| write_name(bytes, domain))?;
                kind::SEARCH_LIST
            }
            Self::CaptivePortal(uri) => {
                bytes.extend(uri.as_bytes());
                kind::CAPTIVE_PORTAL
            }
            Self::Pref64 { prefix, lifetime } => {
                let code = PREF64_LENGTHS.iter().position(|&len| len == prefix.prefix_len())?;
                let scaled = (lifetime & !0b111) | u16::try_from(code).ok()?;
                bytes.extend(scaled.to_be_bytes());
                bytes.extend(&prefix.network().octets()[..12]);
                kind::PREF64
            }
            Self::Unknown { kind, data } => {
                bytes.extend(data);
                *kind
            }
        })
    }
}

/// RFC 4191 section 2.3. The reserved preference makes the option one to ignore.
fn read_route(data: &[u8]) -> Option<RaOption> {
    let (&[len, flags], rest) = data.split_first_chunk()?;
    let (lifetime, prefix) = rest.split_first_chunk::<4>()?;
    let is_long_enough = prefix.len() <= 16 && usize::from(len).div_ceil(64) * 8 <= prefix.len();
    if !is_long_enough || flags & 0x18 == 0x10 {
        return None;
    }
    let mut octets = [0; 16];
    octets[..prefix.len()].copy_from_slice(prefix);
    Some(RaOption::Route {
        prefix: Ipv6Net::new(octets.into(), len).ok()?.trunc(),
        preference: Preference::from_flags(flags),
        lifetime: u32::from_be_bytes(*lifetime),
    })
}

/// RFC 8781 section 4.
fn read_pref64(data: &[u8]) -> Option<RaOption> {
    let (scaled, prefix) = data.split_first_chunk::<2>().filter(|_| data.len() == 14)?;
    let scaled = u16::from_be_bytes(*scaled);
    let len = *PREF64_LENGTHS.get(usize::from(scaled & 0b111))?;
    let mut octets = [0; 16];
    octets[..12].copy_from_slice(prefix);
    Some(RaOption::Pref64 { prefix: Ipv6Net::new(octets.into(), len).ok()?.trunc(), lifetime: scaled & !0b111 })
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets))
}

fn octets(bytes: &[u8]) -> Ipv6Addr {
    bytes.first_chunk::<16>().map_or(Ipv6Addr::UNSPECIFIED, |octets| Ipv6Addr::from(*octets))
}
