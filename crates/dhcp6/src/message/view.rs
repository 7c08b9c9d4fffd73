use std::net::Ipv6Addr;

use model::{Duid, HostName, Mac};
use thiserror::Error;

use super::{
    ADDRESSES_MAX, ASSOCIATIONS_MAX, HOP_COUNT_LIMIT, MESSAGE_SIZE_MAX, MessageType, RELAY_FORWARD, RELAY_REPLY,
    Status, code,
};

/// Why bytes are not a DHCPv6 message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    /// Shorter than the header of its type (RFC 8415 sections 8 and 9).
    #[error("{0} octets are too few for a DHCPv6 message")]
    TooShort(usize),
    /// More than [`MESSAGE_SIZE_MAX`].
    #[error("{0} octets are too many for a DHCPv6 message")]
    TooLong(usize),
    /// No type of RFC 8415 section 7.3.
    #[error("message type {0} is unknown")]
    UnknownType(u8),
    /// An option's header is incomplete, or its length says more than is left.
    #[error("option {0} runs past the end")]
    OptionOverrun(u16),
    /// An option's length is not one its definition allows.
    #[error("option {0} has a wrong length")]
    OptionLength(u16),
    /// An option that may stand once stands twice (RFC 8415 section 24).
    #[error("option {0} stands twice")]
    OptionTwice(u16),
    /// More identity associations or addresses than [`ASSOCIATIONS_MAX`] and [`ADDRESSES_MAX`].
    #[error("more options {0} than are served")]
    TooMany(u16),
    /// More relay messages inside each other than [`HOP_COUNT_LIMIT`], or RELAY-FORW and RELAY-REPL mixed.
    #[error("relay messages are nested too deeply")]
    Nesting,
    /// A relay message without message (RFC 8415 section 9).
    #[error("a relay message holds no message")]
    EmptyRelay,
}

/// A datagram as it came: the client's or server's message, and the relay messages around it.
///
/// Checked: the structure of everything, and the length of every option that is known here. Not checked: which
/// options a type must have (RFC 8415 section 16), that is the engine's.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// From the outermost, which came last, to the one next to the client; at most [`HOP_COUNT_LIMIT`].
    pub relays: Vec<RelayView<'a>>,
    /// What is inside.
    pub message: MessageView<'a>,
}

impl<'a> Packet<'a> {
    /// Reads `bytes` in time linear in their number.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if bytes.len() > MESSAGE_SIZE_MAX {
            return Err(ParseError::TooLong(bytes.len()));
        }
        let mut relays = Vec::new();
        let mut inner = bytes;
        while let Some(&(RELAY_FORWARD | RELAY_REPLY)) = inner.first() {
            let relay = RelayView::parse(inner)?;
            let is_mixed = relays.last().is_some_and(|outer: &RelayView<'_>| outer.is_reply != relay.is_reply);
            if is_mixed || relays.len() >= usize::from(HOP_COUNT_LIMIT) {
                return Err(ParseError::Nesting);
            }
            inner = relay.inner;
            relays.push(relay);
        }
        Ok(Self { relays, message: MessageView::parse(inner)? })
    }
}

/// One relay message without what is inside (RFC 8415 section 9).
#[derive(Clone, Copy, Debug)]
pub struct RelayView<'a> {
    /// True for RELAY-REPL.
    pub is_reply: bool,
    /// Relay agents before this one.
    pub hop_count: u8,
    /// An address of the client's link; unspecified when the relay knows none (RFC 6221).
    pub link_address: Ipv6Addr,
    /// Who the relay got the message from.
    pub peer_address: Ipv6Addr,
    inner: &'a [u8],
    options: &'a [u8],
}

impl<'a> RelayView<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (header, options) = bytes.split_at_checked(34).ok_or(ParseError::TooShort(bytes.len()))?;
        check(options)?;
        let inner = find(options, code::RELAY_MESSAGE).ok_or(ParseError::EmptyRelay)?;
        Ok(Self {
            is_reply: header[0] == RELAY_REPLY,
            hop_count: header[1],
            link_address: address(&header[2..18]),
            peer_address: address(&header[18..34]),
            inner,
            options,
        })
    }

    /// All options as sent, option 9 among them.
    pub fn options(&self) -> Options<'a> {
        Options { rest: self.options }
    }

    /// The first option `code`; `None` when there is none.
    pub fn option(&self, code: u16) -> Option<&'a [u8]> {
        find(self.options, code)
    }

    /// Option 79 when it says Ethernet (RFC 6939).
    pub fn client_mac(&self) -> Option<Mac> {
        match self.option(code::CLIENT_LINK_LAYER)? {
            [0, 1, address @ ..] => address.try_into().ok().map(Mac),
            _ => None,
        }
    }
}

