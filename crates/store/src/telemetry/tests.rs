use std::{fs, net::SocketAddr, path::Path, time::Duration};

use model::{Facility, LogSeverity, Transport};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::{record::tests::any_log, *};
use crate::Mode;

const SMALL: Limits = Limits {
    segment_bytes: 64 << 10,
    segments_max: 3,
    sealed_bytes_max: 1 << 30,
    sealed_files_max: 1_000,
    reserve_bytes: 0,
    reserve_files: 0,
};

fn log(second: i64, host: &str, text: &str) -> LogRecord {
    LogRecord {
        received: Timestamp::from_secs(second),
        source: SocketAddr::from(([192, 0, 2, 1], 514)),
        transport: Transport::Udp,
        facility: Some(Facility(3)),
        severity: Some(LogSeverity::from_number(u8::try_from(second.rem_euclid(8)).unwrap())),
        host: host.to_owned(),
        app: "hostapd".to_owned(),
        device_time: None,
        message: text.to_owned(),
        raw: format!("<30>{host} {text}").into_bytes(),
    }
}

fn sample(second: i64, metric: &str, value: f64) -> Sample {
    Sample { at: Timestamp::from_secs(second), metric: metric.to_owned(), subject: "ap-4f-1".to_owned(), value }
}

fn open(path: &Path, limits: Limits) -> (StateDir, Telemetry, TelemetryRecovery) {
    let state = StateDir::open(path, "e", Mode::Serve).unwrap();
    let (telemetry, recovery) = Telemetry::open(&state, limits).unwrap();
    (state, telemetry, recovery)
}

fn all() -> LogQuery {
    LogQuery { limit: usize::MAX, newest_first: false, ..LogQuery::default() }
}

#[test]
fn what_goes_in_comes_out_live_and_sealed() {
    let temp = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::deterministic();
    let mut logs: Vec<_> = (0..40).map(|_| any_log().new_tree(&mut runner).unwrap().current()).collect();
    let (_state, mut telemetry, _) = open(temp.path(), Limits { segments_max: 400, ..SMALL });
    // Times are random over a century, so each line is a jump and a segment of its own.
    for log in &logs[..20] {
        assert!(telemetry.append_log(log));
    }
    telemetry.seal_all(Timestamp::EPOCH).unwrap();
    for log in &logs[20..] {
        assert!(telemetry.append_log(log));
    }
    telemetry.sync(Timestamp::EPOCH).unwrap();
    logs.sort_by_key(|log| log.received);
    assert_eq!(search_logs(temp.path(), &all()).unwrap(), logs);
    telemetry.seal_all(Timestamp::EPOCH).unwrap();
    assert_eq!(fs::read_dir(temp.path().join("telemetry/ring")).unwrap().count(), 0);
    assert_eq!(search_logs(temp.path(), &all()).unwrap(), logs);
    assert_eq!(count_logs(temp.path(), &all()).unwrap(), 40);
    let newest = search_logs(temp.path(), &LogQuery { limit: 7, newest_first: true, ..all() }).unwrap();
    assert_eq!(newest, logs.iter().rev().take(7).cloned().collect::<Vec<_>>());
}

#[test]
fn queries_agree_with_a_plain_filter() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, _) = open(temp.path(), SMALL);
    let hosts = ["sw-4f-1", "ap-4f-1", "", "プール"];
    let logs: Vec<_> = (0_usize..)
        .zip((0..9_000).step_by(3))
        .map(|(at, second)| log(second, hosts[at % 4], if second % 2 == 0 { "Link DOWN" } else { "link up" }))
        .collect::<Vec<_>>();
    for log in &logs {
        assert!(telemetry.append_log(log));
    }
    telemetry.sync(Timestamp::from_secs(9_000)).unwrap();
    let at = |second| Some(Timestamp::from_secs(second));
    for query in [
        all(),
        LogQuery { from: at(100), to: at(4_000), ..all() },
        LogQuery { hosts: Some(vec!["SW-4F-1".to_owned()]), text: Some("down".to_owned()), ..all() },
        LogQuery { severity_at_most: Some(LogSeverity::Warning), from: at(3_600), ..all() },
        LogQuery { text: Some("<30>ap".to_owned()), ..all() },
        LogQuery { text: Some("no such".to_owned()), ..all() },
        LogQuery { from: at(9_999), ..all() },
    ] {
        let mut want: Vec<_> = logs
            .iter()
            .filter(|log| {
                query.from.is_none_or(|from| log.received >= from)
                    && query.to.is_none_or(|to| log.received < to)
                    && query.hosts.as_ref().is_none_or(|hosts| hosts[0].to_lowercase() == log.host)
                    && query.severity_at_most.is_none_or(|most| log.severity.unwrap() <= most)
                    && query
                        .text
                        .as_ref()
                        .is_none_or(|text| String::from_utf8_lossy(&log.raw).to_lowercase().contains(text))
            })
            .cloned()
            .collect();
        assert_eq!(search_logs(temp.path(), &query).unwrap(), want, "{query:?}");
        assert_eq!(count_logs(temp.path(), &query).unwrap(), want.len() as u64, "{query:?}");
        want.reverse();
        for limit in [0, 1, 10, 5_000] {
            let query = LogQuery { limit, newest_first: true, ..query.clone() };
            assert_eq!(search_logs(temp.path(), &query).unwrap(), want[..limit.min(want.len())], "{query:?}");
        }
    }
}

