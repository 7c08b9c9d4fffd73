//! Syslog over TLS (RFC 5425): rsyslog with a client certificate, `openssl` without, a certificate that is renewed.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use e2e::{Hotstage, Process, output, program, ready, run};

use crate::{
    bad_input::{get, run_command},
    event::PLAN,
};

const LIMIT: Duration = Duration::from_secs(30);
const NAME: &str = "log.e2e.example";
const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// An authority: `ID.pem`, `ID.key`.
fn authority(dir: &Path, id: &str) -> PathBuf {
    let path = |name: String| dir.join(name).display().to_string();
    let (subject, key, certificate) =
        (format!("/CN=authority {id}"), path(format!("{id}.key")), path(format!("{id}.pem")));
    let arguments = ["req", "-x509", "-days", "30", "-subj", &subject, "-keyout", &key, "-out", &certificate];
    run("openssl", &[&arguments[..], &KEY].concat());
    PathBuf::from(certificate)
}

/// A certificate `ID.pem` with `ID.key`, signed by an authority.
fn certificate(dir: &Path, id: &str, authority: &str) {
    let path = |name: &str| dir.join(name).display().to_string();
    let (request, extensions) = (path("request"), path("extensions"));
    let (new_key, new) = (path("new.key"), path("new.pem"));
    let arguments = ["req", "-subj", "/CN=test", "-keyout", &new_key, "-out", &request];
    run("openssl", &[&arguments[..], &KEY].concat());
    fs::write(&extensions, format!("subjectAltName=DNS:{NAME}\n")).unwrap();
    let (ca, ca_key) = (path(&format!("{authority}.pem")), path(&format!("{authority}.key")));
    let mut arguments = vec!["x509", "-req", "-in", &request, "-days", "20", "-CAcreateserial", "-CA", &ca];
    arguments.extend(["-CAkey", &ca_key, "-extfile", &extensions, "-out", &new]);
    run("openssl", &arguments);
    fs::rename(new_key, path(&format!("{id}.key"))).unwrap();
    fs::rename(new, path(&format!("{id}.pem"))).unwrap();
}

/// The plan with a table `services.log`, and its files.
fn plan(dir: &Path, more: &str) -> String {
    let plan = dir.join("plan");
    fs::create_dir_all(&plan).unwrap();
    let text = PLAN.replace("via = \"direct\", interface = \"srv0\"", "via = \"relay\"");
    let text = format!("{text}\nlog.certificate = \"log.pem\"\nlog.key = \"log.key\"\n{more}");
    fs::write(plan.join("event.toml"), text).unwrap();
    plan.display().to_string()
}

fn start(plan: &str, state: &Path) -> Hotstage {
    let mut command = run_command(plan, state);
    command.args(["--listen-syslog-tls", "127.0.0.1:0"]);
    Hotstage::start(&mut command)
}

fn count(state: &Path, text: &str) -> u64 {
    let state = state.display().to_string();
    let arguments = ["logs", "--state", &state, "--text", text, "--count"];
    output(&program().display().to_string(), &arguments).trim().parse().unwrap()
}

