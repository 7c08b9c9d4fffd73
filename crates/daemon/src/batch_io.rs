//! Many datagrams in one system call: recvmmsg(2) and sendmmsg(2) with packet information.
//!
//! The only module of hotstage with unsafe code. The library's safe wrapper cannot be called twice with the same
//! buffers (it leaves the lengths of the last batch in the headers), and allocating them anew for each batch costs more
//! than the call. All pointers handed to the kernel live on this stack frame or in the caller's slices.
#![expect(unsafe_code, reason = "recvmmsg and sendmmsg take raw pointers; see the module's documentation")]

use std::{
    io,
    mem::{MaybeUninit, size_of, zeroed},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use model::Mac;
use nix::libc;

/// Datagrams in one system call.
pub(crate) const BATCH_MAX: usize = 64;

/// Room for the packet information of IPv6 and a count of drops, aligned as the kernel wants it.
const CONTROL_WORDS: usize = 12;
type Control = [u64; CONTROL_WORDS];

/// What came with a datagram besides its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Datagram {
    /// Sender.
    pub(crate) source: SocketAddr,
    /// Our address that the kernel would answer from; unspecified when not known.
    pub(crate) local: IpAddr,
    /// Destination address in the header (may be a broadcast); unspecified when not known.
    pub(crate) destination: IpAddr,
    /// Interface it came in on; 0 when not known.
    pub(crate) interface: u32,
    /// Octets received.
    pub(crate) length: usize,
}

impl Datagram {
    const UNKNOWN: Self = Self {
        source: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        interface: 0,
        length: 0,
    };
}

/// What one call received.
pub(crate) struct Received<const N: usize = BATCH_MAX> {
    pub(crate) datagrams: [Datagram; N],
    pub(crate) count: usize,
    /// Datagrams that the kernel has dropped for this socket so far, if it said so.
    pub(crate) kernel_drops: Option<u32>,
}

/// Takes what is there, at most one datagram for each `size` octets of `buffer` and at most `N`, without waiting. The n-th datagram is at `n * size`. Longer ones are cut.
pub(crate) fn receive<const N: usize>(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    size: usize,
) -> io::Result<Received<N>> {
    receive_with(socket, buffer, size, libc::MSG_DONTWAIT)
}

/// The same, but waits for the first datagram as long as the socket's receive time-out says. The socket must block.
pub(crate) fn wait_and_receive<const N: usize>(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    size: usize,
) -> io::Result<Received<N>> {
    receive_with(socket, buffer, size, libc::MSG_WAITFORONE)
}

fn receive_with<const N: usize>(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    size: usize,
    flags: libc::c_int,
) -> io::Result<Received<N>> {
    let mut received = Received { datagrams: [Datagram::UNKNOWN; N], count: 0, kernel_drops: None };
    // SAFETY: all-zero octets are valid values of these plain C structs.
    let (mut headers, mut names, mut parts) =
        unsafe { (zeroed::<[libc::mmsghdr; N]>(), zeroed::<[libc::sockaddr_in6; N]>(), zeroed::<[libc::iovec; N]>()) };
    // Not zeroed, which would cost more than the rest: the kernel says how much of each it has written.
    let mut controls: [MaybeUninit<Control>; N] = [const { MaybeUninit::uninit() }; N];
    let mut wanted = 0;
    for (index, chunk) in buffer.chunks_exact_mut(size).take(N).enumerate() {
        parts[index] = libc::iovec { iov_base: chunk.as_mut_ptr().cast(), iov_len: chunk.len() };
        let header = &mut headers[index].msg_hdr;
        header.msg_name = (&raw mut names[index]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
        header.msg_iov = &raw mut parts[index];
        header.msg_iovlen = 1;
        header.msg_control = (&raw mut controls[index]).cast();
        header.msg_controllen = size_of::<Control>();
        wanted = index + 1;
    }
    // SAFETY: the first `wanted` headers point to names, buffers and control space that outlive the call.
    let count = unsafe {
        libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), wanted as libc::c_uint, flags, ptr::null_mut())
    };
    received.count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    for index in 0..received.count {
        let datagram = &mut received.datagrams[index];
        datagram.length = (headers[index].msg_len as usize).min(size);
        datagram.source = source_of(&names[index]);
        // SAFETY: the kernel filled this header and its control space, which is still alive.
        unsafe { read_control(&headers[index].msg_hdr, datagram, &mut received.kernel_drops) };
    }
    Ok(received)
}

