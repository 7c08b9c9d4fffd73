use std::collections::BTreeMap;

use model::{Place, SsidId, VlanName};

use super::Build;
use crate::{
    Asset, Ssid, Tunnel, Uplink, VlanKind, VlanPlan,
    file::v1::{SsidTable, TunnelTable, UplinkTable, VlanTable},
};

/// VLANs that a plan may have.
const VLANS_MAX: usize = 4_094;

impl Build {
    pub(super) fn vlans(
        &mut self,
        tables: &BTreeMap<String, VlanTable>,
        inventory: Option<&[Asset]>,
    ) -> BTreeMap<VlanName, VlanPlan> {
        if tables.len() > VLANS_MAX {
            self.problems.add(&Place::file("network.toml"), format!("more than {VLANS_MAX} VLANs"), "plan fewer");
        }
        let tables = tables.iter().take(VLANS_MAX);
        tables.map(|(name, table)| (name.as_str().into(), self.vlan(name, table, inventory))).collect()
    }

    fn vlan(&mut self, name: &str, table: &VlanTable, inventory: Option<&[Asset]>) -> VlanPlan {
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
            dhcp: self.dhcp(name, table, gateway, inventory),
            ipv6: self.ipv6(table),
            at: table.here.clone(),
        }
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
