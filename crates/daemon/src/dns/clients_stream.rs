//! Clients over TCP, TLS and HTTPS: a thread for each core with a single-threaded runtime, listeners of its own, and
//! a task for each connection.
//!
//! A connection is read while its earlier queries are being answered, and answers leave as they come, in any order
//! (RFC 7766 section 6.2.1.1). Everything has a limit: connections, queries in flight, silence, the time a message may
//! take to arrive, and the time a client may take to read.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dns::{MessageStream, Transport, Verdict, append_message};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    client_worker::ClientWorker,
    clients_https,
    connections::{Connections, Permit},
    inbox::{EngineHandle, Inbound, ReplyTo},
    tls::ServerTls,
};
use crate::clock::Clock;

/// Queries of one connection in flight; reading stops until answers have left.
const IN_FLIGHT_MAX: usize = 128;
/// What a TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// What a message may take from its first octet to its last.
const MESSAGE_MAX: Duration = Duration::from_secs(5);
/// What a client may take to read what is sent to it.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// Answers still on their way when a client has closed its side are written for so long.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(5);
/// Octets read at a time; grows to the length of one message.
const READ_BYTES: usize = 2_048;
/// Octets gathered before they are written.
const WRITE_BYTES: usize = 16 << 10;
const STOP_INTERVAL: Duration = Duration::from_millis(100);
/// How often the certificate's files are looked at.
const RENEW_INTERVAL: Duration = Duration::from_secs(10);
/// Pause of a listener that cannot accept: out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// One thread's share of the connections.
pub(crate) struct StreamClients {
    pub(crate) tcp: Vec<TcpListener>,
    pub(crate) tls: Vec<TcpListener>,
    pub(crate) https: Vec<TcpListener>,
    pub(crate) certificate: Option<Arc<ServerTls>>,
    /// Looks after the certificate's files; one thread does.
    pub(crate) renews: bool,
    pub(crate) worker: ClientWorker,
    pub(crate) clock: Clock,
    pub(crate) engine: EngineHandle,
    pub(crate) connections: Arc<Connections>,
    pub(crate) stop: Arc<AtomicBool>,
}

/// What every connection of a thread needs.
pub(super) struct Shared {
    pub(super) engine: EngineHandle,
    pub(super) connections: Arc<Connections>,
    /// Never waited for: all tasks of a thread run on it, and none holds it while it waits.
    worker: Mutex<ClientWorker>,
    clock: Clock,
}

impl Shared {
    /// What becomes of a query without the engine; a reply is appended to `out`.
    pub(super) fn on_query(&self, from: SocketAddr, transport: Transport, bytes: &[u8], out: &mut Vec<u8>) -> Verdict {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = worker.on_query(self.clock.now(), from, transport, bytes, out);
        worker.publish();
        verdict
    }
}

#[derive(Clone)]
enum Kind {
    Tcp,
    Tls(TlsAcceptor),
    Https(TlsAcceptor),
}

impl StreamClients {
    /// Serves until told to stop.
    pub(crate) fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Tasks could be local to the thread, but each wake-up of a `LocalSet` costs a write to the runtime's own event
        // descriptor, two for every connection.
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let Self { tcp, tls, https, certificate, renews, worker, clock, engine, connections, stop } = self;
        let shared = Arc::new(Shared { engine, connections, worker: Mutex::new(worker), clock });
        let dot = certificate.as_ref().map(|tls| Kind::Tls(TlsAcceptor::from(Arc::clone(&tls.dot))));
        let doh = certificate.as_ref().map(|tls| Kind::Https(TlsAcceptor::from(Arc::clone(&tls.doh))));
        for (listeners, kind) in [(tcp, Some(Kind::Tcp)), (tls, dot), (https, doh)] {
            let Some(kind) = kind else { continue };
            for listener in listeners {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::task::spawn(accept(listener, kind.clone(), Arc::clone(&shared)));
            }
        }
        if let (true, Some(certificate)) = (renews, certificate) {
            tokio::task::spawn(renew(certificate));
        }
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(STOP_INTERVAL).await;
        }
        Ok(())
    }
}

