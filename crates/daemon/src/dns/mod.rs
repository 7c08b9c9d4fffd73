//! DNS as it runs: one thread for the engine, and for every core one for clients over UDP and one for clients over
//! streams; one more for upstreams over streams. The clients' threads answer from the engine's cache themselves.
//!
//! ```text
//!  clients --UDP--> clients_udp ----+            +--> ask_udp --UDP--> upstreams
//!          <--hits-----|            |            |
//!          <------------------------|--replies---|
//!          --TCP, TLS, HTTPS--> clients_stream --+--> engine_thread --> ask_stream --TCP, TLS, HTTPS--> upstreams
//!                                          inbox (bounded)
//! ```
//! Start at [`DnsService::threads`].

mod ask_https;
mod ask_stream;
mod ask_udp;
mod client_worker;
mod clients_https;
mod clients_stream;
mod clients_udp;
mod connections;
mod engine_thread;
mod inbox;
mod listen;
mod memory_keeper;
mod operator;
mod team_files;
mod tls;
mod validator;

use std::{
    fs::File,
    io::{self, Read},
    sync::{Arc, Mutex, atomic::AtomicBool},
    thread,
};

use generate::DnsUpstream;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use store::StateDir;
use tokio::sync::mpsc;

pub(crate) use self::team_files::{TeamFileError, load_team_files};
pub(crate) use self::validator::TrustAnchorError;
pub(crate) use self::validator::trust_anchors;
use self::{
    ask_stream::{StreamAskThread, Target},
    ask_udp::UdpAsks,
    client_worker::{ClientWorker, WorkerTotals},
    clients_stream::StreamClients,
    clients_udp::{UdpClients, UdpCounters},
    engine_thread::EngineThread,
    inbox::Inbox,
    memory_keeper::MemoryKeeper,
    validator::{AnchorRecords, ValidatorThread},
};
pub(crate) use self::{
    connections::{ConnectionLimits, Connections},
    inbox::EngineHandle,
    listen::DnsSockets,
    memory_keeper::restore,
    operator::{answer, ask_engine},
    tls::{ClientTls, Held, ServerTls, certificates, client_config, provider},
};
pub use self::{
    operator::{DnsRequest, FlushWhat},
    tls::CertificateError,
};
use crate::{clock::Clock, lease_names::NameChange};

/// Threads of each kind at most; more sockets would only make batches smaller.
const THREADS_MAX: usize = 16;

/// What the rest of the services may know of DNS.
#[derive(Clone, Debug, Default)]
pub(crate) struct DnsView {
    pub(crate) counters: dns::Counters,
    pub(crate) waits: dns::Waits,
    pub(crate) cache_entries: u64,
    pub(crate) cache_bytes: u64,
    pub(crate) upstreams: Vec<dns::UpstreamHealth>,
    /// Sockets towards upstreams over UDP.
    pub(crate) upstream_sockets: u64,
    /// Datagrams on them for which nobody waited.
    pub(crate) upstream_unexpected: u64,
    pub(crate) connections_open: u64,
    pub(crate) connections_refused: u64,
    pub(crate) send_errors: u64,
    /// Queries dropped because the engine had no time for them.
    pub(crate) queue_full: u64,
    /// Datagrams that the kernel dropped.
    pub(crate) kernel_drops: u64,
}

/// Threads for clients: one for each core.
pub(crate) fn thread_count() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// All that DNS is made of, before it runs.
pub(crate) struct DnsService {
    pub(crate) engine: dns::Engine,
    pub(crate) sockets: DnsSockets,
    pub(crate) certificate: Option<Arc<ServerTls>>,
    pub(crate) trust: ClientTls,
    /// With these the answers of upstreams are validated.
    pub(crate) anchors: Option<AnchorRecords>,
    /// Upstreams with their protocols.
    pub(crate) upstreams: Vec<DnsUpstream>,
    pub(crate) clock: Clock,
    pub(crate) names: mpsc::Receiver<NameChange>,
    pub(crate) view: Arc<Mutex<DnsView>>,
    /// Where the cache is written down.
    pub(crate) state: Arc<StateDir>,
    pub(crate) stop: Arc<AtomicBool>,
}

/// The work of one thread.
pub(crate) type Work = Box<dyn FnOnce() -> io::Result<()> + Send>;

impl DnsService {
    /// The threads' names and work, and the way to the engine.
    pub(crate) fn threads(self) -> io::Result<(Vec<(&'static str, Work)>, EngineHandle)> {
        let Self { engine, sockets, certificate, trust, anchors, upstreams, clock, names, view, state, stop } = self;
        let (handle, inbox) = Inbox::new()?;
        let (streams, asks) = StreamAskThread::new(handle.clone(), trust, Arc::clone(&stop));
        let (connections, counters) = (Arc::new(Connections::default()), Arc::new(UdpCounters::default()));
        let totals = Arc::new(WorkerTotals::default());
        let mut workers: Vec<ClientWorker> =
            (0..2 * sockets.udp.len()).map(|_| ClientWorker::new(engine.worker(), &totals, handle.clone())).collect();
        let mut worker =
            || workers.pop().ok_or_else(|| io::Error::other("a thread for clients more than there are cores"));
        let keeper = MemoryKeeper { memory: engine.memory(), state, clock: clock.clone(), stop: Arc::clone(&stop) };
        let validator = anchors.map(|anchors| ValidatorThread::new(anchors, handle.clone(), Arc::clone(&stop)));
        let (validator, validations) = validator.unzip();
        let thread = EngineThread {
            engine,
            totals,
            inbox,
            sockets: sockets.udp_by_number(),
            udp: UdpAsks::new(unguessable()?),
            streams,
            validator,
            targets: upstreams.into_iter().filter_map(Target::encrypted).collect(),
            connections: Arc::clone(&connections),
            counters: Arc::clone(&counters),
            clock: clock.clone(),
            names,
            view,
            stop: Arc::clone(&stop),
        };
        let mut threads: Vec<(&'static str, Work)> =
            vec![("dns", Box::new(move || thread.run())), ("dns-upstreams", Box::new(move || asks.run()))];
        if let Some(validations) = validations {
            threads.push(("dns-validation", Box::new(move || validations.run())));
        }
        threads.push(("dns-memory", Box::new(move || keeper.run())));
        let DnsSockets { udp, tcp, tls, https, .. } = sockets;
        for (number, sockets) in udp.into_iter().enumerate() {
            let clients = UdpClients {
                number,
                sockets,
                worker: worker()?,
                clock: clock.clone(),
                engine: handle.clone(),
                counters: Arc::clone(&counters),
                stop: Arc::clone(&stop),
            };
            threads.push(("dns-udp", Box::new(move || clients.run())));
        }
        for (number, ((tcp, tls), https)) in tcp.into_iter().zip(tls).zip(https).enumerate() {
            let clients = StreamClients {
                tcp,
                tls,
                https,
                certificate: certificate.clone(),
                renews: number == 0,
                worker: worker()?,
                clock: clock.clone(),
                engine: handle.clone(),
                connections: Arc::clone(&connections),
                stop: Arc::clone(&stop),
            };
            threads.push(("dns-streams", Box::new(move || clients.run())));
        }
        Ok((threads, handle))
    }
}

/// Connections and sockets need more descriptors than the 1,024 that a process has when nobody says otherwise; what the
/// system allows without asking is taken.
pub(crate) fn raise_descriptor_limit() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is; many connections may not be accepted");
    }
}

/// A generator that nobody outside can follow, for ports.
fn unguessable() -> io::Result<ChaCha12Rng> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(ChaCha12Rng::from_seed(seed))
}
