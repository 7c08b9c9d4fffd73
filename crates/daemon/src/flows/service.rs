//! The thread that receives datagrams of NetFlow, IPFIX and sFlow; all on the same ports, told apart by their version.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use flow::{Collector, CollectorSettings, Counters, Totals};

use crate::{
    clock::Clock,
    log::{KernelDrops, kernel_drops_of},
    udp::{BatchSocket, RECEIVE_BUFFER_OCTETS, wait_readable},
};

/// The longest datagram of UDP over IPv4, and a line more, as for log lines.
const DATAGRAM_OCTETS_MAX: usize = (64 << 10) + 64;
/// Longest wait, so that a stop is seen.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// Time between looks at the whole for the page.
const VIEW_INTERVAL: Duration = Duration::from_millis(500);
/// Batches read of a socket before the others are looked at.
const BATCHES_MAX: usize = 32;

/// Binds a socket with the largest receive buffer that the kernel grants, and says so when that is little.
pub(crate) fn bind_flows(address: SocketAddr) -> io::Result<BatchSocket> {
    let socket = BatchSocket::bind_sized(address, None, DATAGRAM_OCTETS_MAX)?;
    let granted = socket.receive_buffer_octets()?;
    if granted < RECEIVE_BUFFER_OCTETS as u64 {
        tracing::warn!(
            granted,
            wanted = RECEIVE_BUFFER_OCTETS,
            "bursts of flows may be dropped: set `sysctl net.core.rmem_max={RECEIVE_BUFFER_OCTETS}` or give `CAP_NET_ADMIN`"
        );
    }
    Ok(socket)
}

/// What the publisher sees.
#[derive(Clone, Debug)]
pub(crate) struct FlowSeen {
    pub(crate) settings: Arc<CollectorSettings>,
    pub(crate) totals: Totals,
    pub(crate) counters: Counters,
    pub(crate) templates: usize,
    pub(crate) waiting_octets: usize,
    pub(crate) kernel_drops: u64,
    /// Receive buffer that the kernel granted, the smallest of all sockets.
    pub(crate) receive_buffer_octets: u64,
}

/// Where it is seen; `None` when nothing listens.
pub(crate) type FlowViews = Option<Arc<Mutex<FlowSeen>>>;

pub(crate) struct FlowService {
    collector: Collector,
    sockets: Vec<BatchSocket>,
    drops: Vec<KernelDrops>,
    clock: Clock,
    view: Arc<Mutex<FlowSeen>>,
    stop: Arc<AtomicBool>,
}

impl FlowService {
    /// `None` when nothing listens.
    pub(crate) fn new(
        settings: CollectorSettings,
        sockets: Vec<BatchSocket>,
        clock: &Clock,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Option<Self>> {
        let granted = sockets.iter().map(BatchSocket::receive_buffer_octets).collect::<io::Result<Vec<_>>>()?;
        let Some(receive_buffer_octets) = granted.into_iter().min() else { return Ok(None) };
        let collector = Collector::new(&settings);
        let view = FlowSeen {
            settings: Arc::new(settings),
            totals: collector.totals().clone(),
            counters: collector.counters(),
            templates: 0,
            waiting_octets: 0,
            kernel_drops: 0,
            receive_buffer_octets,
        };
        Ok(Some(Self {
            collector,
            drops: sockets.iter().map(|_| KernelDrops::default()).collect(),
            sockets,
            clock: clock.clone(),
            view: Arc::new(Mutex::new(view)),
            stop: Arc::clone(stop),
        }))
    }

    pub(crate) fn view(&self) -> Arc<Mutex<FlowSeen>> {
        Arc::clone(&self.view)
    }

    /// Receives until told to stop and nothing is left in the kernel's buffers.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut shown = self.clock.now();
        let mut kernel_drops = 0;
        loop {
            wait_readable(&self.sockets, WAIT_MAX)?;
            let received = self.receive()?;
            let now = self.clock.now();
            self.collector.on_deadline(now);
            let is_over = received == 0 && self.stop.load(Ordering::Relaxed);
            if is_over || now.since(shown) >= VIEW_INTERVAL || now < shown {
                shown = now;
                // With a datagram the kernel tells only what it dropped before that one.
                for (socket, drops) in self.sockets.iter().zip(&mut self.drops) {
                    kernel_drops += kernel_drops_of(socket).map_or(0, |count| drops.new_drops(count));
                }
                self.show(kernel_drops);
            }
            if is_over {
                return Ok(());
            }
        }
    }

    fn receive(&mut self) -> io::Result<usize> {
        let (collector, now) = (&mut self.collector, self.clock.now());
        let mut received = 0;
        for socket in &mut self.sockets {
            for _ in 0..BATCHES_MAX {
                match socket.receive(|datagram, octets| collector.on_datagram(now, datagram.source.ip(), octets))? {
                    0 => break,
                    count => received += count,
                }
            }
        }
        Ok(received)
    }

    fn show(&self, kernel_drops: u64) {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.totals.clone_from(self.collector.totals());
        view.counters = self.collector.counters();
        view.templates = self.collector.templates();
        view.waiting_octets = self.collector.waiting_octets();
        view.kernel_drops = kernel_drops;
    }
}
