//! A made-up event on the live page, to look at while its style is worked on:
//! `cargo run -p web --example page_demo`, then <http://127.0.0.1:8080/>.

use std::{error::Error, f64::consts::PI, sync::Arc, time::Duration};

use model::{
    AccessPointLoad, EventCard, HistoryPoint, KindTraffic, LeaseChange, LeaseNews, NetworkTraffic, PoolUse, PortRef,
    Rates, RoomLoad, Severity, Snapshot, SnapshotAlert, SnapshotTalk, Timestamp, Traffic, TrafficKind,
};
use tokio::{net::TcpListener, sync::watch, time};

/// 2019-09-16 09:00 in Tokyo.
const DOORS: Timestamp = Timestamp::from_secs(1_568_592_000);
const SPEED: f64 = 1_200.0;
const TICK: Duration = Duration::from_millis(250);
/// Ticks of a day of ten hours.
const DAY: u32 = 120;
/// Key, name, floor, capacity.
const ROOMS: [(&str, &str, &str, u32); 8] = [
    ("ume", "コンベンションホール 梅 (UME)", "4F", 240),
    ("uguisu", "コンベンションホール 鶯 (UGUISU)", "4F", 120),
    ("room-ab", "Room A+B", "6F", 120),
    ("room-c", "Room C", "6F", 60),
    ("room-d", "Room D", "6F", 60),
    ("room-e", "Room E", "6F", 60),
    ("large-hall", "大展示ホール", "1F", 300),
    ("small-hall", "小展示ホール", "2F", 120),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (sender, receiver) = watch::channel(Arc::new(snapshot(70)));
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    tokio::spawn(async move {
        let mut ticks = time::interval(TICK);
        for tick in 70_u32.. {
            ticks.tick().await;
            sender.send_replace(Arc::new(snapshot(tick)));
        }
    });
    axum::serve(listener, web::router(web::State::new(receiver))).await?;
    Ok(())
}

fn here(tick: u32) -> f64 {
    let day = f64::from(tick % DAY) / f64::from(DAY);
    (day * PI).sin() * (1.0 + 0.12 * (day * 60.0).sin())
}

fn at(tick: u32) -> Timestamp {
    DOORS + TICK.mul_f64(SPEED) * (tick % DAY)
}

fn snapshot(tick: u32) -> Snapshot {
    let share = here(tick);
    let of = |capacity: u32, load: f64| (f64::from(capacity) * share * load) as u64;
    let load = |index: usize| 1.2 - 0.12 * index as f64;
    let rooms = ROOMS.iter().enumerate().map(|(index, &(id, name, floor, capacity))| RoomLoad {
        room: id.into(),
        name: name.to_owned(),
        floor: floor.into(),
        clients: of(capacity, load(index)),
        clients_capacity: capacity.into(),
        clients_peak: of(capacity, load(index)),
        seats: capacity.into(),
    });
    let access_points = ROOMS.iter().enumerate().flat_map(|(index, &(id, _, _, capacity))| {
        (1..=capacity / 60).map(move |number| AccessPointLoad {
            device: format!("ap-{id}-{number}").into(),
            room: id.into(),
            clients: of(60, load(index) * (1.15 - 0.1 * f64::from(number))),
            clients_capacity: 60,
            clients_peak: 60,
        })
    });
    let clients = of(1_080, 0.8);
    let point = |tick: u32| HistoryPoint {
        at: at(tick),
        clients: (here(tick) * 864.0) as u64,
        dhcp_acks: here(tick) * 3.0,
        dns_queries: here(tick) * 110.0,
        log_lines: here(tick) * 8.0,
    };
    Snapshot {
        event: EventCard {
            name: "PyCon JP 2019".to_owned(),
            motto: "1000人乗っても大丈夫".to_owned(),
            time_zone: "Asia/Tokyo".to_owned(),
            network_names: vec!["PyConJP_2019".to_owned()],
        },
        at: at(tick),
        speed: SPEED,
        clients,
        clients_peak: clients.max(870),
        clients_unique: 1_712,
        rooms: rooms.collect(),
        access_points: access_points.collect(),
        pools: vec![
            PoolUse { name: "attendee".to_owned(), used: clients * 2, used_peak: 1_740, size: 8_000 },
            PoolUse { name: "staff".to_owned(), used: 40, used_peak: 40, size: 240 },
        ],
        rates: Rates {
            dhcp_acks: share * 3.0,
            dns_queries: share * 110.0,
            dns_hit_ratio: 0.87,
            dns_upstreams: 3,
            dns_upstreams_answering: 2,
            dns_wait_p99_ms: Some(20),
            dns_failed_ratio: 0.001,
            log_lines: share * 8.0,
            dhcp_acks_total: 12_603,
            dns_queries_total: 4_201_036,
            log_lines_total: 63_016,
            ..Rates::default()
        },
        talks_now: talks(tick, 0),
        talks_next: talks(tick, 45),
        history: (0..=tick % DAY).map(point).collect(),
        incidents_open: vec!["74 stations are associated with ap-ume-1, 60 are planned".to_owned()],
        alerts: alerts(tick),
        alerts_open: 3,
        lease_news: vec![
            LeaseNews {
                at: at(tick),
                pool: "attendee".to_owned(),
                change: LeaseChange::Granted,
                count: clients / 9 + 1,
            },
            LeaseNews { at: at(tick), pool: "staff".to_owned(), change: LeaseChange::Expired, count: 2 },
        ],
        traffic: Some(traffic(share)),
        metrics: Vec::new(),
    }
}

