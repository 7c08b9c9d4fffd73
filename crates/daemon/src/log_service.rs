//! The syslog threads: one per listening datagram socket, one per TCP connection, and one that writes.
//!
//! Lines reach the writer through a bounded queue. A TCP sender that is faster than the disk waits; for UDP the
//! kernel's buffer waits, and what it drops is counted.

use std::{
    io::{self, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::Duration,
};

use model::{LogRecord, Sample, Transport};
use store::Telemetry;
use syslog::{Context, Framer, Stations, parse};

use crate::{
    clock::{Clock, instant},
    udp::{BatchSocket, wait_readable},
};

/// Batches that may wait for the writer.
pub(crate) const QUEUE_BATCHES_MAX: usize = 256;
/// TCP senders at one time; more are turned away and counted.
const CONNECTIONS_MAX: usize = 512;
/// Telemetry is on disk at most this much wall time after it was received.
const SYNC_INTERVAL: Duration = Duration::from_millis(200);
const STOP_INTERVAL: Duration = Duration::from_millis(200);
const READ_BYTES: usize = 64 << 10;

/// What the writer is handed.
pub(crate) enum Batch {
    Logs(Vec<LogRecord>),
    Samples(Vec<Sample>),
}

/// What the rest of the services may know of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogView {
    /// Stations by access point.
    pub(crate) stations: Vec<(String, u64)>,
    pub(crate) stations_total: u64,
    /// Lines handed to the store.
    pub(crate) lines_stored: u64,
    /// Lines that the store refused (quota, disk).
    pub(crate) lines_refused: u64,
    pub(crate) sync_errors: u64,
    /// Sealed telemetry.
    pub(crate) telemetry_bytes: u64,
    pub(crate) telemetry_files: u64,
    /// Sealed files dropped because the ceiling was reached.
    pub(crate) dropped_files: u64,
    /// Free space of the file system, as last looked at.
    pub(crate) free_bytes: u64,
    pub(crate) free_files: u64,
    /// Log lines are refused so that leases keep their room.
    pub(crate) is_refusing: bool,
}

/// Counters of the threads that receive.
#[derive(Debug, Default)]
pub(crate) struct IntakeCounters {
    pub(crate) lines_udp: AtomicU64,
    pub(crate) lines_tcp: AtomicU64,
    pub(crate) lines_without_pri: AtomicU64,
    pub(crate) lines_cut: AtomicU64,
    pub(crate) kernel_drops: AtomicU64,
    pub(crate) connections: AtomicUsize,
    pub(crate) connections_refused: AtomicU64,
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

    /// Receives datagrams until told to stop and nothing is left in the kernel's buffer.
    pub(crate) fn run_udp(self, socket: BatchSocket) -> io::Result<()> {
        let mut sockets = [socket];
        loop {
            wait_readable(&sockets, STOP_INTERVAL)?;
            let now = self.clock.now();
            let mut records = Vec::new();
            let received = sockets[0].receive(|datagram, bytes| {
                records.push(self.parse(now, datagram.source, Transport::Udp, bytes));
            })?;
            self.counters.lines_udp.fetch_add(records.len() as u64, Ordering::Relaxed);
            self.counters.kernel_drops.store(u64::from(sockets[0].kernel_drops), Ordering::Relaxed);
            if !records.is_empty() && self.queue.send(Batch::Logs(records)).is_err() {
                return Ok(());
            }
            if received == 0 && self.is_stopping() {
                return Ok(());
            }
        }
    }

