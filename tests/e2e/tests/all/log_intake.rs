//! Log lines that TCP acknowledged survive kill -9; senders in great number and of bad manners do no harm.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use e2e::{Hotstage, output, program, ready};

use crate::bad_input::{get, run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(60);
/// What the manual says may be lost of a stream although TCP acknowledged it, in octets.
const UNSYNCED_OCTETS_MAX: u64 = 1 << 20;
const LINE_OCTETS: u64 = 200;
const STREAMS: usize = 3;
/// Octets of each stream; the kill comes somewhere before its end.
const STREAM_OCTETS: u64 = 6 << 20;

/// How often the services are killed; `HOTSTAGE_E2E_KILLS` for more.
fn kills() -> u64 {
    const KILLS: u64 = 5;
    std::env::var("HOTSTAGE_E2E_KILLS").map_or(KILLS, |text| text.parse().unwrap())
}

/// `k0 s1 n2 `, filled up to [`LINE_OCTETS`], and an end of line.
fn line(kill: u64, sender: &str, number: u64) -> String {
    let mut line = format!("<13>k{kill} {sender} n{number} ");
    while line.len() as u64 + 1 < LINE_OCTETS {
        line.push('x');
    }
    line + "\n"
}

/// The numbers of all stored lines of one kill, by sender.
fn numbers(state: &Path, kill: u64) -> BTreeMap<String, BTreeSet<u64>> {
    let (state, prefix) = (state.display().to_string(), format!("k{kill} "));
    let arguments = ["logs", "--state", &state, "--format", "csv", "--limit", "100000000", "--text", &prefix];
    let text = output(&program().display().to_string(), &arguments);
    let mut found: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for line in text.lines() {
        let Some((_, rest)) = line.split_once(&prefix) else { continue };
        let mut words = rest.split(' ');
        let (sender, number) = (words.next().unwrap(), words.next().unwrap());
        found.entry(sender.to_owned()).or_default().insert(number[1..].parse().unwrap());
    }
    found
}

/// Octets that `stream` has sent and TCP has not acknowledged, and those it has not sent yet (proc(5), `tx_queue`).
fn unacknowledged(stream: &TcpStream) -> Option<u64> {
    let hexadecimal = |address: SocketAddr| {
        let SocketAddr::V4(address) = address else { panic!("{address} is not IPv4") };
        format!("{:08X}:{:04X}", u32::from_le_bytes(address.ip().octets()), address.port())
    };
    let (local, peer) = (hexadecimal(stream.local_addr().ok()?), hexadecimal(stream.peer_addr().ok()?));
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let line = table.lines().find(|line| line.contains(&format!(" {local} {peer} 01 ")))?;
    let queues = line.split_ascii_whitespace().nth(4)?;
    u64::from_str_radix(queues.split(':').next()?, 16).ok()
}

/// A sender that goes on until its end or the server's.
struct Sender {
    stream: TcpStream,
    written: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Sender {
    fn start(address: SocketAddr, kill: u64, name: String) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        let written = Arc::new(AtomicU64::new(0));
        let (mut sending, count) = (stream.try_clone().unwrap(), Arc::clone(&written));
        let thread = thread::spawn(move || {
            for number in 0..STREAM_OCTETS / LINE_OCTETS {
                if sending.write_all(line(kill, &name, number).as_bytes()).is_err() {
                    return;
                }
                count.fetch_add(LINE_OCTETS, Ordering::Relaxed);
            }
        });
        Self { stream, written, thread }
    }

    /// Octets that TCP has acknowledged for sure.
    fn acknowledged(&self) -> u64 {
        let written = self.written.load(Ordering::Relaxed);
        unacknowledged(&self.stream).map_or(0, |octets| written.saturating_sub(octets))
    }
}

/// Sends lines, ends its side, and waits for the other's end: true when it came in order, so that all is on disk.
fn send_and_wait(address: SocketAddr, kill: u64, sender: &str, lines: u64) -> bool {
    let all: String = (0..lines).map(|number| line(kill, sender, number)).collect();
    let send = || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(all.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        stream.read(&mut [0])
    };
    matches!(send(), Ok(0))
}

#[test]
fn kill_9_loses_no_line_that_tcp_acknowledged() {
    if !ready(false, &["kill"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let plan = write_plan(dir.path());
    let (mut acknowledged_octets, mut finished) = (0, 0);
    for kill in 0..kills() {
        // The same directory a few times, as after a real crash; not always, since every look reads all of it.
        let state = dir.path().join(format!("state-{}", kill / 3));
        let hotstage = Hotstage::start(&mut run_command(&plan, &state));
        let address = hotstage.address("syslog");
        let senders: Vec<Sender> =
            (0..STREAMS).map(|stream| Sender::start(address, kill, format!("s{stream}"))).collect();
        let (done, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (list, over) = (Arc::clone(&done), Arc::clone(&is_over));
        let short = thread::spawn(move || {
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                thread::park_timeout(Duration::from_millis(20));
                if send_and_wait(address, kill, &format!("c{number}"), 20) {
                    list.lock().unwrap().push(number);
                }
            }
        });
        // A different moment each time.
        let until = STREAM_OCTETS / 7 * (1 + (kill * 5 + 3) % 6);
        let acknowledged = loop {
            let now: Vec<u64> = senders.iter().map(Sender::acknowledged).collect();
            if now.iter().any(|octets| *octets >= until) && !done.lock().unwrap().is_empty() {
                break now;
            }
            assert!(hotstage.process.is_running(), "the services have ended");
            thread::yield_now();
        };
        let ended = done.lock().unwrap().clone();
        hotstage.process.signal("KILL");
        is_over.store(true, Ordering::Relaxed);
        drop(hotstage);
        short.join().unwrap();
        let found = numbers(&state, kill);
        let none = BTreeSet::new();
        for (stream, (sender, octets)) in senders.into_iter().zip(&acknowledged).enumerate() {
            sender.thread.join().unwrap();
            let found = found.get(&format!("s{stream}")).unwrap_or(&none);
            let promised = octets.saturating_sub(UNSYNCED_OCTETS_MAX) / LINE_OCTETS;
            let lost: Vec<u64> = (0..promised).filter(|number| !found.contains(number)).take(5).collect();
            assert!(lost.is_empty(), "kill {kill}, stream {stream}: lost {lost:?} of {promised}");
            // What is there is a beginning of what was sent: nothing in the middle is missing.
            assert_eq!(found.last().map_or(0, |last| last + 1), found.len() as u64, "kill {kill}, stream {stream}");
            acknowledged_octets += octets;
        }
        for number in &ended {
            let lines = found.get(&format!("c{number}")).map_or(0, BTreeSet::len);
            assert_eq!(lines, 20, "kill {kill}, connection {number}");
        }
        finished += ended.len() as u64;
    }
    println!("{} kills, {acknowledged_octets} octets acknowledged, {finished} connections ended in order", kills());
    assert!(finished >= kills() && acknowledged_octets > kills() * STREAM_OCTETS / 7);
}

/// Waits until a metric has reached a value; answers what it was then.
fn wait_for_metric(hotstage: &Hotstage, of: &str, at_least: u64) -> u64 {
    for _ in 0..300 {
        let text = get(hotstage.address("http"), "/metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(&format!("{of} "))?.parse::<f64>().ok());
        if value.is_some_and(|value| value >= at_least as f64) {
            return value.unwrap_or_default() as u64;
        }
        thread::park_timeout(Duration::from_millis(100));
    }
    panic!("`{of}` did not reach {at_least} in {}", get(hotstage.address("http"), "/metrics"));
}

fn count(state: &Path, arguments: &[&str]) -> u64 {
    let state = state.display().to_string();
    let arguments = [&["logs", "--state", &state, "--count"], arguments].concat();
    output(&program().display().to_string(), &arguments).trim().parse().unwrap()
}

#[test]
fn ten_thousand_connections_are_survived_and_those_above_the_bound_counted() {
    if !ready(false, &["kill"]) {
        return;
    }
    const CONNECTIONS: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (write_plan(dir.path()), dir.path().join("state"));
    let mut command = run_command(&plan, &state);
    command.args(["--set", "services.log.connections=9000"]);
    let hotstage = Hotstage::start(&mut command);
    let address = hotstage.address("syslog");
    // The test's own descriptors may be fewer.
    let mut streams: Vec<TcpStream> = Vec::new();
    for _ in 0..CONNECTIONS {
        let Ok(stream) = TcpStream::connect(address) else { break };
        streams.push(stream);
    }
    let opened = streams.len();
    let (mut sent, mut refused) = (Vec::new(), 0_u64);
    for (number, stream) in streams.iter_mut().enumerate() {
        match stream.write_all(format!("<13>many: connection {number} says hello\n").as_bytes()) {
            Ok(()) => sent.push(number),
            Err(_) => refused += 1,
        }
    }
    println!("{opened} connections opened, {} written to, {refused} refused at once", sent.len());
    assert!(opened > 900, "only {opened} connections could be opened");
    // Others are served meanwhile.
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"<13>many: a datagram meanwhile", address).unwrap();
    wait_for_metric(&hotstage, "hotstage_log_lines_received_total{transport=\"udp\"}", 1);
    let held = wait_for_metric(&hotstage, "hotstage_log_connections", 1);
    let counted = wait_for_metric(&hotstage, "hotstage_log_connections_refused_total", 0);
    assert!(held + counted >= opened as u64, "{held} held, {counted} refused of {opened}");
    // All that was not refused is kept.
    for stream in &streams {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let ends = streams.iter_mut().map(|stream| stream.read(&mut [0]));
    let kept = ends.filter(|end| matches!(end, Ok(0))).count();
    drop(streams);
    assert!(count(&state, &["--text", "says hello"]) >= kept.min(held as usize) as u64);
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

#[test]
fn a_looping_switch_does_not_bury_the_rest_and_is_counted() {
    if !ready(false, &["kill"]) {
        return;
    }
    const LINES: u64 = 100_000;
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (write_plan(dir.path()), dir.path().join("state"));
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    let mut stream = TcpStream::connect(hotstage.address("syslog")).unwrap();
    for number in 0..LINES {
        if number % 1_000 == 0 {
            writeln!(stream, "<189>sw2: something else, number {number}").unwrap();
        }
        let text = "%SW_MATM-4-MACFLAP_NOTIF: Host 0200.5e00.5301 in vlan 10 is flapping between port Gi1/0/1 and port Gi1/0/2";
        writeln!(stream, "<188>{number}: Sep 16 10:00:00.{:03}: {text}", number % 1_000).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    // What was acknowledged is on disk now, the counts too: kill -9 takes nothing away.
    hotstage.process.signal("KILL");
    drop(hotstage);
    assert_eq!(count(&state, &["--text", "something else"]), LINES / 1_000);
    let stored = count(&state, &["--text", "is flapping"]);
    assert!(stored < LINES / 50, "{stored} lines are stored");
    let state = state.display().to_string();
    let arguments = ["logs", "--state", &state, "--format", "csv", "--limit", "100000", "--text", "repeated"];
    let summaries = output(&program().display().to_string(), &arguments);
    let repeated = |line: &str| -> Option<u64> { line.split_once("(repeated ")?.1.split(' ').next()?.parse().ok() };
    let counts: Vec<u64> = summaries.lines().filter_map(repeated).collect();
    assert_eq!(stored - counts.len() as u64 + counts.iter().sum::<u64>(), LINES);
}

#[test]
fn lines_of_every_length_and_kind_are_kept() {
    if !ready(false, &["kill"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (write_plan(dir.path()), dir.path().join("state"));
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    let address = hotstage.address("syslog");
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0_u64;
    let mut send = |octets: &[u8]| {
        datagrams.send_to(octets, address).unwrap();
        sent += 1;
    };
    for length in [0, 1, 8_192, 65_507] {
        send(&vec![b'y'; length]);
    }
    for priority in 0..=999 {
        send(format!("<{priority}>odd: priority {priority}").as_bytes());
    }
    for text in [
        &b"<13>odd: a\0b\0c"[..],
        b"<13>odd: \xff\xfe\xc3\x28 no UTF-8",
        b"<13>odd: \x1b[2J\x1b]0;title\x07 escapes",
        b"<13>1 - h odd - - [x@1 a=\"one\ntwo\"] newline in structured data",
        b"<13>odd: <script>alert(1)</script>'; DROP TABLE logs; --",
        b"<13>1 2019-09-16T01:00:00Z <b>h</b> ';DROP-- <i>1</i> \"&lt; [<x> a=\"<script>alert(1)</script>\"] <img src=x>",
        b"<13>Sep 16 10:00:00 <u>h</u> ';DROP--[<p>]: <svg/onload=alert(1)>",
        b"<13>Jan  1 00:00:00 1970 h odd: the beginning",
        b"<13>1 2099-12-31T23:59:59Z h odd - - - the future",
        b"<13>1 9999-12-31T23:59:59Z h odd - - - too far",
        b"<13>Feb 30 00:00:00 h odd: no such day",
        b"<13>odd: no time at all",
    ] {
        send(text);
    }
    wait_for_metric(&hotstage, "hotstage_log_lines_received_total{transport=\"udp\"}", sent);

    // Streams: 10 MB in one line, octet counts that lie, a count cut short.
    let stream = |octets: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(octets).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the end came in order");
    };
    let long = [&b"<13>odd: ten megabytes "[..], &vec![b'z'; 10_000_000], b"\n<13>odd: after the long one\n"].concat();
    stream(&long);
    stream(b"999999999 <13>odd: a count far too large\n<13>odd: swallowed by it\n");
    stream(b"3 <13>odd: a count far too small\n");
    stream(b"18 <13>odd: right one12");
    stream(b"\n\n\0\0\r\n<13>odd: between empty lines\n");
    for text in ["ten megabytes", "after the long one", "count far too large", "right one", "between empty lines"] {
        assert_eq!(count(&state, &["--text", text]), 1, "{text}");
    }
    assert_eq!(count(&state, &["--text", "priority "]), 1_000);
    assert_eq!(count(&state, &["--text", "yyyyyyyy"]), 2);

    // Names without end cost neither files nor the services.
    let files = || fs::read_dir(state.join("telemetry/ring")).unwrap().count();
    let before = files();
    let mut many = TcpStream::connect(address).unwrap();
    for number in 0..100_000 {
        writeln!(many, "<13>Sep 16 10:00:00 host{number} prog{number}: distinct").unwrap();
    }
    many.shutdown(Shutdown::Write).unwrap();
    assert_eq!(many.read(&mut [0]).unwrap(), 0);
    assert_eq!(count(&state, &["--text", "distinct"]), 100_000);
    assert!(files() <= before + 3, "{} files, {before} before", files());
    let health = get(hotstage.address("http"), "/healthz");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
}

/// Devices go on sending while the services stop: whoever waits for the end of the services does not wait for theirs.
#[test]
fn stops_while_datagrams_arrive() {
    if !ready(false, &["kill"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (write_plan(dir.path()), dir.path().join("state"));
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    let address = hotstage.address("syslog");
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let sender = thread::spawn(move || {
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        while !over.load(Ordering::Relaxed) {
            // Nobody listens in the end.
            let _ = datagrams.send_to(b"<13>endless: a line", address);
            thread::park_timeout(Duration::from_millis(10));
        }
    });
    wait_for_metric(&hotstage, "hotstage_log_lines_received_total{transport=\"udp\"}", 1);
    hotstage.process.signal("TERM");
    let code = hotstage.process.wait(Duration::from_secs(10));
    is_over.store(true, Ordering::Relaxed);
    sender.join().unwrap();
    assert_eq!(code, Some(0));
    assert!(count(&state, &["--text", "endless"]) > 0, "what arrived before is stored");
}
