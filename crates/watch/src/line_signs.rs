//! What devices say of themselves in their logs, as conditions: links of the plan that went down, power that was taken
//! away, loops, sign-ins that failed, clocks that are wrong.
//!
//! Only devices and ports of the plan count; whatever else claims to be one of them is not remembered.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use model::{DeviceId, PortRef, Severity, Timestamp};

use crate::alert::{Condition, Subject};

/// A link that is back within this was a plug being moved; and echoes find out first what hangs on it.
const LINK_HOLD: Duration = Duration::from_secs(6);
/// When the far end answers echoes so long after its link went down, the link is up and the line that said so is lost.
const LINK_DISPROVED: Duration = Duration::from_secs(30);
/// Nobody believes a line for longer.
const SIGN_MAX: Duration = Duration::from_secs(12 * 3_600);
/// A sign of a loop counts for so long.
const LOOP_CALM: Duration = Duration::from_secs(60);
/// Changes and sign-ins are counted over this time.
const MINUTE: Duration = Duration::from_secs(60);
const TREE_CHANGES_MAX: usize = 10;
const LOGINS_FAILED_MAX: usize = 5;
/// Moments remembered for either.
const MOMENTS_MAX: usize = 100;
/// Seconds by which a clock may be wrong, how often it is looked at before it is told, and how long a look counts.
const CLOCK_WRONG_SECS: i64 = 5;
const CLOCK_LOOKS_MIN: u32 = 3;
const CLOCK_HOLD: Duration = Duration::from_secs(30);
const CLOCK_LOOK_MAX: Duration = Duration::from_secs(3_600);
/// Time zones differ by quarters of an hour.
const ZONE_STEP_SECS: i64 = 900;

/// What a line says, as far as it counts here. Ports in the device's own spelling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineSign {
    /// A link is up.
    LinkUp(String),
    /// A link is down.
    LinkDown(String),
    /// A port gives power.
    PowerGiven(String),
    /// A port no longer gives power, or refuses to.
    PowerLost(String),
    /// There is a loop, or a guard has found one.
    Loop(Option<String>),
    /// The spanning tree has changed.
    TreeChanged,
    /// A sign-in has failed.
    LoginFailed,
}

/// A link of the plan, seen from one end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedLink {
    /// This end.
    pub port: PortRef,
    /// The device at the other end, injectors passed over.
    pub to: DeviceId,
}

#[derive(Default)]
struct Device {
    links: Vec<Link>,
    looped: Option<(Timestamp, Option<String>)>,
    tree_changes: VecDeque<Timestamp>,
    logins_failed: VecDeque<Timestamp>,
    clock: Option<ClockLook>,
}

struct Link {
    port: String,
    to: DeviceId,
    down: Option<Timestamp>,
    unpowered: Option<Timestamp>,
}

/// How a device's clock was at the last looks.
struct ClockLook {
    at: Timestamp,
    /// It is so much behind ours, seconds.
    behind: i64,
    wrong_since: Timestamp,
    looks: u32,
}

/// Whether a device answers: `Some(true)`, `Some(false)`, or `None` for one that is not asked.
pub type Answers<'a> = &'a dyn Fn(&DeviceId) -> Option<bool>;

/// What all devices of the plan said. Bounded by the plan.
#[derive(Default)]
pub struct LineSigns {
    devices: BTreeMap<DeviceId, Device>,
}

impl LineSigns {
    /// Knows the devices of the plan and its links.
    pub fn new(devices: impl IntoIterator<Item = DeviceId>, links: impl IntoIterator<Item = PlannedLink>) -> Self {
        let mut signs = Self { devices: devices.into_iter().map(|device| (device, Device::default())).collect() };
        for PlannedLink { port, to } in links {
            if let Some(device) = signs.devices.get_mut(&port.device) {
                device.links.push(Link { port: port.port, to, down: None, unpowered: None });
            }
        }
        signs
    }

    /// Takes what the device `host` said.
    pub fn on_sign(&mut self, now: Timestamp, host: &str, sign: LineSign) {
        let Some(device) = self.devices.get_mut(&DeviceId::from(host)) else { return };
        match sign {
            LineSign::LinkUp(port) => {
                if let Some(link) = device.link(&port) {
                    (link.down, link.unpowered) = (None, None);
                }
                if device.looped.as_ref().is_some_and(|(_, looped)| looped.as_ref() == Some(&port)) {
                    device.looped = None;
                }
            }
            LineSign::LinkDown(port) => {
                if let Some(link) = device.link(&port) {
                    link.down.get_or_insert(now);
                }
            }
            LineSign::PowerGiven(port) => {
                if let Some(link) = device.link(&port) {
                    link.unpowered = None;
                }
            }
            LineSign::PowerLost(port) => {
                if let Some(link) = device.link(&port) {
                    link.unpowered.get_or_insert(now);
                }
            }
            LineSign::Loop(port) => device.looped = Some((now, port)),
            LineSign::TreeChanged => remember(&mut device.tree_changes, now),
            LineSign::LoginFailed => remember(&mut device.logins_failed, now),
        }
    }

