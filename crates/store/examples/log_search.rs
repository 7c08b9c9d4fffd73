//! How fast stored lines are found: fills a store with lines of an event and measures questions about them.
//!
//! `cargo run --release -p store --example log_search -- DIR LINES SECONDS [RAW_FILE]`: so many lines over so many
//! seconds; `RAW_FILE` gets them as text, to compare with `grep`. A directory that holds lines already is used as it is.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "it says what it measured")]
#![expect(clippy::disallowed_methods, reason = "it measures wall time")]

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use model::{Facility, LogRecord, LogSeverity, Timestamp, Transport};
use store::{Limits, LineTest, LogQuery, Mode, StateDir, Telemetry};

/// 2019-09-16T00:00:00+09:00.
const BEGIN: i64 = 1_568_559_600;
const DEVICES: u64 = 300;
const STATIONS: u64 = 2_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, lines, seconds, raw @ ..] = arguments.as_slice() else { panic!("DIR LINES SECONDS [RAW_FILE]") };
    let (lines, seconds): (u64, u64) = (lines.parse().unwrap(), seconds.parse().unwrap());
    let dir = Path::new(dir);
    if !dir.join("telemetry").exists() {
        fill(dir, lines, seconds, raw.first().map(String::as_str));
    }
    let end = Timestamp::from_secs(BEGIN + i64::try_from(seconds).unwrap());
    let all = LogQuery::default();
    let text = |text: &str| LogQuery { text: Some(text.to_owned()), ..all.clone() };
    let host = |name: &str| Some(vec![name.to_owned()]);
    let minutes = |from: i64, to: i64| {
        (
            Some(end - Duration::from_secs(u64::try_from(from).unwrap() * 60)),
            Some(end - Duration::from_secs(u64::try_from(to).unwrap() * 60)),
        )
    };
    let (from, to) = minutes(10, 5);
    let questions = [
        ("newest 1,000", all.clone()),
        ("errors and worse, newest 1,000", LogQuery { severity_at_most: Some(LogSeverity::Error), ..all.clone() }),
        ("one device, newest 1,000", LogQuery { hosts: host("ap-117"), ..all.clone() }),
        ("a device that is silent (all is searched)", LogQuery { hosts: host("ap-none"), ..all.clone() }),
        ("a rare device (12 lines)", LogQuery { hosts: host("wlc-1"), ..all.clone() }),
        ("emergencies (none)", LogQuery { severity_at_most: Some(LogSeverity::Emergency), ..all.clone() }),
        (
            "one program, one device, warnings, newest 1,000",
            LogQuery {
                apps: host("%LINK-3-UPDOWN"),
                hosts: host("sw-2?"),
                severity_at_most: Some(LogSeverity::Warning),
                ..all.clone()
            },
        ),
        ("five minutes, text", LogQuery { from, to, ..text("authentication") }),
        ("common text, newest 1,000", text("associated")),
        ("one station, newest 1,000", text("02:00:5e:00:03:e8")),
        ("rare text (all is searched)", text("needle in the haystack")),
        ("text of one device (all its lines)", LogQuery { hosts: host("ap-117"), ..text("needle in the haystack") }),
        ("regular expression, newest 1,000", LogQuery { regex: Some("Gi1/0/(1|2) .*down$".to_owned()), ..all.clone() }),
        (
            "program and message test, newest 1,000",
            LogQuery {
                test: Some(LineTest::new(|app, message| app.starts_with("%LINK") && message.ends_with("down"))),
                ..all.clone()
            },
        ),
    ];
    for (name, query) in questions {
        let mut times: Vec<Duration> = Vec::new();
        let mut found = 0;
        for _ in 0..3 {
            let begun = Instant::now();
            found = store::search_logs(dir, &query).unwrap().len();
            times.push(begun.elapsed());
        }
        times.sort();
        println!("{:>9.1} ms  {found:>6} lines  {name}", times[1].as_secs_f64() * 1e3);
    }
    let begun = Instant::now();
    let count = store::count_logs(dir, &LogQuery { hosts: host("ap-1*"), ..all.clone() }).unwrap();
    println!("{:>9.1} ms  {count:>6} lines  count of the devices ap-1*", begun.elapsed().as_secs_f64() * 1e3);
    let begun = Instant::now();
    let count = store::count_logs(dir, &all).unwrap();
    println!("{:>9.1} ms  {count:>6} lines  count of all", begun.elapsed().as_secs_f64() * 1e3);
}

