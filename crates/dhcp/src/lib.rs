//! DHCPv4 server engine and message codec (RFC 2131, 2132, 3004, 3011, 3046, 3396, 3397, 3442, 3527,
//! 4039, 4388, 4702, 5107, 6842, 8357, 8910, 8925).
//!
//! The engine is told the time and the bytes of datagrams and answers with effects: save this lease, send this
//! reply, note this event. It never opens a socket or a file, never reads a clock and never starts a task; the same
//! input and seed give the same output. It never lets an ACK out before the [`Effect::Save`] that it depends on.
//!
//! Start at [`Engine`]; settings are [`Settings`]; the codec is [`message`]; simulated clients and tests
//! write and read messages with [`client`].

mod bindings;
mod circuits;
mod class;
pub mod client;
mod counters;
mod decide;
mod effect;
mod engine;
pub mod fingerprint;
mod foreign;
mod fqdn;
mod grant;
mod index;
mod layers;
mod leasequery;
mod limits;
mod locate;
pub mod message;
pub mod options;
mod probe;
mod queries;
mod reload;
mod reply;
mod request;
pub mod rogue;
mod settings;
mod subnet;
#[cfg(test)]
mod tests;

pub use counters::Counters;
pub use effect::{Destination, DhcpEvent, Effect, Origin, Reply};
pub use engine::Engine;
pub use probe::{Probe, ProbeSettings};
pub use reload::ReloadPreview;
pub use settings::{
    CLASSES_MAX, ClassSettings, Limits, Match, OptionSetting, PoolSettings, Reservation, ReservationKey, Settings,
    SettingsError, SubnetSettings,
};

/// UDP port of servers and relay agents (RFC 2131 section 4.1).
pub const SERVER_PORT: u16 = 67;
/// UDP port of clients (RFC 2131 section 4.1).
pub const CLIENT_PORT: u16 = 68;