    /// Takes the time that a line of the device `host` bears, in seconds behind ours; negative for one that is ahead.
    pub fn on_clock(&mut self, now: Timestamp, host: &str, behind: i64) {
        let Some(device) = self.devices.get_mut(&DeviceId::from(host)) else { return };
        if behind.abs() <= CLOCK_WRONG_SECS {
            device.clock = None;
            return;
        }
        let look = device.clock.get_or_insert(ClockLook { at: now, behind, wrong_since: now, looks: 0 });
        (look.at, look.behind) = (now, behind);
        look.looks = look.looks.saturating_add(1);
    }

    /// What is wrong at `now`. `answers` says which devices answer echoes, `subject` where a device is.
    pub fn conditions(
        &mut self,
        now: Timestamp,
        answers: Answers<'_>,
        subject: &dyn Fn(&DeviceId) -> Subject,
    ) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (id, device) in &mut self.devices {
            let is_recent = |at: &Timestamp| now.since(*at) < MINUTE;
            device.tree_changes.retain(is_recent);
            device.logins_failed.retain(is_recent);
            device.looped.take_if(|(at, _)| now.since(*at) >= LOOP_CALM);
            device.clock.take_if(|look| now.since(look.at) >= CLOCK_LOOK_MAX);
            for link in &mut device.links {
                conditions.extend(link.conditions(now, id, answers, subject));
            }
            conditions.extend(device.others(id, subject));
        }
        conditions
    }
}

impl Device {
    fn link(&mut self, port: &str) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| is_same_port(&link.port, port))
    }

    fn others(&self, id: &DeviceId, subject: &dyn Fn(&DeviceId) -> Subject) -> Vec<Condition> {
        let about = |rule: &str, severity, says: String, cause: &str, remedy: &str| Condition {
            rule: rule.to_owned(),
            place: format!("device {id}"),
            severity,
            subject: subject(id),
            says,
            cause: cause.to_owned(),
            remedy: remedy.to_owned(),
            remedy_for_operators: None,
            since: None,
            hold: Duration::ZERO,
            calm: Duration::ZERO,
            hidden_by: None,
        };
        let mut conditions = Vec::new();
        if let Some((_, port)) = &self.looped {
            let at = port.as_ref().map(|port| format!(" at port {port}")).unwrap_or_default();
            let mut condition = about(
                "loop",
                Severity::Error,
                format!("{id} sees a loop{at}, says its log"),
                "a cable that leads back into the network, or a hub that somebody brought",
                "pull out what was plugged in last; shut the port; turn on BPDU guard where people plug in",
            );
            if let Some(port) = port {
                condition.subject.port = Some(PortRef { device: id.clone(), port: port.clone() });
            }
            conditions.push(condition);
        }
        if self.tree_changes.len() >= TREE_CHANGES_MAX {
            conditions.push(about(
                "spanning-tree-restless",
                Severity::Warning,
                format!("the spanning tree of {id} changed {} times within a minute", self.tree_changes.len()),
                "a loop, a flapping link, or a switch that restarts",
                "find the port that changes with `hotstage logs --kind spanning-tree`, and swap its cable or shut it",
            ));
        }
        if self.logins_failed.len() >= LOGINS_FAILED_MAX {
            let condition = about(
                "sign-ins-failing",
                Severity::Warning,
                format!("{} sign-ins to {id} failed within a minute", self.logins_failed.len()),
                "somebody guesses passwords, or a program has an old one",
                "find who with `hotstage logs --kind login`; let only the management network sign in",
            );
            conditions.push(Condition { calm: MINUTE, ..condition });
        }
        if let Some(look) = self.clock.as_ref().filter(|look| look.looks >= CLOCK_LOOKS_MIN) {
            let side = if look.behind > 0 { "behind" } else { "ahead" };
            let rest = look.behind.rem_euclid(ZONE_STEP_SECS);
            let is_zone = look.behind.abs() >= ZONE_STEP_SECS - CLOCK_WRONG_SECS
                && rest.min(ZONE_STEP_SECS - rest) <= CLOCK_WRONG_SECS;
            let condition = about(
                "clock-wrong",
                Severity::Warning,
                format!("the clock of {id} is {} s {side}", look.behind.abs()),
                if is_zone { "its time zone is set wrong" } else { "it has no NTP server, or none that answers" },
                "set its time zone and its NTP server",
            );
            conditions.push(Condition { since: Some(look.wrong_since), hold: CLOCK_HOLD, ..condition });
        }
        conditions
    }
}

