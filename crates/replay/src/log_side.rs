//! What access points and switches log, on real sockets: most by UDP, some by TCP.
//!
//! All lines leave by one queue in the order of the event, at a pace that a collector's socket buffer can hold, so
//! that what is counted as sent by UDP also arrives.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::tz::TimeZone;
use model::{DeviceId, Facility, LogSeverity, Mac, TimeLine, Timestamp};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rehearse::course::{Act, Course};
use syslog::Line;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{ReplayError, Settings, Summary, sockets::udp_towards};

/// Lines waiting to be sent; more are dropped and counted.
const QUEUE_LINES_MAX: usize = 200_000;
/// Datagrams a second of wall time at most, and at once: a collector that gets no processor for 40 ms still loses
/// none, as the smallest usual socket buffer holds about 270.
const DATAGRAMS_PER_SECOND_MAX: f64 = 6_000.0;
const BURST_MAX: f64 = 16.0;
/// Below that rate lines are let go as fast as empties the queue in about this many seconds of wall time.
const SECONDS_TO_EMPTY: f64 = 0.1;
/// However few lines wait, so that the last does not wait for long.
const DATAGRAMS_PER_SECOND_MIN: f64 = 500.0;
/// Lines are let go about this often, in wall time.
const PACE: Duration = Duration::from_millis(1);
/// Every so-many-th access point logs by TCP.
const TCP_EVERY: usize = 4;
/// TCP connections; access points share them when there are more.
const LANES_MAX: usize = 8;
/// Lines waiting for one TCP connection; more are dropped and counted.
const LANE_LINES_MAX: usize = 20_000;
const RECONNECT_INTERVAL: Duration = Duration::from_millis(200);
/// A write, or the wait for the collector's end of the stream, takes at most this long.
const LANE_TIMEOUT: Duration = Duration::from_secs(2);
/// A switch says something about once in this much event time, but never more often than [`SWITCH_WALL_MIN`].
const SWITCH_INTERVAL: Duration = Duration::from_secs(60);
const SWITCH_WALL_MIN: Duration = Duration::from_millis(10);
/// Facility local7, what switches use by default.
const SWITCH_FACILITY: Facility = Facility(23);

/// The senders of log lines.
pub(crate) struct LogSide {
    udp: UdpSocket,
    collector: SocketAddr,
    lanes: Vec<Lane>,
    halt: watch::Sender<bool>,
    access_points: Vec<DeviceId>,
    switches: Vec<DeviceId>,
    zone: TimeZone,
    line: TimeLine,
    random: ChaCha8Rng,
    queue: VecDeque<(Way, String)>,
    /// Datagrams that may go now, and as of when.
    allowance: f64,
    allowance_at: Duration,
    next_switch: Option<Duration>,
    sent_udp: u64,
    queued_tcp: u64,
    dropped: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Udp,
    Tcp(usize),
}