async fn renew(certificate: Arc<ServerTls>) {
    loop {
        tokio::time::sleep(RENEW_INTERVAL).await;
        match certificate.renew() {
            Ok(true) => tracing::info!("the certificate of DNS has changed and is in use"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the new certificate of DNS cannot be used; the old one stays"),
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, kind: Kind, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let Some(permit) = shared.connections.admit(address.ip()) else { continue };
                let (kind, shared) = (kind.clone(), Arc::clone(&shared));
                tokio::task::spawn(serve(stream, address, kind, shared, permit));
            }
            // Out of descriptors, or the client was gone already: the next may do.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, address: SocketAddr, kind: Kind, shared: Arc<Shared>, _permit: Permit) {
    let _ = stream.set_nodelay(true);
    match kind {
        Kind::Tcp => serve_messages(stream, address, &shared, Transport::Tcp).await,
        Kind::Tls(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                serve_messages(stream, address, &shared, Transport::Tls).await;
            }
        }
        Kind::Https(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                clients_https::serve(stream, address, shared).await;
            }
        }
    }
}

/// Reads queries and writes answers until the client leaves, is silent, or is too slow.
async fn serve_messages<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    address: SocketAddr,
    shared: &Shared,
    transport: Transport,
) {
    let (answers, mut waiting) = mpsc::channel::<Vec<u8>>(IN_FLIGHT_MAX);
    let mut queries = MessageStream::new();
    let mut out = Vec::new();
    let mut in_flight = 0_usize;
    let mut is_open = true;
    let mut until = Instant::now() + shared.connections.idle();
    loop {
        while in_flight < IN_FLIGHT_MAX
            && let Some(bytes) = queries.next_message()
        {
            until = Instant::now() + shared.connections.idle();
            if answer_at_once(shared, address, transport, bytes, &mut out) {
                if out.len() >= WRITE_BYTES {
                    break;
                }
                continue;
            }
            let reply_to = ReplyTo::Stream(answers.clone());
            let query = Inbound::Query { from: address, transport, reply_to, bytes: bytes.to_vec() };
            if shared.engine.put(query).is_err() {
                return;
            }
            in_flight += 1;
        }
        shared.engine.wake();
        if !out.is_empty() {
            if !matches!(timeout(WRITE_MAX, write(&mut stream, &out)).await, Ok(Ok(()))) {
                return;
            }
            out.clear();
            if queries.has_message() {
                continue;
            }
        }
        if !is_open && in_flight == 0 {
            return;
        }
        let may_read = is_open && in_flight < IN_FLIGHT_MAX;
        tokio::select! {
            Some(answer) = waiting.recv() => {
                in_flight = in_flight.saturating_sub(1);
                append_message(&mut out, &answer);
                while out.len() < WRITE_BYTES && let Ok(answer) = waiting.try_recv() {
                    in_flight = in_flight.saturating_sub(1);
                    append_message(&mut out, &answer);
                }
                until = Instant::now() + shared.connections.idle();
            }
            read = stream.read_buf(queries.room(READ_BYTES)), if may_read => match read {
                // A client may close its side and still read answers that are on their way (half close).
                Ok(0) => {
                    is_open = false;
                    until = Instant::now() + HALF_CLOSED_MAX;
                }
                // A message that has begun must be whole soon, however its octets drip.
                Ok(count) if count == queries.len() => until = Instant::now() + MESSAGE_MAX,
                Ok(_) => {}
                Err(_) => return,
            },
            () = tokio::time::sleep_until(until) => return,
        }
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, octets: &[u8]) -> io::Result<()> {
    stream.write_all(octets).await?;
    stream.flush().await
}

/// Answers what needs nobody else, with its length in front (RFC 1035 section 4.2.2); false when the engine must.
fn answer_at_once(shared: &Shared, address: SocketAddr, transport: Transport, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let begin = out.len();
    out.extend_from_slice(&[0, 0]);
    let verdict = shared.on_query(address, transport, bytes, out);
    match (verdict, u16::try_from(out.len() - begin - 2)) {
        (Verdict::Reply | Verdict::ReplyAndRefresh, Ok(length)) => {
            out[begin..begin + 2].copy_from_slice(&length.to_be_bytes());
        }
        _ => out.truncate(begin),
    }
    verdict != Verdict::Slow
}
