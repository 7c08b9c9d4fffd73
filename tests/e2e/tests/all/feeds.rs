//! Figures for other people's tools: the real Prometheus is sent them, and its `promtool` reads what it would fetch.

use std::{
    fs,
    io::Write as _,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use e2e::{Hotstage, Process, output, program, ready};

const LIMIT: Duration = Duration::from_secs(60);

const PLAN: &str = r#"
version = 1

[event]
name = "Fed"
timezone = "Asia/Tokyo"
domain = "fed.example"
people = 20
devices_per_person = 1
days = [{ date = "2026-05-16", doors = "09:00", close = "18:00" }]

[[room]]
id = "hall"
name = "Hall"
floor = "1F"
seats = 20

[vlan.guest]
id = 10
subnet = "10.77.0.0/24"
kind = "attendee"
gateway = "10.77.0.1"
pool = ["10.77.0.100-10.77.0.199"]
dhcp = { lease = "10m", via = "relay" }

[device.sw-1]
model = "generic-router"
room = "hall"
address = "10.77.0.1"
ports = { "1" = { untagged = "guest" } }

[services]
at = "sw-1:1"
address = "10.77.0.2"
feeds.remote_write = { url = "http://RECEIVER/api/v1/write", interval = "5s" }
"#;

fn command(dir: &str) -> Command {
    let mut command = Command::new(program());
    command.args(["run", &format!("{dir}/plan"), "--state", &format!("{dir}/state")]);
    command.args(["--listen-dhcp", "127.0.0.1:0", "--listen-dns", "127.0.0.1:0"]);
    command.args(["--listen-syslog", "127.0.0.1:0", "--listen-http", "127.0.0.1:0"]);
    command
}

fn prometheus(dir: &str, address: SocketAddr) -> Process {
    fs::write(format!("{dir}/prometheus.yml"), "global: { scrape_interval: 1m }\n").unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={dir}/prometheus.yml")).arg(format!("--storage.tsdb.path={dir}/tsdb"));
    command.arg(format!("--web.listen-address={address}")).arg("--web.enable-remote-write-receiver");
    Process::spawn(&mut command).0
}

/// The value of a line of `/metrics`.
fn figure(hotstage: &Hotstage, name: &str) -> f64 {
    let text = metrics(hotstage, "text/plain");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

fn metrics(hotstage: &Hotstage, accept: &str) -> String {
    let url = format!("http://{}/metrics", hotstage.address("http"));
    output("curl", &["-fsS", "-H", &format!("Accept: {accept}"), &url])
}

fn wait(what: &str, is_so: impl Fn() -> bool) {
    let began = instant();
    while !is_so() {
        assert!(began.elapsed() < LIMIT, "no {what} within {LIMIT:?}");
        thread::park_timeout(Duration::from_millis(200));
    }
}

/// What Prometheus answers to a query: one number.
fn asked(address: SocketAddr, query: &str) -> Option<f64> {
    let url = format!("http://{address}/api/v1/query");
    let text = output("curl", &["-sS", "--get", "--data-urlencode", &format!("query={query}"), &url]);
    let answer: serde_json::Value = serde_json::from_str(&text).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

const WAITING: &str = "hotstage_remote_write_waiting_requests";

#[test]
fn prometheus_takes_what_waited_while_it_was_away_and_we_were_killed() {
    if !ready(false, &["curl", "prometheus"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::create_dir(dir.path().join("plan")).unwrap();
    fs::write(dir.path().join("plan/event.toml"), PLAN.replace("RECEIVER", &receiver.to_string())).unwrap();

    let hotstage = Hotstage::start(&mut command(&path));
    wait("waiting requests", || figure(&hotstage, WAITING) >= 2.0);
    hotstage.process.signal("KILL");
    drop(hotstage);
    let hotstage = Hotstage::start(&mut command(&path));
    wait("requests of both runs", || figure(&hotstage, WAITING) >= 3.0);

    let prometheus = prometheus(&path, receiver);
    wait("delivery", || figure(&hotstage, WAITING) == 0.0);
    let of = |result: &str| figure(&hotstage, &format!("hotstage_remote_write_requests_total{{result=\"{result}\"}}"));
    assert!(of("delivered") >= 3.0 && of("retried") >= 1.0, "{} {}", of("delivered"), of("retried"));
    assert_eq!((of("refused"), of("dropped")), (0.0, 0.0));
    let samples = asked(receiver, "count_over_time(hotstage_clients{job=\"hotstage\",instance=\"fed.example\"}[10m])");
    assert!(samples.is_some_and(|count| count >= 3.0), "{samples:?}");
    let series = asked(receiver, "count({job=\"hotstage\"})").unwrap();
    let lines = metrics(&hotstage, "text/plain").lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(series, lines as f64, "every figure has arrived");
    drop(prometheus);

    // Away again, and it is told once for the outage.
    wait("a request that waits", || figure(&hotstage, WAITING) >= 1.0);
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    let said: Vec<String> = hotstage.errors.rest().into_iter().filter(|line| line.contains("not reached")).collect();
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn promtool_has_nothing_to_say_about_the_figures() {
    if !ready(false, &["curl", "promtool"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    fs::create_dir(dir.path().join("plan")).unwrap();
    fs::write(dir.path().join("plan/event.toml"), PLAN.replace("RECEIVER", "127.0.0.1:9")).unwrap();
    let hotstage = Hotstage::start(&mut command(&path));
    wait("echoes", || metrics(&hotstage, "text/plain").contains("hotstage_device_up"));
    check_metrics(&metrics(&hotstage, "text/plain"));
    let open = metrics(&hotstage, "application/openmetrics-text");
    assert!(open.ends_with("# EOF\n"), "{open}");

    // What is asked for by the files that are written for others is there.
    let out = format!("{path}/out");
    let url = format!("http://{}", hotstage.address("http"));
    let files =
        output(&program().display().to_string(), &["feeds", &format!("{path}/plan"), "-o", &out, "--url", &url]);
    assert_eq!(files.lines().count(), 7, "{files}");
    let text = metrics(&hotstage, "text/plain");
    for file in files.lines() {
        let written = fs::read_to_string(file).unwrap();
        let is_part = |character: char| character.is_ascii_lowercase() || character == '_';
        for name in written.split(|character| !is_part(character)).filter(|name| name.starts_with("hotstage_")) {
            // This plan has neither agents nor access points.
            let is_elsewhere = ["hotstage_port_bytes_per_second", "hotstage_access_point_clients"].contains(&name);
            let is_there = [' ', '{'].iter().any(|end| text.contains(&format!("\n{name}{end}")));
            assert!(is_there || is_elsewhere, "{file} asks for {name}");
        }
        if file.ends_with(".json") {
            serde_json::from_str::<serde_json::Value>(&written).unwrap();
        }
    }
    output("promtool", &["check", "config", &format!("{out}/prometheus/prometheus.yml")]);
    output("promtool", &["check", "rules", &format!("{out}/prometheus/hotstage.rules.yml")]);
    check_open_metrics(&open);
}

/// The parser of the Python client, which is strict about names, types and the end, reads every line.
fn check_open_metrics(text: &str) {
    const PARSE: &str = "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\nprint(sum(len(family.samples) for family in parse(sys.stdin.read())))";
    let python = std::env::var("HOTSTAGE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_module = Command::new(&python).args(["-c", "import prometheus_client.openmetrics.parser"]).output();
    if !has_module.is_ok_and(|output| output.status.success()) {
        say("OpenMetrics is not read by a parser: prometheus-client is not installed");
        return;
    }
    let mut command = Command::new(python);
    command.args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let result = process.wait_with_output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let read: usize = String::from_utf8_lossy(&result.stdout).trim().parse().unwrap();
    assert_eq!(read, text.lines().filter(|line| !line.starts_with('#')).count());
}

#[expect(clippy::print_stdout, reason = "what was not tested is said")]
fn say(text: &str) {
    println!("{text}");
}

/// `promtool check metrics` has no error and no advice.
pub(crate) fn check_metrics(text: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let result = process.wait_with_output().unwrap();
    let said = [result.stdout, result.stderr].concat();
    assert!(result.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[expect(clippy::disallowed_methods, reason = "a wait has a limit")]
fn instant() -> Instant {
    Instant::now()
}
