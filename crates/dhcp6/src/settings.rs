use std::{net::Ipv6Addr, time::Duration};

use ipnet::Ipv6Net;
use model::{HostName, Mac, SubnetId};
use thiserror::Error;

use crate::Limits;

/// What the engine serves, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Option 2: who we are, 3 to 130 octets (RFC 8415 section 11). Made once and kept; see [`model::Duid::from_uuid`].
    pub server_duid: Vec<u8>,
    /// The subnets served; their prefixes do not overlap.
    pub subnets: Vec<SubnetSettings>,
    /// How long an address that a client found in use is given to nobody.
    pub decline_quarantine: Duration,
    /// True: a SOLICIT with option 14 gets its addresses at once (RFC 8415 section 18.3.1).
    pub rapid_commit: bool,
    /// Option 7 of ADVERTISE, 0 to 255: the client takes the server with the highest.
    pub preference: u8,
    /// Option 82 for clients that ask for it, 60 to 86,400 s: how long a client without answer may wait to ask again.
    pub sol_max_rt: Option<Duration>,
    /// Option 83 for clients that ask for it, 60 to 86,400 s: the same for INFORMATION-REQUEST.
    pub inf_max_rt: Option<Duration>,
    /// Leases remembered in each subnet, ended ones included; bounds memory however large the pools are.
    pub leases_max: usize,
    /// What one sender, circuit or relay agent may have.
    pub limits: Limits,
    /// A jump of the time by more than this, between two calls, is a step of the clock and not time that passed:
    /// leases are moved along with it. While leases are held the engine asks to be called at least twice as often.
    /// [`Duration::MAX`] = the clock never steps, as in a rehearsal.
    pub clock_step_min: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_duid: Vec::new(),
            subnets: Vec::new(),
            decline_quarantine: Duration::from_secs(600),
            rapid_commit: false,
            preference: 0,
            sol_max_rt: None,
            inf_max_rt: None,
            leases_max: 262_144,
            limits: Limits::default(),
            clock_step_min: Duration::from_secs(300),
        }
    }
}

/// How hosts of a subnet get addresses and settings; the M and O flags of router advertisements say the same.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Mode {
    /// From router advertisements alone: DHCPv6 messages are dropped and counted.
    #[default]
    Slaac,
    /// Addresses from router advertisements; INFORMATION-REQUEST is answered, addresses are refused.
    Stateless,
    /// Addresses from the pools (IA_NA).
    Stateful,
}

/// One subnet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubnetSettings {
    /// Its number in leases; stable for one plan.
    pub id: SubnetId,
    /// Its name for people and metrics.
    pub name: String,
    /// Its prefix.
    pub prefix: Ipv6Net,
    /// What it is served.
    pub mode: Mode,
    /// First and last address of each range to hand out, both inclusive; used in [`Mode::Stateful`] only. The
    /// subnet-router anycast address (RFC 4291 section 2.6.1), servers, excluded and reserved addresses inside are
    /// left out by themselves.
    pub pools: Vec<(Ipv6Addr, Ipv6Addr)>,
    /// Addresses never to hand out, routers before all.
    pub excluded: Vec<Ipv6Addr>,
    /// Fixed addresses.
    pub reservations: Vec<Reservation>,
    /// Option 23, at most 63.
    pub name_servers: Vec<Ipv6Addr>,
    /// Option 24: ASCII labels, at most 253 octets.
    pub domain: Option<String>,
    /// Options 56 and 31, at most 63.
    pub ntp_servers: Vec<Ipv6Addr>,
    /// Option 103, at most 512 octets.
    pub captive_portal: Option<String>,
    /// Preferred lifetime, in whole seconds; from 136 years on it is for ever. T1 is half, T2 four fifths of it.
    pub preferred: Duration,
    /// Valid lifetime, not shorter than `preferred`.
    pub valid: Duration,
    /// Option 32: when a client that has no address from us asks again, at least 600 s (RFC 8415 section 21.23).
    pub information_refresh: Duration,
    /// Indexes of the interfaces whose own link this subnet is.
    pub direct_interfaces: Vec<u32>,
}

