//! Other DHCP servers on the links of direct subnets: a DISCOVER now and then that makes them speak up, and an ear for
//! what they say to clients.
//!
//! A thread of its own that hears frames, so that it knows the hardware address of whoever answers, and does not take
//! anything from the DHCP sockets. What we send ourselves is known by its hardware address and left out here; the engine
//! leaves out what names us as the server.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use dhcp::{
    CLIENT_PORT, Origin, SERVER_PORT,
    rogue::{overheard, probe_discover},
};
use model::{Mac, Timestamp};
use nix::{
    ifaddrs::getifaddrs,
    poll::{PollFd, PollFlags},
};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha12Rng;
use socket2::SockFilter;
use tokio::sync::mpsc;

use crate::{
    circuit_labels::port_text,
    clock::{Clock, instant},
    dhcp_service::DhcpCommand,
    link_socket::LinkSocket,
    rogue_frames::{IPV4, discover_frame, server_message},
    udp::wait,
};

/// A server that answers only now and then is asked this often.
const ASK_INTERVAL: Duration = Duration::from_secs(60);
/// An interface that could not be listened on is tried again after this long.
const OPEN_INTERVAL: Duration = Duration::from_secs(10);
/// The thread looks for the stop signal at least this often.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// Frames taken from one interface before the others have their turn.
const TURN_MAX: usize = 64;
/// Messages of others that the engine is told of in one turn; the rest is counted.
const TOLD_MAX: usize = 16;
/// Longest frame looked at whole.
const FRAME_BYTES_MAX: usize = 2_048;
/// Servers that are shown at one time.
const SHOWN_MAX: usize = 16;
/// How long a server is shown after it was heard: longer than [`ASK_INTERVAL`].
const SHOWN: Duration = Duration::from_secs(150);

/// A DHCP server that is not ours.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ForeignServer {
    /// Its identifier (option 54).
    pub(crate) server: Ipv4Addr,
    /// Whoever sent the frame.
    pub(crate) mac: Mac,
    /// Where it was heard.
    pub(crate) interface: String,
}

/// What the watch has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RogueCounts {
    /// DISCOVERs sent.
    pub(crate) asked: u64,
    /// DISCOVERs that could not be sent.
    pub(crate) unsent: u64,
    /// Messages of other servers heard.
    pub(crate) heard: u64,
    /// Those that the engine was not told of, because there were too many.
    pub(crate) untold: u64,
}

/// Other servers: when each was heard last, and behind which port it is, if a lease of its own says so.
type Servers = Arc<Mutex<BTreeMap<ForeignServer, (Timestamp, Option<String>)>>>;

/// What the rest of the services may know of other servers.
#[derive(Clone, Default)]
pub(crate) struct RogueView {
    counts: Arc<Mutex<RogueCounts>>,
    servers: Servers,
}

/// The same at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct RogueSeen {
    pub(crate) counts: RogueCounts,
    /// Heard lately, with the port of each where it is known.
    pub(crate) servers: Vec<(ForeignServer, Option<String>)>,
}

impl RogueView {
    pub(crate) fn read(&self) -> RogueSeen {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        RogueSeen { counts, servers: servers.iter().map(|(one, (_, port))| (one.clone(), port.clone())).collect() }
    }
}

/// A message of a server, before it is known whose.
struct Heard {
    server: ForeignServer,
    interface: u32,
    source: Ipv4Addr,
    payload: Vec<u8>,
}

/// A link that is watched.
struct Link {
    index: u32,
    name: String,
    socket: Option<LinkSocket>,
    /// When it is asked next, or opened next.
    due: Instant,
}

pub(crate) struct RogueWatch {
    links: Vec<Link>,
    commands: mpsc::Sender<DhcpCommand>,
    clock: Clock,
    random: ChaCha12Rng,
    servers: Servers,
    counts: RogueCounts,
    pub(crate) view: RogueView,
    stop: Arc<AtomicBool>,
}

impl RogueWatch {
    /// Watches `interfaces`, by index; without `CAP_NET_RAW` it hears nothing and says so.
    pub(crate) fn new(
        mut interfaces: Vec<u32>,
        commands: mpsc::Sender<DhcpCommand>,
        clock: Clock,
        stop: Arc<AtomicBool>,
        random: ChaCha12Rng,
    ) -> Self {
        interfaces.sort_unstable();
        interfaces.dedup();
        let name = |index| nix::net::if_::if_indextoname(index).ok()?.into_string().ok();
        let link = |index| Link { index, name: name(index).unwrap_or_default(), socket: None, due: instant() };
        let links = interfaces.into_iter().map(link).collect();
        let view = RogueView::default();
        let (servers, counts) = (Arc::clone(&view.servers), RogueCounts::default());
        let mut watch = Self { links, commands, clock, random, servers, counts, view, stop };
        watch.open();
        for link in watch.links.iter().filter(|link| link.socket.is_none()) {
            tracing::warn!(interface = link.name, "other DHCP servers are not heard: that needs `CAP_NET_RAW`");
        }
        watch
    }

