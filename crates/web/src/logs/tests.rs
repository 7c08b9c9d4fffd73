use std::{net::SocketAddr, path::Path};

use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use model::{EventCard, Facility, LogRecord, LogSeverity, Snapshot, Timestamp, Transport};
use store::{Limits, Mode, StateDir, Telemetry};
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::*;
use crate::router;

const KEY: &str = "0123456789abcdef0123456789abcdef";
/// 2019-09-16 11:30 in Tokyo.
const AT: Timestamp = Timestamp::from_secs(1_568_601_000);

fn kind(app: &str, _: &str) -> Option<&'static str> {
    (app == "%LINK-3-UPDOWN").then_some("link")
}

fn log(ago: u64, host: &str, app: &str, message: &str) -> LogRecord {
    LogRecord {
        received: AT - Duration::from_secs(ago),
        source: SocketAddr::from(([192, 0, 2, 9], 514)),
        transport: Transport::Udp,
        facility: Some(Facility(23)),
        severity: Some(LogSeverity::Error),
        host: host.to_owned(),
        app: app.to_owned(),
        device_time: None,
        message: message.to_owned(),
        raw: format!("<187>raw {message}").into_bytes(),
    }
}

fn routes(path: &Path, logs: &[LogRecord]) -> Router {
    let state = StateDir::open(path, "e", Mode::Serve).unwrap();
    let limits = Limits { segment_bytes: 1 << 20, reserve_bytes: 0, reserve_files: 0, ..Limits::default() };
    let (mut telemetry, _) = Telemetry::open(&state, limits).unwrap();
    logs.iter().for_each(|log| assert!(telemetry.append_log(log)));
    telemetry.sync(AT).unwrap();
    let snapshot = Snapshot {
        event: EventCard { time_zone: "Asia/Tokyo".to_owned(), ..EventCard::default() },
        at: AT,
        ..Snapshot::default()
    };
    let room = LogRoom { id: "hall".to_owned(), name: "Hall <b>".to_owned(), devices: vec!["sw-1".to_owned()] };
    let desk = LogDesk::new(path.to_owned(), KEY.to_owned(), vec![room], kind).unwrap();
    let (_, receiver) = watch::channel(Arc::new(snapshot));
    router(State::new(receiver).with_logs(desk))
}

