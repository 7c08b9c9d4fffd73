//! Cables, boxes and VLANs against the plan, by snmpsim with walks of our own; and traps by Net-SNMP's `snmptrap`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use e2e::{Hotstage, Namespace, Process, output, program, ready};

const LIMIT: Duration = Duration::from_secs(60);

const PLAN: &str = r#"
version = 1

[event]
name = "Cabled"
timezone = "Asia/Tokyo"
domain = "cabled.example"
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
name = "Gi1/0/1-4"
speed_mbps = 1000

[device.sw-1]
model = "lab-switch"
room = "hall"
role = "edge"
address = "10.77.0.1"
ports = { "Gi1/0/1" = { untagged = "guest" }, "Gi1/0/2" = { untagged = "guest" }, "Gi1/0/4" = { untagged = "guest" } }

[device.sw-2]
model = "lab-switch"
room = "hall"
role = "access"
address = "10.77.0.11"
connects = "sw-1:Gi1/0/1"

[device.sw-3]
model = "lab-switch"
room = "hall"
role = "access"
address = "10.77.0.12"
connects = "sw-1:Gi1/0/2"

[device.server]
model = "generic-server"
room = "hall"
address = "10.77.0.2"
connects = "sw-1:Gi1/0/4"

[services]
device = "server"
at = "sw-1:Gi1/0/4"
watch.snmp = { community = "e2e-community", interval = "5s", traps = "10.77.0.2:1162" }
"#;

/// A walk in snmpsim's form. The LLDP numbers are those of bridge ports, as Catalysts have it; `first` and `second`
/// are heard at ports 1 and 2, somebody unknown with escapes in the name and a chassis of any octets at 3.
fn walk(first: &str, second: &str, pvid: u16, is_stranger_there: bool) -> String {
    let mut rows: Vec<(Vec<u32>, String)> = Vec::new();
    let mut add = |oid: &str, kind: &str, value: &str| {
        let arcs = oid.split('.').map(|arc| arc.parse().unwrap()).collect();
        rows.push((arcs, format!("{oid}|{kind}|{value}")));
    };
    add("1.3.6.1.2.1.1.3.0", "67", "360000");
    for port in 1..=4 {
        let index = 10_100 + port;
        add(&format!("1.3.6.1.2.1.31.1.1.1.1.{index}"), "4", &format!("Gi1/0/{port}"));
        add(&format!("1.3.6.1.2.1.2.2.1.8.{index}"), "2", "1");
        add(&format!("1.3.6.1.2.1.31.1.1.1.15.{index}"), "66", "1000");
        add(&format!("1.3.6.1.2.1.17.1.4.1.2.{port}"), "2", &index.to_string());
        add(&format!("1.0.8802.1.1.2.1.3.7.1.2.{port}"), "2", "7");
        add(&format!("1.0.8802.1.1.2.1.3.7.1.3.{port}"), "4", &port.to_string());
        add(&format!("1.3.6.1.2.1.17.7.1.4.5.1.1.{port}"), "66", &pvid.to_string());
    }
    let neighbours = [(1, first, true), (2, second, true), (3, "un\u{1b}[2Jknown", is_stranger_there)];
    for (port, name, _) in neighbours.into_iter().filter(|(.., is_there)| *is_there) {
        let mut column = |number: u32, kind: &str, value: &str| {
            add(&format!("1.0.8802.1.1.2.1.4.1.1.{number}.0.{port}.1"), kind, value);
        };
        let name: String = name.bytes().map(|octet| format!("{octet:02x}")).collect();
        column(4, "2", "7");
        column(5, "4x", "00ff1b5b324a");
        column(6, "2", "5");
        column(7, "4", "Gi1/0/4");
        column(9, "4x", &name);
        column(12, "4x", "28");
    }
    add("1.3.6.1.2.1.47.1.1.1.1.5.1", "2", "3");
    add("1.3.6.1.2.1.47.1.1.1.1.11.1", "4", "LAB0002");
    add("1.3.6.1.2.1.25.3.3.1.2.1", "2", "97");
    rows.sort();
    rows.into_iter().map(|(_, row)| row + "\n").collect()
}

struct Lab {
    server: Namespace,
    switch: Namespace,
    dir: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let (server, switch) = (Namespace::new("noc"), Namespace::new("sw"));
        server.connect("noc0", "10.77.0.2/24", &switch, "sw0", "10.77.0.1/24");
        for address in ["10.77.0.11/24", "10.77.0.12/24"] {
            switch.ip(&["addr", "add", address, "dev", "sw0"]);
        }
        let lab = Self { server, switch, dir: tempfile::tempdir().unwrap() };
        fs::create_dir(lab.path("plan")).unwrap();
        fs::write(lab.path("plan/event.toml"), PLAN).unwrap();
        let inventory = "tag,kind,model,serial,mac,owner,home,device\nR-1,router,lab-switch,LAB0001,,us,box,sw-1\n\
            R-2,router,lab-switch,,,us,box,sw-2\nR-3,router,lab-switch,,,us,box,sw-3\n\
            S-1,server,generic-server,,,us,box,server\n";
        fs::write(lab.path("plan/inventory.csv"), inventory).unwrap();
        lab
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// snmpsim gives up root, so that it needs folders that others may use.
    fn agent(&self, name: &str, walk: &str) -> Process {
        let open = |path: &str| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        open(&self.dir.path().display().to_string());
        let (data, cache) = (self.path(name), self.path(&format!("{name}-cache")));
        for dir in [&data, &cache] {
            fs::create_dir(dir).unwrap();
            open(dir);
        }
        fs::write(format!("{data}/e2e-community.snmprec"), walk).unwrap();
        let mut command = self.switch.command("snmpsimd");
        command.args([&format!("--data-dir={data}"), &format!("--cache-dir={cache}")]);
        command.args(["--agent-udpv4-endpoint=10.77.0.1:161", "--process-user=nobody", "--process-group=nogroup"]);
        Process::spawn(command.env("PYTHONDONTWRITEBYTECODE", "1")).0
    }

