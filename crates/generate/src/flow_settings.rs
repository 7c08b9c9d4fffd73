//! Whose flows are counted, and by what networks.

use std::net::IpAddr;

use flow::{CollectorSettings, Exporter, Network};
use ipnet::IpNet;
use model::DeviceId;
use plan::{Plan, VlanKind};

pub(crate) fn flow_settings(plan: &Plan) -> CollectorSettings {
    let flows = &plan.services.flows;
    let address = |id: &DeviceId| plan.devices.get(id)?.address.map(IpAddr::V4);
    let exporters = match &flows.exporters {
        Some(stated) => stated.clone(),
        None => plan.devices.keys().cloned().collect(),
    };
    let network = |vlan: &plan::VlanPlan| Network {
        name: vlan.name.as_str().to_owned(),
        vlan: vlan.id.0,
        prefixes: [Some(IpNet::V4(vlan.subnet)), vlan.ipv6.as_ref().map(|ipv6| IpNet::V6(ipv6.prefix))]
            .into_iter()
            .flatten()
            .collect(),
        has_clients: vlan.kind != VlanKind::Management,
    };
    CollectorSettings {
        exporters: exporters
            .into_iter()
            .filter_map(|device| Some(Exporter { address: address(&device)?, device }))
            .collect(),
        allow: flows.allow.clone(),
        networks: plan.vlans.values().map(network).collect(),
        streamers: flows.streamers.iter().filter_map(address).collect(),
    }
}
