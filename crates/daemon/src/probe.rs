//! Conflict probes: asking whether somebody sits on an address before it is offered (RFC 2131 section 3.1 step 2).
//!
//! A thread of its own, with sockets of its own: ARP on the links of direct subnets, ICMP echo behind relay agents. The
//! DHCP thread hands over what it wants to know and goes on; silence needs no answer, its engine knows how long to wait.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use dhcp::Probe;
use model::{Mac, Timestamp};
use nix::poll::{PollFd, PollFlags};
use rand::Rng;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::sync::mpsc;

use crate::{
    clock::{Clock, instant},
    dhcp_service::DhcpCommand,
    link_socket::LinkSocket,
    probe_packets::{ARP, Token, arp_claim, arp_probe, echo_request, is_echo_reply},
    udp::wait,
};

/// Probes under way, and as many waiting to be taken; the engine asks for no more at one time.
const PROBES_MAX: usize = 256;
/// Interfaces with a socket for ARP.
const LINKS_MAX: usize = 64;
/// How long an answer counts; the engine's own wait is about as long.
const ANSWER_WAIT: Duration = Duration::from_millis(500);
/// A packet may be lost, above all by radio, so each address is asked several times (RFC 5227 section 1.1 has 3).
const TRIES: u32 = 3;
const TRY_INTERVAL: Duration = Duration::from_millis(150);
/// The thread looks for the stop signal at least this often.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// Packets taken from one socket before the others have their turn.
const TURN_MAX: usize = 256;
/// Longest packet looked at; the rest of it is cut.
const PACKET_BYTES_MAX: usize = 256;
/// Addresses that are shown as squatted on at one time.
const SQUATTERS_MAX: usize = 32;
/// How long they are shown: as long as the engine keeps them in quarantine.
const SQUATTER_SHOWN: Duration = Duration::from_secs(600);

/// An address that somebody uses who has no lease for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Squatter {
    pub(crate) address: Ipv4Addr,
    /// Unknown behind a relay agent.
    pub(crate) mac: Option<Mac>,
}

/// What the rest of the services may know of probes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProbeView {
    pub(crate) sent_arp: u64,
    pub(crate) sent_icmp: u64,
    /// Addresses that could not be asked; they were offered as they are.
    pub(crate) unsent: u64,
    /// Addresses that were not asked because too many others were.
    pub(crate) overflowed: u64,
    /// Heard of in the last ten minutes.
    pub(crate) squatters: Vec<Squatter>,
}

/// The DHCP thread's end: hands over addresses and never waits.
pub(crate) struct ProbeQueue {
    wanted: SyncSender<Probe>,
    wake: UnixStream,
    overflowed: Arc<AtomicU64>,
}

