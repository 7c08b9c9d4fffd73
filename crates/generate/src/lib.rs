//! Approved plan -> settings of the services. Event and rehearsal run the same.
//!
//! Pure: the same plan gives the same settings. It decides nothing about the network itself; what the plan leaves
//! open has been filled in by `plan`. Start at [`service_settings`].

mod dhcp6_settings;
mod dhcp_settings;
mod dns_settings;
mod feed_files;
mod feed_settings;
mod flow_settings;
mod option_octets;
mod restart;
mod reverse;
mod snapshot;
mod watch_rules;
mod watch_settings;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
};

pub use dhcp6_settings::Link6;
pub use dns_settings::DnsServing;
pub use feed_files::{FeedUrlError, feed_files, page_url};
pub use feed_settings::{FeedSettings, OtlpLogs, RemoteWrite};
pub use plan::{
    DnsCertificate, DnsProtocol, DnsUpstream, HostPort, LogCertificate, LogIntake, Mail, SyslogFeed, SyslogFeedTls,
    ZabbixFeed,
};
pub use restart::{NeedsRestart, needs_restart};
pub use watch_settings::{Outlet, SecretSource, SnmpCredentials, SnmpSettings, WatchSettings, WatchedPlace};

use check::ApprovedPlan;
use model::{DeviceId, RoomId, Snapshot, SnapshotTalk, SubnetId};

/// What the services need to know of an event.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Name of the event; a state directory belongs to one.
    pub event_name: String,
    /// Settings of the DHCP engine; `direct_interfaces` of its subnets are for whoever knows interface indexes.
    pub dhcp: dhcp::Settings,
    /// Subnets whose clients are on a link of this machine: the operating system's name of the interface, or any.
    pub direct_interfaces: Vec<(SubnetId, Option<String>)>,
    /// Settings of the DHCPv6 engine; its `server_duid` is for whoever keeps it.
    pub dhcp6: dhcp6::Settings,
    /// IPv6 subnets that are on a link of this machine, and what is advertised there.
    pub links6: Vec<Link6>,
    /// Settings of the DNS engine.
    pub dns: dns::Settings,
    /// What DNS needs beside.
    pub dns_serving: DnsServing,
    /// What helps to read log lines.
    pub syslog: syslog::Context,
    /// How log lines are taken over TCP and TLS.
    pub log_intake: LogIntake,
    /// Where to listen.
    pub listen: Listen,
    /// The snapshot before anything has happened: event, rooms, access points, pools.
    pub snapshot: Snapshot,
    /// The whole timetable, by start.
    pub talks: Vec<SnapshotTalk>,
    /// Bytes that telemetry may take on disk.
    pub telemetry_bytes_max: u64,
    /// Files that it may take.
    pub telemetry_files_max: u64,
    /// The room of each access point.
    pub access_point_rooms: BTreeMap<DeviceId, RoomId>,
    /// What is watched.
    pub watch: WatchSettings,
    /// Who is given the figures and the log.
    pub feeds: FeedSettings,
    /// Whose flows are counted, and by what networks.
    pub flows: flow::CollectorSettings,
}

impl ServiceSettings {
    /// Lets relative paths of files start at `directory`, where the plan is.
    pub fn in_directory(mut self, directory: &Path) -> Self {
        self.dns_serving = self.dns_serving.in_directory(directory);
        self.feeds = self.feeds.in_directory(directory);
        if let Some(LogCertificate { server, client_authority }) = &mut self.log_intake.certificate {
            for path in [&mut server.certificate, &mut server.key].into_iter().chain(client_authority) {
                *path = directory.join(&*path);
            }
        }
        self
    }
}

/// Where the services listen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listen {
    /// DHCP.
    pub dhcp: Vec<SocketAddr>,
    /// DHCPv6; empty = not served.
    pub dhcp6: Vec<SocketAddr>,
    /// DNS over UDP and TCP.
    pub dns: Vec<SocketAddr>,
    /// DNS over TLS.
    pub dns_tls: Vec<SocketAddr>,
    /// DNS over HTTPS.
    pub dns_https: Vec<SocketAddr>,
    /// Syslog over UDP and TCP.
    pub syslog: Vec<SocketAddr>,
    /// Syslog over TLS.
    pub syslog_tls: Vec<SocketAddr>,
    /// NetFlow, IPFIX and sFlow; empty = not received.
    pub flows: Vec<SocketAddr>,
    /// The live page and `/metrics`.
    pub http: Vec<SocketAddr>,
}

/// Why no settings can be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GenerateError {
    /// DNS names clients' addresses in a zone; the event has none.
    #[error("the event has no DNS domain; set `event.domain`")]
    NoDomain,
}

/// The settings of every service.
///
/// Errors: [`GenerateError`] for what a plan may lack although `check` has no error to say of it.
pub fn service_settings(plan: &ApprovedPlan) -> Result<ServiceSettings, GenerateError> {
    if plan.event.domain.is_empty() {
        return Err(GenerateError::NoDomain);
    }
    let (dhcp, direct_interfaces) = dhcp_settings::dhcp_settings(plan);
    let (dhcp6, links6) = dhcp6_settings::dhcp6_settings(plan);
    let listen = &plan.services.listen;
    let served = Listen {
        dhcp: listen.dhcp.clone(),
        dhcp6: if dhcp6_settings::is_answered(&dhcp6) { listen.dhcp6.clone() } else { Vec::new() },
        dns: listen.dns.clone(),
        dns_tls: listen.dns_tls.clone(),
        dns_https: listen.dns_https.clone(),
        syslog: listen.syslog.clone(),
        syslog_tls: listen.syslog_tls.clone(),
        flows: listen.flows.clone(),
        http: listen.http.clone(),
    };
    Ok(ServiceSettings {
        event_name: plan.event.name.clone(),
        dhcp,
        direct_interfaces,
        dhcp6,
        links6,
        dns: dns_settings::dns_settings(plan),
        dns_serving: dns_settings::dns_serving(plan),
        syslog: syslog_context(plan),
        log_intake: plan.services.log.clone(),
        listen: served,
        snapshot: snapshot::skeleton(plan),
        talks: snapshot::talks(plan),
        telemetry_bytes_max: plan.services.telemetry_bytes_max,
        telemetry_files_max: plan::TELEMETRY_FILES_MAX,
        access_point_rooms: access_point_rooms(plan),
        watch: watch_settings::watch_settings(plan),
        feeds: feed_settings::feed_settings(plan),
        flows: flow_settings::flow_settings(plan),
    })
}

fn syslog_context(plan: &ApprovedPlan) -> syslog::Context {
    let mut context = syslog::Context::new(plan.event.time_zone.clone());
    for device in plan.devices.values() {
        context.add_device(device.id.as_str(), device.address.map(IpAddr::V4));
    }
    context
}

fn access_point_rooms(plan: &ApprovedPlan) -> BTreeMap<DeviceId, RoomId> {
    plan.access_points().filter_map(|device| Some((device.id.clone(), device.room.clone()?))).collect()
}

#[cfg(test)]
mod tests;