    /// Accepts connections until told to stop; each gets a thread of its own.
    pub(crate) fn run_tcp(self, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let mut connections: Vec<thread::JoinHandle<()>> = Vec::new();
        while !self.is_stopping() {
            connections.retain(|connection| !connection.is_finished());
            match listener.accept() {
                Ok((stream, source)) if connections.len() < CONNECTIONS_MAX => {
                    let intake = self.clone();
                    let name = "syslog-connection".to_owned();
                    connections
                        .push(thread::Builder::new().name(name).spawn(move || intake.run_connection(stream, source))?);
                }
                Ok(_) => {
                    self.counters.connections_refused.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_acceptable(&listener)?,
                // A connection that died in the queue, or a lack of descriptors: the next one may do.
                Err(error) => {
                    tracing::debug!(%error, "a syslog connection could not be accepted");
                    wait_acceptable(&listener)?;
                }
            }
        }
        for connection in connections {
            let _ = connection.join();
        }
        Ok(())
    }

    fn run_connection(self, mut stream: TcpStream, source: SocketAddr) {
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let mut framer = Framer::default();
        let mut buffer = vec![0; READ_BYTES];
        // Blocking reads with a time limit, so that the stop signal is seen.
        let timed = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(STOP_INTERVAL)));
        while timed.is_ok() {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    framer.push(buffer.get(..count).unwrap_or_default());
                    if !self.take_frames(&mut framer, source) {
                        break;
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.is_stopping() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        if let Some(rest) = framer.finish() {
            let record = self.parse(self.clock.now(), source, Transport::Tcp, &rest);
            self.counters.lines_tcp.fetch_add(1, Ordering::Relaxed);
            let _ = self.queue.send(Batch::Logs(vec![record]));
        }
        self.counters.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// False when nobody takes lines any more.
    fn take_frames(&self, framer: &mut Framer, source: SocketAddr) -> bool {
        let now = self.clock.now();
        let mut records = Vec::new();
        while let Some(frame) = framer.next_frame() {
            if frame.is_cut {
                self.counters.lines_cut.fetch_add(1, Ordering::Relaxed);
            }
            records.push(self.parse(now, source, Transport::Tcp, frame.bytes));
        }
        self.counters.lines_tcp.fetch_add(records.len() as u64, Ordering::Relaxed);
        records.is_empty() || self.queue.send(Batch::Logs(records)).is_ok()
    }

    fn parse(&self, now: model::Timestamp, source: SocketAddr, transport: Transport, bytes: &[u8]) -> LogRecord {
        let record = parse(now, source, transport, bytes, &self.context);
        if record.severity.is_none() {
            self.counters.lines_without_pri.fetch_add(1, Ordering::Relaxed);
        }
        record
    }
}

fn wait_acceptable(listener: &TcpListener) -> io::Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let milliseconds = u16::try_from(STOP_INTERVAL.as_millis()).unwrap_or(u16::MAX);
    match poll(&mut [PollFd::new(listener.as_fd(), PollFlags::POLLIN)], PollTimeout::from(milliseconds)) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The thread that writes.
pub(crate) struct LogWriter {
    pub(crate) telemetry: Telemetry,
    pub(crate) stations: Stations,
    pub(crate) queue: Receiver<Batch>,
    pub(crate) view: Arc<Mutex<LogView>>,
    pub(crate) clock: Clock,
}

impl LogWriter {
    /// Writes until every sender is gone, then seals what is left. Returns lines stored.
    pub(crate) fn run(mut self) -> io::Result<u64> {
        let mut synced = instant();
        let mut dirty = false;
        let mut view = LogView::default();
        loop {
            let wait = SYNC_INTERVAL.saturating_sub(synced.elapsed());
            match self.queue.recv_timeout(wait) {
                Ok(batch) => {
                    self.write(batch);
                    dirty = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if synced.elapsed() >= SYNC_INTERVAL {
                if dirty {
                    self.sync(&mut view);
                    dirty = false;
                }
                self.publish(&mut view);
                synced = instant();
            }
        }
        self.sync(&mut view);
        self.telemetry.seal_all(self.clock.now())?;
        self.publish(&mut view);
        Ok(view.lines_stored)
    }

    fn write(&mut self, batch: Batch) {
        match batch {
            Batch::Logs(records) => {
                for record in &records {
                    if let Some(event) = syslog::event(record) {
                        self.stations.on_event(record.received, &record.host, &event);
                    }
                    self.telemetry.append_log(record);
                }
            }
            Batch::Samples(samples) => {
                // What is refused for want of space is counted in the status.
                for sample in &samples {
                    self.telemetry.append_sample(sample);
                }
            }
        }
    }

    fn sync(&mut self, view: &mut LogView) {
        if let Err(error) = self.telemetry.sync(self.clock.now()) {
            if view.sync_errors == 0 {
                tracing::error!(%error, "telemetry cannot be written; free space in the state directory");
            }
            view.sync_errors += 1;
        }
    }

    fn publish(&mut self, view: &mut LogView) {
        self.stations.expire(self.clock.now());
        let status = self.telemetry.status();
        (view.lines_stored, view.lines_refused) = (status.logs, status.logs_refused);
        (view.telemetry_bytes, view.telemetry_files) = (status.sealed_bytes, status.sealed_files);
        view.is_refusing = status.is_refusing_logs;
        (view.dropped_files, view.free_bytes, view.free_files) =
            (status.dropped_files, status.free_bytes, status.free_files);
        view.stations = self.stations.per_access_point().map(|(name, count)| (name.to_owned(), count as u64)).collect();
        view.stations_total = self.stations.total() as u64;
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view.clone();
    }
}