/// `name` is what the kernel wrote into a buffer large enough for either family.
fn source_of(name: &libc::sockaddr_in6) -> SocketAddr {
    match i32::from(name.sin6_family) {
        libc::AF_INET => {
            // SAFETY: the kernel wrote a sockaddr_in, which is shorter than the sockaddr_in6 it lies in.
            let name = unsafe { &*(ptr::from_ref(name).cast::<libc::sockaddr_in>()) };
            let address = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            SocketAddr::V4(SocketAddrV4::new(address, u16::from_be(name.sin_port)))
        }
        libc::AF_INET6 => {
            let address = Ipv6Addr::from(name.sin6_addr.s6_addr);
            SocketAddr::V6(SocketAddrV6::new(address, u16::from_be(name.sin6_port), 0, name.sin6_scope_id))
        }
        _ => Datagram::UNKNOWN.source,
    }
}

/// # Safety
/// `header` was filled by recvmmsg and its control space is alive.
unsafe fn read_control(header: &libc::msghdr, datagram: &mut Datagram, kernel_drops: &mut Option<u32>) {
    // SAFETY: by the caller's promise the control messages are well formed; each is read unaligned and only as the
    // type that its level and kind say.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = control.as_ref() {
            let data = libc::CMSG_DATA(message);
            match (message.cmsg_level, message.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    datagram.local = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into();
                    datagram.destination = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into();
                    datagram.interface = u32::try_from(info.ipi_ifindex).unwrap_or(0);
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    datagram.destination = address.into();
                    let is_own = !address.is_multicast();
                    datagram.local = if is_own { address.into() } else { Ipv6Addr::UNSPECIFIED.into() };
                    datagram.interface = info.ipi6_ifindex;
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => *kernel_drops = Some(data.cast::<u32>().read_unaligned()),
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
}

/// Where a datagram goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// To whom the socket is connected.
    Connected,
    /// By IP. `from` unspecified and `interface` 0 leave the choice to the kernel.
    Udp {
        /// Destination.
        to: SocketAddr,
        /// Our address to send from.
        from: IpAddr,
        /// Interface to send on.
        interface: u32,
    },
    /// As an Ethernet frame with EtherType IPv4; `head` and `body` are the packet.
    Link {
        /// Interface to send on.
        interface: u32,
        /// Ethernet destination.
        mac: Mac,
    },
}

/// A datagram to send: `head` and `body` together are its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) target: Target,
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

#[derive(Clone, Copy)]
#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    link: libc::sockaddr_ll,
}

