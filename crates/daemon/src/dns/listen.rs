//! Binding: every thread has a socket of its own on every address, and the kernel spreads clients over them
//! (SO_REUSEPORT, socket(7)).

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

/// Receive buffer asked of the kernel for each socket; it gives what `net.core.rmem_max` allows.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// TCP clients that the kernel holds until they are accepted.
const BACKLOG: i32 = 1_024;
/// Tries to find a port that is free for both transports.
const TRIES_MAX: usize = 16;

/// A UDP socket of one thread.
pub(crate) struct UdpListener {
    pub(crate) socket: Arc<UdpSocket>,
    /// Its number among all sockets; the engine finds it by that.
    pub(crate) number: usize,
    /// Bound to one address, so that replies leave from it without being told.
    pub(crate) is_concrete: bool,
    kernel_drops: AtomicU32,
}

impl UdpListener {
    /// The kernel tells totals of the socket; `total` counts over all sockets.
    pub(crate) fn note_kernel_drops(&self, drops: u32, total: &AtomicU64) {
        let before = self.kernel_drops.swap(drops, Ordering::Relaxed);
        total.fetch_add(u64::from(drops.wrapping_sub(before)), Ordering::Relaxed);
    }
}

/// All sockets that clients reach, by thread.
#[derive(Default)]
pub(crate) struct DnsSockets {
    pub(crate) udp: Vec<Vec<UdpListener>>,
    pub(crate) tcp: Vec<Vec<TcpListener>>,
    pub(crate) tls: Vec<Vec<TcpListener>>,
    pub(crate) https: Vec<Vec<TcpListener>>,
    /// Where clients reach us, ports filled in.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) tls_addresses: Vec<SocketAddr>,
    pub(crate) https_addresses: Vec<SocketAddr>,
}

impl DnsSockets {
    /// Room for the sockets of `threads` threads.
    pub(crate) fn new(threads: usize) -> Self {
        let none = || std::iter::repeat_with(Vec::new).take(threads).collect();
        Self {
            udp: std::iter::repeat_with(Vec::new).take(threads).collect(),
            tcp: none(),
            tls: none(),
            https: none(),
            ..Self::default()
        }
    }

    /// The same port over UDP and TCP for every thread; with port 0, one that is free for both.
    pub(crate) fn bind(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut tries = 0;
        loop {
            let tcp = unshared(address, Type::STREAM)?;
            let bound = bound_address(&tcp)?;
            // Whether the port is ours alone: SO_REUSEPORT would let a second server of the same user share it.
            match unshared(bound, Type::DGRAM) {
                Ok(_probe) => {}
                Err(_) if address.port() == 0 && tries < TRIES_MAX => {
                    tries += 1;
                    continue;
                }
                Err(error) => return Err(error),
            }
            drop(tcp);
            return self.bind_all(bound);
        }
    }

    fn bind_all(&mut self, bound: SocketAddr) -> io::Result<()> {
        let threads = self.udp.len();
        for thread in 0..threads {
            let number = self.udp.iter().map(Vec::len).sum();
            let socket = Arc::new(bind_udp(bound)?);
            let is_concrete = !bound.ip().is_unspecified();
            self.udp[thread].push(UdpListener { socket, number, is_concrete, kernel_drops: AtomicU32::new(0) });
            self.tcp[thread].push(share_tcp(bound)?);
        }
        self.addresses.push(bound);
        Ok(())
    }

    /// DNS over TLS for every thread.
    pub(crate) fn bind_tls(&mut self, address: SocketAddr) -> io::Result<()> {
        self.tls_addresses.push(bind_streams(&mut self.tls, address)?);
        Ok(())
    }

    /// DNS over HTTPS for every thread.
    pub(crate) fn bind_https(&mut self, address: SocketAddr) -> io::Result<()> {
        self.https_addresses.push(bind_streams(&mut self.https, address)?);
        Ok(())
    }

    /// Every UDP socket by its number.
    pub(crate) fn udp_by_number(&self) -> Vec<Arc<UdpSocket>> {
        let mut all: Vec<_> = self.udp.iter().flatten().collect();
        all.sort_unstable_by_key(|listener| listener.number);
        all.into_iter().map(|listener| Arc::clone(&listener.socket)).collect()
    }
}

fn bind_streams(threads: &mut [Vec<TcpListener>], address: SocketAddr) -> io::Result<SocketAddr> {
    let probe = unshared(address, Type::STREAM)?;
    let bound = bound_address(&probe)?;
    drop(probe);
    for listeners in threads {
        listeners.push(share_tcp(bound)?);
    }
    Ok(bound)
}

/// A socket that shares its port with nobody, to find out who is there before us.
fn unshared(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // Connections of a server that has just ended must not keep the next one out.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        socket.listen(1)?;
    }
    Ok(socket)
}

fn bound_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn share_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // A bigger buffer is a wish: the kernel clips it to its limit and start must not fail for it.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if address.ip().is_unspecified() {
        if address.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
    }
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_gets_a_socket_on_the_same_port_and_nobody_else_does() {
        let mut sockets = DnsSockets::new(3);
        sockets.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        sockets.bind_tls("127.0.0.1:0".parse().unwrap()).unwrap();
        let bound = sockets.addresses[0];
        assert_eq!(sockets.udp_by_number().len(), 3);
        for (number, listener) in sockets.udp.iter().flatten().enumerate() {
            assert_eq!((listener.number, listener.socket.local_addr().unwrap()), (number, bound));
            assert!(listener.is_concrete);
        }
        assert!(sockets.tcp.iter().flatten().all(|listener| listener.local_addr().unwrap() == bound));
        let again = DnsSockets::new(1).bind(bound).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    }
}