#[test]
fn samples_by_metric_and_time() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, _) = open(temp.path(), SMALL);
    for second in 0..100 {
        assert!(telemetry.append_sample(&sample(second * 100, "clients", 57.5)));
        assert!(telemetry.append_sample(&sample(second * 100, "dhcp_acks", f64::MAX)));
    }
    telemetry.sync(Timestamp::from_secs(9_900)).unwrap();
    let (from, to) = (Some(Timestamp::from_secs(3_000)), Some(Timestamp::from_secs(8_000)));
    let want: Vec<_> = (30..80).map(|second| sample(second * 100, "clients", 57.5)).collect();
    assert_eq!(read_samples(temp.path(), from, to, Some("clients")).unwrap(), want);
    assert_eq!(read_samples(temp.path(), None, None, None).unwrap().len(), 200);
    assert!(search_logs(temp.path(), &all()).unwrap().is_empty());
}

#[test]
fn a_kill_keeps_what_was_synced_once() {
    let temp = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let logs: Vec<_> = (0..50).map(|second| log(second, "sw1", "hello")).collect();
    let (state, mut telemetry, _) = open(temp.path(), SMALL);
    for log in &logs {
        telemetry.append_log(log);
    }
    telemetry.append_sample(&sample(3, "clients", 1.0));
    telemetry.sync(Timestamp::EPOCH).unwrap();
    let ring = temp.path().join("telemetry/ring");
    let segment = segment_path(&ring, 1);
    let kept = copy.path().join("segment");
    fs::copy(&segment, &kept).unwrap();
    telemetry.seal_all(Timestamp::EPOCH).unwrap();
    drop((telemetry, state));
    // Killed after the log file was renamed, before the segment was removed; and the segment's tail is torn.
    fs::copy(&kept, &segment).unwrap();
    assert_eq!(search_logs(temp.path(), &all()).unwrap(), logs, "once, not twice");
    fs::remove_file(fs::read_dir(temp.path().join("telemetry/sample")).unwrap().next().unwrap().unwrap().path())
        .unwrap();
    fs::write(temp.path().join("telemetry/log/1970-01-01T00-000000001.parquet.tmp"), b"PAR1 half").unwrap();
    let (_state, mut telemetry, recovery) = open(temp.path(), SMALL);
    assert_eq!((recovery.segments, recovery.logs, recovery.samples, recovery.torn_bytes), (1, 50, 1, 0));
    telemetry.seal_all(Timestamp::EPOCH).unwrap();
    assert_eq!(search_logs(temp.path(), &all()).unwrap(), logs);
    assert_eq!(read_samples(temp.path(), None, None, None).unwrap().len(), 1);
    // Debug lines are in a file of their own.
    assert_eq!(telemetry.status().sealed_files, 3);
}

#[test]
fn cut_at_any_octet_gives_a_prefix() {
    let temp = tempfile::tempdir().unwrap();
    let logs: Vec<_> = (0..20).map(|second| log(second, "sw1", "hello")).collect();
    let (state, mut telemetry, _) = open(temp.path(), SMALL);
    logs.iter().for_each(|log| assert!(telemetry.append_log(log)));
    telemetry.sync(Timestamp::EPOCH).unwrap();
    let segment = segment_path(&temp.path().join("telemetry/ring"), 1);
    let bytes = fs::read(&segment).unwrap();
    drop((telemetry, state));
    let mut longest = 0;
    for length in (0..4_000).step_by(7) {
        fs::write(&segment, &bytes[..length]).unwrap();
        let found = search_logs(temp.path(), &all()).unwrap();
        assert_eq!(found, logs[..found.len()], "cut at {length}");
        assert!(found.len() >= longest);
        longest = found.len();
    }
    assert_eq!(longest, 20);
}

