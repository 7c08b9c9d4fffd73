//! The DNS thread: one engine in a single-threaded runtime, its clients over UDP and TCP, its upstreams over
//! sockets of their own, so that every question leaves from a fresh random port (RFC 5452 section 4.5).

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dns::{AskId, ClientRef, Effect, Engine, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, mpsc},
    task::{AbortHandle, LocalSet},
    time::timeout,
};

use crate::{clock::Clock, dhcp_service::NameChange};

/// TCP clients at one time; more are closed at once.
const CONNECTIONS_MAX: usize = 1_024;
/// Answers that may wait for a TCP client to read; beyond it the client is cut off.
const ANSWERS_WAITING_MAX: usize = 128;
/// A TCP client that says nothing for so long is closed (RFC 7766 section 6.2.3).
const IDLE_MAX: Duration = Duration::from_secs(10);
/// An upstream's TCP connection is given up after this.
const UPSTREAM_TCP_MAX: Duration = Duration::from_secs(4);
/// Answers still on their way when a client has closed its side are written for so long.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(1);
const INBOX_MAX: usize = 4_096;
const DATAGRAM_BYTES_MAX: usize = 4_096;
/// Datagrams taken from one socket before the others have their turn.
const TURN_MAX: usize = 128;
const STOP_INTERVAL: Duration = Duration::from_millis(100);
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);

/// What the rest of the services may know of DNS.
#[derive(Clone, Debug, Default)]
pub(crate) struct DnsView {
    pub(crate) counters: dns::Counters,
    pub(crate) cache_entries: u64,
    pub(crate) cache_bytes: u64,
    /// Address, healthy.
    pub(crate) upstreams: Vec<(SocketAddr, bool)>,
    pub(crate) connections_refused: u64,
    pub(crate) send_errors: u64,
}

enum Inbound {
    Query { client: ClientRef, bytes: Vec<u8> },
    Connected { token: u64, answers: mpsc::Sender<Vec<u8>> },
    Disconnected { token: u64 },
    Answer { ask: AskId, from: SocketAddr, bytes: Vec<u8> },
    AskFailed { ask: AskId },
}

pub(crate) struct DnsService {
    pub(crate) engine: Engine,
    pub(crate) udp: Vec<std::net::UdpSocket>,
    pub(crate) tcp: Vec<std::net::TcpListener>,
    pub(crate) clock: Clock,
    pub(crate) names: mpsc::Receiver<NameChange>,
    pub(crate) view: Arc<Mutex<DnsView>>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl DnsService {
    /// Serves until told to stop.
    pub(crate) fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let Self { engine, udp, tcp, clock, mut names, view, stop } = self;
        let (inbox_sender, mut inbox) = mpsc::channel(INBOX_MAX);
        let udp: Vec<Rc<UdpSocket>> =
            udp.into_iter().map(|socket| UdpSocket::from_std(socket).map(Rc::new)).collect::<io::Result<_>>()?;
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let refused = Rc::new(std::cell::Cell::new(0_u64));
        let mut token = udp.len() as u64;
        let (accepted_sender, mut accepted) = mpsc::channel(16);
        for listener in tcp {
            tokio::task::spawn_local(accept(TcpListener::from_std(listener)?, accepted_sender.clone()));
        }
        let mut loop_state = Loop {
            engine,
            udp: udp.clone(),
            clients: HashMap::new(),
            asks: HashMap::new(),
            inbox: inbox_sender.clone(),
            send_errors: 0,
        };
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let mut publish = tokio::time::interval(PUBLISH_INTERVAL);
        publish.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.load(Ordering::Relaxed) {
            let wait = loop_state.engine.deadline().map_or(STOP_INTERVAL, |at| clock.wall_until(at).min(STOP_INTERVAL));
            tokio::select! {
                index = readable(&udp) => loop_state.receive(index, &clock, &mut buffer),
                Some(inbound) = inbox.recv() => {
                    loop_state.take(inbound, &clock);
                    for _ in 0..TURN_MAX {
                        let Ok(inbound) = inbox.try_recv() else { break };
                        loop_state.take(inbound, &clock);
                    }
                }
                Some(change) = names.recv() => {
                    loop_state.rename(change, &clock);
                    while let Ok(change) = names.try_recv() {
                        loop_state.rename(change, &clock);
                    }
                }
                Some((stream, address)) = accepted.recv() => match connections.clone().try_acquire_owned() {
                    Ok(permit) => {
                        token += 1;
                        let client = ClientRef { address, transport: Transport::Tcp, token };
                        let inbox = inbox_sender.clone();
                        tokio::task::spawn_local(async move {
                            serve_connection(stream, client, inbox).await;
                            drop(permit);
                        });
                    }
                    Err(_) => refused.set(refused.get() + 1),
                },
                _ = publish.tick() => loop_state.publish(&view, refused.get()),
                () = tokio::time::sleep(wait) => {}
            }
            loop_state.engine.on_deadline(clock.now());
            loop_state.take_effects();
        }
        loop_state.publish(&view, refused.get());
        Ok(())
    }
}

