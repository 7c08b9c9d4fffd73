//! Two VLANs, a switch, the server beside the clients or behind a relay agent; and what can be asked of them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use e2e::{DhcpMessage, Hotstage, Namespace, Process, Wire, output, program};

use crate::event::{PLAN, run_command};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// How often something is looked for that nothing tells of.
const LOOKS_MAX: usize = 300;
/// Between two looks at a figure: a client that lost a message asks again after seconds only.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The second VLAN of each kind.
const MORE_VLANS: &str = r#"
[vlan.direct-b]
id = 11
subnet = "10.79.0.0/24"
kind = "attendee"
gateway = "10.79.0.1"
pool = ["10.79.0.100-10.79.0.199"]
dhcp = { lease = "12s", via = "direct", interface = "srv1" }

[vlan.relayed-b]
id = 21
subnet = "10.80.0.0/24"
kind = "attendee"
gateway = "10.80.0.1"
pool = ["10.80.0.100-10.80.0.199"]
dhcp = { lease = "12s", via = "relay" }
"#;

/// The switch drops what clients send by unicast, as if the server they know were gone. Not at the server, because
/// `dhcrelay` also hears the unicast that is routed past it and relays it.
const NO_UNICAST: &str = "table bridge gone {
  chain forward {
    type filter hook forward priority 0
    udp sport 68 udp dport 67 ip daddr != 255.255.255.255 drop
  }
}";

/// How clients reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path4 {
    /// On its own interfaces.
    Direct,
    /// Through `dhcrelay -a`, which adds option 82.
    Relayed,
}

/// The network of one test. The client's port is in VLAN A at first.
pub(crate) struct Campus {
    pub(crate) client: Namespace,
    hotstage: Option<Hotstage>,
    /// What passes at the client's interface.
    pub(crate) wire: Wire,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) path: Path4,
    server_wire: Wire,
    _relay_agent: Option<Process>,
    server: Namespace,
    switch: Namespace,
    _relay: Option<Namespace>,
}

impl Campus {
    /// Builds it and starts the server, with leases of so many seconds.
    pub(crate) fn new(path: Path4, lease_seconds: u32) -> Self {
        Self::with(path, lease_seconds, "")
    }

    /// The same, with more lines in the plan.
    pub(crate) fn with(path: Path4, lease_seconds: u32, more: &str) -> Self {
        let (server, client, switch) = (Namespace::new("srv"), Namespace::new("cli"), Namespace::new("sw"));
        for bridge in ["vlan-a", "vlan-b"] {
            switch.ip(&["link", "add", bridge, "type", "bridge"]);
            switch.ip(&["link", "set", bridge, "up"]);
        }
        let port = |name: &str, bridge: &str, host: &Namespace, interface: &str, address: &str| {
            switch.connect(name, "", host, interface, address);
            switch.ip(&["link", "set", name, "master", bridge]);
        };
        port("to-cli", "vlan-a", &client, "cli0", "");
        // A host answers for an address only where it has it, so that a VLAN is left when the cable is moved.
        shell(&server, "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore");
        let relay = match path {
            Path4::Direct => {
                port("to-srv0", "vlan-a", &server, "srv0", "10.77.0.2/24");
                port("to-srv1", "vlan-b", &server, "srv1", "10.79.0.2/24");
                None
            }
            Path4::Relayed => {
                let relay = Namespace::new("rel");
                server.connect("srv0", "10.77.0.2/24", &relay, "up0", "10.77.0.1/24");
                server.ip(&["link", "add", "srv1", "type", "bridge"]);
                port("to-rel0", "vlan-a", &relay, "down0", "10.78.0.1/24");
                port("to-rel1", "vlan-b", &relay, "down1", "10.80.0.1/24");
                for subnet in ["10.78.0.0/24", "10.80.0.0/24"] {
                    server.ip(&["route", "add", subnet, "via", "10.77.0.1"]);
                }
                shell(
                    &relay,
                    "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore",
                );
                Some(relay)
            }
        };
        let dir = tempfile::tempdir().unwrap();
        let plan = dir.path().join("plan");
        fs::create_dir(&plan).unwrap();
        let text = format!("{PLAN}{MORE_VLANS}{more}").replace("\"12s\"", &format!("\"{lease_seconds}s\""));
        fs::write(plan.join("event.toml"), text).unwrap();
        let state = dir.path().join("state");
        let hotstage = Hotstage::start(&mut run_command(&server, &plan.display().to_string(), &state));
        let relay_agent = relay.as_ref().map(|relay| start_relay_agent(relay, dir.path()));
        let wire = Wire::start(&client, "cli0", &dir.path().join("client.pcap"));
        let server_wire = Wire::start(&server, "any", &dir.path().join("server.pcap"));
        Self {
            client,
            hotstage: Some(hotstage),
            wire,
            dir,
            path,
            server_wire,
            _relay_agent: relay_agent,
            server,
            switch,
            _relay: relay,
        }
    }

