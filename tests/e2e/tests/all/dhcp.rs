//! Leases for clients that we did not write: get, renew, release; direct and through a relay agent.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command, time::Duration};

use e2e::{Hotstage, Lines, Namespace, Process, output, program, ready};

use crate::event::{run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(30);

/// The network of one test: the server, and a client either beside it or behind a relay agent.
struct Net {
    client: Namespace,
    server: Namespace,
    relay: Option<Namespace>,
    hotstage: Hotstage,
    _relay_agent: Option<Process>,
    state: PathBuf,
    dir: tempfile::TempDir,
}

impl Net {
    fn direct() -> Self {
        let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
        server.connect("srv0", "10.77.0.2/24", &client, "cli0", "");
        Self::start(server, client, None)
    }

    fn relayed() -> Self {
        let (server, client, relay) = (Namespace::new("srv"), Namespace::new("cli"), Namespace::new("rel"));
        server.connect("srv0", "10.77.0.2/24", &relay, "up0", "10.77.0.1/24");
        relay.connect("down0", "10.78.0.1/24", &client, "cli0", "");
        server.ip(&["route", "add", "10.78.0.0/24", "via", "10.77.0.1"]);
        output("ip", &["netns", "exec", relay.name(), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
        Self::start(server, client, Some(relay))
    }

    fn start(server: Namespace, client: Namespace, relay: Option<Namespace>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let plan = write_plan(dir.path());
        let state = dir.path().join("state");
        let hotstage = Hotstage::start(&mut run_command(&server, &plan, &state));
        let relay_agent = relay.as_ref().map(|relay| {
            let mut command = relay.command("dhcrelay");
            command.args(["-4", "-d", "-a", "-pf", &dir.path().join("relay.pid").display().to_string()]);
            command.args(["-id", "down0", "-iu", "up0", "10.77.0.2"]);
            let (process, _, mut errors) = Process::spawn(&mut command);
            errors.wait_for("listening relay agent", LIMIT, |line| {
                line.contains("Sending on") && line.contains("Socket")
            });
            process
        });
        Self { client, server, relay, hotstage, _relay_agent: relay_agent, state, dir }
    }

    fn prefix(&self) -> &'static str {
        if self.relay.is_some() { "10.78.0." } else { "10.77.0." }
    }

    /// A script in the form the clients call, which sets the address and tells us through a pipe.
    fn script(&self, name: &str, text: &str) -> (PathBuf, Lines) {
        let pipe = self.dir.path().join(format!("{name}.pipe"));
        let events = Lines::of_pipe(&pipe);
        let script = self.dir.path().join(format!("{name}.sh"));
        fs::write(&script, format!("#!/bin/sh\n{}", text.replace("PIPE", &pipe.display().to_string()))).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        (script, events)
    }

    fn leases(&self) -> Vec<serde_json::Value> {
        let state = self.state.display().to_string();
        let program = program().display().to_string();
        let text = output(&program, &["leases", "--state", &state, "--format", "json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// The lease of an address has the state wanted; asked of the program's own command line.
    fn assert_lease(&self, address: &str, state: &str) {
        let leases = self.leases();
        let lease = leases.iter().find(|lease| lease["address"] == address);
        assert_eq!(lease.map(|lease| lease["state"].clone()), Some(state.into()), "{leases:#?}");
    }

    fn finish(self) {
        self.hotstage.process.signal("TERM");
        assert_eq!(self.hotstage.process.wait(LIMIT), Some(0));
        drop(self.server);
    }
}

const UDHCPC_SCRIPT: &str = r#"
case "$1" in
  bound|renew) ip addr replace "$ip/$mask" dev "$interface"; [ -n "$router" ] && ip route replace default via $router ;;
  deconfig) ip addr flush dev "$interface" ; ip link set "$interface" up ;;
esac
echo "$1 $ip" > PIPE
"#;

const DHCLIENT_SCRIPT: &str = r#"
case "$reason" in
  BOUND|RENEW|REBIND|REBOOT) ip addr replace "$new_ip_address/24" dev "$interface"; [ -n "$new_routers" ] && ip route replace default via $new_routers ;;
  PREINIT) ip link set "$interface" up ;;
  EXPIRE|FAIL|RELEASE|STOP) ip addr flush dev "$interface" ;;
esac
echo "$reason ${new_ip_address:-$old_ip_address}" > PIPE
"#;

