use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;
use model::{Place, SsidId, VlanName};

use super::Build;
use crate::{
    DhcpPlan, Reservation, Ssid, Tunnel, Uplink, VlanKind, VlanPlan,
    file::{
        leaf::Via,
        v1::{ReservationTable, SsidTable, TunnelTable, UplinkTable, VlanTable},
    },
};

/// VLANs that a plan may have.
const VLANS_MAX: usize = 4_094;

/// Lease time when the plan is silent.
const LEASE: Duration = Duration::from_secs(3_600);

/// Hosts at the start of a subnet that are kept for gear when the plan names no pool.
const HOSTS_KEPT: u32 = 9;

impl Build {
    pub(super) fn vlans(&mut self, tables: &BTreeMap<String, VlanTable>) -> BTreeMap<VlanName, VlanPlan> {
        if tables.len() > VLANS_MAX {
            self.problems.add(&Place::file("network.toml"), format!("more than {VLANS_MAX} VLANs"), "plan fewer");
        }
        let tables = tables.iter().take(VLANS_MAX);
        tables.map(|(name, table)| (name.as_str().into(), self.vlan(name, table))).collect()
    }

    fn vlan(&mut self, name: &str, table: &VlanTable) -> VlanPlan {
        self.refuse_odd_name("VLAN", name, &table.here);
        let subnet = table.subnet.value;
        let first = subnet.hosts().next().unwrap_or(subnet.addr());
        let reason = "the first host of the subnet";
        let gateway = self.or_default(table.gateway.as_ref(), &format!("vlan.{name}.gateway"), first, reason);
        if let Some(stated) = &table.gateway_device {
            self.refer(&stated.at, "gateway_device", &stated.value.0, "device", |names| &names.devices);
        }
        VlanPlan {
            name: name.into(),
            id: table.id.value,
            kind: table.kind.value,
            subnet,
            gateway,
            gateway_device: table.gateway_device.as_ref().map(|device| device.value.0.as_str().into()),
            dhcp: self.dhcp(name, table, gateway),
            at: table.here.clone(),
        }
    }

    fn dhcp(&mut self, name: &str, table: &VlanTable, gateway: Ipv4Addr) -> Option<DhcpPlan> {
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
        let via = via.with(relay, interface.map(|interface| interface.value.0.clone()))?;
        Some(DhcpPlan {
            lease: self.lease(name, table),
            via,
            pools: self.pools(name, table, gateway),
            reservations: table.reservations.iter().map(reservation).collect(),
            at: table.pool.as_ref().and_then(|pool| pool.0.first()).map_or(&table.here, |pool| &pool.at).clone(),
        })
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
            Some(lease) if lease.value < Duration::from_secs(10) => {
                self.problems.add(&lease.at, "`lease` is shorter than ten seconds", "write `lease = \"1h\"`");
                LEASE
            }
            Some(lease) => lease.value,
            None => {
                let reason = "outlasts a talk and a walk, and frees the addresses of those who left";
                self.took(&format!("vlan.{name}.dhcp.lease"), "1h", reason);
                LEASE
            }
        }
    }

    fn pools(&mut self, name: &str, table: &VlanTable, gateway: Ipv4Addr) -> Vec<(Ipv4Addr, Ipv4Addr)> {
        if let Some(pool) = &table.pool {
            return pool.0.iter().map(|range| (range.value.0, range.value.1)).collect();
        }
        let pools = default_pools(table.subnet.value, gateway);
        let shown = pools.iter().map(|(first, last)| format!("{first}-{last}")).collect::<Vec<_>>().join(", ");
        self.took(&format!("vlan.{name}.pool"), shown, "all hosts but the first 9 and the gateway");
        pools
    }

    pub(super) fn ssids(
        &mut self,
        tables: &BTreeMap<String, SsidTable>,
        vlans: &BTreeMap<VlanName, VlanPlan>,
    ) -> BTreeMap<SsidId, Ssid> {
        tables.iter().map(|(key, table)| (key.as_str().into(), self.ssid(key, table, vlans))).collect()
    }

    fn ssid(&mut self, key: &str, table: &SsidTable, vlans: &BTreeMap<VlanName, VlanPlan>) -> Ssid {
        self.refuse_odd_name("SSID", key, &table.here);
        let vlan = table.vlan.value.0.as_str();
        self.refer(&table.vlan.at, "vlan", vlan, "VLAN", |names| &names.vlans);
        let for_attendees = vlans.get(vlan).is_some_and(|vlan| vlan.kind == VlanKind::Attendee);
        let reason = if for_attendees { "strangers share this network" } else { "not a network of strangers" };
        let path = format!("ssid.{key}.isolation");
        let isolation = self.or_default(table.isolation.as_ref(), &path, for_attendees, reason);
        let name = table.name.as_ref().map_or(key, |name| &name.value.0).to_owned();
        if name.len() > 32 {
            let at = table.name.as_ref().map_or(&table.here, |name| &name.at);
            self.problems.add(at, "`name` of an SSID is longer than 32 octets", "shorten it (IEEE 802.11)");
        }
        Ssid {
            id: key.into(),
            name,
            passphrase: table.passphrase.as_ref().map(|secret| secret.value.clone()),
            vlan: vlan.into(),
            isolation,
            at: table.here.clone(),
        }
    }

    pub(super) fn tunnels(&mut self, tables: &BTreeMap<String, TunnelTable>) -> Vec<Tunnel> {
        let mut tunnels = Vec::new();
        for (name, table) in tables {
            self.refer(&table.from.at, "from", &table.from.value.0, "device", |names| &names.devices);
            self.refer(&table.to.at, "to", &table.to.value.0, "device", |names| &names.devices);
            tunnels.push(Tunnel {
                name: name.clone(),
                kind: table.kind.value.0.clone(),
                from: table.from.value.0.as_str().into(),
                to: table.to.value.0.as_str().into(),
                psk: table.psk.as_ref().map(|psk| psk.value.clone()),
                at: table.here.clone(),
            });
        }
        tunnels
    }

    pub(super) fn uplinks(&mut self, tables: &BTreeMap<String, UplinkTable>) -> Vec<Uplink> {
        let mut uplinks = Vec::new();
        for (name, table) in tables {
            self.refer(&table.device.at, "device", &table.device.value.0, "device", |names| &names.devices);
            uplinks.push(Uplink {
                name: name.clone(),
                device: table.device.value.0.as_str().into(),
                down_mbps: table.down_mbps.value,
                up_mbps: table.up_mbps.value,
                at: table.here.clone(),
            });
        }
        uplinks
    }
}

fn reservation(table: &ReservationTable) -> Reservation {
    Reservation {
        mac: table.mac.value,
        address: table.address.value,
        name: table.name.as_ref().map(|name| name.value.0.clone()),
        at: table.here.clone(),
    }
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
