//! What is wrong with our own services, pools, access points and links, as conditions.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{Mac, PortRef, Severity, Snapshot};
use watch::{AlertBook, Condition, Subject};

use super::DeviceConditions;
use crate::{dhcp_service::ForeignChoice, publisher::Seen};

/// A pool this full, in hundredths, begins an alert; it ends below [`POOL_CALM_PERCENT`].
const POOL_FULL_PERCENT: u64 = 85;
const POOL_CALM_PERCENT: u64 = 75;
/// An access point this loaded, in hundredths of what it is planned to carry, begins an alert.
const ACCESS_POINT_OVER_PERCENT: u64 = 100;
const ACCESS_POINT_CALM_PERCENT: u64 = 90;
const FOREIGN_SERVER: &str = "dhcp-foreign-server";
/// What clients say of other servers is over when none has said so for as long.
const CLAIM_CALM: Duration = Duration::from_secs(150);

/// All of it. `alerts` tells which are open already, for limits that are lower once they are passed.
pub(crate) fn of_services(
    alerts: &AlertBook,
    devices: &DeviceConditions,
    snapshot: &Snapshot,
    seen: &Seen,
    locate: &dyn Fn(Mac) -> Option<PortRef>,
) -> Vec<Condition> {
    let mut conditions = pools(alerts, snapshot);
    conditions.extend(access_points(alerts, devices, snapshot));
    conditions.extend(upstreams(seen));
    conditions.extend(foreign_servers(seen, devices, locate));
    conditions.extend(squatters(seen));
    conditions.extend(foreign_routers(seen));
    conditions.extend(state_directory(seen));
    conditions
}

fn pools(alerts: &AlertBook, snapshot: &Snapshot) -> Vec<Condition> {
    let full = snapshot.pools.iter().filter_map(|pool| {
        let place = format!("pool {}", pool.name);
        let percent = percent(pool.used, pool.size);
        let limit = limit(alerts, "pool-nearly-full", &place, POOL_FULL_PERCENT, POOL_CALM_PERCENT);
        if pool.size == 0 || percent < limit {
            return None;
        }
        let says = format!("the pool {} is {percent} % full: {} of {} addresses", pool.name, pool.used, pool.size);
        let remedy = "widen the pool or shorten its lease time in `network.toml`";
        Some(condition("pool-nearly-full", place, Severity::Warning, says, remedy))
    });
    full.collect()
}

fn access_points(alerts: &AlertBook, devices: &DeviceConditions, snapshot: &Snapshot) -> Vec<Condition> {
    let code = "access-point-over-capacity";
    let over = snapshot.access_points.iter().filter_map(|access_point| {
        let place = format!("access point {}", access_point.device);
        let percent = percent(access_point.clients, access_point.clients_capacity);
        let limit = limit(alerts, code, &place, ACCESS_POINT_OVER_PERCENT + 1, ACCESS_POINT_CALM_PERCENT);
        if access_point.clients_capacity == 0 || percent < limit {
            return None;
        }
        let says = format!(
            "access point {} in room {} carries {} stations, planned for {}",
            access_point.device, access_point.room, access_point.clients, access_point.clients_capacity
        );
        let remedy = "add an access point to the room or steer people to another room";
        let subject = devices.subject(&access_point.device);
        Some(Condition { subject, ..condition(code, place, Severity::Warning, says, remedy) })
    });
    over.collect()
}

fn upstreams(seen: &Seen) -> Vec<Condition> {
    let down = seen.dns.upstreams.iter().filter(|upstream| !upstream.healthy).map(|upstream| {
        let address = upstream.address;
        let says = format!("the DNS upstream {address} does not answer");
        let remedy = "check the uplink and the tunnel; add another upstream to `services.dns.upstreams`";
        condition("dns-upstream-down", format!("upstream {address}"), Severity::Error, says, remedy)
    });
    down.collect()
}

/// Other DHCP servers, overheard on a link or named by clients that took their offers; the views bound how many.
/// Where is the port told: by the switches' tables of learned addresses (`locate`), else by option 82 of a lease.
fn foreign_servers(seen: &Seen, devices: &DeviceConditions, locate: &dyn Fn(Mac) -> Option<PortRef>) -> Vec<Condition> {
    let mut there = BTreeMap::new();
    for (one, leased_behind) in &seen.rogue.servers {
        there.insert((one.server, one.interface.as_str()), (one.mac, leased_behind));
    }
    let is_heard = |server| there.keys().any(|(heard, _)| *heard == server);
    let claimed = seen.dhcp.foreign_server.as_ref().filter(|choice| !is_heard(choice.server)).map(claimed_server);
    let mut conditions: Vec<_> = claimed.into_iter().collect();
    conditions.extend(there.into_iter().map(|((server, interface), (mac, leased_behind))| {
        let port = locate(mac);
        let at = port.as_ref().map(|port| format!("; it hangs on {port}")).unwrap_or_default();
        let says = format!("another DHCP server, {server}, answers clients on {interface}{at}");
        let find = match (&port, leased_behind) {
            (Some(port), _) => format!("its MAC {mac} was learned at {port}: shut that port"),
            (None, Some(port)) => format!("its MAC {mac} had a lease behind {port}: shut that port"),
            (None, None) => format!("find the port by its MAC {mac} in the switches' tables and shut it"),
        };
        let subject = port.map(|port| Subject { port: Some(port.clone()), ..devices.subject(&port.device) });
        let public = foreign_server(format!("DHCP server {server} on {interface}"), says, &find);
        Condition { subject: subject.unwrap_or_default(), ..public }
    }));
    conditions
}

