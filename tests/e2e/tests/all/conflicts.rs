//! A host that sits on an address of the pool without a lease (RFC 2131 section 3.1 step 2): it keeps the address,
//! clients get others, and none waits for a probe that is not its own.

use std::{collections::BTreeMap, time::Duration};

use e2e::{DhcpMessage, Kind, Namespace, Process, output, program, ready};

use crate::campus::{Campus, Path4};

const PROBING: &str = "\n[dhcp]\nconflict_probe = true\n";
const CLIENTS: usize = 6;
/// The probe's half second, and what a busy machine takes.
const OFFER_WAIT_MAX: Duration = Duration::from_millis(950);

fn udhcpc(host: &Namespace, interface: &str) -> Process {
    let mut command = host.command("udhcpc");
    command.args(["-f", "-R", "-i", interface, "-t", "10", "-T", "1", "-A", "1", "-s", "/bin/true"]);
    Process::spawn(&mut command).0
}

/// How long each transaction's first offer took.
fn waits(messages: &[DhcpMessage]) -> BTreeMap<u32, Option<Duration>> {
    let first = |xid, kind| messages.iter().find(|message| message.xid == xid && message.kind == kind);
    let discovers = messages.iter().filter(|message| message.kind == Kind::Discover);
    let wait = |xid| {
        let offer = first(xid, Kind::Offer)?;
        Some(offer.at.saturating_sub(first(xid, Kind::Discover)?.at))
    };
    discovers.map(|message| (message.xid, wait(message.xid))).collect()
}

fn transcript(messages: &[DhcpMessage]) -> String {
    messages.iter().map(|message| format!("{:?} {message}\n", message.at)).collect()
}

fn squat(path: Path4) {
    if !ready(true, &["ip", "tcpdump", "tshark", "nft", "bash", "udhcpc", "dhcrelay"]) {
        return;
    }
    let campus = Campus::with(path, 60, PROBING);
    let squatted = format!("{}100", campus.prefix_a());
    let _squatter = campus.add_host("squat", &format!("{squatted}/24"));
    let hosts: Vec<_> = (1..CLIENTS).map(|number| campus.add_host(&format!("h{number}"), "")).collect();
    let others = hosts.iter().map(|host| (host, "eth0"));
    let clients = others.chain([(&campus.client, "cli0")]).map(|(host, interface)| udhcpc(host, interface));
    let clients: Vec<_> = clients.collect();

    campus.wait_for_metric("hotstage_dhcp_conflicts_total", 1);
    campus.wait_for_lease(&squatted, "declined");
    campus.wait_for_metric("hotstage_dhcp_messages_sent_total{type=\"ack\"}", CLIENTS as u64);
    let bound: Vec<_> = campus.leases().into_iter().filter(|lease| lease["state"] == "bound").collect();
    assert_eq!(bound.len(), CLIENTS, "{bound:#?}");
    assert!(bound.iter().all(|lease| lease["address"] != squatted.as_str()), "{bound:#?}");
    let state = campus.file("state").display().to_string();
    let incidents = output(&program().display().to_string(), &["incidents", "--state", &state]);
    assert!(incidents.contains(&format!("{squatted} is in use by a host that has no lease for it")), "{incidents}");
    assert_eq!(campus.metric("hotstage_dhcp_conflicts_total"), 1);

    drop(clients);
    let messages = campus.finish();
    let waits = waits(&messages);
    let quick = waits.values().flatten().filter(|wait| **wait < OFFER_WAIT_MAX).count();
    assert!(
        quick >= CLIENTS - 1,
        "only the client that was to get {squatted} asks twice: {waits:?}\n{}",
        transcript(&messages)
    );
}

/// Asked by ARP (RFC 5227 section 2.1.1).
#[test]
fn an_address_in_use_on_our_link_is_not_offered() {
    squat(Path4::Direct);
}

/// Asked by ICMP echo.
#[test]
fn an_address_in_use_behind_a_relay_agent_is_not_offered() {
    squat(Path4::Relayed);
}
