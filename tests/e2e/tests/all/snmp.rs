//! Devices that are asked by SNMP: Net-SNMP's agent, in both versions, beside one that never answers.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::feeds::check_metrics;
use e2e::{Hotstage, Namespace, Process, output, program, ready};

const LIMIT: Duration = Duration::from_secs(60);

const PLAN: &str = r#"
version = 1

[event]
name = "Asked"
timezone = "Asia/Tokyo"
domain = "asked.example"
people = 20
devices_per_person = 1
days = [{ date = "2026-05-16", doors = "09:00", close = "18:00" }]

[[room]]
id = "hall"
name = "Hall"
floor = "1F"
seats = 20

[vlan.guest]
id = 10
subnet = "10.77.0.0/24"
kind = "attendee"
gateway = "10.77.0.1"
pool = ["10.77.0.100-10.77.0.199"]
dhcp = { lease = "10m", via = "relay" }

[model.lab-switch]
kind = "router"
power_w = 10
[[model.lab-switch.ports]]
name = "sw0"
speed_mbps = 25000
[[model.lab-switch.ports]]
name = "sw1"
speed_mbps = 1000

[model.lab-server]
kind = "server"
power_w = 10
[[model.lab-server.ports]]
name = "eth0"
speed_mbps = 25000

[device.sw-1]
model = "lab-switch"
room = "hall"
role = "edge"
address = "10.77.0.1"
ports = { "sw0" = { untagged = "guest" }, "sw1" = { untagged = "guest" } }

[device.sw-mute]
model = "generic-router"
room = "hall"
role = "access"
address = "10.77.0.11"
connects = "sw-1:sw1"

[device.server]
model = "lab-server"
room = "hall"
address = "10.77.0.2"
connects = "sw-1:sw0"

[services]
device = "server"
at = "sw-1:sw0"
watch.snmp = { WHO, interval = "5s" }
"#;

const AGENT: &str = "
agentaddress udp:10.77.0.1:161
rocommunity e2e-community
createUser e2e-user SHA-256 e2e-auth-pass AES e2e-priv-pass
rouser e2e-user priv
sysServices 2
";

struct Lab {
    server: Namespace,
    switch: Namespace,
    dir: tempfile::TempDir,
}

impl Lab {
    fn new(who: &str) -> Self {
        let (server, switch) = (Namespace::new("noc"), Namespace::new("sw"));
        server.connect("noc0", "10.77.0.2/24", &switch, "sw0", "10.77.0.1/24");
        let lab = Self { server, switch, dir: tempfile::tempdir().unwrap() };
        fs::create_dir(lab.path("plan")).unwrap();
        fs::write(lab.path("plan/event.toml"), PLAN.replace("WHO", who)).unwrap();
        fs::write(lab.path("snmpd.conf"), AGENT).unwrap();
        lab
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn agent(&self) -> Process {
        let mut command = self.switch.command("env");
        command.arg(format!("SNMP_PERSISTENT_DIR={}", self.path("snmp")));
        command.args(["snmpd", "-f", "-Lo", "-C", "-c", &self.path("snmpd.conf"), "-p", &self.path("snmpd.pid")]);
        Process::spawn(&mut command).0
    }

    fn command(&self) -> Command {
        let mut command = self.server.command(&program().display().to_string());
        command.args(["run", &self.path("plan"), "--state", &self.path("state")]);
        command.args(["--listen-dhcp", "127.0.0.1:6700", "--listen-dns", "127.0.0.1:5300"]);
        command.args(["--listen-syslog", "127.0.0.1:5140", "--listen-http", "127.0.0.1:8080"]);
        command
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let url = "http://127.0.0.1:8080/metrics";
        let text = output("ip", &["netns", "exec", self.server.name(), "curl", "-fsS", url]);
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    fn alerts(&self) -> String {
        output(&program().display().to_string(), &["alerts", "--state", &self.path("state")])
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = instant();
        while !is_so(self) {
            assert!(began.elapsed() < LIMIT, "no {what} within {LIMIT:?}: {}", self.alerts());
            thread::park_timeout(Duration::from_millis(200));
        }
    }
}

const IN: &str = "hotstage_port_bytes_per_second{device=\"sw-1\",port=\"sw0\",direction=\"in\"}";
const ANSWERED: &str = "hotstage_snmp_polls_total{result=\"answered\"}";
const TIMEOUTS: &str = "hotstage_snmp_polls_total{result=\"timeout\"}";

#[test]
fn an_agent_tells_its_rates_and_speeds_and_is_missed_when_it_is_silent() {
    if !ready(true, &["ip", "curl", "snmpd"]) {
        return;
    }
    let lab = Lab::new("community = \"e2e-community\"");
    let agent = lab.agent();
    let hotstage = Hotstage::start(&mut lab.command());
    lab.wait("rate of sw0", |lab| lab.metric(IN).is_some_and(|bps| bps > 0.0));
    // The one that never answers takes each of its polls to the end, and delays nobody.
    lab.wait("silence of sw-mute", |lab| lab.metric(TIMEOUTS).is_some_and(|count| count >= 2.0));
    assert!(lab.metric(ANSWERED).is_some_and(|count| count >= 2.0));
    let took = lab.metric("hotstage_device_poll_seconds{device=\"sw-1\"}");
    assert!(took.is_some_and(|seconds| seconds < 1.0), "{took:?}");
    if ready(false, &["promtool"]) {
        let url = "http://127.0.0.1:8080/metrics";
        check_metrics(&output("ip", &["netns", "exec", lab.server.name(), "curl", "-fsS", url]));
    }
    let slow = "sw-1:sw0 runs at 10000 Mb/s, planned 25000 Mb/s";
    lab.wait("slow port", |lab| lab.alerts().contains(slow));

    agent.signal("TERM");
    drop(agent);
    lab.wait("silent agent", |lab| lab.alerts().contains("sw-1 answers echoes and no longer SNMP"));
    let _agent = lab.agent();
    lab.wait("agent that is back", |lab| !lab.alerts().contains("no longer SNMP"));
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

#[test]
fn version_3_is_authenticated_and_encrypted_and_a_wrong_password_gets_nothing() {
    if !ready(true, &["ip", "curl", "snmpd"]) {
        return;
    }
    let who = |auth: &str| format!("user = \"e2e-user\", auth = \"{auth}\", privacy = \"e2e-priv-pass\"");
    for (auth, is_answered) in [("e2e-auth-pass", true), ("e2e-wrong-pass", false)] {
        let lab = Lab::new(&who(auth));
        let _agent = lab.agent();
        let hotstage = Hotstage::start(&mut lab.command());
        // Whoever cannot be authenticated gets no answer that counts; `sw-mute` gives half of the timeouts.
        let (wanted, polls) = if is_answered { (ANSWERED, 2.0) } else { (TIMEOUTS, 4.0) };
        lab.wait("polls", |lab| lab.metric(wanted).is_some_and(|count| count >= polls));
        assert_eq!(lab.metric(ANSWERED).is_some_and(|count| count > 0.0), is_answered, "{auth}");
        hotstage.process.signal("TERM");
        assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    }
}

#[expect(clippy::disallowed_methods, reason = "a wait has a limit")]
fn instant() -> Instant {
    Instant::now()
}
