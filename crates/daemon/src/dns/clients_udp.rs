//! Clients over UDP: a pinned thread for each core with sockets of its own, on which the kernel spreads the clients.
//!
//! A batch is received with one system call. What the cache knows is answered here, with one more; the rest is put in the
//! queue of the engine's thread, which replies itself out of the same socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use dns::Verdict;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use super::{
    client_worker::ClientWorker,
    inbox::{EngineHandle, Inbound, ReplyTo},
    listen::UdpListener,
};
use crate::{
    batch_io::{self, BATCH_MAX, Datagram, Outgoing, Received, Target},
    clock::Clock,
    udp::send_all,
};

/// Longest query taken whole; a longer one is cut and refused as malformed.
const QUERY_BYTES_MAX: usize = 2_048;
/// Distance of two queries in memory: not a power of two, so that they do not share cache sets.
const QUERY_STRIDE: usize = QUERY_BYTES_MAX + 64;
/// How often a thread looks whether it shall end.
const STOP_INTERVAL: Duration = Duration::from_millis(100);
/// Batches taken from one socket before the others have their turn.
const TURN_MAX: usize = 4;

/// Which socket a query came to, at which of our addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Origin {
    /// Number of the socket among all of them.
    pub(crate) socket: usize,
    /// Our address; unspecified when the socket is bound to it.
    pub(crate) local: IpAddr,
    /// Interface; 0 when the socket is bound to an address.
    pub(crate) interface: u32,
}

impl Origin {
    /// How a reply to `client` leaves.
    pub(crate) fn target(&self, client: SocketAddr) -> Target {
        Target::Udp { to: client, from: self.local, interface: self.interface }
    }
}

/// What the threads count beside the engine.
#[derive(Debug, Default)]
pub(crate) struct UdpCounters {
    /// Datagrams that could not be received or sent.
    pub(crate) send_errors: AtomicU64,
    /// Queries dropped because the engine's queue was full; their clients ask again.
    pub(crate) queue_full: AtomicU64,
    /// Datagrams that the kernel dropped because a socket's buffer was full.
    pub(crate) kernel_drops: AtomicU64,
}

