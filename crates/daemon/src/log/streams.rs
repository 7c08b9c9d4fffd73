//! Lines over TCP (RFC 6587) and TLS (RFC 5425): a thread for each core with a single-threaded runtime, and a task for
//! each connection.
//!
//! ```text
//!   readable --> a place among those that are read --> read, cut, parse --> writer --> on disk
//!                                                          ^                  |  ^         |
//!                                                          |                  |  +---------+ not stored: again after a pause
//!                                                          +-- one read ahead -+
//! ```
//! While the disk is at what was read, one more read is made, cut and parsed; it waits for the first to be stored.
//! Memory is bounded whatever senders do: so many streams are read at one time, each so many octets; beside them only
//! unfinished lines are held, and those have a common bound.

use std::{
    cell::{Cell, RefCell},
    future::{pending, poll_fn},
    io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    thread::available_parallelism,
    time::Duration,
};

use model::Transport;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use store::LogBatch;
use syslog::Framer;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot},
    task::LocalSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    BATCH_LINES_MAX, Batch, Delivery, Intake, LogTls, Outcome, Places, READ_OCTETS_MAX, STREAM_BUFFER_OCTETS,
    places::Place,
};

/// Threads at most; more would only make batches smaller.
const THREADS_MAX: usize = 4;
/// Streams of one thread that are read, or wait for the disk, at one time; each holds two reads at most.
const READING_MAX: usize = 64;
/// Octets of unfinished lines that one thread holds for all its streams.
const UNFINISHED_OCTETS_MAX: usize = 64 << 20;
/// Senders that the kernel holds until they are accepted.
const BACKLOG: i32 = 4_096;
/// Lines of one read that tell a sender in a hurry from one with something to say now and then.
const LINES_MANY: usize = 128;
/// What a TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A sender that has vanished without a word is noticed after so long.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Lines that were not stored are tried again after so long.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Pause of a listener that cannot accept: out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
const STOP_INTERVAL: Duration = Duration::from_millis(100);
/// When the services stop, streams get so long to hand over what has arrived.
const STOP_MAX: Duration = Duration::from_secs(5);
/// How often the certificate's files are looked at.
const RENEW_INTERVAL: Duration = Duration::from_secs(10);

/// Threads that serve streams.
pub(crate) fn stream_threads() -> usize {
    available_parallelism().map_or(1, usize::from).min(THREADS_MAX)
}

/// Binds a listener of streams.
pub(crate) fn bind_stream(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Streams take it over. It bounds what a crash loses of a stream, see the module above.
    socket.set_recv_buffer_size(STREAM_BUFFER_OCTETS)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// One thread's share of the streams.
pub(crate) struct StreamIntake {
    pub(crate) intake: Intake,
    pub(crate) tcp: Vec<TcpListener>,
    pub(crate) tls: Vec<TcpListener>,
    pub(crate) certificate: Option<Arc<LogTls>>,
    /// Looks after the certificate's files; one thread does.
    pub(crate) renews: bool,
    pub(crate) places: Arc<Places>,
}

impl StreamIntake {
    /// Serves until told to stop, and then finishes what has arrived.
    pub(crate) fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let Self { intake, tcp, tls, certificate, renews, places } = self;
        let shared = Rc::new(Shared::new(intake, places));
        let secure = certificate.as_ref().map(|tls| Kind::Tls(TlsAcceptor::from(Arc::clone(&tls.config))));
        for (listeners, kind) in [(tcp, Some(Kind::Tcp)), (tls, secure)] {
            let Some(kind) = kind else { continue };
            for listener in listeners {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::task::spawn_local(accept(listener, kind.clone(), Rc::clone(&shared)));
            }
        }
        if let (true, Some(certificate)) = (renews, certificate) {
            tokio::task::spawn_local(renew(certificate));
        }
        while !shared.intake.is_stopping() {
            sleep(STOP_INTERVAL).await;
        }
        shared.stop.notify_waiters();
        let finished = async {
            while shared.open.get() > 0 {
                sleep(Duration::from_millis(5)).await;
                shared.stop.notify_waiters();
            }
        };
        let _ = timeout(STOP_MAX, finished).await;
        Ok(())
    }
}