impl ProbeQueue {
    /// Has an address asked.
    pub(crate) fn ask(&self, probe: Probe) {
        match self.wanted.try_send(probe) {
            // A full pipe has woken the other side already.
            Ok(()) => drop((&self.wake).write(&[0])),
            Err(TrySendError::Full(_)) => drop(self.overflowed.fetch_add(1, Ordering::Relaxed)),
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

/// What probes are sent by.
pub(crate) struct ProbeSockets {
    can_arp: bool,
    icmp: Option<IcmpSocket>,
}

impl ProbeSockets {
    /// Takes what this process may have; both need `CAP_NET_RAW`, ICMP alone may also come by the `ping_group_range`.
    pub(crate) fn open() -> Self {
        Self { can_arp: Socket::new(Domain::PACKET, Type::RAW, None).is_ok(), icmp: IcmpSocket::open().ok() }
    }

    /// False: nothing can be asked at all.
    pub(crate) fn can_probe(&self) -> bool {
        self.can_arp || self.icmp.is_some()
    }
}

/// An address that is being asked.
struct Pending {
    probe: Probe,
    asked: Instant,
    tries: u32,
}

pub(crate) struct ProbeService {
    wanted: Receiver<Probe>,
    woken: UnixStream,
    overflowed: Arc<AtomicU64>,
    links: BTreeMap<u32, LinkSocket>,
    icmp: Option<IcmpSocket>,
    token: Token,
    pending: BTreeMap<Ipv4Addr, Pending>,
    /// What the DHCP thread is to be told: address, and whether it is in use.
    results: Vec<(Ipv4Addr, bool)>,
    commands: mpsc::Sender<DhcpCommand>,
    clock: Clock,
    squatters: BTreeMap<Ipv4Addr, (Timestamp, Option<Mac>)>,
    counts: ProbeView,
    pub(crate) view: Arc<Mutex<ProbeView>>,
    stop: Arc<AtomicBool>,
}

impl ProbeService {
    /// `random` makes what replies are known by.
    pub(crate) fn new(
        sockets: ProbeSockets,
        commands: mpsc::Sender<DhcpCommand>,
        clock: Clock,
        stop: Arc<AtomicBool>,
        random: &mut impl Rng,
    ) -> io::Result<(Self, ProbeQueue)> {
        let (sender, wanted) = sync_channel(PROBES_MAX);
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let overflowed = Arc::new(AtomicU64::new(0));
        let mut token = Token::default();
        random.fill_bytes(&mut token);
        let service = Self {
            wanted,
            woken,
            overflowed: Arc::clone(&overflowed),
            links: BTreeMap::new(),
            icmp: sockets.icmp,
            token,
            pending: BTreeMap::new(),
            results: Vec::new(),
            commands,
            clock,
            squatters: BTreeMap::new(),
            counts: ProbeView::default(),
            view: Arc::default(),
            stop,
        };
        Ok((service, ProbeQueue { wanted: sender, wake, overflowed }))
    }

    /// Asks and listens until told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut buffer = [0; PACKET_BYTES_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            while matches!(io::Read::read(&mut self.woken, &mut buffer), Ok(1..)) {}
            self.listen(&mut buffer);
            self.take_wanted();
            self.ask_again();
            self.tell();
            self.publish();
            self.wait()?;
        }
        Ok(())
    }

    /// Begins with the addresses that the DHCP thread handed over.
    fn take_wanted(&mut self) {
        if self.pending.is_empty() {
            // What was said before we asked may be long out of date.
            self.links.values().for_each(LinkSocket::forget);
        }
        while self.pending.len() < PROBES_MAX
            && let Ok(probe) = self.wanted.try_recv()
        {
            if self.send(&probe) {
                self.pending.insert(probe.address, Pending { probe, asked: instant(), tries: 1 });
            } else {
                self.counts.unsent += 1;
                self.results.push((probe.address, false));
            }
        }
    }

    /// Asks again those who were silent, and gives up on those who were silent for long.
    fn ask_again(&mut self) {
        let now = instant();
        self.pending.retain(|_, pending| now.saturating_duration_since(pending.asked) < ANSWER_WAIT);
        let is_due = |pending: &Pending| pending.tries < TRIES && pending.asked + TRY_INTERVAL * pending.tries <= now;
        let due: Vec<Probe> = self.pending.values().filter(|one| is_due(one)).map(|one| one.probe).collect();
        for probe in due {
            self.send(&probe);
            if let Some(pending) = self.pending.get_mut(&probe.address) {
                pending.tries += 1;
            }
        }
    }

    fn send(&mut self, probe: &Probe) -> bool {
        if probe.is_relayed {
            let is_sent = self.icmp.as_mut().is_some_and(|icmp| icmp.ask(probe.address, &self.token).is_ok());
            self.counts.sent_icmp += u64::from(is_sent);
            return is_sent;
        }
        let is_sent = self.link(probe.interface).is_some_and(|link| {
            let frame = arp_probe(link.mac, probe.address);
            link.send(&frame).is_ok()
        });
        self.counts.sent_arp += u64::from(is_sent);
        if !is_sent {
            // The interface may be gone; another of its number is opened anew.
            self.links.remove(&probe.interface);
        }
        is_sent
    }

    fn link(&mut self, interface: u32) -> Option<&LinkSocket> {
        if !self.links.contains_key(&interface) && self.links.len() < LINKS_MAX {
            let opened = LinkSocket::open(interface, ARP, &EVERYTHING);
            let opened = opened.inspect_err(|error| tracing::debug!(%error, interface, "no ARP probes there"));
            self.links.insert(interface, opened.ok()?);
        }
        self.links.get(&interface)
    }

    fn listen(&mut self, buffer: &mut [u8]) {
        let mut claims = Vec::new();
        for (&interface, link) in &self.links {
            for _ in 0..TURN_MAX {
                let Ok(Some(frame)) = link.receive(buffer) else { break };
                claims.extend(arp_claim(frame).map(|(address, mac)| (address, Some((interface, mac)))));
            }
        }
        if let Some(icmp) = &self.icmp {
            for _ in 0..TURN_MAX {
                match icmp.receive(buffer, &self.token) {
                    Ok(Some(answered)) => claims.extend(answered.map(|address| (address, None))),
                    Ok(None) | Err(_) => break,
                }
            }
        }
        for (address, by) in claims {
            self.note(address, by);
        }
    }

    /// Somebody has `address`: heard on a link, with its hardware address, or by ICMP.
    fn note(&mut self, address: Ipv4Addr, by: Option<(u32, Mac)>) {
        let Some(pending) = self.pending.get(&address) else { return };
        let mac = by.map(|(_, mac)| mac);
        let is_own = mac.is_some_and(|mac| self.links.values().any(|link| link.mac == mac));
        if !is_conflict(&pending.probe, by) || is_own {
            return;
        }
        self.pending.remove(&address);
        self.results.push((address, true));
        if self.squatters.len() < SQUATTERS_MAX || self.squatters.contains_key(&address) {
            self.squatters.insert(address, (self.clock.now(), mac));
        }
    }

    /// The DHCP thread never waits for this one, so this send never waits long; a stopped one is nobody's loss.
    fn tell(&mut self) {
        if self.results.is_empty() {
            return;
        }
        let results = std::mem::take(&mut self.results);
        let command: DhcpCommand = Box::new(move |engine, now| {
            for (address, is_in_use) in results {
                engine.probe_result(address, is_in_use, now);
            }
        });
        let _ = self.commands.blocking_send(command);
    }

    fn publish(&mut self) {
        let now = self.clock.now();
        self.squatters.retain(|_, (heard, _)| now.since(*heard) < SQUATTER_SHOWN);
        let squatters = self.squatters.iter().map(|(&address, &(_, mac))| Squatter { address, mac }).collect();
        let overflowed = self.overflowed.load(Ordering::Relaxed);
        let view = ProbeView { squatters, overflowed, ..self.counts.clone() };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// Until there is something to take, to hear or to ask again.
    fn wait(&self) -> io::Result<()> {
        let readable = |socket| PollFd::new(socket, PollFlags::POLLIN);
        let mut waits = Vec::with_capacity(2 + self.links.len());
        if self.pending.len() < PROBES_MAX {
            waits.push(readable(self.woken.as_fd()));
        }
        if self.pending.is_empty() {
            return wait(&mut waits, WAIT_MAX);
        }
        waits.extend(self.links.values().map(|link| readable(link.as_fd())));
        waits.extend(self.icmp.iter().map(|icmp| readable(icmp.socket.as_fd())));
        let now = instant();
        let next = self.pending.values().map(|pending| {
            let after = if pending.tries < TRIES { TRY_INTERVAL * pending.tries } else { ANSWER_WAIT };
            (pending.asked + after).saturating_duration_since(now)
        });
        wait(&mut waits, next.min().unwrap_or(WAIT_MAX).min(WAIT_MAX))
    }
}

/// An address may be heard of on another link than where it was asked for, and the client that is to get it may have it
/// already.
fn is_conflict(probe: &Probe, by: Option<(u32, Mac)>) -> bool {
    match by {
        Some((interface, mac)) => !probe.is_relayed && interface == probe.interface && probe.client != Some(mac),
        None => probe.is_relayed,
    }
}

/// Classic BPF: all that has the socket's EtherType.
const EVERYTHING: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, u32::MAX)];

