//! What SNMP agents say that is wrong, and the figures of theirs that rules look at.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{DeviceId, PortRef, Severity, Timestamp};
use watch::{Condition, PortReport, Reachability, Reading, Subject, TargetReport, is_same_port};

use super::{DeviceConditions, TrapKind, TrapView, snmp_service::AgentView};

/// Link changes within ten minutes that are too many.
const CHANGES_MAX: usize = 6;
/// Polls that an agent may miss.
const POLLS_MISSED_MAX: u32 = 3;
/// A wrong speed or duplex may be a moment of negotiation.
const LINK_HOLD: Duration = Duration::from_secs(15);
/// A trap tells of a moment; it is listed for so long.
const TRAP_SPAN: Duration = Duration::from_secs(300);

/// What the plan expects of agents.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlannedPorts {
    /// Mb/s that a planned link can do, by the port at either end.
    pub(crate) speeds_mbps: BTreeMap<PortRef, u32>,
    /// Time between polls.
    pub(crate) interval: Duration,
}

/// What is known of all agents.
pub(crate) type AgentViews = BTreeMap<DeviceId, Arc<AgentView>>;

/// What is wrong.
pub(crate) fn of_agents(
    now: Timestamp,
    devices: &DeviceConditions,
    planned: &PlannedPorts,
    agents: &AgentViews,
    targets: &[TargetReport],
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (device, view) in agents {
        conditions.extend(silent(now, devices, planned, device, view, targets));
        for port in &view.ports {
            conditions.extend(slow(devices, planned, device, port));
            conditions.extend(half_duplex(devices, device, port));
            conditions.extend(flapping(devices, device, port));
        }
    }
    conditions
}

/// Figures of planned links, and of devices.
pub(crate) fn agent_readings(devices: &DeviceConditions, planned: &PlannedPorts, agents: &AgentViews) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (device, view) in agents {
        let mut add = |metric, name: String, subject, value: Option<f64>| {
            readings.extend(value.map(|value| Reading { metric, name, subject, value }));
        };
        let subject = || devices.subject(device);
        add("temperature_celsius", device.to_string(), subject(), view.celsius_max);
        let poe = view.poe_watts.map(|(drawn, budget)| drawn * 100.0 / budget);
        add("poe_used_percent", device.to_string(), subject(), poe);
        for (metric, of, value) in named_figures(devices, device, view) {
            let subject = if *metric == "napt_entries" { subject() } else { devices.subject(&of.as_str().into()) };
            add(*metric, of, subject, Some(*value));
        }
        for (reference, port) in planned_ports(planned, device, view) {
            let subject = || Subject { port: Some(reference.clone()), ..devices.subject(device) };
            let name = || reference.to_string();
            add("port_in_mbps", name(), subject(), port.in_bps.map(|bps| bps / 1e6));
            add("port_out_mbps", name(), subject(), port.out_bps.map(|bps| bps / 1e6));
            add("port_errors_per_second", name(), subject(), port.errors_per_second);
            let most = port.in_bps.zip(port.out_bps).map(|(a, b)| a.max(b));
            let used = most.filter(|_| port.speed_mbps > 0).map(|bps| bps / 1e4 / f64::from(port.speed_mbps));
            add("port_used_percent", name(), subject(), used);
        }
    }
    readings
}

/// What an agent measures, with the names that everybody uses: the device, its interface, or an access point of the
/// plan. What a controller says of others is left out: the number of names is the plan's.
pub(crate) fn named_figures<'a>(
    devices: &'a DeviceConditions,
    device: &'a DeviceId,
    view: &'a AgentView,
) -> impl Iterator<Item = (&'a &'static str, String, &'a f64)> {
    view.figures.iter().filter_map(move |(metric, of, value)| {
        let name = match *metric {
            "napt_entries" => format!("{device}:{of}"),
            _ if of.is_empty() => device.to_string(),
            _ => devices.places.keys().find(|known| known.as_str().eq_ignore_ascii_case(of))?.to_string(),
        };
        Some((metric, name, value))
    })
}

