//! The DHCPv6 thread: receive a batch, decide, send what needs no disk, save and sync the rest, then send that.
//!
//! One thread, unlike DHCPv4: clients of an event's IPv6 come by the hundred a second at most, and a batch shares its
//! sync. No REPLY leaves before the leases that it grants are on disk.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dhcp6::{Dhcp6Event, Effect, Engine, Origin, Reply};
use model::{Lease6, LeaseChange, LeaseChangeCounts};
use store::LeaseJournal;
use tokio::sync::{broadcast, mpsc};

use crate::{
    batch_io::{BATCH_MAX, Outgoing, Target},
    clock::Clock,
    control::LeaseEvent,
    dhcp_service::{Command, PoolChanges, pool_changes},
    lease_names::NameChange,
    udp::{BatchSocket, send_all, wait_readable},
};

/// The thread looks for the stop signal and for commands at least this often.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// What the rest of the services may know of DHCPv6, as of the last batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dhcp6View {
    pub(crate) counters: dhcp6::Counters,
    /// Name, addresses taken, addresses in all; stateful subnets only.
    pub(crate) pools: Vec<(String, u64, u64)>,
    /// What happened to leases so far.
    pub(crate) changes: PoolChanges,
    pub(crate) kernel_drops: u64,
    pub(crate) send_errors: u64,
    /// Batches of leases on disk, and batches that the disk refused.
    pub(crate) commits: u64,
    pub(crate) journal_errors: u64,
    /// True while the journal cannot be written: no lease is granted.
    pub(crate) journal_failing: bool,
}

/// How the DHCPv6 thread hears of others, and they of it.
pub(crate) struct Dhcp6Channels {
    pub(crate) names: mpsc::Sender<NameChange>,
    pub(crate) commands: mpsc::Receiver<Command<Engine>>,
    pub(crate) events: broadcast::Sender<LeaseEvent>,
}

pub(crate) struct Dhcp6Service {
    engine: Engine,
    journal: LeaseJournal<Lease6>,
    sockets: Vec<BatchSocket>,
    clock: Clock,
    channels: Dhcp6Channels,
    pub(crate) view: Arc<Mutex<Dhcp6View>>,
    stop: Arc<AtomicBool>,
    changes: LeaseChangeCounts,
    /// What is not the engine's to count.
    own: Dhcp6View,
    /// Replies of the batch in hand.
    replies_now: Vec<Reply>,
    replies_saved: Vec<Reply>,
}

impl Dhcp6Service {
    pub(crate) fn new(
        engine: Engine,
        journal: LeaseJournal<Lease6>,
        sockets: Vec<BatchSocket>,
        clock: Clock,
        channels: Dhcp6Channels,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let service = Self {
            engine,
            journal,
            sockets,
            clock,
            channels,
            view: Arc::default(),
            stop,
            changes: LeaseChangeCounts::default(),
            own: Dhcp6View::default(),
            replies_now: Vec::new(),
            replies_saved: Vec::new(),
        };
        service.publish();
        service
    }