async fn ask(routes: &Router, uri: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 64 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn seen(routes: &Router, uri: &str) -> String {
    let cookie = format!("other=1; {COOKIE}={KEY}");
    let (status, headers, text) = ask(routes, uri, &[("cookie", &cookie)]).await;
    assert_eq!(status, StatusCode::OK, "{uri}: {text}");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    text
}

#[tokio::test]
async fn nothing_is_shown_without_the_key() {
    let temp = tempfile::tempdir().unwrap();
    let routes = routes(temp.path(), &[log(1, "sw-1", "x", "a secret line")]);
    let near = format!("{COOKIE}={}", KEY.replace('f', "e"));
    for uri in ["/logs", "/logs/rows", "/logs/around?at=1.1.0", "/logs/lines.csv", "/logs/lines.json"] {
        for headers in [&[][..], &[("cookie", near.as_str())], &[("authorization", "Bearer ")], &[("cookie", COOKIE)]] {
            let (status, _, text) = ask(&routes, uri, headers).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{uri} {headers:?}");
            assert!(!text.contains("secret") && !text.contains(KEY), "{text}");
        }
    }
    let (status, headers, _) = ask(&routes, "/logs?key=wrong", &[]).await;
    assert_eq!((status, headers.get(header::SET_COOKIE)), (StatusCode::UNAUTHORIZED, None));
    let (status, headers, _) = ask(&routes, &format!("/logs?key={KEY}"), &[]).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/logs"));
    let cookie = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite") && cookie.contains("Path=/;"), "{cookie}");
    let (status, _, text) = ask(&routes, "/logs/rows", &[("authorization", &format!("Bearer {KEY}"))]).await;
    assert!(status == StatusCode::OK && text.contains("a secret line"), "{text}");
    let (_, _, public) = ask(&routes, "/", &[]).await;
    assert!(public.contains("/logs?lang=en") && !public.contains("secret"));
}

#[test]
fn a_key_that_can_be_guessed_is_none() {
    for (key, is_one) in [("", false), ("short", false), (KEY, true), (&KEY.replace('0', ";"), false)] {
        assert_eq!(LogDesk::new("x".into(), key.to_owned(), Vec::new(), kind).is_some(), is_one, "{key}");
    }
}

#[tokio::test]
async fn what_devices_say_is_escaped_everywhere() {
    let temp = tempfile::tempdir().unwrap();
    let evil = "<script>alert(1)</script>\"'\u{1b}[2J\0\u{202e}&amp;";
    let routes = routes(temp.path(), &[log(5, evil, evil, evil)]);
    let rows = seen(&routes, "/logs/rows").await;
    let position = rows.split("around?at=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    for uri in
        ["/logs?text=%22%3E%3Cb%3E&period=all".to_owned(), "/logs".to_owned(), format!("/logs/around?at={position}")]
    {
        let page = seen(&routes, &uri).await;
        assert!(!page.contains("<script>alert") && !page.contains("\"><b>") && !page.contains("Hall <b>"), "{page}");
        assert!(!page.contains(['\u{1b}', '\0', '\u{202e}']), "{uri}");
    }
    let around = seen(&routes, &format!("/logs/around?at={position}")).await;
    assert!(around.contains("187&#62;raw") && around.contains("\\u{1b}[2J"), "{around}");
}

#[tokio::test]
async fn filters_narrow_and_pages_follow() {
    let temp = tempfile::tempdir().unwrap();
    let mut logs: Vec<_> = (0..450).rev().map(|ago| log(ago, "ap-1", "hostapd", &format!("line {ago}."))).collect();
    logs.push(log(0, "sw-1", "%LINK-3-UPDOWN", "Gi1/0/1 down"));
    logs.insert(0, log(100_000, "sw-1", "old", "the day before"));
    let routes = routes(temp.path(), &logs);
    for (query, holds, lacks) in [
        ("device=SW-*", "Gi1/0/1 down", "line 1."),
        ("room=hall", "Gi1/0/1 down", "line 1."),
        ("kind=link", "Gi1/0/1 down", "line 1."),
        ("text=LINE+7.", "line 7.", "line 17."),
        ("regex=%5Eline+%5B78%5D%5C.%24", "line 8.", "line 9."),
        ("severity=error", "line 1.", "no such"),
        ("severity=critical", "No line", "line 1."),
        ("facility=23&program=host*", "line 1.", "Gi1"),
        ("device=sw-1", "Gi1", "the day before"),
        ("device=sw-1&period=all", "the day before", "line 1."),
        ("from=2019-09-16T11:29:58&to=2019-09-16T11:29:59", "line 2.", "line 1."),
    ] {
        let rows = seen(&routes, &format!("/logs/rows?{query}")).await;
        assert!(rows.contains(holds) && !rows.contains(lacks), "{query}: {rows}");
    }
    let mut uri = "/logs/rows?text=line".to_owned();
    let mut found = Vec::new();
    loop {
        let rows = seen(&routes, &uri).await;
        found.extend((0..450).rev().filter(|ago| rows.contains(&format!("line {ago}."))));
        let Some((_, older)) = rows.split_once("href=\"/logs?text=line&#38;beyond=") else { break };
        uri = format!("/logs/rows?text=line&beyond={}", older.split('"').next().unwrap());
    }
    found.sort_unstable();
    assert_eq!(found, (0..450).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn wrong_questions_are_said_in_the_readers_language() {
    let temp = tempfile::tempdir().unwrap();
    let routes = routes(temp.path(), &[log(1, "sw-1", "x", "y")]);
    let cookie = format!("{COOKIE}={KEY}");
    for (query, says) in [
        ("regex=%28", "The pattern cannot be used"),
        ("regex=%28&lang=ja", "この条件は使えません"),
        ("from=yesterday", "This is not a time: yesterday"),
    ] {
        let (status, _, text) = ask(&routes, &format!("/logs?{query}"), &[("cookie", &cookie)]).await;
        assert!(status == StatusCode::BAD_REQUEST && text.contains(says), "{text}");
        let (status, ..) = ask(&routes, &format!("/logs/lines.csv?{query}"), &[("cookie", &cookie)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    let page = seen(&routes, "/logs?lang=ja").await;
    assert!(page.contains("lang=\"ja\"") && page.contains("検索") && page.contains("エラー"));
}

#[tokio::test]
async fn files_hold_all_lines() {
    let temp = tempfile::tempdir().unwrap();
    let logs: Vec<_> = (0..3_000).map(|ago| log(3_000 - ago, "ap-1", "hostapd", &format!("=line {ago}"))).collect();
    let routes = routes(temp.path(), &logs);
    let csv = seen(&routes, "/logs/lines.csv?device=ap-1").await;
    assert_eq!(csv.lines().count(), 3_001);
    assert!(csv.lines().nth(1).unwrap().ends_with(",'=line 2999"), "newest first, no formula");
    let json: Vec<serde_json::Value> = serde_json::from_str(&seen(&routes, "/logs/lines.json").await).unwrap();
    assert_eq!(json.len(), 3_000);
    assert_eq!(json[0]["message"], "=line 2999");
}

#[tokio::test]
async fn alerts_are_taken_by_who_has_the_key_and_asks_from_our_own_page() {
    let temp = tempfile::tempdir().unwrap();
    let state = StateDir::open(temp.path(), "e", Mode::Serve).unwrap();
    let desk = LogDesk::new(state.path().to_owned(), KEY.to_owned(), Vec::new(), kind).unwrap();
    let (_, receiver) = watch::channel(Arc::new(Snapshot::default()));
    let taken = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&taken);
    let handle = move |action| match action {
        model::AlertAction::Take { id: 7, by } => {
            seen.lock().unwrap().push(by);
            Ok(())
        }
        other => Err(format!("{other:?}")),
    };
    let routes = router(State::new(receiver).with_logs(desk).with_alerts(Arc::new(handle)));
    let (cookie, bearer) = (format!("{COOKIE}={KEY}"), format!("Bearer {KEY}"));
    let json = ("content-type", "application/json");
    let ours = [("host", "noc:8080"), ("origin", "http://noc:8080")];
    let (cookie, bearer) = (("cookie", cookie.as_str()), ("authorization", bearer.as_str()));
    let take = r#"{"take":{"id":7,"by":"Aki"}}"#;
    for (headers, body, expected) in [
        (vec![json], take, 401),
        (vec![json, cookie], take, 403),
        (vec![json, cookie, ("host", "noc:8080"), ("origin", "http://noc:8081")], take, 403),
        (vec![json, cookie, ("host", "noc:8080"), ("origin", "null")], take, 403),
        (vec![cookie, ours[0], ours[1]], take, 403),
        (vec![json, cookie, ours[0], ours[1]], take, 204),
        (vec![json, bearer], take, 204),
        (vec![json, bearer], r#"{"take":{"id":8,"by":"Aki"}}"#, 409),
        (vec![json, bearer], r#"{"drop":{}}"#, 400),
    ] {
        let mut request = Request::post("/alerts/handle");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let response = routes.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{headers:?} {body}");
    }
    assert_eq!(*taken.lock().unwrap(), ["Aki", "Aki"]);
}

/// Whoever closes a download or does not read it gives its place back; one that ended early does not look whole.
#[tokio::test]
async fn downloads_that_nobody_reads_hold_no_place() {
    let dir = tempfile::tempdir().unwrap();
    let logs: Vec<LogRecord> = (0..4_000).map(|number| log(number % 600, "sw-1", "test", &"x".repeat(300))).collect();
    let routes = routes(dir.path(), &logs);
    let begin = || async {
        let request = Request::get("/logs/lines.csv").header("authorization", format!("Bearer {KEY}"));
        routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let is_free = |limit: Duration| async move {
        let begun = tokio::time::Instant::now();
        loop {
            let status = begin().await.status();
            if status == StatusCode::OK {
                return true;
            }
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            if begun.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut held = Vec::new();
    while held.len() < SEARCHES_MAX {
        let response = begin().await;
        if response.status() == StatusCode::OK {
            held.push(response);
        }
    }
    assert_eq!(begin().await.status(), StatusCode::SERVICE_UNAVAILABLE, "all places are taken");
    // They are there and read nothing.
    assert!(is_free(Duration::from_secs(20)).await, "whoever does not read loses the place");
    tokio::time::sleep(Duration::from_secs(2)).await;
    for response in held {
        assert!(to_bytes(response.into_body(), 64 << 20).await.is_err(), "it ended early and says so");
    }
}

#[tokio::test]
async fn a_search_ends_with_its_reader() {
    let dir = tempfile::tempdir().unwrap();
    let logs: Vec<LogRecord> = (0..4_000).map(|number| log(number % 600, "sw-1", "test", &"x".repeat(300))).collect();
    let routes = routes(dir.path(), &logs);
    for _ in 0..20 {
        // Refused at times until the thread before has noticed; never for as long as a reader may take.
        let begun = tokio::time::Instant::now();
        loop {
            let request = Request::get("/logs/lines.json").header("authorization", format!("Bearer {KEY}"));
            let response = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            if response.status() == StatusCode::OK {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert!(seen(&routes, "/logs/lines.csv").await.lines().count() > 4_000, "a file that is read is whole");
}
