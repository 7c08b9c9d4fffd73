//! Replies as datagrams: to relay agents, to addresses, to hardware addresses, to everybody (RFC 2131 section 4.1).

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dhcp::{CLIENT_PORT, Destination, Reply};
use model::Mac;

use crate::{
    batch_io::{BATCH_MAX, Outgoing, Target},
    packet::{HEADERS_BYTES, PacketSocket, headers},
    udp::send_all,
};

/// A reply, and which socket its request came by.
pub(crate) type Addressed = (usize, Reply);

/// The sockets to send by; shared by the threads that send.
#[derive(Clone)]
pub(crate) struct Sender {
    sockets: Arc<[UdpSocket]>,
    packet: Option<Arc<PacketSocket>>,
    errors: Arc<AtomicU64>,
}

impl Sender {
    /// `sockets` in the order that [`Addressed`] counts by.
    pub(crate) fn new(sockets: Vec<UdpSocket>) -> Self {
        // Without the capability, address-less clients are answered by broadcast instead.
        let packet = PacketSocket::open().inspect_err(|error| tracing::debug!(%error, "no packet socket")).ok();
        Self { sockets: sockets.into(), packet: packet.map(Arc::new), errors: Arc::default() }
    }

    /// Replies that could not be sent so far.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Sends `replies`, those of one kind of way together and in order; a client gets one reply at a time anyway.
    pub(crate) fn send(&self, replies: &[Addressed]) {
        for replies in replies.chunks(BATCH_MAX) {
            for (index, socket) in self.sockets.iter().enumerate() {
                self.send_udp(socket, replies.iter().filter(|(socket, _)| *socket == index).map(|(_, reply)| reply));
            }
            if let Some(packet) = &self.packet {
                self.send_frames(packet, replies);
            }
        }
    }

    fn send_udp<'r>(&self, socket: &UdpSocket, replies: impl Iterator<Item = &'r Reply>) {
        let outgoing = replies.filter_map(|reply| {
            let (to, interface) = self.by_ip(reply.destination)?;
            let target = Target::Udp { to: SocketAddr::V4(to), from: reply.from.into(), interface };
            Some(Outgoing { target, head: &[], body: &reply.bytes })
        });
        let mut batch = [EMPTY; BATCH_MAX];
        let count = fill(&mut batch, outgoing);
        self.hand_over(socket.as_fd(), batch.get(..count).unwrap_or_default());
    }

    /// Address, port and interface, unless the reply goes as a frame.
    fn by_ip(&self, destination: Destination) -> Option<(SocketAddrV4, u32)> {
        let everybody = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
        match destination {
            Destination::Relay(to) | Destination::Unicast(to) => Some((to, 0)),
            Destination::Broadcast { interface } | Destination::Hardware { interface, .. } => {
                self.frame_to(destination).is_none().then_some((everybody, interface))
            }
        }
    }

    /// Interface, hardware address and IP address of a reply that goes as a frame. A broadcast does as well where it can:
    /// the kernel would loop a copy of a broadcast datagram back to itself.
    fn frame_to(&self, destination: Destination) -> Option<(u32, Mac, Ipv4Addr)> {
        self.packet.as_ref()?;
        match destination {
            Destination::Hardware { interface, mac, address } => Some((interface, mac, address)),
            Destination::Broadcast { interface } if interface != 0 => {
                Some((interface, Mac::BROADCAST, Ipv4Addr::BROADCAST))
            }
            Destination::Broadcast { .. } | Destination::Relay(_) | Destination::Unicast(_) => None,
        }
    }

    fn send_frames(&self, packet: &PacketSocket, replies: &[Addressed]) {
        let frames = || {
            replies.iter().filter_map(|(_, reply)| {
                let (interface, mac, address) = self.frame_to(reply.destination)?;
                Some((interface, mac, address, reply))
            })
        };
        let mut heads = [[0; HEADERS_BYTES]; BATCH_MAX];
        for (head, (_, _, address, reply)) in heads.iter_mut().zip(frames()) {
            *head = headers(reply.from, address, &reply.bytes);
        }
        let outgoing = frames().zip(&heads).map(|((interface, mac, _, reply), head)| Outgoing {
            target: Target::Link { interface, mac },
            head,
            body: &reply.bytes,
        });
        let mut batch = [EMPTY; BATCH_MAX];
        let count = fill(&mut batch, outgoing);
        self.hand_over(packet.as_fd(), batch.get(..count).unwrap_or_default());
    }

    fn hand_over(&self, socket: BorrowedFd<'_>, outgoing: &[Outgoing<'_>]) {
        let (failed, reason) = send_all(socket, outgoing);
        if let Some(error) = reason {
            self.errors.fetch_add(failed, Ordering::Relaxed);
            tracing::debug!(%error, failed, "DHCP replies could not be sent");
        }
    }
}

const EMPTY: Outgoing<'static> = Outgoing {
    target: Target::Udp {
        to: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
        from: std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        interface: 0,
    },
    head: &[],
    body: &[],
};

fn fill<'a>(batch: &mut [Outgoing<'a>; BATCH_MAX], outgoing: impl Iterator<Item = Outgoing<'a>>) -> usize {
    batch.iter_mut().zip(outgoing).map(|(slot, one)| *slot = one).count()
}