/// What devices have said of themselves by traps.
pub(crate) fn of_traps(now: Timestamp, devices: &DeviceConditions, traps: &TrapView) -> Vec<Condition> {
    let recent = traps.last.iter().filter(|(_, at)| now.since(**at) < TRAP_SPAN);
    let told = recent.filter_map(|((device, kind), at)| {
        let (code, says, cause, remedy) = match kind {
            TrapKind::AuthenticationFailure => (
                "snmp-authentication-failure",
                format!("somebody asks {device} by SNMP with a wrong community or password"),
                "another monitoring system with old settings, or somebody who tries",
                format!("find who asks in the log of {device}, and let it answer the management network only"),
            ),
            TrapKind::Start => (
                "device-restarted",
                format!("{device} has restarted"),
                "power was lost, somebody restarted it, or it crashed",
                format!("look at the power of {device} and at its log"),
            ),
            TrapKind::LinkDown | TrapKind::LinkUp | TrapKind::Other => return None,
        };
        let condition = condition(code, format!("device {device}"), says, &remedy, Duration::ZERO);
        Some(Condition { subject: devices.subject(device), cause: cause.to_owned(), since: Some(*at), ..condition })
    });
    told.collect()
}

/// The ports of a device that a planned link ends at, by the plan's name.
pub(crate) fn planned_ports<'a>(
    planned: &'a PlannedPorts,
    device: &'a DeviceId,
    view: &'a AgentView,
) -> impl Iterator<Item = (&'a PortRef, &'a PortReport)> {
    let of_device = planned.speeds_mbps.keys().filter(move |reference| reference.device == *device);
    of_device.filter_map(|reference| {
        let port = view.ports.iter().find(|port| is_same_port(&port.name, &reference.port))?;
        Some((reference, port))
    })
}

/// It answered once, its device answers echoes, and it no longer does.
fn silent(
    now: Timestamp,
    devices: &DeviceConditions,
    planned: &PlannedPorts,
    device: &DeviceId,
    view: &AgentView,
    targets: &[TargetReport],
) -> Option<Condition> {
    let answered = view.answered.filter(|at| now.since(*at) > planned.interval * (POLLS_MISSED_MAX + 1))?;
    let is_up = |report: &TargetReport| matches!(report.reachability, Reachability::Up(_));
    targets.iter().find(|report| report.target.device == *device).filter(|report| is_up(report))?;
    let says = format!("{device} answers echoes and no longer SNMP");
    let remedy = format!("look at the load of {device}, its community or user, and who may ask it");
    let condition = condition("snmp-silent", format!("device {device}"), says, &remedy, Duration::ZERO);
    Some(Condition {
        subject: devices.subject(device),
        cause: "it is busy, was restarted without its configuration, or filters us".to_owned(),
        since: Some(answered),
        ..condition
    })
}

fn slow(devices: &DeviceConditions, planned: &PlannedPorts, device: &DeviceId, port: &PortReport) -> Option<Condition> {
    let is_this = |reference: &PortRef| reference.device == *device && is_same_port(&reference.port, &port.name);
    let (_, wanted) = planned.speeds_mbps.iter().find(|(reference, _)| is_this(reference))?;
    if !port.is_up || port.speed_mbps == 0 || port.speed_mbps >= *wanted {
        return None;
    }
    let says = format!("{device}:{} runs at {} Mb/s, planned {wanted} Mb/s", port.name, port.speed_mbps);
    let remedy = "swap the cable, then compare the speed settings of both ends";
    let condition = condition("port-slow", place(device, port), says, remedy, LINK_HOLD);
    let cause = "a cable with a broken pair, or a fixed speed at one end".to_owned();
    Some(Condition { subject: subject(devices, device, port), cause, ..condition })
}

fn half_duplex(devices: &DeviceConditions, device: &DeviceId, port: &PortReport) -> Option<Condition> {
    if !port.is_half_duplex {
        return None;
    }
    let says = format!("{device}:{} is half duplex", port.name);
    let remedy = "let both ends negotiate, or fix both to the same speed and full duplex";
    let condition = condition("port-half-duplex", place(device, port), says, remedy, LINK_HOLD);
    let cause = "one end negotiates and the other is fixed".to_owned();
    Some(Condition { subject: subject(devices, device, port), cause, ..condition })
}