impl Link {
    fn conditions(
        &mut self,
        now: Timestamp,
        id: &DeviceId,
        answers: Answers<'_>,
        subject: &dyn Fn(&DeviceId) -> Subject,
    ) -> Vec<Condition> {
        let is_far_up = answers(&self.to) == Some(true);
        let is_past =
            |at: Timestamp| now.since(at) >= SIGN_MAX || (is_far_up && now.since(at) >= LINK_DISPROVED) || now < at;
        self.down.take_if(|at| is_past(*at));
        self.unpowered.take_if(|at| is_past(*at));
        // Whoever does not answer has an alert of its own, which says more.
        let hidden_by = [&self.to, id].into_iter().find(|device| answers(device) == Some(false)).cloned();
        let port = PortRef { device: id.clone(), port: self.port.clone() };
        let about = |rule: &str, says: String, cause: &str, remedy: String, since| Condition {
            rule: rule.to_owned(),
            place: format!("port {port}"),
            severity: Severity::Warning,
            subject: Subject { port: Some(port.clone()), ..subject(id) },
            says,
            cause: cause.to_owned(),
            remedy,
            remedy_for_operators: None,
            since: Some(since),
            hold: LINK_HOLD,
            calm: Duration::ZERO,
            hidden_by: hidden_by.clone(),
        };
        let down = self.down.map(|since| {
            let says = format!("the link of {port} to {} is down, says its log", self.to);
            let remedy = "look at the lamps of both ends, then swap the cable".to_owned();
            about("link-down", says, "the cable, the plug or the other end", remedy, since)
        });
        let unpowered = self.unpowered.map(|since| {
            let says = format!("{port} no longer gives power to {}, says its log", self.to);
            let cause = "the device was unplugged, or the switch has no power left for it";
            let remedy = format!(
                "look at the cable and the PoE budget of {id}; move the device to another switch or an injector"
            );
            about("poe-lost", says, cause, remedy, since)
        });
        // Without power there is no link either.
        unpowered.or(down).into_iter().collect()
    }
}

fn remember(moments: &mut VecDeque<Timestamp>, now: Timestamp) {
    if moments.len() >= MOMENTS_MAX {
        moments.pop_front();
    }
    moments.push_back(now);
}