    /// Asks and listens until told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; FRAME_BYTES_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            self.open();
            self.ask();
            self.listen(&mut buffer);
            self.publish();
            self.wait()?;
        }
        Ok(())
    }

    fn open(&mut self) {
        let now = instant();
        for link in self.links.iter_mut().filter(|link| link.socket.is_none() && link.due <= now) {
            match LinkSocket::open(link.index, IPV4, &TO_CLIENTS) {
                Ok(socket) => link.socket = Some(socket),
                Err(error) => {
                    tracing::debug!(%error, interface = link.name, "other DHCP servers are not heard");
                    link.due = now + OPEN_INTERVAL;
                }
            }
        }
    }

    fn ask(&mut self) {
        let now = instant();
        for link in self.links.iter_mut().filter(|link| link.due <= now) {
            let Some(socket) = &link.socket else { continue };
            let frame = discover_frame(socket.mac, &probe_discover(self.random.next_u32(), socket.mac));
            match socket.send(&frame) {
                Ok(()) => self.counts.asked += 1,
                Err(_) => self.counts.unsent += 1,
            }
            // Not in step with others who ask.
            link.due = now + ASK_INTERVAL.mul_f64(self.random.random_range(0.75..1.0));
        }
    }

    fn listen(&mut self, buffer: &mut [u8]) {
        let own: Vec<Mac> = self.links.iter().filter_map(|link| Some(link.socket.as_ref()?.mac)).collect();
        let mut heard = Vec::new();
        for link in &mut self.links {
            for _ in 0..TURN_MAX {
                let Some(socket) = &link.socket else { break };
                let frame = match socket.receive(buffer) {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(_) => {
                        (link.socket, link.due) = (None, instant() + OPEN_INTERVAL);
                        break;
                    }
                };
                let Some(message) = server_message(frame).filter(|message| !own.contains(&message.from)) else {
                    continue;
                };
                let Some(said) = overheard(message.payload) else { continue };
                heard.push(Heard {
                    server: ForeignServer { server: said.server, mac: message.from, interface: link.name.clone() },
                    interface: link.index,
                    source: message.source,
                    payload: message.payload.to_vec(),
                });
            }
        }
        if !heard.is_empty() {
            self.tell(heard);
        }
    }

    /// The engine knows by which names we are called ourselves. Never waits: the DHCP thread may be busy, and what it is
    /// not told now it is told at the next DISCOVER.
    fn tell(&mut self, mut heard: Vec<Heard>) {
        let addresses = own_addresses();
        heard.retain(|heard| addresses.iter().all(|&(_, own)| own != heard.server.server));
        self.counts.heard += heard.len() as u64;
        let count = heard.len().min(TOLD_MAX);
        self.counts.untold += (heard.len() - count) as u64;
        heard.truncate(count);
        if heard.is_empty() {
            return;
        }
        let servers = Arc::clone(&self.servers);
        let command: DhcpCommand = Box::new(move |engine, now| {
            let mut servers = servers.lock().unwrap_or_else(PoisonError::into_inner);
            for one in heard {
                let local = addresses.iter().find(|(on, _)| *on == one.interface);
                let local = local.map_or(Ipv4Addr::UNSPECIFIED, |&(_, own)| own);
                let source = SocketAddrV4::new(one.source, SERVER_PORT);
                let origin = Origin { source, local, interface: one.interface, is_broadcast: true };
                let is_foreign = engine.on_foreign(now, &origin, &one.payload);
                if !is_foreign {
                    continue;
                }
                if let Some((heard, _)) = servers.get_mut(&one.server) {
                    *heard = now;
                } else if servers.len() < SHOWN_MAX {
                    let lease = engine.lease_with_port(one.server.mac);
                    let port = lease.and_then(|lease| port_text(&lease.remote_id, &lease.circuit_id));
                    servers.insert(one.server, (now, port));
                }
            }
        });
        if self.commands.try_send(command).is_err() {
            self.counts.untold += count as u64;
        }
    }

    fn publish(&mut self) {
        let (now, shown) = (self.clock.now(), SHOWN.mul_f64(self.clock.speed()));
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (heard, _)| now.since(*heard) < shown);
        *self.view.counts.lock().unwrap_or_else(PoisonError::into_inner) = self.counts;
    }

    fn wait(&self) -> io::Result<()> {
        let sockets = self.links.iter().filter_map(|link| link.socket.as_ref());
        let mut waits: Vec<_> = sockets.map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        wait(&mut waits, WAIT_MAX)
    }
}

/// Interface and address of each of this machine's IPv4 addresses.
fn own_addresses() -> Vec<(u32, Ipv4Addr)> {
    let all = getifaddrs().into_iter().flatten();
    all.filter_map(|one| {
        let address = one.address?.as_sockaddr_in()?.ip();
        Some((nix::net::if_::if_nametoindex(one.interface_name.as_str()).ok()?, address))
    })
    .collect()
}

/// Classic BPF over an Ethernet frame: what IPv4 carries, not a later fragment, by UDP from port 67 to port 68.
const TO_CLIENTS: [SockFilter; 13] = [
    // EtherType.
    SockFilter::new(0x28, 0, 0, 12),
    SockFilter::new(0x15, 0, 10, IPV4 as u32),
    // Protocol.
    SockFilter::new(0x30, 0, 0, 23),
    SockFilter::new(0x15, 0, 8, 17),
    // Fragment offset.
    SockFilter::new(0x28, 0, 0, 20),
    SockFilter::new(0x45, 6, 0, 0x1fff),
    // Ports, which stand after as many words as the IP header says.
    SockFilter::new(0xb1, 0, 0, 14),
    SockFilter::new(0x48, 0, 0, 14),
    SockFilter::new(0x15, 0, 3, SERVER_PORT as u32),
    SockFilter::new(0x48, 0, 0, 16),
    SockFilter::new(0x15, 0, 1, CLIENT_PORT as u32),
    SockFilter::new(0x06, 0, 0, u32::MAX),
    SockFilter::new(0x06, 0, 0, 0),
];
