//! kill -9 in the middle of the live rehearsal: no lease is forgotten, no address is given twice, every line is readable.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    time::Duration,
};

use e2e::{Process, example, output, program, ready};

const LIMIT: Duration = Duration::from_secs(150);

fn rehearsal(state: &Path, out: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("rehearse").arg(example("pyconjp-2019")).args(["--live", "--state"]).arg(state).arg("-o").arg(out);
    command
}

fn leases(state: &Path) -> Vec<serde_json::Value> {
    let state = state.display().to_string();
    let text = output(&program().display().to_string(), &["leases", "--state", &state, "--format", "json"]);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    if !ready(false, &["kill"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (state, out) = (dir.path().join("state"), dir.path().join("out"));
    let ledger = dir.path().join("ledger.csv");
    let mut command = rehearsal(&state, &out);
    command.args(["--speed", "2000", "--ledger"]).arg(&ledger);
    let (process, _out, mut errors) = Process::spawn(&mut command);
    errors.wait_for("rehearsal that is under way", LIMIT, |line| line.contains("rehearsing"));
    // Killed once the crowd's own ledger shows that enough leases were acknowledged.
    let acknowledged = || std::fs::read_to_string(&ledger).unwrap_or_default();
    let enough = (0..3_000_000).any(|_| {
        std::thread::yield_now();
        acknowledged().lines().count() > 2_000
    });
    assert!(enough, "only {} ACKs were received", acknowledged().lines().count());
    process.signal("KILL");
    drop(process);

    // The last line may be half written; every other one is an ACK that a client has received.
    let text = acknowledged();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut last = BTreeMap::new();
    for line in whole.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let [address, mac, expires] = fields[..] else { panic!("`{line}` is not a line of the ledger") };
        last.insert((address.to_owned(), mac.to_owned()), expires.parse::<i64>().unwrap());
    }
    let found = leases(&state);
    let by_key: BTreeMap<(String, String), i64> = found
        .iter()
        .map(|lease| {
            let text = |key: &str| lease[key].as_str().unwrap_or_default().to_owned();
            ((text("address"), text("mac")), lease["expires_seconds"].as_i64().unwrap())
        })
        .collect();
    let forgotten: Vec<_> = last
        .iter()
        .filter(|(key, expires)| {
            by_key.get(*key).is_none_or(|kept| kept < expires) && !reassigned(&found, key, **expires)
        })
        .collect();
    assert!(forgotten.is_empty(), "{} of {} leases were forgotten: {forgotten:?}", forgotten.len(), last.len());

    // Every stored line can be read.
    let state_text = state.display().to_string();
    let count = output(&program().display().to_string(), &["logs", "--state", &state_text, "--count"]);
    assert!(count.trim().parse::<u64>().unwrap() > 1_000, "{count}");

    // The same state serves again, to the end, and nobody gets an address that another holds.
    let again = rehearsal(&state, &out).args(["--speed", "6000", "--format", "json"]).output().unwrap();
    let text = String::from_utf8_lossy(&again.stdout).into_owned();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(summary["leases_duplicate"], 0, "{text}");
    assert_eq!(summary["leases_failed"], 0, "{text}");
    let bound: Vec<String> = leases(&state)
        .iter()
        .filter(|lease| lease["state"] == "bound")
        .map(|lease| lease["address"].to_string())
        .collect();
    assert_eq!(bound.iter().collect::<BTreeSet<_>>().len(), bound.len());
}

/// An address whose lease had ended may be another client's by now.
fn reassigned(leases: &[serde_json::Value], key: &(String, String), expires: i64) -> bool {
    leases.iter().any(|lease| {
        lease["address"] == key.0.as_str()
            && lease["mac"] != key.1.as_str()
            && lease["starts_seconds"].as_i64().is_some_and(|starts| starts >= expires)
    })
}
