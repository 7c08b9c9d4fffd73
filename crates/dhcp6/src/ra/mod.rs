//! Router advertisements (RFC 4861): the codec, and an engine that advertises on links of ours and tells of routers
//! that nobody planned.
//!
//! Start at [`RaEngine`] with its [`RaSettings`]; the codec is [`RouterAdvertisement`] and [`RouterSolicitation`].

mod domain_names;
mod engine;
mod jitter;
mod message;
mod option;
mod settings;
#[cfg(test)]
mod tests;

use std::{net::Ipv6Addr, time::Duration};

pub use engine::{RaCounters, RaEffect, RaEngine, RaEvent, RaMessage, RaOrigin};
pub use message::{RaParseError, RouterAdvertisement, RouterSolicitation};
pub use option::{Preference, RaOption};
pub use settings::{Advertisement, PrefixSetting, RaInterface, RaSettings, RaSettingsError, RouteSetting};

/// ICMPv6 type of Router Solicitation (RFC 4861 section 4.1).
pub const ROUTER_SOLICITATION: u8 = 133;
/// ICMPv6 type of Router Advertisement (RFC 4861 section 4.2).
pub const ROUTER_ADVERTISEMENT: u8 = 134;
/// Hop limit of every message of neighbour discovery: whatever else it has came from another link
/// (RFC 4861 section 6.1).
pub const HOP_LIMIT: u8 = 255;
/// Group of all hosts of a link (RFC 4291 section 2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Group of all routers of a link, which solicitations are sent to.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// A solicitation is answered after at most this (RFC 4861 section 10, `MAX_RA_DELAY_TIME`).
pub const RA_DELAY_MAX: Duration = Duration::from_millis(500);
/// Time between two advertisements on one link, at least (`MIN_DELAY_BETWEEN_RAS`).
pub const RA_SPACING_MIN: Duration = Duration::from_secs(3);
/// Time between the first few advertisements, at most (`MAX_INITIAL_RTR_ADVERT_INTERVAL`).
pub const INITIAL_INTERVAL_MAX: Duration = Duration::from_secs(16);
/// How many the first few are (`MAX_INITIAL_RTR_ADVERTISEMENTS`).
pub const INITIAL_ADVERTISEMENTS: u8 = 3;
