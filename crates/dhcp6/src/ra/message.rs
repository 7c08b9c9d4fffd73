use model::Mac;
use thiserror::Error;

use super::{Preference, ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION, RaOption};

/// Octets before the options of a solicitation (RFC 4861 section 4.1).
const SOLICITATION_HEADER: usize = 8;
/// Octets before the options of an advertisement (RFC 4861 section 4.2).
const ADVERTISEMENT_HEADER: usize = 16;
/// Longest message that is looked at: a jumbo frame.
const SIZE_MAX: usize = 9_216;
/// Most options that are looked at.
const OPTIONS_MAX: usize = 128;
const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;

/// Why bytes are not what they should be (RFC 4861 sections 6.1.1 and 6.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RaParseError {
    /// Another ICMPv6 type, or a code other than 0.
    #[error("ICMPv6 type {0}, code {1} is something else")]
    Type(u8, u8),
    /// Fewer octets than the header has.
    #[error("{0} octets are too few")]
    TooShort(usize),
    /// More octets or options than any real message has.
    #[error("too many octets or options")]
    TooLong,
    /// An option of length zero, or one that runs past the end.
    #[error("option {0} has a length that cannot be")]
    OptionLength(u8),
}

/// A Router Solicitation, from its ICMPv6 header on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RouterSolicitation {
    /// Its options, the sender's address among them.
    pub options: Vec<RaOption>,
}

impl RouterSolicitation {
    /// Reads a message; its checksum is the kernel's affair.
    pub fn parse(bytes: &[u8]) -> Result<Self, RaParseError> {
        check_header(bytes, ROUTER_SOLICITATION, SOLICITATION_HEADER)?;
        Ok(Self { options: read_options(&bytes[SOLICITATION_HEADER..])? })
    }

    /// The message, checksum zero: raw ICMPv6 sockets fill it in (RFC 3542 section 3.1).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; SOLICITATION_HEADER];
        bytes[0] = ROUTER_SOLICITATION;
        write_options(&mut bytes, &self.options);
        bytes
    }

    /// True when the sender told its link-layer address.
    pub fn has_source_link_layer(&self) -> bool {
        self.options.iter().any(|option| matches!(option, RaOption::SourceLinkLayer(_)))
    }
}

/// A Router Advertisement, from its ICMPv6 header on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RouterAdvertisement {
    /// Hop limit for hosts to use, 0 = not told.
    pub hop_limit: u8,
    /// Flag M: addresses are leased by DHCPv6.
    pub is_managed: bool,
    /// Flag O: other parameters are told by DHCPv6.
    pub has_other: bool,
    /// How much the sender is preferred as default router (RFC 4191 section 2.2).
    pub preference: Preference,
    /// How long the sender is a default router, seconds; 0 = it is none.
    pub router_lifetime: u16,
    /// How long a neighbour counts as reachable, milliseconds; 0 = not told.
    pub reachable_time: u32,
    /// Time between neighbour solicitations, milliseconds; 0 = not told.
    pub retransmission_timer: u32,
    /// The options, in order.
    pub options: Vec<RaOption>,
}

impl RouterAdvertisement {
    /// Reads a message; its checksum is the kernel's affair.
    pub fn parse(bytes: &[u8]) -> Result<Self, RaParseError> {
        check_header(bytes, ROUTER_ADVERTISEMENT, ADVERTISEMENT_HEADER)?;
        let number = |at: usize| u32::from_be_bytes(std::array::from_fn(|index| bytes[at + index]));
        let flags = bytes[5];
        Ok(Self {
            hop_limit: bytes[4],
            is_managed: flags & MANAGED != 0,
            has_other: flags & OTHER != 0,
            preference: Preference::from_flags(flags),
            router_lifetime: u16::from_be_bytes([bytes[6], bytes[7]]),
            reachable_time: number(8),
            retransmission_timer: number(12),
            options: read_options(&bytes[ADVERTISEMENT_HEADER..])?,
        })
    }

    /// The message, checksum zero: raw ICMPv6 sockets fill it in (RFC 3542 section 3.1). Options that cannot be said
    /// are left out.
    pub fn to_bytes(&self) -> Vec<u8> {
        let managed = if self.is_managed { MANAGED } else { 0 };
        let other = if self.has_other { OTHER } else { 0 };
        let mut bytes = vec![ROUTER_ADVERTISEMENT, 0, 0, 0, self.hop_limit, managed | other | self.preference.flags()];
        bytes.extend(self.router_lifetime.to_be_bytes());
        bytes.extend([self.reachable_time, self.retransmission_timer].map(u32::to_be_bytes).as_flattened());
        write_options(&mut bytes, &self.options);
        bytes
    }

    /// The sender's Ethernet address, if it told.
    pub fn source_link_layer(&self) -> Option<Mac> {
        self.options.iter().find_map(|option| match option {
            RaOption::SourceLinkLayer(mac) => Some(*mac),
            RaOption::Prefix { .. }
            | RaOption::Mtu(_)
            | RaOption::Route { .. }
            | RaOption::NameServers { .. }
            | RaOption::SearchList { .. }
            | RaOption::CaptivePortal(_)
            | RaOption::Pref64 { .. }
            | RaOption::Unknown { .. } => None,
        })
    }
}

fn check_header(bytes: &[u8], kind: u8, header: usize) -> Result<(), RaParseError> {
    let &[found, code, ..] = bytes else { return Err(RaParseError::TooShort(bytes.len())) };
    if (found, code) != (kind, 0) {
        return Err(RaParseError::Type(found, code));
    }
    match bytes.len() {
        len if len < header => Err(RaParseError::TooShort(len)),
        len if len > SIZE_MAX => Err(RaParseError::TooLong),
        _ => Ok(()),
    }
}

fn read_options(mut bytes: &[u8]) -> Result<Vec<RaOption>, RaParseError> {
    let mut options = Vec::new();
    while let Some(&kind) = bytes.first() {
        let len = bytes.get(1).map(|&eights| usize::from(eights) * 8).filter(|&len| len > 0);
        let split = len.and_then(|len| bytes.split_at_checked(len));
        let (option, rest) = split.ok_or(RaParseError::OptionLength(kind))?;
        if options.len() == OPTIONS_MAX {
            return Err(RaParseError::TooLong);
        }
        options.push(RaOption::read(kind, &option[2..]));
        bytes = rest;
    }
    Ok(options)
}

fn write_options(bytes: &mut Vec<u8>, options: &[RaOption]) {
    for option in options {
        option.write(bytes);
    }
}
