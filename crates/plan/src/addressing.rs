//! How clients get addresses and what they are told with them, as validated values.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use ipnet::{Ipv4Net, Ipv6Net};
use model::{DeviceId, Mac, Place};

/// How clients of a VLAN get IPv4 addresses.
#[derive(Clone, Debug)]
pub struct DhcpPlan {
    /// Lease time; default 1 h.
    pub lease: Duration,
    /// Lease time while the pool is nearly used up; `None` = the server's own choice.
    pub lease_under_pressure: Option<Duration>,
    /// How requests reach the server.
    pub via: DhcpVia,
    /// Ranges to hand out; default all hosts but the first 9 and the gateway.
    pub pools: Vec<Pool>,
    /// Fixed addresses.
    pub reservations: Vec<Reservation>,
    /// Clients that ask for it are answered with two messages instead of four (RFC 4039).
    pub rapid_commit: bool,
    /// Clients that can live without IPv4 are told to, for this long (option 108, RFC 8925).
    pub ipv6_only_wait: Option<Duration>,
    /// URI of the captive portal's API (option 114, RFC 8910).
    pub captive_portal: Option<String>,
    /// VLANs of one such name are one link: when the pools of one are used up, the next serves its clients.
    pub shared_network: Option<String>,
    /// Other options, by code.
    pub options: Vec<DhcpOption>,
    /// Where the pool is written.
    pub at: Place,
}

/// How DHCP requests reach the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DhcpVia {
    /// Through the relay agent of the gateway device, or of the device named.
    Relay(Option<DeviceId>),
    /// The server hears broadcasts on this interface (operating system's name), or on any when not named.
    Direct(Option<String>),
    /// Another server does it, e.g. the venue's; hotstage does not serve this VLAN.
    Other(String),
}

/// A range of addresses to hand out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address, included; not below the first.
    pub last: Ipv4Addr,
    /// Only members of this class get addresses of it; `None` = everyone.
    pub class: Option<String>,
    /// Where it is written.
    pub at: Place,
}

impl Pool {
    /// True when `address` is in the range.
    pub fn holds(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

/// A fixed address.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// Whose.
    pub client: ReservationClient,
    /// Tag of the inventory that the MAC address is from.
    pub asset: Option<String>,
    /// Which.
    pub address: Ipv4Addr,
    /// Name in DNS.
    pub name: Option<String>,
    /// Options for this client, by code.
    pub options: Vec<DhcpOption>,
    /// Where it is written.
    pub at: Place,
}

impl Reservation {
    /// The MAC address that it is for, when it goes by one.
    pub fn mac(&self) -> Option<Mac> {
        match &self.client {
            ReservationClient::Mac(mac) => Some(*mac),
            ReservationClient::ClientId(_) | ReservationClient::CircuitId(_) | ReservationClient::RemoteId(_) => None,
        }
    }
}

/// What a reservation goes by. Octets: 1 to 255.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ReservationClient {
    /// Ethernet address.
    Mac(Mac),
    /// Option 61, all of it.
    ClientId(Vec<u8>),
    /// Option 82 sub-option 1: whoever is plugged into that port.
    CircuitId(Vec<u8>),
    /// Option 82 sub-option 2: whoever is behind that relay agent's subscriber.
    RemoteId(Vec<u8>),
}

/// What holds for the whole DHCP server. `None` of a limit = the server's own choice.
#[derive(Clone, Debug)]
pub struct DhcpServer {
    /// Classes of clients, in the order written, which is their priority.
    pub classes: Vec<DhcpClass>,
    /// Leases that may be held behind one port of a relay agent (option 82 sub-option 1).
    pub leases_per_circuit: Option<u32>,
    /// Offers that may be open behind one port.
    pub offers_per_circuit: Option<u32>,
    /// Addresses that clients behind one port may decline in an hour.
    pub declines_per_circuit_per_hour: Option<u32>,
    /// Leases that may be held behind one relay agent.
    pub leases_per_relay: Option<u32>,
    /// Messages that one sender may send in a second.
    pub packets_per_source_per_second: Option<u32>,
    /// Who may ask for leases (DHCPLEASEQUERY, RFC 4388); empty = nobody.
    pub leasequery_from: Vec<Ipv4Net>,
    /// An address that nobody held lately is probed before it is offered.
    pub conflict_probe: bool,
    /// Where it is written.
    pub at: Place,
}

