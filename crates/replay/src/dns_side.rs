//! The crowd's stub resolvers on real sockets.
//!
//! Each device asks as a Poisson process of its own rate. The sum of such processes is one process of the summed
//! rate, and nothing on the wire tells one device's queries from another's here, so one process is enough.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rehearse::course::{Act, Course};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    task::JoinSet,
};

use crate::{
    ReplayError, Settings, Summary,
    clock::Clock,
    dhcp_side::milliqueries,
    names::NameChooser,
    query::{self, Verdict},
    sockets::{poll_readable, receive, udp_towards},
    summary::Latencies,
};

const SOCKETS: usize = 4;
/// Queries without an answer yet; more are not asked, and count as failed.
const QUERIES_PENDING_MAX: usize = 20_000;
/// Wall time waited for an answer; then asked once more, then given up.
const TIMEOUT: Duration = Duration::from_secs(2);
const TRIES_MAX: u32 = 2;
/// Queries asked again over TCP at one time; more count as failed.
const TCP_QUERIES_MAX: usize = 64;
/// Random ids tried for a query; so many taken ones in a row mean that the server answers nothing.
const ID_TRIES_MAX: usize = 16;

/// Every device's stub resolver, and what came of the queries.
pub(crate) struct DnsSide {
    server: SocketAddr,
    sockets: Vec<UdpSocket>,
    clock: Clock,
    names: NameChooser,
    random: ChaCha8Rng,
    /// Of the queries that the crowd asks one in so many is sent.
    thinning: u32,
    /// How many times faster than the wall clock event time runs.
    speed: f64,
    milliqueries_per_minute: u64,
    next_query: Option<Duration>,
    pending: HashMap<(usize, u16), Pending>,
    /// When to look whether a query has been answered, oldest first; all wait equally long.
    timeouts: VecDeque<(Duration, (usize, u16))>,
    over_tcp: JoinSet<Option<Duration>>,
    waits: Latencies,
    counts: Counts,
}

struct Pending {
    message: Vec<u8>,
    first_sent: Duration,
    due: Duration,
    tries: u32,
}

#[derive(Debug, Default)]
struct Counts {
    queries: u64,
    failed: u64,
    retransmissions: u64,
    over_tcp: u64,
}

impl DnsSide {
    /// Opens the sockets.
    pub(crate) fn bind(
        course: &Course,
        settings: &Settings,
        clock: Clock,
        random: ChaCha8Rng,
    ) -> Result<Self, ReplayError> {
        let server = settings.endpoints.dns;
        let bound = |source| ReplayError::Socket { what: "stub resolver", source };
        let speed = settings.time_line.speed();
        Ok(Self {
            server,
            sockets: (0..SOCKETS).map(|_| udp_towards(server)).collect::<Result<_, _>>().map_err(bound)?,
            clock,
            names: NameChooser::new(&settings.domain, course.access_points.iter().map(|ap| ap.device.as_str())),
            random,
            thinning: thinning(course, speed, settings.dns_queries_per_second_max),
            speed,
            milliqueries_per_minute: 0,
            next_query: None,
            pending: HashMap::new(),
            timeouts: VecDeque::new(),
            over_tcp: JoinSet::new(),
            waits: Latencies::default(),
            counts: Counts::default(),
        })
    }

    /// The devices on the network now ask so much together.
    pub(crate) fn set_rate(&mut self, elapsed: Duration, milliqueries_per_minute: u64) {
        if self.milliqueries_per_minute != milliqueries_per_minute {
            self.milliqueries_per_minute = milliqueries_per_minute;
            // A Poisson process has no memory: with the new rate the waiting begins anew. What is overdue stays.
            if self.next_query.is_none_or(|at| at > elapsed) {
                self.next_query = self.after(elapsed);
            }
        }
    }

    /// Does at most `budget` of what is due; returns what is left of the budget.
    pub(crate) fn on_deadlines(&mut self, elapsed: Duration, mut budget: usize) -> usize {
        while budget > 0
            && let Some(&(at, key)) = self.timeouts.front()
            && at <= elapsed
        {
            self.timeouts.pop_front();
            budget -= 1;
            self.on_timeout(elapsed, key);
        }
        while budget > 0
            && let Some(at) = self.next_query
            && at <= elapsed
        {
            budget -= 1;
            self.ask(elapsed);
            self.next_query = self.after(at);
        }
        budget
    }

