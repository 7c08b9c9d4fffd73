use std::net::{Ipv6Addr, SocketAddrV6};

use model::{Lease6, SubnetId};

/// How a datagram came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Who sent it: a client or a relay agent.
    pub source: SocketAddrV6,
    /// The address that it was sent to, multicast or ours; unspecified = not known.
    pub local: Ipv6Addr,
    /// Index of the receiving interface, 0 = not known.
    pub interface: u32,
}

/// What the engine asks for. To be carried out in order, as far as [`Reply::needs_save`] says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Put this lease on disk; it replaces what was there for its address.
    Save(Lease6),
    /// Send this message.
    Send(Reply),
    /// Something others may want to know.
    Event(Dhcp6Event),
}

/// A message to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Where to: a client on link at port 546, a relay agent at port 547, or where it sent from (RFC 8357). The scope
    /// is the interface's index when the address is link-local, else 0.
    pub to: SocketAddrV6,
    /// Source address to send from; `None` = the system chooses, as when the message came by multicast.
    pub from: Option<Ipv6Addr>,
    /// Index of the interface to send by, 0 = the system chooses.
    pub interface: u32,
    /// The UDP payload.
    pub bytes: Vec<u8>,
    /// True: not before every [`Effect::Save`] that came earlier is on disk.
    pub needs_save: bool,
}

/// Something that happened to a lease or a pool. Bears personal data: for names and incidents, never for labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dhcp6Event {
    /// A lease was granted or renewed.
    Bound {
        /// The lease, as saved.
        lease: Lease6,
        /// True when the association held this address already.
        renewed: bool,
    },
    /// A client gave its lease back.
    Released {
        /// The lease, as saved.
        lease: Lease6,
    },
    /// A lease ended without renewal. Also told of quarantines that are over (state `Declined`).
    Expired {
        /// The lease that ended.
        lease: Lease6,
    },
    /// A client found its address in use; the address is in quarantine until `lease.expires`.
    Declined {
        /// The lease, as saved.
        lease: Lease6,
    },
    /// No free address was found. Told at most once a minute for each subnet.
    PoolExhausted {
        /// The subnet without free addresses.
        subnet: SubnetId,
    },
}