fn wait_for(state: &Path, text: &str, lines: u64) {
    for _ in 0..200 {
        if count(state, text) == lines {
            return;
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!(count(state, text), lines, "{text}");
}

/// Sends `lines` with `openssl s_client`; true when its session ended well.
fn s_client(hotstage: &Hotstage, trust: &Path, lines: &str, more: &[&str]) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", NAME, "-no_ign_eof"]);
    command.args(["-connect", &hotstage.address("syslog_tls").to_string(), "-CAfile"]).arg(trust).args(more);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // The other side may have hung up already.
    let _ = input.write_all(lines.as_bytes());
    drop(input);
    child.wait().unwrap().success()
}

#[test]
fn senders_over_tls_are_kept_and_the_certificate_is_renewed() {
    if !ready(false, &["kill", "openssl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (plan(dir.path(), ""), dir.path().join("state"));
    let files = PathBuf::from(&plan);
    let trust = authority(&files, "ca1");
    certificate(&files, "log", "ca1");
    let mut hotstage = start(&plan, &state);
    // Octet counting, as RFC 5425 section 4.3 has it, and lines as everybody has them.
    let counted = "<13>1 2026-05-16T10:00:00Z h counted - - - over tls";
    let lines = format!("{} {counted}<13>May 16 10:00:00 h plain: over tls\n", counted.len());
    assert!(s_client(&hotstage, &trust, &lines, &[]));
    wait_for(&state, "over tls", 2);
    let metrics = get(hotstage.address("http"), "/metrics");
    assert!(metrics.contains("hotstage_log_lines_received_total{transport=\"tls\"} "), "{metrics}");

    // Clear text on the port for TLS is no line, and harms nobody.
    let mut clear = std::net::TcpStream::connect(hotstage.address("syslog_tls")).unwrap();
    clear.write_all(b"<13>May 16 10:00:00 h clear: no tls at all\n").unwrap();
    drop(clear);
    let newer = authority(&files, "ca2");
    certificate(&files, "log", "ca2");
    hotstage.errors.wait_for("the new certificate", LIMIT, |line| line.contains("certificate of syslog has changed"));
    assert!(s_client(&hotstage, &newer, "<13>May 16 10:00:00 h new: renewed\n", &[]));
    assert!(!s_client(&hotstage, &trust, "<13>May 16 10:00:00 h old: not to be sent\n", &[]));
    wait_for(&state, "renewed", 1);
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    assert_eq!((count(&state, "no tls at all"), count(&state, "not to be sent")), (0, 0));
}

#[test]
fn rsyslog_sends_over_tls_with_a_client_certificate_and_nobody_without() {
    if !ready(false, &["kill", "openssl", "rsyslogd"]) {
        return;
    }
    if !Path::new("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so").exists() {
        println!("skipped: rsyslog-gnutls is not installed");
        return;
    }
    const LINES: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (plan(dir.path(), "log.client_ca = \"senders.pem\"\n"), dir.path().join("state"));
    let files = PathBuf::from(&plan);
    let trust = authority(&files, "ca1");
    authority(&files, "senders");
    certificate(&files, "log", "ca1");
    certificate(&files, "sender", "senders");
    let hotstage = start(&plan, &state);
    let address = hotstage.address("syslog_tls");

    let input = dir.path().join("input.log");
    let lines: String = (0..LINES).map(|number| format!("line {number} from rsyslog\n")).collect();
    fs::write(&input, lines).unwrap();
    let (work, configuration) = (dir.path().join("work"), dir.path().join("rsyslog.conf"));
    fs::create_dir(&work).unwrap();
    let file = |name: &str| files.join(name).display().to_string();
    let text = format!(
        r#"global(workDirectory="{work}" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{ca}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imfile")
input(type="imfile" file="{input}" tag="relay" severity="info")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" tcp_framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"
  streamDriver="gtls" streamDriverMode="1" streamDriverAuthMode="x509/name" streamDriverPermittedPeers="{NAME}")
"#,
        work = work.display(),
        ca = trust.display(),
        certificate = file("sender.pem"),
        key = file("sender.key"),
        input = input.display(),
        port = address.port(),
    );
    fs::write(&configuration, text).unwrap();
    let mut command = Command::new("rsyslogd");
    command.args(["-n", "-i", "none", "-f"]).arg(&configuration);
    let (rsyslog, _, _) = Process::spawn(&mut command);
    wait_for(&state, "from rsyslog", LINES);
    drop(rsyslog);

    // Without a certificate, or with one of another authority, nothing is taken.
    certificate(&files, "stranger", "ca1");
    let (pem, key) = (file("stranger.pem"), file("stranger.key"));
    s_client(&hotstage, &trust, "<13>May 16 10:00:00 h x: a stranger\n", &[]);
    s_client(&hotstage, &trust, "<13>May 16 10:00:00 h x: a stranger\n", &["-cert", &pem, "-key", &key]);
    let (pem, key) = (file("sender.pem"), file("sender.key"));
    assert!(s_client(&hotstage, &trust, "<13>May 16 10:00:00 h x: a friend\n", &["-cert", &pem, "-key", &key]));
    wait_for(&state, "a friend", 1);
    let metrics = get(hotstage.address("http"), "/metrics");
    assert!(metrics.contains("hotstage_log_handshakes_failed_total"), "{metrics}");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    assert_eq!(count(&state, "a stranger"), 0);
}