    /// Serves until told to stop; everything granted is on disk when it returns.
    pub(crate) fn run(mut self) -> io::Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            let (mut has_news, mut has_more) = (self.run_commands(), false);
            for index in 0..self.sockets.len() {
                let count = self.receive_from(index)?;
                has_news |= count > 0;
                has_more |= count == BATCH_MAX;
            }
            let now = self.clock.now();
            if self.engine.deadline().is_some_and(|at| at <= now) {
                self.engine.on_deadline(now);
                self.carry_out(0);
                has_news = true;
            }
            if has_news {
                self.publish();
            }
            if !has_more {
                let wait = self.engine.deadline().map_or(WAIT_MAX, |at| self.clock.wall_until(at).min(WAIT_MAX));
                wait_readable(&self.sockets, wait)?;
            }
        }
        self.publish();
        Ok(())
    }

    fn run_commands(&mut self) -> bool {
        let mut is_any = false;
        while let Ok(command) = self.channels.commands.try_recv() {
            command(&mut self.engine, self.clock.now());
            self.carry_out(0);
            is_any = true;
        }
        is_any
    }

    /// Takes one batch of one socket.
    fn receive_from(&mut self, index: usize) -> io::Result<usize> {
        let now = self.clock.now();
        let (engine, Some(socket)) = (&mut self.engine, self.sockets.get_mut(index)) else { return Ok(0) };
        let count = socket.receive(|datagram, bytes| {
            let (SocketAddr::V6(source), IpAddr::V6(local)) = (datagram.source, datagram.destination) else { return };
            engine.on_packet(now, &Origin { source, local, interface: datagram.interface }, bytes);
        })?;
        if count > 0 {
            self.carry_out(index);
        }
        Ok(count)
    }

    /// Carries out what the engine asks for; replies leave by the socket that was asked.
    fn carry_out(&mut self, socket: usize) {
        let mut has_leases = false;
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Save(lease) => {
                    self.journal.append(&lease);
                    has_leases = true;
                }
                Effect::Send(reply) if reply.needs_save => self.replies_saved.push(reply),
                Effect::Send(reply) => self.replies_now.push(reply),
                Effect::Event(event) => self.note(event),
            }
        }
        let (now, mut saved) = (std::mem::take(&mut self.replies_now), std::mem::take(&mut self.replies_saved));
        self.send(socket, &now);
        // What is not on disk was not granted: the client asks again.
        if has_leases && !self.commit() {
            saved.clear();
        }
        self.send(socket, &saved);
        self.replies_now = emptied(now);
        self.replies_saved = emptied(saved);
    }

    /// Counts what happened to leases and tells who watches; a full pool is an incident by its figures.
    fn note(&mut self, event: Dhcp6Event) {
        let (change, lease) = match event {
            Dhcp6Event::Bound { lease, renewed } => {
                (if renewed { LeaseChange::Renewed } else { LeaseChange::Granted }, lease)
            }
            Dhcp6Event::Released { lease } => (LeaseChange::Released, lease),
            Dhcp6Event::Expired { lease } => (LeaseChange::Expired, lease),
            Dhcp6Event::Declined { lease } => (LeaseChange::Declined, lease),
            Dhcp6Event::PoolExhausted { subnet } => {
                tracing::warn!(subnet = subnet.0, "no IPv6 address is free");
                return;
            }
        };
        self.changes.add(lease.subnet, change);
        // DNS loops without ever waiting for DHCP, so this send never waits long; a stopped DNS is nobody's loss.
        if let Some(name) = NameChange::after(change, &lease) {
            let _ = self.channels.names.blocking_send(name);
        }
        if self.channels.events.receiver_count() > 0 {
            // Watchers that are too slow are told how many they missed.
            let _ = self.channels.events.send(LeaseEvent::V6(change, lease));
        }
    }

    fn commit(&mut self) -> bool {
        let result = self.journal.commit();
        self.own.commits = self.journal.status().commits;
        match &result {
            Ok(()) if self.own.journal_failing => tracing::warn!("the journal of IPv6 leases can be written again"),
            Ok(()) => {}
            Err(error) => {
                self.own.journal_errors += 1;
                if !self.own.journal_failing {
                    tracing::error!(%error, "the journal of IPv6 leases cannot be written: no lease is granted; free space in the state directory");
                }
            }
        }
        self.own.journal_failing = result.is_err();
        result.is_ok()
    }

    fn send(&mut self, socket: usize, replies: &[Reply]) {
        let Some(socket) = self.sockets.get(socket) else { return };
        for replies in replies.chunks(BATCH_MAX) {
            let outgoing: Vec<_> = replies.iter().map(outgoing).collect();
            let (failed, reason) = send_all(socket.socket.as_fd(), &outgoing);
            if let Some(error) = reason {
                self.own.send_errors += failed;
                tracing::debug!(%error, failed, "DHCPv6 replies could not be sent");
            }
        }
    }

    fn publish(&self) {
        let pools = self.engine.pool_use().filter(|(.., size)| *size > 0);
        let view = Dhcp6View {
            counters: self.engine.counters(),
            pools: pools
                .map(|(_, name, used, size)| (model::pool_name_v6(name), used, u64::try_from(size).unwrap_or(u64::MAX)))
                .collect(),
            changes: pool_changes(
                &self.changes,
                self.engine.pool_use().map(|(subnet, name, ..)| (subnet, model::pool_name_v6(name))),
            ),
            kernel_drops: self.sockets.iter().map(|socket| u64::from(socket.kernel_drops)).sum(),
            ..self.own.clone()
        };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

fn outgoing(reply: &Reply) -> Outgoing<'_> {
    let from = IpAddr::V6(reply.from.unwrap_or(Ipv6Addr::UNSPECIFIED));
    let target = Target::Udp { to: SocketAddr::V6(reply.to), from, interface: reply.interface };
    Outgoing { target, head: &[], body: &reply.bytes }
}

/// The same memory for the next batch.
fn emptied(mut replies: Vec<Reply>) -> Vec<Reply> {
    replies.clear();
    replies
}
