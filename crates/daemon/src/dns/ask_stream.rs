//! Questions to upstreams over TCP, TLS and HTTPS, on connections that are kept and shared.
//!
//! A thread of its own with a single-threaded runtime. Many questions are in flight on one connection and are answered
//! in any order (RFC 7766 section 6.2.1.1); ids are given anew on each connection and put back before the engine sees
//! the answer. A connection that ends takes its questions to a new one, once: the other side may close what is idle
//! just when we send. Nothing falls back to clear text.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dns::{AskId, MessageStream, append_message};
use generate::{DnsProtocol, DnsUpstream};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::LocalSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{
    ask_https,
    inbox::{EngineHandle, Inbound},
    tls::ClientTls,
};

/// Questions that may wait for a connection.
const WAITING_MAX: usize = 4_096;
/// Questions in flight on one connection.
pub(super) const IN_FLIGHT_MAX: usize = 256;
/// With more in flight on each connection another is opened, for upstreams that answer one after the other.
const IN_FLIGHT_SHARE: usize = 16;
/// Connections to one upstream by one protocol.
const CONNECTIONS_EACH_MAX: usize = 4;
/// What connecting and the TLS handshake may take.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long an answer is waited for; the engine gives up before.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(5);
/// A connection looks so many times in that time for what was asked too long ago.
const LOOKS: u32 = 5;
/// A connection without questions is closed after this (RFC 7766 section 6.2.3).
const IDLE_MAX: Duration = Duration::from_secs(20);
/// Octets read at a time.
const READ_BYTES: usize = 16 << 10;
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// How an upstream is spoken to, beside its address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Protocol {
    /// DNS over TCP, clear.
    Tcp,
    /// DNS over TLS (RFC 7858); the certificate must be of this name.
    Tls {
        /// Name or address.
        server_name: String,
    },
    /// DNS over HTTPS (RFC 8484), HTTP/2.
    Https {
        /// Name or address.
        server_name: String,
        /// Path of the resource, e.g. `/dns-query`.
        path: String,
    },
}

/// An upstream and how it is spoken to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
}

impl Target {
    /// An upstream that must never be asked in clear text, with its address; `None` for a plain one.
    pub(crate) fn encrypted(upstream: DnsUpstream) -> Option<(SocketAddr, Self)> {
        let protocol = match upstream.protocol {
            DnsProtocol::Plain => return None,
            DnsProtocol::Tls { name } => Protocol::Tls { server_name: name },
            DnsProtocol::Https { name, path } => Protocol::Https { server_name: name, path },
        };
        Some((upstream.address, Self { address: upstream.address, protocol }))
    }

    pub(crate) fn tcp(address: SocketAddr) -> Self {
        Self { address, protocol: Protocol::Tcp }
    }
}

/// A question for an upstream.
#[derive(Debug)]
pub(crate) struct StreamAsk {
    pub(super) ask: AskId,
    pub(super) target: Target,
    pub(super) bytes: Vec<u8>,
    /// It was on a connection that ended before.
    was_moved: bool,
}

impl StreamAsk {
    pub(crate) fn new(ask: AskId, target: Target, bytes: Vec<u8>) -> Self {
        Self { ask, target, bytes, was_moved: false }
    }
}

/// The engine's way to the thread.
pub(crate) struct StreamAsks {
    queue: mpsc::Sender<StreamAsk>,
}

impl StreamAsks {
    /// Puts a question in the queue; false when it is full.
    pub(crate) fn ask(&self, ask: StreamAsk) -> bool {
        self.queue.try_send(ask).is_ok()
    }
}

/// The thread that holds the connections.
pub(crate) struct StreamAskThread {
    queue: mpsc::Receiver<StreamAsk>,
    engine: EngineHandle,
    tls: ClientTls,
    answer_max: Duration,
    stop: Arc<AtomicBool>,
}

impl StreamAskThread {
    /// The thread's work and the way to it.
    pub(crate) fn new(engine: EngineHandle, tls: ClientTls, stop: Arc<AtomicBool>) -> (StreamAsks, Self) {
        let (sender, queue) = mpsc::channel(WAITING_MAX);
        (StreamAsks { queue: sender }, Self { queue, engine, tls, answer_max: ANSWER_MAX, stop })
    }