/// One TCP connection to the collector.
struct Lane {
    lines: mpsc::Sender<Vec<u8>>,
    sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl LogSide {
    /// Opens the socket and starts the tasks of the TCP connections.
    pub(crate) fn bind(course: &Course, settings: &Settings, random: ChaCha8Rng) -> Result<Self, ReplayError> {
        let collector = settings.endpoints.syslog_udp;
        let udp = udp_towards(collector).map_err(|source| ReplayError::Socket { what: "access point", source })?;
        let halt = watch::Sender::new(false);
        let lanes = (course.access_points.len() / TCP_EVERY).min(LANES_MAX);
        Ok(Self {
            udp,
            collector,
            lanes: (0..lanes).map(|_| Lane::start(settings.endpoints.syslog_tcp, halt.subscribe())).collect(),
            halt,
            access_points: course.access_points.iter().map(|access_point| access_point.device.clone()).collect(),
            switches: settings.switches.clone(),
            zone: settings.time_zone.clone(),
            line: settings.time_line.clone(),
            random,
            queue: VecDeque::new(),
            allowance: 0.0,
            allowance_at: Duration::ZERO,
            next_switch: (!settings.switches.is_empty()).then_some(Duration::ZERO),
            sent_udp: 0,
            queued_tcp: 0,
            dropped: 0,
        })
    }

    /// Access points notice what a device does; `from` is where it was before.
    pub(crate) fn on_action(&mut self, at: Timestamp, mac: Mac, act: Act, from: Option<u32>) {
        match act {
            Act::Associate(to) | Act::Roam(to) => {
                self.say(to, |name| syslog::hostapd_connected(name, mac, at));
                if let Some(from) = from.filter(|from| *from != to) {
                    self.say(from, |name| syslog::hostapd_disconnected(name, mac, at));
                }
            }
            Act::Leave => {
                if let Some(from) = from {
                    self.say(from, |name| syslog::hostapd_disconnected(name, mac, at));
                }
            }
        }
    }

    /// Sends what is due.
    pub(crate) fn on_deadlines(&mut self, elapsed: Duration) {
        if self.next_switch.is_some_and(|at| at <= elapsed) {
            self.say_something_as_a_switch(elapsed);
        }
        self.earn(elapsed);
        while let Some((way, text)) = self.queue.front() {
            match *way {
                Way::Tcp(lane) => self.hand_to_lane(lane, syslog::octet_counted(text)),
                Way::Udp if self.allowance < 1.0 => break,
                Way::Udp => {
                    self.allowance -= 1.0;
                    match self.udp.try_send_to(text.as_bytes(), self.collector) {
                        Ok(_) => self.sent_udp += 1,
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                        Err(_) => self.dropped += 1,
                    }
                }
            }
            self.queue.pop_front();
        }
    }

    /// When something is due next.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let burst = (!self.queue.is_empty()).then_some(self.allowance_at + PACE);
        [burst, self.next_switch].into_iter().flatten().min()
    }

    /// Switches say nothing more.
    pub(crate) fn quieten(&mut self) {
        self.next_switch = None;
    }

    /// True while lines wait to be sent.
    pub(crate) fn is_sending(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Lines sent so far.
    pub(crate) fn lines(&self) -> u64 {
        self.sent_udp + self.sent_tcp()
    }

    /// Ends the TCP connections and writes the result. With `at_once` what has not been sent is dropped.
    pub(crate) async fn finish(mut self, at_once: bool, summary: &mut Summary) {
        self.halt.send_replace(at_once);
        let (counts, mut tasks): (Vec<_>, Vec<_>) = self.lanes.drain(..).map(|lane| (lane.sent, lane.task)).unzip();
        let all = async {
            for task in &mut tasks {
                let _ = task.await;
            }
        };
        // A collector that is gone must not keep us.
        if tokio::time::timeout(2 * LANE_TIMEOUT, all).await.is_err() {
            tasks.iter().for_each(JoinHandle::abort);
        }
        summary.log_lines_sent_tcp = counts.iter().map(|sent| sent.load(Ordering::Relaxed)).sum();
        summary.log_lines_sent_udp = self.sent_udp;
        let never_sent = self.queue.len() as u64 + self.queued_tcp.saturating_sub(summary.log_lines_sent_tcp);
        summary.log_lines_dropped = self.dropped + never_sent;
    }

    /// Adds what may be sent for the time that has passed.
    fn earn(&mut self, elapsed: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "the queue is bounded far below 2^52")]
        let rate =
            (self.queue.len() as f64 / SECONDS_TO_EMPTY).clamp(DATAGRAMS_PER_SECOND_MIN, DATAGRAMS_PER_SECOND_MAX);
        let earned = elapsed.saturating_sub(self.allowance_at).as_secs_f64() * rate;
        self.allowance = (self.allowance + earned).min(BURST_MAX);
        self.allowance_at = elapsed;
    }

    fn sent_tcp(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.sent.load(Ordering::Relaxed)).sum()
    }

    fn say(&mut self, access_point: u32, line: impl Fn(&str) -> Line) {
        let index = access_point as usize;
        let Some(name) = self.access_points.get(index) else { return };
        let line = line(name.as_str());
        let by_tcp = index % TCP_EVERY == TCP_EVERY - 1 && !self.lanes.is_empty();
        if by_tcp {
            self.enqueue(Way::Tcp(index / TCP_EVERY % self.lanes.len()), line.rfc5424());
        } else {
            self.enqueue(Way::Udp, line.rfc3164(&self.zone));
        }
    }

    fn say_something_as_a_switch(&mut self, elapsed: Duration) {
        let share: f64 = self.random.random();
        let wait = SWITCH_INTERVAL.mul_f64(-(1.0 - share).ln()).div_f64(self.line.speed());
        self.next_switch = Some(elapsed + wait.max(SWITCH_WALL_MIN));
        if self.switches.is_empty() {
            return;
        }
        let name = self.switches[self.random.random_range(0..self.switches.len())].clone();
        let line = switch_line(name.as_str(), self.line.event_time(elapsed), &mut self.random);
        self.enqueue(Way::Udp, line.rfc3164(&self.zone));
    }

    fn enqueue(&mut self, way: Way, text: String) {
        if self.queue.len() >= QUEUE_LINES_MAX {
            self.dropped += 1;
        } else {
            self.queue.push_back((way, text));
        }
    }

    fn hand_to_lane(&mut self, lane: usize, framed: Vec<u8>) {
        match self.lanes.get(lane).map(|lane| lane.lines.try_send(framed)) {
            Some(Ok(())) => self.queued_tcp += 1,
            Some(Err(_)) | None => self.dropped += 1,
        }
    }
}