/// Bytes per second of a hall of people.
fn traffic(share: f64) -> Traffic {
    let kind = |kind, down: f64, up: f64| KindTraffic { kind, up: up * share, down: down * share, rest: 0.0 };
    let talker = |network: &str, kind, down: f64| NetworkTraffic {
        network: network.to_owned(),
        kind,
        up: down * share / 10.0,
        down: down * share,
        within: 0.0,
    };
    Traffic {
        exporters_heard: 1,
        span_seconds: 300,
        kinds: vec![
            kind(TrafficKind::Web, 21e6, 1.8e6),
            kind(TrafficKind::Quic, 14e6, 0.9e6),
            kind(TrafficKind::Stream, 0.0, 0.9e6),
            kind(TrafficKind::Call, 0.4e6, 0.4e6),
            kind(TrafficKind::Dns, 0.02e6, 0.01e6),
        ],
        talkers: vec![talker("attendee", TrafficKind::Web, 20e6), talker("attendee", TrafficKind::Quic, 14e6)],
    }
}

fn alerts(tick: u32) -> Vec<SnapshotAlert> {
    let down = SnapshotAlert {
        id: 12,
        rule: "device-down".to_owned(),
        severity: Severity::Error,
        since: at(tick),
        says: "sw-4f-1 (192.0.2.21) in room ume does not answer".to_owned(),
        device: Some("sw-4f-1".into()),
        room: Some("ume".into()),
        port: Some(PortRef { device: "sw-core".into(), port: "7".to_owned() }),
        cause: "its power or its uplink; 3 devices behind it do not answer either".to_owned(),
        remedy: "look at the lamp of sw-core:7, then at the power of sw-4f-1; then swap the cable".to_owned(),
        taken_by: None,
        silenced_until: None,
        is_flapping: false,
    };
    let over = SnapshotAlert {
        id: 9,
        rule: "access-point-over-capacity".to_owned(),
        severity: Severity::Warning,
        says: "access point ap-ume-1 in room ume carries 74 stations, planned for 60".to_owned(),
        device: Some("ap-ume-1".into()),
        port: None,
        cause: String::new(),
        remedy: "add an access point to the room or steer people to another room".to_owned(),
        taken_by: Some("Aki".to_owned()),
        ..down.clone()
    };
    vec![down, over]
}

fn talks(tick: u32, minutes: u64) -> Vec<SnapshotTalk> {
    let starts = at(tick / 9 * 9) + Duration::from_secs(60 * minutes);
    let titles = [
        "Pythonで始める型ヒント: 実務での導入と落とし穴",
        "Building event networks that hold a thousand people",
        "機械学習の本番運用",
        "Async all the way down",
        "Lightning talks",
        "はじめてのWebアプリケーション開発ハンズオン",
    ];
    let talk = |(title, room): (&str, &(&str, &str, &str, u32))| SnapshotTalk {
        title: title.to_owned(),
        room: room.1.to_owned(),
        starts,
        ends: starts + Duration::from_secs(30 * 60),
    };
    titles.into_iter().zip(&ROOMS).map(talk).collect()
}
