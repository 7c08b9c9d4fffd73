//! The thread of router advertisements: a raw ICMPv6 socket on the links of direct subnets (RFC 4861).
//!
//! The socket's filter lets router solicitations and advertisements pass; the kernel fills in checksums and has
//! checked those of what comes in.

use std::{
    collections::BTreeMap,
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::{AsFd, AsRawFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dhcp6::ra::{
    ALL_ROUTERS, HOP_LIMIT, ROUTER_ADVERTISEMENT, ROUTER_SOLICITATION, RaCounters, RaEffect, RaEngine, RaEvent,
    RaMessage, RaOrigin,
};
use ipnet::Ipv6Net;
use model::Timestamp;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::sync::mpsc;

use crate::{
    batch_io::{Outgoing, Target},
    clock::Clock,
    dhcp_service::Command,
    links6::{Interface, interfaces},
    udp::{send_all, wait_readable_fd},
};

/// The thread looks for the stop signal and for commands at least this often.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// Tries to send an advertisement, one each [`WAIT_MAX`].
const TRIES_MAX: u8 = 25;
/// Messages taken before deadlines and the view have their turn.
const TURN_MAX: usize = 64;
/// Longer than any link's MTU that such a message travels on; the rest is cut, and so refused.
const MESSAGE_BYTES_MAX: usize = 9_216;
/// How long a foreign router counts as there after it was heard.
const FOREIGN_SHOWN: Duration = Duration::from_secs(120);
/// Foreign routers that are shown at one time.
const FOREIGN_MAX: usize = 16;

/// What the rest of the services may know of router advertisements.
#[derive(Clone, Debug, Default)]
pub(crate) struct RaView {
    pub(crate) counters: RaCounters,
    pub(crate) send_errors: u64,
    /// Interface and link-local address of foreign routers heard in the last two minutes.
    pub(crate) foreign: Vec<(String, Ipv6Addr)>,
}

/// What is known of a link besides what is advertised there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LinkFacts {
    pub(crate) interface: String,
    pub(crate) prefixes: Vec<Ipv6Net>,
    /// False: the plan does not name its router's link-local address, so routers are judged by their prefixes.
    pub(crate) knows_routers: bool,
}

/// Link facts by index of the interface.
pub(crate) type Facts = BTreeMap<u32, LinkFacts>;

/// The engine, and what its events are judged by.
pub(crate) struct RaWork {
    pub(crate) engine: RaEngine,
    pub(crate) facts: Facts,
}

pub(crate) struct RaService {
    work: RaWork,
    socket: Socket,
    clock: Clock,
    commands: mpsc::Receiver<Command<RaWork>>,
    pub(crate) view: Arc<Mutex<RaView>>,
    stop: Arc<AtomicBool>,
    send_errors: u64,
    /// By interface: what could not be sent yet, and how often it is still tried.
    unsent: BTreeMap<u32, (RaMessage, u8)>,
    foreign: BTreeMap<(String, Ipv6Addr), Timestamp>,
}

impl RaService {
    /// `socket` is from [`open`].
    pub(crate) fn new(
        work: RaWork,
        socket: Socket,
        clock: Clock,
        commands: mpsc::Receiver<Command<RaWork>>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let view = Arc::default();
        let (unsent, foreign) = (BTreeMap::new(), BTreeMap::new());
        Self { work, socket, clock, commands, view, stop, send_errors: 0, unsent, foreign }
    }

    /// Advertises and listens until told to stop; then says goodbye on each link.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; MESSAGE_BYTES_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            let now = self.clock.now();
            while let Ok(command) = self.commands.try_recv() {
                command(&mut self.work, now);
            }
            self.receive(now, &mut buffer)?;
            self.work.engine.on_deadline(now);
            self.carry_out(now);
            self.publish(now);
            let deadline = self.work.engine.deadline();
            let wait = deadline.map_or(WAIT_MAX, |at| self.clock.wall_until(at).min(WAIT_MAX));
            wait_readable_fd(self.socket.as_fd(), wait)?;
        }
        let now = self.clock.now();
        self.work.engine.stop(now);
        self.carry_out(now);
        self.publish(now);
        Ok(())
    }

    fn receive(&mut self, now: Timestamp, buffer: &mut [u8]) -> io::Result<()> {
        for _ in 0..TURN_MAX {
            let Some((origin, length)) = receive_one(&self.socket, buffer)? else { break };
            self.work.engine.on_packet(now, &origin, buffer.get(..length).unwrap_or_default());
        }
        Ok(())
    }

    fn carry_out(&mut self, now: Timestamp) {
        while let Some(effect) = self.work.engine.next_effect() {
            match effect {
                RaEffect::Send(message) => {
                    // The newest advertisement of a link says it all.
                    self.unsent.insert(message.interface, (message, TRIES_MAX));
                }
                RaEffect::Event(event) => self.note(now, event),
            }
        }
        self.send_waiting();
    }

    /// Sends what waits. Hosts take advertisements of link-local addresses only (RFC 4861 section 6.1.2), and an
    /// interface has none for a second or two after it came up, so an advertisement is tried again for a while.
    fn send_waiting(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let interfaces = interfaces().unwrap_or_default();
        for (interface, (message, tries)) in std::mem::take(&mut self.unsent) {
            let known = interfaces.iter().find(|known| known.index == interface);
            let from = known.and_then(Interface::link_local);
            let is_sent = from.is_some_and(|from| self.send(&message, from));
            match tries {
                _ if is_sent => {}
                0 | 1 => self.send_errors += 1,
                _ => {
                    self.unsent.insert(interface, (message, tries - 1));
                }
            }
        }
    }

    fn send(&self, message: &RaMessage, from: Ipv6Addr) -> bool {
        let to = SocketAddr::V6(SocketAddrV6::new(message.to, 0, 0, message.interface));
        let target = Target::Udp { to, from: IpAddr::V6(from), interface: message.interface };
        let (_, reason) = send_all(self.socket.as_fd(), &[Outgoing { target, head: &[], body: &message.bytes }]);
        if let Some(error) = &reason {
            tracing::debug!(%error, interface = message.interface, "a router advertisement could not be sent");
        }
        reason.is_none()
    }

    fn note(&mut self, now: Timestamp, event: RaEvent) {
        let RaEvent::ForeignRouter { interface, source, mac: _, router_lifetime, prefixes } = event;
        let Some(facts) = self.work.facts.get(&interface).filter(|facts| is_foreign(facts, &prefixes)) else { return };
        let interface = facts.interface.clone();
        tracing::warn!(%source, interface, router_lifetime, "another router advertises itself");
        if self.foreign.len() < FOREIGN_MAX || self.foreign.contains_key(&(interface.clone(), source)) {
            self.foreign.insert((interface, source), now);
        }
    }

    fn publish(&mut self, now: Timestamp) {
        self.foreign.retain(|_, at| now.since(*at) < FOREIGN_SHOWN);
        let foreign = self.foreign.keys().cloned().collect();
        let view = RaView { counters: *self.work.engine.counters(), send_errors: self.send_errors, foreign };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

/// Where the plan does not name its router, one that tells of the plan's prefixes and of no other is taken for it.
fn is_foreign(facts: &LinkFacts, prefixes: &[Ipv6Net]) -> bool {
    facts.knows_routers || prefixes.iter().any(|prefix| !facts.prefixes.iter().any(|own| own.contains(prefix)))
}

/// A raw ICMPv6 socket that hears routers and solicitations on the interfaces. Needs `CAP_NET_RAW`.
pub(crate) fn open(interfaces: impl Iterator<Item = u32>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.attach_filter(&FILTER)?;
    socket.set_nonblocking(true)?;
    socket.set_multicast_hops_v6(u32::from(HOP_LIMIT))?;
    socket.set_unicast_hops_v6(u32::from(HOP_LIMIT))?;
    socket.set_multicast_loop_v6(false)?;
    setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
    for interface in interfaces {
        socket.join_multicast_v6(&ALL_ROUTERS, interface)?;
    }
    Ok(socket)
}

/// Classic BPF: the first octet of ICMPv6 is its type; 133 and 134 pass, all else is dropped by the kernel.
const FILTER: [SockFilter; 5] = [
    SockFilter::new(0x30, 0, 0, 0),
    SockFilter::new(0x15, 1, 0, ROUTER_SOLICITATION as u32),
    SockFilter::new(0x15, 0, 1, ROUTER_ADVERTISEMENT as u32),
    SockFilter::new(0x06, 0, 0, u32::MAX),
    SockFilter::new(0x06, 0, 0, 0),
];

/// The next message, if there is one: how it came and how long it is.
fn receive_one(socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<(RaOrigin, usize)>> {
    let mut control = nix::cmsg_space!(nix::libc::in6_pktinfo, i32);
    let mut parts = [IoSliceMut::new(buffer)];
    let received = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT);
    let received = match received {
        Ok(received) => received,
        // Nothing there, or an error of an earlier send, which says nothing about this socket.
        Err(nix::Error::EAGAIN | nix::Error::EINTR | nix::Error::ENETDOWN | nix::Error::ENETUNREACH) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let (mut interface, mut hop_limit) = (0, 0);
    for message in received.cmsgs()? {
        match message {
            ControlMessageOwned::Ipv6PacketInfo(info) => interface = info.ipi6_ifindex,
            ControlMessageOwned::Ipv6HopLimit(limit) => hop_limit = u8::try_from(limit).unwrap_or(0),
            _ => {}
        }
    }
    let source = received.address.map_or(Ipv6Addr::UNSPECIFIED, |address| address.ip());
    Ok(Some((RaOrigin { source, interface, hop_limit }, received.bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_is_foreign_by_name_or_by_what_it_tells() {
        let net = |text: &str| text.parse::<Ipv6Net>().unwrap();
        let facts = |knows_routers| LinkFacts {
            interface: "lan".to_owned(),
            prefixes: vec![net("2001:db8:1::/64")],
            knows_routers,
        };
        let table: [(bool, &[&str], bool); 6] = [
            (true, &[], true),
            (true, &["2001:db8:1::/64"], true),
            (false, &[], false),
            (false, &["2001:db8:1::/64"], false),
            (false, &["2001:db8:2::/64"], true),
            (false, &["2001:db8:1::/64", "2001:db8::/32"], true),
        ];
        for (knows_routers, prefixes, expected) in table {
            let prefixes: Vec<_> = prefixes.iter().map(|text| net(text)).collect();
            assert_eq!(is_foreign(&facts(knows_routers), &prefixes), expected, "{knows_routers} {prefixes:?}");
        }
    }
}
