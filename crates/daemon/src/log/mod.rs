//! The syslog services: threads that receive, and one that writes.
//!
//! ```text
//!  UDP ----> datagrams (a thread each socket) --+
//!  TCP ----> streams (a thread each core,       +--bounded queue--> writer --> fold --> store::Telemetry
//!  TLS ---->          a task each connection) --+                     |
//!                       ^------ stored, or not: read on, or send again
//! ```
//! A stream is read by one read only beyond what of it is on disk. So a sender may take it that all it has written but
//! the last 1 MiB (`UNSYNCED_OCTETS_MAX`) of its connection survives kill -9 and a power cut, and one that shuts its side down
//! and reads until the end knows it of every line: our side closes after the sync. For UDP nothing is acknowledged; the
//! kernel's buffer waits while the disk is slow, and what it drops is counted. Start at [`Intake`].

mod datagrams;
mod places;
mod streams;
mod tls;
mod writer;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::SyncSender,
    },
};

use model::{Sample, Timestamp, Transport};
use store::LogBatch;
use syslog::{Context, parse_ref};
use tokio::sync::oneshot;

pub(crate) use self::{
    datagrams::{KernelDrops, bind_datagrams, kernel_drops_of},
    places::Places,
    streams::{StreamIntake, bind_stream, stream_threads},
    tls::LogTls,
    writer::{LogView, LogWriter},
};
use crate::clock::Clock;

/// Batches that may wait for the writer.
pub(crate) const QUEUE_BATCHES_MAX: usize = 256;
/// Lines in one batch.
const BATCH_LINES_MAX: usize = 8_192;
/// Octets of one read of a stream; one is made while the writer has the one before it not on disk yet.
const READ_OCTETS_MAX: usize = 256 << 10;
/// Receive buffer asked for a stream; the kernel doubles it for its own bookkeeping and never holds more.
const STREAM_BUFFER_OCTETS: usize = 256 << 10;
/// What of a stream TCP may have acknowledged and a crash still loses.
#[cfg(test)]
const UNSYNCED_OCTETS_MAX: usize = 2 * READ_OCTETS_MAX + 2 * STREAM_BUFFER_OCTETS;

/// What the writer is handed.
pub(crate) enum Batch {
    /// Lines that nobody waits for.
    Logs(LogBatch),
    /// Lines whose stream is to know when they are on disk.
    Stream(Delivery),
    /// Measurements.
    Samples(Vec<Sample>),
}

/// Lines of a stream, and who is told what became of them.
pub(crate) struct Delivery {
    pub(crate) lines: LogBatch,
    /// The stream has more to say: sync as soon as the disk is free.
    pub(crate) is_urgent: bool,
    pub(crate) reply: oneshot::Sender<Outcome>,
}

/// What became of a delivery.
pub(crate) enum Outcome {
    /// All of it is on disk; the room is given back.
    Stored(LogBatch),
    /// These are not; they may be delivered again.
    NotStored(LogBatch),
}

/// Counters of the threads that receive.
#[derive(Debug, Default)]
pub(crate) struct IntakeCounters {
    pub(crate) lines_udp: AtomicU64,
    pub(crate) lines_tcp: AtomicU64,
    pub(crate) lines_tls: AtomicU64,
    pub(crate) lines_without_pri: AtomicU64,
    pub(crate) lines_cut: AtomicU64,
    /// Datagrams that the kernel dropped, over all sockets.
    pub(crate) kernel_drops: AtomicU64,
    /// Receive buffer that the kernel granted, the smallest of all UDP sockets.
    pub(crate) receive_buffer_octets: AtomicU64,
    pub(crate) handshakes_failed: AtomicU64,
    /// Streams ended because too many octets of unfinished lines were held.
    pub(crate) streams_cut: AtomicU64,
    /// Lines that were delivered again because they could not be stored at first.
    pub(crate) lines_redelivered: AtomicU64,
    /// Lines of streams given up when the services stopped and the disk did not take them.
    pub(crate) lines_given_up: AtomicU64,
}

/// What every receiving thread holds.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(crate) clock: Clock,
    pub(crate) context: Arc<Context>,
    pub(crate) queue: SyncSender<Batch>,
    pub(crate) counters: Arc<IntakeCounters>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Intake {
    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Parses a line and adds it to `batch`.
    fn take(&self, now: Timestamp, source: SocketAddr, transport: Transport, octets: &[u8], batch: &mut LogBatch) {
        let line = parse_ref(now, source, transport, octets, &self.context);
        if line.severity.is_none() {
            self.counters.lines_without_pri.fetch_add(1, Ordering::Relaxed);
        }
        batch.push(&line);
    }
}