/// True for `Gi1/0/1` and `GigabitEthernet1/0/1`, for `GE1.1` and `gigabitethernet1.1`, and for a plain number and the last
/// number of a name of a copper port, e.g. `7` and `0/7`.
fn is_same_port(planned: &str, said: &str) -> bool {
    let parts = |name: &str| {
        let letters = name.find(|letter: char| letter.is_ascii_digit()).unwrap_or(name.len());
        let (kind, number) = name.split_at(letters);
        (kind.trim_matches([' ', '-']).to_ascii_lowercase(), number.to_owned())
    };
    if planned.eq_ignore_ascii_case(said) {
        return true;
    }
    let ((planned_kind, planned_number), (said_kind, said_number)) = (parts(planned), parts(said));
    if planned_number.is_empty() || said_number.is_empty() {
        return false;
    }
    if planned_kind.is_empty() {
        let last = said_number.rsplit(['/', '.', ':']).next();
        let is_copper = ["", "gi", "ge", "fa", "et", "port", "swp"]
            .iter()
            .any(|kind| if kind.is_empty() { said_kind.is_empty() } else { said_kind.starts_with(kind) });
        return is_copper && last == Some(&planned_number);
    }
    let is_short = |long: &str, short: &str| {
        long.starts_with(short)
            || (short == "ge" && long.starts_with("gi"))
            || (short == "fe" && long.starts_with("fa"))
    };
    planned_number == said_number && (is_short(&said_kind, &planned_kind) || is_short(&planned_kind, &said_kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs() -> LineSigns {
        let port = |device: &str, port: &str| PortRef { device: device.into(), port: port.to_owned() };
        let links = [
            PlannedLink { port: port("sw", "Gi0/1"), to: "ap".into() },
            PlannedLink { port: port("ap", "eth0"), to: "sw".into() },
        ];
        LineSigns::new(["sw".into(), "ap".into()], links)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000 + seconds)
    }

    fn check(signs: &mut LineSigns, seconds: i64, answering: &[(&str, bool)], expected: &[&str]) {
        let answers =
            |device: &DeviceId| answering.iter().find(|(name, _)| *name == device.as_str()).map(|(_, up)| *up);
        let subject = |device: &DeviceId| Subject { device: Some(device.clone()), ..Subject::default() };
        let found = signs.conditions(at(seconds), &answers, &subject);
        let found: Vec<String> = found
            .iter()
            .map(|one| match &one.hidden_by {
                Some(device) => format!("{} (hidden by {device})", one.says),
                None => one.says.clone(),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_planned_link_that_goes_down_is_told_until_it_is_back_or_disproved() {
        let mut signs = signs();
        let down = LineSign::LinkDown("GigabitEthernet0/1".to_owned());
        let says = "the link of sw:Gi0/1 to ap is down, says its log";
        signs.on_sign(at(0), "sw", down.clone());
        signs.on_sign(at(0), "sw", LineSign::LinkDown("GigabitEthernet0/2".to_owned()));
        signs.on_sign(at(0), "stranger", down.clone());
        check(&mut signs, 1, &[], &[says]);
        check(&mut signs, 1, &[("ap", false)], &[&format!("{says} (hidden by ap)")]);
        check(&mut signs, 29, &[("ap", true)], &[says]);
        check(&mut signs, 30, &[("ap", true)], &[]);
        signs.on_sign(at(40), "sw", down);
        check(&mut signs, 41, &[], &[says]);
        signs.on_sign(at(42), "sw", LineSign::LinkUp("Gi0/1".to_owned()));
        check(&mut signs, 43, &[], &[]);
    }

    #[test]
    fn lost_power_explains_the_lost_link() {
        let mut signs = signs();
        signs.on_sign(at(0), "sw", LineSign::PowerLost("Gi0/1".to_owned()));
        signs.on_sign(at(1), "sw", LineSign::LinkDown("Gi0/1".to_owned()));
        check(&mut signs, 2, &[], &["sw:Gi0/1 no longer gives power to ap, says its log"]);
        signs.on_sign(at(3), "sw", LineSign::PowerGiven("Gi0/1".to_owned()));
        check(&mut signs, 4, &[], &["the link of sw:Gi0/1 to ap is down, says its log"]);
    }

    #[test]
    fn loops_restless_trees_and_guessed_passwords() {
        let mut signs = signs();
        signs.on_sign(at(0), "sw", LineSign::Loop(Some("Gi0/3".to_owned())));
        check(&mut signs, 59, &[], &["sw sees a loop at port Gi0/3, says its log"]);
        check(&mut signs, 60, &[], &[]);
        (0..10).for_each(|second| signs.on_sign(at(100 + second), "sw", LineSign::TreeChanged));
        (0..1_000).for_each(|_| signs.on_sign(at(110), "ap", LineSign::LoginFailed));
        let says =
            ["100 sign-ins to ap failed within a minute", "the spanning tree of sw changed 10 times within a minute"];
        check(&mut signs, 111, &[], &says);
        check(&mut signs, 200, &[], &[]);
    }

    #[test]
    fn a_clock_is_wrong_when_several_lines_say_so() {
        let mut signs = signs();
        (0..2).for_each(|second| signs.on_clock(at(second), "sw", 32_401));
        check(&mut signs, 2, &[], &[]);
        signs.on_clock(at(3), "sw", 32_401);
        check(&mut signs, 4, &[], &["the clock of sw is 32401 s behind"]);
        let found = signs.conditions(at(4), &|_| None, &|_| Subject::default());
        assert_eq!(found[0].cause, "its time zone is set wrong");
        signs.on_clock(at(5), "sw", -3);
        check(&mut signs, 6, &[], &[]);
        (0..3).for_each(|second| signs.on_clock(at(second), "sw", -40));
        check(&mut signs, 7, &[], &["the clock of sw is 40 s ahead"]);
        check(&mut signs, 3_700, &[], &[]);
    }

    #[test]
    fn names_of_ports_are_told_alike_across_spellings() {
        for (planned, said, is_same) in [
            ("Gi0/1", "Gi0/1", true),
            ("Gi0/1", "GigabitEthernet0/1", true),
            ("Gi0/1", "GigabitEthernet0/11", false),
            ("Gi1/0/1", "TenGigabitEthernet1/0/1", false),
            ("GE1.1", "GigaEthernet1.1", true),
            ("7", "0/7", true),
            ("7", "GigabitEthernet1/0/7", true),
            ("7", "TenGigabitEthernet1/0/7", false),
            ("7", "0/17", false),
            ("1", "", false),
            ("eth0", "eth0", true),
            ("out", "in", false),
        ] {
            assert_eq!(is_same_port(planned, said), is_same, "{planned} {said}");
        }
    }
}