/// Classic BPF over an IP packet: the first octet of ICMP is its type; echo replies pass.
const ECHO_REPLIES: [SockFilter; 5] = [
    SockFilter::new(0xb1, 0, 0, 0),
    SockFilter::new(0x50, 0, 0, 0),
    SockFilter::new(0x15, 0, 1, 0),
    SockFilter::new(0x06, 0, 0, u32::MAX),
    SockFilter::new(0x06, 0, 0, 0),
];

/// Sends echo requests and hears the replies.
struct IcmpSocket {
    /// Not UDP, but sent and received by the same calls.
    socket: UdpSocket,
    has_ip_header: bool,
    sequence: u16,
}

impl IcmpSocket {
    /// The kind that hears its own replies only (icmp(7), `ping_group_range`), else a raw one.
    fn open() -> io::Result<Self> {
        let (socket, has_ip_header) = match Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)) {
            Ok(socket) => (socket, false),
            Err(_) => (Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?, true),
        };
        if has_ip_header {
            socket.attach_filter(&ECHO_REPLIES)?;
        }
        socket.set_nonblocking(true)?;
        Ok(Self { socket: socket.into(), has_ip_header, sequence: 0 })
    }

    fn ask(&mut self, address: Ipv4Addr, token: &Token) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let identifier = u16::from_be_bytes([token[0], token[1]]);
        let bytes = echo_request(identifier, self.sequence, token);
        self.socket.send_to(&bytes, SocketAddrV4::new(address, 0)).map(|_| ())
    }

    /// `None`: nothing there. `Some(None)`: something that is no answer to us.
    fn receive(&self, buffer: &mut [u8], token: &Token) -> io::Result<Option<Option<Ipv4Addr>>> {
        match self.socket.recv_from(buffer) {
            Ok((length, source)) => {
                let packet = buffer.get(..length).unwrap_or_default();
                let is_ours = is_echo_reply(packet, self.has_ip_header, token);
                Ok(Some(match source.ip() {
                    std::net::IpAddr::V4(address) if is_ours => Some(address),
                    _ => None,
                }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // An ICMP error of an earlier request is reported to whoever calls next, once.
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_answer_is_a_conflict() {
        let (client, other) = (Mac([0, 0, 0x5e, 0, 0x53, 1]), Mac([0, 0, 0x5e, 0, 0x53, 2]));
        let address = Ipv4Addr::new(192, 0, 2, 7);
        let direct = Probe { address, interface: 3, is_relayed: false, client: Some(client) };
        let relayed = Probe { is_relayed: true, ..direct };
        for (probe, by, is_wanted) in [
            (direct, Some((3, other)), true),
            (direct, Some((3, client)), false),
            (direct, Some((4, other)), false),
            (direct, None, false),
            (relayed, None, true),
            (relayed, Some((3, other)), false),
        ] {
            assert_eq!(is_conflict(&probe, by), is_wanted, "{probe:?} {by:?}");
        }
    }

    /// The DHCP thread never waits for a prober that is slow, or gone.
    #[test]
    fn asking_never_waits() {
        let (wanted, receiver) = sync_channel(2);
        let (wake, _woken) = UnixStream::pair().unwrap();
        let queue = ProbeQueue { wanted, wake, overflowed: Arc::default() };
        let probe = |last| Probe { address: [192, 0, 2, last].into(), interface: 1, is_relayed: false, client: None };
        (0..5).for_each(|last| queue.ask(probe(last)));
        assert_eq!(queue.overflowed.load(Ordering::Relaxed), 3);
        drop(receiver);
        queue.ask(probe(9));
        assert_eq!(queue.overflowed.load(Ordering::Relaxed), 3);
    }
}