/// Sends `outgoing` in order and answers how many the kernel took. The error is that of the first one not taken.
/// More than [`BATCH_MAX`] are left for the next call.
pub(crate) fn send(socket: BorrowedFd<'_>, outgoing: &[Outgoing<'_>]) -> io::Result<usize> {
    // SAFETY: all-zero octets are valid values of these plain C structs.
    let (mut headers, mut names, mut parts) = unsafe {
        (
            zeroed::<[libc::mmsghdr; BATCH_MAX]>(),
            zeroed::<[Name; BATCH_MAX]>(),
            zeroed::<[[libc::iovec; 2]; BATCH_MAX]>(),
        )
    };
    let mut controls: [MaybeUninit<Control>; BATCH_MAX] = [const { MaybeUninit::uninit() }; BATCH_MAX];
    let count = outgoing.len().min(BATCH_MAX);
    for (index, one) in outgoing.iter().take(count).enumerate() {
        for (part, octets) in parts[index].iter_mut().zip([one.head, one.body]) {
            *part = libc::iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() };
        }
        let header = &mut headers[index].msg_hdr;
        let skipped = usize::from(one.head.is_empty());
        header.msg_iov = parts[index][skipped..].as_mut_ptr();
        header.msg_iovlen = 2 - skipped;
        if one.target != Target::Connected {
            header.msg_name = (&raw mut names[index]).cast();
            header.msg_namelen = put_name(&mut names[index], one.target);
        }
        if let Target::Udp { to, from, interface } = one.target
            && !(from.is_unspecified() && interface == 0)
        {
            header.msg_control = controls[index].write([0; CONTROL_WORDS]).as_mut_ptr().cast();
            header.msg_controllen = size_of::<Control>();
            // SAFETY: the header's control space is `controls[index]`, zeroed and long enough for either family.
            unsafe { put_control(header, to, from, interface) };
        }
    }
    // SAFETY: the first `count` headers point to names, octets and control space that outlive the call, and the kernel
    // only reads them.
    let sent =
        unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn put_name(name: &mut Name, target: Target) -> libc::socklen_t {
    let length = match target {
        Target::Connected => 0,
        Target::Udp { to: SocketAddr::V4(to), .. } => {
            name.v4 = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: to.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
                sin_zero: [0; 8],
            };
            size_of::<libc::sockaddr_in>()
        }
        Target::Udp { to: SocketAddr::V6(to), .. } => {
            name.v6 = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: to.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: to.ip().octets() },
                sin6_scope_id: to.scope_id(),
            };
            size_of::<libc::sockaddr_in6>()
        }
        Target::Link { interface, mac } => {
            let [a, b, c, d, e, f] = mac.0;
            name.link = libc::sockaddr_ll {
                sll_family: libc::AF_PACKET as libc::sa_family_t,
                sll_protocol: (libc::ETH_P_IP as u16).to_be(),
                sll_ifindex: i32::try_from(interface).unwrap_or_default(),
                sll_hatype: 1,
                sll_pkttype: 0,
                sll_halen: 6,
                sll_addr: [a, b, c, d, e, f, 0, 0],
            };
            size_of::<libc::sockaddr_ll>()
        }
    };
    length as libc::socklen_t
}