    fn command(&self) -> Command {
        let mut command = self.server.command(&program().display().to_string());
        command.args(["run", &self.path("plan"), "--state", &self.path("state")]);
        command.args(["--listen-dhcp", "127.0.0.1:6700", "--listen-dns", "127.0.0.1:5300"]);
        command.args(["--listen-syslog", "127.0.0.1:5140", "--listen-http", "127.0.0.1:8080"]);
        command
    }

    fn alerts(&self) -> String {
        output(&program().display().to_string(), &["alerts", "--state", &self.path("state")])
    }

    fn page(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:8080{path}");
        output("ip", &["netns", "exec", self.server.name(), "curl", "-fsS", &url])
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = instant();
        while !is_so(self) {
            assert!(began.elapsed() < LIMIT, "no {what} within {LIMIT:?}: {}", self.alerts());
            thread::park_timeout(Duration::from_millis(200));
        }
    }

    fn wait_for_alert(&self, text: &str) {
        self.wait(text, |lab| lab.alerts().contains(text));
    }
}

#[test]
fn cables_boxes_and_vlans_that_differ_from_the_plan_are_told_and_over_when_they_are_put_right() {
    if !ready(true, &["ip", "curl", "snmpsimd"]) {
        return;
    }
    let lab = Lab::new();
    let agent = lab.agent("wrong", &walk("sw-3", "sw-2.cabled.example", 1, true));
    let hotstage = Hotstage::start(&mut lab.command());
    lab.wait_for_alert("sw-1:Gi1/0/1 leads to sw-3, planned sw-2:");
    lab.wait_for_alert("sw-1:Gi1/0/2 leads to sw-2, planned sw-3:");
    lab.wait_for_alert("\"un[2Jknown\" is plugged into sw-1:Gi1/0/3, where the plan has nothing");
    lab.wait_for_alert("sw-1:Gi1/0/1 is in VLAN 1, planned 10");
    lab.wait_for_alert("sw-1 has serial number LAB0002, the inventory says LAB0001");
    assert!(!lab.alerts().contains('\u{1b}') && !lab.page("/").contains('\u{1b}'));
    assert!(lab.page("/metrics").contains("hotstage_device_cpu_ratio{device=\"sw-1\"} 0.97"));

    // Somebody swaps the cables and sets the VLAN; the agent is gone for a moment.
    drop(agent);
    let _agent = lab.agent("right", &walk("sw-2", "sw-3", 10, false));
    lab.wait("end of the alerts", |lab| {
        let alerts = lab.alerts();
        !["leads to", "where the plan has nothing", "is in VLAN"].iter().any(|text| alerts.contains(text))
    });
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

#[test]
fn traps_and_informs_of_devices_are_taken_and_those_without_the_community_are_not() {
    if !ready(true, &["ip", "curl", "snmptrap", "snmpinform"]) {
        return;
    }
    let lab = Lab::new();
    let hotstage = Hotstage::start(&mut lab.command());
    let send = |tool: &str, community: &str, version: &str, what: &[&str]| {
        let mut command = lab.switch.command("env");
        command.args([&format!("SNMP_PERSISTENT_DIR={}", lab.path("snmp")), tool, version, "-c", community]);
        command.args(["-r", "0", "-t", "3", "10.77.0.2:1162"]).args(what);
        let mut process = command.spawn().unwrap();
        process.wait().unwrap().success()
    };
    let authentication_failure = ["", "1.3.6.1.6.3.1.1.5.5"];
    assert!(!send("snmpinform", "wrong", "-v2c", &authentication_failure), "nobody confirms what is not taken");
    assert!(!lab.alerts().contains("wrong community"));
    assert!(send("snmpinform", "e2e-community", "-v2c", &authentication_failure), "an inform is confirmed");
    lab.wait_for_alert("somebody asks sw-1 by SNMP with a wrong community or password");
    assert!(send("snmptrap", "e2e-community", "-v1", &["", "10.77.0.1", "0", "0", ""]));
    lab.wait_for_alert("sw-1 has restarted");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

#[expect(clippy::disallowed_methods, reason = "a wait has a limit")]
fn instant() -> Instant {
    Instant::now()
}