/// A message between client and server (RFC 8415 section 8).
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'a> {
    /// What kind.
    pub message_type: MessageType,
    /// The client's number, 24 bits.
    pub transaction_id: u32,
    options: &'a [u8],
}

impl<'a> MessageView<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (header, options) = bytes.split_at_checked(4).ok_or(ParseError::TooShort(bytes.len()))?;
        let message_type = MessageType::from_number(header[0]).ok_or(ParseError::UnknownType(header[0]))?;
        check(options)?;
        let transaction_id = u32::from_be_bytes([0, header[1], header[2], header[3]]);
        Ok(Self { message_type, transaction_id, options })
    }

    /// All options in the order sent.
    pub fn options(&self) -> Options<'a> {
        Options { rest: self.options }
    }

    /// The first option `code`; `None` when there is none.
    pub fn option(&self, code: u16) -> Option<&'a [u8]> {
        find(self.options, code)
    }

    /// Option 1 or 2 as a DUID; `None` when absent.
    pub fn duid(&self, code: u16) -> Option<Duid> {
        self.option(code).map(|octets| Duid(octets.into()))
    }

    /// The IA_NA options in the order sent, at most [`ASSOCIATIONS_MAX`].
    pub fn associations(&self) -> impl Iterator<Item = IaView<'a>> + use<'a> {
        self.options().filter(|option| option.0 == code::IA_NA).filter_map(|option| IaView::of(option.1))
    }

    /// The IAIDs of IA_PD options, at most [`ASSOCIATIONS_MAX`].
    pub fn prefix_associations(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.options().filter(|option| option.0 == code::IA_PD).filter_map(|option| number(option.1))
    }

    /// True when option 6 lists `code`; an absent option 6 lists nothing.
    pub fn requests(&self, code: u16) -> bool {
        self.option(code::OPTION_REQUEST)
            .is_some_and(|list| list.chunks_exact(2).any(|pair| pair == code.to_be_bytes()))
    }

    /// Option 13 of the message itself; absence means success (RFC 8415 section 21.13).
    pub fn status(&self) -> Status {
        status_in(self.options)
    }

    /// First label of option 39 (RFC 4704), sanitised.
    pub fn host_name(&self) -> Option<HostName> {
        let (_flags, name) = self.option(code::CLIENT_FQDN)?.split_first()?;
        let (&len, rest) = name.split_first()?;
        (len <= 63).then(|| rest.get(..usize::from(len))).flatten().and_then(HostName::sanitise)
    }
}

/// One IA_NA option.
#[derive(Clone, Copy, Debug)]
pub struct IaView<'a> {
    /// Its number, the client's choice.
    pub iaid: u32,
    /// Seconds until RENEW.
    pub t1: u32,
    /// Seconds until REBIND.
    pub t2: u32,
    options: &'a [u8],
}

impl<'a> IaView<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        let (fixed, options) = data.split_at_checked(12)?;
        Some(Self { iaid: number(fixed)?, t1: number(&fixed[4..])?, t2: number(&fixed[8..])?, options })
    }

    /// Addresses with preferred and valid lifetime in seconds, at most [`ADDRESSES_MAX`].
    pub fn addresses(&self) -> impl Iterator<Item = (Ipv6Addr, u32, u32)> + use<'a> {
        let options = Options { rest: self.options }.filter(|option| option.0 == code::IA_ADDRESS);
        options.filter_map(|(_, data)| Some((address(data.get(..16)?), number(&data[16..])?, number(&data[20..])?)))
    }

    /// Option 13 inside; absence means success.
    pub fn status(&self) -> Status {
        status_in(self.options)
    }
}

/// Options with their data, in the order sent. Ends early where they run past the end, which a parsed
/// message's do not.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.rest.split_at_checked(4)?;
        let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([header[2], header[3]])))?;
        self.rest = rest;
        Some((u16::from_be_bytes([header[0], header[1]]), data))
    }
}

/// Checks the options of one message, those inside IA_NA and IA Address too. Each octet is looked at three times at
/// most: IA options inside IA options are not followed.
fn check(options: &[u8]) -> Result<(), ParseError> {
    let mut associations = 0;
    check_level(options, |code, data| {
        associations += usize::from(matches!(code, code::IA_NA | code::IA_TA | code::IA_PD));
        match code {
            code::IA_NA | code::IA_PD => check_association(&data[12..])?,
            code::IA_TA => check_association(&data[4..])?,
            _ => {}
        }
        if associations > ASSOCIATIONS_MAX { Err(ParseError::TooMany(code)) } else { Ok(()) }
    })
}

