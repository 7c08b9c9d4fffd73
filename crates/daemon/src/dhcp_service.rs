//! The DHCP thread: receive a batch, decide, send what needs no disk, hand the rest to the commit thread.
//!
//! One thread and one engine, no locks: broadcasts would reach every socket of a shared port anyway.

use std::{
    collections::HashSet,
    hash::BuildHasher,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dhcp::{DhcpEvent, Effect, Engine, Origin};
use model::{ClientKey, Lease, LeaseChange, LeaseChangeCounts, SubnetId, Timestamp};
use store::LeaseJournal;
use tokio::sync::{broadcast, mpsc};

use crate::{
    batch_io::BATCH_MAX,
    circuit_labels::{CircuitUse, busiest, port_text},
    clock::{Clock, instant},
    control::LeaseEvent,
    dhcp_commit::Committer,
    dhcp_send::{Addressed, Sender},
    lease_names::NameChange,
    probe::ProbeQueue,
    udp::{BatchSocket, wait_readable},
};

/// Different clients remembered for the count of unique ones; beyond it the count stands still.
const UNIQUE_CLIENTS_MAX: usize = 2_000_000;
/// The thread looks for the stop signal at least this often.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// Batches of one socket taken before the others, deadlines and the view have their turn.
const BATCHES_IN_A_ROW_MAX: usize = 4;
/// The view is renewed at most so often, and at least when there is nothing else to do.
const VIEW_INTERVAL: Duration = Duration::from_millis(50);
/// Leases handed to the disk at one time. After a clock step all leases are saved again, and no copy of all is held.
const SAVES_MAX: usize = 4_096;

/// How long a foreign server counts as there after it was heard.
const FOREIGN_SHOWN: Duration = Duration::from_secs(120);

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
    /// A foreign DHCP server that was heard of in the last two minutes.
    pub(crate) foreign_server: Option<ForeignChoice>,
    /// Kinds of devices that got leases; counts only.
    pub(crate) kinds: dhcp::fingerprint::KindCounts,
    /// Addresses taken of each class's pools: subnet, class, how many.
    pub(crate) classes: Vec<(String, String, u64)>,
    /// What happened to leases so far.
    pub(crate) changes: PoolChanges,
    /// What the busiest circuits hold.
    pub(crate) circuits: Vec<CircuitUse>,
}

/// Another server, as a client says that takes its offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ForeignChoice {
    /// Its identifier (option 54).
    pub(crate) server: Ipv4Addr,
    /// The client's relay agent.
    pub(crate) relay: Option<Ipv4Addr>,
    /// The client's port, for operators.
    pub(crate) port: Option<String>,
}

/// Pool, change, how many leases so far.
pub(crate) type PoolChanges = Vec<(String, LeaseChange, u64)>;

/// Work for a thread that has an engine `E`, between two batches.
pub(crate) type Command<E> = Box<dyn FnOnce(&mut E, Timestamp) + Send>;

/// Work for the DHCP thread.
pub(crate) type DhcpCommand = Command<Engine>;

/// Commands that may wait.
pub(crate) const COMMANDS_MAX: usize = 16;

/// How the DHCP thread hears of others, and they of it.
pub(crate) struct DhcpChannels {
    pub(crate) names: mpsc::Sender<NameChange>,
    pub(crate) commands: mpsc::Receiver<DhcpCommand>,
    pub(crate) events: broadcast::Sender<LeaseEvent>,
    pub(crate) probes: ProbeQueue,
}

pub(crate) struct DhcpService {
    engine: Engine,
    sockets: Vec<BatchSocket>,
    sender: Sender,
    committer: Committer,
    clock: Clock,
    channels: DhcpChannels,
    pub(crate) view: Arc<Mutex<DhcpView>>,
    stop: Arc<AtomicBool>,
    unique: UniqueClients,
    changes: LeaseChangeCounts,
    /// The foreign server heard last, and when.
    foreign: Option<(ForeignChoice, Timestamp)>,
    /// Of the batch in hand.
    saves: Vec<Lease>,
    replies_now: Vec<Addressed>,
    replies_saved: Vec<Addressed>,
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
    /// Starts the commit thread as well.
    pub(crate) fn new(
        engine: Engine,
        journal: LeaseJournal,
        sockets: Vec<BatchSocket>,
        clock: Clock,
        channels: DhcpChannels,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let sending = sockets.iter().map(|socket| socket.socket.try_clone()).collect::<io::Result<Vec<_>>>()?;
        let sender = Sender::new(sending);
        let mut unique = UniqueClients::default();
        engine.leases().for_each(|lease| unique.add(&lease.client));
        let service = Self {
            committer: Committer::start(journal, sender.clone())?,
            engine,
            sockets,
            sender,
            clock,
            channels,
            view: Arc::default(),
            stop,
            unique,
            changes: LeaseChangeCounts::default(),
            foreign: None,
            saves: Vec::new(),
            replies_now: Vec::new(),
            replies_saved: Vec::new(),
        };
        service.publish();
        Ok(service)
    }

