//! The DHCPv4 wire format: a strict parser that borrows, and a builder that never truncates an option.
//!
//! Layout in RFC 2131 section 2, options in RFC 2132, long options in RFC 3396, option 82 in RFC 3046.

mod builder;
pub mod code;
mod relay_agent;
mod view;

pub use builder::MessageBuilder;
pub use relay_agent::{RelayAgentInformation, RelayAgentView};
pub use view::{MessageView, ParseError};

/// `op` of a client's message (RFC 2131 section 2).
pub const BOOTREQUEST: u8 = 1;
/// `op` of a server's message (RFC 2131 section 2).
pub const BOOTREPLY: u8 = 2;
/// Hardware type of Ethernet and Wi-Fi (RFC 1700, "Number Hardware Type").
pub const HTYPE_ETHERNET: u8 = 1;
/// The broadcast bit of `flags` (RFC 2131 figure 2).
pub const FLAG_BROADCAST: u16 = 0x8000;
/// Shortest reply, octets: what old BOOTP relays insist on (RFC 1542 section 2.1).
pub const MESSAGE_SIZE_MIN: usize = 300;
/// Longest message that is read, octets. More than any Ethernet carries in one piece, jumbo frames included.
pub const MESSAGE_SIZE_MAX: usize = 9_216;

const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];
const SNAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;
const OPTIONS_START: usize = 240;

/// DHCP message type, option 53 (RFC 2132 section 9.6, RFC 4388 section 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are the RFCs' own")]
pub enum MessageType {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
    Inform = 8,
    LeaseQuery = 10,
    LeaseUnassigned = 11,
    LeaseUnknown = 12,
    LeaseActive = 13,
}

impl MessageType {
    /// From the octet on the wire; `None` for numbers that this codec does not know.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            10 => Self::LeaseQuery,
            11 => Self::LeaseUnassigned,
            12 => Self::LeaseUnknown,
            13 => Self::LeaseActive,
            _ => return None,
        })
    }

    /// True for what servers say and only clients hear.
    pub const fn is_of_servers(self) -> bool {
        match self {
            Self::Offer | Self::Ack | Self::Nak | Self::LeaseUnassigned | Self::LeaseUnknown | Self::LeaseActive => {
                true
            }
            Self::Discover | Self::Request | Self::Decline | Self::Release | Self::Inform | Self::LeaseQuery => false,
        }
    }

    /// The octet on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }
}
