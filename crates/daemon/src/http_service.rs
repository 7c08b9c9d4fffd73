//! The HTTP listener: serves the routes it is handed, to a bounded number of connections, and no longer than somebody is there.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};

use crate::dns::{ConnectionLimits, Connections};

/// What a request's head may take to arrive, and how long a connection may be silent between two.
const HEAD_MAX: Duration = if cfg!(test) { Duration::from_secs(5) } else { Duration::from_secs(10) };
/// What was sent and is not taken in for so long ends the connection: the other side has gone, or does not read.
const UNREAD_MAX: Duration = Duration::from_secs(30);
/// A silent other side is asked so often whether it is still there, after as long.
const KEEPALIVE_S: u32 = 10;
/// Over all listeners.
const LIMITS: ConnectionLimits = ConnectionLimits { all: 1_024, each: 64, each_ipv6: 64 };
/// Pause of a listener that cannot accept: out of descriptors, or the client was gone already.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections of all HTTP listeners.
pub(crate) fn connections() -> Arc<Connections> {
    Arc::new(Connections::new(LIMITS))
}

/// Serves `routes` until the runtime ends. A page that follows by server-sent events may stay as long as it takes what it is
/// sent.
pub(crate) async fn serve(listener: TcpListener, routes: Router, connections: Arc<Connections>) {
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(place) = connections.admit(from.ip()) else { continue };
        let routes = routes.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(stream, routes).await {
                tracing::trace!(%error, %from, "an HTTP connection has ended");
            }
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, routes: Router) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    end_when_gone(&stream)?;
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .await?;
    Ok(())
}

/// The system ends the connection when the other side does not take what is sent, or is gone without a word.
fn end_when_gone(stream: &TcpStream) -> io::Result<()> {
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &KEEPALIVE_S)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &KEEPALIVE_S)?;
    setsockopt(stream, sockopt::TcpUserTimeout, &(UNREAD_MAX.as_millis() as u32))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpSocket,
        time::timeout,
    };

    use super::*;

    async fn connect(from: u8, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::from(Ipv4Addr::new(127, 0, 7, from)), 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    async fn ask(mut stream: TcpStream) -> String {
        // A connection that was refused may be reset while we write.
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let mut text = Vec::new();
        let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut text)).await.unwrap();
        String::from_utf8(text).unwrap()
    }

    /// Whoever connects and says nothing has a place for as long as a request's head may take, and one address has few.
    #[tokio::test]
    async fn silent_connections_do_not_keep_others_out() {
        crate::dns::raise_descriptor_limit();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let routes = Router::new().route("/healthz", get(|| async { "ok" }));
        let server = tokio::spawn(serve(listener, routes, connections()));
        let mut silent = Vec::new();
        for address in 1..=16 {
            for _ in 0..LIMITS.each {
                silent.push(connect(address, to).await);
            }
        }
        assert_eq!(silent.len(), LIMITS.all as usize);
        assert_eq!(ask(connect(20, to).await).await, "", "all places are taken");
        tokio::time::sleep(HEAD_MAX + Duration::from_secs(2)).await;
        assert!(ask(connect(20, to).await).await.starts_with("HTTP/1.1 200"));
        // One address alone cannot take them all.
        let mut greedy = Vec::new();
        for _ in 0..2 * LIMITS.each {
            greedy.push(connect(1, to).await);
        }
        assert_eq!(ask(connect(1, to).await).await, "");
        assert!(ask(connect(2, to).await).await.starts_with("HTTP/1.1 200"));
        server.abort();
    }
}