impl SubnetSettings {
    /// A stateful subnet without pools, servers or reservations; one hour preferred, two hours valid.
    pub fn new(id: SubnetId, name: &str, prefix: Ipv6Net) -> Self {
        Self {
            id,
            name: name.into(),
            prefix,
            mode: Mode::Stateful,
            pools: Vec::new(),
            excluded: Vec::new(),
            reservations: Vec::new(),
            name_servers: Vec::new(),
            domain: None,
            ntp_servers: Vec::new(),
            captive_portal: None,
            preferred: Duration::from_secs(3600),
            valid: Duration::from_secs(7200),
            information_refresh: Duration::from_secs(3600),
            direct_interfaces: Vec::new(),
        }
    }
}

/// A fixed address for one client. May lie inside or outside the pools; nobody else gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reservation {
    /// Whose.
    pub client: ReservationKey,
    /// The address. Goes to the first identity association of the client that asks.
    pub address: Ipv6Addr,
    /// Name of the client, before what it calls itself.
    pub host_name: Option<HostName>,
}

/// What a reservation goes by. A DUID counts before a MAC.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReservationKey {
    /// Option 1, all of it.
    Duid(Vec<u8>),
    /// The Ethernet address: of option 79 (RFC 6939), else inside a DUID-LL or DUID-LLT.
    Mac(Mac),
}

/// Why the settings cannot be served.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SettingsError {
    #[error("the server's DUID has {0} octets, 3 to 130 are allowed")]
    ServerDuid(usize),
    #[error("subnets `{first}` and `{second}` have the same id {id:?}")]
    DuplicateSubnetId { first: String, second: String, id: SubnetId },
    #[error("subnets `{first}` and `{second}` overlap")]
    OverlappingSubnets { first: String, second: String },
    #[error("interface {interface} is given to two subnets, the second is `{subnet}`")]
    DuplicateInterface { subnet: String, interface: u32 },
    #[error("pool {first} to {last} of subnet `{subnet}` ends before it starts")]
    PoolReversed { subnet: String, first: Ipv6Addr, last: Ipv6Addr },
    #[error("pool {first} to {last} is outside the prefix {prefix} of subnet `{subnet}`")]
    PoolOutsidePrefix { subnet: String, prefix: Ipv6Net, first: Ipv6Addr, last: Ipv6Addr },
    #[error("two pools of subnet `{subnet}` overlap at {address}")]
    OverlappingPools { subnet: String, address: Ipv6Addr },
    #[error("reserved address {address} is outside the prefix {prefix} of subnet `{subnet}`")]
    ReservationOutsidePrefix { subnet: String, prefix: Ipv6Net, address: Ipv6Addr },
    #[error("reserved address {address} of subnet `{subnet}` is a router's or a server's own")]
    ReservationUnusable { subnet: String, address: Ipv6Addr },
    #[error("address {address} of subnet `{subnet}` is reserved twice")]
    DuplicateReservation { subnet: String, address: Ipv6Addr },
    #[error("one client has two reservations in subnet `{subnet}`, the second is {address}")]
    DuplicateReservationKey { subnet: String, address: Ipv6Addr },
    #[error("subnet `{subnet}` lists {count} servers of one kind, at most 63 are sent")]
    TooManyServers { subnet: String, count: usize },
    #[error("domain `{domain}` of subnet `{subnet}` is not a domain name of ASCII letters, digits and hyphens")]
    Domain { subnet: String, domain: String },
    #[error(
        "captive portal `{uri}` of subnet `{subnet}` is not a URI of at most {CAPTIVE_PORTAL_MAX} ASCII characters"
    )]
    CaptivePortal { subnet: String, uri: String },
    #[error("preferred lifetime of subnet `{subnet}` is shorter than {LIFETIME_MIN_SECONDS} s")]
    LifetimeTooShort { subnet: String },
    #[error("preferred lifetime of subnet `{subnet}` is longer than its valid lifetime")]
    PreferredLongerThanValid { subnet: String },
    #[error("{option} is {seconds} s, {min} to {max} are allowed")]
    SecondsOutOfRange { option: &'static str, seconds: u64, min: u64, max: u64 },
}

/// Shortest preferred lifetime that can be configured, seconds; shorter ones only make noise.
pub(crate) const LIFETIME_MIN_SECONDS: u64 = 10;
/// Most octets of a captive portal's address that are sent; browsers take more, datagrams do not.
pub(crate) const CAPTIVE_PORTAL_MAX: usize = 512;
