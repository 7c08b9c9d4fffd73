//! SNMP agents without manners: late, of another id, endless, going round in circles, of other types, junk, mute. The one
//! that behaves is asked on time, and memory stays what it is.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use e2e::{Hotstage, Namespace, Process, output, program, ready};

const LIMIT: Duration = Duration::from_secs(90);
/// Bytes that a look at all of them may leave behind.
const GROWTH_MAX: u64 = 64 << 20;
const MANNERS: [&str; 7] = ["late", "wrong-id", "endless", "looping", "wrong-type", "junk", "mute"];

const PLAN: &str = r#"
version = 1

[event]
name = "Rude"
timezone = "Asia/Tokyo"
domain = "rude.example"
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
name = "Gi1/0/1-60"
speed_mbps = 1000

[device.good]
model = "lab-switch"
room = "hall"
role = "edge"
address = "10.77.0.1"
ports = { "Gi1/0/60" = { untagged = "guest" } }

[device.server]
model = "generic-server"
room = "hall"
address = "10.77.0.2"
connects = "good:Gi1/0/60"

[services]
device = "server"
at = "good:Gi1/0/60"
watch.snmp = { community = "e2e-community", interval = "5s" }
"#;

#[test]
fn agents_without_manners_delay_nobody_and_fill_nothing() {
    if !ready(true, &["ip", "curl"]) {
        return;
    }
    let (server, switch) = (Namespace::new("noc"), Namespace::new("sw"));
    server.connect("noc0", "10.77.0.2/24", &switch, "sw0", "10.77.0.1/24");
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let mut plan = PLAN.to_owned();
    let mut agents = vec![agent(&switch, "good", "10.77.0.1")];
    for (number, how) in (0..).zip(MANNERS) {
        let address = format!("10.77.0.{}", 11 + number);
        switch.ip(&["addr", "add", &format!("{address}/24"), "dev", "sw0"]);
        agents.push(agent(&switch, how, &address));
        plan += &format!(
            "\n[device.rude-{how}]\nmodel = \"lab-switch\"\nroom = \"hall\"\nrole = \"access\"\naddress = \"{address}\"\nconnects = \"good:Gi1/0/{}\"\n",
            1 + number
        );
    }
    fs::create_dir(path("plan")).unwrap();
    fs::write(path("plan/event.toml"), plan).unwrap();
    let mut command = server.command(&program().display().to_string());
    command.args(["run", &path("plan"), "--state", &path("state")]);
    command.args(["--listen-dhcp", "127.0.0.1:6700", "--listen-dns", "127.0.0.1:5300"]);
    command.args(["--listen-syslog", "127.0.0.1:5140", "--listen-http", "127.0.0.1:8080"]);
    let hotstage = Hotstage::start(&mut command);
    let metric = |name: &str| {
        let url = "http://127.0.0.1:8080/metrics";
        let text = output("ip", &["netns", "exec", server.name(), "curl", "-fsS", url]);
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap_or(0.0)
    };
    let polls = |result: &str| metric(&format!("hotstage_snmp_polls_total{{result=\"{result}\"}}"));
    let began = instant();
    let before = resident_bytes(hotstage.process.id());
    // `good` and `wrong-type` answer; the others time out or are refused, over and over.
    while polls("answered") < 5.0 || polls("timeout") < 8.0 || polls("refused") < 2.0 {
        let counts = (polls("answered"), polls("timeout"), polls("refused"));
        assert!(began.elapsed() < LIMIT, "answered, timeout, refused: {counts:?}");
        thread::park_timeout(Duration::from_millis(500));
    }
    let took = metric("hotstage_device_poll_seconds{device=\"good\"}");
    assert!(took > 0.0 && took < 2.0, "{took}");
    let after = resident_bytes(hotstage.process.id());
    assert!(after < before + GROWTH_MAX, "{before} {after}");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

fn agent(namespace: &Namespace, how: &str, address: &str) -> Process {
    let mut command: Command = namespace.command(env!("CARGO_BIN_EXE_snmp_agents"));
    let (process, mut out, _) = Process::spawn(command.args([how, address, "1"]));
    out.wait_for("line `ready`", LIMIT, |line| line == "ready");
    process
}

/// `ip netns exec` becomes the program, so that its id is the program's.
fn resident_bytes(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}

#[expect(clippy::disallowed_methods, reason = "a wait has a limit")]
fn instant() -> Instant {
    Instant::now()
}
