//! Bad input of every kind at the port of DHCP, by the thousand, and an honest client that binds during each: direct, and
//! behind the relay agent that the bad input claims to come from.

use std::{fs, process::Command, thread, time::Duration};

use e2e::{Hotstage, Process, ready};

use crate::load::{Bench, LIMIT};

const SERVER: &str = "10.77.0.2";
const GIADDR: &str = "10.78.0.1";
/// The kinds of `hostile`.
const KINDS: [&str; 10] =
    ["truncated", "headers", "options", "fragments", "names", "agents", "crowd", "informs", "transactions", "forged"];
/// What an operator sets where ports can be told apart.
const LIMITS: &str = "\n[dhcp]\nleases_per_circuit = 8\noffers_per_circuit = 4\ndeclines_per_circuit_per_hour = 4\n\
    packets_per_source_per_second = 50\n";
/// Ports of the bad input; the honest crowd's have other names.
const HOSTILE_PORTS: [&str; 8] = ["port-1", "port-2", "port-3", "port-6", "port-7", "port-8", "port-9", "p3"];

const LEASES_PER_CIRCUIT: usize = 8;

/// Resident memory of the server.
fn resident_kib(hotstage: &Hotstage) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", hotstage.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn is_counted(metrics: &str, reason: &str) -> bool {
    let name = format!("hotstage_dhcp_dropped_total{{reason=\"{reason}\"}} ");
    metrics.lines().filter_map(|line| line.strip_prefix(&name)).any(|value| value != "0")
}

/// A client that ends when it is bound.
fn udhcpc(bench: &Bench) -> Command {
    let mut command = bench.crowd.command("udhcpc");
    command.args(["-f", "-q", "-n", "-i", "up0", "-t", "30", "-T", "1", "-s", "/bin/true"]);
    command
}

#[test]
fn honest_clients_bind_during_every_kind_of_bad_input() {
    if !ready(true, &["ip", "bash", "udhcpc"]) {
        return;
    }
    let bench = Bench::with(LIMITS);
    let hotstage = Hotstage::start(&mut bench.server_command());
    let memory = resident_kib(&hotstage);
    let (_crowd, mut acks) = bench.start_crowd(4, 20_260_520, None);
    // The honest clients' ports are known to the server before others are made up.
    acks.wait_for("ACKs before anything bad", LIMIT, |line| line == "acks 200");
    for kind in KINDS {
        let mut command = bench.crowd.command(env!("CARGO_BIN_EXE_hostile"));
        command.args([SERVER, GIADDR, "10.78.0.3", kind]);
        let (hostile, mut rounds, _) = Process::spawn(&mut command);
        rounds.wait_for("first round", LIMIT, |line| line.starts_with("round "));
        let (client, ..) = Process::spawn(&mut udhcpc(&bench));
        assert_eq!(client.wait(LIMIT), Some(0), "a direct client during `{kind}`");
        let what = format!("ACKs to clients behind the same relay agent during `{kind}`");
        acks.wait_for(&what, LIMIT, |line| line.starts_with("acks "));
        rounds.wait_for("another round", LIMIT, |line| line.starts_with("round "));
        drop(hostile);
    }
    // Each cause is counted.
    let reasons = ["malformed", "not-a-request", "unknown-subnet", "bad-relay", "over-circuit-rate", "not-the-owner"];
    let mut uncounted = Vec::new();
    for _ in 0..30 {
        let metrics = bench.metrics();
        uncounted = reasons.iter().filter(|reason| !is_counted(&metrics, reason)).collect();
        if uncounted.is_empty() {
            break;
        }
        thread::park_timeout(Duration::from_millis(200));
    }
    assert!(uncounted.is_empty(), "not counted: {uncounted:?} in\n{}", bench.metrics());
    // Nobody got more than a port may have, and no name that was not cleaned.
    let leases = bench.leases_json();
    for port in HOSTILE_PORTS {
        let is_held = |lease: &&serde_json::Value| lease["circuit"] == port && lease["is_active"] == true;
        let held = leases.iter().filter(is_held).count();
        assert!(held <= LEASES_PER_CIRCUIT, "{port} holds {held}");
    }
    let is_clean =
        |name: &str| name.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-');
    let names: Vec<_> = leases.iter().filter_map(|lease| lease["host_name"].as_str()).collect();
    assert!(names.iter().all(|name| is_clean(name)), "{names:?}");
    let grown = resident_kib(&hotstage).saturating_sub(memory);
    assert!(grown < 200_000, "{grown} KiB more");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(Duration::from_secs(60)), Some(0));
}
