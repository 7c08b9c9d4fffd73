//! Another DHCP server on a direct link: found by our own DISCOVER and named with its hardware address. What we say
//! ourselves is never taken for another's.

use e2e::{DhcpMessage, Kind, Namespace, Process, output, program, ready};

use crate::campus::{Campus, LIMIT, Path4};

const SENT: &str = "hotstage_dhcp_server_probes_total{outcome=\"sent\"}";
const OVERHEARD: &str = "hotstage_dhcp_foreign_overheard_total";
const FOREIGN: &str = "hotstage_dhcp_foreign_messages_total";

fn incidents(campus: &Campus) -> String {
    let state = campus.file("state").display().to_string();
    output(&program().display().to_string(), &["incidents", "--state", &state, "--format", "json"])
}

fn mac(host: &Namespace) -> String {
    output("ip", &["netns", "exec", host.name(), "cat", "/sys/class/net/eth0/address"]).trim().to_owned()
}

fn udhcpc(host: &Namespace, interface: &str) -> Process {
    let mut command = host.command("udhcpc");
    // With the broadcast bit, so that the answers are on the whole link.
    command.args(["-f", "-R", "-B", "-i", interface, "-t", "10", "-T", "1", "-s", "/bin/true"]);
    Process::spawn(&mut command).0
}

#[test]
fn another_server_on_our_link_is_found_and_named() {
    if !ready(true, &["ip", "tcpdump", "tshark", "bash", "udhcpc", "dnsmasq"]) {
        return;
    }
    let mut campus = Campus::new(Path4::Direct, 60);
    campus.wait_for_metric(SENT, 2);
    let client = udhcpc(&campus.client, "cli0");
    let is_broadcast_ack = |message: &DhcpMessage| message.kind == Kind::Ack && message.to.is_broadcast();
    campus.wire.wait_for("ACK to everybody", LIMIT, is_broadcast_ack);
    campus.wait_for_metric("hotstage_dhcp_messages_sent_total{type=\"ack\"}", 1);
    assert_eq!((campus.metric(OVERHEARD), campus.metric(FOREIGN)), (0, 0), "our own");
    assert!(!incidents(&campus).contains("another DHCP server"), "{}", incidents(&campus));

    let rogue = campus.add_host("rogue", "10.77.0.66/24");
    let mut command = rogue.command("dnsmasq");
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--no-ping"]);
    command.args(["--user=root", "--log-facility=-", "--dhcp-range=10.77.0.210,10.77.0.220,1h"]);
    command.arg(format!("--dhcp-leasefile={}", campus.file("rogue.leases").display()));
    command.arg(format!("--pid-file={}", campus.file("rogue.pid").display()));
    let (_dnsmasq, _, mut said) = Process::spawn(&mut command);
    said.wait_for("DHCP range", LIMIT, |line| line.contains("10.77.0.210"));
    // It asks at its start, and every minute.
    campus.renumber_server();
    campus.wait_for_metric(OVERHEARD, 1);
    campus.wait_for_metric(FOREIGN, 1);
    let mut found = String::new();
    for _ in 0..100 {
        found = incidents(&campus);
        if found.contains("another DHCP server") {
            break;
        }
    }
    assert!(found.contains("another DHCP server, 10.77.0.66, answers clients on srv0"), "{found}");
    assert!(found.to_lowercase().contains(&mac(&rogue)) && !found.contains("10.77.0.3,"), "{found}");
    drop(client);
    campus.finish();
}
