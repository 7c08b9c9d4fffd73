use std::{net::SocketAddr, path::Path};

use model::Transport;

use super::*;
use crate::{Limits, Mode, StateDir, Telemetry, telemetry::seal::Class};

const LIMITS: Limits = Limits {
    segment_bytes: 64 << 10,
    segments_max: 400,
    sealed_bytes_max: 1 << 30,
    sealed_files_max: 1_000,
    reserve_bytes: 0,
    reserve_files: 0,
};

/// Line `number` of a store where each differs from the next in everything that can be asked about.
fn line(number: u32) -> LogRecord {
    let at = usize::try_from(number).unwrap();
    let message = format!("port {number} {}", ["is Up", "went DOWN", "flaps\0<b>", "は障害"][at % 4]);
    let raw = if number.is_multiple_of(11) { Vec::new() } else { [b"<30>\xff ", message.as_bytes()].concat() };
    LogRecord {
        received: Timestamp::from_secs(i64::from(number / 3) * 5),
        source: SocketAddr::from(([192, 0, 2, u8::try_from(at % 5).unwrap()], 514)),
        transport: Transport::Udp,
        facility: (at % 6 != 0).then(|| Facility(u8::try_from(at % 7).unwrap())),
        severity: (at % 9 != 0).then(|| LogSeverity::from_number(u8::try_from(at % 8).unwrap())),
        host: ["sw-4f-1", "AP-4f-1", "", "プール"][at % 4].to_owned(),
        app: ["hostapd", "%LINK-3-UPDOWN", ""][at % 3].to_owned(),
        device_time: None,
        message,
        raw,
    }
}

/// A store of `count` lines, some sealed, some live.
fn stored(path: &Path, count: u32) -> (StateDir, Telemetry, Vec<LogRecord>) {
    let state = StateDir::open(path, "e", Mode::Serve).unwrap();
    let (mut telemetry, _) = Telemetry::open(&state, LIMITS).unwrap();
    let logs: Vec<_> = (0..count).map(line).collect();
    for (at, log) in logs.iter().enumerate() {
        assert!(telemetry.append_log(log));
        if at == logs.len() / 2 {
            telemetry.seal_all(log.received).unwrap();
        }
    }
    telemetry.sync(Timestamp::EPOCH).unwrap();
    (state, telemetry, logs)
}

fn all() -> LogQuery {
    LogQuery { limit: usize::MAX, newest_first: false, ..LogQuery::default() }
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn filters_agree_with_plain_ones_live_and_sealed() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, logs) = stored(temp.path(), 3_000);
    type Plain = fn(&LogRecord) -> bool;
    let table: [(LogQuery, Plain); 14] = [
        (all(), |_| true),
        (LogQuery { hosts: names(&["SW-*", "プール"]), ..all() }, |log| {
            log.host == "sw-4f-1" || log.host == "プール"
        }),
        (LogQuery { hosts: names(&["ap-4F-?"]), ..all() }, |log| log.host == "AP-4f-1"),
        (LogQuery { hosts: names(&[]), ..all() }, |_| false),
        (LogQuery { hosts: names(&["192.0.2.2"]), ..all() }, |log| {
            log.host.is_empty() && log.source.ip().to_string() == "192.0.2.2"
        }),
        (LogQuery { apps: names(&["%link-*"]), ..all() }, |log| log.app == "%LINK-3-UPDOWN"),
        (LogQuery { apps: names(&[""]), ..all() }, |log| log.app.is_empty()),
        (LogQuery { facility: Some(Facility(4)), ..all() }, |log| log.facility == Some(Facility(4))),
        (LogQuery { severity_at_most: Some(LogSeverity::Error), ..all() }, |log| {
            log.severity.is_some_and(|severity| severity <= LogSeverity::Error)
        }),
        (LogQuery { text: Some("went down".to_owned()), ..all() }, |log| log.message.ends_with("went DOWN")),
        (LogQuery { text: Some("\0<B>".to_owned()), ..all() }, |log| log.message.contains('\0')),
        (LogQuery { regex: Some("^port 1.*(Up|障害)$".to_owned()), ..all() }, |log| {
            log.message.starts_with("port 1") && (log.message.ends_with("Up") || log.message.ends_with("障害"))
        }),
        (
            LogQuery { test: Some(LineTest::new(|app, message| app.is_empty() && message.contains('7'))), ..all() },
            |log| log.app.is_empty() && log.message.contains('7'),
        ),
        (
            LogQuery {
                hosts: names(&["sw-4f-1"]),
                apps: names(&["hostapd"]),
                text: Some("UP".to_owned()),
                from: Some(Timestamp::from_secs(1_000)),
                to: Some(Timestamp::from_secs(3_000)),
                ..all()
            },
            |log| {
                log.host == "sw-4f-1"
                    && log.app == "hostapd"
                    && log.message.contains("Up")
                    && (1_000..3_000).contains(&log.received.as_secs())
            },
        ),
    ];
    for is_sealed in [false, true] {
        if is_sealed {
            telemetry.seal_all(Timestamp::EPOCH).unwrap();
        }
        for (query, plain) in &table {
            let want: Vec<_> = logs.iter().filter(|log| plain(log)).cloned().collect();
            assert_eq!(search_logs(temp.path(), query).unwrap(), want, "{query:?}");
            assert_eq!(count_logs(temp.path(), query).unwrap(), want.len() as u64, "{query:?}");
            let newest = LogQuery { limit: 7, newest_first: true, ..query.clone() };
            let want: Vec<_> = want.into_iter().rev().take(7).collect();
            assert_eq!(search_logs(temp.path(), &newest).unwrap(), want, "{newest:?}");
        }
    }
}

