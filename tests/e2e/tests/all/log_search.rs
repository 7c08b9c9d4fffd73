//! `hotstage logs` as people use it: hostile lines, filters, surroundings, following, files that others read.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::{TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use e2e::{Hotstage, output, program, ready};
use serde_json::Value;

use crate::bad_input::{get, run_command, write_plan};

const LIMIT: Duration = Duration::from_secs(60);

fn logs(state: &Path, more: &[&str]) -> String {
    let state = state.display().to_string();
    output(&program().display().to_string(), &[&["logs", "--state", &state], more].concat())
}

fn rows(state: &Path, more: &[&str]) -> Vec<Value> {
    serde_json::from_str(&logs(state, &[&["--format", "json", "--all"], more].concat())).unwrap()
}

/// Sends lines and waits until `count` in all are found.
fn send(hotstage: &Hotstage, state: &Path, lines: &[&[u8]], count: usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for line in lines {
        socket.send_to(line, hotstage.address("syslog")).unwrap();
    }
    for _ in 0..200 {
        if logs(state, &["--count"]).trim().parse::<usize>().unwrap() >= count {
            return;
        }
        thread::park_timeout(Duration::from_millis(50));
    }
    panic!("{count} lines were not stored: {}", logs(state, &[]));
}

const HOSTILE: [&[u8]; 9] = [
    b"<187>1 2026-09-16T09:00:00Z sw-x %LINK-3-UPDOWN - - - Interface Gi1/0/1, changed state to down",
    b"<190>1 2026-09-16T09:00:00Z sw-x hostapd - - - nul a\0b in it",
    b"<190>1 2026-09-16T09:00:00Z sw-x hostapd - - - no \xff\xfe UTF-8",
    b"<190>1 2026-09-16T09:00:00Z sw-x hostapd - - - \x1b[2J\x1b]0;owned\x07 escapes",
    b"<190>1 2026-09-16T09:00:00Z sw-y hostapd - - - <script>alert(1)</script>",
    b"<190>1 2026-09-16T09:00:00Z sw-y hostapd - - - one\ntwo",
    b"<190>1 2026-09-16T09:00:00Z sw-y =cmd - - - =HYPERLINK(\"http://192.0.2.1\")",
    b"<38>1 2026-09-16T09:00:00Z sw-z sshd - - - Accepted publickey for noc from 192.0.2.7 port 5 ssh2",
    b"no header at all",
];

