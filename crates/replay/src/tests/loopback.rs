//! A small crowd played on loopback against the real DHCP engine, the made-up internet and a collector that counts.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use dhcp::{Destination, Effect, Engine, Origin, SubnetSettings};
use jiff::tz::TimeZone;
use model::{Mac, SubnetId, TimeLine, Timestamp};
use rehearse::course::{Act, Action, Course, CourseAccessPoint, CourseDevice, CourseDeviceKind};
use syslog::Framer;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, UdpSocket},
    sync::watch,
};

use crate::{Endpoints, LedgerEntry, Progress, Settings, Summary, internet, play};

const EVENT: Duration = Duration::from_secs(3_600);
const DEVICES: u32 = 60;
const ACCESS_POINTS: u32 = 8;

/// How a play is disturbed.
#[derive(Clone, Copy, Default)]
struct Disturbance {
    /// The DHCP server is deaf in this part of the event.
    deaf: Option<(Timestamp, Timestamp)>,
    /// Every DNS answer over UDP is truncated.
    truncates: bool,
    /// Stop before the first action.
    stop: bool,
}

/// What came of a play on both sides.
struct Outcome {
    summary: Summary,
    progress: Progress,
    ledger: Vec<LedgerEntry>,
    lines_received: u64,
    leases: Vec<model::Lease>,
    ended: Timestamp,
}

#[test]
fn a_crowd_is_served_and_counted_right() {
    let outcome = run(Disturbance::default());
    let summary = &outcome.summary;
    assert!(summary.complete);
    assert_eq!(summary.clients_unique, u64::from(DEVICES));
    assert_eq!((summary.leases_failed, summary.leases_duplicate), (0, 0), "{summary:?}");
    assert!(summary.renewals > 0 && summary.releases > 0 && summary.exchanges > summary.clients_unique, "{summary:?}");
    assert!(summary.clients_peak >= u64::from(DEVICES) / 2);
    assert!(summary.dns_queries > 50 && summary.dns_failed == 0, "{summary:?}");
    assert!(summary.log_lines_sent_udp > 100 && summary.log_lines_sent_tcp > 20, "{summary:?}");
    assert_eq!(summary.log_lines_dropped, 0);
    assert_eq!(outcome.lines_received, summary.log_lines_sent_udp + summary.log_lines_sent_tcp);
    assert_eq!(outcome.progress.exchanges, summary.exchanges);
    assert_eq!(summary.access_points.len(), ACCESS_POINTS as usize);
    check_ledger(&outcome);
}

#[test]
fn a_server_that_vanishes_for_a_while_is_asked_again() {
    let (from, to) = (Timestamp::from_secs(900), Timestamp::from_secs(2_400));
    let outcome = run(Disturbance { deaf: Some((from, to)), ..Disturbance::default() });
    let summary = &outcome.summary;
    assert!(summary.complete && summary.dhcp_retransmissions > 0, "{summary:?}");
    assert_eq!((summary.leases_failed, summary.leases_duplicate), (0, 0), "{summary:?}");
    check_ledger(&outcome);
}

#[test]
fn truncated_answers_are_asked_for_over_tcp() {
    let summary = run(Disturbance { truncates: true, ..Disturbance::default() }).summary;
    assert!(summary.dns_over_tcp > 50 && summary.dns_failed == 0, "{summary:?}");
    assert_eq!(summary.dns_over_tcp, summary.dns_queries);
}

#[test]
fn a_play_that_is_stopped_says_so() {
    let outcome = run(Disturbance { stop: true, ..Disturbance::default() });
    assert!(!outcome.summary.complete);
    assert_eq!((outcome.summary.exchanges, outcome.summary.dns_queries), (0, 0));
}