    /// When something is due next.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let timeout = self.timeouts.front().map(|(at, _)| *at);
        [self.next_query, timeout].into_iter().flatten().min()
    }

    /// Ready when an answer has come.
    pub(crate) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(Some(result)) = self.over_tcp.poll_join_next(context) {
            self.on_tcp_result(result.ok().flatten());
        }
        poll_readable(&self.sockets, context)
    }

    /// Takes the answers that have come.
    pub(crate) fn receive(&mut self, elapsed: Duration) {
        let sockets = std::mem::take(&mut self.sockets);
        for (index, socket) in sockets.iter().enumerate() {
            receive(socket, |source, bytes| {
                if source == self.server
                    && let Some(id) = query::id(bytes)
                {
                    self.on_answer(elapsed, (index, id), bytes);
                }
            });
        }
        self.sockets = sockets;
    }

    /// True while an answer is waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.pending.is_empty() || !self.over_tcp.is_empty()
    }

    /// Names asked for so far.
    pub(crate) fn queries(&self) -> u64 {
        self.counts.queries
    }

    /// Writes the result.
    pub(crate) fn finish(self, summary: &mut Summary) {
        summary.dns_queries = self.counts.queries;
        summary.dns_failed = self.counts.failed;
        summary.dns_retransmissions = self.counts.retransmissions;
        summary.dns_over_tcp = self.counts.over_tcp;
        summary.dns_p50_ms = self.waits.ms(0.5);
        summary.dns_p99_ms = self.waits.ms(0.99);
        summary.dns_thinning = self.thinning;
    }

    /// When the next query comes, counted from `from`; `None` when nobody asks.
    fn after(&mut self, from: Duration) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "thousandths of queries of a crowd stay far below 2^52")]
        let per_second = self.milliqueries_per_minute as f64 / 60_000.0 * self.speed / f64::from(self.thinning);
        if per_second <= 0.0 {
            return None;
        }
        let share: f64 = self.random.random();
        let wait = -(1.0 - share).ln() / per_second;
        Some(from + Duration::try_from_secs_f64(wait).unwrap_or(Duration::from_secs(3_600)))
    }

    fn ask(&mut self, elapsed: Duration) {
        let (name, record_type) = self.names.choose(&mut self.random);
        self.counts.queries += 1;
        // Two queries of one id on one socket could not be told apart.
        let key = (0..ID_TRIES_MAX)
            .map(|_| (self.random.random_range(0..SOCKETS), self.random.random::<u16>()))
            .find(|key| !self.pending.contains_key(key))
            .filter(|_| self.pending.len() < QUERIES_PENDING_MAX);
        let Some(key) = key else {
            self.counts.failed += 1;
            return;
        };
        let message = query::encode(key.1, &name, record_type);
        self.pending.insert(key, Pending { message, first_sent: elapsed, due: elapsed, tries: 0 });
        self.send(elapsed, key);
    }

    fn send(&mut self, elapsed: Duration, key: (usize, u16)) {
        let (Some(pending), Some(socket)) = (self.pending.get_mut(&key), self.sockets.get(key.0)) else { return };
        // What the kernel does not take is lost, as on any network, and asked again.
        let _ = socket.try_send_to(&pending.message, self.server);
        pending.tries += 1;
        pending.due = elapsed + TIMEOUT;
        self.timeouts.push_back((pending.due, key));
    }

    fn on_timeout(&mut self, elapsed: Duration, key: (usize, u16)) {
        let Some(pending) = self.pending.get(&key) else { return };
        if pending.due > elapsed {
            // The query this timer was for has been answered; its id is in use again.
            return;
        }
        if pending.tries < TRIES_MAX {
            self.counts.retransmissions += 1;
            self.send(elapsed, key);
        } else {
            self.pending.remove(&key);
            self.counts.failed += 1;
        }
    }

    fn on_answer(&mut self, elapsed: Duration, key: (usize, u16), answer: &[u8]) {
        let Some(verdict) = self.pending.get(&key).and_then(|pending| query::verdict(&pending.message, answer)) else {
            return;
        };
        let Some(pending) = self.pending.remove(&key) else { return };
        match verdict {
            Verdict::Useful => self.waits.record(elapsed.saturating_sub(pending.first_sent)),
            Verdict::Failed => self.counts.failed += 1,
            Verdict::Truncated if self.over_tcp.len() >= TCP_QUERIES_MAX => self.counts.failed += 1,
            Verdict::Truncated => {
                self.counts.over_tcp += 1;
                let (server, clock) = (self.server, self.clock);
                self.over_tcp.spawn(async move {
                    let asked = tokio::time::timeout(TIMEOUT, ask_over_tcp(server, &pending.message)).await;
                    matches!(asked, Ok(Ok(Some(Verdict::Useful))))
                        .then(|| clock.elapsed().saturating_sub(pending.first_sent))
                });
            }
        }
    }

    fn on_tcp_result(&mut self, waited: Option<Duration>) {
        match waited {
            Some(waited) => self.waits.record(waited),
            None => self.counts.failed += 1,
        }
    }
}

