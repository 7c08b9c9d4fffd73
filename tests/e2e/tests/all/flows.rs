//! Flows: softflowd watches an interface while a known volume crosses it and exports in three formats; what is counted agrees
//! with the interface's own counters. No exporter of sFlow is in Debian, so its datagrams are made by a script.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use e2e::{Hotstage, Lines, Namespace, Process, output, program, ready};

use crate::feeds::check_metrics;

/// Octets of IP of the guest's datagrams.
const DATAGRAMS: f64 = 1_028_000.0;
const LIMIT: Duration = Duration::from_secs(30);

const PLAN: &str = r#"
version = 1

[event]
name = "Flowing"
timezone = "Asia/Tokyo"
domain = "flow.example"
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

[vlan.gear]
id = 20
subnet = "10.78.0.0/24"
kind = "management"
gateway = "10.78.0.1"

[device.edge]
model = "generic-router"
room = "hall"
role = "edge"
address = "10.78.0.1"
ports = { "1" = { untagged = "gear" }, "2" = { untagged = "guest" } }

[services]
at = "edge:1"
address = "10.78.0.2"
listen.flows = "10.78.0.2:2055"
flows.exporters = ["edge"]
"#;

/// Sends 20 MB down each connection, not faster than packets are captured, then takes what comes; takes datagrams.
const OUTSIDE: &str = r#"
import socket, threading, time
listener = socket.create_server(("203.0.113.9", 443))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("203.0.113.9", 443))
threading.Thread(target=lambda: [datagrams.recv(65535) for _ in iter(int, 1)], daemon=True).start()
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    for _ in range(200):
        connection.sendall(bytes(100_000))
        time.sleep(0.001)
    while connection.recv(1 << 20):
        pass
    connection.close()
"#;

/// Takes 20 MB, sends 3 MB up and 1,000 datagrams.
const GUEST: &str = r#"
import socket, time
connection = socket.create_connection(("203.0.113.9", 443), source_address=("10.77.0.123", 0))
left = 20_000_000
while left:
    left -= len(connection.recv(1 << 20))
connection.sendall(bytes(3_000_000))
connection.shutdown(socket.SHUT_WR)
connection.recv(1)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("10.77.0.123", 0))
for _ in range(1_000):
    datagrams.sendto(bytes(1_000), ("203.0.113.9", 443))
    time.sleep(0.0002)
"#;

/// 100 datagrams of sFlow with five samples each, one packet of a hundred: TCP from port 443, 1,500 octets of IP.
const SFLOW: &str = r#"
import socket, struct
frame = bytes.fromhex("020000000001020000000002") + struct.pack(">H", 0x0800)
frame += struct.pack(">BBHHHBBH4s4s", 0x45, 0, 1500, 1, 0, 64, 6, 0, socket.inet_aton("203.0.113.9"), socket.inet_aton("10.77.0.123"))
frame += struct.pack(">HHIIHHHH", 443, 50000, 1, 1, 0x5010, 1000, 0, 0)
def xdr(data):
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)
header = struct.pack(">I", 1) + xdr(struct.pack(">III", 1, 1518, 4) + xdr(frame))
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(100):
    samples = b""
    for sample in range(5):
        body = struct.pack(">IIIIIIII", number * 5 + sample, 3, 100, 50000, 0, 3, 4, 1) + header
        samples += struct.pack(">I", 1) + xdr(body)
    samples += struct.pack(">I", 2) + xdr(bytes(20))
    out.sendto(struct.pack(">II4sIIII", 5, 1, socket.inet_aton("10.78.0.1"), 0, number, 1000, 6) + samples, ("10.78.0.2", 2055))
# Cut short, of a version that nobody speaks, and templates that lie.
out.sendto(struct.pack(">II", 5, 1), ("10.78.0.2", 2055))
out.sendto(struct.pack(">HH", 7, 1) + bytes(20), ("10.78.0.2", 2055))
out.sendto(struct.pack(">HHIIIHHHH", 9, 1, 0, 0, 0, 0, 0, 9, 60000), ("10.78.0.2", 2055))
"#;

struct Lab {
    noc: Namespace,
    edge: Namespace,
    guest: Namespace,
    dir: tempfile::TempDir,
}

type Figures = BTreeMap<String, f64>;