#[test]
fn a_course_that_does_not_fit_itself_is_refused() {
    let mut course = course();
    course.actions.push(Action { at: Timestamp::from_secs(1), device: DEVICES, act: Act::Leave });
    let error = runtime().block_on(async {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let dhcp = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9);
        let endpoints = Endpoints { dhcp, dns: nowhere, syslog_udp: nowhere, syslog_tcp: nowhere };
        let (progress, _) = watch::channel(Progress::default());
        let (_stop, stopped) = watch::channel(false);
        play(&course, settings(endpoints, started(), None), progress, stopped).await.unwrap_err()
    });
    assert!(error.to_string().contains("device"), "{error}");
}

/// What the clients were told last is what the server knows.
fn check_ledger(outcome: &Outcome) {
    let mut last = std::collections::BTreeMap::new();
    for entry in &outcome.ledger {
        last.insert(entry.address, *entry);
    }
    assert_eq!(outcome.summary.ledger_entries_lost, 0);
    assert!(last.values().any(|entry| entry.expires > outcome.ended), "nothing to compare");
    for entry in last.values().filter(|entry| entry.expires > outcome.ended) {
        let lease =
            outcome.leases.iter().find(|lease| lease.address == entry.address).expect("the server forgot a lease");
        assert_eq!(lease.mac, Some(entry.mac));
        assert!(lease.expires >= entry.expires, "{lease:?} {entry:?}");
    }
}

/// Everybody comes in the first half hour, roams once, goes out in between, and half of them are gone before the end.
fn course() -> Course {
    let device = |index: u32| CourseDevice {
        mac: Mac([2, 0, 0x5e, 0x10, 0, u8::try_from(index).unwrap()]),
        kind: CourseDeviceKind::Phone,
        host_name: model::HostName::sanitise(format!("phone-{index}").as_bytes()),
        dns_queries_per_minute: 2.0,
        releases: index % 4 == 1,
    };
    let access_point = |index: u32| CourseAccessPoint {
        device: format!("ap-{index}").into(),
        room: if index < 5 { "hall" } else { "lounge" }.into(),
        clients_max: 40,
    };
    let mut actions = Vec::new();
    for device in 0..DEVICES {
        let first = i64::from(device) * 25;
        let mut add = |second, act| actions.push(Action { at: Timestamp::from_secs(first + second), device, act });
        add(0, Act::Associate(device % ACCESS_POINTS));
        add(600, Act::Roam((device + 1) % ACCESS_POINTS));
        add(1_500, Act::Leave);
        add(1_700, Act::Associate((device + 2) % ACCESS_POINTS));
        if device % 2 == 0 {
            add(1_900, Act::Leave);
        }
    }
    actions.sort_by_key(|action| (action.at, action.device));
    Course {
        access_points: (0..ACCESS_POINTS).map(access_point).collect(),
        devices: (0..DEVICES).map(device).collect(),
        actions,
        spans: vec![(Timestamp::EPOCH, Timestamp::EPOCH + EVENT)],
        occupancy: Vec::new(),
        people: DEVICES,
        turned_away: 0,
        streams_opened: 0,
    }
}

fn line() -> TimeLine {
    TimeLine::new(vec![(Timestamp::EPOCH, Timestamp::EPOCH + EVENT)], EVENT.as_secs_f64() / 0.8).unwrap()
}

fn started() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn settings(endpoints: Endpoints, started: Instant, ledger: Option<mpsc::SyncSender<LedgerEntry>>) -> Settings {
    Settings {
        endpoints,
        time_line: line(),
        started,
        seed: 1,
        subnet: Ipv4Addr::new(10, 1, 0, 0),
        network_name: "Example".to_owned(),
        domain: "event.example".to_owned(),
        time_zone: TimeZone::UTC,
        switches: vec!["sw-1".into()],
        dns_queries_per_second_max: 500.0,
        ledger,
    }
}

