//! kill -9 while a crowd leases: what a client was told is in the state directory, and nobody is told the same.

use std::collections::{BTreeMap, BTreeSet};

use e2e::{Lines, Process, output, ready};

use super::{Link, STATEFUL};
use crate::campus::LIMIT;

/// How many hear that they have a lease before each kill.
const LEASES: [usize; 4] = [40, 150, 7, 300];

#[test]
fn kill_9_forgets_no_ipv6_lease() {
    if !ready(true, &["ip", "bash", "tcpdump", "tshark"]) {
        return;
    }
    let mut link = Link::direct(&format!("{STATEFUL}\n"));
    let index = output("ip", &["netns", "exec", link.client.name(), "cat", "/sys/class/net/cli0/ifindex"]);
    let mut told: BTreeMap<String, u32> = BTreeMap::new();
    for (round, count) in (1..).zip(LEASES) {
        let seed: u32 = round;
        let mut command = link.client.command(env!("CARGO_BIN_EXE_crowd6"));
        command.args([index.trim(), "16", &seed.to_string()]);
        let (crowd, mut said, _errors) = Process::spawn(&mut command);
        for _ in 0..count {
            note(&mut told, &mut said, seed);
        }
        link.kill_server();
        drop(crowd);
        // What else was heard before the kill.
        let rest = said.rest();
        for address in rest.iter().filter_map(|line| line.strip_prefix("lease ")) {
            assert_eq!(told.insert(address.to_owned(), seed), None, "{address} went to two clients");
        }
        let kept: BTreeSet<String> =
            link.leases().iter().map(|lease| lease["address"].as_str().unwrap().to_owned()).collect();
        let lost: Vec<_> = told.keys().filter(|address| !kept.contains(*address)).collect();
        assert!(lost.is_empty(), "{} of {} leases were forgotten: {lost:?}", lost.len(), told.len());
        link.start_server();
    }
    link.finish();
}

fn note(told: &mut BTreeMap<String, u32>, said: &mut Lines, seed: u32) {
    let line = said.wait_for("lease", LIMIT, |line| line.starts_with("lease "));
    let address = line.trim_start_matches("lease ").to_owned();
    assert_eq!(told.insert(address, seed), None, "{line} went to two clients");
}
