//! A made-up report, to look at while its style is worked on: `cargo run -p report --example report_demo -- DIR`.

use std::{env, error::Error, fs, path::PathBuf};

use model::{Finding, Incident, LogSeverity, Place, Sample, Severity, Timestamp};
use plan::{DayKind, Estimate};
use report::{
    Input, Language, Load, Planned, PlannedAccessPoint, PlannedCables, PlannedDay, PlannedGear, PlannedPool,
    PlannedRoom, RehearsalSummary,
};

/// 2019-09-14 09:00 in Tokyo.
const DOORS: i64 = 1_568_419_200;
const DAY: i64 = 86_400;
/// Name, people for its size, capacity.
const ROOMS: [(&str, &str, u32, u64); 8] = [
    ("ume", "コンベンションホール 梅 (UME)", 400, 240),
    ("uguisu", "コンベンションホール 鶯 (UGUISU)", 120, 120),
    ("room-ab", "Room A+B", 150, 120),
    ("room-c", "Room C", 80, 60),
    ("room-d", "Room D", 80, 60),
    ("room-e", "Room E", 60, 60),
    ("large-hall", "大展示ホール Large exhibition hall", 0, 300),
    ("small-hall", "小展示ホール", 0, 120),
];

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(env::args().nth(1).ok_or("which directory shall it go to?")?);
    fs::create_dir_all(&dir)?;
    let input = input();
    for language in Language::ALL {
        fs::write(dir.join(format!("report.{}.html", language.tag())), report::render(&input, language))?;
        fs::write(dir.join(format!("report.{}.md", language.tag())), report::render_markdown(&input, language))?;
    }
    Ok(())
}

fn estimate(likely: f64) -> Estimate {
    Estimate { low: (likely * 0.8).round(), likely, high: (likely * 1.3).round() }
}

fn access_points() -> Vec<PlannedAccessPoint> {
    let of_room = |(id, name, _, capacity): (&str, &str, u32, u64)| {
        let (id, name) = (id.to_owned(), name.to_owned());
        (1..=capacity / 60).map(move |number| PlannedAccessPoint {
            device: format!("ap-{id}-{number}").into(),
            room: name.clone(),
            clients_capacity: 60,
        })
    };
    ROOMS.into_iter().flat_map(of_room).collect()
}

fn planned() -> Planned {
    let day = |(number, kind, people)| PlannedDay {
        doors: Timestamp::from_secs(DOORS + number * DAY),
        close: Timestamp::from_secs(DOORS + number * DAY + 10 * 3_600),
        kind,
        people: estimate(people),
    };
    let room = |(id, name, seats, clients_capacity): (&str, &str, u32, u64)| PlannedRoom {
        room: id.into(),
        name: name.to_owned(),
        floor: "4F".to_owned(),
        seats,
        standing: seats / 10,
        clients_expected: estimate(f64::from(seats) * 1.7),
        clients_capacity,
    };
    let pool = |name: &str, subnet: &str, size| PlannedPool { name: name.to_owned(), subnet: subnet.to_owned(), size };
    Planned {
        event: "PyCon JP 2019".to_owned(),
        motto: "1000人乗っても大丈夫".to_owned(),
        time_zone: jiff::tz::TimeZone::get("Asia/Tokyo").unwrap_or(jiff::tz::TimeZone::UTC),
        people: estimate(1_000.0),
        devices_peak: estimate(1_100.0),
        dns_queries_per_minute: 5.0,
        log_lines_per_day: None,
        days: vec![
            day((0, DayKind::Tutorial, 200.0)),
            day((2, DayKind::Conference, 1_000.0)),
            day((3, DayKind::Conference, 1_000.0)),
        ],
        rooms: ROOMS.into_iter().map(room).collect(),
        access_points: access_points(),
        pools: vec![pool("attendee", "10.1.0.0/19", 8_000), pool("staff", "10.2.0.0/24", 240)],
        talks: 96,
        gear: vec![
            PlannedGear { model: "nec-ix2105".to_owned(), count: 10 },
            PlannedGear { model: "cisco-c3560cx-8pc".to_owned(), count: 8 },
            PlannedGear { model: "netgear-gs108e".to_owned(), count: 8 },
        ],
        cables: Some(PlannedCables { count: 58, length_m: 1_161.0 }),
        erase_on: Some("2019-10-17".to_owned()),
    }
}

