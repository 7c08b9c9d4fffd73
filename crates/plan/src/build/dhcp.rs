//! How clients of a VLAN get addresses, and what holds for the whole server.

use std::{net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;
use model::{Mac, Place};

use super::Build;
use crate::{
    Asset, DhcpClass, DhcpPlan, DhcpServer, Ipv6Mode, Ipv6Plan, Ipv6Reservation, Ipv6ReservationClient, Pool,
    Reservation, ReservationClient, VlanKind,
    file::{
        leaf::{MacPrefix, Octets, Via},
        shape::{At, Many, Stated},
        v1::{ClassTable, DhcpServerTable, Ipv6ReservationTable, ReservationTable, VlanTable},
    },
    problem::{did_you_mean, shown},
};

/// Lease time when the plan is silent.
const LEASE: Duration = Duration::from_secs(3_600);

/// Shortest lease time that the server takes.
const LEASE_MIN: Duration = Duration::from_secs(10);

/// Hosts at the start of a subnet that are kept for gear when the plan names no pool.
const HOSTS_KEPT: u32 = 9;

/// Classes of clients that the server tells apart.
const CLASSES_MAX: usize = 64;

/// Ways to be a member of a class, of all classes together; every message is compared with them.
const WAYS_MAX: usize = 1_024;

impl Build {
    pub(super) fn dhcp(
        &mut self,
        name: &str,
        table: &VlanTable,
        gateway: Ipv4Addr,
        inventory: Option<&[Asset]>,
    ) -> Option<DhcpPlan> {
        let stated = table.dhcp.as_ref();
        let via = self.via(name, table);
        let relay = stated.and_then(|dhcp| dhcp.relay.as_ref());
        if let Some(relay) = relay {
            self.refer(&relay.at, "relay", &relay.value.0, "device", |names| &names.devices);
            if via != Via::Relay {
                self.problems.add(&relay.at, "`relay` is stated, but `via` is not `relay`", "remove one of the two");
            }
        }
        let interface = stated.and_then(|dhcp| dhcp.interface.as_ref());
        if let (Some(interface), false) = (interface, via == Via::Direct) {
            let says = "`interface` is stated, but `via` is not `direct`";
            self.problems.add(&interface.at, says, "write `via = \"direct\"`");
        }
        let relay = relay.map(|relay| relay.value.0.as_str().into());
        let text = |text: &At<crate::file::leaf::Text>| text.value.0.clone();
        let pressure = stated.and_then(|dhcp| dhcp.lease_under_pressure.as_ref());
        let reservations = self.reservations(table, inventory);
        let options = stated.map(|dhcp| self.options(&dhcp.options)).unwrap_or_default();
        let plan = DhcpPlan {
            lease: self.lease(name, table),
            lease_under_pressure: pressure.and_then(|lease| self.lease_of("lease_under_pressure", lease)),
            via: via.with(relay, interface.map(text))?,
            pools: self.pools(name, table, gateway),
            reservations,
            rapid_commit: stated.and_then(|dhcp| dhcp.rapid_commit.as_ref()).is_some_and(|stated| stated.value),
            ipv6_only_wait: stated.and_then(|dhcp| dhcp.ipv6_only_wait.as_ref()).map(|wait| wait.value),
            captive_portal: stated.and_then(|dhcp| dhcp.captive_portal.as_ref()).map(text),
            shared_network: stated.and_then(|dhcp| dhcp.shared_network.as_ref()).map(text),
            options,
            at: table.pool.as_ref().and_then(|pool| pool.0.first()).map_or(&table.here, |pool| &pool.at).clone(),
        };
        Some(plan)
    }

    fn via(&mut self, name: &str, table: &VlanTable) -> Via {
        if let Some(via) = table.dhcp.as_ref().and_then(|dhcp| dhcp.via.as_ref()) {
            return via.value.clone();
        }
        let wanted = table.dhcp.is_some() || table.pool.is_some() || !table.reservations.is_empty();
        if table.kind.value == VlanKind::Management && !wanted {
            self.took(&format!("vlan.{name}.dhcp.via"), "none", "gear on a management VLAN has fixed addresses");
            return Via::None;
        }
        self.took(&format!("vlan.{name}.dhcp.via"), "relay", "the gateway relays to hotstage");
        Via::Relay
    }

    fn lease(&mut self, name: &str, table: &VlanTable) -> Duration {
        match table.dhcp.as_ref().and_then(|dhcp| dhcp.lease.as_ref()) {
            Some(lease) => self.lease_of("lease", lease).unwrap_or(LEASE),
            None => {
                let reason = "outlasts a talk and a walk, and frees the addresses of those who left";
                self.took(&format!("vlan.{name}.dhcp.lease"), "1h", reason);
                LEASE
            }
        }
    }

    /// A lease time that the server takes; a shorter one is refused.
    fn lease_of(&mut self, key: &str, lease: &At<Duration>) -> Option<Duration> {
        if lease.value < LEASE_MIN {
            let says = format!("`{key}` is shorter than ten seconds");
            self.problems.add(&lease.at, says, format!("write `{key} = \"1h\"`"));
            return None;
        }
        Some(lease.value)
    }

    fn pools(&mut self, name: &str, table: &VlanTable, gateway: Ipv4Addr) -> Vec<Pool> {
        if let Some(pool) = &table.pool {
            for range in &pool.0 {
                if let Some(class) = &range.value.class {
                    self.refer(&range.at, "class", class, "class", |names| &names.classes);
                }
            }
            let pool = |range: &At<crate::file::leaf::PoolRange>| Pool {
                first: range.value.range.0,
                last: range.value.range.1,
                class: range.value.class.clone(),
                at: range.at.clone(),
            };
            return table.pool.iter().flat_map(|pool| &pool.0).map(pool).collect();
        }
        let pools = default_pools(table.subnet.value, gateway);
        let shown = pools.iter().map(|(first, last)| format!("{first}-{last}")).collect::<Vec<_>>().join(", ");
        self.took(&format!("vlan.{name}.pool"), shown, "all hosts but the first 9 and the gateway");
        let pool = |(first, last)| Pool { first, last, class: None, at: table.here.clone() };
        pools.into_iter().map(pool).collect()
    }

    fn reservations(&mut self, table: &VlanTable, inventory: Option<&[Asset]>) -> Vec<Reservation> {
        let mut reservations = Vec::new();
        for own in &table.reservations {
            let options = self.options(&own.options);
            let Some(client) = self.client(own, inventory) else { continue };
            reservations.push(Reservation {
                client,
                asset: read(&own.asset).map(|tag| tag.value.0.clone()),
                address: own.address.value,
                name: own.name.as_ref().map(|name| name.value.0.clone()),
                options,
                at: own.here.clone(),
            });
        }
        reservations
    }

    /// Whose a reservation is: exactly one of the five keys says it.
    fn client(&mut self, own: &ReservationTable, inventory: Option<&[Asset]>) -> Option<ReservationClient> {
        let octets = |stated: &Option<Stated<At<Octets>>>| read(stated).map(|stated| stated.value.0.clone());
        let stated = [
            own.mac.is_some(),
            own.client_id.is_some(),
            own.circuit_id.is_some(),
            own.remote_id.is_some(),
            own.asset.is_some(),
        ];
        let count = stated.iter().filter(|stated| **stated).count();
        if count != 1 {
            let says = format!("a reservation says {count} times whose it is");
            let remedy = "write one of `mac`, `client_id`, `circuit_id`, `remote_id` and `asset`";
            self.problems.add(&own.here, says, remedy);
            return None;
        }
        let by_mac = read(&own.mac).map(|mac| ReservationClient::Mac(mac.value));
        let mut by_asset = || read(&own.asset).and_then(|tag| self.mac_of_asset(&tag.at, &tag.value.0, inventory));
        by_mac
            .or_else(|| octets(&own.client_id).map(ReservationClient::ClientId))
            .or_else(|| octets(&own.circuit_id).map(ReservationClient::CircuitId))
            .or_else(|| octets(&own.remote_id).map(ReservationClient::RemoteId))
            .or_else(|| by_asset().map(ReservationClient::Mac))
    }

    fn mac_of_asset(&mut self, at: &Place, tag: &str, inventory: Option<&[Asset]>) -> Option<Mac> {
        let Some(assets) = inventory else {
            let says = format!("`asset`: `{}` is named, but there is no `inventory.csv`", shown(tag));
            self.problems.add(at, says, "add the list, or write `mac`");
            return None;
        };
        let Some(asset) = assets.iter().find(|asset| asset.tag.eq_ignore_ascii_case(tag)) else {
            let says = format!("`asset`: the inventory has no `{}`", shown(tag));
            self.problems.add(at, says, did_you_mean(tag, assets.iter().map(|asset| asset.tag.as_str())));
            return None;
        };
        // A MAC address that could not be read has its problem already.
        if asset.mac.is_none() && !self.problems.is_about("inventory.csv") {
            let says = format!("`asset`: the inventory has no MAC address of `{}`", shown(tag));
            self.problems.add(at, says, format!("write it in column `mac` of {}", asset.at));
        }
        asset.mac
    }

    pub(super) fn dhcp_server(&mut self, table: Option<&DhcpServerTable>) -> DhcpServer {
        let limit = |stated: fn(&DhcpServerTable) -> &Option<At<u32>>| {
            table.and_then(|table| stated(table).as_ref()).map(|limit| limit.value)
        };
        let mut classes: Vec<DhcpClass> = Vec::new();
        for (name, class) in table.iter().flat_map(|table| &table.class) {
            classes.push(self.class(name, class));
        }
        // The file's order is the priority; a class that only the command line states comes last.
        classes.sort_by_key(|class| (class.at.line == 0, class.at.clone()));
        let ways = classes.iter().map(DhcpClass::ways).fold(0, usize::saturating_add);
        if let Some(class) = classes.get(CLASSES_MAX) {
            let says = format!("{} classes are more than the {CLASSES_MAX} that can be told apart", classes.len());
            self.problems.add(&class.at, says, "let one class list several values");
        } else if let (Some(class), true) = (classes.iter().max_by_key(|class| class.ways()), ways > WAYS_MAX) {
            let says = format!("the classes have {ways} combinations of values, {} of them here", class.ways());
            self.problems.add(&class.at, says, format!("list fewer values; {WAYS_MAX} are allowed"));
        }
        DhcpServer {
            classes,
            leases_per_circuit: limit(|table| &table.leases_per_circuit),
            offers_per_circuit: limit(|table| &table.offers_per_circuit),
            declines_per_circuit_per_hour: limit(|table| &table.declines_per_circuit_per_hour),
            leases_per_relay: limit(|table| &table.leases_per_relay),
            packets_per_source_per_second: limit(|table| &table.packets_per_source_per_second),
            leasequery_from: table
                .and_then(|table| table.leasequery_from.as_ref())
                .map(|senders| senders.0.iter().map(|sender| sender.value.0).collect())
                .unwrap_or_default(),
            conflict_probe: table.and_then(|table| table.conflict_probe.as_ref()).is_some_and(|probe| probe.value),
            at: table.map_or_else(|| Place::file("network.toml"), |table| table.here.clone()),
        }
    }

    fn class(&mut self, name: &str, table: &ClassTable) -> DhcpClass {
        self.refuse_odd_name("class", name, &table.here);
        DhcpClass {
            name: name.to_owned(),
            vendor_class: octets(table.vendor_class.as_ref()),
            user_class: octets(table.user_class.as_ref()),
            circuit_id: octets(table.circuit_id.as_ref()),
            remote_id: octets(table.remote_id.as_ref()),
            mac_prefix: prefixes(table.mac_prefix.as_ref()),
            parameter_list: octets(table.parameter_list.as_ref()),
            lease: table.lease.as_ref().and_then(|lease| self.lease_of("lease", lease)),
            options: self.options(&table.options),
            at: table.here.clone(),
        }
    }

    pub(super) fn ipv6(&mut self, table: &VlanTable) -> Option<Ipv6Plan> {
        let stated = table.ipv6.as_ref()?;
        let mode = stated.mode.as_ref().map_or(Ipv6Mode::Stateless, |mode| mode.value);
        if let (Some(pool), false) = (&stated.pool, mode == Ipv6Mode::Stateful) {
            let at = pool.0.first().map_or(&stated.here, |range| &range.at);
            let says = "`pool` is stated, but `mode` is not `stateful`";
            self.problems.add(at, says, "write `mode = \"stateful\"`");
        }
        if let (Some(own), false) = (stated.reservations.first(), mode == Ipv6Mode::Stateful) {
            let says = "addresses are reserved, but `mode` is not `stateful`";
            self.problems.add(&own.here, says, "write `mode = \"stateful\"`");
        }
        let reservations = stated.reservations.iter().filter_map(|own| self.ipv6_reservation(own)).collect();
        let of_v4 = table.dhcp.as_ref().and_then(|dhcp| dhcp.lease.as_ref()).map(|lease| lease.value);
        let lease = stated.lease.as_ref().and_then(|lease| self.lease_of("lease", lease));
        Some(Ipv6Plan {
            prefix: stated.prefix.value,
            mode,
            pools: stated.pool.iter().flat_map(|pool| &pool.0).map(|range| (range.value.0, range.value.1)).collect(),
            pref64: stated.pref64.as_ref().map(|prefix| prefix.value),
            name_servers: stated.name_servers.iter().flat_map(|many| &many.0).map(|server| server.value).collect(),
            router: stated.router.as_ref().map(|router| router.value),
            advertise: stated.advertise.as_ref().is_some_and(|advertise| advertise.value),
            lease: lease.or(of_v4).unwrap_or(LEASE),
            reservations,
            at: stated.here.clone(),
        })
    }

    fn ipv6_reservation(&mut self, own: &Ipv6ReservationTable) -> Option<Ipv6Reservation> {
        if own.duid.is_some() == own.mac.is_some() {
            let says = "a reservation says not once whose it is";
            self.problems.add(&own.here, says, "write either `duid` or `mac`");
            return None;
        }
        if let Some(duid) = read(&own.duid).filter(|duid| !(3..=130).contains(&duid.value.0.len())) {
            let says = format!("`duid` has {} octets, a DUID has 3 to 130", duid.value.0.len());
            self.problems.add(&duid.at, says, "write it in hexadecimal, e.g. `duid = \"hex:0003000102005e005301\"`");
            return None;
        }
        let by_duid = read(&own.duid).map(|duid| Ipv6ReservationClient::Duid(duid.value.0.clone()));
        Some(Ipv6Reservation {
            client: by_duid.or_else(|| read(&own.mac).map(|mac| Ipv6ReservationClient::Mac(mac.value)))?,
            address: own.address.value,
            name: own.name.as_ref().map(|name| name.value.0.clone()),
            at: own.here.clone(),
        })
    }
}

/// What could be read of what is stated.
fn read<T>(stated: &Option<Stated<T>>) -> Option<&T> {
    stated.as_ref().and_then(|stated| stated.0.as_ref())
}

fn octets(values: Option<&Many<Octets>>) -> Vec<Vec<u8>> {
    values.iter().flat_map(|values| &values.0).map(|octets| octets.value.0.clone()).collect()
}

fn prefixes(values: Option<&Many<MacPrefix>>) -> Vec<Vec<u8>> {
    values.iter().flat_map(|values| &values.0).map(|prefix| prefix.value.0.clone()).collect()
}

/// All hosts but the first 9 and the gateway; in a small subnet all but the gateway.
fn default_pools(subnet: Ipv4Net, gateway: Ipv4Addr) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let (network, broadcast) = (u32::from(subnet.network()), u32::from(subnet.broadcast()));
    let (low, last) = (network.saturating_add(1), broadcast.saturating_sub(1));
    let kept = if last.saturating_sub(low) > 2 * HOSTS_KEPT { HOSTS_KEPT } else { 0 };
    let first = low.saturating_add(kept);
    let gateway = u32::from(gateway);
    let ranges = if (first..=last).contains(&gateway) {
        vec![(first, gateway.saturating_sub(1)), (gateway.saturating_add(1), last)]
    } else {
        vec![(first, last)]
    };
    ranges.into_iter().filter(|(a, b)| a <= b).map(|(a, b)| (a.into(), b.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_pools_leave_room_for_gear_and_gateway() {
        let table = [
            ("10.10.0.0/23", "10.10.0.1", "10.10.0.10-10.10.1.254"),
            ("10.10.0.0/24", "10.10.0.254", "10.10.0.10-10.10.0.253"),
            ("10.10.0.0/24", "10.10.0.100", "10.10.0.10-10.10.0.99 10.10.0.101-10.10.0.254"),
            ("10.10.0.0/29", "10.10.0.1", "10.10.0.2-10.10.0.6"),
            ("0.0.0.0/0", "0.0.0.1", "0.0.0.10-255.255.255.254"),
        ];
        for (subnet, gateway, pools) in table {
            let found = default_pools(subnet.parse().unwrap(), gateway.parse().unwrap());
            let text: Vec<String> = found.iter().map(|(first, last)| format!("{first}-{last}")).collect();
            assert_eq!(text.join(" "), pools, "{subnet}");
        }
    }
}