    /// Serves until told to stop; everything acknowledged is on disk when it returns.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut published = instant();
        let mut is_view_old = false;
        while !self.stop.load(Ordering::Relaxed) {
            let (mut received, mut has_more) = (0, false);
            for index in 0..self.sockets.len() {
                let count = self.receive_from(index)?;
                received += count;
                has_more |= count >= BATCH_MAX * BATCHES_IN_A_ROW_MAX;
            }
            is_view_old |= self.run_commands();
            let now = self.clock.now();
            if self.engine.deadline().is_some_and(|at| at <= now) {
                self.engine.on_deadline(now);
                self.take_effects(0);
                self.send_and_save();
                is_view_old = true;
            }
            is_view_old |= received > 0;
            let wall = instant();
            if is_view_old && (received == 0 || wall.saturating_duration_since(published) >= VIEW_INTERVAL) {
                self.publish();
                (published, is_view_old) = (wall, false);
            }
            // A batch that was not full took all there was, so asking again at once would be in vain.
            if !has_more {
                let wait = self.engine.deadline().map_or(WAIT_MAX, |at| self.clock.wall_until(at).min(WAIT_MAX));
                wait_readable(&self.sockets, wait)?;
            }
        }
        self.publish();
        self.committer.finish()
    }

    fn run_commands(&mut self) -> bool {
        let mut is_any = false;
        while let Ok(command) = self.channels.commands.try_recv() {
            command(&mut self.engine, self.clock.now());
            self.take_effects(0);
            self.send_and_save();
            is_any = true;
        }
        is_any
    }

    /// Takes what one socket has, batch by batch.
    fn receive_from(&mut self, index: usize) -> io::Result<usize> {
        let mut received = 0;
        for _ in 0..BATCHES_IN_A_ROW_MAX {
            let now = self.clock.now();
            let (engine, Some(socket)) = (&mut self.engine, self.sockets.get_mut(index)) else { break };
            let count = socket.receive(|datagram, bytes| {
                let (SocketAddr::V4(source), IpAddr::V4(local)) = (datagram.source, datagram.local) else { return };
                let is_broadcast = datagram.destination != datagram.local;
                let origin = Origin { source, local, interface: datagram.interface, is_broadcast };
                engine.on_packet(now, &origin, bytes);
            })?;
            received += count;
            if count > 0 {
                self.take_effects(index);
                self.send_and_save();
            }
            if count < BATCH_MAX {
                break;
            }
        }
        Ok(received)
    }

    fn take_effects(&mut self, socket: usize) {
        while let Some(effect) = self.engine.next_effect() {
            match effect {
                Effect::Save(lease) => {
                    // A reply follows the lease that it depends on, so here nothing is taken apart.
                    if self.saves.len() >= SAVES_MAX {
                        self.send_and_save();
                    }
                    self.saves.push(lease);
                }
                Effect::Send(reply) if reply.needs_save => self.replies_saved.push((socket, reply)),
                Effect::Send(reply) => self.replies_now.push((socket, reply)),
                Effect::Event(event) => self.tell(event),
            }
        }
        while let Some(probe) = self.engine.next_probe() {
            self.channels.probes.ask(probe);
        }
    }

    fn send_and_save(&mut self) {
        self.committer.hand_over(&mut self.saves, &mut self.replies_saved);
        self.sender.send(&self.replies_now);
        self.replies_now.clear();
    }

    fn tell(&mut self, event: DhcpEvent) {
        let (change, lease) = match event {
            DhcpEvent::Bound { lease, renewed } => {
                (if renewed { LeaseChange::Renewed } else { LeaseChange::Granted }, lease)
            }
            DhcpEvent::Released { lease } => (LeaseChange::Released, lease),
            DhcpEvent::Expired { lease } => (LeaseChange::Expired, lease),
            DhcpEvent::Declined { lease } => (LeaseChange::Declined, lease),
            DhcpEvent::PoolExhausted { .. } => return,
            DhcpEvent::ForeignServer { server, relay, interface, circuit_id, remote_id, .. } => {
                tracing::warn!(%server, %relay, interface, "another DHCP server answers clients");
                let relay = Some(relay).filter(|relay| !relay.is_unspecified());
                let port = port_text(&remote_id, &circuit_id);
                self.foreign = Some((ForeignChoice { server, relay, port }, self.clock.now()));
                return;
            }
        };
        if change == LeaseChange::Granted {
            self.unique.add(&lease.client);
        }
        self.changes.add(lease.subnet, change);
        // DNS loops without ever waiting for DHCP, so this send never waits long; a stopped DNS is nobody's loss.
        if let Some(name) = NameChange::after(change, &lease) {
            let _ = self.channels.names.blocking_send(name);
        }
        if self.channels.events.receiver_count() > 0 {
            // Watchers that are too slow are told how many they missed.
            let _ = self.channels.events.send(LeaseEvent::V4(change, lease));
        }
    }

    fn publish(&self) {
        let now = self.clock.now();
        let pools: Vec<(String, u64, u64)> =
            self.engine.pool_use(now).map(|(_, name, used, size)| (name.to_owned(), used, size)).collect();
        let commit = &self.committer.counters;
        let view = DhcpView {
            counters: *self.engine.counters(),
            leases_active: pools.iter().map(|(_, used, _)| used).sum(),
            pools,
            clients_unique: self.unique.seen.len() as u64,
            kernel_drops: self.sockets.iter().map(|socket| u64::from(socket.kernel_drops)).sum(),
            journal_errors: commit.errors.load(Ordering::Relaxed),
            send_errors: self.sender.errors(),
            commits: commit.commits.load(Ordering::Relaxed),
            journal_failing: commit.is_failing.load(Ordering::Relaxed),
            foreign_server: self
                .foreign
                .as_ref()
                .filter(|(_, at)| now.since(*at) < FOREIGN_SHOWN)
                .map(|(choice, _)| choice.clone()),
            kinds: *self.engine.fingerprints(),
            classes: self
                .engine
                .class_use()
                .map(|(subnet, class, used)| (subnet.to_owned(), class.to_owned(), used))
                .collect(),
            changes: pool_changes(
                &self.changes,
                self.engine.pool_use(now).map(|(subnet, name, ..)| (subnet, name.to_owned())),
            ),
            circuits: busiest(self.engine.circuit_use()),
        };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

/// The counts with the names of their pools.
pub(crate) fn pool_changes(counts: &LeaseChangeCounts, pools: impl Iterator<Item = (SubnetId, String)>) -> PoolChanges {
    pools
        .flat_map(|(subnet, name)| counts.of(subnet).map(move |(change, count)| (name.clone(), change, count)))
        .collect()
}

#[cfg(test)]
mod tests {
    use dhcp::{Settings, SubnetSettings};
    use model::{LeaseState, Mac};
    use rand::SeedableRng;
    use rand_chacha::ChaCha12Rng;
    use store::{Mode, StateDir};

    use super::*;
    use crate::probe::{ProbeService, ProbeSockets};

    fn lease(number: u32, now: Timestamp) -> Lease {
        let [_, high, middle, low] = number.to_be_bytes();
        let mac = Mac([2, 0, 0x5e, high, middle, low]);
        Lease {
            subnet: SubnetId(0),
            address: Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 1, 0).to_bits() + number),
            client: ClientKey([&[1, 1][..], &mac.0].concat().into()),
            mac: Some(mac),
            state: LeaseState::Bound,
            starts: now,
            expires: now + Duration::from_secs(3_600),
            host_name: None,
            circuit_id: Arc::from([]),
            remote_id: Arc::from([]),
        }
    }

    /// All leases are saved again then: in parts, each on its way to the disk before the next is gathered.
    #[test]
    fn a_clock_step_makes_no_copy_of_all_leases() {
        const LEASES: u32 = 50_000;
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state"), "Small", Mode::Serve).unwrap();
        let (journal, ..) = LeaseJournal::<Lease>::open(&state).unwrap();
        let (clock, stop) = (Clock::Wall, Arc::new(AtomicBool::new(false)));
        let now = clock.now();
        let subnet = SubnetSettings::new(SubnetId(0), "attendee", "198.18.0.0/15".parse().unwrap());
        let server_identifier = Ipv4Addr::new(192, 0, 2, 1);
        let settings = Settings { server_identifier, subnets: vec![subnet], ..Settings::default() };
        let mut engine = Engine::new(settings, 7).unwrap();
        engine.restore_all((0..LEASES).map(|number| lease(number, now)).collect(), now);
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let mut random = ChaCha12Rng::seed_from_u64(7);
        let probing = ProbeService::new(ProbeSockets::open(), commands, clock.clone(), Arc::clone(&stop), &mut random);
        let (_probe, probes) = probing.unwrap();
        let channels =
            DhcpChannels { names: mpsc::channel(1).0, commands: receiver, events: broadcast::channel(1).0, probes };
        let mut service = DhcpService::new(engine, journal, Vec::new(), clock, channels, stop).unwrap();
        service.engine.on_deadline(now + Duration::from_secs(86_400));
        service.take_effects(0);
        assert!(service.saves.len() <= SAVES_MAX && service.saves.capacity() <= 2 * SAVES_MAX);
        service.send_and_save();
        let counters = Arc::clone(&service.committer.counters);
        service.committer.finish().unwrap();
        assert_eq!(counters.leases.load(Ordering::Relaxed), u64::from(LEASES));
    }
}
