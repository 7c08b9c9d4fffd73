use jiff::tz::TimeZone;
use model::{Finding, Incident, LogSeverity, Place, Sample, Severity, Timestamp};
use plan::{DayKind, Estimate};

use crate::{
    Input, Language, Load, Planned, PlannedAccessPoint, PlannedCables, PlannedDay, PlannedGear, PlannedPool,
    PlannedRoom, RehearsalSummary, render, render_markdown,
};

/// 2019-09-16 09:00 in Tokyo.
const DOORS: i64 = 1_568_592_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn estimate(low: f64, likely: f64, high: f64) -> Estimate {
    Estimate { low, likely, high }
}

fn planned() -> Planned {
    let day = |offset: i64, kind| PlannedDay {
        doors: Timestamp::from_secs(DOORS + offset * DAY),
        close: Timestamp::from_secs(DOORS + offset * DAY + 10 * HOUR),
        kind,
        people: estimate(900.0, 1_000.0, 1_200.0),
    };
    let room = |id: &str, name: &str, seats, clients_capacity| PlannedRoom {
        room: id.into(),
        name: name.to_owned(),
        floor: "1F".to_owned(),
        seats,
        standing: 20,
        clients_expected: estimate(100.0, 150.0, 220.0),
        clients_capacity,
    };
    let access_point =
        |id: &str, room: &str| PlannedAccessPoint { device: id.into(), room: room.to_owned(), clients_capacity: 60 };
    Planned {
        event: "Event <script>alert(1)</script> | 2019".to_owned(),
        motto: "1000人乗っても大丈夫".to_owned(),
        time_zone: TimeZone::get("Asia/Tokyo").unwrap(),
        people: estimate(900.0, 1_000.0, 1_200.0),
        devices_peak: estimate(1_200.0, 1_600.0, 2_400.0),
        dns_queries_per_minute: 5.0,
        log_lines_per_day: Some(200_000),
        days: vec![day(0, DayKind::Conference), day(1, DayKind::Conference)],
        rooms: vec![room("hall", "大ホール & <b>", 100, 120), room("lab", "Lab", 30, 60), room("store", "Store", 0, 0)],
        access_points: vec![
            access_point("ap-1", "大ホール"),
            access_point("ap-2", "大ホール"),
            access_point("ap-3", "Lab"),
        ],
        pools: vec![PlannedPool { name: "attendee".to_owned(), subnet: "10.1.0.0/16".to_owned(), size: 4_000 }],
        talks: 96,
        gear: vec![
            PlannedGear { model: "nec-ix2105".to_owned(), count: 10 },
            PlannedGear { model: "netgear-gs108e".to_owned(), count: 8 },
        ],
        cables: Some(PlannedCables { count: 58, length_m: 1_161.0 }),
        erase_on: Some("2019-10-17".to_owned()),
    }
}

fn empty() -> Input {
    Input {
        planned: planned(),
        samples: Vec::new(),
        clients_unique: None,
        clients_peak: None,
        logs_by_severity: Vec::new(),
        findings: Vec::new(),
        incidents: Vec::new(),
        rehearsal: None,
    }
}

