//! The DHCP thread: receive a batch, decide, one commit and one sync, then send.
//!
//! One thread and one engine, no locks: broadcasts would reach every socket of a shared port anyway.

use std::{
    collections::HashSet,
    hash::BuildHasher,
    io::{self, IoSlice},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dhcp::{Destination, DhcpEvent, Effect, Engine, Origin, Reply};
use model::{ClientKey, HostName, Lease, LeaseState, Timestamp};
use nix::{
    libc,
    sys::socket::{ControlMessage, MsgFlags, SockaddrIn, sendmsg},
};
use store::LeaseJournal;
use tokio::sync::mpsc;

use crate::{
    clock::Clock,
    packet::PacketSocket,
    udp::{BatchSocket, wait_readable},
};

/// Different clients remembered for the count of unique ones; beyond it the count stands still.
const UNIQUE_CLIENTS_MAX: usize = 2_000_000;
/// The thread looks for the stop signal at least this often.
const WAIT_MAX: Duration = Duration::from_millis(200);
const CLIENT_PORT: u16 = 68;

/// What the rest of the services may know of DHCP, as of the last batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct DhcpView {
    pub(crate) counters: dhcp::Counters,
    /// Name, addresses taken, addresses in all.
    pub(crate) pools: Vec<(String, u64, u64)>,
    pub(crate) clients_unique: u64,
    /// Addresses taken now.
    pub(crate) leases_active: u64,
    pub(crate) kernel_drops: u64,
    pub(crate) journal_errors: u64,
    pub(crate) send_errors: u64,
    /// Batches committed.
    pub(crate) commits: u64,
    /// True while the journal cannot be written: no ACK leaves.
    pub(crate) journal_failing: bool,
}

/// A name that DNS should know, or no longer.
#[derive(Clone, Debug)]
pub(crate) enum NameChange {
    /// The client at the address is called so until the moment.
    Set(HostName, Ipv4Addr, Timestamp),
    /// Nobody is there.
    Remove(Ipv4Addr),
}

impl NameChange {
    /// What a lease says about its client's name.
    pub(crate) fn of(lease: &Lease) -> Option<Self> {
        match (lease.state, &lease.host_name) {
            (LeaseState::Bound, Some(name)) => Some(Self::Set(name.clone(), lease.address, lease.expires)),
            _ => None,
        }
    }
}

pub(crate) struct DhcpService {
    pub(crate) engine: Engine,
    pub(crate) journal: LeaseJournal,
    pub(crate) sockets: Vec<BatchSocket>,
    pub(crate) packet: Option<PacketSocket>,
    pub(crate) clock: Clock,
    pub(crate) names: mpsc::Sender<NameChange>,
    pub(crate) view: Arc<Mutex<DhcpView>>,
    pub(crate) stop: Arc<AtomicBool>,
    unique: UniqueClients,
    journal_errors: u64,
    send_errors: u64,
    commits: u64,
    journal_failing: bool,
}

/// Counts different clients by a seeded hash, so that no key outlives its lease here.
#[derive(Default)]
struct UniqueClients {
    hasher: foldhash::fast::RandomState,
    seen: HashSet<u64, foldhash::fast::RandomState>,
}

impl UniqueClients {
    fn add(&mut self, client: &ClientKey) {
        if self.seen.len() < UNIQUE_CLIENTS_MAX {
            self.seen.insert(self.hasher.hash_one(client));
        }
    }
}

impl DhcpService {
    pub(crate) fn new(
        engine: Engine,
        journal: LeaseJournal,
        sockets: Vec<BatchSocket>,
        clock: Clock,
        names: mpsc::Sender<NameChange>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        // Without the capability, address-less clients are answered by broadcast instead.
        let packet = PacketSocket::open().inspect_err(|error| tracing::debug!(%error, "no packet socket")).ok();
        let mut service = Self {
            engine,
            journal,
            sockets,
            packet,
            clock,
            names,
            view: Arc::default(),
            stop,
            unique: UniqueClients::default(),
            journal_errors: 0,
            send_errors: 0,
            commits: 0,
            journal_failing: false,
        };
        let clients: Vec<ClientKey> = service.engine.leases().map(|lease| lease.client.clone()).collect();
        clients.iter().for_each(|client| service.unique.add(client));
        service.publish();
        service
    }