/// Says which address and interface to send from, and sets the length of the control space to what is used.
///
/// # Safety
/// `header` points to zeroed control space of [`Control`]'s size.
unsafe fn put_control(header: &mut libc::msghdr, to: SocketAddr, from: IpAddr, interface: u32) {
    // SAFETY: by the caller's promise the first control message and its data fit.
    unsafe {
        let Some(control) = libc::CMSG_FIRSTHDR(header).as_mut() else { return };
        let length = match (to, from) {
            (SocketAddr::V4(_), from) => {
                let from = if let IpAddr::V4(from) = from { from } else { Ipv4Addr::UNSPECIFIED };
                let info = libc::in_pktinfo {
                    ipi_ifindex: i32::try_from(interface).unwrap_or_default(),
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from(from).to_be() },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                (control.cmsg_level, control.cmsg_type) = (libc::IPPROTO_IP, libc::IP_PKTINFO);
                libc::CMSG_DATA(control).cast::<libc::in_pktinfo>().write_unaligned(info);
                size_of::<libc::in_pktinfo>()
            }
            (SocketAddr::V6(_), from) => {
                let from = if let IpAddr::V6(from) = from { from } else { Ipv6Addr::UNSPECIFIED };
                let info =
                    libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: from.octets() }, ipi6_ifindex: interface };
                (control.cmsg_level, control.cmsg_type) = (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);
                libc::CMSG_DATA(control).cast::<libc::in6_pktinfo>().write_unaligned(info);
                size_of::<libc::in6_pktinfo>()
            }
        } as libc::c_uint;
        control.cmsg_len = libc::CMSG_LEN(length) as _;
        header.msg_controllen = libc::CMSG_SPACE(length) as _;
    }
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd as _};

    use super::*;

    fn exchange(server: &str, own: &str, from: &str) {
        let (server, own) = (UdpSocket::bind(server).unwrap(), UdpSocket::bind(own).unwrap());
        let to = server.local_addr().unwrap();
        let bodies: Vec<[u8; 3]> = (0..70).map(|number| [number, 1, 2]).collect();
        let from: IpAddr = from.parse().unwrap();
        let outgoing: Vec<_> = bodies
            .iter()
            .map(|body| Outgoing { target: Target::Udp { to, from, interface: 0 }, head: b"h", body })
            .collect();
        assert_eq!(send(own.as_fd(), &outgoing).unwrap(), BATCH_MAX);
        assert_eq!(send(own.as_fd(), &outgoing[BATCH_MAX..]).unwrap(), 6);
        let mut buffer = vec![0; 3 * 40];
        let mut seen = Vec::new();
        for _ in 0..2 {
            let received: Received = receive(server.as_fd(), &mut buffer, 3).unwrap();
            assert_eq!(received.count, 40.min(70 - seen.len()));
            for (datagram, octets) in received.datagrams.iter().zip(buffer.chunks(3)).take(received.count) {
                assert_eq!(datagram.source.port(), own.local_addr().unwrap().port());
                assert_eq!((datagram.source.ip(), datagram.length), (from, 3), "cut to the room there was");
                assert_eq!((octets[0], octets[2]), (b'h', 1));
                seen.push(octets[1]);
            }
        }
        assert_eq!(seen, (0..70).collect::<Vec<_>>());
        let error = receive::<BATCH_MAX>(server.as_fd(), &mut buffer, 3).map(|received| received.count).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn batches_keep_order_length_and_source() {
        exchange("127.0.0.1:0", "0.0.0.0:0", "127.0.0.3");
        if UdpSocket::bind("[::1]:0").is_err() {
            eprintln!("skipped: this machine has no IPv6 loopback");
            return;
        }
        exchange("[::1]:0", "[::]:0", "::1");
    }

    #[test]
    fn packet_information_says_where_a_datagram_was_sent_to() {
        let server = crate::udp::BatchSocket::bind("0.0.0.0:0".parse().unwrap(), None).unwrap();
        let port = server.socket.local_addr().unwrap().port();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"x", ("127.0.0.9", port)).unwrap();
        let mut buffer = [0; 8];
        let received: Received = receive(server.socket.as_fd(), &mut buffer, 8).unwrap();
        let datagram = received.datagrams[0];
        let nine: IpAddr = Ipv4Addr::new(127, 0, 0, 9).into();
        assert_eq!((received.count, datagram.local, datagram.destination), (1, nine, nine));
        assert_ne!(datagram.interface, 0);
        assert_eq!(datagram.source, client.local_addr().unwrap());
    }

    #[test]
    fn an_error_names_the_first_that_was_not_sent() {
        let own = UdpSocket::bind("127.0.0.1:0").unwrap();
        let good = Target::Udp { to: own.local_addr().unwrap(), from: IpAddr::V4(Ipv4Addr::UNSPECIFIED), interface: 0 };
        let too_long = vec![0; 70_000];
        let outgoing = [
            Outgoing { target: good, head: b"", body: b"a" },
            Outgoing { target: good, head: b"", body: &too_long },
            Outgoing { target: good, head: b"", body: b"c" },
        ];
        assert_eq!(send(own.as_fd(), &outgoing).unwrap(), 1);
        assert_eq!(send(own.as_fd(), &outgoing[1..]).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!(send(own.as_fd(), &outgoing[2..]).unwrap(), 1);
    }
}