/// Two days, a sample each five minutes; the second day's totals begin anew.
fn full() -> Input {
    let mut samples = Vec::new();
    for day in 0..2 {
        for step in 0_u32..120 {
            let at = Timestamp::from_secs(DOORS + day * DAY + i64::from(step) * 300);
            let wave = f64::from(60 - step.abs_diff(60)) / 60.0;
            let mut add = |metric: &str, subject: &str, value: f64| {
                samples.push(Sample { at, metric: metric.to_owned(), subject: subject.to_owned(), value });
            };
            add("clients", "", (wave * 800.0).round());
            add("clients", "room:hall", (wave * 130.0).round());
            add("clients", "room:lab", (wave * 20.0).round());
            add("clients", "ap:ap-1", (wave * 70.0).round());
            add("clients", "ap:ap-2", (wave * 60.0).round());
            add("clients", "ap:ap-3", (wave * 20.0).round());
            add("clients_unique", "", f64::from(step) * 10.0);
            add("dhcp_acks_total", "", f64::from(step) * 30.0);
            add("dns_queries_total", "", f64::from(step) * 9_000.0);
            add("dns_hits_total", "", f64::from(step) * 8_100.0);
            add("log_lines_total", "", f64::from(step) * 600.0);
            add("pool_used", "attendee", (wave * 1_500.0).round());
        }
    }
    let finding = |severity, code, says: &str| Finding {
        code,
        severity,
        place: "room hall".to_owned(),
        at: Place::file("venue.toml"),
        says: says.to_owned(),
        remedy: "add an access point".to_owned(),
    };
    let incident = |closed: Option<i64>, says: &str| Incident {
        opened: Timestamp::from_secs(DOORS + 5 * HOUR),
        closed: closed.map(|seconds| Timestamp::from_secs(DOORS + seconds)),
        code: "pool-nearly-full".to_owned(),
        severity: Severity::Warning,
        place: "vlan attendee".to_owned(),
        says: says.to_owned(),
        remedy: "shorten the lease".to_owned(),
    };
    Input {
        samples,
        logs_by_severity: vec![(LogSeverity::Warning, 12), (LogSeverity::Info, 71_388)],
        findings: vec![
            finding(Severity::Info, "no-roster", "there is no roster"),
            finding(Severity::Warning, "room-crowded", "150 devices for 120 places | <i>so</i>"),
        ],
        incidents: vec![incident(Some(6 * HOUR), "pool `attendee` is nearly full"), incident(None, "ap-3 is silent")],
        rehearsal: Some(RehearsalSummary {
            event: "Event".to_owned(),
            seed: 7,
            speed: 1_200.0,
            wall_seconds: 85.0,
            complete: true,
            people: 1_000,
            clients_unique: 1_712,
            clients_peak: 801,
            leases_granted: 1_712,
            dhcp_p50_ms: 0.8,
            dhcp_p99_ms: 6.25,
            dns_queries: 2_142_000,
            dns_hit_ratio: 0.9,
            dns_p50_ms: 0.1,
            dns_p99_ms: 1.5,
            log_lines_sent: 142_800,
            log_lines_stored: 142_800,
            access_point_most_loaded: Some(Load { name: "ap-1".to_owned(), clients_peak: 70, clients_capacity: 60 }),
            bottleneck: Some("ap-1 carries 70 stations of 60".to_owned()),
            notes: vec!["one DNS query in 3 was sent".to_owned()],
            ..RehearsalSummary::default()
        }),
        ..empty()
    }
}

#[test]
fn the_whole_in_english() {
    insta::assert_snapshot!(render_markdown(&full(), Language::English));
}

#[test]
fn the_whole_in_japanese() {
    insta::assert_snapshot!(render_markdown(&full(), Language::Japanese));
}

#[test]
fn nothing_happened_yet() {
    insta::assert_snapshot!(render_markdown(&empty(), Language::English));
    for language in Language::ALL {
        let html = render(&empty(), language);
        assert!(html.ends_with("</html>\n") && !html.contains("<svg"), "{}", language.tag());
    }
}

#[test]
fn the_file_stands_alone_and_is_whole() {
    for language in Language::ALL {
        let html = render(&full(), language);
        assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
        // Clients, rooms, access points, a pool, DHCP, DNS, logs, each twice.
        assert_eq!((html.matches("<svg").count(), html.matches("</svg>").count()), (14, 14));
        assert_eq!(html.matches("<section").count(), html.matches("</section>").count());
        for foreign in ["http://", "https://", "<link", "@import", "<script", "src="] {
            let foreign_but_svg = html.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign_but_svg.contains(foreign), "{foreign}");
        }
    }
}

#[test]
fn what_others_wrote_is_escaped() {
    for language in Language::ALL {
        let html = render(&full(), language);
        for raw in ["<script>", "<b>", "<i>so"] {
            assert!(!html.contains(raw), "{raw}");
        }
        assert!(html.contains("Event &#60;script&#62;"), "in text");
        assert!(html.contains("大ホール &amp; &lt;b&gt;"), "in figures");
        let markdown = render_markdown(&full(), language);
        assert!(markdown.contains("\\| \\<i\\>so\\</i\\>") && !markdown.contains("<script>"));
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let mut shuffled = full();
    shuffled.samples.reverse();
    for language in Language::ALL {
        assert_eq!(render(&full(), language), render(&full(), language));
        assert_eq!(render(&full(), language), render(&shuffled, language));
    }
}

#[test]
fn hostile_samples_do_no_harm() {
    let mut input = full();
    for (at, value) in [(i64::MIN, 1.0), (i64::MAX, f64::MAX), (0, f64::NAN), (DOORS, f64::INFINITY), (DOORS, -1.0)] {
        for metric in ["clients", "dns_queries_total", "pool_used"] {
            let subject = if metric == "pool_used" { "attendee" } else { "" };
            let at = Timestamp::from_secs(at);
            input.samples.push(Sample { at, metric: metric.to_owned(), subject: subject.to_owned(), value });
        }
    }
    let html = render(&input, Language::English);
    assert!(html.contains("12 samples "), "left out and said");
    assert!(html.len() < 2_000_000, "{}", html.len());
}

#[test]
fn a_single_sample_is_drawn() {
    let sample =
        Sample { at: Timestamp::from_secs(DOORS), metric: "clients".to_owned(), subject: String::new(), value: 3.0 };
    let html = render(&Input { samples: vec![sample], ..empty() }, Language::English);
    assert!(html.contains("<circle"));
}

#[test]
fn a_rehearsal_is_good_when_nothing_is_lost() {
    let good = full().rehearsal.unwrap();
    let none = RehearsalSummary { complete: true, ..RehearsalSummary::default() };
    let table = [
        (good.clone(), true),
        (none, true),
        (RehearsalSummary { dns_failed: 2_142, ..good.clone() }, true),
        (RehearsalSummary { dns_failed: 2_143, ..good.clone() }, false),
        (RehearsalSummary { dns_failed: 1, dns_queries: 0, ..good.clone() }, false),
        (RehearsalSummary { complete: false, ..good.clone() }, false),
        (RehearsalSummary { leases_failed: 1, ..good.clone() }, false),
        (RehearsalSummary { leases_duplicate: 1, ..good.clone() }, false),
        (RehearsalSummary { log_lines_stored: 1, ..good.clone() }, false),
    ];
    for (summary, want) in table {
        assert_eq!(summary.is_good(), want, "{summary}");
        assert_eq!(summary.to_string().contains("all reached"), want, "{summary}");
    }
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<RehearsalSummary>(&json).unwrap(), good);
    insta::assert_snapshot!(good.to_string());
}

