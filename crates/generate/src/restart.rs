//! What of a changed plan cannot be taken over while the services run.

use std::{collections::BTreeMap, net::SocketAddr};

use crate::{Listen, ServiceSettings};

/// A value that needs the services to be started anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeedsRestart {
    /// Path of the value in the plan, e.g. `services.listen.dhcp`.
    pub path: String,
    /// What the services run with.
    pub was: String,
    /// What the plan says now.
    pub becomes: String,
    /// Why it cannot change while they run; one sentence without full stop.
    pub why: &'static str,
}

/// Changes between what the services run with and what they would run with that a reload cannot carry out; empty =
/// all of it can be reloaded. Pools, leases, options, classes, reservations, limits and names always can.
pub fn needs_restart(running: &ServiceSettings, next: &ServiceSettings) -> Vec<NeedsRestart> {
    let mut found = Vec::new();
    let mut compare = |path: &str, was: String, becomes: String, why| {
        if was != becomes {
            found.push(NeedsRestart { path: path.to_owned(), was, becomes, why });
        }
    };
    compare(
        "event.name",
        running.event_name.clone(),
        next.event_name.clone(),
        "a state directory belongs to one event",
    );
    for (name, of) in LISTEN {
        let path = format!("services.listen.{name}");
        compare(&path, listed(of(&running.listen)), listed(of(&next.listen)), "sockets are opened at the start");
    }
    let (was, becomes) = (interfaces(running), interfaces(next));
    for name in was.keys().chain(becomes.keys().filter(|name| !was.contains_key(*name))) {
        let interface = |all: &BTreeMap<String, String>| all.get(name).cloned().unwrap_or_else(|| "none".to_owned());
        let path = format!("vlan.{name}.dhcp.interface");
        compare(&path, interface(&was), interface(&becomes), "interfaces are opened at the start");
    }
    let bytes = |settings: &ServiceSettings| settings.telemetry_bytes_max.to_string();
    compare("services.telemetry", bytes(running), bytes(next), "segments of the log store are laid out at the start");
    let log = |settings: &ServiceSettings| {
        let files = settings.log_intake.certificate.as_ref().map_or("no certificate".to_owned(), |files| {
            let authority = files.client_authority.as_ref().map(|path| path.display().to_string());
            let (certificate, key) = (files.server.certificate.display(), files.server.key.display());
            format!("{certificate}, {key}, senders of {}", authority.unwrap_or_else(|| "anybody".to_owned()))
        });
        format!("{files}, {} connections", settings.log_intake.connections_max)
    };
    compare("services.log", log(running), log(next), "listeners are set up at the start");
    let (was, becomes) = (identifiers(running), identifiers(next));
    for (name, id) in &was {
        if let Some(new) = becomes.get(name) {
            let path = format!("vlan.{name}.id");
            compare(
                &path,
                id.clone(),
                new.clone(),
                "leases are kept by it; they are found again by address at the start",
            );
        }
    }
    found
}

type Addresses = fn(&Listen) -> &Vec<SocketAddr>;

/// Names of the listening addresses in the plan.
const LISTEN: [(&str, Addresses); 9] = [
    ("dhcp", |listen| &listen.dhcp),
    ("dhcp6", |listen| &listen.dhcp6),
    ("dns", |listen| &listen.dns),
    ("dns_tls", |listen| &listen.dns_tls),
    ("dns_https", |listen| &listen.dns_https),
    ("syslog", |listen| &listen.syslog),
    ("syslog_tls", |listen| &listen.syslog_tls),
    ("flows", |listen| &listen.flows),
    ("http", |listen| &listen.http),
];

fn listed(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() {
        return "none".to_owned();
    }
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Interfaces of direct subnets by VLAN.
fn interfaces(settings: &ServiceSettings) -> BTreeMap<String, String> {
    let direct = settings.direct_interfaces.iter().map(|(id, interface)| (*id, interface));
    let links = settings.links6.iter().map(|link| (link.subnet, &link.interface));
    let name = |id| {
        let of_v4 = settings.dhcp.subnets.iter().find(|subnet| subnet.id == id).map(|subnet| subnet.name.clone());
        let of_v6 = || settings.dhcp6.subnets.iter().find(|subnet| subnet.id == id).map(|subnet| subnet.name.clone());
        of_v4.or_else(of_v6)
    };
    let shown = |interface: &Option<String>| interface.clone().unwrap_or_else(|| "any".to_owned());
    direct.chain(links).filter_map(|(id, interface)| Some((name(id)?, shown(interface)))).collect()
}

/// Identifiers of subnets by VLAN.
fn identifiers(settings: &ServiceSettings) -> BTreeMap<String, String> {
    settings.dhcp.subnets.iter().map(|subnet| (subnet.name.clone(), subnet.id.0.to_string())).collect()
}
