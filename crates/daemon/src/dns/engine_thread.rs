//! The engine's thread: what the workers could not answer, the upstreams, and what operators ask for.
//!
//! A loop over one epoll set, without a runtime: a miss costs one message in the queue, one datagram to an upstream,
//! one back, and its share of a batch of replies.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use dns::{ClientRef, Effect, Engine, Transport, Validity};
use foldhash::fast::RandomState;
use model::Timestamp;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::sync::mpsc;

use super::{
    DnsView,
    ask_stream::{StreamAsk, StreamAsks, Target},
    ask_udp::UdpAsks,
    client_worker::WorkerTotals,
    clients_udp::{Origin, UdpCounters},
    connections::Connections,
    inbox::{Inbound, Inbox, ReplyTo},
    validator::ValidatorHandle,
};
use crate::{
    batch_io::Outgoing,
    clock::{Clock, instant},
    lease_names::NameChange,
    udp::send_all,
};

/// Messages taken from the queue before sockets have their turn.
const TURN_MAX: usize = 256;
/// Sockets told of by one call of epoll.
const EVENTS_MAX: usize = 256;
/// Longest sleep: names of clients and the wish to stop come without a wake-up.
const SLEEP_MAX: Duration = Duration::from_millis(20);
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);
/// The wake-up's number in the epoll set; slots of sockets count from 0.
const WAKE: u64 = u64::MAX;
/// Replies of streams that may wait for the engine; more are refused.
const STREAM_REPLIES_MAX: usize = 65_536;

