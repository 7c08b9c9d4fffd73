//! Devices that no longer answer: told in time, once, by the one that explains the rest; taken, silenced and kept.
//!
//! ```text
//!  server (hotstage) --- switch namespace (sw-1, routes on) --- access points' namespace (ap-1, ap-2)
//! ```

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use e2e::{Hotstage, Lines, Namespace, Process, output, program, ready};

/// An outage is told within so long.
const TOLD_MAX: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(30);
/// What is said when nothing is wrong.
const NONE: &str = "no alert is open\n";

const PLAN: &str = r#"
version = 1

[event]
name = "Watched"
timezone = "Asia/Tokyo"
domain = "watched.example"
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

[ssid.guest]
name = "Watched"
passphrase = "env:E2E_PSK"
vlan = "guest"
isolation = true

[device.sw-1]
model = "generic-router"
room = "hall"
address = "10.77.0.1"
ports = { "1" = { untagged = "guest" }, "2" = { untagged = "guest" }, "3" = { untagged = "guest" } }

[device.poe-1]
model = "poe-injector-at"
room = "hall"
connects = "sw-1:1"

[device.poe-2]
model = "poe-injector-at"
room = "hall"
connects = "sw-1:2"

[device.ap-1]
model = "generic-ap-ax"
room = "hall"
address = "10.77.0.11"
ssids = ["guest"]
connects = "poe-1:out"
channels = { "5GHz" = 36 }

[device.ap-2]
model = "generic-ap-ax"
room = "hall"
address = "10.77.0.12"
ssids = ["guest"]
connects = "poe-2:out"
channels = { "5GHz" = 52 }

[device.server]
model = "generic-server"
room = "hall"
address = "10.77.0.2"
connects = "sw-1:3"

[services]
device = "server"
at = "sw-1:3"

[outlet.noc]
kind = "webhook"
url = "file:HOOK"
"#;

