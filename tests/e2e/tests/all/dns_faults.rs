//! Upstreams that die, come back, lose packets and dawdle: what clients see meanwhile.

use std::time::Duration;

use e2e::{Hotstage, Namespace, ready};
use serde_json::Value;

use crate::event::{run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(30);

/// RFC 8767 (serve-stale), RFC 9520 (failures), and no waiting beyond what a stub resolver does.
#[test]
fn clients_are_answered_while_upstreams_fail() {
    if !ready(true, &["ip"]) {
        return;
    }
    let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
    server.connect("srv0", "10.77.0.2/24", &client, "cli0", "10.77.0.9/24");
    let dir = tempfile::tempdir().unwrap();
    let plan = write_plan(dir.path());
    let upstreams = "services.dns.upstreams=[\"127.0.0.1:5400\", \"127.0.0.1:5401\", \"127.0.0.1:5402\"]";
    let hotstage = Hotstage::start(run_command(&server, &plan, &dir.path().join("state")).args(["--set", upstreams]));

    let mut faults = server.command(env!("CARGO_BIN_EXE_dns_faults"));
    let picture = dir.path().join("faults.svg");
    faults.args(["127.0.0.1:53", "5400", "5401", "5402", "15"]).arg(&picture);
    let output = faults.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    eprintln!("{text}{}", String::from_utf8_lossy(&output.stderr));
    let phases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |phase: usize, names: &str, key: &str| phases[phase][names][key].as_f64().unwrap();
    let share = |phase: usize, names: &str, keys: &[&str]| {
        keys.iter().map(|key| of(phase, names, key)).sum::<f64>() / of(phase, names, "sent")
    };
    assert_eq!(phases.len(), 7);
    // Names that people use are answered in every phase, new ones whenever somebody can be asked.
    for (phase, counts) in phases.iter().enumerate() {
        let answered = share(phase, "known", &["answered", "stale"]);
        assert!(answered >= 0.99, "{answered} of known names in {counts}");
    }
    for (phase, least) in [(0, 0.99), (1, 0.99), (4, 0.95), (5, 0.9), (6, 0.95)] {
        let answered = share(phase, "new", &["answered"]);
        assert!(answered >= least, "{answered} of new names in {}", phases[phase]);
    }
    // Nobody can know new names while all are dead: clients are told so before they give up.
    assert!(share(2, "new", &["failed"]) >= 0.8, "{}", phases[2]);
    assert!(share(2, "new", &["lost"]) <= 0.01, "{}", phases[2]);
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg"));

    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}