/// Clients that are served alike. A client is a member when it meets every condition that is stated, each by any of
/// its values. Octets are compared with the start of what the client sends, unless said otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DhcpClass {
    /// Key.
    pub name: String,
    /// Starts of option 60.
    pub vendor_class: Vec<Vec<u8>>,
    /// A user class of option 77 (RFC 3004), all of it.
    pub user_class: Vec<Vec<u8>>,
    /// Starts of option 82 sub-option 1.
    pub circuit_id: Vec<Vec<u8>>,
    /// Starts of option 82 sub-option 2.
    pub remote_id: Vec<Vec<u8>>,
    /// Starts of the MAC address, 1 to 6 octets.
    pub mac_prefix: Vec<Vec<u8>>,
    /// Option 55, all of it.
    pub parameter_list: Vec<Vec<u8>>,
    /// Lease time; `None` = the VLAN's.
    pub lease: Option<Duration>,
    /// Options for its members, by code.
    pub options: Vec<DhcpOption>,
    /// Where it is written.
    pub at: Place,
}

impl DhcpClass {
    /// The conditions that are stated: each is met by any of its values.
    pub fn conditions(&self) -> impl Iterator<Item = (Condition, &[Vec<u8>])> {
        let all = [
            (Condition::VendorClass, &self.vendor_class),
            (Condition::UserClass, &self.user_class),
            (Condition::CircuitId, &self.circuit_id),
            (Condition::RemoteId, &self.remote_id),
            (Condition::MacPrefix, &self.mac_prefix),
            (Condition::ParameterList, &self.parameter_list),
        ];
        all.into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(condition, values)| (condition, values.as_slice()))
    }
}

impl DhcpClass {
    /// Ways to be a member: the combinations of the values of its conditions; 1 when there is no condition.
    pub fn ways(&self) -> usize {
        self.conditions().map(|(_, values)| values.len()).fold(1, usize::saturating_mul)
    }
}

/// What a condition of a class looks at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Condition {
    /// Option 60.
    VendorClass,
    /// Option 77.
    UserClass,
    /// Option 82 sub-option 1.
    CircuitId,
    /// Option 82 sub-option 2.
    RemoteId,
    /// The hardware address.
    MacPrefix,
    /// Option 55.
    ParameterList,
}

/// An option that clients are told (RFC 2132 and later).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DhcpOption {
    /// Its code, 1 to 254.
    pub code: u8,
    /// Its value, of the type that the code has.
    pub value: OptionValue,
    /// It is sent to clients that did not ask for it too.
    pub always: bool,
    /// Where its value is written.
    pub at: Place,
}

/// The value of an option, before it is octets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OptionValue {
    /// One or more addresses.
    Addresses(Vec<Ipv4Addr>),
    /// Characters, without a terminating NUL.
    Text(String),
    /// One octet.
    Uint8(u8),
    /// Two octets.
    Uint16(u16),
    /// Four octets.
    Uint32(u32),
    /// Four octets, signed.
    Int32(i32),
    /// One octet, 0 or 1.
    Flag(bool),
    /// Domain names (RFC 3397).
    Domains(Vec<String>),
    /// Destinations with their routers (RFC 3442).
    Routes(Vec<(Ipv4Net, Ipv4Addr)>),
    /// Codes with octets, as in option 43 (RFC 2132 section 8.4).
    SubOptions(Vec<(u8, Vec<u8>)>),
    /// As they stand.
    Octets(Vec<u8>),
}

/// IPv6 on a VLAN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ipv6Plan {
    /// Its prefix.
    pub prefix: Ipv6Net,
    /// How clients get addresses; default stateless.
    pub mode: Ipv6Mode,
    /// Ranges that DHCPv6 hands out, first and last included; for [`Ipv6Mode::Stateful`].
    pub pools: Vec<(Ipv6Addr, Ipv6Addr)>,
    /// Prefix by which IPv4 is reached (NAT64), told in router advertisements (RFC 8781).
    pub pref64: Option<Ipv6Net>,
    /// DNS servers that clients are told by DHCPv6 and in router advertisements.
    pub name_servers: Vec<Ipv6Addr>,
    /// Who sends router advertisements, when it is not hotstage.
    pub router: Option<Ipv6Addr>,
    /// hotstage sends router advertisements itself, on a direct link.
    pub advertise: bool,
    /// Lease time of stateful addresses.
    pub lease: Duration,
    /// Fixed addresses; for [`Ipv6Mode::Stateful`].
    pub reservations: Vec<Ipv6Reservation>,
    /// Where it is written.
    pub at: Place,
}

/// A fixed IPv6 address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ipv6Reservation {
    /// Whose.
    pub client: Ipv6ReservationClient,
    /// Which.
    pub address: Ipv6Addr,
    /// Its name.
    pub name: Option<String>,
    /// Where it is written.
    pub at: Place,
}

/// What an IPv6 reservation goes by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ipv6ReservationClient {
    /// Option 1, all of it: 3 to 130 octets.
    Duid(Vec<u8>),
    /// Ethernet address.
    Mac(Mac),
}

/// How clients get IPv6 addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ipv6Mode {
    /// From router advertisements; DHCPv6 answers nothing.
    Slaac,
    /// Addresses from router advertisements, the rest from DHCPv6.
    Stateless,
    /// Addresses from DHCPv6.
    Stateful,
}