/// What a switch of Cisco's says on an ordinary day.
fn switch_line(name: &str, time: Timestamp, random: &mut ChaCha8Rng) -> Line {
    let port = format!("GigabitEthernet1/0/{}", random.random_range(1..=24));
    let (severity, app, message) = match random.random_range(0..4) {
        0 => (LogSeverity::Error, "%LINK-3-UPDOWN", format!("Interface {port}, changed state to up")),
        1 => (LogSeverity::Error, "%LINK-3-UPDOWN", format!("Interface {port}, changed state to down")),
        2 => (LogSeverity::Notice, "%ILPOWER-5-POWER_GRANTED", format!("Interface {port}: Power granted")),
        _ => (LogSeverity::Notice, "%ILPOWER-5-IEEE_DISCONNECT", format!("Interface {port}: PD removed")),
    };
    let (host, app) = (name.to_owned(), app.to_owned());
    Line { facility: SWITCH_FACILITY, severity, time, host, app, message }
}

impl Lane {
    fn start(collector: SocketAddr, halt: watch::Receiver<bool>) -> Self {
        let (lines, receiver) = mpsc::channel(LANE_LINES_MAX);
        let sent = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(run_lane(collector, receiver, Arc::clone(&sent), halt));
        Self { lines, sent, task }
    }
}

/// Writes lines until there are no more or told to halt; then waits until the collector has read them all.
async fn run_lane(
    collector: SocketAddr,
    mut lines: mpsc::Receiver<Vec<u8>>,
    sent: Arc<AtomicU64>,
    mut halt: watch::Receiver<bool>,
) {
    let mut stream: Option<TcpStream> = None;
    while let Some(line) = next_line(&mut lines, &mut halt).await {
        let mut is_written = false;
        while !is_written && !*halt.borrow() {
            if stream.is_none() {
                stream = connect(collector, &mut halt).await;
            }
            let Some(connection) = &mut stream else { break };
            match tokio::time::timeout(LANE_TIMEOUT, connection.write_all(&line)).await {
                Ok(Ok(())) => {
                    is_written = true;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                // Part of the line may have gone; on a new connection the collector starts afresh.
                Ok(Err(_)) | Err(_) => stream = None,
            }
        }
    }
    if let Some(mut connection) = stream {
        let _ = connection.shutdown().await;
        let _ = tokio::time::timeout(LANE_TIMEOUT, connection.read(&mut [0; 16])).await;
    }
}

async fn next_line(lines: &mut mpsc::Receiver<Vec<u8>>, halt: &mut watch::Receiver<bool>) -> Option<Vec<u8>> {
    tokio::select! {
        biased;
        _ = halt.wait_for(|halt| *halt) => None,
        line = lines.recv() => line,
    }
}

/// Tries until there is a connection; `None` when told to halt.
async fn connect(collector: SocketAddr, halt: &mut watch::Receiver<bool>) -> Option<TcpStream> {
    loop {
        tokio::select! {
            biased;
            _ = halt.wait_for(|halt| *halt) => return None,
            connected = TcpStream::connect(collector) => {
                if let Ok(stream) = connected {
                    return Some(stream);
                }
            }
        }
        tokio::select! {
            biased;
            _ = halt.wait_for(|halt| *halt) => return None,
            () = tokio::time::sleep(RECONNECT_INTERVAL) => {}
        }
    }
}
