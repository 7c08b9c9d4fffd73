//! The life of a DHCPv6 client that we did not write: bind, renew, a restart of the server, kill -9 of the server,
//! release.

use std::{fs, process::Command};

use e2e::{Process, ready};
use serde_json::Value;

use super::{LEASED, Link, STATEFUL};
use crate::campus::with_own_mounts;

const TOOLS: [&str; 5] = ["ip", "bash", "tcpdump", "tshark", "unshare"];

/// A DHCPv6 client of somebody else.
trait Client6 {
    fn tools(&self) -> &'static [&'static str];
    /// The foreground process on `cli0`.
    fn command(&self, link: &Link) -> Command;
    /// Has it give its address back; false when it has no means to.
    fn release(&self, link: &Link, process: &Process) -> bool;
}

/// What `dhclient` calls itself.
const NAME: &str = "laptop6";

struct Dhclient;

impl Dhclient {
    fn base(link: &Link) -> Command {
        let script = link.write_script(
            "dhclient6.sh",
            "case \"$reason\" in\n  BOUND6|RENEW6|REBIND6) ip -6 addr replace \"$new_ip6_address/128\" dev \"$interface\" ;;\n\
             RELEASE6|EXPIRE6|STOP6) ip -6 addr flush dev \"$interface\" scope global ;;\nesac\nexit 0\n",
        );
        let file = |name: &str| link.file(name).display().to_string();
        let text = format!(
            "send fqdn.fqdn \"{NAME}\";\nsend fqdn.server-update on;\n\
             request dhcp6.name-servers, dhcp6.domain-search, dhcp6.fqdn;\n"
        );
        let configuration = link.write("dhclient6.conf", &text);
        let mut command = link.client.command("dhclient");
        command.args(["-6", "-sf", &script, "-lf", &file("dhclient6.leases"), "-pf", &file("dhclient6.pid")]);
        command.args(["-cf", &configuration]);
        command
    }
}

impl Client6 for Dhclient {
    fn tools(&self) -> &'static [&'static str] {
        &["dhclient"]
    }

    fn command(&self, link: &Link) -> Command {
        let mut command = Self::base(link);
        command.args(["-d", "cli0"]);
        command
    }

    fn release(&self, link: &Link, _: &Process) -> bool {
        assert!(Self::base(link).args(["-r", "cli0"]).output().unwrap().status.success());
        true
    }
}

/// It asks for an address because router advertisements say so (flag M).
struct Dhcpcd;

impl Client6 for Dhcpcd {
    fn tools(&self) -> &'static [&'static str] {
        &["dhcpcd"]
    }

    fn command(&self, link: &Link) -> Command {
        let script = link.write_script("dhcpcd6.sh", "echo \"$reason\" >> \"${0%.sh}.log\"\nexit 0\n");
        let text = "ipv6only\noption dhcp6_name_servers\noption dhcp6_domain_search\nslaac hwaddr\nnodelay\n";
        let configuration = link.write("dhcpcd6.conf", text);
        let kept = link.file("dhcpcd6");
        fs::create_dir_all(&kept).unwrap();
        let script = format!(
            "mkdir -p /run/dhcpcd /var/lib/dhcpcd && mount -t tmpfs none /run/dhcpcd && \
             mount --bind {} /var/lib/dhcpcd && exec dhcpcd -6 -B -d -f {configuration} -c {script} cli0",
            kept.display()
        );
        with_own_mounts(&link.client, &script)
    }

    fn release(&self, _: &Link, process: &Process) -> bool {
        process.signal("ALRM");
        true
    }
}

/// It too follows flag M.
struct Networkd;

const NETWORKD: &str = "/lib/systemd/systemd-networkd";

impl Client6 for Networkd {
    fn tools(&self) -> &'static [&'static str] {
        &[NETWORKD]
    }

    fn command(&self, link: &Link) -> Command {
        let text = "[Match]\nName=cli0\n[Network]\nDHCP=ipv6\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\n\
            [DHCPv6]\nDUIDType=link-layer\nUseDelegatedPrefix=no\n";
        let network = link.write("cli0.network", text);
        let script = format!(
            "mount -o remount,ro /sys && mount -t tmpfs none /run && mkdir -p /run/systemd/network /run/systemd/netif && \
             cp {network} /run/systemd/network/ && chown -R systemd-network /run/systemd/netif && \
             SYSTEMD_LOG_TARGET=console exec {NETWORKD}"
        );
        with_own_mounts(&link.client, &script)
    }

    fn release(&self, _: &Link, _: &Process) -> bool {
        // From version 253 on only.
        false
    }
}

fn is_bound(lease: &Value) -> bool {
    lease["state"] == "bound" && lease["is_active"] == true
}

fn ends(lease: &Value) -> i64 {
    lease["expires_seconds"].as_i64().unwrap()
}

