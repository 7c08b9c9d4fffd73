use std::{net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;
use model::{HostName, Mac, SubnetId};
use thiserror::Error;

use crate::ProbeSettings;

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
    /// Kinds of clients, at most [`CLASSES_MAX`]; of several that match, the first that says something counts.
    pub classes: Vec<ClassSettings>,
    /// What one port, relay or sender may take.
    pub limits: Limits,
    /// Who may ask whose an address is (RFC 4388).
    pub leasequery_from: Vec<Ipv4Net>,
    /// Asking whether somebody sits on an address before it is offered.
    pub probe: ProbeSettings,
}

/// Classes in one plan.
pub const CLASSES_MAX: usize = 64;

/// A kind of client, with its own pools, options and lease time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClassSettings {
    /// Its name in pools and metrics.
    pub name: String,
    /// Ways to be a member: all conditions of one of them must hold. A way without conditions is nobody's.
    pub when: Vec<Vec<Match>>,
    /// Before the subnet's own.
    pub options: Vec<OptionSetting>,
    /// Instead of the subnet's.
    pub lease: Option<Duration>,
}

/// A property of a client's message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Match {
    /// Option 60 begins so.
    VendorClassPrefix(Vec<u8>),
    /// Option 77 is so, or one of its instances is (RFC 3004).
    UserClass(Vec<u8>),
    /// Option 82 sub-option 1 begins so.
    CircuitIdPrefix(Vec<u8>),
    /// Option 82 sub-option 2 begins so.
    RemoteIdPrefix(Vec<u8>),
    /// The hardware address begins so.
    MacPrefix(Vec<u8>),
    /// Option 55 is exactly so.
    ParameterList(Vec<u8>),
}

/// An option as it goes on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OptionSetting {
    /// Its code.
    pub code: u8,
    /// Its data, split as needed when it is longer than 255 octets (RFC 3396).
    pub data: Vec<u8>,
    /// Sent though the client did not ask for it.
    pub always: bool,
}

/// Addresses to hand out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolSettings {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address.
    pub last: Ipv4Addr,
    /// Only for this class; its members take from here before the common pools.
    pub class: Option<String>,
}

impl PoolSettings {
    /// A pool for everybody.
    pub fn common(first: Ipv4Addr, last: Ipv4Addr) -> Self {
        Self { first, last, class: None }
    }
}

/// What one port, relay or sender may take before it gets no more. Renewals are never refused by any of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Leases at one time behind one circuit (option 82 sub-options 1 and 2 together).
    pub leases_per_circuit: Option<u32>,
    /// Offers at one time behind one circuit.
    pub offers_per_circuit: Option<u32>,
    /// Addresses in an hour that clients behind one circuit may report as in use; further reports are dropped. Where no
    /// circuit is known it is the limit of each client, and four times as many that of its interface or relay agent.
    pub declines_per_circuit_per_hour: Option<u32>,
    /// Leases at one time behind one relay agent that names itself (option 82 sub-option 2).
    pub leases_per_relay: Option<u32>,
    /// Messages in a second from one hardware address, with a burst of four times as many. A circuit may send 32 times
    /// as many, a relay agent or an interface 1,024 times: hardware addresses can be made up.
    pub packets_per_source_per_second: Option<u32>,
}

impl Default for Limits {
    /// Nothing is limited but DECLINE, which costs an address each time: 16 an hour.
    fn default() -> Self {
        Self {
            leases_per_circuit: None,
            offers_per_circuit: None,
            declines_per_circuit_per_hour: Some(16),
            leases_per_relay: None,
            packets_per_source_per_second: None,
        }
    }
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
            classes: Vec::new(),
            limits: Limits::default(),
            leasequery_from: Vec::new(),
            probe: ProbeSettings::default(),
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
    /// Ranges to hand out. Network, broadcast, gateway, server, excluded and reserved addresses inside are left out by
    /// themselves.
    pub pools: Vec<PoolSettings>,
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
    /// Other options, and other data for those above.
    pub options: Vec<OptionSetting>,
    /// A DISCOVER that asks for it is answered with an ACK at once (RFC 4039).
    pub rapid_commit: bool,
    /// Clients that can do without IPv4 are told to, for so long (option 108, RFC 8925).
    pub ipv6_only_wait: Option<Duration>,
    /// Option 114: URI of the captive portal's API (RFC 8910).
    pub captive_portal: Option<String>,
    /// Subnets with the same name here are on one link: when one is full, clients get addresses of the next.
    pub shared_network: Option<String>,
    /// What the lease time shrinks to while the pools fill from 80 to 95 %. `None` = half of it. Never below 5 minutes.
    pub lease_under_pressure: Option<Duration>,
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
            options: Vec::new(),
            rapid_commit: false,
            ipv6_only_wait: None,
            captive_portal: None,
            shared_network: None,
            lease_under_pressure: None,
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
    /// For this client, before those of its classes.
    pub options: Vec<OptionSetting>,
}

/// What a reservation goes by. A client identifier counts before a MAC, a MAC before a circuit, a circuit before a
/// remote id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReservationKey {
    /// The Ethernet address, whatever client identifier comes with it (network boot, then operating system).
    Mac(Mac),
    /// Option 61, all of it.
    ClientId(Vec<u8>),
    /// Option 82 sub-option 1: whoever is plugged into that port.
    CircuitId(Vec<u8>),
    /// Option 82 sub-option 2: whoever is behind that agent.
    RemoteId(Vec<u8>),
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
    #[error("pool {first} to {last} of subnet `{subnet}` is for class `{class}`, which is not defined")]
    UnknownClass { subnet: String, first: Ipv4Addr, last: Ipv4Addr, class: String },
    #[error("{count} subnets are more than can be served")]
    TooManySubnets { count: usize },
    #[error("{count} classes are defined, {CLASSES_MAX} can be told apart")]
    TooManyClasses { count: usize },
    #[error("class `{name}` is defined twice")]
    DuplicateClass { name: String },
    #[error("option {code} of {place} is one that the server sets itself")]
    OptionNotSettable { place: String, code: u8 },
    #[error("the captive portal `{uri}` of subnet `{subnet}` is not an https URI of at most 255 octets (RFC 8910)")]
    CaptivePortal { subnet: String, uri: String },
    #[error("leases of class `{class}` are shorter than {LEASE_MIN_SECONDS} s")]
    ClassLeaseTooShort { class: String },
    #[error("leases of subnet `{subnet}` are shorter than {LEASE_MIN_SECONDS} s")]
    LeaseTooShort { subnet: String },
}

/// Shortest lease that can be configured, seconds; shorter ones only make noise.
pub(crate) const LEASE_MIN_SECONDS: u64 = 10;