fn address_of(line: &str) -> String {
    line.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn check_udhcpc(net: Net) {
    let (script, mut events) = net.script("udhcpc", UDHCPC_SCRIPT);
    let mut command = net.client.command("udhcpc");
    command.args(["-f", "-R", "-i", "cli0", "-t", "5", "-T", "1", "-x", "hostname:udhcpc-client", "-s"]).arg(&script);
    let (client, _out, _errors) = Process::spawn(&mut command);
    let bound = address_of(&events.wait_for("lease", LIMIT, |line| line.starts_with("bound ")));
    assert!(bound.starts_with(net.prefix()), "{bound}");
    net.assert_lease(&bound, "bound");
    let renewed = events.wait_for("renewal by the client's own timer", LIMIT, |line| line.starts_with("renew "));
    assert_eq!(address_of(&renewed), bound);
    client.signal("USR2");
    events.wait_for("release", LIMIT, |line| line.starts_with("deconfig"));
    wait_until_released(&net, &bound);
    drop(client);
    net.finish();
}

fn check_dhclient(net: Net) {
    let (script, mut events) = net.script("dhclient", DHCLIENT_SCRIPT);
    let file = |name: &str| net.dir.path().join(name).display().to_string();
    let (leases, pid, conf) = (file("dhclient.leases"), file("dhclient.pid"), file("dhclient.conf"));
    fs::write(
        &conf,
        "send host-name \"dhclient-client\";\nrequest subnet-mask, routers, domain-name-servers, domain-name;\n",
    )
    .unwrap();
    let script = script.display().to_string();
    let arguments = ["-4", "-sf", &script, "-lf", &leases, "-pf", &pid, "-cf", &conf];
    let mut command = net.client.command("dhclient");
    command.arg("-d").args(arguments).arg("cli0");
    let (client, _out, _errors) = Process::spawn(&mut command);
    let bound = address_of(&events.wait_for("lease", LIMIT, |line| line.starts_with("BOUND ")));
    assert!(bound.starts_with(net.prefix()), "{bound}");
    net.assert_lease(&bound, "bound");
    let renewed = events.wait_for("renewal", LIMIT, |line| line.starts_with("RENEW ") || line.starts_with("REBIND "));
    assert_eq!(address_of(&renewed), bound);
    let mut release = net.client.command("dhclient");
    release.arg("-r").args(arguments).arg("cli0");
    assert!(release.output().unwrap().status.success());
    events.wait_for("release", LIMIT, |line| line.starts_with("RELEASE"));
    wait_until_released(&net, &bound);
    drop(client);
    net.finish();
}

fn check_dhcpcd(net: Net) {
    let (script, mut events) = net.script("dhcpcd", DHCLIENT_SCRIPT);
    let conf = net.dir.path().join("dhcpcd.conf");
    fs::write(&conf, "hostname dhcpcd-client\noption routers\noption domain_name_servers\nnoipv6\nnoarp\nnodelay\n")
        .unwrap();
    // Its run directory is fixed when it is built, so each has a mount of its own.
    let run_dhcpcd = |arguments: &str| -> Command {
        let mut command = net.client.command("unshare");
        let shell = format!(
            "mkdir -p /run/dhcpcd && mount -t tmpfs none /run/dhcpcd && mount -t tmpfs none /var/lib/dhcpcd 2>/dev/null; \
             exec dhcpcd -4 -f {} -c {} {arguments} cli0",
            conf.display(),
            script.display()
        );
        command.args(["-m", "sh", "-c", &shell]);
        command
    };
    let (client, _out, _errors) = Process::spawn(&mut run_dhcpcd("-B -d"));
    let bound = address_of(&events.wait_for("lease", LIMIT, |line| line.starts_with("BOUND ")));
    assert!(bound.starts_with(net.prefix()), "{bound}");
    net.assert_lease(&bound, "bound");
    let renewed = events.wait_for("renewal", LIMIT, |line| line.starts_with("RENEW ") || line.starts_with("REBIND "));
    assert_eq!(address_of(&renewed), bound);
    // ALRM asks the process to release and exit (dhcpcd(8), signals).
    client.signal("ALRM");
    events.wait_for("release", LIMIT, |line| line.starts_with("RELEASE") || line.starts_with("STOP"));
    wait_until_released(&net, &bound);
    drop(client);
    net.finish();
}

/// A release is not answered (RFC 2131 section 4.4.6), so it is looked for until it is there.
fn wait_until_released(net: &Net, address: &str) {
    const LOOKS_MAX: usize = 200;
    for _ in 0..LOOKS_MAX {
        if net.leases().iter().any(|lease| lease["address"] == *address && lease["state"] == "released") {
            return;
        }
    }
    net.assert_lease(address, "released");
}

#[test]
fn udhcpc_gets_renews_and_releases_directly() {
    if ready(true, &["ip", "udhcpc"]) {
        check_udhcpc(Net::direct());
    }
}

#[test]
fn udhcpc_gets_renews_and_releases_through_a_relay() {
    if ready(true, &["ip", "udhcpc", "dhcrelay"]) {
        check_udhcpc(Net::relayed());
    }
}

#[test]
fn dhclient_gets_renews_and_releases_directly() {
    if ready(true, &["ip", "dhclient"]) {
        check_dhclient(Net::direct());
    }
}

#[test]
fn dhclient_gets_renews_and_releases_through_a_relay() {
    if ready(true, &["ip", "dhclient", "dhcrelay"]) {
        check_dhclient(Net::relayed());
    }
}

#[test]
fn dhcpcd_gets_renews_and_releases_directly() {
    if ready(true, &["ip", "dhcpcd", "unshare"]) {
        check_dhcpcd(Net::direct());
    }
}

#[test]
fn dhcpcd_gets_renews_and_releases_through_a_relay() {
    if ready(true, &["ip", "dhcpcd", "unshare", "dhcrelay"]) {
        check_dhcpcd(Net::relayed());
    }
}
