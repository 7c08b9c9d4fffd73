use std::collections::BTreeMap;

use model::{DeviceId, HostName, SsidId, VlanName};

use super::Build;
use crate::{
    Channel, Device, PortPlan, Role, Ssid, VlanPlan,
    catalogue::{self, DeviceKind, DeviceModel},
    file::{
        leaf::parse_band,
        v1::{DeviceTable, Document, ModelTable, PortTable},
    },
    problem::{did_you_mean, shown},
};

impl Build {
    pub(super) fn devices(
        &mut self,
        shape: &Document,
        vlans: &BTreeMap<VlanName, VlanPlan>,
        ssids: &BTreeMap<SsidId, Ssid>,
    ) -> BTreeMap<DeviceId, Device> {
        let mut models: BTreeMap<String, DeviceModel> =
            catalogue::builtin().into_iter().map(|model| (model.name.clone(), model)).collect();
        for (name, table) in &shape.model {
            models.insert(name.clone(), self.own_model(name, table));
        }
        let mut devices = BTreeMap::new();
        for (id, table) in &shape.device {
            self.refuse_odd_device(id, table);
            self.device_references(table);
            let channels = self.channels(table);
            let ports = table.ports.iter().map(|(port, plan)| (port.clone(), self.port(plan))).collect();
            if let Some(model) = self.model(&models, table) {
                devices.insert(id.as_str().into(), device(id, table, model, vlans, ssids, channels, ports));
            }
        }
        devices
    }

    fn own_model(&mut self, name: &str, table: &ModelTable) -> DeviceModel {
        let kind = table.kind.value;
        let mut ports = Vec::new();
        for port in &table.ports {
            ports.extend(catalogue::ports(
                &port.name.value.0,
                port.speed_mbps.as_ref().map_or(1_000, |speed| speed.value),
                port.poe.as_ref().map(|poe| poe.value),
                port.fibre.as_ref().is_some_and(|fibre| fibre.value),
            ));
            if ports.len() > catalogue::PORTS_MAX {
                let says = format!("model `{}` has more than {} ports", shown(name), catalogue::PORTS_MAX);
                self.problems.add(&table.here, says, "state fewer");
                break;
            }
        }
        let sends = kind == DeviceKind::AccessPoint;
        DeviceModel {
            name: name.into(),
            kind,
            ports,
            poe_budget_w: table.poe_budget_w.as_ref().map_or(0.0, |watts| watts.value),
            poe_draw_w: table.poe_draw_w.as_ref().map_or(0.0, |watts| watts.value),
            power_w: table.power_w.as_ref().map_or(0.0, |watts| watts.value),
            radios: table.radios.as_ref().map_or(if sends { 2 } else { 0 }, |radios| radios.value),
            clients_max: table.clients_max.as_ref().map_or(if sends { 60 } else { 0 }, |clients| clients.value),
            dhcp_relay: table.dhcp_relay.as_ref().map_or(kind == DeviceKind::Router, |relay| relay.value),
        }
    }

    fn refuse_odd_device(&mut self, id: &str, table: &DeviceTable) {
        if HostName::sanitise(id.as_bytes()).is_none_or(|name| name.as_str() != id.to_ascii_lowercase()) {
            let says = format!("device `{}` has a name that is not a DNS label", shown(id));
            self.problems.add(&table.here, says, "use letters, digits and `-`, at most 63");
        }
    }

    fn model(&mut self, models: &BTreeMap<String, DeviceModel>, table: &DeviceTable) -> Option<DeviceModel> {
        let name = table.model.value.0.as_str();
        if let Some(model) = models.get(name) {
            return Some(model.clone());
        }
        // A model whose own table could not be read has its problem already.
        if !self.names.models.contains(name) {
            let remedy = did_you_mean(name, models.keys().map(String::as_str));
            let remedy = format!("{remedy} Otherwise describe it in `[model.{}]`", shown(name));
            self.problems.add(&table.model.at, format!("`model`: there is no model `{}`", shown(name)), remedy);
        }
        None
    }

