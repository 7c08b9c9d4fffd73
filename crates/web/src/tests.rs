use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode, header},
};
use model::{
    AccessPointLoad, EventCard, HistoryPoint, KindTraffic, LeaseChange, LeaseNews, Metric, MetricKind, NetworkTraffic,
    PoolUse, PortRef, Rates, RoomLoad, Severity, Snapshot, SnapshotAlert, SnapshotTalk, Timestamp, Traffic,
    TrafficKind,
};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::{State, router};

/// 2019-09-16 11:30 in Tokyo.
const AT: Timestamp = Timestamp::from_secs(1_568_601_000);

fn snapshot() -> Snapshot {
    let metric = |name: &str, kind, labels: &[(&str, &str)], value| Metric {
        name: name.to_owned(),
        help: "What it\ncounts".to_owned(),
        kind,
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        value,
    };
    Snapshot {
        event: EventCard {
            name: "Event <script>alert(1)</script>".to_owned(),
            motto: "1000人乗っても大丈夫".to_owned(),
            time_zone: "Asia/Tokyo".to_owned(),
            network_names: vec!["PyConJP_2019".to_owned()],
        },
        at: AT,
        speed: 1_200.0,
        clients: 812,
        clients_peak: 900,
        clients_unique: 1_712,
        rooms: vec![RoomLoad {
            room: "hall".into(),
            name: "Hall & <b>".to_owned(),
            floor: "1F".into(),
            clients: 130,
            clients_capacity: 120,
            clients_peak: 140,
            seats: 100,
        }],
        access_points: vec![
            AccessPointLoad {
                device: "ap-1".into(),
                room: "hall".into(),
                clients: 10,
                clients_capacity: 60,
                clients_peak: 20,
            },
            AccessPointLoad {
                device: "ap-2".into(),
                room: "hall".into(),
                clients: 50,
                clients_capacity: 60,
                clients_peak: 60,
            },
        ],
        pools: vec![PoolUse { name: "attendee".to_owned(), used: 900, used_peak: 950, size: 4_000 }],
        rates: Rates {
            dhcp_acks: 3.21,
            dns_queries: 123.4,
            dns_hit_ratio: 0.874,
            dns_failed_ratio: 0.012,
            dns_upstreams: 3,
            dns_upstreams_answering: 2,
            dns_wait_p99_ms: Some(20),
            ..Rates::default()
        },
        talks_now: vec![SnapshotTalk {
            title: "型 \"hints\" <i>".to_owned(),
            room: "Hall".to_owned(),
            starts: AT,
            ends: AT + std::time::Duration::from_secs(1_800),
        }],
        history: vec![
            HistoryPoint { at: AT, clients: 0, dhcp_acks: 0.0, dns_queries: 0.0, log_lines: 0.0 },
            HistoryPoint { at: AT, clients: 812, dhcp_acks: 0.0, dns_queries: 0.0, log_lines: 0.0 },
        ],
        lease_news: vec![
            LeaseNews { at: AT, pool: "guest <u>".to_owned(), change: LeaseChange::Granted, count: 1_234 },
            LeaseNews { at: AT, pool: "staff".to_owned(), change: LeaseChange::Declined, count: 1 },
        ],
        alerts: vec![
            alert(7, Severity::Error),
            SnapshotAlert { taken_by: Some("Aki <a>".to_owned()), ..alert(8, Severity::Warning) },
        ],
        alerts_open: 5,
        traffic: Some(Traffic {
            exporters_heard: 1,
            span_seconds: 300,
            kinds: vec![
                KindTraffic { kind: TrafficKind::Web, up: 250_000.0, down: 2_000_000.0, rest: 0.0 },
                KindTraffic { kind: TrafficKind::Call, up: 0.0, down: 0.0, rest: 750_000.0 },
            ],
            talkers: vec![NetworkTraffic {
                network: "guest <w>".to_owned(),
                kind: TrafficKind::Web,
                up: 250_000.0,
                down: 2_000_000.0,
                within: 0.0,
            }],
        }),
        metrics: vec![
            metric("hotstage_clients", MetricKind::Gauge, &[], 812.0),
            metric("hotstage_dhcp_messages_total", MetricKind::Counter, &[("type", "a\"b\\c\nd")], 5.0),
            metric("hotstage_dhcp_messages_total", MetricKind::Counter, &[("type", "ack")], 7.0),
        ],
        ..Snapshot::default()
    }
}

fn alert(id: u32, severity: Severity) -> SnapshotAlert {
    SnapshotAlert {
        id,
        rule: "device-down".to_owned(),
        severity,
        since: AT,
        says: "sw-1 <b> does not answer".to_owned(),
        device: Some("sw-1".into()),
        room: Some("hall".into()),
        port: Some(PortRef { device: "core".into(), port: "3".to_owned() }),
        cause: "no power".to_owned(),
        remedy: "look at its port".to_owned(),
        taken_by: None,
        silenced_until: None,
        is_flapping: false,
    }
}

fn get(path: &str, headers: &[(header::HeaderName, &str)]) -> (Response<Body>, watch::Sender<Arc<Snapshot>>) {
    let (sender, receiver) = watch::channel(Arc::new(snapshot()));
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    (runtime.block_on(router(State::new(receiver)).oneshot(request)).unwrap(), sender)
}