    /// Serves until told to stop.
    pub(crate) fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.serve());
        Ok(())
    }

    async fn serve(mut self) {
        let (again, mut moved) = mpsc::channel(WAITING_MAX);
        let shared = Rc::new(Shared { engine: self.engine, tls: self.tls, answer_max: self.answer_max, again });
        let mut pools: HashMap<Target, Vec<Connection>> = HashMap::new();
        while !self.stop.load(Ordering::Relaxed) {
            let ask = tokio::select! {
                Some(ask) = self.queue.recv() => ask,
                Some(ask) = moved.recv() => ask,
                () = tokio::time::sleep(STOP_INTERVAL) => {
                    pools.retain(|_, pool| {
                        pool.retain(|connection| !connection.queue.is_closed());
                        !pool.is_empty()
                    });
                    continue;
                }
            };
            let pool = pools.entry(ask.target.clone()).or_default();
            place(pool, ask, &shared);
        }
    }
}

/// What every connection needs.
pub(super) struct Shared {
    pub(super) engine: EngineHandle,
    tls: ClientTls,
    /// How long an answer over TCP or TLS is waited for.
    answer_max: Duration,
    again: mpsc::Sender<StreamAsk>,
}

impl Shared {
    /// Hands an answer to the engine; its queue is never waited for, the engine asks again.
    pub(super) fn answer(&self, ask: AskId, from: SocketAddr, bytes: Vec<u8>) {
        let _ = self.engine.send(Inbound::Answer { ask, from, bytes });
    }

    pub(super) fn fail(&self, ask: AskId) {
        let _ = self.engine.send(Inbound::AskFailed { ask });
    }

    /// A connection has ended under a question: it is asked once more on another.
    pub(super) fn move_or_fail(&self, mut ask: StreamAsk) {
        let id = ask.ask;
        if ask.was_moved {
            return self.fail(id);
        }
        ask.was_moved = true;
        if self.again.try_send(ask).is_err() {
            self.fail(id);
        }
    }
}

/// The dispatcher's end of a connection.
struct Connection {
    queue: mpsc::Sender<StreamAsk>,
    in_flight: Rc<Cell<usize>>,
}

/// Gives a question to the least busy connection, or to a new one.
fn place(pool: &mut Vec<Connection>, ask: StreamAsk, shared: &Rc<Shared>) {
    pool.retain(|connection| !connection.queue.is_closed());
    let best = pool.iter().min_by_key(|connection| connection.in_flight.get());
    let has_room = |connection: &&Connection| {
        connection.in_flight.get() < IN_FLIGHT_SHARE
            || (pool.len() >= CONNECTIONS_EACH_MAX && connection.in_flight.get() < IN_FLIGHT_MAX)
    };
    let ask = match best.filter(has_room) {
        Some(connection) => match connection.give(ask) {
            Ok(()) => return,
            Err(ask) => ask,
        },
        None => ask,
    };
    if pool.len() >= CONNECTIONS_EACH_MAX {
        return shared.fail(ask.ask);
    }
    let connection = open(ask.target.clone(), shared);
    if let Err(ask) = connection.give(ask) {
        shared.fail(ask.ask);
    }
    pool.push(connection);
}

impl Connection {
    fn give(&self, ask: StreamAsk) -> Result<(), StreamAsk> {
        self.queue.try_send(ask).map_err(|error| match error {
            mpsc::error::TrySendError::Full(ask) | mpsc::error::TrySendError::Closed(ask) => ask,
        })?;
        self.in_flight.set(self.in_flight.get() + 1);
        Ok(())
    }
}