#[test]
fn files_and_octets_stay_below_the_ceiling_whatever_the_names() {
    let temp = tempfile::tempdir().unwrap();
    let limits = Limits { sealed_files_max: 6, sealed_bytes_max: 200_000, ..SMALL };
    let (_state, mut telemetry, _) = open(temp.path(), limits);
    for second in 0..20_000 {
        let host = format!("../../host-{second}\0/x");
        assert!(telemetry.append_log(&log(second, &host, "a line that says something about a port")));
        if second % 100 == 0 {
            assert!(telemetry.append_sample(&sample(second, "clients", 1.0)));
            telemetry.sync(Timestamp::from_secs(second)).unwrap();
            let (mut files, mut octets) = (0, 0);
            for kind in ["ring", "log", "sample"] {
                for entry in fs::read_dir(temp.path().join("telemetry").join(kind)).unwrap() {
                    files += 1;
                    octets += entry.unwrap().metadata().map_or(0, |metadata| metadata.len());
                }
            }
            assert!(files <= limits.files_max(), "{files} files");
            assert!(octets <= limits.bytes_max(), "{octets} octets");
        }
    }
    telemetry.seal_all(Timestamp::from_secs(20_000)).unwrap();
    let status = telemetry.status();
    assert!(status.dropped_files > 0 && status.dropped_bytes > 0, "{status:?}");
    assert!(status.sealed_files <= 6 && status.sealed_bytes <= 200_000, "{status:?}");
    assert_eq!((status.logs, status.logs_refused, status.lost), (20_000, 0, 0));
    // The oldest went, debug lines (every eighth, the last one too) before them; the newest are there.
    let newest = search_logs(temp.path(), &LogQuery { limit: 1, newest_first: true, ..all() }).unwrap();
    assert_eq!(newest[0].received, Timestamp::from_secs(19_998));
}

#[test]
fn below_the_reserve_logs_are_refused_and_counted() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, _) = open(temp.path(), Limits { reserve_bytes: u64::MAX, ..SMALL });
    telemetry.sync(Timestamp::EPOCH).unwrap();
    assert!(!telemetry.append_log(&log(1, "sw1", "x")));
    assert!(!telemetry.append_sample(&sample(1, "clients", 1.0)));
    let status = telemetry.status();
    assert!(status.is_refusing_logs && status.free_bytes > 0, "{status:?}");
    assert_eq!((status.logs, status.logs_refused, status.samples_refused), (0, 1, 1));
}

#[test]
fn a_disk_that_fails_loses_only_the_batch_and_counts_it() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, _) = open(temp.path(), SMALL);
    for (second, fails) in [(1, false), (2, true), (3, false)] {
        telemetry.append_log(&log(second, "sw1", "x"));
        if fails && let Some((writer, _)) = &mut telemetry.open {
            writer.fault = Some(segment::Fault::WriteStops(40));
        }
        assert_eq!(telemetry.sync(Timestamp::from_secs(second)).is_err(), fails);
    }
    assert_eq!(telemetry.status().lost, 1);
    telemetry.seal_all(Timestamp::from_secs(4)).unwrap();
    let found = search_logs(temp.path(), &all()).unwrap();
    assert_eq!(found, [log(1, "sw1", "x"), log(3, "sw1", "x")]);
}

