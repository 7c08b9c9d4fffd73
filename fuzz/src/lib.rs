//! What each fuzz target does with its octets: feed an engine, and look at what must hold whatever comes in.
//!
//! The functions panic on a finding and need no fuzzer, so `tests/corpus.rs` runs them over the kept corpus.

mod dhcp4;
mod dhcp6_ra;
mod dns_side;
mod flow_side;
mod script;
mod syslog_side;

pub use dhcp4::{dhcp4_engine, dhcp4_message};
pub use dhcp6_ra::{dhcp6_engine, dhcp6_message, ra};
pub use dns_side::{dns_answer, dns_name, dns_query, dns_stream};
pub use flow_side::flows;
pub use script::Script;
pub use syslog_side::{syslog_line, syslog_stream};

/// In the scripts of DHCP, the way that means: before this message the service ends and starts again.
pub const RESTART: u8 = 0xff;
/// The way that means: before this message the service gets other settings, or the first ones back.
pub const RELOAD: u8 = 0xfe;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 12] = [
    ("dhcp4_message", dhcp4_message),
    ("dhcp4_engine", dhcp4_engine),
    ("dhcp6_message", dhcp6_message),
    ("dhcp6_engine", dhcp6_engine),
    ("ra", ra),
    ("dns_query", dns_query),
    ("dns_answer", dns_answer),
    ("dns_name", dns_name),
    ("dns_stream", dns_stream),
    ("syslog_line", syslog_line),
    ("syslog_stream", syslog_stream),
    ("flows", flows),
];
