//! A make-believe internet: upstream resolvers on loopback that know an answer to every name, for rehearsals.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
};

use crate::sockets::{DATAGRAM_BYTES_MAX, RECEIVE_BUFFER_BYTES};

/// TCP connections of one upstream at one time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// A connection without a query for so long is closed (RFC 7766 section 6.2.3).
const IDLE_MAX: Duration = Duration::from_secs(10);
/// After an error of the system, such as too many open files, accepting rests for so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Starts upstreams, each on UDP and TCP of one port of 127.0.0.1, and gives their addresses. They answer by
/// [`dns::authority`] and end with the runtime that this is called in. Errors: no free port or no more files.
pub async fn start(upstreams: usize) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::with_capacity(upstreams);
    for _ in 0..upstreams {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let socket = UdpSocket::bind(address).await?;
        // A bigger buffer is a wish; the kernel clips it to its limit.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        tokio::spawn(answer_datagrams(socket));
        tokio::spawn(accept(listener));
        addresses.push(address);
    }
    Ok(addresses)
}

async fn answer_datagrams(socket: UdpSocket) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An error here is an ICMP message about an earlier answer.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(answer) = dns::authority::answer(buffer.get(..length).unwrap_or_default()) {
            let _ = socket.send_to(&answer, client).await;
        }
    }
}

/// Answers queries over TCP until the runtime ends.
pub(crate) async fn accept(listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(async move {
                    // However the connection ends, the client sees it.
                    let _ = answer_stream(stream).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Two octets of length in front of each message (RFC 7766 section 8).
async fn answer_stream(mut stream: TcpStream) -> io::Result<()> {
    loop {
        let length = tokio::time::timeout(IDLE_MAX, stream.read_u16()).await??;
        let mut query = vec![0; usize::from(length)];
        tokio::time::timeout(IDLE_MAX, stream.read_exact(&mut query)).await??;
        let Some(answer) = dns::authority::answer(&query) else { return Ok(()) };
        let Ok(length) = u16::try_from(answer.len()) else { return Ok(()) };
        stream.write_all(&[&length.to_be_bytes()[..], &answer].concat()).await?;
    }
}