#[test]
fn pages_follow_each_other_also_when_their_lines_are_sealed_in_between() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, logs) = stored(temp.path(), 1_000);
    for newest_first in [false, true] {
        let mut query = LogQuery { limit: 99, newest_first, text: Some("port".to_owned()), ..all() };
        let mut found = Vec::new();
        loop {
            let page = search_lines(temp.path(), &query).unwrap();
            let Some(last) = page.last() else { break };
            query.beyond = Some(last.position);
            found.extend(page.into_iter().map(|line| line.log));
            if found.len() == 297 {
                telemetry.seal_all(Timestamp::EPOCH).unwrap();
            }
        }
        let mut want = logs.clone();
        if newest_first {
            want.reverse();
        }
        assert_eq!(found, want, "{newest_first}");
    }
}

#[test]
fn a_search_can_be_stopped() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, _telemetry, _) = stored(temp.path(), 100);
    let query = LogQuery { stop: Some(Arc::new(AtomicBool::new(true))), ..all() };
    assert!(matches!(search_logs(temp.path(), &query), Err(QueryError::Stopped)));
    assert!(matches!(count_logs(temp.path(), &query), Err(QueryError::Stopped)));
}

#[test]
fn wrong_patterns_are_said() {
    let query = LogQuery { regex: Some("(".to_owned()), ..all() };
    let said = search_logs(Path::new("nowhere"), &query).unwrap_err().to_string();
    assert!(said.contains("unclosed group"), "{said}");
}

#[test]
fn positions_are_read_back() {
    let position = LogPosition { received: Timestamp::from_nanos(-5), sequence: 7, row: u64::MAX };
    assert_eq!(position.to_string().parse(), Ok(position));
    for text in ["", "1", "1.2", "1.2.3.4", "1.2.x", "1.-2.3"] {
        assert_eq!(text.parse::<LogPosition>(), Err(PositionError), "{text}");
    }
}

#[test]
fn hours_in_names_bound_the_times() {
    let file = |name: &str| SealedFile { path: PathBuf::from(name), sequence: 1, last: 1, bytes: 0, class: Class::Log };
    let hour = named_hour(&file("/x/2019-09-16T01-000000012.parquet"));
    assert_eq!(hour, Some(1_568_595_600));
    for name in ["000000012.parquet", "x-1.parquet", "9999-99-99T99-1.parquet", ""] {
        assert_eq!(named_hour(&file(name)), None, "{name}");
    }
}

#[test]
fn a_follower_gets_each_line_once_over_sealing() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, _) = stored(temp.path(), 100);
    let mut follower = LogFollower::begin(temp.path()).unwrap();
    assert!(search_lines(temp.path(), &all()).unwrap().iter().all(|line| follower.began_behind(line.position)));
    let query = LogQuery { limit: 1, text: Some("port".to_owned()), ..LogQuery::default() };
    assert_eq!(follower.poll(&query).unwrap(), []);
    let mut want = Vec::new();
    let mut found = Vec::new();
    for number in 100..2_500 {
        let mut log = line(number);
        if number == 1_234 {
            log.raw = [vec![b'x'; 200_000], b"port".to_vec()].concat();
        }
        telemetry.append_log(&log);
        want.push(log);
        if number % 50 == 7 {
            telemetry.sync(Timestamp::EPOCH).unwrap();
        }
        // Polled before, in and after segments that are sealed in between.
        if number % 170 == 9 {
            found.extend(follower.poll(&query).unwrap());
        }
        if number % 800 == 3 {
            telemetry.seal_all(Timestamp::EPOCH).unwrap();
        }
    }
    telemetry.sync(Timestamp::EPOCH).unwrap();
    found.extend(follower.poll(&query).unwrap());
    assert!(found.iter().all(|line| !follower.began_behind(line.position)));
    let found: Vec<_> = found.into_iter().map(|line| line.log).collect();
    assert_eq!(found, want);
    assert_eq!(LogFollower::begin(&temp.path().join("nowhere")).unwrap().poll(&query).unwrap(), []);
}

#[test]
fn a_follower_goes_on_behind_where_an_earlier_one_came_to() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, _) = stored(temp.path(), 100);
    let lines = search_lines(temp.path(), &LogQuery { newest_first: false, ..all() }).unwrap();
    let behind = |follower: &mut LogFollower| {
        let polled = follower.poll(&LogQuery::default()).unwrap();
        polled.into_iter().map(|line| line.position).collect::<Vec<_>>()
    };
    let want: Vec<_> = lines.iter().map(|line| line.position).collect();
    assert_eq!(behind(&mut LogFollower::all(temp.path())), want);
    for at in [0, 57, 99] {
        let mut follower = LogFollower::resume(temp.path(), want[at]).unwrap();
        assert_eq!(
            follower.begun_behind().map(|begun| (begun.sequence, begun.row)),
            Some((want[at].sequence, want[at].row))
        );
        assert_eq!(behind(&mut follower), want[at + 1..], "{at}");
        assert_eq!(behind(&mut follower), []);
    }
    // Sealed meanwhile, and more came.
    telemetry.seal_all(Timestamp::EPOCH).unwrap();
    telemetry.append_log(&line(100));
    telemetry.sync(Timestamp::EPOCH).unwrap();
    let mut follower = LogFollower::resume(temp.path(), want[57]).unwrap();
    assert_eq!(behind(&mut follower).len(), 43);
    let begun = LogFollower::begin(temp.path()).unwrap().begun_behind().unwrap();
    telemetry.append_log(&line(101));
    telemetry.sync(Timestamp::EPOCH).unwrap();
    assert_eq!(behind(&mut LogFollower::resume(temp.path(), begun).unwrap()).len(), 1);
}
