//! One connection to an upstream by DNS over HTTPS (RFC 8484): POST requests side by side on HTTP/2.

use std::{cell::Cell, future::Future, io, net::SocketAddr, rc::Rc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http2::{self, SendRequest},
    header::{ACCEPT, CONTENT_TYPE},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_rustls::client::TlsStream;

use super::ask_stream::{ANSWER_MAX, IN_FLIGHT_MAX, Protocol, Shared, StreamAsk, Target};

/// Media type of a DNS message (RFC 8484 section 6).
pub(super) const MESSAGE: &str = "application/dns-message";
/// A connection that has nothing to say is asked whether it is still there; one that is not is left.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_MAX: Duration = Duration::from_secs(5);
/// Longest message.
const MESSAGE_BYTES_MAX: usize = 65_535;

/// Tasks of a connection stay on its thread.
#[derive(Clone, Copy)]
pub(super) struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// Sends requests until the connection ends, or nothing was asked for `idle` (`Ok`).
pub(super) async fn run(
    stream: TlsStream<TcpStream>,
    target: &Target,
    queue: &mut mpsc::Receiver<StreamAsk>,
    shared: &Rc<Shared>,
    in_flight: &Rc<Cell<usize>>,
    idle: Duration,
) -> io::Result<()> {
    let Protocol::Https { server_name, path } = &target.protocol else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other("the upstream does not speak HTTP/2"));
    }
    let uri = format!("https://{}{path}", authority(server_name, target.address));
    let (sender, connection) = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_MAX)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let driver = tokio::task::spawn_local(connection);
    loop {
        let Ok(Some(ask)) = timeout(idle, queue.recv()).await else {
            if in_flight.get() == 0 || queue.is_closed() {
                driver.abort();
                return Ok(());
            }
            continue;
        };
        if sender.is_closed() || in_flight.get() > IN_FLIGHT_MAX {
            shared.move_or_fail(ask);
            return Ok(());
        }
        let exchange = exchange(sender.clone(), uri.clone(), ask, target.address, Rc::clone(shared));
        let in_flight = Rc::clone(in_flight);
        tokio::task::spawn_local(async move {
            exchange.await;
            in_flight.set(in_flight.get().saturating_sub(1));
        });
    }
}

fn authority(server_name: &str, address: SocketAddr) -> String {
    let host = if server_name.contains(':') { format!("[{server_name}]") } else { server_name.to_owned() };
    if address.port() == 443 { host } else { format!("{host}:{}", address.port()) }
}

async fn exchange(sender: SendRequest<Full<Bytes>>, uri: String, ask: StreamAsk, from: SocketAddr, shared: Rc<Shared>) {
    match timeout(ANSWER_MAX, request(sender, uri, &ask)).await {
        Ok(Ok(bytes)) => shared.answer(ask.ask, from, bytes),
        // Refused by the server before it was looked at, or a connection that has ended: another may do.
        Ok(Err(Failure::Connection)) => shared.move_or_fail(ask),
        Ok(Err(Failure::Answer)) | Err(_) => shared.fail(ask.ask),
    }
}

enum Failure {
    /// The connection, not the answer.
    Connection,
    /// An answer that is not a DNS message.
    Answer,
}

async fn request(mut sender: SendRequest<Full<Bytes>>, uri: String, ask: &StreamAsk) -> Result<Vec<u8>, Failure> {
    let mut message = ask.bytes.clone();
    let id = message.first_chunk::<2>().copied().ok_or(Failure::Answer)?;
    // Id 0 lets caches on the way find the same question again (RFC 8484 section 4.1).
    message[..2].fill(0);
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(CONTENT_TYPE, MESSAGE)
        .header(ACCEPT, MESSAGE)
        .body(Full::new(Bytes::from(message)))
        .map_err(|_| Failure::Answer)?;
    sender.ready().await.map_err(|_| Failure::Connection)?;
    let response = sender.send_request(request).await.map_err(|_| Failure::Connection)?;
    let is_message = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == MESSAGE.as_bytes());
    if response.status() != StatusCode::OK || !is_message {
        return Err(Failure::Answer);
    }
    let body = Limited::new(response.into_body(), MESSAGE_BYTES_MAX).collect().await.map_err(|_| Failure::Answer)?;
    let mut bytes = body.to_bytes().to_vec();
    *bytes.first_chunk_mut::<2>().ok_or(Failure::Answer)? = id;
    Ok(bytes)
}