/// One query over a connection of its own (RFC 7766 section 8: two octets of length in front).
async fn ask_over_tcp(server: SocketAddr, message: &[u8]) -> io::Result<Option<Verdict>> {
    let mut stream = TcpStream::connect(server).await?;
    let mut framed = u16::try_from(message.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
    framed.extend(message);
    stream.write_all(&framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(query::verdict(message, &answer))
}

/// One of how many queries is sent, so that the busiest moment of the course stays below `per_second_max` of wall
/// time. The same for the whole play, so that the load keeps its shape. At least 1.
#[expect(clippy::cast_precision_loss, reason = "thousandths of queries of a crowd stay far below 2^52")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range before")]
fn thinning(course: &Course, speed: f64, per_second_max: f64) -> u32 {
    let mut is_there = vec![false; course.devices.len()];
    let (mut now, mut peak) = (0_u64, 0_u64);
    for action in &course.actions {
        let index = action.device as usize;
        let (Some(there), Some(device)) = (is_there.get_mut(index), course.devices.get(index)) else { continue };
        let comes = !matches!(action.act, Act::Leave);
        if std::mem::replace(there, comes) != comes {
            let rate = milliqueries(device.dns_queries_per_minute);
            now = if comes { now + rate } else { now.saturating_sub(rate) };
            peak = peak.max(now);
        }
    }
    let per_second = peak as f64 / 60_000.0 * speed;
    let ratio = (per_second / per_second_max.max(0.001)).ceil();
    if ratio.is_finite() { ratio.clamp(1.0, f64::from(u32::MAX)) as u32 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{act, course};

    fn check(devices: usize, rate: f32, speed: f64, per_second_max: f64, expected: u32) {
        let mut course = course(devices, &[("ap-1", "hall")]);
        for device in &mut course.devices {
            device.dns_queries_per_minute = rate;
        }
        let devices = u32::try_from(devices).unwrap();
        course.actions = (0..devices).map(|device| act(0, device, Act::Associate(0))).collect();
        course.actions.extend((0..devices).map(|device| act(1, device, Act::Leave)));
        course.actions.extend((0..devices / 2).map(|device| act(2, device, Act::Associate(0))));
        assert_eq!(thinning(&course, speed, per_second_max), expected);
    }

    #[test]
    fn queries_are_thinned_for_the_busiest_moment() {
        check(600, 2.0, 1.0, 100.0, 1);
        check(600, 2.0, 1_440.0, 3_000.0, 10);
        check(600, 2.0, 1_440.0, 28_800.0, 1);
        check(600, 2.0, 1_440.0, 28_799.0, 2);
        check(0, 2.0, 1_440.0, 100.0, 1);
        check(1, 2.0, 1.0, 0.0, 34);
        check(1, f32::NAN, 1.0, f64::NAN, 1);
    }
}
