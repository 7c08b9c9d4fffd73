//! Clients over TCP, TLS and HTTPS: a thread for each core with a single-threaded runtime, listeners of its own, and
//! a task for each connection.
//!
//! A connection is read while its earlier queries are being answered, and answers leave as they come, in any order
//! (RFC 7766 section 6.2.1.1). Everything has a limit: connections, queries in flight, silence, the time a message may
//! take to arrive, and the time a client may take to read.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BytesMut};
use dns::Transport;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    task::LocalSet,
    time::{Instant, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    clients_https,
    connections::{Connections, Permit},
    inbox::{EngineHandle, Inbound, ReplyTo},
    tls::ServerTls,
};

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
    pub(crate) engine: EngineHandle,
    pub(crate) connections: Arc<Connections>,
    pub(crate) stop: Arc<AtomicBool>,
}

/// What every connection needs.
pub(super) struct Shared {
    pub(super) engine: EngineHandle,
    pub(super) connections: Arc<Connections>,
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
        LocalSet::new().block_on(&runtime, self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let Self { tcp, tls, https, certificate, renews, engine, connections, stop } = self;
        let shared = Rc::new(Shared { engine, connections });
        let dot = certificate.as_ref().map(|tls| Kind::Tls(TlsAcceptor::from(Arc::clone(&tls.dot))));
        let doh = certificate.as_ref().map(|tls| Kind::Https(TlsAcceptor::from(Arc::clone(&tls.doh))));
        for (listeners, kind) in [(tcp, Some(Kind::Tcp)), (tls, dot), (https, doh)] {
            let Some(kind) = kind else { continue };
            for listener in listeners {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::task::spawn_local(accept(listener, kind.clone(), Rc::clone(&shared)));
            }
        }
        if let (true, Some(certificate)) = (renews, certificate) {
            tokio::task::spawn_local(renew(certificate));
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

async fn accept(listener: tokio::net::TcpListener, kind: Kind, shared: Rc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let Some(permit) = shared.connections.admit(address.ip()) else { continue };
                let (kind, shared) = (kind.clone(), Rc::clone(&shared));
                tokio::task::spawn_local(serve(stream, address, kind, shared, permit));
            }
            // Out of descriptors, or the client was gone already: the next may do.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, address: SocketAddr, kind: Kind, shared: Rc<Shared>, _permit: Permit) {
    let _ = stream.set_nodelay(true);
    match kind {
        Kind::Tcp => serve_messages(stream, address, &shared, None).await,
        Kind::Tls(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                serve_messages(stream, address, &shared, Some(&shared.connections.queries_tls)).await;
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
    counter: Option<&AtomicU64>,
) {
    let (answers, mut waiting) = mpsc::channel::<Vec<u8>>(IN_FLIGHT_MAX);
    let mut buffer = BytesMut::new();
    let mut out = Vec::new();
    let mut in_flight = 0_usize;
    let mut is_open = true;
    let mut until = Instant::now() + shared.connections.idle();
    loop {
        while in_flight < IN_FLIGHT_MAX
            && let Some(bytes) = unframe(&mut buffer)
        {
            let reply_to = ReplyTo::Stream(answers.clone());
            let query = Inbound::Query { from: address, transport: Transport::Tcp, reply_to, bytes };
            if shared.engine.put(query).is_err() {
                return;
            }
            if let Some(counter) = counter {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            in_flight += 1;
            until = Instant::now() + shared.connections.idle();
        }
        shared.engine.wake();
        if !out.is_empty() {
            if !matches!(timeout(WRITE_MAX, write(&mut stream, &out)).await, Ok(Ok(()))) {
                return;
            }
            out.clear();
        }
        if !is_open && in_flight == 0 {
            return;
        }
        let may_read = is_open && in_flight < IN_FLIGHT_MAX;
        tokio::select! {
            Some(answer) = waiting.recv() => {
                in_flight = in_flight.saturating_sub(1);
                frame(&answer, &mut out);
                while out.len() < WRITE_BYTES && let Ok(answer) = waiting.try_recv() {
                    in_flight = in_flight.saturating_sub(1);
                    frame(&answer, &mut out);
                }
                until = Instant::now() + shared.connections.idle();
            }
            read = read(&mut stream, &mut buffer), if may_read => match read {
                // A client may close its side and still read answers that are on their way (half close).
                Ok(0) => {
                    is_open = false;
                    until = Instant::now() + HALF_CLOSED_MAX;
                }
                // A message that has begun must be whole soon, however its octets drip.
                Ok(count) if count == buffer.len() => until = Instant::now() + MESSAGE_MAX,
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

/// Reads what is there; room is made for the message that has begun, and no more.
async fn read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut BytesMut) -> io::Result<usize> {
    let wanted = buffer.first_chunk::<2>().map_or(0, |length| usize::from(u16::from_be_bytes(*length)) + 2);
    buffer.reserve(wanted.saturating_sub(buffer.len()).max(READ_BYTES));
    stream.read_buf(buffer).await
}

/// The next whole message (RFC 1035 section 4.2.2).
fn unframe(buffer: &mut BytesMut) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(*buffer.first_chunk()?));
    if buffer.len() < length + 2 {
        return None;
    }
    buffer.advance(2);
    Some(buffer.split_to(length).to_vec())
}

fn frame(answer: &[u8], out: &mut Vec<u8>) {
    let Ok(length) = u16::try_from(answer.len()) else { return };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(answer);
}