impl Lab {
    fn new() -> Self {
        let [noc, edge, guest] = ["noc", "edge", "guest"].map(Namespace::new);
        edge.connect("gear0", "10.78.0.1/24", &noc, "noc0", "10.78.0.2/24");
        edge.connect("hall0", "10.77.0.1/24", &guest, "eth0", "10.77.0.123/24");
        edge.ip(&["addr", "add", "203.0.113.9/32", "dev", "lo"]);
        guest.ip(&["route", "add", "default", "via", "10.77.0.1"]);
        let lab = Self { noc, edge, guest, dir: tempfile::tempdir().unwrap() };
        fs::create_dir(lab.path("plan")).unwrap();
        fs::write(lab.path("plan/event.toml"), PLAN).unwrap();
        lab
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn start(&self) -> Hotstage {
        let mut command = self.noc.command(&program().display().to_string());
        command.args(["run", &self.path("plan"), "--state", &self.path("state"), "--set", "services.watch.ping=false"]);
        command.args(["--listen-dhcp", "127.0.0.1:6700", "--listen-dns", "127.0.0.1:5300"]);
        command.args(["--listen-syslog", "127.0.0.1:5140", "--listen-http", "127.0.0.1:8080"]);
        Hotstage::start(&mut command)
    }

    fn get(&self, path: &str) -> String {
        output("ip", &["netns", "exec", self.noc.name(), "curl", "-fsS", &format!("http://127.0.0.1:8080{path}")])
    }

    fn figures(&self) -> Figures {
        let text = self.get("/metrics");
        let lines = text.lines().filter(|line| line.starts_with("hotstage_flow_"));
        lines
            .filter_map(|line| Some((line.rsplit_once(' ')?.0.to_owned(), line.rsplit_once(' ')?.1.parse().ok()?)))
            .collect()
    }

    /// Octets of IP that have crossed the guests' interface, up and down.
    fn crossed(&self) -> [f64; 2] {
        ["rx", "tx"].map(|way| {
            let of = |what: &str| {
                let file = format!("/sys/class/net/hall0/statistics/{way}_{what}");
                let text = output("ip", &["netns", "exec", self.edge.name(), "cat", &file]);
                text.trim().parse::<f64>().unwrap()
            };
            of("bytes") - 14.0 * of("packets")
        })
    }

    fn softflowd(&self, version: &str, more: &[&str]) -> (Process, Lines) {
        let mut command = self.edge.command("softflowd");
        command.args(["-d", "-i", "hall0", "-n", "10.78.0.2:2055", "-v", version, "-B", "67108864"]).args(more);
        command.args(["-p", &self.path("softflowd.pid"), "-c", &self.path("softflowd.ctl")]);
        let (process, _, mut errors) = Process::spawn(&mut command);
        errors.wait_for("start of softflowd", LIMIT, |line| line.contains("starting data collection"));
        (process, errors)
    }

    fn python(&self, namespace: &Namespace, script: &str) {
        output("ip", &["netns", "exec", namespace.name(), "python3", "-c", script]);
    }

    /// Waits until `wanted` of the figures is so, and gives them.
    fn wait(&self, what: &str, wanted: impl Fn(&Figures) -> bool) -> Figures {
        let began = instant();
        loop {
            let figures = self.figures();
            if wanted(&figures) {
                return figures;
            }
            assert!(began.elapsed() < LIMIT, "no {what} within {LIMIT:?}: {figures:#?}");
            thread::park_timeout(Duration::from_millis(200));
        }
    }
}

fn bytes(figures: &Figures, kind: &str, direction: &str) -> f64 {
    figures[&format!("hotstage_flow_bytes_total{{kind=\"{kind}\",direction=\"{direction}\"}}")]
}

/// Of all kinds together.
fn all(figures: &Figures, direction: &str) -> f64 {
    let is_it = |name: &&String| name.starts_with("hotstage_flow_bytes_total") && name.contains(direction);
    figures.iter().filter(|(name, _)| is_it(name)).map(|(_, value)| value).sum()
}

fn is_near(measured: f64, wanted: f64, share: f64) -> bool {
    (measured - wanted).abs() <= wanted * share
}

#[test]
fn what_real_exporters_tell_agrees_with_the_interface() {
    if !ready(true, &["softflowd", "softflowctl", "python3", "curl", "promtool"]) {
        return;
    }
    let lab = Lab::new();
    let hotstage = lab.start();
    assert_eq!(hotstage.address("flows").to_string(), "10.78.0.2:2055");
    let mut command = lab.edge.command("python3");
    let (_outside, mut said, _) = Process::spawn(command.args(["-c", OUTSIDE]));
    said.wait_for("listener outside", LIMIT, |line| line == "ready");

    for (version, format, sampled) in
        [("5", "netflow5", false), ("9", "netflow9", false), ("10", "ipfix", false), ("10", "ipfix", true)]
    {
        let (before, crossed_before) = (lab.figures(), lab.crossed());
        let (softflowd, _errors) = lab.softflowd(version, if sampled { &["-s", "10"] } else { &[] });
        lab.python(&lab.guest, GUEST);
        let crossed = lab.crossed();
        let [up, down] = [0, 1].map(|way| crossed[way] - crossed_before[way]);
        assert!(up > 4e6 && down > 20e6, "{up} {down}");
        let moved = |figures: &Figures, direction: &str| all(figures, direction) - all(&before, direction);
        let since = |figures: &Figures, kind: &str, direction: &str| {
            bytes(figures, kind, direction) - bytes(&before, kind, direction)
        };
        let control = lab.path("softflowd.ctl");
        let wanted = format!("agreement of {format} with {up} up, {down} down");
        let figures = lab.wait(&wanted, |figures| {
            // It reads the last packets that it has captured only when others follow.
            let nudge = "for _ in 1 2 3; do echo > /dev/udp/203.0.113.9/9; done";
            output("ip", &["netns", "exec", lab.guest.name(), "bash", "-c", nudge]);
            output("softflowctl", &["-c", &control, "expire-all"]);
            // One of ten: of the large segments of TCP there are too few for a sample to tell much.
            if sampled {
                return is_near(since(figures, "quic", "up"), DATAGRAMS, 0.2);
            }
            is_near(moved(figures, "up"), up, 0.05) && is_near(moved(figures, "down"), down, 0.05)
        });
        output("softflowctl", &["-c", &control, "shutdown"]);
        softflowd.wait(LIMIT);
        if !sampled {
            assert!(is_near(since(&figures, "web", "down"), down, 0.05), "{format}: {figures:#?}");
            assert!(is_near(since(&figures, "quic", "up"), DATAGRAMS, 0.2), "{format}: {figures:#?}");
        }
        let datagrams = format!("hotstage_flow_datagrams_total{{format=\"{format}\"}}");
        assert!(figures[&datagrams] > before[&datagrams]);
        for (name, value) in &figures {
            let is_trouble = name.contains("malformed") || name.contains("implausible") || name.contains("given-up");
            assert!(!is_trouble || *value == 0.0, "{format}: {name} {value}");
        }
    }

    let before = lab.figures();
    lab.python(&lab.edge, SFLOW);
    let wanted = bytes(&before, "web", "down") + 100.0 * 5.0 * 100.0 * 1_500.0;
    lab.wait("sFlow", |figures| {
        let dropped = |reason: &str| figures[&format!("hotstage_flow_datagrams_dropped_total{{reason=\"{reason}\"}}")];
        bytes(figures, "web", "down") == wanted
            && figures["hotstage_flow_datagrams_total{format=\"sflow\"}"] == 100.0
            && (dropped("malformed"), dropped("unknown-version")) == (2.0, 1.0)
    });
    // Somebody whom the plan does not name.
    lab.python(&lab.noc, SFLOW);
    let figures = lab.wait("refusal", |figures| {
        figures["hotstage_flow_datagrams_dropped_total{reason=\"not-an-exporter\"}"] == 103.0
    });
    assert_eq!(bytes(&figures, "web", "down"), wanted);
    let of_network = |direction: &str| {
        figures[&format!("hotstage_flow_network_bytes_total{{network=\"guest\",direction=\"{direction}\"}}")]
    };
    assert_eq!((of_network("up"), of_network("down")), (all(&figures, "up"), all(&figures, "down")));

    // Nobody's address is told, neither end's.
    check_metrics(&lab.get("/metrics"));
    let page = lab.get("/?lang=en");
    assert!(page.contains("Traffic by kind") && page.contains("guest · Web"), "{page}");
    assert!(lab.get("/?lang=ja").contains("種類別の通信量"));
    let told = [lab.get("/metrics"), lab.get("/api/snapshot"), page].concat();
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    let samples = output(
        &program().display().to_string(),
        &["samples", "--state", &lab.path("state"), "--metric", "flow_down_bytes_total", "--format", "csv"],
    );
    assert!(samples.contains("kind:web") && samples.contains("network:guest"), "{samples}");
    for address in ["10.77.0.123", "203.0.113.9"] {
        assert!(!told.contains(address) && !samples.contains(address), "{address}");
        let kept = std::process::Command::new("grep").args(["-rlaF", address, &lab.path("state")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&kept.stdout), "");
    }
}

#[expect(clippy::disallowed_methods, reason = "a wait has a limit")]
fn instant() -> Instant {
    Instant::now()
}
