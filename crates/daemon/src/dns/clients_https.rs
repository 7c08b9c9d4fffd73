//! Clients over HTTPS (RFC 8484): GET and POST of `/dns-query`, by HTTP/2 and HTTP/1.1.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use dns::{Transport, Verdict};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{Instant, timeout},
};
use tokio_rustls::server::TlsStream;

use super::{
    ask_https::MESSAGE,
    clients_stream::Shared,
    inbox::{Inbound, ReplyTo},
};

/// The path by which clients find us; DDR tells it (RFC 9462).
const PATH: &str = "/dns-query";
/// Requests of one connection at a time.
const STREAMS_MAX: u32 = 128;
/// Longest query; what is longer is no query.
const QUERY_BYTES_MAX: usize = 4_096;
/// Longest head of a request.
const HEAD_BYTES_MAX: u32 = 16 << 10;
/// What a request's head and body may take to arrive.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// Longer than the engine takes to answer anything.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// What requests in progress may take when a silent connection is closed.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Serves one connection until its client leaves or is silent.
pub(super) async fn serve(stream: TlsStream<TcpStream>, address: SocketAddr, shared: Arc<Shared>) {
    let last = Arc::new(LastUse(Mutex::new(Instant::now())));
    let (of_requests, connections) = (Arc::clone(&last), Arc::clone(&shared));
    let service = service_fn(move |request| {
        of_requests.set();
        let (shared, last) = (Arc::clone(&shared), Arc::clone(&of_requests));
        async move {
            let response = answer(request, address, &shared).await;
            last.set();
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(REQUEST_MAX).max_buf_size(HEAD_BYTES_MAX as usize);
    builder.http2().max_concurrent_streams(STREAMS_MAX).max_header_list_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    loop {
        let silent_at = last.get() + connections.connections.idle();
        tokio::select! {
            _ = connection.as_mut() => return,
            () = tokio::time::sleep_until(silent_at) => {
                if Instant::now() < last.get() + connections.connections.idle() {
                    continue;
                }
                connection.as_mut().graceful_shutdown();
                let _ = timeout(CLOSE_MAX, connection).await;
                return;
            }
        }
    }
}

/// When a connection was last used.
struct LastUse(Mutex<Instant>);

impl LastUse {
    fn set(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(request: Request<Incoming>, address: SocketAddr, shared: &Shared) -> Response<Full<Bytes>> {
    let query = match timeout(REQUEST_MAX, query(request)).await {
        Ok(Ok(query)) => query,
        Ok(Err(status)) => return refuse(status),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT),
    };
    let mut reply = Vec::new();
    match shared.on_query(address, Transport::Https, &query, &mut reply) {
        Verdict::Slow => {}
        // No DNS message at all: it was a response, or too short to be answered.
        Verdict::Drop => return refuse(StatusCode::BAD_REQUEST),
        Verdict::Reply | Verdict::ReplyAndRefresh => return respond(reply),
    }
    let (sender, receiver) = oneshot::channel();
    let reply_to = ReplyTo::Request(sender);
    let inbound = Inbound::Query { from: address, transport: Transport::Https, reply_to, bytes: query };
    if shared.engine.send(inbound).is_err() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE);
    }
    match timeout(ANSWER_MAX, receiver).await {
        Ok(Ok(bytes)) => respond(bytes),
        // The engine had no room for it, or ends.
        Ok(Err(_)) | Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// The DNS message in a request (RFC 8484 section 4.1).
async fn query(request: Request<Incoming>) -> Result<Vec<u8>, StatusCode> {
    if request.uri().path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    match *request.method() {
        Method::GET => {
            let parameters = request.uri().query().unwrap_or_default();
            of_parameters(parameters).ok_or(StatusCode::BAD_REQUEST)
        }
        Method::POST => {
            let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
            if kind != Some(MESSAGE.as_bytes()) {
                return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
            let body = Limited::new(request.into_body(), QUERY_BYTES_MAX).collect().await;
            Ok(body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes().to_vec())
        }
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// The value of `dns`, base64url without padding.
fn of_parameters(parameters: &str) -> Option<Vec<u8>> {
    let value = parameters.split('&').find_map(|parameter| parameter.strip_prefix("dns="))?;
    if value.len() > QUERY_BYTES_MAX * 4 / 3 + 4 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(value.trim_end_matches('=')).ok()
}

/// May be kept by caches for as long as the answer's shortest TTL (RFC 8484 section 5.1).
fn respond(bytes: Vec<u8>) -> Response<Full<Bytes>> {
    let lifetime = format!("max-age={}", shortest_ttl(&bytes).unwrap_or(0));
    let mut response = Response::new(Full::new(Bytes::from(bytes)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MESSAGE));
    if let Ok(lifetime) = HeaderValue::from_str(&lifetime) {
        headers.insert(CACHE_CONTROL, lifetime);
    }
    response
}

fn refuse(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

/// The shortest TTL of a message's answers, of all its records when it has none; `None` for no message.
fn shortest_ttl(message: &[u8]) -> Option<u32> {
    let number = |at: usize| Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?));
    let (questions, answers, authority) = (number(4)?, number(6)?, number(8)?);
    let mut at = 12;
    for _ in 0..questions {
        at = skip_name(message, at)? + 4;
    }
    let records = if answers > 0 { answers } else { authority };
    let mut shortest = None;
    for _ in 0..records {
        at = skip_name(message, at)?;
        let ttl = u32::from_be_bytes(*message.get(at + 4..)?.first_chunk()?);
        shortest = Some(shortest.map_or(ttl, |shortest: u32| shortest.min(ttl)));
        at += 10 + usize::from(number(at + 8)?);
    }
    shortest
}

/// The place after a name, which may end in a pointer (RFC 1035 section 4.1.4).
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_8484_section_4_1_1_is_read() {
        let query = of_parameters("dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB").unwrap();
        assert_eq!(query.len(), 33);
        assert_eq!(&query[13..16], b"www");
        assert_eq!(of_parameters("other=1&dns=AAAB"), Some(vec![0, 0, 1]));
        for bad in ["", "dns", "dns=!", "dns=AAA*"] {
            assert_eq!(of_parameters(bad), None, "{bad}");
        }
    }

    #[test]
    fn lifetimes_are_the_shortest_ttl() {
        let mut message = vec![0, 0, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        for ttl in [300_u32, 60] {
            message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
            message.extend_from_slice(&ttl.to_be_bytes());
            message.extend_from_slice(&[0, 4, 192, 0, 2, 1]);
        }
        assert_eq!(shortest_ttl(&message), Some(60));
        for cut in 0..message.len() {
            let _ = shortest_ttl(&message[..cut]);
        }
        assert_eq!(shortest_ttl(&message[..12]), None);
    }
}
