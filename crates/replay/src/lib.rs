//! Plays the crowd of a rehearsal as real packets: DHCP as relay agents pass it on, DNS queries, log lines.
//!
//! The client side of `rehearse --live`: sockets, pacing and timers here, what a client does in sans-IO machines
//! (`lease_client`, `names`, `query`). It counts what clients got and waited for, and believes no server: an address
//! held by two clients at once is found from the ACKs alone. It will never start, configure or look into the services
//! it talks to, never write to disk, and reads the clock in one place.
//!
//! Start at [`play`]; what came of it is [`Summary`]. What lies beyond the event's uplink is in [`internet`].

mod clock;
mod dhcp_side;
mod dns_side;
pub mod internet;
mod lease_client;
mod ledger;
mod log_side;
mod names;
mod player;
mod query;
mod sockets;
mod stations;
mod summary;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::mpsc::SyncSender,
    time::Instant,
};

use jiff::tz::TimeZone;
use model::{DeviceId, TimeLine};
use thiserror::Error;

pub use ledger::LedgerEntry;
pub use player::play;
pub use stations::{AccessPointPeak, RoomPeak};
pub use summary::{Progress, Summary};

/// Where the services listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// DHCP server; relayed messages go there and come back to the port they were sent from (RFC 8357).
    pub dhcp: SocketAddrV4,
    /// DNS, UDP and TCP.
    pub dns: SocketAddr,
    /// Collector of log lines, a datagram each.
    pub syslog_udp: SocketAddr,
    /// Collector of log lines, octet-counted streams.
    pub syslog_tcp: SocketAddr,
}

/// How a course is played.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the services listen.
    pub endpoints: Endpoints,
    /// How wall time maps to event time; the same as the services use.
    pub time_line: TimeLine,
    /// When the time line starts; the same moment as the services use.
    pub started: Instant,
    /// Chance of clients and names. The same seed asks the same, as far as answers and scheduling allow.
    pub seed: u64,
    /// Any address of the attendees' subnet: link selection of every relay (RFC 3527).
    pub subnet: Ipv4Addr,
    /// Network name on the air, second half of circuit-ids: `ap-4f-1:PyConJP_2019`.
    pub network_name: String,
    /// The event's DNS zone; some queries ask for names in it.
    pub domain: String,
    /// Time zone of the clocks in access points and switches.
    pub time_zone: TimeZone,
    /// Switches that say something now and then; may be empty.
    pub switches: Vec<DeviceId>,
    /// Most DNS queries a second of wall time; queries are thinned to it, see [`Summary::dns_thinning`].
    pub dns_queries_per_second_max: f64,
    /// Who wants every ACK that a client accepted and every address given back, as it happens; for comparison with
    /// the server's leases after a crash. What it has no room for is counted, see [`Summary::ledger_entries_lost`].
    pub ledger: Option<SyncSender<LedgerEntry>>,
}

/// Why a course cannot be played.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// No socket for a part of the crowd's network.
    #[error(
        "no socket for a simulated {what}; is the service's address one of this machine, and are files left to open?"
    )]
    Socket {
        /// For what.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// An action names a device or access point that the course does not have.
    #[error("action {action} of the course names a device or access point that the course does not have")]
    Course {
        /// Its index.
        action: usize,
    },
}

#[cfg(test)]
mod tests;
