//! What counts as an incident, when it begins and when it is over; kept in the store and shown on the page.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr},
};

use model::{Incident, Severity, Snapshot, Timestamp};
use store::{IncidentId, Incidents, IncidentsError};

use crate::publisher::Seen;

/// A pool this full, in hundredths, begins an incident; it ends below [`POOL_CALM_PERCENT`].
const POOL_FULL_PERCENT: u64 = 85;
const POOL_CALM_PERCENT: u64 = 75;
/// An access point this loaded, in hundredths of what it is planned to carry, begins an incident.
const ACCESS_POINT_OVER_PERCENT: u64 = 100;
const ACCESS_POINT_CALM_PERCENT: u64 = 90;

/// The incidents that are open, and the book they are written in.
pub(crate) struct IncidentBook {
    book: Option<Incidents>,
    open: BTreeMap<(String, String), (Option<IncidentId>, Incident)>,
    /// Foreign DHCP servers whose incident is open: server, and interface where it was overheard.
    foreign_servers: BTreeSet<(Ipv4Addr, Option<String>)>,
    /// Addresses whose squatters' incident is open.
    squatted: BTreeSet<Ipv4Addr>,
    /// Foreign IPv6 routers, by interface, whose incident is open.
    foreign_routers: BTreeSet<(String, Ipv6Addr)>,
}

impl IncidentBook {
    pub(crate) fn new(book: Option<Incidents>) -> Self {
        Self {
            book,
            open: BTreeMap::new(),
            foreign_servers: BTreeSet::new(),
            squatted: BTreeSet::new(),
            foreign_routers: BTreeSet::new(),
        }
    }

    /// One sentence for each incident that is open.
    pub(crate) fn open_sentences(&self) -> Vec<String> {
        self.open.values().map(|(_, incident)| incident.says.clone()).collect()
    }

    /// Opens and closes incidents by what is seen at `now`. True when something changed.
    pub(crate) fn observe(&mut self, now: Timestamp, snapshot: &Snapshot, seen: &Seen) -> bool {
        let mut changed = false;
        for pool in &snapshot.pools {
            let place = format!("pool {}", pool.name);
            let percent = percent(pool.used, pool.size);
            let limit = self.limit("pool-nearly-full", &place, POOL_FULL_PERCENT, POOL_CALM_PERCENT);
            let says = format!("the pool {} is {percent} % full: {} of {} addresses", pool.name, pool.used, pool.size);
            let remedy = "widen the pool or shorten its lease time in `network.toml`";
            changed |= self.state(
                now,
                "pool-nearly-full",
                place,
                pool.size > 0 && percent >= limit,
                Severity::Warning,
                says,
                remedy,
            );
        }
        for access_point in &snapshot.access_points {
            let place = format!("access point {}", access_point.device);
            let percent = percent(access_point.clients, access_point.clients_capacity);
            let limit = self.limit(
                "access-point-over-capacity",
                &place,
                ACCESS_POINT_OVER_PERCENT + 1,
                ACCESS_POINT_CALM_PERCENT,
            );
            let says = format!(
                "access point {} in room {} carries {} stations, planned for {}",
                access_point.device, access_point.room, access_point.clients, access_point.clients_capacity
            );
            let remedy = "add an access point to the room or steer people to another room";
            let over = access_point.clients_capacity > 0 && percent >= limit;
            changed |= self.state(now, "access-point-over-capacity", place, over, Severity::Warning, says, remedy);
        }
        for dns::UpstreamHealth { address, healthy, .. } in &seen.dns.upstreams {
            let says = format!("the DNS upstream {address} does not answer");
            let place = format!("upstream {address}");
            let remedy = "check the uplink and the tunnel; add another upstream to `services.dns.upstreams`";
            changed |= self.state(now, "dns-upstream-down", place, !healthy, Severity::Error, says, remedy);
        }
        changed |= self.observe_servers(now, seen);
        changed |= self.observe_squatters(now, seen);
        changed |= self.observe_routers(now, seen);
        let mebibytes = seen.log.free_bytes >> 20;
        let says = format!(
            "the disk is nearly full ({mebibytes} MiB free): log lines are refused so that leases keep their room"
        );
        let remedy = "free space in the state directory's file system";
        let place = "state directory".to_owned();
        changed |= self.state(now, "log-store-refusing", place, seen.log.is_refusing, Severity::Error, says, remedy);
        let says = "the lease journal cannot be written: no lease is acknowledged".to_owned();
        let remedy = "free space in the state directory";
        changed |= self.state(
            now,
            "lease-journal-failing",
            "state directory".to_owned(),
            seen.dhcp.journal_failing || seen.ipv6.dhcp.as_ref().is_some_and(|view| view.journal_failing),
            Severity::Error,
            says,
            remedy,
        );
        changed
    }