fn input() -> Input {
    let planned = planned();
    let mut samples = Vec::new();
    let (mut acks, mut queries, mut lines) = (0.0, 0.0, 0.0);
    for (number, day) in planned.days.iter().enumerate() {
        for minute in (0..600_i32).step_by(4) {
            let at = day.doors + std::time::Duration::from_secs(60 * u64::from(minute.unsigned_abs()));
            let hour = f64::from(minute) / 60.0;
            let wave = (hour / 10.0 * std::f64::consts::PI).sin() * (1.0 + 0.15 * (hour * 7.0).sin());
            let here = wave * day.people.likely;
            acks += here * 0.06;
            queries += here * 20.0;
            lines += here * 0.3;
            let mut add = |metric: &str, subject: String, value: f64| {
                samples.push(Sample { at, metric: metric.to_owned(), subject, value: value.round() });
            };
            add("clients", String::new(), here * 0.8);
            add("dhcp_acks_total", String::new(), acks);
            add("dns_queries_total", String::new(), queries);
            add("dns_hits_total", String::new(), queries * 0.87);
            add("log_lines_total", String::new(), lines);
            add("pool_used", "attendee".to_owned(), here * 0.9 + 200.0 * number as f64);
            add("pool_used", "staff".to_owned(), 40.0);
            for (index, (id, _, _, capacity)) in ROOMS.into_iter().enumerate() {
                let share = here / 1_000.0 * capacity as f64 * (1.25 - 0.13 * index as f64);
                add("clients", format!("room:{id}"), share);
                let access_points = capacity / 60;
                for ap in 1..=access_points {
                    let skew = 1.3 - 0.2 * ap as f64;
                    add("clients", format!("ap:ap-{id}-{ap}"), share / access_points as f64 * skew);
                }
            }
        }
    }
    let finding = |severity, says: &str| Finding {
        code: "room-overloaded",
        severity,
        place: "room ume".to_owned(),
        at: Place { file: "venue.toml".into(), line: 31, column: 1 },
        says: says.to_owned(),
        remedy: "add an access point, or let fewer people stand".to_owned(),
    };
    let incident = Incident {
        opened: Timestamp::from_secs(DOORS + 2 * DAY + 7_000),
        closed: None,
        code: "access-point-over-capacity".to_owned(),
        severity: Severity::Warning,
        place: "access point ap-ume-1".to_owned(),
        says: "74 stations are associated, 60 are planned".to_owned(),
        remedy: "send people to other rooms, or add an access point".to_owned(),
    };
    Input {
        planned,
        samples,
        clients_unique: Some(1_712),
        clients_peak: None,
        logs_by_severity: vec![(LogSeverity::Warning, 120), (LogSeverity::Info, 71_388)],
        findings: vec![finding(
            Severity::Warning,
            "748 devices are expected when it is full, its access points carry 240",
        )],
        incidents: vec![incident],
        rehearsal: Some(rehearsal()),
    }
}

fn rehearsal() -> RehearsalSummary {
    RehearsalSummary {
        event: "PyCon JP 2019".to_owned(),
        seed: 2_019,
        speed: 1_270.0,
        wall_seconds: 85.0,
        complete: true,
        people: 1_240,
        people_turned_away: 310,
        streams_opened: 78,
        clients_unique: 1_712,
        clients_peak: 870,
        leases_granted: 1_712,
        dhcp_p50_ms: 0.61,
        dhcp_p99_ms: 8.4,
        dns_queries: 182_000,
        dns_hit_ratio: 0.87,
        dns_p50_ms: 0.09,
        dns_p99_ms: 2.1,
        log_lines_sent: 71_508,
        log_lines_stored: 71_508,
        access_point_most_loaded: Some(Load { name: "ap-ume-1".to_owned(), clients_peak: 74, clients_capacity: 60 }),
        room_most_loaded: Some(Load { name: "UME".to_owned(), clients_peak: 300, clients_capacity: 240 }),
        bottleneck: Some("ap-ume-1 carries 74 stations of 60 on 16 September at 14:00".to_owned()),
        notes: vec!["one DNS query in 4 was sent, so that 2,000 a second are not passed".to_owned()],
        ..RehearsalSummary::default()
    }
}
