//! The small event that the end-to-end tests run.

use std::{fs, path::Path, process::Command};

use e2e::{Namespace, program};

/// An event with one directly attached and one relayed VLAN.
pub(crate) const PLAN: &str = r#"
version = 1

[event]
name = "End to end"
timezone = "Asia/Tokyo"
domain = "e2e.example"
people = 20
devices_per_person = 1
days = [{ date = "2026-05-16", doors = "09:00", close = "18:00" }]

[[room]]
id = "hall"
name = "Hall"
floor = "1F"
seats = 20

[vlan.direct]
id = 10
subnet = "10.77.0.0/24"
kind = "attendee"
gateway = "10.77.0.1"
pool = ["10.77.0.100-10.77.0.199"]
dhcp = { lease = "12s", via = "direct", interface = "srv0" }

[vlan.relayed]
id = 20
subnet = "10.78.0.0/24"
kind = "attendee"
gateway = "10.78.0.1"
pool = ["10.78.0.100-10.78.0.199"]
dhcp = { lease = "12s", via = "relay" }

[ssid.guest]
name = "EndToEnd"
passphrase = "env:E2E_PSK"
vlan = "direct"
isolation = true

[device.edge]
model = "generic-router"
room = "hall"
address = "10.77.0.1"
ports = { "1" = { untagged = "direct" }, "2" = { untagged = "direct" } }

[device.poe-1]
model = "poe-injector-at"
room = "hall"
connects = "edge:1"

[device.ap-1]
model = "generic-ap-ax"
room = "hall"
address = "10.77.0.11"
ssids = ["guest"]
connects = "poe-1:out"
channels = { "5GHz" = 36 }

[device.server]
model = "generic-server"
room = "hall"
address = "10.77.0.2"
connects = "edge:2"

[services]
device = "server"
at = "edge:2"
dns.upstreams = ["127.0.0.1:5300", "127.0.0.1:5301"]
"#;

/// Writes the plan into a fresh directory.
pub(crate) fn write_plan(dir: &Path) -> String {
    let plan = dir.join("plan");
    fs::create_dir(&plan).unwrap();
    fs::write(plan.join("event.toml"), PLAN).unwrap();
    plan.display().to_string()
}

/// `hotstage run` in a namespace, on the standard ports of every address.
pub(crate) fn run_command(namespace: &Namespace, plan: &str, state: &Path) -> Command {
    let mut command = namespace.command(&program().display().to_string());
    command.args(["run", plan, "--state", &state.display().to_string()]);
    command.args(["--listen-dhcp", "0.0.0.0:67", "--listen-dns", "0.0.0.0:53"]);
    command.args(["--listen-syslog", "0.0.0.0:514", "--listen-http", "127.0.0.1:8080"]);
    command
}