fn check_association(options: &[u8]) -> Result<(), ParseError> {
    let mut addresses = 0;
    check_level(options, |code, data| {
        if code == code::IA_ADDRESS {
            addresses += 1;
            check_level(&data[24..], |_, _| Ok(()))?;
        }
        if addresses > ADDRESSES_MAX { Err(ParseError::TooMany(code)) } else { Ok(()) }
    })
}

/// Checks lengths and repetitions, and hands each option on.
fn check_level<'a>(
    options: &'a [u8],
    mut each: impl FnMut(u16, &'a [u8]) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let mut walk = Options { rest: options };
    let mut seen = 0_u32;
    for (code, data) in walk.by_ref() {
        if !length_fits(code, data.len()) {
            return Err(ParseError::OptionLength(code));
        }
        if let Some(bit) = SINGLE.iter().position(|single| *single == code) {
            if seen & (1 << bit) != 0 {
                return Err(ParseError::OptionTwice(code));
            }
            seen |= 1 << bit;
        }
        each(code, data)?;
    }
    ends(&walk)
}

fn ends(walk: &Options<'_>) -> Result<(), ParseError> {
    match walk.rest {
        [] => Ok(()),
        [high, low, ..] => Err(ParseError::OptionOverrun(u16::from_be_bytes([*high, *low]))),
        [_] => Err(ParseError::OptionOverrun(0)),
    }
}

/// Options that stand once at most, wherever they may stand.
const SINGLE: [u16; 23] = [
    code::CLIENT_ID,
    code::SERVER_ID,
    code::OPTION_REQUEST,
    code::PREFERENCE,
    code::ELAPSED_TIME,
    code::RELAY_MESSAGE,
    code::STATUS_CODE,
    code::RAPID_COMMIT,
    code::INTERFACE_ID,
    code::RECONFIGURE_MESSAGE,
    code::NAME_SERVERS,
    code::DOMAIN_SEARCH,
    code::SNTP_SERVERS,
    code::INFORMATION_REFRESH,
    code::REMOTE_ID,
    code::CLIENT_FQDN,
    code::CLIENT_LINK_LAYER,
    code::SOL_MAX_RT,
    code::INF_MAX_RT,
    code::CAPTIVE_PORTAL,
    code::RELAY_SOURCE_PORT,
    // Server Unicast and authentication (RFC 8415 sections 21.11 and 21.12): not read, still once.
    11,
    12,
];

fn length_fits(code: u16, len: usize) -> bool {
    match code {
        code::CLIENT_ID | code::SERVER_ID => (Duid::LEN_MIN..=Duid::LEN_MAX).contains(&len),
        code::IA_NA | code::IA_PD => len >= 12,
        code::IA_TA | code::REMOTE_ID => len >= 4,
        code::IA_ADDRESS => len >= 24,
        code::OPTION_REQUEST => len.is_multiple_of(2),
        code::PREFERENCE | code::RECONFIGURE_MESSAGE => len == 1,
        code::ELAPSED_TIME | code::RELAY_SOURCE_PORT => len == 2,
        code::STATUS_CODE | code::CLIENT_LINK_LAYER => len >= 2,
        code::RAPID_COMMIT => len == 0,
        code::NAME_SERVERS | code::SNTP_SERVERS => len.is_multiple_of(16),
        code::INFORMATION_REFRESH | code::SOL_MAX_RT | code::INF_MAX_RT => len == 4,
        code::CLIENT_FQDN => len >= 1,
        _ => true,
    }
}

fn find(options: &[u8], code: u16) -> Option<&[u8]> {
    Options { rest: options }.find(|option| option.0 == code).map(|option| option.1)
}

fn status_in(options: &[u8]) -> Status {
    match find(options, code::STATUS_CODE) {
        Some([high, low, ..]) => Status::from_number(u16::from_be_bytes([*high, *low])),
        _ => Status::Success,
    }
}

/// The first 16 octets, which the caller has made sure of.
fn address(octets: &[u8]) -> Ipv6Addr {
    octets.first_chunk::<16>().map_or(Ipv6Addr::UNSPECIFIED, |octets| Ipv6Addr::from(*octets))
}

fn number(octets: &[u8]) -> Option<u32> {
    octets.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}
