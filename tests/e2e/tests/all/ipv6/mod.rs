//! IPv6 as other people's programs see it: clients that lease, hosts that make their own addresses, a relay agent, a
//! router that nobody planned.

mod advertisements;
mod clients;
mod kills;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use e2e::{Hotstage, Lines, Namespace, Process, output, program};
use serde_json::Value;

use crate::{campus::LIMIT, event::PLAN, event::run_command};

/// How often something is looked for that nothing tells of, and how long it is let be in between.
const LOOKS_MAX: usize = 300;
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Addresses that are leased, on the server's own link and behind the relay agent.
const LEASED: [&str; 2] = ["2001:db8:77::1:", "2001:db8:78::1:"];

/// IPv6 of the two VLANs; `DIRECT` stands for what a test says of the direct one.
const IPV6: &str = r#"
[vlan.direct.ipv6]
prefix = "2001:db8:77::/64"
name_servers = "2001:db8:77::53"
advertise = true
DIRECT

[vlan.relayed.ipv6]
prefix = "2001:db8:78::/64"
mode = "stateful"
pool = "2001:db8:78::1:0-2001:db8:78::1:ffff"
router = "fe80::1"
lease = "16s"
"#;
const RAPID: &str = "interface = \"srv0\", rapid_commit = true";
/// Leases of 16 s preferred and 32 s valid: renewed after 8.
const STATEFUL: &str = "mode = \"stateful\"\npool = \"2001:db8:77::1:0-2001:db8:77::1:ffff\"\nlease = \"16s\"\n";

/// A server and a client on one link, or with a relay agent between them.
struct Link {
    client: Namespace,
    server: Namespace,
    dir: tempfile::TempDir,
    hotstage: Option<Hotstage>,
    capture: Option<(Process, Lines)>,
    relay: Option<(Process, Namespace)>,
}

impl Link {
    /// Client and server on one link, where the plan says `direct` of IPv6. The server runs.
    fn direct(direct: &str) -> Self {
        let (server, client) = (namespace("srv"), namespace("cli"));
        server.connect("srv0", "10.77.0.2/24", &client, "cli0", "");
        Self::start(server, client, direct, None)
    }

    /// The client behind `dhcrelay -6`.
    fn relayed() -> Self {
        let (server, client, relay) = (namespace("srv"), namespace("cli"), namespace("rel"));
        server.connect("srv0", "10.77.0.2/24", &relay, "up0", "2001:db8:77::1/64");
        relay.connect("down0", "2001:db8:78::1/64", &client, "cli0", "");
        Self::start(server, client, STATEFUL, Some(relay))
    }