/// One thread's share of the clients.
pub(crate) struct UdpClients {
    /// Number of the thread; also its core.
    pub(crate) number: usize,
    pub(crate) sockets: Vec<UdpListener>,
    pub(crate) worker: ClientWorker,
    pub(crate) clock: Clock,
    pub(crate) engine: EngineHandle,
    pub(crate) counters: Arc<UdpCounters>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl UdpClients {
    /// Serves until told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        pin(self.number);
        let sockets = std::mem::take(&mut self.sockets);
        let mut room = Room { queries: vec![0; QUERY_STRIDE * BATCH_MAX], replies: Vec::new(), places: Vec::new() };
        if let [listener] = &*sockets {
            return self.serve_one(listener, &mut room);
        }
        while !self.stop.load(Ordering::Relaxed) {
            wait_readable(&sockets)?;
            for listener in &sockets {
                for _ in 0..TURN_MAX {
                    if self.serve(listener, &mut room, batch_io::receive) < BATCH_MAX {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// One socket needs no waiting apart from receiving. A thread that was just busy lets others run once before it sleeps:
    /// who asks next is often about to, and not falling asleep is cheaper than being woken.
    fn serve_one(&mut self, listener: &UdpListener, room: &mut Room) -> io::Result<()> {
        listener.socket.set_nonblocking(false)?;
        listener.socket.set_read_timeout(Some(STOP_INTERVAL))?;
        let mut is_busy = false;
        while !self.stop.load(Ordering::Relaxed) {
            if is_busy {
                thread::yield_now();
                is_busy = self.serve(listener, room, batch_io::receive) > 0;
            } else {
                is_busy = self.serve(listener, room, batch_io::wait_and_receive) > 1;
            }
        }
        Ok(())
    }

    /// Takes one batch; returns how many there were.
    fn serve(&mut self, listener: &UdpListener, room: &mut Room, receive: Receive) -> usize {
        let received = match receive(listener.socket.as_fd(), &mut room.queries, QUERY_STRIDE) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return 0,
            // An ICMP error of an earlier reply, or a machine short of memory: the next datagram is not concerned.
            Err(_) => {
                self.counters.send_errors.fetch_add(1, Ordering::Relaxed);
                return 0;
            }
        };
        let now = self.clock.now();
        room.replies.clear();
        room.places.clear();
        let mut asked = false;
        for (index, datagram) in received.datagrams.iter().enumerate().take(received.count) {
            let octets = room.queries.get(index * QUERY_STRIDE..).unwrap_or_default();
            let octets = octets.get(..datagram.length.min(QUERY_BYTES_MAX)).unwrap_or_default();
            let begin = room.replies.len();
            let verdict = self.worker.on_query(now, datagram.source, dns::Transport::Udp, octets, &mut room.replies);
            match verdict {
                Verdict::Slow => asked |= self.hand_on(origin(listener, datagram), datagram.source, octets),
                Verdict::Drop => {}
                Verdict::Reply | Verdict::ReplyAndRefresh => {
                    let target = origin(listener, datagram).target(datagram.source);
                    room.places.push((target, begin..room.replies.len()));
                }
            }
        }
        if asked {
            self.engine.wake();
        }
        self.reply(listener, room);
        self.worker.publish();
        if let Some(drops) = received.kernel_drops {
            listener.note_kernel_drops(drops, &self.counters.kernel_drops);
        }
        received.count
    }

    /// Puts a query in the engine's queue; false, and counted, when that is full.
    fn hand_on(&self, origin: Origin, from: SocketAddr, octets: &[u8]) -> bool {
        let reply_to = ReplyTo::Datagram(origin);
        let query = Inbound::Query { from, transport: dns::Transport::Udp, reply_to, bytes: octets.to_vec() };
        let is_put = self.engine.put(query).is_ok();
        if !is_put {
            self.counters.queue_full.fetch_add(1, Ordering::Relaxed);
        }
        is_put
    }

    fn reply(&self, listener: &UdpListener, room: &Room) {
        if room.places.is_empty() {
            return;
        }
        let outgoing: Vec<Outgoing<'_>> = room
            .places
            .iter()
            .map(|(target, place)| Outgoing {
                target: *target,
                head: &[],
                body: room.replies.get(place.clone()).unwrap_or_default(),
            })
            .collect();
        let failed = send_all(listener.socket.as_fd(), &outgoing).0;
        self.counters.send_errors.fetch_add(failed, Ordering::Relaxed);
    }
}

/// One of the two ways to take a batch.
type Receive = fn(BorrowedFd<'_>, &mut [u8], usize) -> io::Result<Received>;

/// Room for one batch, used again for the next.
struct Room {
    queries: Vec<u8>,
    /// Replies one after the other.
    replies: Vec<u8>,
    places: Vec<(Target, Range<usize>)>,
}

fn origin(listener: &UdpListener, datagram: &Datagram) -> Origin {
    if listener.is_concrete {
        Origin { socket: listener.number, local: Ipv4Addr::UNSPECIFIED.into(), interface: 0 }
    } else {
        Origin { socket: listener.number, local: datagram.local, interface: datagram.interface }
    }
}

/// Keeps the thread on one core. Not being allowed to costs speed only.
fn pin(number: usize) {
    let mut cores = CpuSet::new();
    if cores.set(number % CpuSet::count()).is_ok()
        && let Err(error) = sched_setaffinity(Pid::from_raw(0), &cores)
    {
        tracing::debug!(%error, "a DNS thread is not pinned to its core");
    }
}

fn wait_readable(sockets: &[UdpListener]) -> io::Result<()> {
    let mut waits: Vec<PollFd<'_>> =
        sockets.iter().map(|listener| PollFd::new(listener.socket.as_fd(), PollFlags::POLLIN)).collect();
    let timeout = PollTimeout::try_from(STOP_INTERVAL).unwrap_or(PollTimeout::ZERO);
    match poll(&mut waits, timeout) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