fn flapping(devices: &DeviceConditions, device: &DeviceId, port: &PortReport) -> Option<Condition> {
    if port.changes < CHANGES_MAX {
        return None;
    }
    let says = format!("the link of {device}:{} came and went {} times in ten minutes", port.name, port.changes);
    let remedy = "swap the cable or the SFP; shut the port if nobody needs it";
    let condition = condition("port-flapping", place(device, port), says, remedy, Duration::ZERO);
    let cause = "a bad cable or plug, too little PoE, or a device that restarts".to_owned();
    Some(Condition { subject: subject(devices, device, port), cause, ..condition })
}

fn place(device: &DeviceId, port: &PortReport) -> String {
    format!("port {device}:{}", port.name)
}

fn subject(devices: &DeviceConditions, device: &DeviceId, port: &PortReport) -> Subject {
    let port = PortRef { device: device.clone(), port: port.name.clone() };
    Subject { port: Some(port), ..devices.subject(device) }
}

fn condition(code: &str, place: String, says: String, remedy: &str, hold: Duration) -> Condition {
    Condition {
        rule: code.to_owned(),
        place,
        severity: Severity::Warning,
        subject: Subject::default(),
        says,
        cause: String::new(),
        remedy: remedy.to_owned(),
        remedy_for_operators: None,
        since: None,
        hold,
        calm: Duration::ZERO,
        hidden_by: None,
    }
}

#[cfg(test)]
mod tests {
    use watch::{Target, Topology, WindowSummary};

    use super::*;

    fn check(port: PortReport, expected: &[&str]) {
        let planned = PlannedPorts {
            speeds_mbps: [(PortRef { device: "sw".into(), port: "gi1".to_owned() }, 1_000)].into(),
            interval: Duration::from_secs(10),
        };
        let devices = DeviceConditions { topology: Topology::default(), places: BTreeMap::new(), tunnels: Vec::new() };
        let answered = Some(Timestamp::from_secs(0));
        let view = AgentView { answered, ports: vec![port], ..AgentView::default() };
        let agents = [("sw".into(), Arc::new(view))].into();
        let target = Target { device: "sw".into(), address: [192, 0, 2, 1].into(), was_seen: false };
        let reachability = Reachability::Up(Timestamp::EPOCH);
        let targets = [TargetReport { target, reachability, window: WindowSummary::default() }];
        let now = Timestamp::from_secs(40);
        let found = of_agents(now, &devices, &planned, &agents, &targets);
        assert_eq!(found.iter().map(|one| one.says.as_str()).collect::<Vec<_>>(), expected);
        let later = of_agents(now + Duration::from_secs(1), &devices, &planned, &agents, &targets);
        assert_eq!(later[0].rule, "snmp-silent");
        let down = of_agents(now + Duration::from_secs(1), &devices, &planned, &agents, &[]);
        assert!(down.iter().all(|one| one.rule != "snmp-silent"), "its device has an alert of its own");
    }

    #[test]
    fn links_that_are_slower_than_planned_or_restless() {
        let port = PortReport { name: "Gi1".to_owned(), is_up: true, speed_mbps: 1_000, ..PortReport::default() };
        check(port.clone(), &[]);
        let slow = PortReport { speed_mbps: 100, ..port.clone() };
        check(slow.clone(), &["sw:Gi1 runs at 100 Mb/s, planned 1000 Mb/s"]);
        check(PortReport { is_up: false, ..slow.clone() }, &[]);
        check(PortReport { name: "Gi2".to_owned(), ..slow }, &[]);
        check(PortReport { speed_mbps: 0, ..port.clone() }, &[]);
        check(PortReport { is_half_duplex: true, ..port.clone() }, &["sw:Gi1 is half duplex"]);
        check(PortReport { changes: 6, ..port }, &["the link of sw:Gi1 came and went 6 times in ten minutes"]);
    }
}
