//! Sockets for ICMP echo.
//!
//! A datagram socket needs no privilege where `net.ipv4.ping_group_range` allows it, and gets the replies to its own
//! requests only; elsewhere a raw one is taken, which needs `CAP_NET_RAW` and gets everybody's.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use nix::sys::socket::{SockaddrStorage, recvfrom};
use socket2::{Domain, Protocol, Socket, Type};

/// Bytes of replies that may wait in the kernel: a whole round of the largest event at once.
const RECEIVE_BYTES: usize = 4 << 20;

pub(crate) struct IcmpSocket {
    socket: Socket,
    /// Messages come with their IPv4 header.
    pub(crate) has_ip_header: bool,
}

impl IcmpSocket {
    pub(crate) fn open_v4() -> io::Result<Self> {
        Self::open(Domain::IPV4, Protocol::ICMPV4, true)
    }

    pub(crate) fn open_v6() -> io::Result<Self> {
        // RFC 3542 section 3: raw ICMPv6 sockets never have the header.
        Self::open(Domain::IPV6, Protocol::ICMPV6, false)
    }

    fn open(domain: Domain, protocol: Protocol, raw_has_ip_header: bool) -> io::Result<Self> {
        let (socket, has_ip_header) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
            Ok(socket) => (socket, false),
            Err(_) => (Socket::new(domain, Type::RAW, Some(protocol))?, raw_has_ip_header),
        };
        socket.set_nonblocking(true)?;
        // Less than asked for is less room, nothing else.
        let _ = socket.set_recv_buffer_size(RECEIVE_BYTES);
        Ok(Self { socket, has_ip_header })
    }

    pub(crate) fn send(&self, to: IpAddr, message: &[u8]) -> io::Result<()> {
        self.socket.send_to(message, &SocketAddr::new(to, 0).into()).map(drop)
    }

    /// The next message and its sender; `None` when there is none, or none that can be read.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Option<(usize, IpAddr)> {
        let (length, from) = recvfrom::<SockaddrStorage>(self.socket.as_raw_fd(), buffer).ok()?;
        let from = from?;
        let v4 = from.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let address = v4.or_else(|| from.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))?;
        Some((length, address))
    }
}

impl AsFd for IcmpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
