//! The services as they run: sockets, clock, threads and signals around the engines.
//!
//! Engines decide, `store` keeps, this crate moves bytes between them and the kernel. It never knows the plan file
//! (it gets [`generate::ServiceSettings`]) and never draws a page (it serves the routes it is handed and publishes a
//! [`model::Snapshot`]). Start at [`start`].

mod batch_io;
mod circuit_labels;
pub mod clock;
mod clock_watch;
mod control;
mod dhcp6_service;
mod dhcp_commit;
mod dhcp_send;
mod dhcp_service;
mod dns;
mod feeds;
mod flows;
mod http_client;
mod http_service;
mod incidents;
mod ipv6;
mod ipv6_reload;
mod lease_names;
mod lease_news;
mod link_socket;
mod links6;
mod log;
mod metrics;
mod metrics6;
mod packet;
mod page_reload;
mod probe;
mod probe_packets;
mod publisher;
mod ra_service;
mod reload;
mod rogue_frames;
mod rogue_watch;
mod start;
mod udp;
mod watch;

pub use crate::watch::AlertHands;
pub use clock::Clock;
pub use control::{Answer as ControlAnswer, Request as ControlRequest, control_path, request as control_request};
pub use dns::{CertificateError, DnsRequest, FlushWhat};
pub use feeds::FeedError;
pub use reload::ReloadSource;
pub use start::{Addresses, Recovered, Running, Settings, StartError, Stopped, start};