    /// One more host in VLAN A, on `eth0`, with an address if not empty.
    pub(crate) fn add_host(&self, name: &str, address: &str) -> Namespace {
        let (host, port) = (Namespace::new(name), format!("to-{name}"));
        self.switch.connect(&port, "", &host, "eth0", address);
        self.switch.ip(&["link", "set", &port, "master", "vlan-a"]);
        if !address.is_empty() && self.path == Path4::Relayed {
            host.ip(&["route", "add", "default", "via", "10.78.0.1"]);
        }
        host
    }

    /// How addresses of VLAN A begin.
    pub(crate) fn prefix_a(&self) -> &'static str {
        if self.path == Path4::Direct { "10.77.0." } else { "10.78.0." }
    }

    /// How addresses of VLAN B begin.
    pub(crate) fn prefix_b(&self) -> &'static str {
        if self.path == Path4::Direct { "10.79.0." } else { "10.80.0." }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a small file of the test.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.file(name), text).unwrap();
        self.file(name).display().to_string()
    }

    /// Writes a shell script that a client calls.
    pub(crate) fn write_script(&self, name: &str, text: &str) -> String {
        let path = self.write(name, &format!("#!/bin/sh\n{text}"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn unplug_client(&self) {
        self.switch.ip(&["link", "set", "to-cli", "down"]);
    }

    pub(crate) fn plug_client(&self) {
        self.switch.ip(&["link", "set", "to-cli", "up"]);
    }

    /// Puts the client's port into VLAN B.
    pub(crate) fn move_client(&self) {
        self.switch.ip(&["link", "set", "to-cli", "master", "vlan-b"]);
    }

    /// What a reboot does to the client's interface.
    pub(crate) fn forget_addresses(&self) {
        self.client.ip(&["addr", "flush", "dev", "cli0"]);
        self.client.ip(&["link", "set", "cli0", "down"]);
        self.client.ip(&["link", "set", "cli0", "up"]);
    }

    /// The switch notices a cable a moment later, and until then loses what is sent.
    pub(crate) fn wait_for_switch(&self) {
        let forwards = (0..LOOKS_MAX).any(|_| {
            let text = output("ip", &["-n", self.switch.name(), "-d", "-o", "link", "show", "dev", "to-cli"]);
            text.contains("state forwarding")
        });
        assert!(forwards, "the switch does not forward what comes from the client");
    }

    /// Refuses unicast to the server until [`Self::server_is_back`].
    pub(crate) fn server_is_gone(&self) {
        let rules = self.write("gone.nft", NO_UNICAST);
        shell(&self.switch, &format!("nft -f {rules}"));
    }

    pub(crate) fn server_is_back(&self) {
        shell(&self.switch, "nft delete table bridge gone");
    }

    fn stop_server(&mut self) {
        let hotstage = self.hotstage.take().expect("every stop is followed by a start, or by the end");
        hotstage.process.signal("TERM");
        assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    }

    /// The same server, with the same state, moves from 10.77.0.2 to 10.77.0.3 (direct only).
    pub(crate) fn renumber_server(&mut self) {
        self.stop_server();
        self.server.ip(&["addr", "flush", "dev", "srv0"]);
        self.server.ip(&["addr", "add", "10.77.0.3/24", "dev", "srv0"]);
        let (plan, state) = (self.file("plan").display().to_string(), self.file("state"));
        let mut command = run_command(&self.server, &plan, &state);
        command.args(["--set", "device.server.address=10.77.0.3"]);
        self.hotstage = Some(Hotstage::start(&mut command));
    }

    /// Waits until the client's interface has an address.
    pub(crate) fn wait_for_address(&self, address: &str) {
        let mut text = String::new();
        for _ in 0..LOOKS_MAX {
            text = output("ip", &["-n", self.client.name(), "-4", "-o", "addr", "show", "dev", "cli0"]);
            if text.contains(&format!(" {address}/")) {
                return;
            }
        }
        panic!("the client has not set {address}: {text}");
    }

    pub(crate) fn leases(&self) -> Vec<serde_json::Value> {
        let state = self.file("state").display().to_string();
        let text = output(&program().display().to_string(), &["leases", "--state", &state, "--format", "json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// The lease of an address in the state wanted, once it is there: a release is not answered (RFC 2131 section 4.4.6).
    pub(crate) fn wait_for_lease(&self, address: &str, state: &str) -> serde_json::Value {
        let mut leases = Vec::new();
        for _ in 0..LOOKS_MAX {
            leases = self.leases();
            if let Some(lease) = leases.iter().find(|lease| lease["address"] == address && lease["state"] == state) {
                return lease.clone();
            }
        }
        panic!("{address} is not {state}: {leases:#?}");
    }

    /// A counter of `/metrics`, named with its labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        const GET: &str = "exec 3<>/dev/tcp/127.0.0.1/8080; \
            printf 'GET /metrics HTTP/1.1\\r\\nHost: hotstage\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3";
        let text = output("ip", &["netns", "exec", self.server.name(), "bash", "-c", GET]);
        let value = text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no `{name}` in {text}"))
    }

    /// Waits until a counter has a value: it is published once a second.
    pub(crate) fn wait_for_metric(&self, name: &str, at_least: u64) {
        let found = (0..LOOKS_MAX).any(|_| {
            thread::park_timeout(LOOK_INTERVAL);
            self.metric(name) >= at_least
        });
        assert!(found, "`{name}` is {}, not {at_least} or more", self.metric(name));
    }

    /// Ends the server, which must end well, and has `tshark` judge what it sent; all that the server heard and said.
    pub(crate) fn finish(mut self) -> Vec<DhcpMessage> {
        self.stop_server();
        let (_, client_capture) = self.wire.stop();
        let (messages, server_capture) = self.server_wire.stop();
        let replies = e2e::check_replies(&server_capture);
        e2e::check_replies(&client_capture);
        assert_eq!(replies.with_agent_information > 0, self.path == Path4::Relayed, "{replies:?}");
        messages
    }
}

fn start_relay_agent(relay: &Namespace, dir: &Path) -> Process {
    let mut command = relay.command("dhcrelay");
    command.args(["-4", "-d", "-a", "-pf", &dir.join("relay.pid").display().to_string()]);
    command.args(["-id", "down0", "-id", "down1", "-iu", "up0", "10.77.0.2"]);
    let (process, _, mut errors) = Process::spawn(&mut command);
    errors.wait_for("listening relay agent", LIMIT, |line| line.contains("Sending on") && line.contains("Socket"));
    process
}

fn shell(namespace: &Namespace, text: &str) {
    output("ip", &["netns", "exec", namespace.name(), "sh", "-c", text]);
}

/// A shell script, run in the namespace with mounts of its own; what it makes in /run is seen by nobody else.
pub(crate) fn with_own_mounts(namespace: &Namespace, script: &str) -> Command {
    let mut command = namespace.command("unshare");
    command.args(["--mount", "sh", "-c", script]);
    command
}