#[test]
fn what_is_taken_during_a_sync_is_lost_with_it_and_counted() {
    for fails in [false, true] {
        let temp = tempfile::tempdir().unwrap();
        let (_state, mut telemetry, _) = open(temp.path(), SMALL);
        assert!(!telemetry.begin_sync().unwrap(), "nothing to wait for");
        telemetry.append_log(&log(1, "sw1", "x"));
        if fails && let Some((writer, _)) = &mut telemetry.open {
            writer.fault = Some(segment::Fault::SyncFails);
        }
        assert!(telemetry.begin_sync().unwrap());
        telemetry.append_log(&log(2, "sw1", "x"));
        let result = loop {
            match telemetry.end_sync(Timestamp::from_secs(2)) {
                Some(result) => break result,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!((result.is_err(), telemetry.status().lost), (fails, if fails { 2 } else { 0 }));
        telemetry.append_log(&log(3, "sw1", "x"));
        telemetry.seal_all(Timestamp::from_secs(4)).unwrap();
        let want: Vec<_> = [1, 2, 3]
            .into_iter()
            .filter(|second| !fails || *second == 3)
            .map(|second| log(second, "sw1", "x"))
            .collect();
        assert_eq!(search_logs(temp.path(), &all()).unwrap(), want);
    }
}

/// Puts a directory in the place of a segment: it can be opened and not read, whoever asks.
fn spoil(segment: &Path) {
    fs::remove_file(segment).unwrap();
    fs::create_dir(segment).unwrap();
}

#[test]
fn a_segment_that_cannot_be_read_stops_no_start() {
    let (temp, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ring = temp.path().join("telemetry/ring");
    let (state, mut telemetry, _) = open(temp.path(), SMALL);
    // Each of another hour, so each a segment; the sealer takes them away, and they are put back as after a kill.
    for hour in 1..=3 {
        telemetry.append_log(&log(hour * 3_600, "sw1", "x"));
        telemetry.sync(Timestamp::from_secs(hour * 3_600)).unwrap();
        let name = format!("segment-{hour:09}");
        fs::copy(ring.join(&name), kept.path().join(&name)).unwrap();
    }
    telemetry.seal_all(Timestamp::EPOCH).unwrap();
    drop((telemetry, state));
    fs::remove_dir_all(temp.path().join("telemetry/log")).unwrap();
    for entry in fs::read_dir(kept.path()).unwrap().map(Result::unwrap) {
        fs::rename(entry.path(), ring.join(entry.file_name())).unwrap();
    }
    spoil(&segment_path(&ring, 1));
    let (state, mut telemetry, recovery) = open(temp.path(), SMALL);
    assert_eq!((recovery.segments_aside, recovery.segments, recovery.logs), (1, 2, 2));
    assert!(telemetry.append_log(&log(5 * 3_600, "sw1", "x")));
    telemetry.seal_all(Timestamp::EPOCH).unwrap();
    let found = search_logs(temp.path(), &all()).unwrap();
    assert_eq!(found, [2, 3, 5].map(|hour| log(hour * 3_600, "sw1", "x")));
    assert!(ring.join("damaged-000000001").exists());
    drop((telemetry, state));
    // The newest of all may be the one: its number is not given again.
    fs::rename(ring.join("damaged-000000001"), segment_path(&ring, 9)).unwrap();
    let (_state, telemetry, recovery) = open(temp.path(), SMALL);
    assert_eq!((recovery.segments_aside, telemetry.next_sequence), (1, 10));
}

#[test]
fn a_segment_that_cannot_be_read_holds_up_no_other() {
    let temp = tempfile::tempdir().unwrap();
    let ring = temp.path().join("telemetry/ring");
    let (_state, mut telemetry, _) = open(temp.path(), SMALL);
    telemetry.append_log(&log(1, "sw1", "x"));
    telemetry.sync(Timestamp::from_secs(1)).unwrap();
    spoil(&segment_path(&ring, 1));
    for hour in 1..=2 {
        assert!(telemetry.append_log(&log(hour * 3_600, "sw1", "x")));
        telemetry.seal_all(Timestamp::from_secs(hour * 3_600)).unwrap_err();
        let status = telemetry.status();
        assert_eq!((status.sealed_files, status.waiting_segments), (hour.unsigned_abs(), 1), "the others are sealed");
    }
    while telemetry.status().segments_aside == 0 {
        let before = telemetry.status().seals_failed;
        let _ = telemetry.seal_all(Timestamp::from_secs(9_000));
        assert!(telemetry.status().seals_failed > before, "tried again");
    }
    telemetry.seal_all(Timestamp::from_secs(9_000)).unwrap();
    assert_eq!(search_logs(temp.path(), &all()).unwrap(), [1, 2].map(|hour| log(hour * 3_600, "sw1", "x")));
    fs::remove_dir(ring.join("damaged-000000001")).unwrap();
    for number in 10..20 {
        fs::write(segment_path(&ring, number), b"as if it were damaged").unwrap();
        set_aside(&telemetry.paths, number);
    }
    assert_eq!(segment::numbered(&ring, ASIDE_PREFIX).unwrap(), [19]);
}

#[test]
fn an_hour_that_is_over_is_sealed_without_new_records() {
    let temp = tempfile::tempdir().unwrap();
    let (_state, mut telemetry, _) = open(temp.path(), SMALL);
    let nearly = Timestamp::from_secs(1_568_595_600) + Duration::from_secs(3_599);
    telemetry.append_log(&LogRecord { received: nearly, ..log(1, "sw1", "x") });
    telemetry.sync(nearly).unwrap();
    assert_eq!(telemetry.status().waiting_segments, 0);
    telemetry.sync(nearly + Duration::from_secs(1)).unwrap();
    assert_eq!(telemetry.status().waiting_segments + telemetry.status().sealed_files, 1);
    telemetry.seal_all(nearly).unwrap();
    assert!(temp.path().join("telemetry/log/2019-09-16T01-000000001.parquet").exists());
}

#[test]
fn a_damaged_sealed_file_is_named() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir_all(temp.path().join("telemetry/log")).unwrap();
    fs::write(temp.path().join("telemetry/log/1970-01-01T00-000000009.parquet"), b"PAR1 half").unwrap();
    let said = search_logs(temp.path(), &all()).unwrap_err().to_string();
    assert!(said.contains("000000009"), "{said}");
    assert!(search_logs(&temp.path().join("nowhere"), &all()).unwrap().is_empty());
}

/// Files below a directory, and their octets.
fn usage(path: &Path) -> (u64, u64) {
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
    entries.fold((0, 0), |(files, bytes), entry| {
        let metadata = entry.metadata().unwrap();
        let (more, more_bytes) = if metadata.is_dir() { usage(&entry.path()) } else { (1, metadata.len()) };
        (files + more, bytes + more_bytes)
    })
}

#[test]
fn a_hundred_thousand_names_take_as_many_files_as_three_hundred() {
    let limits = Limits { segment_bytes: 1 << 20, sealed_files_max: 12, ..SMALL };
    let files = [300, 100_000].map(|names| {
        let temp = tempfile::tempdir().unwrap();
        let (_state, mut telemetry, _) = open(temp.path(), limits);
        for line in 0..100_000 {
            let mut log = log(line / 100, &format!("host-{:06}", line % names), "interface is up");
            log.app = format!("app-{:06}", line % names);
            assert!(telemetry.append_log(&log));
        }
        telemetry.seal_all(Timestamp::from_secs(1_000)).unwrap();
        let (files, bytes) = usage(&temp.path().join("telemetry"));
        assert!(files <= limits.files_max() && bytes <= limits.bytes_max(), "{names} names: {files} files, {bytes}");
        files
    });
    assert_eq!(files[0], files[1]);
}

fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Lines of three days, a few a segment, debug lines (severity 7) and samples among them.
fn three_days(telemetry: &mut Telemetry) -> Vec<LogRecord> {
    const DAY: i64 = 86_400;
    let mut logs = Vec::new();
    for second in (0..3 * DAY).step_by(601) {
        logs.push(log(second, &format!("sw{}", second % 7), "Link DOWN\0"));
        assert!(telemetry.append_log(&logs[logs.len() - 1]));
        assert!(telemetry.append_sample(&sample(second, "clients", 1.5)));
    }
    telemetry.seal_all(Timestamp::from_secs(3 * DAY)).unwrap();
    logs
}

#[test]
fn small_files_of_days_that_are_over_are_joined_and_each_line_stays_where_it_was() {
    let temp = tempfile::tempdir().unwrap();
    let (state, mut telemetry, _) = open(temp.path(), SMALL);
    let logs = three_days(&mut telemetry);
    let before = search_lines(temp.path(), &all()).unwrap();
    assert_eq!(before.iter().map(|line| line.log.clone()).collect::<Vec<_>>(), logs);
    let dirs = ["log", "sample"].map(|dir| temp.path().join("telemetry").join(dir));
    assert!(names_in(&dirs[0]).len() > 72, "{:?}", names_in(&dirs[0]));
    let kept = tempfile::tempdir().unwrap();
    for name in names_in(&dirs[0]) {
        fs::copy(dirs[0].join(&name), kept.path().join(&name)).unwrap();
    }
    // The third day is not over yet.
    let now = Timestamp::from_secs(3 * 86_400 - 1);
    for _ in 0..10 {
        telemetry.sync(now).unwrap();
        if let Some(outcome) = telemetry.sealer.is_busy().then(|| telemetry.sealer.wait_outcome().unwrap()) {
            telemetry.on_sealed(outcome, now);
        }
    }
    assert_eq!(names_in(&dirs[1]).len(), 2 + 24, "{:?}", names_in(&dirs[1]));
    assert_eq!(search_lines(temp.path(), &all()).unwrap(), before);
    let debug = LogQuery { severity_at_most: None, text: Some("link down".to_owned()), ..all() };
    assert_eq!(count_logs(temp.path(), &debug).unwrap(), logs.len() as u64);
    assert_eq!(read_samples(temp.path(), None, None, None).unwrap().len(), logs.len());
    assert!(telemetry.status().joined_files > 48, "{:?}", telemetry.status());
    drop((telemetry, state));
    // A crash left some of the joined: they count once, and are removed.
    for name in names_in(kept.path()).iter().take(9) {
        fs::copy(kept.path().join(name), dirs[0].join(name)).unwrap();
    }
    assert_eq!(search_lines(temp.path(), &all()).unwrap(), before);
    let files = names_in(&dirs[0]).len();
    let (_state, telemetry, _) = open(temp.path(), SMALL);
    assert_eq!(names_in(&dirs[0]).len(), files - 9);
    assert_eq!(telemetry.status().sealed_files as usize, files - 9 + names_in(&dirs[1]).len());
    assert_eq!(search_lines(temp.path(), &all()).unwrap(), before);
}

#[test]
fn what_is_missed_least_goes_first() {
    for (limits, want) in [
        // Debug lines go before any other line, and the samples stay.
        (Limits { sealed_files_max: 200, ..SMALL }, [0, 1, 1]),
        (Limits { sealed_files_max: 100, ..SMALL }, [0, 1, 1]),
        // Samples do not push out all lines.
        (Limits { sealed_files_max: 40, ..SMALL }, [0, 1, 1]),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let (_state, mut telemetry, _) = open(temp.path(), limits);
        three_days(&mut telemetry);
        let count = |class| telemetry.sealed.iter().filter(|file| file.class == class).count();
        let counts = [Class::Debug, Class::Log, Class::Sample].map(count);
        assert!(counts.iter().sum::<usize>() <= limits.sealed_files_max, "{counts:?}");
        let is_there = counts.map(|count| usize::from(count > 0));
        assert!(is_there[1..] == want[1..], "{limits:?}: {counts:?}");
        if limits.sealed_files_max <= 144 {
            assert_eq!(counts[0], 0, "{counts:?}");
        }
        assert!(counts[2] >= limits.sealed_files_max / 2 || counts[2] == 72, "{counts:?}");
    }
}

#[test]
fn files_of_an_older_version_are_read_and_joined() {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
    use parquet::arrow::ArrowWriter;

    let temp = tempfile::tempdir().unwrap();
    let logs: Vec<_> = (0..100).map(|second| log(second, "sw1", "Link DOWN")).collect();
    drop(open(temp.path(), SMALL));
    let dir = temp.path().join("telemetry/log");
    for (sequence, part) in (1..).zip(logs.chunks(50)) {
        let mut columns = columns::LogColumns::new();
        part.iter().for_each(|log| columns.push(&log.into()));
        let batch = columns.finish().unwrap();
        let names =
            ["received", "source", "transport", "facility", "severity", "host", "app", "device_time", "message"];
        let old = names.map(|name| (name, Arc::clone(batch.column_by_name(name).unwrap())));
        let raw: ArrayRef = Arc::new(BinaryArray::from_iter_values(part.iter().map(|log| &log.raw)));
        let batch = RecordBatch::try_from_iter(old.into_iter().chain([("raw", raw)])).unwrap();
        let file = fs::File::create(dir.join(format!("1970-01-01T00-{sequence:09}.parquet"))).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
    let text = LogQuery { text: Some("<30>sw1 LINK".to_owned()), ..all() };
    assert_eq!(search_logs(temp.path(), &text).unwrap(), logs);
    let before = search_lines(temp.path(), &all()).unwrap();
    let (_state, mut telemetry, _) = open(temp.path(), SMALL);
    let now = Timestamp::from_secs(86_400);
    telemetry.sync(now).unwrap();
    let outcome = telemetry.sealer.wait_outcome().unwrap();
    telemetry.on_sealed(outcome, now);
    assert_eq!(names_in(&dir), ["1970-01-01T00-000000001-000000002.parquet"]);
    assert_eq!(search_lines(temp.path(), &all()).unwrap(), before);
    assert_eq!(search_logs(temp.path(), &text).unwrap(), logs);
}