/// The index of the first socket that can be read.
async fn readable(sockets: &[Rc<UdpSocket>]) -> usize {
    std::future::poll_fn(|context| {
        sockets
            .iter()
            .position(|socket| socket.poll_recv_ready(context).is_ready())
            .map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

async fn accept(listener: TcpListener, accepted: mpsc::Sender<(TcpStream, SocketAddr)>) {
    loop {
        match listener.accept().await {
            Ok(connection) => {
                if accepted.send(connection).await.is_err() {
                    return;
                }
            }
            // Out of descriptors, or the client was gone already: the next may do.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

struct Loop {
    engine: Engine,
    udp: Vec<Rc<UdpSocket>>,
    clients: HashMap<u64, mpsc::Sender<Vec<u8>>>,
    asks: HashMap<AskId, AbortHandle>,
    inbox: mpsc::Sender<Inbound>,
    send_errors: u64,
}

impl Loop {
    fn receive(&mut self, index: usize, clock: &Clock, buffer: &mut [u8]) {
        let Some(socket) = self.udp.get(index).cloned() else { return };
        let now = clock.now();
        for _ in 0..TURN_MAX {
            match socket.try_recv_from(buffer) {
                Ok((count, address)) => {
                    let client = ClientRef { address, transport: Transport::Udp, token: index as u64 };
                    self.engine.on_query(now, client, buffer.get(..count).unwrap_or_default());
                    self.take_effects();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error of an earlier answer; the next datagram is not concerned.
                Err(_) => self.send_errors += 1,
            }
        }
    }

    fn take(&mut self, inbound: Inbound, clock: &Clock) {
        let now = clock.now();
        match inbound {
            Inbound::Query { client, bytes } => self.engine.on_query(now, client, &bytes),
            Inbound::Connected { token, answers } => {
                self.clients.insert(token, answers);
            }
            Inbound::Disconnected { token } => {
                self.clients.remove(&token);
            }
            Inbound::Answer { ask, from, bytes } => self.engine.on_answer(now, ask, from, &bytes),
            Inbound::AskFailed { ask } => self.engine.on_ask_failed(now, ask),
        }
    }

    fn rename(&mut self, change: NameChange, clock: &Clock) {
        match change {
            NameChange::Set(name, address, expires) => {
                self.engine.set_client_name(clock.now(), &name, address, expires);
            }
            NameChange::Remove(address) => self.engine.remove_client_name(address),
        }
    }

    fn take_effects(&mut self) {
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Respond { client, bytes } => self.respond(client, bytes),
                Effect::Ask { ask, upstream, transport, bytes } => {
                    let inbox = self.inbox.clone();
                    let task = match transport {
                        Transport::Udp => tokio::task::spawn_local(ask_udp(ask, upstream, bytes, inbox)),
                        Transport::Tcp => tokio::task::spawn_local(ask_tcp(ask, upstream, bytes, inbox)),
                    };
                    if let Some(earlier) = self.asks.insert(ask, task.abort_handle()) {
                        earlier.abort();
                    }
                }
                Effect::Forget { ask } => {
                    if let Some(task) = self.asks.remove(&ask) {
                        task.abort();
                    }
                }
            }
        }
    }

    fn respond(&mut self, client: ClientRef, bytes: Vec<u8>) {
        match client.transport {
            Transport::Udp => {
                let socket = usize::try_from(client.token).ok().and_then(|index| self.udp.get(index));
                if socket.is_some_and(|socket| socket.try_send_to(&bytes, client.address).is_err()) {
                    self.send_errors += 1;
                }
            }
            // A client that does not read its answers is cut off when its queue is full.
            Transport::Tcp => {
                if self.clients.get(&client.token).is_some_and(|answers| answers.try_send(bytes).is_err()) {
                    self.clients.remove(&client.token);
                }
            }
        }
    }

    fn publish(&self, view: &Mutex<DnsView>, connections_refused: u64) {
        let (cache_entries, cache_bytes) = self.engine.cache_use();
        let view_now = DnsView {
            counters: *self.engine.counters(),
            cache_entries: cache_entries as u64,
            cache_bytes: cache_bytes as u64,
            upstreams: self.engine.upstreams().map(|upstream| (upstream.address, upstream.healthy)).collect(),
            connections_refused,
            send_errors: self.send_errors,
        };
        *view.lock().unwrap_or_else(PoisonError::into_inner) = view_now;
    }
}

/// Reads queries of one TCP client and writes its answers as they come, in any order (RFC 7766 section 7).
async fn serve_connection(stream: TcpStream, client: ClientRef, inbox: mpsc::Sender<Inbound>) {
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let (answers, mut waiting) = mpsc::channel::<Vec<u8>>(ANSWERS_WAITING_MAX);
    if inbox.send(Inbound::Connected { token: client.token, answers }).await.is_err() {
        return;
    }
    let write = async {
        while let Some(answer) = waiting.recv().await {
            let Ok(length) = u16::try_from(answer.len()) else { continue };
            let mut framed = Vec::with_capacity(answer.len() + 2);
            framed.extend_from_slice(&length.to_be_bytes());
            framed.extend_from_slice(&answer);
            if !matches!(timeout(IDLE_MAX, writer.write_all(&framed)).await, Ok(Ok(()))) {
                return;
            }
        }
    };
    let read = async {
        loop {
            let mut length = [0; 2];
            if !matches!(timeout(IDLE_MAX, reader.read_exact(&mut length)).await, Ok(Ok(_))) {
                return;
            }
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
            if !matches!(timeout(IDLE_MAX, reader.read_exact(&mut bytes)).await, Ok(Ok(_))) {
                return;
            }
            if inbox.send(Inbound::Query { client, bytes }).await.is_err() {
                return;
            }
        }
    };
    // A client may close its side and still read answers that are on their way (half close).
    tokio::pin!(write);
    tokio::select! {
        () = &mut write => {}
        () = read => {
            let _ = timeout(HALF_CLOSED_MAX, &mut write).await;
        }
    }
    let _ = inbox.send(Inbound::Disconnected { token: client.token }).await;
}

async fn ask_udp(ask: AskId, upstream: SocketAddr, bytes: Vec<u8>, inbox: mpsc::Sender<Inbound>) {
    let any: IpAddr = if upstream.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let sent = async {
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(upstream).await?;
        socket.send(&bytes).await?;
        io::Result::Ok(socket)
    };
    let Ok(socket) = sent.await else {
        let _ = inbox.send(Inbound::AskFailed { ask }).await;
        return;
    };
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    // Until the engine forgets the question: a wrong answer must not end the wait for the right one.
    loop {
        let inbound = match socket.recv(&mut buffer).await {
            Ok(count) => {
                Inbound::Answer { ask, from: upstream, bytes: buffer.get(..count).unwrap_or_default().to_vec() }
            }
            Err(_) => Inbound::AskFailed { ask },
        };
        let failed = matches!(inbound, Inbound::AskFailed { .. });
        if inbox.send(inbound).await.is_err() || failed {
            return;
        }
    }
}

async fn ask_tcp(ask: AskId, upstream: SocketAddr, bytes: Vec<u8>, inbox: mpsc::Sender<Inbound>) {
    let exchange = async {
        let mut stream = TcpStream::connect(upstream).await?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&bytes);
        stream.write_all(&framed).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let inbound = match timeout(UPSTREAM_TCP_MAX, exchange).await {
        Ok(Ok(bytes)) => Inbound::Answer { ask, from: upstream, bytes },
        Ok(Err(_)) | Err(_) => Inbound::AskFailed { ask },
    };
    let _ = inbox.send(inbound).await;
}