    /// Serves until told to stop; everything acknowledged is on disk when it returns.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut replies = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let now = self.clock.now();
            let wait = self.engine.deadline().map_or(WAIT_MAX, |at| self.clock.wall_until(at).min(WAIT_MAX));
            wait_readable(&self.sockets, wait)?;
            let mut received = 0;
            for index in 0..self.sockets.len() {
                received += self.receive(index, &mut replies)?;
            }
            if self.engine.deadline().is_some_and(|at| at <= now) {
                self.engine.on_deadline(now);
                self.take_effects(0, &mut replies);
            }
            self.commit_and_send(&mut replies);
            if received > 0 || wait >= Duration::from_millis(1) {
                self.publish();
            }
        }
        self.journal.commit()
    }

    /// Takes a batch of one socket into the engine.
    fn receive(&mut self, index: usize, replies: &mut Vec<(usize, Reply)>) -> io::Result<usize> {
        let now = self.clock.now();
        let (engine, Some(socket)) = (&mut self.engine, self.sockets.get_mut(index)) else { return Ok(0) };
        let received = socket.receive(|datagram, bytes| {
            let SocketAddr::V4(source) = datagram.source else { return };
            let origin = Origin { source, local: datagram.local, interface: datagram.interface };
            engine.on_packet(now, &origin, bytes);
        })?;
        self.take_effects(index, replies);
        Ok(received)
    }

    fn take_effects(&mut self, socket: usize, replies: &mut Vec<(usize, Reply)>) {
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Save(lease) => {
                    self.unique.add(&lease.client);
                    self.journal.append(&lease);
                }
                Effect::Send(reply) => replies.push((socket, reply)),
                Effect::Event(event) => self.tell_names(&event),
            }
        }
    }

    /// DNS loops without ever waiting for DHCP, so this send never waits long; a stopped DNS is nobody's loss.
    fn tell_names(&self, event: &DhcpEvent) {
        let change = match event {
            DhcpEvent::Bound { lease, .. } => NameChange::of(lease),
            DhcpEvent::Released { lease } | DhcpEvent::Expired { lease } | DhcpEvent::Declined { lease } => {
                Some(NameChange::Remove(lease.address))
            }
            DhcpEvent::PoolExhausted { .. } => None,
        };
        if let Some(change) = change {
            let _ = self.names.blocking_send(change);
        }
    }

    /// One sync for the whole batch. If it fails, replies that depend on it are not sent: the clients ask again.
    fn commit_and_send(&mut self, replies: &mut Vec<(usize, Reply)>) {
        let needs_save = replies.iter().any(|(_, reply)| reply.needs_save);
        let saved = match self.journal.commit() {
            Ok(()) => {
                self.commits += u64::from(needs_save);
                if needs_save && std::mem::take(&mut self.journal_failing) {
                    tracing::warn!("the lease journal can be written again");
                }
                true
            }
            Err(error) => {
                self.journal_errors += 1;
                if !std::mem::replace(&mut self.journal_failing, true) {
                    tracing::error!(%error, "the lease journal cannot be written: no lease is acknowledged; free space in the state directory");
                }
                false
            }
        };
        for (socket, reply) in replies.drain(..) {
            if reply.needs_save && !saved {
                continue;
            }
            if let Err(error) = self.send(socket, &reply) {
                self.send_errors += 1;
                tracing::debug!(%error, to = ?reply.destination, "a DHCP reply could not be sent");
            }
        }
    }

    fn send(&self, socket: usize, reply: &Reply) -> io::Result<()> {
        match reply.destination {
            Destination::Relay(to) | Destination::Unicast(to) => self.send_udp(socket, to, reply.from, 0, &reply.bytes),
            Destination::Broadcast { interface } => {
                let everybody = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
                self.send_udp(socket, everybody, reply.from, interface, &reply.bytes)
            }
            Destination::Hardware { interface, mac, address } => match &self.packet {
                Some(packet) => packet.send(interface, mac, reply.from, address, &reply.bytes),
                None => {
                    let everybody = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);
                    self.send_udp(socket, everybody, reply.from, interface, &reply.bytes)
                }
            },
        }
    }

    fn send_udp(
        &self,
        socket: usize,
        to: SocketAddrV4,
        from: Ipv4Addr,
        interface: u32,
        bytes: &[u8],
    ) -> io::Result<()> {
        let Some(socket) = self.sockets.get(socket) else { return Ok(()) };
        let info = libc::in_pktinfo {
            ipi_ifindex: i32::try_from(interface).unwrap_or_default(),
            ipi_spec_dst: libc::in_addr { s_addr: u32::from(from).to_be() },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let control = [ControlMessage::Ipv4PacketInfo(&info)];
        let to = SockaddrIn::from(to);
        sendmsg(socket.socket.as_raw_fd(), &[IoSlice::new(bytes)], &control, MsgFlags::MSG_DONTWAIT, Some(&to))?;
        Ok(())
    }

    fn publish(&self) {
        let now = self.clock.now();
        let pools: Vec<(String, u64, u64)> =
            self.engine.pool_use(now).map(|(_, name, used, size)| (name.to_owned(), used, size)).collect();
        let view = DhcpView {
            counters: *self.engine.counters(),
            leases_active: pools.iter().map(|(_, used, _)| used).sum(),
            pools,
            clients_unique: self.unique.seen.len() as u64,
            kernel_drops: self.sockets.iter().map(|socket| u64::from(socket.kernel_drops)).sum(),
            journal_errors: self.journal_errors,
            send_errors: self.send_errors,
            commits: self.commits,
            journal_failing: self.journal_failing,
        };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}
