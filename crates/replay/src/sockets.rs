//! Sockets on the clients' side, and waiting for many of them at once.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Socket buffer asked of the kernel; it gives what `net.core.rmem_max` allows.
pub(crate) const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// Longest datagram read; answers to our questions are far shorter.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 4_096;
/// Datagrams taken of one socket before others have their turn.
const RECEIVE_BATCH_MAX: usize = 256;

/// A datagram socket on a high port of the address that `server` can be reached from.
pub(crate) fn udp_towards(server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(server), Type::DGRAM, Some(Protocol::UDP))?;
    // A bigger buffer is a wish; the kernel clips it to its limit.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(local_address_towards(server)?, 0).into())?;
    UdpSocket::from_std(socket.into())
}

/// Which of this machine's addresses a route to `server` starts from. Sends nothing.
fn local_address_towards(server: SocketAddr) -> io::Result<IpAddr> {
    let probe = Socket::new(Domain::for_address(server), Type::DGRAM, Some(Protocol::UDP))?;
    probe.connect(&server.into())?;
    let local = probe.local_addr()?.as_socket().ok_or_else(|| io::Error::other("the socket has no IP address"))?;
    Ok(local.ip())
}

/// Takes what has come and hands each datagram to `each`; never waits.
pub(crate) fn receive(socket: &UdpSocket, mut each: impl FnMut(SocketAddr, &[u8])) {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    for _ in 0..RECEIVE_BATCH_MAX {
        match socket.try_recv_from(&mut buffer) {
            Ok((length, source)) => each(source, buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // An ICMP error of an earlier send; the next datagram may be good.
            Err(_) => {}
        }
    }
}

/// Ready when one of `sockets` can be read.
pub(crate) fn poll_readable(sockets: &[UdpSocket], context: &mut Context<'_>) -> Poll<()> {
    // Each socket is asked, so that each will wake the task.
    let ready = sockets.iter().filter(|socket| socket.poll_recv_ready(context).is_ready()).count();
    if ready > 0 { Poll::Ready(()) } else { Poll::Pending }
}