/// The engine and all that it acts through.
pub(crate) struct EngineThread {
    pub(crate) engine: Engine,
    /// What the workers did without the engine.
    pub(crate) totals: Arc<WorkerTotals>,
    pub(crate) inbox: Inbox,
    /// Sockets that replies leave by, by [`Origin::socket`].
    pub(crate) sockets: Vec<Arc<UdpSocket>>,
    pub(crate) udp: UdpAsks,
    pub(crate) streams: StreamAsks,
    /// Where signatures are checked, if they are.
    pub(crate) validator: Option<ValidatorHandle>,
    /// Upstreams that are never asked in clear text.
    pub(crate) targets: HashMap<SocketAddr, Target>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) counters: Arc<UdpCounters>,
    pub(crate) clock: Clock,
    pub(crate) names: mpsc::Receiver<NameChange>,
    pub(crate) view: Arc<Mutex<DnsView>>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl EngineThread {
    /// Serves until told to stop.
    pub(crate) fn run(self) -> io::Result<()> {
        let Self { engine, totals, inbox, sockets, udp, streams, validator, targets, .. } = self;
        let (connections, counters, clock, names, view, stop) =
            (self.connections, self.counters, self.clock, self.names, self.view, self.stop);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(inbox.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let replies = sockets.iter().map(|_| Vec::new()).collect();
        let mut state = Loop {
            engine,
            totals,
            udp,
            streams,
            validator,
            targets,
            replies,
            sockets,
            epoll,
            clients: Clients::default(),
            names,
            send_errors: 0,
            stream_refused: 0,
        };
        let mut events = vec![EpollEvent::empty(); EVENTS_MAX];
        let mut published: Option<Instant> = None;
        let mut was_busy = false;
        while !stop.load(Ordering::Relaxed) {
            // Whoever asks or answers next is often about to: letting others run once gathers larger batches than sleeping,
            // and costs less than being woken.
            if was_busy {
                thread::yield_now();
            }
            let mut now = clock.now();
            state.take_names(now);
            let mut is_busy = state.take_messages(now, &inbox) > 0;
            if state.engine.deadline().is_some_and(|at| at <= now) {
                state.engine.on_deadline(now);
            }
            state.act(now);
            let mut sleep = Duration::ZERO;
            if !is_busy && !was_busy {
                inbox.about_to_sleep();
                is_busy = state.take_messages(now, &inbox) > 0;
                state.act(now);
                if !is_busy {
                    sleep = state.engine.deadline().map_or(SLEEP_MAX, |at| clock.wall_until(at).min(SLEEP_MAX));
                }
            }
            let count = wait(&state.epoll, &mut events, sleep)?;
            inbox.awake();
            if count > 0 && !sleep.is_zero() {
                now = clock.now();
            }
            for event in events.iter().take(count).filter(|event| event.data() != WAKE) {
                state.receive(now, usize::try_from(event.data()).unwrap_or(usize::MAX));
            }
            state.act(now);
            was_busy = is_busy || count > 0;
            if published.is_none_or(|at| at.elapsed() >= PUBLISH_INTERVAL) {
                published = Some(instant());
                state.publish(&view, &connections, &counters);
            }
        }
        state.publish(&view, &connections, &counters);
        Ok(())
    }
}

/// Rounded up, so that a deadline less than a millisecond away is not spun upon.
fn wait(epoll: &Epoll, events: &mut [EpollEvent], sleep: Duration) -> io::Result<usize> {
    let timeout = EpollTimeout::from(u16::try_from(sleep.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX));
    match epoll.wait(events, timeout) {
        Ok(count) => Ok(count),
        Err(nix::Error::EINTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

struct Loop {
    engine: Engine,
    totals: Arc<WorkerTotals>,
    udp: UdpAsks,
    streams: StreamAsks,
    validator: Option<ValidatorHandle>,
    targets: HashMap<SocketAddr, Target>,
    /// Replies of this turn by socket.
    replies: Vec<Vec<(SocketAddr, Origin, Vec<u8>)>>,
    sockets: Vec<Arc<UdpSocket>>,
    epoll: Epoll,
    clients: Clients,
    names: mpsc::Receiver<NameChange>,
    send_errors: u64,
    stream_refused: u64,
}

impl Loop {
    /// Takes what waits in the queue, at most [`TURN_MAX`], and says how many there were.
    fn take_messages(&mut self, now: Timestamp, inbox: &Inbox) -> usize {
        for taken in 0..TURN_MAX {
            let Some(inbound) = inbox.take() else { return taken };
            match inbound {
                Inbound::Query { from, transport, reply_to, bytes } => match self.clients.token(reply_to) {
                    Some(token) => {
                        let client = ClientRef { address: from, transport, token };
                        self.engine.on_query(now, client, &bytes);
                    }
                    None => self.stream_refused += 1,
                },
                Inbound::Refresh { bytes } => self.engine.refresh(now, &bytes),
                Inbound::Answer { ask, from, bytes } => self.engine.on_answer(now, ask, from, &bytes),
                Inbound::AskFailed { ask } => self.engine.on_ask_failed(now, ask),
                Inbound::Validated { validation, validity } => self.engine.on_validated(now, validation, validity),
                Inbound::Command(command) => command(&mut self.engine, now),
            }
        }
        TURN_MAX
    }

    fn take_names(&mut self, now: Timestamp) {
        while let Ok(change) = self.names.try_recv() {
            change.apply(&mut self.engine, now);
        }
    }

    /// A socket towards an upstream can be read.
    fn receive(&mut self, now: Timestamp, slot: usize) {
        let engine = &mut self.engine;
        self.udp.receive(slot, |ask, from, bytes| match bytes {
            Some(bytes) => engine.on_answer(now, ask, from, bytes),
            None => engine.on_ask_failed(now, ask),
        });
    }

    /// Does what the engine wants done, and sends the replies of this turn.
    fn act(&mut self, now: Timestamp) {
        loop {
            self.act_once(now);
            let mut failed = Vec::new();
            self.udp.flush(|ask| failed.push(ask));
            if failed.is_empty() {
                break;
            }
            failed.into_iter().for_each(|ask| self.engine.on_ask_failed(now, ask));
        }
        self.flush();
    }

    fn act_once(&mut self, now: Timestamp) {
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Respond { client, bytes } => self.respond(client, bytes),
                Effect::Ask { ask, upstream, transport, mut bytes } => {
                    let sent = match (self.targets.get(&upstream), transport) {
                        (Some(target), _) => {
                            dns::pad_query(&mut bytes);
                            self.streams.ask(StreamAsk::new(ask, target.clone(), bytes))
                        }
                        (None, Transport::Udp) => self.udp.ask(&self.epoll, ask, upstream, bytes).is_ok(),
                        (None, _) => self.streams.ask(StreamAsk::new(ask, Target::tcp(upstream), bytes)),
                    };
                    if !sent {
                        self.engine.on_ask_failed(now, ask);
                    }
                }
                Effect::Validate { validation, bytes } => {
                    if !self.validator.as_ref().is_some_and(|validator| validator.validate(validation, bytes)) {
                        self.engine.on_validated(now, validation, Validity::Unknown);
                    }
                }
                Effect::Forget { ask } => self.udp.forget(ask),
            }
        }
    }

    fn respond(&mut self, client: ClientRef, bytes: Vec<u8>) {
        match self.clients.reply_to(client.token) {
            Some(ReplyTo::Datagram(origin)) => {
                if let Some(replies) = self.replies.get_mut(origin.socket) {
                    replies.push((client.address, origin, bytes));
                }
            }
            // A client that does not read its answers has a full queue; its connection is then closed by its task.
            Some(ReplyTo::Stream(answers)) => {
                let _ = answers.try_send(bytes);
            }
            Some(ReplyTo::Request(answer)) => {
                let _ = answer.send(bytes);
            }
            None => {}
        }
    }

    fn flush(&mut self) {
        for (replies, socket) in self.replies.iter_mut().zip(&self.sockets) {
            if replies.is_empty() {
                continue;
            }
            let outgoing: Vec<Outgoing<'_>> = replies
                .iter()
                .map(|(to, origin, bytes)| Outgoing { target: origin.target(*to), head: &[], body: bytes })
                .collect();
            self.send_errors += send_all(socket.as_fd(), &outgoing).0;
            replies.clear();
        }
    }

    fn publish(&self, view: &Mutex<DnsView>, connections: &Connections, counters: &UdpCounters) {
        let (cache_entries, cache_bytes) = self.engine.cache_use();
        let mut totals = self.engine.counters();
        self.totals.add_to(&mut totals);
        let view_now = DnsView {
            counters: totals,
            waits: *self.engine.waits(),
            cache_entries: cache_entries as u64,
            cache_bytes: cache_bytes as u64,
            upstreams: self.engine.upstreams().collect(),
            upstream_sockets: self.udp.open() as u64,
            upstream_unexpected: self.udp.unexpected,
            connections_open: connections.open() as u64,
            connections_refused: connections.refused(),
            send_errors: self.send_errors + counters.send_errors.load(Ordering::Relaxed),
            queue_full: self.stream_refused + counters.queue_full.load(Ordering::Relaxed),
            kernel_drops: counters.kernel_drops.load(Ordering::Relaxed),
        };
        *view.lock().unwrap_or_else(PoisonError::into_inner) = view_now;
    }
}

/// Where replies go, by the token that the engine repeats. Datagrams share a token for each way out, of which there are
/// few; a query over a stream has one of its own, gone with its reply.
#[derive(Default)]
struct Clients {
    origins: Vec<Origin>,
    tokens: HashMap<Origin, u64, RandomState>,
    streams: HashMap<u64, ReplyTo, RandomState>,
    next_stream: u64,
}

/// Tokens of streams are above, of datagrams below.
const STREAM_TOKENS: u64 = 1 << 32;
/// Ways out that are told apart; more than any machine has addresses on sockets.
const ORIGINS_MAX: usize = 16_384;

impl Clients {
    /// A token for a query; `None` when there is no room.
    fn token(&mut self, reply_to: ReplyTo) -> Option<u64> {
        match reply_to {
            ReplyTo::Datagram(origin) => {
                if let Some(token) = self.tokens.get(&origin) {
                    return Some(*token);
                }
                if self.origins.len() >= ORIGINS_MAX {
                    return None;
                }
                let token = self.origins.len() as u64;
                self.origins.push(origin);
                self.tokens.insert(origin, token);
                Some(token)
            }
            stream => {
                if self.streams.len() >= STREAM_REPLIES_MAX {
                    return None;
                }
                let token = STREAM_TOKENS + self.next_stream;
                self.next_stream += 1;
                self.streams.insert(token, stream);
                Some(token)
            }
        }
    }

    fn reply_to(&mut self, token: u64) -> Option<ReplyTo> {
        if token >= STREAM_TOKENS {
            return self.streams.remove(&token);
        }
        self.origins.get(usize::try_from(token).ok()?).copied().map(ReplyTo::Datagram)
    }
}