fn open(target: Target, shared: &Rc<Shared>) -> Connection {
    let (sender, mut queue) = mpsc::channel(IN_FLIGHT_MAX);
    let in_flight = Rc::new(Cell::new(0));
    let (shared, counted) = (Rc::clone(shared), Rc::clone(&in_flight));
    tokio::task::spawn_local(async move {
        let ended = match &target.protocol {
            Protocol::Https { .. } => {
                let connected = timeout(CONNECT_MAX, connect_tls(&target, &shared.tls)).await;
                match flatten(connected) {
                    Ok(stream) => ask_https::run(stream, &target, &mut queue, &shared, &counted, IDLE_MAX).await,
                    Err(error) => Err(error),
                }
            }
            Protocol::Tls { .. } => {
                let connected = timeout(CONNECT_MAX, connect_tls(&target, &shared.tls)).await;
                match flatten(connected) {
                    Ok(stream) => run(stream, &target, &mut queue, &shared, &counted).await,
                    Err(error) => Err(error),
                }
            }
            Protocol::Tcp => match flatten(timeout(CONNECT_MAX, connect(target.address)).await) {
                Ok(stream) => run(stream, &target, &mut queue, &shared, &counted).await,
                Err(error) => Err(error),
            },
        };
        if let Err(error) = &ended {
            tracing::debug!(%error, upstream = %target.address, "a connection to an upstream has failed");
        }
        // What was given to a connection that never stood, or that is closing, goes elsewhere.
        queue.close();
        while let Ok(ask) = queue.try_recv() {
            if ended.is_err() { shared.fail(ask.ask) } else { shared.move_or_fail(ask) }
        }
    });
    Connection { queue: sender, in_flight }
}