fn run(disturbance: Disturbance) -> Outcome {
    let course = course();
    runtime().block_on(async {
        let lines = Arc::new(AtomicU64::new(0));
        let (syslog_udp, syslog_tcp) = collect(&lines).await;
        let dns = if disturbance.truncates { truncate().await } else { internet::start(1).await.unwrap()[0] };
        let started = started();
        let (dhcp, leases) = serve_dhcp(started, disturbance.deaf).await;
        let endpoints = Endpoints { dhcp, dns, syslog_udp, syslog_tcp };
        let (ledger, entries) = mpsc::sync_channel(10_000);
        let (progress, seen) = watch::channel(Progress::default());
        let (_stop, stopped) = watch::channel(disturbance.stop);
        let settings = settings(endpoints, started, Some(ledger));
        let summary = play(&course, settings, progress, stopped).await.unwrap();
        let ended = line().event_time(started.elapsed());
        // What is in the collector's socket still has to be read; nothing else runs now.
        let sent = summary.log_lines_sent_udp + summary.log_lines_sent_tcp;
        for _ in 0..10_000 {
            if lines.load(Ordering::Relaxed) >= sent {
                break;
            }
            tokio::task::yield_now().await;
        }
        let (progress, leases) = (*seen.borrow(), leases.borrow().clone());
        let lines_received = lines.load(Ordering::Relaxed);
        Outcome { summary, progress, ledger: entries.try_iter().collect(), lines_received, leases, ended }
    })
}

/// A server with the real engine; tells its leases after every packet.
async fn serve_dhcp(
    started: Instant,
    deaf: Option<(Timestamp, Timestamp)>,
) -> (SocketAddrV4, watch::Receiver<Vec<model::Lease>>) {
    let mut subnet = SubnetSettings::new(SubnetId(0), "attendee", "10.1.0.0/24".parse().unwrap());
    subnet.pools = vec![dhcp::PoolSettings::common(Ipv4Addr::new(10, 1, 0, 10), Ipv4Addr::new(10, 1, 0, 200))];
    subnet.lease = Duration::from_secs(1_200);
    let settings = dhcp::Settings {
        subnets: vec![subnet],
        offer_hold: EVENT,
        clock_step_min: Duration::MAX,
        ..dhcp::Settings::default()
    };
    let mut engine = Engine::new(settings, 1).unwrap();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let SocketAddr::V4(address) = socket.local_addr().unwrap() else { panic!("bound to IPv4") };
    let (leases, seen) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        loop {
            let Ok((length, SocketAddr::V4(source))) = socket.recv_from(&mut buffer).await else { continue };
            let now = line().event_time(started.elapsed());
            if deaf.is_some_and(|(from, to)| from <= now && now < to) {
                continue;
            }
            engine.on_packet(
                now,
                &Origin { source, local: Ipv4Addr::LOCALHOST, interface: 1, is_broadcast: false },
                &buffer[..length],
            );
            while let Some(effect) = engine.next_effect() {
                if let Effect::Send(reply) = effect {
                    let Destination::Relay(relay) = reply.destination else { panic!("not to the relay: {reply:?}") };
                    assert_eq!(relay, source, "RFC 8357: to the port that the relay sent from");
                    socket.send_to(&reply.bytes, relay).await.unwrap();
                }
            }
            leases.send_replace(engine.leases().cloned().collect());
        }
    });
    (address, seen)
}

/// A resolver that says by UDP only that its answer is too long.
async fn truncate() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(internet::accept(listener));
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            let mut answer = dns::authority::answer(&buffer[..length]).unwrap();
            answer[2] |= 0x02;
            socket.send_to(&answer, client).await.unwrap();
        }
    });
    address
}

/// Counts lines by UDP and TCP; every one must be readable.
async fn collect(lines: &Arc<AtomicU64>) -> (SocketAddr, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addresses = (socket.local_addr().unwrap(), listener.local_addr().unwrap());
    let counted = Arc::clone(lines);
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        while let Ok((length, _)) = socket.recv_from(&mut buffer).await {
            assert!(buffer[..length].starts_with(b"<"));
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let counted = Arc::clone(lines);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let (mut framer, mut buffer) = (Framer::new(), [0; 4_096]);
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    framer.push(&buffer[..length]);
                    while let Some(frame) = framer.next_frame() {
                        assert!(frame.bytes.starts_with(b"<30>1 "), "{frame:?}");
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    addresses
}