#[test]
fn hostile_lines_are_found_and_shown_harmless() {
    if !ready(false, &[]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (write_plan(dir.path()), dir.path().join("state"));
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    send(&hotstage, &state, &HOSTILE, HOSTILE.len());
    let long = [b"<190>long: ten megabytes ".to_vec(), vec![b'z'; 10_000_000], b"\n".to_vec()].concat();
    let mut stream = TcpStream::connect(hotstage.address("syslog")).unwrap();
    stream.write_all(&long).unwrap();
    drop(stream);
    send(&hotstage, &state, &[], HOSTILE.len() + 1);
    look(&state);
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    // The same once they are sealed.
    look(&state);
}

fn look(state: &Path) {
    for (filter, count) in [
        (&["--text", "a\u{1b}"][..], 0),
        (&["--text", "OWNED"], 1),
        (&["--text", "<script>"], 1),
        (&["--text", "ten megabytes"], 1),
        (&["--regex", "^no .* UTF-8$"], 1),
        (&["--regex", "(?s)one.two"], 1),
        (&["--regex", "a\\x00b"], 1),
        (&["--device", "SW-?"], 8),
        (&["--device", "127.0.0.1"], 2),
        (&["--program", "%LINK-*"], 1),
        (&["--kind", "link"], 1),
        (&["--kind", "login", "--facility", "auth"], 1),
        (&["--kind", "any"], 2),
        (&["--severity", "error"], 1),
        (&["--facility", "local7", "--device", "sw-x"], 4),
        (&["--since", "10m"], 10),
        (&["--until", "2020-01-01T00:00:00+09:00"], 0),
    ] {
        assert_eq!(rows(state, filter).len(), count, "{filter:?}");
        assert_eq!(logs(state, &[filter, &["--count"]].concat()).trim(), count.to_string(), "{filter:?}");
    }
    for format in ["table", "csv"] {
        let text = logs(state, &["--format", format]);
        assert!(!text.contains(['\u{1b}', '\0', '\u{7}']), "{format}");
        assert!(text.contains("\\u{1b}[2J") && text.contains("one\\ntwo"), "{format}: {text}");
    }
    let csv = logs(state, &["--format", "csv", "--device", "sw-y"]);
    assert!(csv.contains(",'=cmd,") && csv.contains("\"'=HYPERLINK("), "{csv}");
    let newest = logs(state, &["--reverse", "--limit", "1"]);
    assert!(newest.contains("ten megabytes"), "{}", &newest[..200]);
    // The switch's own lines around one, and nobody else's.
    let around = logs(state, &["--text", "nul a", "--context", "1"]);
    let lines: Vec<&str> = around.lines().collect();
    assert!(lines.len() == 4 && lines[2].starts_with("> ") && lines[1].contains("Gi1/0/1"), "{around}");
    assert!(lines[3].contains("UTF-8"), "{around}");
}

#[test]
fn lines_are_followed_as_they_come() {
    if !ready(false, &[]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (write_plan(dir.path()), dir.path().join("state"));
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    send(&hotstage, &state, &[b"<190>app: line 0", b"<190>app: another"], 2);
    let mut follow = Command::new(program());
    follow.args(["logs", "--follow", "--format", "json", "--text", "line", "--state"]).arg(&state);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["message"].clone();
    assert_eq!(next(), "line 0");
    for number in 1..20 {
        let text = format!("line {number}");
        let other = format!("<190>app: other {number}");
        send(&hotstage, &state, &[format!("<190>app: {text}").as_bytes(), other.as_bytes()], 2 + number * 2);
        assert_eq!(next(), text.as_str());
    }
    follow.kill().unwrap();
    follow.wait().unwrap();
}

#[test]
fn the_log_page_is_for_who_can_read_the_state_directory() {
    if !ready(false, &[]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (write_plan(dir.path()), dir.path().join("state"));
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    send(&hotstage, &state, &HOSTILE, HOSTILE.len());
    let http = hotstage.address("http");
    let refused = get(http, "/logs/rows");
    assert!(refused.starts_with("HTTP/1.1 401 ") && !refused.contains("script"), "{refused}");
    let link = logs(&state, &["--page"]);
    let link = link.trim().strip_prefix(&format!("http://{http}")).unwrap();
    let welcome = get(http, link);
    assert!(welcome.starts_with("HTTP/1.1 303 "), "{welcome}");
    let key = link.split_once("key=").unwrap().1;
    let mut stream = TcpStream::connect(http).unwrap();
    write!(stream, "GET /logs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\r\n")
        .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("&#60;script&#62;alert(1)"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    // The key outlives a restart, so that nobody is thrown out by one.
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    assert!(logs(&state, &["--page"]).trim().ends_with(key));
    drop(hotstage);
}

/// A Python that has DuckDB: `HOTSTAGE_PYTHON`, else `python3`.
fn python_with_duckdb() -> Option<PathBuf> {
    let python = std::env::var_os("HOTSTAGE_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let tried = Command::new(&python).args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()).then_some(python)
}

/// Prints every row of Parquet files as a JSON object a line, in the order of the first column.
const DUCKDB: &str = r#"
import json, sys, duckdb
duckdb.sql("set timezone='UTC'")
columns = "epoch_us(received) as at, source, transport, facility, severity, host, app, message, coalesce(raw, encode(header || message || tail)) as raw"
for row in duckdb.sql(f"select {columns} from read_parquet({sys.argv[1:]!r}) order by received, message").fetchall():
    at, source, transport, facility, severity, host, app, message, raw = row
    print(json.dumps([at, source, transport, facility, severity, host, app, message, raw.decode("utf-8", "replace")]))
"#;

#[test]
fn duckdb_reads_what_hotstage_finds() {
    if !ready(false, &["python3"]) {
        return;
    }
    let Some(python) = python_with_duckdb() else {
        let reason = "skipped: this test needs Python's `duckdb` (`pip install duckdb`, or name a Python with `HOTSTAGE_PYTHON`)";
        // Not in Debian, so continuous integration may do without.
        say(reason);
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (plan, state) = (write_plan(dir.path()), dir.path().join("state"));
    let hotstage = Hotstage::start(&mut run_command(&plan, &state));
    let many: Vec<String> = (0..2_000).map(|number| format!("<{}>app: number {number}", number % 192)).collect();
    let lines: Vec<&[u8]> = HOSTILE.iter().copied().chain(many.iter().map(String::as_bytes)).collect();
    send(&hotstage, &state, &lines, lines.len());
    hotstage.process.signal("TERM");
    assert_eq!(hotstage.process.wait(LIMIT), Some(0));

    let exported = dir.path().join("exported.parquet");
    logs(&state, &["--all", "--format", "parquet", "--output", &exported.display().to_string()]);
    let sealed = fs::read_dir(state.join("telemetry/log")).unwrap().map(|entry| entry.unwrap().path());
    let mut ours: Vec<Value> = rows(&state, &[]).iter().map(as_read).collect();
    assert_eq!(ours.len(), lines.len());
    let key = |row: &Value| (row[0].as_i64().unwrap(), row[7].as_str().unwrap().to_owned());
    ours.sort_by_key(key);
    for files in [sealed.collect::<Vec<_>>(), vec![exported]] {
        let read = Command::new(&python).args(["-c", DUCKDB]).args(&files).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let text = String::from_utf8(read.stdout).unwrap();
        let mut theirs: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        theirs.sort_by_key(key);
        assert_eq!(theirs.len(), ours.len(), "{files:?}");
        let other = theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours);
        assert_eq!(other, None, "{files:?}");
    }
}

/// A row of ours in the columns that DuckDB is asked for.
fn as_read(row: &Value) -> Value {
    const SEVERITIES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
    let severity = row["severity"].as_str().and_then(|name| SEVERITIES.iter().position(|known| *known == name));
    let text = |name: &str| row[name].clone();
    // Some versions of DuckDB read times with a zone in microseconds.
    let at = nanos(row["received"].as_str().unwrap()) / 1_000;
    Value::from(vec![
        Value::from(at),
        text("source"),
        text("transport"),
        text("facility"),
        severity.map_or(Value::Null, Value::from),
        text("host"),
        text("app"),
        text("message"),
        text("raw"),
    ])
}

/// Nanoseconds since 1970 of `2026-09-16T09:00:00.123Z`.
fn nanos(text: &str) -> i64 {
    let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap();
    let number = |text: &str| text.parse::<i64>().unwrap();
    let date: Vec<i64> = date.split('-').map(number).collect();
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let time: Vec<i64> = time.split(':').map(number).collect();
    // Days from the civil calendar, counted from March so that the leap day comes last.
    let (year, month) = if date[1] > 2 { (date[0], date[1] - 3) } else { (date[0] - 1, date[1] + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + date[2] - 719_469;
    let seconds = days * 86_400 + time[0] * 3_600 + time[1] * 60 + time[2];
    seconds * 1_000_000_000 + number(&format!("{fraction:0<9}"))
}

#[expect(clippy::print_stdout, reason = "a skipped test says why")]
fn say(text: &str) {
    println!("{text}");
}