/// The three namespaces; the services are in the first.
struct Site {
    server: Namespace,
    switch: Namespace,
    access: Namespace,
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let (server, switch, access) = (Namespace::new("noc"), Namespace::new("sw"), Namespace::new("ap"));
        server.connect("noc0", "10.77.0.2/32", &switch, "sw0", "10.77.0.1/32");
        switch.connect("sw1", "", &access, "ap0", "10.77.0.11/32");
        access.ip(&["addr", "add", "10.77.0.12/32", "dev", "ap0"]);
        server.ip(&["route", "add", "10.77.0.0/24", "dev", "noc0"]);
        switch.ip(&["route", "add", "10.77.0.2/32", "dev", "sw0"]);
        switch.ip(&["route", "add", "10.77.0.8/29", "dev", "sw1"]);
        access.ip(&["route", "add", "default", "dev", "ap0"]);
        let set = ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.proxy_arp=1"];
        output("ip", &[&["netns", "exec", switch.name()][..], &set].concat());
        let dir = tempfile::tempdir().unwrap();
        Self { server, switch, access, dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Writes the plan; who is told is at `hook`.
    fn write_plan(&self, hook: &str) {
        let secret = self.path("hook");
        fs::write(&secret, hook).unwrap();
        fs::create_dir_all(self.path("plan")).unwrap();
        let plan = PLAN.replace("HOOK", &secret);
        fs::write(self.dir.path().join("plan/event.toml"), plan).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = self.server.command(&program().display().to_string());
        command.args(["run", &self.path("plan"), "--state", &self.path("state")]);
        command.args(["--listen-dhcp", "127.0.0.1:6700", "--listen-dns", "127.0.0.1:5300"]);
        command.args(["--listen-syslog", "127.0.0.1:5140", "--listen-http", "127.0.0.1:8080"]);
        command
    }

    fn hotstage(&self, arguments: &[&str]) -> String {
        let state = self.path("state");
        output(&program().display().to_string(), &[&[arguments[0], "--state", &state][..], &arguments[1..]].concat())
    }

    fn page(&self) -> String {
        output("ip", &["netns", "exec", self.server.name(), "curl", "-fsS", "http://127.0.0.1:8080/?lang=en"])
    }

    /// Looks at the alerts until `wanted`; gives them and how long it took.
    fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> (String, Duration) {
        let began = instant();
        loop {
            let alerts = self.hotstage(&["alerts"]);
            if wanted(&alerts) {
                return (alerts, began.elapsed());
            }
            assert!(began.elapsed() < LIMIT, "no {what} within {LIMIT:?}: {alerts}");
            thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Until so many devices answer.
    fn wait_until_up(&self, count: usize) {
        let began = instant();
        let answering = || {
            let url = "http://127.0.0.1:8080/metrics";
            let text = output("ip", &["netns", "exec", self.server.name(), "curl", "-fsS", url]);
            text.lines().filter(|line| line.starts_with("hotstage_device_up{") && line.ends_with(" 1")).count()
        };
        while answering() != count {
            assert!(began.elapsed() < LIMIT, "{} devices answer, not {count}", answering());
            thread::park_timeout(Duration::from_millis(100));
        }
    }
}

/// A receiver of webhooks that prints each body in a line.
const RECEIVER: &str = r#"
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 9093), Hook).serve_forever()
"#;

/// What a webhook says: rule, place, firing or resolved.
fn told(bodies: &mut Lines) -> (String, serde_json::Value) {
    let body: serde_json::Value = serde_json::from_str(&bodies.wait_for("webhook", LIMIT, |_| true)).unwrap();
    assert_eq!((&body["version"], body["alerts"].as_array().map(Vec::len)), (&"4".into(), Some(1)), "{body}");
    let alert = &body["alerts"][0];
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let line = [&alert["labels"]["alertname"], &alert["labels"]["place"], &alert["status"]].map(word).join(" ");
    (line, body)
}

#[test]
fn an_outage_is_told_in_time_by_what_explains_it_and_can_be_taken_and_silenced() {
    if !ready(true, &["ip", "sysctl", "curl", "python3"]) {
        return;
    }
    let site = Site::new();
    let (receiver, mut bodies, _said) = Process::spawn(site.server.command("python3").args(["-c", RECEIVER]));
    site.write_plan("http://127.0.0.1:9093/hook");
    let hotstage = Hotstage::start(&mut site.command());
    site.wait_until_up(3);
    assert_eq!(site.hotstage(&["alerts"]), NONE);
    assert_eq!(site.hotstage(&["alerts", "--json"]), "");

    // One access point.
    site.access.ip(&["addr", "del", "10.77.0.12/32", "dev", "ap0"]);
    let (alerts, listed) = site.wait("alert of ap-2", |alerts| alerts.contains(" error since "));
    // What lasted too short to be told has a number as well.
    let id = alerts.strip_prefix('#').and_then(|alerts| alerts.split_once(' ')).unwrap().0.to_owned();
    assert!(listed < TOLD_MAX, "listed after {listed:?}");
    assert!(
        alerts.contains("ap-2 (10.77.0.12) in room hall does not answer") && alerts.contains("port poe-2:"),
        "{alerts}"
    );
    let (line, body) = told(&mut bodies);
    assert_eq!(line, "device-down device ap-2 firing");
    assert_eq!(body["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z", "{body}");
    let page = site.page();
    assert!(
        page.contains("ap-2 (10.77.0.12) in room hall does not answer") && page.contains("nobody has it"),
        "{page}"
    );

    // Taken, and kept over a restart.
    assert!(site.hotstage(&["alerts", "ack", &id, "--by", "Aki"]).contains(&format!("Aki took alert #{id}")));
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    let hotstage = Hotstage::start(&mut site.command());
    let (alerts, _) = site.wait("taken alert", |alerts| alerts.contains(&format!("#{id} error")));
    assert!(alerts.contains("taken by Aki"), "{alerts}");
    assert!(site.page().contains("taken by Aki"));

    // Back: over, and told.
    site.wait_until_up(2);
    site.access.ip(&["addr", "add", "10.77.0.12/32", "dev", "ap0"]);
    let (_, over) = site.wait("end", |alerts| alerts == NONE);
    assert!(over < TOLD_MAX, "over after {over:?}");
    let (line, body) = told(&mut bodies);
    assert_eq!(line, "device-down device ap-2 resolved");
    assert_ne!(body["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z", "{body}");

    // The switch, and all behind it.
    site.switch.ip(&["link", "set", "sw0", "down"]);
    let (alerts, listed) = site.wait("alert of sw-1", |alerts| {
        let told = alerts.lines().filter(|line| !line.contains("held back"));
        alerts.lines().count() == 3 && told.count() == 1
    });
    assert!(listed < TOLD_MAX, "listed after {listed:?}");
    assert_eq!(alerts.lines().filter(|line| line.contains("held back, sw-1 explains it")).count(), 2, "{alerts}");
    assert!(alerts.contains("2 devices behind it do not answer either"), "{alerts}");
    assert_eq!(told(&mut bodies).0, "device-down device sw-1 firing");
    site.switch.ip(&["link", "set", "sw0", "up"]);
    site.switch.ip(&["route", "add", "10.77.0.2/32", "dev", "sw0"]);
    site.wait("end of all", |alerts| alerts == NONE);
    assert_eq!(told(&mut bodies).0, "device-down device sw-1 resolved", "nothing of those behind it");

    // Silenced: an incident, and nobody is told.
    let silenced = site.hotstage(&["alerts", "silence", "--device", "ap-1", "--minutes", "5", "--by", "Aki"]);
    assert!(silenced.contains("nobody is told until"), "{silenced}");
    site.access.ip(&["addr", "del", "10.77.0.11/32", "dev", "ap0"]);
    site.wait("silenced alert", |alerts| alerts.contains("silenced until"));
    site.access.ip(&["addr", "add", "10.77.0.11/32", "dev", "ap0"]);
    site.wait("end of the silenced one", |alerts| alerts == NONE);

    let incidents = site.hotstage(&["incidents"]);
    for part in [
        &*format!("Aki took alert #{id}: ap-2"),
        "Aki silenced the alerts of device ap-1 until",
        "ap-1 (10.77.0.11) in room hall",
    ] {
        assert!(incidents.contains(part), "{part} in {incidents}");
    }
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    drop(receiver);
    assert_eq!(bodies.rest(), [""; 0], "nobody is told of what is silenced");
}

#[test]
fn without_the_right_to_ping_it_is_said_once_and_all_else_goes_on() {
    if !ready(true, &["ip", "curl", "setpriv", "sysctl"]) {
        return;
    }
    let site = Site::new();
    site.write_plan("http://192.0.2.1:9/hook");
    let set = ["sysctl", "-qw", "net.ipv4.ping_group_range=1 0"];
    output("ip", &[&["netns", "exec", site.server.name()][..], &set].concat());
    let mut command = site.server.command("setpriv");
    command.args(["--bounding-set=-net_raw", "--inh-caps=-net_raw", "--ambient-caps=-net_raw"]);
    command.arg(program());
    command.args(site.command().get_args().skip_while(|argument| *argument != "run"));
    let hotstage = Hotstage::start(&mut command);
    assert!(site.page().contains("Watched"), "the page is there");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    let said: Vec<String> =
        hotstage.errors.rest().into_iter().filter(|line| line.contains("ping_group_range")).collect();
    assert!(matches!(&said[..], [line] if line.contains("CAP_NET_RAW")), "{said:?}");
}

#[expect(clippy::disallowed_methods, reason = "how long an outage takes to be told is what is tested")]
fn instant() -> Instant {
    Instant::now()
}
