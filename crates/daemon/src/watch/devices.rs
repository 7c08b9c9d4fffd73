//! Devices that do not answer, as conditions: where each is, and what explains it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use generate::WatchedPlace;
use model::{DeviceId, Severity};
use watch::{Condition, Reachability, Subject, TargetReport, Topology};

/// A device and those behind it are found to be down within a second or two of each other; only the first is told.
const DOWN_HOLD: Duration = Duration::from_secs(2);
/// Gear that is still being set up need not be told.
const UNSEEN_HOLD: Duration = Duration::from_secs(600);
/// Devices named in one sentence.
const NAMES_MAX: usize = 8;

/// What the plan says of devices.
pub(crate) struct DeviceConditions {
    pub(crate) topology: Topology,
    pub(crate) places: BTreeMap<DeviceId, WatchedPlace>,
    /// Name, the nearer end, the other.
    pub(crate) tunnels: Vec<(String, DeviceId, DeviceId)>,
}

impl DeviceConditions {
    /// Where a device is to be found.
    pub(crate) fn subject(&self, device: &DeviceId) -> Subject {
        let place = self.places.get(device).cloned().unwrap_or_default();
        Subject { device: Some(device.clone()), room: place.room, port: place.port }
    }

    /// What is wrong with the devices.
    pub(crate) fn conditions(&self, targets: &[TargetReport]) -> Vec<Condition> {
        let is_down = |report: &&TargetReport| matches!(report.reachability, Reachability::Down(_));
        let down: BTreeSet<&DeviceId> = targets.iter().filter(is_down).map(|report| &report.target.device).collect();
        let cause = |device: &DeviceId| self.topology.cause(device, |device| down.contains(device)).cloned();
        let mut behind: BTreeMap<DeviceId, usize> = BTreeMap::new();
        for cause in down.iter().filter_map(|device| cause(device)) {
            *behind.entry(cause).or_default() += 1;
        }
        let of_device = |report: &TargetReport| {
            let Reachability::Down(since) = report.reachability else { return None };
            let device = &report.target.device;
            let hidden_by = cause(device);
            let count = behind.get(device).copied().unwrap_or(0);
            Some(Condition { since: Some(since), hidden_by, ..self.down(report, count) })
        };
        let mut conditions: Vec<Condition> = targets.iter().filter_map(of_device).collect();
        for (name, near, far) in &self.tunnels {
            let is_up = |report: &TargetReport| matches!(report.reachability, Reachability::Up(_));
            let near_target = targets.iter().find(|report| report.target.device == *near);
            // The nearer end may be the services' own device, which is not asked.
            if down.contains(far) && near_target.is_none_or(is_up) {
                let of_far = conditions.iter_mut().find(|condition| condition.subject.device.as_ref() == Some(far));
                let Some(condition) = of_far.filter(|condition| condition.hidden_by.is_none()) else { continue };
                condition.rule = "tunnel-down".to_owned();
                condition.place = format!("tunnel {name}");
                condition.says = format!("the tunnel {name} is down: {far} does not answer");
                condition.cause = "the line between the sites, or the key of the tunnel".to_owned();
                condition.remedy = format!("look at the tunnel on {near}, at its line and at the other end's firewall");
            }
        }
        conditions.extend(self.unseen(targets));
        conditions
    }

    fn down(&self, report: &TargetReport, behind: usize) -> Condition {
        let device = &report.target.device;
        let subject = self.subject(device);
        let room = subject.room.as_ref().map(|room| format!(" in room {room}")).unwrap_or_default();
        let cause = match behind {
            0 => "its power, its cable or its port".to_owned(),
            1 => "its power or its uplink; a device behind it does not answer either".to_owned(),
            _ => format!("its power or its uplink; {behind} devices behind it do not answer either"),
        };
        let remedy = match &subject.port {
            Some(port) => format!("look at the lamp of {port}, then at the power of {device}; then swap the cable"),
            None => format!("look at the power and the cable of {device}"),
        };
        Condition {
            rule: "device-down".to_owned(),
            place: format!("device {device}"),
            severity: Severity::Error,
            says: format!("{device} ({}){room} does not answer", report.target.address),
            subject,
            cause,
            remedy,
            remedy_for_operators: None,
            since: None,
            hold: DOWN_HOLD,
            calm: Duration::ZERO,
            hidden_by: None,
        }
    }

    /// Devices that never answered, once others do: before, it is we who are not connected.
    fn unseen(&self, targets: &[TargetReport]) -> Option<Condition> {
        if !targets.iter().any(|report| matches!(report.reachability, Reachability::Up(_))) {
            return None;
        }
        let unseen = targets.iter().filter(|report| report.reachability == Reachability::Unseen);
        let names: Vec<&str> = unseen.map(|report| report.target.device.as_str()).collect();
        if names.is_empty() {
            return None;
        }
        let shown = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = if names.len() > NAMES_MAX { ", ..." } else { "" };
        Some(Condition {
            rule: "devices-unseen".to_owned(),
            place: "plan".to_owned(),
            severity: Severity::Info,
            subject: Subject::default(),
            says: format!("{} of {} planned devices have not answered yet: {shown}{more}", names.len(), targets.len()),
            cause: "not set up yet, another address than planned, or a firewall that drops echoes".to_owned(),
            remedy: "compare their addresses with the plan, or make them `role = \"spare\"`".to_owned(),
            remedy_for_operators: None,
            since: None,
            hold: UNSEEN_HOLD,
            calm: Duration::ZERO,
            hidden_by: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use watch::{Target, WindowSummary};

    use super::*;

    fn check(states: &[(&str, Reachability)], expected: &[(&str, Option<&str>)]) {
        let links = [("ap", "access"), ("access", "core"), ("core", "edge")];
        let devices = DeviceConditions {
            topology: Topology::new(links.map(|(child, parent)| (child.into(), parent.into()))),
            places: BTreeMap::new(),
            tunnels: vec![("wan".to_owned(), "edge".into(), "cloud".into())],
        };
        let report = |(device, reachability): &(&str, Reachability)| TargetReport {
            target: Target { device: (*device).into(), address: [192, 0, 2, 1].into(), was_seen: false },
            reachability: *reachability,
            window: WindowSummary::default(),
        };
        let found = devices.conditions(&states.iter().map(report).collect::<Vec<_>>());
        let found: Vec<_> =
            found.iter().map(|c| (c.place.as_str(), c.hidden_by.as_ref().map(DeviceId::as_str))).collect();
        assert_eq!(found, expected, "{states:?}");
    }

    #[test]
    fn a_parent_hides_its_children_and_the_unseen_are_told_together() {
        let (up, down) = (Reachability::Up(Timestamp::EPOCH), Reachability::Down(Timestamp::EPOCH));
        let unseen = Reachability::Unseen;
        check(&[("ap", up), ("access", up)], &[]);
        check(&[("ap", down), ("access", up)], &[("device ap", None)]);
        check(
            &[("ap", down), ("access", down), ("core", down), ("edge", up)],
            &[("device ap", Some("core")), ("device access", Some("core")), ("device core", None)],
        );
        check(&[("cloud", down), ("edge", up)], &[("tunnel wan", None)]);
        check(&[("cloud", down), ("edge", down)], &[("device cloud", None), ("device edge", None)]);
        check(&[("ap", unseen), ("access", unseen)], &[]);
        check(&[("ap", unseen), ("access", up)], &[("plan", None)]);
    }
}
