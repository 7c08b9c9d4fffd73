use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
};

use model::{Lease, Mac, SubnetId};

/// How a datagram came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Who sent it: a client or a relay agent.
    pub source: SocketAddrV4,
    /// Our address that it was sent to; for broadcasts the receiving interface's address.
    pub local: Ipv4Addr,
    /// Index of the receiving interface, 0 = unknown.
    pub interface: u32,
    /// Sent to everybody on the link, and so by somebody who is on it.
    pub is_broadcast: bool,
}

/// What the engine asks for. To be carried out in order, as far as [`Reply::needs_save`] says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Put this lease on disk; it replaces what was there for its address.
    Save(Lease),
    /// Send this message.
    Send(Reply),
    /// Something others may want to know.
    Event(DhcpEvent),
}

/// A message to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Where to.
    pub destination: Destination,
    /// The UDP payload.
    pub bytes: Vec<u8>,
    /// True: not before every [`Effect::Save`] that came earlier is on disk (RFC 2131 section 3.1 step 4).
    pub needs_save: bool,
    /// Source address to send from.
    pub from: Ipv4Addr,
}

/// Where a reply goes (RFC 2131 section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// To the relay agent: `giaddr`, port 67, or the port it sent from (RFC 8357).
    Relay(SocketAddrV4),
    /// To a client that has an address: `ciaddr`, port 68.
    Unicast(SocketAddrV4),
    /// To a client that has no address yet: unicast to its hardware address, without asking ARP.
    Hardware {
        /// Interface index, 0 = unknown.
        interface: u32,
        /// Ethernet destination.
        mac: Mac,
        /// IP destination, the address being given.
        address: Ipv4Addr,
    },
    /// To 255.255.255.255 port 68 on one interface.
    Broadcast {
        /// Interface index, 0 = unknown.
        interface: u32,
    },
}

/// Something that happened to a lease or a pool. Bears personal data: for names and incidents, never for labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DhcpEvent {
    /// A lease was granted or renewed.
    Bound {
        /// The lease, as saved.
        lease: Lease,
        /// True when the client held this address already.
        renewed: bool,
    },
    /// A client gave its lease back.
    Released {
        /// The lease, as saved.
        lease: Lease,
    },
    /// A lease ended without renewal. Also told of quarantines that are over (state `Declined`).
    Expired {
        /// The lease that ended.
        lease: Lease,
    },
    /// A client found its address in use; the address is in quarantine until `lease.expires`.
    Declined {
        /// The lease, as saved.
        lease: Lease,
    },
    /// Another DHCP server is at work. Told at most once a minute for each.
    ForeignServer {
        /// Its identifier (option 54).
        server: Ipv4Addr,
        /// Who told: the client that took its offer, where known.
        heard_from: Option<Mac>,
        /// The relay agent or, when direct, 0.0.0.0.
        relay: Ipv4Addr,
        /// Circuit id of whoever told, as the relay agent gives it; empty if it does not.
        circuit_id: Arc<[u8]>,
        /// Remote id, likewise.
        remote_id: Arc<[u8]>,
        /// Interface that it was heard on, 0 = unknown.
        interface: u32,
    },
    /// A DISCOVER found no free address. Told at most once a minute for each subnet.
    PoolExhausted {
        /// The subnet without free addresses.
        subnet: SubnetId,
    },
}