/// Small steps of a well-known generator: the same lines each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn fill(dir: &Path, lines: u64, seconds: u64, raw: Option<&str>) {
    let begun = Instant::now();
    let state = StateDir::open(dir, "measurement", Mode::Serve).unwrap();
    let limits = Limits { sealed_bytes_max: u64::MAX, reserve_bytes: 1 << 30, ..Limits::default() };
    let (mut telemetry, _) = Telemetry::open(&state, limits).unwrap();
    let mut raw = raw.map(|path| BufWriter::with_capacity(1 << 20, File::create(path).unwrap()));
    let mut dice = Dice(1);
    let mut octets = 0;
    for number in 0..lines {
        let nanos =
            i64::try_from(u128::from(number) * u128::from(seconds) * 1_000_000_000 / u128::from(lines)).unwrap();
        let log = line(&mut dice, number, lines, Timestamp::from_nanos(BEGIN * 1_000_000_000 + nanos));
        octets += log.raw.len() + 1;
        if let Some(raw) = &mut raw {
            raw.write_all(&log.raw).unwrap();
            raw.write_all(b"\n").unwrap();
        }
        while !telemetry.append_log(&log) {
            telemetry.sync(log.received).unwrap();
        }
        if number % 50_000 == 0 {
            telemetry.sync(log.received).unwrap();
        }
    }
    telemetry.sync(Timestamp::from_secs(BEGIN)).unwrap();
    telemetry.seal_all(Timestamp::from_secs(BEGIN)).unwrap();
    let status = telemetry.status();
    println!(
        "{lines} lines of {octets} octets stored in {:.0} s: {} files, {} octets",
        begun.elapsed().as_secs_f64(),
        status.sealed_files,
        status.sealed_bytes
    );
}

fn line(dice: &mut Dice, number: u64, lines: u64, received: Timestamp) -> LogRecord {
    let device = dice.roll(DEVICES);
    let station = dice.roll(STATIONS);
    let mac = format!("02:00:5e:00:{:02x}:{:02x}", station >> 8, station & 0xff);
    let port = format!("Gi1/0/{}", 1 + dice.roll(48));
    let (host, app, severity, message) = if number.is_multiple_of(lines / 12 + 1) {
        ("wlc-1".to_owned(), "wlc", 4, "controller lost its peer".to_owned())
    } else {
        let ap = || format!("ap-{device}");
        let switch = || format!("sw-{}", device % 40);
        match dice.roll(100) {
            0..35 => {
                (ap(), "hostapd", 6, format!("wlan0: STA {mac} IEEE 802.11: associated (aid {})", 1 + dice.roll(120)))
            }
            35..60 => (ap(), "hostapd", 6, format!("wlan0: STA {mac} IEEE 802.11: disassociated")),
            60..70 => (ap(), "hostapd", 5, format!("wlan0: STA {mac} WPA: pairwise key handshake completed (RSN)")),
            70..90 => (
                "gw-1".to_owned(),
                "dnsmasq-dhcp",
                6,
                format!(
                    "DHCPACK(eth1) 10.{}.{}.{} {mac} phone-{station}",
                    dice.roll(4),
                    dice.roll(256),
                    dice.roll(256)
                ),
            ),
            90..95 => (
                switch(),
                "%LINK-3-UPDOWN",
                3,
                format!("Interface {port} changed state to {}", ["up", "down"][usize::from(dice.roll(2) == 1)]),
            ),
            95..98 => (switch(), "%SEC_LOGIN-5-LOGIN_SUCCESS", 5, format!("Login Success [user: noc] at {number}")),
            _ => (ap(), "hostapd", 4, format!("wlan0: STA {mac} authentication failed, reason {}", dice.roll(20))),
        }
    };
    let raw = format!("<{}>{} {host} {app}: {message}", 23 * 8 + severity, received).into_bytes();
    LogRecord {
        received,
        source: SocketAddr::from((
            [10, 1, u8::try_from(device >> 8).unwrap(), u8::try_from(device & 0xff).unwrap()],
            514,
        )),
        transport: Transport::Udp,
        facility: Some(Facility(23)),
        severity: Some(LogSeverity::from_number(severity)),
        host,
        app: app.to_owned(),
        device_time: Some(received),
        message,
        raw,
    }
}
