//! Whose flows are counted.

use std::collections::BTreeMap;

use model::DeviceId;

use super::Build;
use crate::{
    Device, Flows,
    file::{leaf::Text, shape::Many, v1::FlowsTable},
};

impl Build {
    pub(super) fn flows(&mut self, table: Option<&FlowsTable>, devices: &BTreeMap<DeviceId, Device>) -> Flows {
        let Some(table) = table else { return Flows::default() };
        Flows {
            exporters: table.exporters.as_ref().map(|names| self.addressed("exporters", names, devices)),
            allow: table.allow.iter().flat_map(|many| &many.0).map(|net| net.value.0).collect(),
            streamers: table
                .streamers
                .as_ref()
                .map(|names| self.addressed("streamers", names, devices))
                .unwrap_or_default(),
        }
    }

    /// Devices that are told by their address, so they need one.
    fn addressed(&mut self, what: &str, names: &Many<Text>, devices: &BTreeMap<DeviceId, Device>) -> Vec<DeviceId> {
        let mut known = Vec::new();
        for name in &names.0 {
            self.refer(&name.at, what, &name.value.0, "device", |names| &names.devices);
            let id: DeviceId = name.value.0.as_str().into();
            let Some(device) = devices.get(&id) else { continue };
            if device.address.is_none() {
                let says = format!("`{what}`: device `{id}` has no `address`, by which its traffic could be told");
                self.problems.add(&name.at, says, format!("give `[device.{id}]` an `address`, or remove it here"));
                continue;
            }
            known.push(id);
        }
        known
    }
}