/// A server that a client says it takes an offer of. Anybody may say so of any address, so all such claims are one place
/// and one alert: made-up servers must not drown what else is wrong.
fn claimed_server(choice: &ForeignChoice) -> Condition {
    let behind = choice.relay.map(|relay| format!(" behind the relay agent {relay}")).unwrap_or_default();
    let near = choice.port.as_ref().map(|port| format!("; a client at {port} took its offer")).unwrap_or_default();
    let says = format!("another DHCP server, {}, answers clients{behind}", choice.server);
    let find = format!("find the port by its MAC in the switches' tables and shut it{near}");
    Condition { calm: CLAIM_CALM, ..foreign_server("DHCP server named by clients".to_owned(), says, &find) }
}

fn foreign_server(place: String, says: String, find: &str) -> Condition {
    let remedy = "find the port by its MAC in the switches' tables and shut it; turn on DHCP snooping";
    let public = condition(FOREIGN_SERVER, place, Severity::Error, says, remedy);
    Condition { remedy_for_operators: Some(format!("{find}; turn on DHCP snooping")), ..public }
}

/// Hosts on addresses that they have no lease for; the view bounds how many.
fn squatters(seen: &Seen) -> Vec<Condition> {
    let there: BTreeMap<_, _> = seen.probe.squatters.iter().map(|one| (one.address, one.mac)).collect();
    let there = there.into_iter().map(|(address, mac)| {
        let says = format!("{address} is in use by a host that has no lease for it; it is not handed out for now");
        let remedy = format!(
            "find the host in the relay agent's neighbour table; give it an address outside the pools, or exclude {address} in `network.toml`"
        );
        let for_operators = mac.map(|mac| {
            format!(
                "find the port of {mac} in the switches' tables; give the host an address outside the pools, or exclude {address} in `network.toml`"
            )
        });
        let place = format!("address {address}");
        let public = condition("dhcp-address-in-use", place, Severity::Warning, says, &remedy);
        Condition { remedy_for_operators: for_operators, ..public }
    });
    there.collect()
}

/// Routers that nobody planned; the view bounds how many.
fn foreign_routers(seen: &Seen) -> Vec<Condition> {
    let there: BTreeSet<_> = seen.ipv6.ra.iter().flat_map(|view| &view.foreign).collect();
    let there = there.into_iter().map(|(interface, router)| {
        let says = format!("another router, {router} on {interface}, sends IPv6 router advertisements");
        let remedy = "find its port by its MAC (`ip -6 neigh`) in the switches' tables and shut it; turn on RA guard; if it belongs there, set `vlan.NAME.ipv6.router`";
        let place = format!("router {router} on {interface}");
        condition("ra-foreign-router", place, Severity::Error, says, remedy)
    });
    there.collect()
}

fn state_directory(seen: &Seen) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let place = || "state directory".to_owned();
    if seen.log.is_short {
        let (left, remedy) = if seen.log.is_short_of_files {
            let remedy = "remove files from the state directory's file system: it has room, but no inodes (`df -i`)";
            (format!("has only {} inodes left", seen.log.free_files), remedy)
        } else {
            (
                format!("is nearly full ({} MiB free)", seen.log.free_bytes >> 20),
                "free space in the state directory's file system",
            )
        };
        let says = format!("the disk {left}: the oldest debug lines go, and soon log lines are refused");
        conditions.push(condition("log-store-short", place(), Severity::Warning, says, remedy));
        if seen.log.is_refusing {
            let says = format!("the disk {left}: log lines are refused so that leases keep their room");
            conditions.push(condition("log-store-refusing", place(), Severity::Error, says, remedy));
        }
    }
    if seen.dhcp.journal_failing || seen.ipv6.dhcp.as_ref().is_some_and(|view| view.journal_failing) {
        let says = "the lease journal cannot be written: no lease is acknowledged".to_owned();
        let remedy = "free space in the state directory";
        conditions.push(condition("lease-journal-failing", place(), Severity::Error, says, remedy));
    }
    conditions
}

/// The limit at which the condition counts as there: the lower one while it is open, so that it does not flap.
fn limit(alerts: &AlertBook, code: &str, place: &str, begins: u64, calm: u64) -> u64 {
    if alerts.is_firing(code, place) { calm } else { begins }
}

fn condition(code: &str, place: String, severity: Severity, says: String, remedy: &str) -> Condition {
    Condition {
        rule: code.to_owned(),
        place,
        severity,
        subject: Subject::default(),
        says,
        cause: String::new(),
        remedy: remedy.to_owned(),
        remedy_for_operators: None,
        since: None,
        hold: Duration::ZERO,
        calm: Duration::ZERO,
        hidden_by: None,
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use model::Timestamp;
    use watch::{AlertChange, Damping};

    use super::*;

    /// REQUESTs with an option 54 of the sender's making, another one each time, with pauses of two minutes.
    #[test]
    fn made_up_servers_are_one_alert() {
        let mut alerts = AlertBook::new(Damping::default());
        let mut told = 0;
        for tick in 0..120_u8 {
            let now = Timestamp::from_secs(1_568_595_600 + 2 * i64::from(tick));
            let is_pause = (30..90).contains(&tick);
            let server = Ipv4Addr::new(203, 0, 113, tick);
            let claim = claimed_server(&ForeignChoice { server, relay: None, port: None });
            let changes = alerts.observe(now, if is_pause { Vec::new() } else { vec![claim] });
            told += changes.iter().filter(|change| matches!(change, AlertChange::Tell(_))).count();
        }
        assert_eq!(told, 1);
        let says: Vec<&str> = alerts.alerts().map(|alert| &*alert.says).collect();
        assert_eq!(says, ["another DHCP server, 203.0.113.119, answers clients"], "the last of them");
    }
}