    /// Other DHCP servers, overheard on a link or named by clients that took their offers; the views bound how many.
    fn observe_servers(&mut self, now: Timestamp, seen: &Seen) -> bool {
        let overheard = seen.rogue.servers.iter();
        let mut there: BTreeMap<_, _> =
            overheard.map(|one| ((one.server, Some(one.interface.clone())), Some(one.mac))).collect();
        let by_client = seen.dhcp.foreign_server;
        if let Some(server) = by_client.filter(|server| there.keys().all(|(overheard, _)| overheard != server)) {
            there.insert((server, None), None);
        }
        let mut changed = false;
        for key in self.foreign_servers.iter().chain(there.keys()).cloned().collect::<BTreeSet<_>>() {
            let found = there.get(&key);
            let (server, interface) = &key;
            let on = interface.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
            let says = format!("another DHCP server, {server}, answers clients{on}");
            let mac = found.copied().flatten().map_or("its MAC".to_owned(), |mac| format!("its MAC {mac}"));
            let remedy = format!("find the port by {mac} in the switches' tables and shut it; turn on DHCP snooping");
            let place = format!("DHCP server {server}{on}");
            changed |= self.state(now, "dhcp-foreign-server", place, found.is_some(), Severity::Error, says, &remedy);
        }
        self.foreign_servers = there.into_keys().collect();
        changed
    }

    /// Hosts on addresses that they have no lease for; the view bounds how many. A hardware address is for the operators'
    /// record only, what is said is also on the page.
    fn observe_squatters(&mut self, now: Timestamp, seen: &Seen) -> bool {
        let there: BTreeMap<_, _> = seen.probe.squatters.iter().map(|one| (one.address, one.mac)).collect();
        let mut changed = false;
        for address in self.squatted.iter().chain(there.keys()).copied().collect::<BTreeSet<_>>() {
            let says = format!("{address} is in use by a host that has no lease for it; it is not handed out for now");
            let remedy = match there.get(&address) {
                Some(Some(mac)) => format!(
                    "find the port of {mac} in the switches' tables; give the host an address outside the pools, or exclude {address} in `network.toml`"
                ),
                _ => format!(
                    "find the host in the relay agent's neighbour table; give it an address outside the pools, or exclude {address} in `network.toml`"
                ),
            };
            let (place, is_there) = (format!("address {address}"), there.contains_key(&address));
            changed |= self.state(now, "dhcp-address-in-use", place, is_there, Severity::Warning, says, &remedy);
        }
        self.squatted = there.into_keys().collect();
        changed
    }

    /// Routers that nobody planned; the view bounds how many.
    fn observe_routers(&mut self, now: Timestamp, seen: &Seen) -> bool {
        let there: BTreeSet<_> = seen.ipv6.ra.iter().flat_map(|view| &view.foreign).cloned().collect();
        let mut changed = false;
        for (interface, router) in self.foreign_routers.union(&there).cloned().collect::<Vec<_>>() {
            let says = format!("another router, {router} on {interface}, sends IPv6 router advertisements");
            let remedy = "find its port by its MAC (`ip -6 neigh`) in the switches' tables and shut it; turn on RA guard; if it belongs there, set `vlan.NAME.ipv6.router`";
            let place = format!("router {router} on {interface}");
            let is_there = there.contains(&(interface, router));
            changed |= self.state(now, "ra-foreign-router", place, is_there, Severity::Error, says, remedy);
        }
        self.foreign_routers = there;
        changed
    }

    /// The limit at which the incident counts as there: the lower one while it is open, so that it does not flap.
    fn limit(&self, code: &str, place: &str, begins: u64, calm: u64) -> u64 {
        if self.open.contains_key(&(code.to_owned(), place.to_owned())) { calm } else { begins }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of an incident, once")]
    fn state(
        &mut self,
        now: Timestamp,
        code: &str,
        place: String,
        is_there: bool,
        severity: Severity,
        says: String,
        remedy: &str,
    ) -> bool {
        let key = (code.to_owned(), place);
        match (is_there, self.open.contains_key(&key)) {
            (true, false) => {
                let incident = Incident {
                    opened: now,
                    closed: None,
                    code: key.0.clone(),
                    severity,
                    place: key.1.clone(),
                    says,
                    remedy: remedy.to_owned(),
                };
                tracing::warn!(code, place = %incident.place, "{}", incident.says);
                let id = self.write(|book| book.add(&incident));
                self.open.insert(key, (id, incident));
                true
            }
            (false, true) => {
                if let Some((id, _)) = self.open.remove(&key) {
                    id.and_then(|id| self.write(|book| book.close(id, now)));
                }
                true
            }
            (true, true) | (false, false) => false,
        }
    }

    /// An incident that cannot be written is still shown and logged.
    fn write<T>(&mut self, action: impl FnOnce(&Incidents) -> Result<T, IncidentsError>) -> Option<T> {
        let book = self.book.as_ref()?;
        action(book).inspect_err(|error| tracing::error!(%error, "an incident could not be written")).ok()
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}
