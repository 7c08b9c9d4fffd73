//! What stands otherwise than planned, as conditions. Compared every few seconds: cables do not move faster.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{DeviceId, Mac, PortRef, Timestamp};
use watch::{Condition, Drift, Observed, PlannedSite, Reachability, Subject, TargetReport, drift, locate};

use super::{AgentViews, DeviceConditions};

/// Time between comparisons.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A cable that is being moved is no drift yet.
const DRIFT_HOLD: Duration = Duration::from_secs(5);

/// Compares agents with the plan.
#[derive(Default)]
pub(crate) struct DriftLook {
    planned: PlannedSite,
    looked: Option<Timestamp>,
    observed: BTreeMap<DeviceId, Observed>,
    found: Vec<Condition>,
}

impl DriftLook {
    pub(crate) fn new(planned: PlannedSite) -> Self {
        Self { planned, ..Self::default() }
    }

    /// What is different at `now`.
    pub(crate) fn conditions(
        &mut self,
        now: Timestamp,
        devices: &DeviceConditions,
        agents: &AgentViews,
        targets: &[TargetReport],
    ) -> Vec<Condition> {
        // A clock that was set back looks again.
        if self.looked.is_some_and(|looked| looked <= now && now.since(looked) < LOOK_INTERVAL) {
            return self.found.clone();
        }
        self.looked = Some(now);
        let is_up = |report: &&TargetReport| matches!(report.reachability, Reachability::Up(_));
        let answering: BTreeSet<DeviceId> =
            targets.iter().filter(is_up).map(|report| report.target.device.clone()).collect();
        let watched = targets.iter().map(|report| report.target.device.clone()).collect();
        // What a device that is gone said last is no longer so.
        let current = agents.iter().filter(|(device, _)| {
            !targets
                .iter()
                .any(|report| report.target.device == **device && matches!(report.reachability, Reachability::Down(_)))
        });
        self.observed = current.filter_map(|(device, view)| Some((device.clone(), view.observed.clone()?))).collect();
        let found = drift(&self.planned, &self.observed, &answering, &watched);
        self.found = found.into_iter().map(|drift| condition(devices, drift)).collect();
        self.found.clone()
    }

    /// The port at which an address was learned.
    pub(crate) fn locate(&self, mac: Mac) -> Option<PortRef> {
        locate(&self.planned, &self.observed, mac)
    }
}

fn condition(devices: &DeviceConditions, drift: Drift) -> Condition {
    let place = match &drift.port {
        Some(port) => format!("port {}:{port}", drift.device),
        None => format!("device {}", drift.device),
    };
    let place = if drift.about.is_empty() { place } else { format!("{place} {}", drift.about) };
    let subject = devices.subject(&drift.device);
    let port = drift.port.map(|port| PortRef { device: drift.device.clone(), port });
    Condition {
        rule: drift.code.to_owned(),
        place,
        severity: drift.severity,
        subject: Subject { port: port.or(subject.port), ..subject },
        says: drift.says,
        cause: drift.cause.to_owned(),
        remedy: drift.remedy,
        remedy_for_operators: drift.remedy_for_operators,
        since: None,
        hold: DRIFT_HOLD,
        calm: Duration::ZERO,
        hidden_by: None,
    }
}
