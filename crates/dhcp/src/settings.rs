use std::{net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;
use model::{HostName, Mac, SubnetId};
use thiserror::Error;

/// What the engine serves, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Option 54. 0.0.0.0 = the address that each message was received on.
    pub server_identifier: Ipv4Addr,
    /// The subnets served; their prefixes do not overlap.
    pub subnets: Vec<SubnetSettings>,
    /// How long an offered address is kept for the client that it was offered to.
    pub offer_hold: Duration,
    /// How long an address that a client found in use is given to nobody.
    pub decline_quarantine: Duration,
    /// True: we alone serve these subnets, so a client that asks for an address we do not know is told no at once
    /// (NAK). False: it gets no answer, as another server may know it (RFC 2131 section 4.3.2).
    pub authoritative: bool,
    /// Offers held at one time in each subnet; when more are needed the oldest is withdrawn.
    pub offers_outstanding_max: usize,
    /// A jump of the time by more than this, between two calls, is a step of the clock and not time that passed:
    /// leases are moved along with it. While leases are held the engine asks to be called at least twice as often.
    /// [`Duration::MAX`] = the clock never steps, as in a rehearsal.
    pub clock_step_min: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_identifier: Ipv4Addr::UNSPECIFIED,
            subnets: Vec::new(),
            offer_hold: Duration::from_secs(60),
            decline_quarantine: Duration::from_secs(600),
            authoritative: true,
            offers_outstanding_max: 16_384,
            clock_step_min: Duration::from_secs(300),
        }
    }
}

/// One subnet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubnetSettings {
    /// Its number in leases; stable for one plan.
    pub id: SubnetId,
    /// Its name for people and metrics.
    pub name: String,
    /// Its prefix.
    pub prefix: Ipv4Net,
    /// First and last address of each range to hand out, both inclusive. Network, broadcast, gateway, server,
    /// excluded and reserved addresses inside are left out by themselves.
    pub pools: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Addresses never to hand out.
    pub excluded: Vec<Ipv4Addr>,
    /// Option 3.
    pub gateway: Option<Ipv4Addr>,
    /// Option 6, at most 63.
    pub name_servers: Vec<Ipv4Addr>,
    /// Options 15 and 119: ASCII labels, at most 253 octets.
    pub domain: Option<String>,
    /// Option 42, at most 63.
    pub ntp_servers: Vec<Ipv4Addr>,
    /// Option 51, in whole seconds; from 136 years on it is for ever. A client may ask for less.
    pub lease: Duration,
    /// Fixed addresses.
    pub reservations: Vec<Reservation>,
    /// Indexes of the interfaces whose own link this subnet is.
    pub direct_interfaces: Vec<u32>,
}

impl SubnetSettings {
    /// A subnet without pools, servers or reservations, and leases of one hour.
    pub fn new(id: SubnetId, name: &str, prefix: Ipv4Net) -> Self {
        Self {
            id,
            name: name.into(),
            prefix,
            pools: Vec::new(),
            excluded: Vec::new(),
            gateway: None,
            name_servers: Vec::new(),
            domain: None,
            ntp_servers: Vec::new(),
            lease: Duration::from_secs(3600),
            reservations: Vec::new(),
            direct_interfaces: Vec::new(),
        }
    }
}

/// A fixed address for one client. May lie inside or outside the pools; nobody else gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reservation {
    /// Whose.
    pub client: ReservationKey,
    /// The address.
    pub address: Ipv4Addr,
    /// Name of the client, before what it calls itself. Sent as option 12 when asked for.
    pub host_name: Option<HostName>,
}

/// What a reservation goes by. A client identifier counts before a MAC, a MAC before a circuit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReservationKey {
    /// The Ethernet address, whatever client identifier comes with it (network boot, then operating system).
    Mac(Mac),
    /// Option 61, all of it.
    ClientId(Vec<u8>),
    /// Option 82 sub-option 1: whoever is plugged into that port.
    CircuitId(Vec<u8>),
}

/// Why the settings cannot be served.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SettingsError {
    #[error("subnets `{first}` and `{second}` have the same id {id:?}")]
    DuplicateSubnetId { first: String, second: String, id: SubnetId },
    #[error("subnets `{first}` and `{second}` overlap")]
    OverlappingSubnets { first: String, second: String },
    #[error("interface {interface} is given to two subnets, the second is `{subnet}`")]
    DuplicateInterface { subnet: String, interface: u32 },
    #[error("pool {first} to {last} of subnet `{subnet}` ends before it starts")]
    PoolReversed { subnet: String, first: Ipv4Addr, last: Ipv4Addr },
    #[error("pool {first} to {last} is outside the prefix {prefix} of subnet `{subnet}`")]
    PoolOutsidePrefix { subnet: String, prefix: Ipv4Net, first: Ipv4Addr, last: Ipv4Addr },
    #[error("two pools of subnet `{subnet}` overlap at {address}")]
    OverlappingPools { subnet: String, address: Ipv4Addr },
    #[error("reserved address {address} is outside the prefix {prefix} of subnet `{subnet}`")]
    ReservationOutsidePrefix { subnet: String, prefix: Ipv4Net, address: Ipv4Addr },
    #[error("reserved address {address} of subnet `{subnet}` is the network's, a router's or a server's own")]
    ReservationUnusable { subnet: String, address: Ipv4Addr },
    #[error("address {address} of subnet `{subnet}` is reserved twice")]
    DuplicateReservation { subnet: String, address: Ipv4Addr },
    #[error("one client has two reservations in subnet `{subnet}`, the second is {address}")]
    DuplicateReservationKey { subnet: String, address: Ipv4Addr },
    #[error("gateway {gateway} is outside the prefix {prefix} of subnet `{subnet}`")]
    GatewayOutsidePrefix { subnet: String, prefix: Ipv4Net, gateway: Ipv4Addr },
    #[error("subnet `{subnet}` lists {count} servers of one kind, an option holds 63")]
    TooManyServers { subnet: String, count: usize },
    #[error("domain `{domain}` of subnet `{subnet}` is not a domain name of ASCII letters, digits and hyphens")]
    Domain { subnet: String, domain: String },
    #[error("leases of subnet `{subnet}` are shorter than {LEASE_MIN_SECONDS} s")]
    LeaseTooShort { subnet: String },
}

/// Shortest lease that can be configured, seconds; shorter ones only make noise.
pub(crate) const LEASE_MIN_SECONDS: u64 = 10;
