//! DHCPv6 server engine, its message codec and router advertisements (RFC 8415, 4861, 8106, 8357, 8781, 8910).
//!
//! The engines are told the time and the bytes of datagrams and answer with effects: save this lease, send this
//! reply, note this event. They never open a socket or a file, never read a clock and never start a task; the same
//! input and seed give the same output. No REPLY that grants an address may leave before the [`Effect::Save`] that it
//! depends on. Prefixes are not delegated, temporary addresses not given, messages not authenticated, and clients not
//! reconfigured.
//!
//! Start at [`Engine`] with its [`Settings`], and at [`ra::RaEngine`] for router advertisements; the codec is
//! [`message`]; simulated clients and tests write and read messages with [`client`].

mod answers;
mod bindings;
mod choose;
pub mod client;
mod counters;
mod effect;
mod engine;
mod fqdn;
mod grant;
mod limits;
pub mod message;
pub mod ra;
mod request;
mod settings;
mod subnet;
#[cfg(test)]
mod tests;

pub use counters::Counters;
pub use effect::{Dhcp6Event, Effect, Origin, Reply};
pub use engine::Engine;
pub use limits::Limits;
pub use settings::{Mode, Reservation, ReservationKey, Settings, SettingsError, SubnetSettings};

/// UDP port of servers and relay agents (RFC 8415 section 7.2).
pub const SERVER_PORT: u16 = 547;
/// UDP port of clients (RFC 8415 section 7.2).
pub const CLIENT_PORT: u16 = 546;
