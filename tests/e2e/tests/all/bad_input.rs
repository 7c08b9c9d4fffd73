//! Random bytes on every listener, a port that is taken, a full disk, a state directory that cannot be used: a clear
//! message, the right exit code, no panic, and the services go on.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use e2e::{Hotstage, Process, output, program, ready};

use crate::event::PLAN;

const LIMIT: Duration = Duration::from_secs(30);

/// The plan without the interface that only the namespaces have.
pub(crate) fn write_plan(dir: &Path) -> String {
    let plan = dir.join("plan");
    fs::create_dir(&plan).unwrap();
    fs::write(plan.join("event.toml"), PLAN.replace("via = \"direct\", interface = \"srv0\"", "via = \"relay\""))
        .unwrap();
    plan.display().to_string()
}

pub(crate) fn run_command(plan: &str, state: &Path) -> Command {
    let mut command = Command::new(program());
    command.args(["run", plan, "--state"]).arg(state);
    for service in ["dhcp", "dns", "syslog", "http"] {
        command.args([format!("--listen-{service}"), "127.0.0.1:0".to_owned()]);
    }
    command
}

/// xorshift64*: the same bytes on every machine.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn bytes(&mut self, length_max: u64) -> Vec<u8> {
        let length = self.next() % length_max;
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: hotstage\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn random_bytes_on_every_listener_do_no_harm() {
    if !ready(false, &["kill"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let plan = write_plan(dir.path());
    let hotstage = Hotstage::start(&mut run_command(&plan, &dir.path().join("state")));
    let mut noise = Noise(20_190_916);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for service in ["dhcp", "dns", "syslog"] {
        for _ in 0..3_000 {
            let _ = socket.send_to(&noise.bytes(1_400), hotstage.address(service));
        }
    }
    for service in ["dns", "syslog", "http"] {
        for _ in 0..40 {
            let mut stream = TcpStream::connect(hotstage.address(service)).unwrap();
            // The other side may hang up on nonsense at any byte.
            let _ = stream.write_all(&noise.bytes(20_000));
        }
    }
    let health = get(hotstage.address("http"), "/healthz");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    let metrics = get(hotstage.address("http"), "/metrics");
    assert!(metrics.contains("hotstage_dhcp_dropped_total"), "{metrics}");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

fn refused(command: &mut Command) -> String {
    let (process, _out, errors) = Process::spawn(command);
    let mut errors = errors;
    let message = errors.wait_for("complaint", LIMIT, |line| line.starts_with("hotstage: "));
    assert_eq!(process.wait(LIMIT), Some(2), "{message}");
    message
}

#[test]
fn what_cannot_run_says_why_and_exits_with_2() {
    if !ready(false, &["kill"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let plan = write_plan(dir.path());
    let state = dir.path().join("state");
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));

    let message = refused(&mut run_command(&plan, &state));
    assert!(message.contains("in use"), "{message}");

    let taken = hotstage.address("dns").to_string();
    let other = dir.path().join("other");
    let mut command = Command::new(program());
    command.args(["run", &plan, "--state"]).arg(&other).args(["--listen-dns", &taken]);
    command.args(["--listen-dhcp", "127.0.0.1:0", "--listen-syslog", "127.0.0.1:0", "--listen-http", "127.0.0.1:0"]);
    let message = refused(&mut command);
    assert!(message.contains(&taken) && message.contains("--listen-dns"), "{message}");

    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));

    // Another event's state directory.
    let text = fs::read_to_string(Path::new(&plan).join("event.toml")).unwrap();
    fs::write(Path::new(&plan).join("event.toml"), text.replace("End to end", "Another event")).unwrap();
    let message = refused(&mut run_command(&plan, &state));
    assert!(message.contains("End to end"), "{message}");

    // A plan that is not there, and one of another version.
    let message = refused(Command::new(program()).args(["run", "/nowhere/at/all", "--state"]).arg(&other));
    assert!(message.contains("/nowhere/at/all"), "{message}");
    fs::write(Path::new(&plan).join("event.toml"), text.replace("version = 1", "version = 7")).unwrap();
    let message = refused(&mut run_command(&plan, &other));
    assert!(message.contains("cannot be read"), "{message}");
}

/// A small file system of its own for the state directory, full but for a little.
struct SmallDisk<'a>(&'a Path);

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_disk_that_is_full_or_read_only_is_said() {
    if !ready(true, &["mount", "umount"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let plan = write_plan(dir.path());
    let mount = dir.path().join("disk");
    fs::create_dir(&mount).unwrap();
    output("mount", &["-t", "tmpfs", "-o", "size=64k", "none", &mount.display().to_string()]);
    let disk = SmallDisk(&mount);
    let message = refused(&mut run_command(&plan, &mount.join("state")));
    assert!(message.contains("free space"), "{message}");
    output("mount", &["-o", "remount,ro", &mount.display().to_string()]);
    let message = refused(&mut run_command(&plan, &mount.join("state2")));
    assert!(message.contains("read-only") || message.contains("Read-only"), "{message}");
    drop(disk);
}

fn metric(hotstage: &Hotstage, name: &str) -> f64 {
    let text = get(hotstage.address("http"), "/metrics");
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap()
}

/// Looks until `wanted` holds; the figures follow at most a second later.
fn eventually(what: &str, wanted: impl Fn() -> bool) {
    const LOOKS_MAX: usize = 4_000;
    let look = |_| {
        thread::park_timeout(Duration::from_millis(5));
        wanted()
    };
    assert!((0..LOOKS_MAX).any(look), "{what}");
}

#[test]
fn a_disk_that_fills_up_costs_log_lines_and_nothing_else() {
    if !ready(true, &["mount", "umount"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let plan = write_plan(dir.path());
    let mount = dir.path().join("disk");
    fs::create_dir(&mount).unwrap();
    output("mount", &["-t", "tmpfs", "-o", "size=900m", "none", &mount.display().to_string()]);
    let disk = SmallDisk(&mount);
    let state = mount.join("state");
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    // Everything but the last pages is taken by somebody else.
    let filler = mount.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 1 << 16]).is_ok() {}
    drop(file);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let log = |text: &str| socket.send_to(text.as_bytes(), hotstage.address("syslog")).unwrap();
    log("<13>May 16 10:00:00 ap-1 test: on a full disk");
    eventually("the line was counted as refused", || {
        log("<13>May 16 10:00:00 ap-1 test: on a full disk");
        metric(&hotstage, "hotstage_log_lines_refused_total") + metric(&hotstage, "hotstage_log_sync_errors_total")
            > 0.0
    });
    assert!(get(hotstage.address("http"), "/healthz").starts_with("HTTP/1.1 200"));
    // Room again: what comes from now on is kept.
    fs::remove_file(&filler).unwrap();
    let before = metric(&hotstage, "hotstage_log_lines_stored_total");
    eventually("a line was stored again", || {
        log("<13>May 16 10:00:01 ap-1 test: room again");
        metric(&hotstage, "hotstage_log_lines_stored_total") > before
    });
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    let found = output(
        &program().display().to_string(),
        &["logs", "--state", &state.display().to_string(), "--text", "room again", "--count"],
    );
    assert!(found.trim().parse::<u64>().unwrap() > 0, "{found}");
    drop(disk);
}