#[test]
fn missed_goals_are_named() {
    let mut input = full();
    let good = input.rehearsal.take().unwrap();
    input.rehearsal = Some(RehearsalSummary { complete: false, leases_failed: 3, log_lines_stored: 1, ..good });
    let markdown = render_markdown(&input, Language::English);
    assert!(markdown.contains("Goals missed: played to its end, a lease of its own for every client, every log line"));
    assert!(markdown.contains("| Leases failed / given twice | 0 / 0 | 3 / 0 |"), "{markdown}");
    assert!(render_markdown(&input, Language::Japanese).contains("未達の目標: 最後まで実施、"));
}

#[test]
fn many_incidents_are_told_together() {
    let mut input = full();
    let one = input.incidents[0].clone();
    let nth = |number: i64| Incident {
        opened: Timestamp::from_secs(DOORS + number * 600),
        closed: Some(Timestamp::from_secs(DOORS + number * 600 + 60)),
        place: if number % 2 == 0 { "ap-1" } else { "ap-2" }.to_owned(),
        ..one.clone()
    };
    input.incidents = (0..100).rev().map(nth).collect();
    let markdown = render_markdown(&input, Language::English);
    assert!(markdown.contains("| ap-1 | 50 | 16 Sep 09:00 | 17 Sep 01:21 | 50 min | warning |"), "{markdown}");
    input.incidents[99].closed = None;
    assert!(render_markdown(&input, Language::English).contains("| ap-1 | 50 | 16 Sep 09:00 | still open | 49 min |"));
    // Each in a place of its own: the table ends, and says so.
    input.incidents = (0..300).map(|number| Incident { place: format!("ap-{number}"), ..one.clone() }).collect();
    assert!(render_markdown(&input, Language::English).contains("100 more are not shown."));
}

#[test]
fn the_plan_is_understood() {
    let bytes = include_bytes!("../../../examples/meetup/event.toml").to_vec();
    let plan = plan::load(&[plan::SourceFile { name: "event.toml".to_owned(), bytes }], &[]).unwrap();
    let planned = Input::planned(&plan).planned;
    assert_eq!((planned.event.as_str(), planned.days.len(), planned.cables), ("Kamata meetup", 1, None));
    let [room] = planned.rooms.as_slice() else { panic!("{:?}", planned.rooms) };
    assert_eq!((room.name.as_str(), room.seats, room.standing), ("Kamata hall", 40, 10));
    let [access_point] = planned.access_points.as_slice() else { panic!("{:?}", planned.access_points) };
    assert_eq!((access_point.room.as_str(), access_point.clients_capacity), ("Kamata hall", room.clients_capacity));
    assert_eq!((planned.pools.len(), planned.pools[0].subnet.as_str()), (1, "10.10.0.0/23"));
    assert_eq!(planned.gear.iter().map(|gear| gear.count).sum::<u32>(), plan.devices.len() as u32);
    assert!(render(&Input::planned(&plan), Language::Japanese).contains("Kamata meetup"));
}

#[test]
fn languages_by_tag() {
    let table = [
        ("ja", Some(Language::Japanese)),
        ("en-GB", Some(Language::English)),
        (" JA_jp", Some(Language::Japanese)),
        ("fr", None),
        ("", None),
    ];
    for (tag, want) in table {
        assert_eq!(Language::from_tag(tag), want, "{tag}");
    }
}