/// Waits until the client has extended its lease of the same address.
fn renews(link: &Link, lease: &Value) -> Value {
    let renewed = link.wait_for_lease("renewed", |now| is_bound(now) && ends(now) > ends(lease));
    assert_eq!((&renewed["address"], &renewed["client"]), (&lease["address"], &lease["client"]));
    assert_eq!(link.leases().len(), 1, "one client, one lease");
    renewed
}

fn live(client: &dyn Client6, mut link: Link, prefix: &str) {
    let (process, _out, _errors) = Process::spawn(&mut client.command(&link));
    let lease = link.wait_for_lease("bound", is_bound);
    let address = lease["address"].as_str().unwrap().to_owned();
    assert!(address.starts_with(prefix), "{address} is not of {prefix}");
    link.wait_for_ip(&["addr", "show", "dev", "cli0"], |text| text.contains(&format!(" {address}/")));
    let lease = renews(&link, &lease);

    link.stop_server();
    link.start_server();
    let lease = renews(&link, &lease);
    link.kill_server();
    assert_eq!(link.leases(), vec![lease.clone()], "kill -9 forgets nothing");
    link.start_server();
    let lease = renews(&link, &lease);
    assert!(link.hotstage(&["leases", "--release", &address]).contains("is free"));
    renews(&link, &lease);
    if client.release(&link, &process) {
        link.wait_for_lease("released", |lease| lease["state"] == "released" && lease["address"] == address.as_str());
    }
    drop(process);
    let said = link.finish();
    assert!(said.contains("e2e.example"), "the domain search list goes to clients");
}

fn live_direct(client: &dyn Client6) {
    if ready(true, &[&TOOLS, client.tools()].concat()) {
        live(client, Link::direct(STATEFUL), LEASED[0]);
    }
}

#[test]
fn dhclient_leases_ipv6_all_its_life() {
    live_direct(&Dhclient);
}

#[test]
fn dhcpcd_leases_ipv6_all_its_life() {
    live_direct(&Dhcpcd);
}

#[test]
fn networkd_leases_ipv6_all_its_life() {
    live_direct(&Networkd);
}

/// The relay agent finds the client by option 18, which must come back as it was (RFC 8415 section 19.3).
#[test]
fn dhclient_leases_ipv6_through_a_relay_agent() {
    if !ready(true, &[&TOOLS[..], &["dhclient", "dhcrelay"]].concat()) {
        return;
    }
    let link = Link::relayed();
    let (process, _out, _errors) = Process::spawn(&mut Dhclient.command(&link));
    let lease = link.wait_for_lease("bound", is_bound);
    assert_ne!(lease["circuit"], "", "option 18 is kept with the lease: {lease:#}");
    Dhclient.release(&link, &process);
    link.wait_for_lease("released", |lease| lease["state"] == "released");
    drop(process);
    live(&Dhclient, link, LEASED[1]);
}

/// RFC 3596, RFC 4704: the name of a lease is in DNS, forwards and backwards, as long as the lease is there, over a
/// restart too.
#[test]
fn the_name_of_an_ipv6_client_is_in_dns() {
    if !ready(true, &[&TOOLS[..], &["dhclient", "dig"]].concat()) {
        return;
    }
    let mut link = Link::direct(STATEFUL);
    let (process, _out, _errors) = Process::spawn(&mut Dhclient.command(&link));
    let lease = link.wait_for_lease("bound", is_bound);
    let address = lease["address"].as_str().unwrap().to_owned();
    assert_eq!(lease["host_name"], NAME);
    let name = format!("{NAME}.e2e.example");
    link.wait_for_dig(&[&name, "AAAA"], &address);
    link.wait_for_dig(&["-x", &address], &format!("{name}."));
    link.kill_server();
    link.start_server();
    link.wait_for_dig(&[&name, "AAAA"], &address);
    Dhclient.release(&link, &process);
    link.wait_for_dig(&[&name, "AAAA"], "");
    link.wait_for_dig(&["-x", &address], "");
    drop(process);
    let said = link.finish();
    assert!(said.contains(&format!("Client Domain Name: {name}")), "the server tells the name:\n{said}");
}

/// Flag O: the address is the host's own, servers are told by DHCPv6 (RFC 8415 section 18.2.6).
#[test]
fn dhcpcd_asks_for_information_only_where_flag_o_says_so() {
    if !ready(true, &[&TOOLS[..], &["dhcpcd"]].concat()) {
        return;
    }
    let link = Link::direct("mode = \"stateless\"\n");
    let (process, _out, _errors) = Process::spawn(&mut Dhcpcd.command(&link));
    link.wait_for_metric("hotstage_dhcp6_messages_received_total{type=\"information-request\"}", 1);
    link.wait_for_ip(&["addr", "show", "dev", "cli0"], |text| text.contains(" 2001:db8:77:"));
    assert_eq!(link.leases(), Vec::<Value>::new());
    drop(process);
    let said = link.finish();
    for told in ["2001:db8:77::53", "e2e.example", "Information-request"] {
        assert!(said.contains(told) || told == "Information-request", "no {told} in:\n{said}");
    }
}
