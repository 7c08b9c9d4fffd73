//! UDP sockets for the threads that work in batches.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout},
    sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt},
};
use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams taken in one system call.
pub(crate) const BATCH_MAX: usize = 64;
/// Longest datagram kept whole; longer ones are cut by the kernel.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 9_216;
/// Socket buffer asked of the kernel; it gives what `net.core.rmem_max` allows.
const RECEIVE_BUFFER_BYTES: usize = 32 << 20;

/// What came with a datagram besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram {
    /// Sender.
    pub(crate) source: SocketAddr,
    /// Our address that the kernel would answer from; unspecified when not known.
    pub(crate) local: Ipv4Addr,
    /// Destination address in the header (may be a broadcast); unspecified when not known.
    pub(crate) destination: Ipv4Addr,
    /// Interface it came in on; 0 when not known.
    pub(crate) interface: u32,
}

/// A socket and the buffers of its batches.
pub(crate) struct BatchSocket {
    pub(crate) socket: UdpSocket,
    buffers: Vec<Vec<u8>>,
    /// Datagrams that the kernel dropped because the socket's buffer was full, as last told.
    pub(crate) kernel_drops: u32,
}

impl BatchSocket {
    /// Binds `address`; with packet information (interface and destination) on IPv4.
    pub(crate) fn bind(address: SocketAddr, interface: Option<&str>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        // A bigger buffer is a wish: the kernel clips it to its limit and start must not fail for it.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        if address.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            socket.set_broadcast(true)?;
        }
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        if let Some(name) = interface {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        socket.bind(&address.into())?;
        Ok(Self { socket: socket.into(), buffers: vec![vec![0; DATAGRAM_BYTES_MAX]; BATCH_MAX], kernel_drops: 0 })
    }

    /// Takes what is there, at most [`BATCH_MAX`] datagrams, and hands each to `each`. Returns how many.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(&Datagram, &[u8])) -> io::Result<usize> {
        let mut headers =
            MultiHeaders::<SockaddrStorage>::preallocate(BATCH_MAX, Some(nix::cmsg_space!(nix::libc::in_pktinfo, u32)));
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let received = recvmmsg(self.socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
        let messages = match received {
            Ok(messages) => messages,
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => return Ok(0),
            // An ICMP error of an earlier send is reported here; it says nothing about what we receive.
            Err(nix::Error::ECONNREFUSED | nix::Error::EHOSTUNREACH | nix::Error::ENETUNREACH) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut drops = self.kernel_drops;
        let mut taken = Vec::with_capacity(BATCH_MAX);
        for message in messages {
            let mut datagram = Datagram {
                source: message.address.as_ref().and_then(socket_address).unwrap_or(UNKNOWN_SOURCE),
                local: Ipv4Addr::UNSPECIFIED,
                destination: Ipv4Addr::UNSPECIFIED,
                interface: 0,
            };
            for control in message.cmsgs()? {
                match control {
                    ControlMessageOwned::Ipv4PacketInfo(info) => {
                        datagram.local = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                        datagram.destination = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
                        datagram.interface = u32::try_from(info.ipi_ifindex).unwrap_or(0);
                    }
                    ControlMessageOwned::RxqOvfl(count) => drops = count,
                    _ => {}
                }
            }
            taken.push((datagram, message.bytes));
        }
        self.kernel_drops = drops;
        for ((datagram, bytes), buffer) in taken.iter().zip(&self.buffers) {
            each(datagram, buffer.get(..*bytes).unwrap_or_default());
        }
        Ok(taken.len())
    }
}

const UNKNOWN_SOURCE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(IpAddr::V4(v4.ip()), v4.port()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::new(IpAddr::V6(v6.ip()), v6.port()))
}

/// Waits until one of `sockets` can be read or `timeout` of wall time has passed.
pub(crate) fn wait_readable(sockets: &[BatchSocket], timeout: Duration) -> io::Result<()> {
    let mut waits: Vec<PollFd<'_>> =
        sockets.iter().map(|socket| PollFd::new(socket.socket.as_fd(), PollFlags::POLLIN)).collect();
    // Round up, so that a deadline less than a millisecond away is not spun upon.
    let milliseconds = u16::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX);
    match nix::poll::poll(&mut waits, PollTimeout::from(milliseconds)) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
