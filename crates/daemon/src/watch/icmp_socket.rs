//! Sockets for ICMP echo.
//!
//! A datagram socket needs no privilege where `net.ipv4.ping_group_range` allows it, and gets the replies to its own
//! requests only; elsewhere a raw one is taken, which needs `CAP_NET_RAW` and gets everybody's. When a message arrived
//! is told by the kernel, so that a busy machine does not lengthen round trips.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::Duration,
};

use model::Timestamp;
use nix::{
    cmsg_space,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt::ReceiveTimestampns},
        time::TimeSpec,
    },
};
use socket2::{Domain, Protocol, Socket, Type};

/// Bytes of replies that may wait in the kernel: a whole round of the largest event at once.
const RECEIVE_BYTES: usize = 4 << 20;
/// A message that waited longer than this in the kernel was stamped by a clock that has been set since.
const WAITED_MAX: Duration = Duration::from_secs(1);

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
        // Without it, a message counts as arrived when it is read.
        let _ = setsockopt(&socket, ReceiveTimestampns, &true);
        Ok(Self { socket, has_ip_header })
    }

    pub(crate) fn send(&self, to: IpAddr, message: &[u8]) -> io::Result<()> {
        self.socket.send_to(message, &SocketAddr::new(to, 0).into()).map(drop)
    }

    /// The next message, its sender, and when it arrived if the kernel says so; `None` when there is none, or none that
    /// can be read. `now` is the wall clock's.
    pub(crate) fn receive(&self, buffer: &mut [u8], now: Timestamp) -> Option<(usize, IpAddr, Timestamp)> {
        let mut control = cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
        let from = message.address?;
        let v4 = from.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let address = v4.or_else(|| from.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))?;
        let stamp = message.cmsgs().ok()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Timestamp::EPOCH + Duration::from(stamp)),
            _ => None,
        });
        Some((message.bytes, address, arrived(stamp, now)))
    }
}

/// The kernel's stamp where it can be true.
fn arrived(stamp: Option<Timestamp>, now: Timestamp) -> Timestamp {
    stamp.filter(|stamp| *stamp <= now && now.since(*stamp) <= WAITED_MAX).unwrap_or(now)
}

impl AsFd for IcmpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_of_another_clock_is_not_believed() {
        let millis = |millis| Timestamp::EPOCH + Duration::from_millis(millis);
        for (stamp, expected) in [
            (Some(9_999), 9_999),
            (Some(10_000), 10_000),
            (Some(10_001), 10_000),
            (Some(8_000), 10_000),
            (None, 10_000),
        ] {
            assert_eq!(arrived(stamp.map(millis), millis(10_000)), millis(expected), "{stamp:?}");
        }
    }
}
