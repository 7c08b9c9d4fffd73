//! The messages of DHCPv6 (RFC 8415 sections 8 and 9): a strict reader that borrows, and a writer.
//!
//! Start at [`Packet::parse`] and [`Writer`].

pub mod code;
mod view;
mod writer;

pub use view::{IaView, MessageView, Options, Packet, ParseError, RelayView};
pub use writer::Writer;

/// Longest datagram read: the most that UDP carries over an interface of 9,000 octets, with room to spare.
pub const MESSAGE_SIZE_MAX: usize = 16_384;
/// Relay agents between client and server (RFC 8415 section 7.6, HOP_COUNT_LIMIT).
pub const HOP_COUNT_LIMIT: u8 = 8;
/// Identity associations in one message; a host with more interfaces than this sends more messages.
pub const ASSOCIATIONS_MAX: usize = 8;
/// Addresses read from one identity association; more are a contradiction we do not serve.
pub const ADDRESSES_MAX: usize = 8;

/// RFC 8415 section 7.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum MessageType {
    Solicit = 1,
    Advertise = 2,
    Request = 3,
    Confirm = 4,
    Renew = 5,
    Rebind = 6,
    Reply = 7,
    Release = 8,
    Decline = 9,
    Reconfigure = 10,
    InformationRequest = 11,
}

impl MessageType {
    /// The type with that number, relay messages excepted.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Solicit,
            2 => Self::Advertise,
            3 => Self::Request,
            4 => Self::Confirm,
            5 => Self::Renew,
            6 => Self::Rebind,
            7 => Self::Reply,
            8 => Self::Release,
            9 => Self::Decline,
            10 => Self::Reconfigure,
            11 => Self::InformationRequest,
            _ => return None,
        })
    }

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// Number of RELAY-FORW (RFC 8415 section 9.1).
pub const RELAY_FORWARD: u8 = 12;
/// Number of RELAY-REPL (RFC 8415 section 9.2).
pub const RELAY_REPLY: u8 = 13;

/// RFC 8415 section 21.13.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Status {
    Success = 0,
    UnspecFail = 1,
    NoAddrsAvail = 2,
    NoBinding = 3,
    NotOnLink = 4,
    UseMulticast = 5,
    NoPrefixAvail = 6,
}

impl Status {
    /// The status with that number; unknown ones are failures (RFC 8415 section 21.13).
    pub fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Success,
            2 => Self::NoAddrsAvail,
            3 => Self::NoBinding,
            4 => Self::NotOnLink,
            5 => Self::UseMulticast,
            6 => Self::NoPrefixAvail,
            _ => Self::UnspecFail,
        }
    }

    /// Its number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }
}
