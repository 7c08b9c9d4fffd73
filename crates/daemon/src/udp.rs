//! UDP sockets for the threads that work in batches.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout},
    sys::socket::{setsockopt, sockopt},
};
use socket2::{Domain, Protocol, Socket, Type};

pub(crate) use crate::batch_io::Datagram;
use crate::batch_io::{self, BATCH_MAX, Outgoing};

/// Longest datagram kept whole; longer ones are cut by the kernel.
const DATAGRAM_BYTES_MAX: usize = 9_216;
/// Socket buffer asked of the kernel; without `CAP_NET_ADMIN` it gives what `net.core.rmem_max` allows.
pub(crate) const RECEIVE_BUFFER_OCTETS: usize = 32 << 20;
/// How long a full send buffer is waited for, once for each batch.
const SEND_WAIT: Duration = Duration::from_millis(20);

/// A socket and the buffers of its batches.
pub(crate) struct BatchSocket {
    pub(crate) socket: UdpSocket,
    buffer: Box<[u8]>,
    /// Longest datagram kept whole.
    octets_max: usize,
    /// Datagrams that the kernel dropped because the socket's buffer was full, as last told.
    pub(crate) kernel_drops: u32,
}

impl BatchSocket {
    /// Binds `address`, with packet information (interface and destination).
    pub(crate) fn bind(address: SocketAddr, interface: Option<&str>) -> io::Result<Self> {
        Self::bind_sized(address, interface, DATAGRAM_BYTES_MAX)
    }

    /// The same with room for datagrams of `octets_max`.
    pub(crate) fn bind_sized(address: SocketAddr, interface: Option<&str>, octets_max: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        // A bigger buffer is a wish: the kernel clips it to its limit and start must not fail for it.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_OCTETS).is_err() {
            let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_OCTETS);
        }
        socket.set_nonblocking(true)?;
        if address.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            socket.set_broadcast(true)?;
        } else {
            socket.set_only_v6(true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        if let Some(name) = interface {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        socket.bind(&address.into())?;
        let buffer = vec![0; octets_max * BATCH_MAX].into_boxed_slice();
        Ok(Self { socket: socket.into(), buffer, octets_max, kernel_drops: 0 })
    }

    /// Receive buffer that the kernel granted, in octets; it tells twice that (socket(7)).
    pub(crate) fn receive_buffer_octets(&self) -> io::Result<u64> {
        Ok(socket2::SockRef::from(&self.socket).recv_buffer_size()? as u64 / 2)
    }

    /// Takes what is there, at most [`BATCH_MAX`] datagrams, and hands each to `each`. Returns how many.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(&Datagram, &[u8])) -> io::Result<usize> {
        let received: batch_io::Received =
            match batch_io::receive(self.socket.as_fd(), &mut self.buffer, self.octets_max) {
                Ok(received) => received,
                Err(error) if says_nothing_about_us(&error) => return Ok(0),
                Err(error) => return Err(error),
            };
        self.kernel_drops = received.kernel_drops.unwrap_or(self.kernel_drops);
        let octets = self.buffer.chunks_exact(self.octets_max);
        for (datagram, octets) in received.datagrams.iter().zip(octets).take(received.count) {
            each(datagram, octets.get(..datagram.length).unwrap_or_default());
        }
        Ok(received.count)
    }
}

/// Nothing there, or an ICMP error of an earlier send, which is reported to whoever calls next.
fn says_nothing_about_us(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, Interrupted, NetworkUnreachable, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

/// Sends all of `outgoing` that can be sent and answers how many could not, with the last reason. A full send buffer is
/// waited for a moment; a destination that cannot be reached costs only its own datagram.
pub(crate) fn send_all(socket: BorrowedFd<'_>, outgoing: &[Outgoing<'_>]) -> (u64, Option<io::Error>) {
    let (mut rest, mut failed, mut reason, mut has_waited) = (outgoing, 0, None, false);
    while !rest.is_empty() {
        match batch_io::send(socket, rest) {
            Ok(sent) => rest = rest.get(sent.max(1)..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !has_waited => {
                has_waited = true;
                let mut waits = [PollFd::new(socket, PollFlags::POLLOUT)];
                let _ = nix::poll::poll(&mut waits, poll_timeout(SEND_WAIT));
            }
            Err(error) => {
                failed += 1;
                reason = Some(error);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    (failed, reason)
}

/// Waits until one of `sockets` can be read or `timeout` of wall time has passed.
pub(crate) fn wait_readable(sockets: &[BatchSocket], timeout: Duration) -> io::Result<()> {
    let mut waits: Vec<PollFd<'_>> =
        sockets.iter().map(|socket| PollFd::new(socket.socket.as_fd(), PollFlags::POLLIN)).collect();
    wait(&mut waits, timeout)
}

/// The same for one socket of any kind.
pub(crate) fn wait_readable_fd(socket: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    wait(&mut [PollFd::new(socket, PollFlags::POLLIN)], timeout)
}

/// The same for sockets of any kinds.
pub(crate) fn wait(waits: &mut [PollFd<'_>], timeout: Duration) -> io::Result<()> {
    match nix::poll::poll(waits, poll_timeout(timeout)) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Rounded up, so that a deadline less than a millisecond away is not spun upon.
fn poll_timeout(timeout: Duration) -> PollTimeout {
    PollTimeout::from(u16::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX))
}