fn text(path: &str, headers: &[(header::HeaderName, &str)]) -> (StatusCode, String) {
    let (response, _sender) = get(path, headers);
    let status = response.status();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(to_bytes(response.into_body(), 1 << 20)).unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn an_alert_says_what_where_since_why_what_to_do_and_who_has_it() {
    let (_, html) = text("/?lang=en", &[]);
    for part in [
        "sw-1 &#60;b&#62; does not answer",
        "since 11:30:00</span> · Hall &#38; &#60;b&#62; · sw-1 · core:3",
        "Likely: no power",
        "Do: look at its port",
        "nobody has it",
        "taken by Aki &#60;a&#62;",
        "3 more; `hotstage alerts`",
        "<li class=\"error\" data-alert=\"7\" data-loud>",
        "<li class=\"warning\" data-alert=\"8\">",
        "aria-pressed=\"false\"",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let (_, html) = text("/?lang=ja", &[]);
    for part in ["機器が応答しません", "発生 11:30:00", "対処: look at its port", "未対応", "対応中: Aki"]
    {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[test]
fn traffic_is_told_by_kind_and_network() {
    let (_, html) = text("/?lang=en", &[]);
    for part in [
        "Traffic by kind <small>5 min mean</small>",
        "<span class=\"name\">Web</span><span class=\"value\">18.0 Mb/s</span><progress max=\"100\" value=\"75\"",
        "down 16.0 Mb/s · up 2.0 Mb/s",
        "<span class=\"name\">Calls</span>",
        "<span class=\"hours\">18.0 Mb/s</span> guest &#60;w&#62; · Web",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let (_, html) = text("/?lang=ja", &[]);
    for part in ["種類別の通信量 <small>5 分間の平均", "通話・会議", "下り 16.0 Mb/s · 上り 2.0 Mb/s"]
    {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[test]
fn what_the_plan_says_is_escaped() {
    let (status, html) = text("/", &[]);
    assert_eq!(status, StatusCode::OK);
    for raw in ["<script>alert", "<b>", "<i>", "<u>"] {
        assert!(!html.contains(raw), "{raw} in {html}");
    }
    assert!(html.contains("Event &#60;script&#62;"), "{html}");
}

#[test]
fn both_languages_are_whole() {
    let (_, english) = text("/?lang=en", &[]);
    let (_, japanese) = text("/", &[(header::ACCEPT_LANGUAGE, "ja,en;q=0.5")]);
    assert!(english.contains("<html lang=\"en\">") && japanese.contains("<html lang=\"ja\">"));
    assert!(english.contains("devices online") && !english.contains("接続中"));
    assert!(japanese.contains("台が接続中") && !japanese.contains("devices online"));
    assert!(english.contains("16 September") && japanese.contains("9月16日") && english.contains("11:30"));
    assert!(english.contains("11:30–12:00"));
    assert!(english.contains("rehearsal ×1200") && japanese.contains("リハーサル ×1200"));
}

#[test]
fn what_happened_to_leases_is_counted_and_nobody_named() {
    let (_, html) = text("/?lang=en", &[]);
    assert!(html.contains("11:30:00</span> guest &#60;u&#62;: <strong>1,234</strong> new"), "{html}");
    assert!(html.contains("staff: <strong>1</strong> address in use by another"), "{html}");
    let (_, html) = text("/?lang=ja", &[]);
    assert!(html.contains("<strong>1</strong> 重複のため隔離"), "{html}");
}

#[test]
fn loads_are_told_by_number_and_word() {
    let (_, html) = text("/?lang=en", &[]);
    assert!(html.contains("108 % over capacity"), "{html}");
    let (first, second) = (html.find("ap-2").unwrap(), html.find("ap-1").unwrap());
    assert!(first < second, "the most loaded access point comes first");
    assert!(html.contains("83 % busy") && html.contains("16 % has room"));
}

#[test]
fn people_read_names_and_grouped_numbers() {
    let (_, html) = text("/?lang=en", &[]);
    assert!(html.contains("ap-1 <small>Hall &#38; &#60;b&#62;</small>"), "{html}");
    assert!(html.contains("<strong id=\"unique\">1,712</strong>"));
    // One quiet sentence for screen readers, outside of what is replaced several times a second.
    assert!(html.contains("<p id=\"spoken\" aria-live=\"polite\"></p>\n<div id=\"figures\">"));
}

#[test]
fn metrics_in_the_text_format() {
    let (_, text_) = text("/metrics", &[]);
    let want = "# HELP hotstage_clients What it\\ncounts\n# TYPE hotstage_clients gauge\nhotstage_clients 812\n\
                # HELP hotstage_dhcp_messages_total What it\\ncounts\n# TYPE hotstage_dhcp_messages_total counter\n\
                hotstage_dhcp_messages_total{type=\"a\\\"b\\\\c\\nd\"} 5\nhotstage_dhcp_messages_total{type=\"ack\"} 7\n";
    assert_eq!(text_, want);
    let (_, open) = text("/metrics", &[(header::ACCEPT, "application/openmetrics-text; version=1.0.0")]);
    assert!(open.contains("# TYPE hotstage_dhcp_messages counter") && open.ends_with("# EOF\n"), "{open}");
}

#[test]
fn health_follows_the_services() {
    let (sender, receiver) = watch::channel(Arc::new(snapshot()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ask = || {
        let request = Request::builder().uri("/healthz").body(Body::empty()).unwrap();
        runtime.block_on(router(State::new(receiver.clone())).oneshot(request)).unwrap().status()
    };
    assert_eq!(ask(), StatusCode::OK);
    drop(sender);
    assert_eq!(ask(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn other_paths_and_headers() {
    assert_eq!(text("/nothing", &[]).0, StatusCode::NOT_FOUND);
    let (response, _) = get("/", &[]);
    let policy = response.headers().get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
    assert!(policy.contains("default-src 'self'"));
    for path in ["/assets/page.css", "/assets/page.js", "/favicon.ico", "/api/snapshot", "/events"] {
        assert_eq!(get(path, &[]).0.status(), StatusCode::OK, "{path}");
    }
    let (_, json) = text("/api/snapshot", &[]);
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), snapshot());
}