fn flatten<T>(result: Result<io::Result<T>, tokio::time::error::Elapsed>) -> io::Result<T> {
    result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect_tls(target: &Target, tls: &ClientTls) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let (name, settings) = match &target.protocol {
        Protocol::Tls { server_name } => (server_name, &tls.dot),
        Protocol::Https { server_name, .. } => (server_name, &tls.doh),
        Protocol::Tcp => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let name = ServerName::try_from(name.clone()).map_err(io::Error::other)?;
    let stream = connect(target.address).await?;
    TlsConnector::from(Arc::clone(settings)).connect(name, stream).await
}

/// Questions in flight on one connection, by the id they have there.
struct Flights {
    asks: HashMap<u16, (StreamAsk, Instant)>,
    next_id: u16,
}

impl Flights {
    /// An id that nothing in flight has.
    fn add(&mut self, ask: StreamAsk, until: Instant) -> Option<u16> {
        if self.asks.len() >= IN_FLIGHT_MAX {
            return None;
        }
        while self.asks.contains_key(&self.next_id) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.asks.insert(id, (ask, until));
        Some(id)
    }
}

/// Moves questions and answers until the connection ends, or nothing was asked for a while (`Ok`).
async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    target: &Target,
    queue: &mut mpsc::Receiver<StreamAsk>,
    shared: &Shared,
    in_flight: &Cell<usize>,
) -> io::Result<()> {
    let flights = RefCell::new(Flights { asks: HashMap::new(), next_id: 0 });
    let (mut reader, mut writer) = tokio::io::split(stream);
    let write = async {
        let mut out = Vec::new();
        loop {
            let idle = Instant::now() + IDLE_MAX;
            let first = match timeout_at(idle, queue.recv()).await {
                Ok(Some(first)) => first,
                Err(_) if !flights.borrow().asks.is_empty() => continue,
                Ok(None) | Err(_) => return io::Result::Ok(()),
            };
            out.clear();
            let mut next = Some(first);
            while let Some(ask) = next {
                frame(ask, &mut flights.borrow_mut(), &mut out, shared);
                next = queue.try_recv().ok();
            }
            flatten(timeout(ANSWER_MAX, writer.write_all(&out)).await)?;
            flatten(timeout(ANSWER_MAX, writer.flush()).await)?;
        }
    };
    let read = async {
        let mut answers = MessageStream::new();
        let (mut last_read, mut looked) = (Instant::now(), Instant::now());
        let look_interval = shared.answer_max / LOOKS;
        loop {
            let count = timeout(look_interval, reader.read_buf(answers.room(READ_BYTES))).await;
            match count {
                Ok(Ok(0)) => return io::Result::Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Ok(_)) => last_read = Instant::now(),
                Ok(Err(error)) => return Err(error),
                Err(_) => {}
            }
            while let Some(bytes) = answers.next_message() {
                deliver(bytes.to_vec(), &flights, target.address, shared, in_flight);
            }
            if looked.elapsed() >= look_interval {
                looked = Instant::now();
                // Nobody is at the other end any more, however long the system goes on trying.
                if expire(&flights, shared, in_flight, last_read) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
    };
    let ended = tokio::select! {
        ended = write => ended,
        ended = read => ended,
    };
    let unanswered = std::mem::take(&mut flights.borrow_mut().asks);
    for (ask, _) in unanswered.into_values() {
        shared.move_or_fail(ask);
    }
    // An end that the other side chose is nothing to complain about.
    match ended {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        other => other,
    }
}

/// Adds a question with the length before it (RFC 1035 section 4.2.2) and the id it has on this connection.
fn frame(ask: StreamAsk, flights: &mut Flights, out: &mut Vec<u8>, shared: &Shared) {
    let (at, id) = (out.len(), ask.ask);
    if !append_message(out, &ask.bytes) {
        return shared.fail(id);
    }
    let Some(own) = flights.add(ask, Instant::now() + shared.answer_max) else {
        out.truncate(at);
        return shared.fail(id);
    };
    if let Some(to) = out.get_mut(at + 2..at + 4) {
        to.copy_from_slice(&own.to_be_bytes());
    }
}

/// Puts the engine's id back and hands the answer over; an answer nobody asked for is dropped.
fn deliver(mut bytes: Vec<u8>, flights: &RefCell<Flights>, from: SocketAddr, shared: &Shared, in_flight: &Cell<usize>) {
    let Some(id) = bytes.first_chunk::<2>().map(|id| u16::from_be_bytes(*id)) else { return };
    let Some((ask, _)) = flights.borrow_mut().asks.remove(&id) else { return };
    in_flight.set(in_flight.get().saturating_sub(1));
    if let (Some(to), Some(own)) = (bytes.first_chunk_mut::<2>(), ask.bytes.first_chunk::<2>()) {
        *to = *own;
    }
    shared.answer(ask.ask, from, bytes);
}

/// Gives up what was asked too long ago; true when nothing at all was read since something of it was asked.
fn expire(flights: &RefCell<Flights>, shared: &Shared, in_flight: &Cell<usize>, last_read: Instant) -> bool {
    let now = Instant::now();
    let mut is_silent = false;
    flights.borrow_mut().asks.retain(|_, (ask, until)| {
        let is_over = *until <= now;
        if is_over {
            in_flight.set(in_flight.get().saturating_sub(1));
            shared.fail(ask.ask);
            is_silent |= *until >= last_read + shared.answer_max;
        }
        !is_over
    });
    is_silent
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        thread,
    };

    use super::*;
    use crate::{clock::instant, dns::inbox::Inbox};

    /// In place of [`ANSWER_MAX`].
    const SHORT: Duration = Duration::from_millis(500);
    const MESSAGE: [u8; 14] = [0, 12, 0x12, 0x34, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// A thread of upstream connections, and the end of the queue that an engine would read.
    struct Rig {
        asks: StreamAsks,
        inbox: Inbox,
        target: Target,
        stop: Arc<AtomicBool>,
        thread: Option<thread::JoinHandle<()>>,
    }

    impl Rig {
        fn new(upstream: SocketAddr) -> Self {
            let (handle, inbox) = Inbox::new().unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let (asks, mut thread) = StreamAskThread::new(handle, ClientTls::load(None).unwrap(), Arc::clone(&stop));
            thread.answer_max = SHORT;
            let thread = Some(thread::spawn(move || thread.run().unwrap()));
            Self { asks, inbox, target: Target::tcp(upstream), stop, thread }
        }

        fn ask(&self, number: u64) -> bool {
            self.asks.ask(StreamAsk::new(AskId(number), self.target.clone(), MESSAGE[2..].to_vec()))
        }

        /// What comes within `limit`: the ask, and whether it was answered.
        fn next(&self, limit: Duration) -> Option<(u64, bool)> {
            let begin = instant();
            while begin.elapsed() < limit {
                match self.inbox.take() {
                    Some(Inbound::Answer { ask, .. }) => return Some((ask.0, true)),
                    Some(Inbound::AskFailed { ask }) => return Some((ask.0, false)),
                    _ => thread::park_timeout(Duration::from_millis(1)),
                }
            }
            None
        }
    }

    impl Drop for Rig {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Relaxed);
            let _ = self.thread.take().unwrap().join();
        }
    }

    /// Answers the messages for which `answers` says so, until the connection ends.
    fn respond(mut stream: TcpStream, mut answers: impl FnMut() -> bool) {
        let mut message = MESSAGE;
        while stream.read_exact(&mut message).is_ok() {
            if answers() && stream.write_all(&message).is_err() {
                return;
            }
        }
    }

    /// A firewall that forgot the connection, an upstream that hangs: the next question goes over another connection soon,
    /// not after the quarter of an hour that the system tries.
    #[test]
    fn a_connection_that_says_nothing_any_more_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rig = Rig::new(listener.local_addr().unwrap());
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut left = 1;
                thread::spawn(move || {
                    respond(stream.unwrap(), || {
                        left -= 1;
                        number > 0 || left >= 0
                    });
                });
            }
        });
        assert!(rig.ask(1));
        assert_eq!(rig.next(Duration::from_secs(5)), Some((1, true)));
        assert!(rig.ask(2));
        let begin = instant();
        assert_eq!(rig.next(Duration::from_secs(9)), Some((2, false)), "given up");
        assert!(begin.elapsed() >= SHORT);
        thread::park_timeout(SHORT);
        assert!(rig.ask(3));
        assert_eq!(rig.next(Duration::from_secs(4)), Some((3, true)), "over a new connection");
    }

    /// An upstream that leaves out each tenth question: those are given up while others are answered, and take no room for
    /// ever.
    #[test]
    fn questions_left_out_on_a_busy_connection_are_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let (handle, inbox) = Inbox::new().unwrap();
            let (again, _moved) = mpsc::channel(1);
            let shared = Shared { engine: handle, tls: ClientTls::load(None).unwrap(), answer_max: 2 * SHORT, again };
            let target = Target::tcp("192.0.2.53:53".parse().unwrap());
            let (near, mut far) = tokio::io::duplex(1 << 16);
            let (sender, mut queue) = mpsc::channel(IN_FLIGHT_MAX);
            let in_flight = Rc::new(Cell::new(0));
            let upstream = async move {
                let mut message = MESSAGE;
                let mut count = 0_u64;
                while far.read_exact(&mut message).await.is_ok() {
                    count += 1;
                    if !count.is_multiple_of(10) && far.write_all(&message).await.is_err() {
                        return;
                    }
                }
            };
            tokio::task::spawn_local(upstream);
            let asked = Rc::clone(&in_flight);
            let (to, ask_target) = (sender, target.clone());
            let crowd = async move {
                let mut answered = 0;
                // Twice what one connection holds is left out.
                for number in 0..2 * 10 * IN_FLIGHT_MAX as u64 {
                    asked.set(asked.get() + 1);
                    let ask = StreamAsk::new(AskId(number), ask_target.clone(), MESSAGE[2..].to_vec());
                    assert!(to.send(ask).await.is_ok(), "the connection goes on");
                    if number % 4 == 0 {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                    while let Some(inbound) = inbox.take() {
                        match inbound {
                            Inbound::Answer { .. } => answered += 1,
                            Inbound::AskFailed { ask } => assert_eq!(ask.0 % 10, 9, "only what was left out"),
                            _ => {}
                        }
                    }
                }
                answered
            };
            tokio::select! {
                answered = crowd => assert!(answered > 4_500, "{answered}"),
                ended = run(near, &target, &mut queue, &shared, &in_flight) => panic!("{ended:?}"),
            }
        });
    }

    #[test]
    fn ids_on_a_connection_are_told_apart_until_it_is_full() {
        let mut flights = Flights { asks: HashMap::new(), next_id: u16::MAX - 3 };
        let target = Target::tcp("192.0.2.53:53".parse().unwrap());
        let ask = |number| StreamAsk::new(AskId(number), target.clone(), vec![7, 7]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _guard = runtime.enter();
        let ids: std::collections::BTreeSet<u16> =
            (0..IN_FLIGHT_MAX as u64).filter_map(|number| flights.add(ask(number), Instant::now())).collect();
        assert_eq!(ids.len(), IN_FLIGHT_MAX);
        assert_eq!(flights.add(ask(9_999), Instant::now()), None);
    }
}