    fn device_references(&mut self, table: &DeviceTable) {
        if let Some(room) = &table.room {
            self.refer(&room.at, "room", &room.value.0, "room", |names| &names.rooms);
        }
        if let Some(site) = &table.site {
            self.refer(&site.at, "site", &site.value.0, "site", |names| &names.sites);
        }
        if let Some(vlan) = &table.vlan {
            self.refer(&vlan.at, "vlan", &vlan.value.0, "VLAN", |names| &names.vlans);
        }
        for ssid in table.ssids.iter().flat_map(|ssids| &ssids.0) {
            self.refer(&ssid.at, "ssids", &ssid.value.0, "SSID", |names| &names.ssids);
        }
        if let Some(port) = &table.connects {
            self.refer(&port.at, "connects", port.value.device.as_str(), "device", |names| &names.devices);
        }
    }

    fn channels(&mut self, table: &DeviceTable) -> Vec<Channel> {
        let mut channels = Vec::new();
        for (key, channel) in &table.channels {
            match parse_band(key) {
                Some(band) => channels.push(channel.value.in_band(band)),
                None => {
                    let remedy = did_you_mean(key, ["2.4GHz", "5GHz", "6GHz"]);
                    self.problems.add(&channel.at, format!("`channels`: `{}` is not a band", shown(key)), remedy);
                }
            }
        }
        channels
    }

    fn port(&mut self, table: &PortTable) -> PortPlan {
        let tagged = table.tagged.as_ref().map(|tagged| tagged.0.as_slice());
        for vlan in table.untagged.iter().chain(tagged.unwrap_or_default()) {
            self.refer(&vlan.at, "ports", &vlan.value.0, "VLAN", |names| &names.vlans);
        }
        PortPlan {
            untagged: table.untagged.as_ref().map(|vlan| vlan.value.0.as_str().into()),
            tagged: tagged.map(|tagged| tagged.iter().map(|vlan| vlan.value.0.as_str().into()).collect()),
            at: table.here.clone(),
        }
    }
}

fn device(
    id: &str,
    table: &DeviceTable,
    model: DeviceModel,
    vlans: &BTreeMap<VlanName, VlanPlan>,
    ssids: &BTreeMap<SsidId, Ssid>,
    channels: Vec<Channel>,
    ports: BTreeMap<String, PortPlan>,
) -> Device {
    let role = table.role.as_ref().map_or(role_of(model.kind), |role| role.value);
    let address = table.address.as_ref().map(|address| address.value);
    let vlan = table.vlan.as_ref().map(|vlan| vlan.value.0.as_str().into()).or_else(|| {
        let holds = |vlan: &&VlanPlan| address.is_some_and(|address| vlan.subnet.contains(&address));
        vlans.values().find(holds).map(|vlan| vlan.name.clone())
    });
    let sent = match &table.ssids {
        Some(stated) => stated.0.iter().map(|ssid| ssid.value.0.as_str().into()).collect(),
        None if role == Role::AccessPoint => ssids.keys().cloned().collect(),
        None => Vec::new(),
    };
    Device {
        id: id.into(),
        room: table.room.as_ref().map(|room| room.value.0.as_str().into()),
        site: table.site.as_ref().map_or("venue", |site| &site.value.0).into(),
        role,
        address,
        vlan,
        ssids: sent,
        channels,
        ports,
        connects: table.connects.as_ref().map(|port| port.value.clone()),
        spanning_tree: table.stp.as_ref().map_or(model.kind == DeviceKind::Switch, |stp| stp.value),
        clients_max: table.clients_max.as_ref().map_or(model.clients_max, |clients| clients.value),
        model,
        at: table.here.clone(),
    }
}

fn role_of(kind: DeviceKind) -> Role {
    match kind {
        DeviceKind::Router => Role::Edge,
        DeviceKind::Switch => Role::Access,
        DeviceKind::AccessPoint => Role::AccessPoint,
        DeviceKind::Injector => Role::Injector,
        DeviceKind::Server => Role::Server,
    }
}