async fn renew(certificate: Arc<LogTls>) {
    loop {
        sleep(RENEW_INTERVAL).await;
        match certificate.renew() {
            Ok(true) => tracing::info!("the certificate of syslog has changed and is in use"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the new certificate of syslog cannot be used; the old one stays"),
        }
    }
}

#[derive(Clone)]
enum Kind {
    Tcp,
    Tls(TlsAcceptor),
}

/// What the streams of one thread share.
struct Shared {
    intake: Intake,
    places: Arc<Places>,
    reading: Arc<Semaphore>,
    stop: Notify,
    open: Cell<usize>,
    unfinished_octets: Cell<usize>,
    /// What is read lands here first.
    scratch: RefCell<Box<[u8]>>,
    /// The framer's buffer of whichever stream is being cut.
    spare: RefCell<Vec<u8>>,
    /// Room for the lines of whichever stream is next.
    spare_lines: RefCell<LogBatch>,
}

impl Shared {
    fn new(intake: Intake, places: Arc<Places>) -> Self {
        Self {
            intake,
            places,
            reading: Arc::new(Semaphore::new(READING_MAX)),
            stop: Notify::new(),
            open: Cell::new(0),
            unfinished_octets: Cell::new(0),
            scratch: RefCell::new(vec![0; READ_OCTETS_MAX].into_boxed_slice()),
            spare: RefCell::new(Vec::new()),
            spare_lines: RefCell::default(),
        }
    }

    /// Keeps the room of lines that are stored for others.
    fn give_back(&self, mut lines: LogBatch) {
        lines.clear();
        self.spare_lines.replace(lines);
    }
}

async fn accept(listener: tokio::net::TcpListener, kind: Kind, shared: Rc<Shared>) {
    while !shared.intake.is_stopping() {
        match listener.accept().await {
            Ok((stream, source)) => {
                let Some(place) = shared.places.take(source.ip()) else { continue };
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
                // Without it a dead sender keeps its place, which is all that happens.
                let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
                tokio::task::spawn_local(admit(stream, source, kind.clone(), Rc::clone(&shared), place));
            }
            // Out of descriptors, or the sender was gone already: the next may do.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn admit(stream: TcpStream, source: SocketAddr, kind: Kind, shared: Rc<Shared>, place: Place) {
    let line = Line::new(&shared, source, &kind);
    match kind {
        Kind::Tcp => line.serve(stream).await,
        Kind::Tls(acceptor) => {
            let stop = shared.stop.notified();
            let handshake = async {
                tokio::select! {
                    handshake = timeout(HANDSHAKE_MAX, acceptor.accept(stream)) => handshake.ok(),
                    () = stop => None,
                }
            };
            match handshake.await {
                Some(Ok(stream)) => line.serve(stream).await,
                Some(Err(error)) => {
                    tracing::debug!(%error, %source, "a syslog sender's TLS handshake failed");
                    shared.intake.counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                }
                None => {
                    shared.intake.counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
    drop(place);
}

/// A stream of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin {
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// How much was there to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Read {
    /// Nothing more for now.
    Drained,
    /// Probably more.
    Full,
    /// The sender has ended its side, or the connection is broken.
    End,
}

/// What a stream that has nothing to read waits for.
enum Next {
    Read,
    Settled,
    Broken,
}

/// One stream and the line that is being received.
struct Line {
    shared: Rc<Shared>,
    source: SocketAddr,
    transport: Transport,
    framer: Framer,
    unfinished_octets: usize,
    /// The place among those that are read; held as long as lines are.
    place: Option<OwnedSemaphorePermit>,
    /// What becomes of the lines that the writer has.
    outcome: Option<oneshot::Receiver<Outcome>>,
}

impl Line {
    fn new(shared: &Rc<Shared>, source: SocketAddr, kind: &Kind) -> Self {
        let transport = match kind {
            Kind::Tcp => Transport::Tcp,
            Kind::Tls(_) => Transport::Tls,
        };
        shared.open.set(shared.open.get() + 1);
        Self {
            shared: Rc::clone(shared),
            source,
            transport,
            framer: Framer::new(),
            unfinished_octets: 0,
            place: None,
            outcome: None,
        }
    }

    async fn serve<S: Stream>(mut self, mut stream: S) {
        let shared = Rc::clone(&self.shared);
        // Something may have come with the handshake of TLS.
        let mut read = Read::Full;
        while read != Read::End {
            if read == Read::Drained && !shared.intake.is_stopping() {
                match self.next(stream.socket()).await {
                    Next::Read => {}
                    Next::Settled => continue,
                    Next::Broken => break,
                }
            }
            if self.place.is_none() {
                let Ok(place) = Arc::clone(&shared.reading).acquire_owned().await else { return };
                self.place = Some(place);
            }
            read = self.read(&mut stream).await;
            if read == Read::Drained && shared.intake.is_stopping() {
                read = Read::End;
            }
            if !self.deliver_whole_lines(read == Read::Full).await {
                give_up(stream.socket());
                return;
            }
            if self.outcome.is_none() {
                self.place = None;
            }
            if self.holds_too_much() {
                shared.intake.counters.streams_cut.fetch_add(1, Ordering::Relaxed);
                read = Read::End;
            }
        }
        let rest = std::mem::take(&mut self.framer).finish();
        let mut lines = LogBatch::default();
        if let Some(rest) = rest {
            let intake = &shared.intake;
            intake.take(intake.clock.now(), self.source, self.transport, &rest, &mut lines);
        }
        self.count(lines.len());
        if !self.deliver(lines, true).await || !self.settle().await {
            give_up(stream.socket());
            return;
        }
        // Ends our side only now, so that a sender that waits for it knows that all of it is kept.
        let _ = timeout(HANDSHAKE_MAX, stream.shutdown()).await;
    }

    /// Waits for more to read, or for what was read to be stored.
    async fn next(&mut self, socket: &TcpStream) -> Next {
        let shared = Rc::clone(&self.shared);
        let outcome = async {
            match &mut self.outcome {
                Some(outcome) => outcome.await,
                None => pending().await,
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = outcome => outcome,
            readable = socket.readable() => return if readable.is_err() { Next::Broken } else { Next::Read },
            () = shared.stop.notified() => return Next::Read,
        };
        self.outcome = None;
        if !self.settle_with(outcome).await {
            give_up(socket);
            return Next::Broken;
        }
        self.place = None;
        Next::Settled
    }

    /// Takes what is there, at most [`READ_OCTETS_MAX`], into the framer, without waiting.
    async fn read<S: Stream>(&mut self, stream: &mut S) -> Read {
        let shared = Rc::clone(&self.shared);
        poll_fn(|context| {
            let mut scratch = shared.scratch.borrow_mut();
            self.framer.lend(shared.spare.take());
            let mut octets = 0;
            while octets < READ_OCTETS_MAX {
                let mut buffer = ReadBuf::new(scratch.get_mut(octets..).unwrap_or_default());
                match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                        octets += buffer.filled().len();
                        self.framer.push(buffer.filled());
                    }
                    Poll::Ready(_) => return Poll::Ready(Read::End),
                    Poll::Pending => return Poll::Ready(Read::Drained),
                }
            }
            Poll::Ready(Read::Full)
        })
        .await
    }

    /// False when nobody takes lines any more.
    async fn deliver_whole_lines(&mut self, is_urgent: bool) -> bool {
        loop {
            let lines = self.whole_lines();
            let is_last = lines.len() < BATCH_LINES_MAX;
            if is_last {
                self.take_back_buffer();
            }
            let is_urgent = is_urgent || lines.len() >= LINES_MANY;
            if !self.deliver(lines, is_urgent).await {
                return false;
            }
            if is_last {
                return true;
            }
        }
    }

    fn whole_lines(&mut self) -> LogBatch {
        let mut lines = self.shared.spare_lines.take();
        let intake = &self.shared.intake;
        let now = intake.clock.now();
        while lines.len() < BATCH_LINES_MAX {
            let Some(frame) = self.framer.next_frame() else { break };
            if frame.is_cut {
                intake.counters.lines_cut.fetch_add(1, Ordering::Relaxed);
            }
            intake.take(now, self.source, self.transport, frame.bytes, &mut lines);
        }
        self.count(lines.len());
        lines
    }

    fn count(&self, lines: usize) {
        let counters = &self.shared.intake.counters;
        let of = if self.transport == Transport::Tls { &counters.lines_tls } else { &counters.lines_tcp };
        of.fetch_add(lines as u64, Ordering::Relaxed);
    }

    /// Hands lines to the writer when those before them are on disk. False when the services stop before.
    async fn deliver(&mut self, lines: LogBatch, is_urgent: bool) -> bool {
        if lines.is_empty() {
            self.shared.give_back(lines);
            return true;
        }
        self.settle().await && self.hand_over(lines, is_urgent)
    }

    fn hand_over(&mut self, lines: LogBatch, is_urgent: bool) -> bool {
        let (reply, outcome) = oneshot::channel();
        self.outcome = Some(outcome);
        self.shared.intake.queue.send(Batch::Stream(Delivery { lines, is_urgent, reply })).is_ok()
    }

    /// Waits until the lines that the writer has are on disk. False when the services stop before.
    async fn settle(&mut self) -> bool {
        match self.outcome.take() {
            Some(outcome) => {
                let outcome = outcome.await;
                self.settle_with(outcome).await
            }
            None => true,
        }
    }

    /// Hands over what was not stored, however often that takes.
    async fn settle_with(&mut self, mut outcome: Result<Outcome, oneshot::error::RecvError>) -> bool {
        loop {
            let lines = match outcome {
                Ok(Outcome::Stored(lines)) => {
                    self.shared.give_back(lines);
                    return true;
                }
                Ok(Outcome::NotStored(lines)) => lines,
                Err(_) => return false,
            };
            let intake = &self.shared.intake;
            if intake.is_stopping() {
                intake.counters.lines_given_up.fetch_add(lines.len() as u64, Ordering::Relaxed);
                return false;
            }
            sleep(RETRY_PAUSE).await;
            intake.counters.lines_redelivered.fetch_add(lines.len() as u64, Ordering::Relaxed);
            if !self.hand_over(lines, true) {
                return false;
            }
            let Some(again) = self.outcome.take() else { return false };
            outcome = again.await;
        }
    }

    /// Keeps a copy of the unfinished line only.
    fn take_back_buffer(&mut self) {
        self.shared.spare.replace(self.framer.take_back());
        let held = self.framer.pending_octets();
        let others = self.shared.unfinished_octets.get() - self.unfinished_octets;
        self.shared.unfinished_octets.set(others + held);
        self.unfinished_octets = held;
    }

    /// True for a stream with an unfinished line when there are too many such.
    fn holds_too_much(&self) -> bool {
        self.unfinished_octets > 0 && self.shared.unfinished_octets.get() > UNFINISHED_OCTETS_MAX
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.open.set(self.shared.open.get() - 1);
        self.shared.unfinished_octets.set(self.shared.unfinished_octets.get() - self.unfinished_octets);
    }
}

/// Closes with a reset, so that the sender knows that something was not kept.
fn give_up(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::{super::UNSYNCED_OCTETS_MAX, *};

    #[test]
    fn what_a_crash_loses_of_a_stream_is_bounded() {
        let listener = bind_stream("127.0.0.1:0".parse().unwrap()).unwrap();
        let _sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let granted = SockRef::from(&stream).recv_buffer_size().unwrap();
        assert_eq!(2 * READ_OCTETS_MAX + granted, UNSYNCED_OCTETS_MAX);
    }
}
