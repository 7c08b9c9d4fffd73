//! Clients over UDP: a pinned thread for each core with sockets of its own, on which the kernel spreads the clients.
//!
//! A batch is received with one system call and put in the queue of the engine's thread, which replies itself out of the
//! same socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use super::{
    inbox::{EngineHandle, Inbound, ReplyTo},
    listen::UdpListener,
};
use crate::batch_io::{self, BATCH_MAX, Target};

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
    pub(crate) engine: EngineHandle,
    pub(crate) counters: Arc<UdpCounters>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl UdpClients {
    /// Serves until told to stop.
    pub(crate) fn run(self) -> io::Result<()> {
        pin(self.number);
        let mut buffer = vec![0; QUERY_STRIDE * BATCH_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            wait_readable(&self.sockets)?;
            for listener in &self.sockets {
                for _ in 0..TURN_MAX {
                    if self.serve(listener, &mut buffer) < BATCH_MAX {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes one batch; returns how many there were.
    fn serve(&self, listener: &UdpListener, buffer: &mut [u8]) -> usize {
        let received = match batch_io::receive(listener.socket.as_fd(), buffer, QUERY_STRIDE) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return 0,
            // An ICMP error of an earlier reply, or a machine short of memory: the next datagram is not concerned.
            Err(_) => {
                self.counters.send_errors.fetch_add(1, Ordering::Relaxed);
                return 0;
            }
        };
        let mut asked = false;
        for (datagram, octets) in received.datagrams.iter().zip(buffer.chunks_exact(QUERY_STRIDE)).take(received.count)
        {
            let origin = if listener.is_concrete {
                Origin { socket: listener.number, local: Ipv4Addr::UNSPECIFIED.into(), interface: 0 }
            } else {
                Origin { socket: listener.number, local: datagram.local, interface: datagram.interface }
            };
            let query = Inbound::Query {
                from: datagram.source,
                transport: dns::Transport::Udp,
                reply_to: ReplyTo::Datagram(origin),
                bytes: octets.get(..datagram.length.min(QUERY_BYTES_MAX)).unwrap_or_default().to_vec(),
            };
            match self.engine.put(query) {
                Ok(()) => asked = true,
                Err(_) => {
                    self.counters.queue_full.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        if asked {
            self.engine.wake();
        }
        if let Some(drops) = received.kernel_drops {
            listener.note_kernel_drops(drops, &self.counters.kernel_drops);
        }
        received.count
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
