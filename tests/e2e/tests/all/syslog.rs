//! Lines that `logger` sends are found again with `hotstage logs`.

use std::{process::Command, time::Duration};

use e2e::{Hotstage, Namespace, output, program, ready};

use crate::event::{run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn lines_of_logger_are_found() {
    if !ready(true, &["ip", "logger"]) {
        return;
    }
    let (server, client) = (Namespace::new("srv"), Namespace::new("cli"));
    server.connect("srv0", "10.77.0.2/24", &client, "cli0", "10.77.0.11/24");
    let dir = tempfile::tempdir().unwrap();
    let plan = write_plan(dir.path());
    let state = dir.path().join("state");
    let hotstage = Hotstage::start(&mut run_command(&server, &plan, &state));

    let forms: [(&str, &[&str]); 5] = [
        ("rfc3164-udp", &["--udp", "--rfc3164"]),
        ("rfc5424-udp", &["--udp", "--rfc5424"]),
        ("rfc3164-tcp", &["--tcp", "--rfc3164"]),
        ("rfc5424-tcp", &["--tcp", "--rfc5424"]),
        ("octets-tcp", &["--tcp", "--rfc5424", "--octet-count"]),
    ];
    for (marker, options) in forms {
        let mut logger = client.command("logger");
        logger.args(["--server", "10.77.0.2", "--port", "514", "--priority", "local3.warning", "--tag", "e2e"]);
        logger.args(options).arg(format!("marker {marker} of the test"));
        assert!(logger.status().unwrap().success());
    }
    let state = state.display().to_string();
    let program = program().display().to_string();
    let logs = |more: &[&str]| -> Vec<serde_json::Value> {
        let mut arguments = vec!["logs", "--state", &state, "--format", "json"];
        arguments.extend_from_slice(more);
        serde_json::from_str(&output(&program, &arguments)).unwrap()
    };
    // The services sync within 200 ms; each look reads the files anew.
    let found = |marker: &str| (0..100).any(|_| logs(&["--text", marker]).len() == 1);
    for (marker, _) in forms {
        assert!(found(marker), "{marker}: {:#?}", logs(&[]));
        let line = &logs(&["--text", marker])[0];
        assert_eq!(line["severity"], "warning", "{line}");
        assert_eq!(line["facility"], 19, "{line}");
        assert_eq!(line["host"], "ap-1", "the source address is the plan's: {line}");
        assert_eq!(line["app"], "e2e", "{line}");
    }
    assert_eq!(logs(&["--host", "ap-1", "--severity", "warning", "--text", "MARKER"]).len(), forms.len());
    assert_eq!(logs(&["--severity", "error", "--text", "marker"]).len(), 0);
    assert_eq!(logs(&["--to", "2020-01-01T00:00:00Z"]).len(), 0);

    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    // After the seal they are in Parquet, and still found.
    assert_eq!(logs(&["--text", "marker"]).len(), forms.len());
    let parquet = Command::new("find").args([&state, "-name", "*.parquet"]).output().unwrap();
    assert!(!parquet.stdout.is_empty());
}