    /// With rapid commit (RFC 8415 section 18.3.1), which the crowd asks for.
    fn start(server: Namespace, client: Namespace, direct: &str, relay: Option<Namespace>) -> Self {
        server.ip(&["addr", "add", "2001:db8:77::2/64", "dev", "srv0"]);
        if relay.is_some() {
            server.ip(&["route", "add", "2001:db8:78::/64", "via", "2001:db8:77::1", "dev", "srv0"]);
        }
        let dir = tempfile::tempdir().unwrap();
        let plan = dir.path().join("plan");
        fs::create_dir(&plan).unwrap();
        fs::write(
            plan.join("event.toml"),
            format!("{}{}", PLAN.replace("interface = \"srv0\"", RAPID), IPV6.replace("DIRECT", direct)),
        )
        .unwrap();
        let path = relay.as_ref().map_or(&client, |relay| relay);
        for (namespace, interface) in [(&server, "srv0"), (&client, "cli0"), (path, "")] {
            wait_for_link_local(namespace, interface);
        }
        let mut link = Self { client, server, dir, hotstage: None, capture: None, relay: None };
        link.capture = Some(capture(&link.server, &link.file("server.pcap")));
        link.start_server();
        link.relay = relay.map(|relay| (start_relay_agent(&relay, link.dir.path()), relay));
        link
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a small file of the test.
    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.file(name), text).unwrap();
        self.file(name).display().to_string()
    }

    /// Writes a shell script that a client calls.
    fn write_script(&self, name: &str, text: &str) -> String {
        let path = self.write(name, &format!("#!/bin/sh\n{text}"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn start_server(&mut self) {
        let (plan, state) = (self.file("plan").display().to_string(), self.file("state"));
        let hotstage = Hotstage::start(&mut run_command(&self.server, &plan, &state));
        assert_eq!(hotstage.address("dhcp6").to_string(), "[::]:547");
        self.hotstage = Some(hotstage);
    }

    fn stop_server(&mut self) {
        let hotstage = self.hotstage.take().expect("every stop is followed by a start, or by the end");
        hotstage.process.signal("TERM");
        assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    }

    fn kill_server(&mut self) {
        let hotstage = self.hotstage.take().expect("every kill is followed by a start");
        hotstage.process.signal("KILL");
        assert_eq!(hotstage.process.wait(LIMIT), None);
    }

    fn hotstage(&self, arguments: &[&str]) -> String {
        let state = self.file("state").display().to_string();
        let all = [&arguments[..1], &["--state", &state], &arguments[1..]].concat();
        output(&program().display().to_string(), &all)
    }

    /// The IPv6 leases in the state directory, also while no server runs.
    fn leases(&self) -> Vec<Value> {
        serde_json::from_str(&self.hotstage(&["leases", "--v6", "--format", "json"])).unwrap()
    }

    /// The lease that `wanted` likes, once it is there.
    fn wait_for_lease(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut leases = Vec::new();
        for _ in 0..LOOKS_MAX {
            thread::park_timeout(LOOK_INTERVAL);
            leases = self.leases();
            if let Some(lease) = leases.iter().find(|lease| wanted(lease)) {
                return lease.clone();
            }
        }
        panic!("no lease that is {what}: {leases:#?}");
    }

    /// Waits until the server's own DNS answers so; empty = nothing.
    fn wait_for_dig(&self, question: &[&str], wanted: &str) {
        let mut text = String::new();
        for _ in 0..LOOKS_MAX {
            let all = [&["netns", "exec", self.server.name(), "dig", "+short", "@127.0.0.1"], question].concat();
            text = output("ip", &all);
            if text.trim() == wanted {
                return;
            }
            thread::park_timeout(LOOK_INTERVAL);
        }
        panic!("{question:?} is answered {text}, not {wanted}");
    }

    fn metrics(&self) -> String {
        const GET: &str = "exec 3<>/dev/tcp/127.0.0.1/8080; \
            printf 'GET /metrics HTTP/1.1\\r\\nHost: hotstage\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3";
        output("ip", &["netns", "exec", self.server.name(), "bash", "-c", GET])
    }

    /// Waits until a counter of `/metrics`, named with its labels, has a value.
    fn wait_for_metric(&self, name: &str, at_least: u64) {
        let mut text = String::new();
        for _ in 0..LOOKS_MAX {
            thread::park_timeout(LOOK_INTERVAL);
            text = self.metrics();
            let value = text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.trim().parse().ok());
            if value.is_some_and(|value: u64| value >= at_least) {
                return;
            }
        }
        let lines: Vec<_> = text.lines().filter(|line| line.contains("dhcp6") || line.contains("_ra_")).collect();
        panic!("`{name}` is not {at_least} or more:\n{}", lines.join("\n"));
    }

    /// Waits until `ip` says something of the client's interface.
    fn wait_for_ip(&self, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        for _ in 0..LOOKS_MAX {
            thread::park_timeout(LOOK_INTERVAL);
            text = output("ip", &[&["-n", self.client.name(), "-6", "-o"], arguments].concat());
            if wanted(&text) {
                return text;
            }
        }
        panic!("{arguments:?} is: {text}");
    }

    /// Ends the server, which must end well, and has `tshark` judge all that was said.
    fn finish(mut self) -> String {
        if self.hotstage.is_some() {
            self.stop_server();
        }
        let (tcpdump, mut errors) = self.capture.take().expect("taken once, here");
        tcpdump.signal("INT");
        errors.wait_for("count of drops", LIMIT, |line| line.contains("dropped by kernel"));
        tcpdump.wait(LIMIT);
        let file = self.file("server.pcap").display().to_string();
        let ours = "((dhcpv6 && udp.srcport == 547) || icmpv6.type == 134)";
        // `tshark` 4.0 takes option 39 for one of clients alone; servers send it in ADVERTISE and REPLY (RFC 4704 section 6).
        let wrong = format!(
            "{ours} && (_ws.malformed || (_ws.expert.severity >= 0x400000 && !(dhcpv6.clientfqdn.bad_msgtype || dhcpv6.client_fqdn_flags)))"
        );
        let text = output("tshark", &["-n", "-r", &file, "-Y", &wrong, "-V"]);
        assert!(text.trim().is_empty(), "tshark complains:\n{text}");
        let all = output("tshark", &["-n", "-r", &file, "-Y", ours, "-V"]);
        assert!(!all.trim().is_empty(), "nothing of ours in {file}");
        all
    }
}

/// A namespace whose addresses are valid at once.
fn namespace(role: &str) -> Namespace {
    let namespace = Namespace::new(role);
    for scope in ["all", "default"] {
        shell(&namespace, &format!("echo 0 > /proc/sys/net/ipv6/conf/{scope}/accept_dad"));
        shell(&namespace, &format!("echo 0 > /proc/sys/net/ipv6/conf/{scope}/accept_ra"));
    }
    namespace
}

/// The kernel gives an interface its address a moment after it came up.
fn wait_for_link_local(namespace: &Namespace, interface: &str) {
    let mut arguments = vec!["-n", namespace.name(), "-6", "-o", "addr", "show", "scope", "link"];
    if !interface.is_empty() {
        arguments.extend(["dev", interface]);
    }
    let is_there = (0..LOOKS_MAX).any(|_| {
        thread::park_timeout(LOOK_INTERVAL);
        output("ip", &arguments).contains("fe80")
    });
    assert!(is_there, "{interface} has no link-local address");
}

fn shell(namespace: &Namespace, text: &str) -> String {
    output("ip", &["netns", "exec", namespace.name(), "sh", "-c", text])
}

fn capture(namespace: &Namespace, file: &Path) -> (Process, Lines) {
    let mut command = namespace.command("tcpdump");
    command.args(["-n", "-U", "--immediate-mode", "-Z", "root", "-i", "srv0", "-w", &file.display().to_string()]);
    command.arg("udp port 546 or udp port 547 or icmp6");
    let (tcpdump, _, mut errors) = Process::spawn(&mut command);
    errors.wait_for("capture", LIMIT, |line| line.contains("listening on"));
    (tcpdump, errors)
}

/// With option 18; option 37 it does not know.
fn start_relay_agent(relay: &Namespace, dir: &Path) -> Process {
    let mut command: Command = relay.command("dhcrelay");
    command.args(["-6", "-d", "-I", "-pf", &dir.join("relay6.pid").display().to_string()]);
    command.args(["-l", "down0", "-u", "2001:db8:77::2%up0"]);
    let (process, _, mut errors) = Process::spawn(&mut command);
    errors.wait_for("listening relay agent", Duration::from_secs(20), |line| line.contains("Sending on"));
    process
}
