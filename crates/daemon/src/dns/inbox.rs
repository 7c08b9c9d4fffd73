//! The way to the engine's thread: a bounded queue, and a wake-up that costs a system call only when it sleeps.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use dns::{AskId, Transport, ValidationId, Validity};
use model::Timestamp;
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::{mpsc, oneshot};

use super::clients_udp::Origin;

/// Messages that may wait for the engine.
const INBOX_MAX: usize = 8_192;
/// Messages of the validator that may wait; above what it does at one time, so clients cannot fill it.
const VALIDATOR_INBOX_MAX: usize = 8_192;

/// Something for the engine to do.
pub(crate) enum Inbound {
    /// A client's query.
    Query { from: std::net::SocketAddr, transport: Transport, reply_to: ReplyTo, bytes: Vec<u8> },
    /// A query that was answered from what is near its end.
    Refresh { bytes: Box<[u8]> },
    /// A message that an upstream sent over a stream.
    Answer { ask: AskId, from: std::net::SocketAddr, bytes: Vec<u8> },
    /// The stream of an ask could not be opened or has ended.
    AskFailed { ask: AskId },
    /// An answer has been validated.
    Validated { validation: ValidationId, validity: Validity },
    /// Something an operator asked for.
    Command(Command),
}

/// Runs in the engine's thread.
pub(crate) type Command = Box<dyn FnOnce(&mut dns::Engine, Timestamp) + Send>;

/// Where the reply to a query goes.
pub(crate) enum ReplyTo {
    /// Out of the socket that the query came to.
    Datagram(Origin),
    /// To the connection that the query came over.
    Stream(mpsc::Sender<Vec<u8>>),
    /// To the HTTP request that the query came in.
    Request(oneshot::Sender<Vec<u8>>),
}

/// Puts messages in the engine's queue. Cheap to clone.
#[derive(Clone)]
pub(crate) struct EngineHandle {
    queue: SyncSender<Inbound>,
    /// Taken first: clients wait for what comes by it.
    of_validator: SyncSender<Inbound>,
    waker: Arc<Waker>,
}

impl EngineHandle {
    /// One that leads nowhere.
    #[cfg(test)]
    pub(crate) fn unheard() -> Self {
        Inbox::new().expect("an eventfd").0
    }

    /// Puts a message in the queue without waking anybody; it is given back when the queue is full.
    pub(crate) fn put(&self, inbound: Inbound) -> Result<(), Inbound> {
        self.queue.try_send(inbound).map_err(|error| match error {
            TrySendError::Full(inbound) | TrySendError::Disconnected(inbound) => inbound,
        })
    }

    /// Wakes the engine if it sleeps. Call after [`Self::put`].
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// The same in the queue that clients have no part in.
    pub(crate) fn send_of_validator(&self, inbound: Inbound) -> bool {
        let is_sent = self.of_validator.try_send(inbound).is_ok();
        self.wake();
        is_sent
    }

    /// Puts a message in the queue and wakes the engine.
    pub(crate) fn send(&self, inbound: Inbound) -> Result<(), Inbound> {
        self.put(inbound)?;
        self.wake();
        Ok(())
    }
}

/// The engine's end of the queue.
pub(crate) struct Inbox {
    queue: Receiver<Inbound>,
    of_validator: Receiver<Inbound>,
    waker: Arc<Waker>,
}

impl Inbox {
    /// A queue and the handle that fills it.
    pub(crate) fn new() -> io::Result<(EngineHandle, Self)> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let waker = Arc::new(Waker { event, sleeps: AtomicBool::new(false) });
        let (sender, queue) = sync_channel(INBOX_MAX);
        let (own_sender, of_validator) = sync_channel(VALIDATOR_INBOX_MAX);
        let handle = EngineHandle { queue: sender, of_validator: own_sender, waker: Arc::clone(&waker) };
        Ok((handle, Self { queue, of_validator, waker }))
    }

    /// The next message, if there is one.
    pub(crate) fn take(&self) -> Option<Inbound> {
        self.of_validator.try_recv().or_else(|_| self.queue.try_recv()).ok()
    }

    /// Says that the engine is about to sleep; whoever sends from now on wakes it. The queue must be looked at once
    /// more before sleeping.
    pub(crate) fn about_to_sleep(&self) {
        self.waker.sleeps.store(true, Ordering::SeqCst);
    }

    /// Says that the engine is awake, and takes back the wake-up.
    pub(crate) fn awake(&self) {
        // Whoever swapped the claim before us has written, or will; a write too late wakes the next sleep for nothing.
        if !self.waker.sleeps.swap(false, Ordering::SeqCst) {
            let _ = self.waker.event.read();
        }
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waker.event.as_fd()
    }
}

struct Waker {
    event: EventFd,
    sleeps: AtomicBool,
}

impl Waker {
    fn wake(&self) {
        // The fence orders the queue's write before the look at the claim; the engine does the reverse.
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.sleeps.load(Ordering::SeqCst) && self.sleeps.swap(false, Ordering::SeqCst) {
            let _ = self.event.write(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn is_readable(inbox: &Inbox) -> bool {
        let mut waits = [PollFd::new(inbox.as_fd(), PollFlags::POLLIN)];
        poll(&mut waits, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn wakes_only_who_sleeps_and_once() {
        let (handle, inbox) = Inbox::new().unwrap();
        let failed = |number| Inbound::AskFailed { ask: AskId(number) };
        assert!(handle.send(failed(1)).is_ok());
        assert!(!is_readable(&inbox), "an engine that is awake needs no system call");
        inbox.about_to_sleep();
        assert!(handle.send(failed(2)).is_ok() && handle.send(failed(3)).is_ok());
        assert!(is_readable(&inbox));
        inbox.awake();
        assert!(!is_readable(&inbox));
        assert_eq!(std::iter::from_fn(|| inbox.take()).count(), 3);
    }

    #[test]
    fn a_full_queue_gives_the_message_back() {
        let (handle, inbox) = Inbox::new().unwrap();
        let put = |number| handle.put(Inbound::AskFailed { ask: AskId(number) });
        assert!((0..INBOX_MAX as u64).all(|number| put(number).is_ok()));
        assert!(put(0).is_err());
        // The validator's work has a way past it, and comes first.
        let verdict = Inbound::Validated { validation: ValidationId(1), validity: Validity::Secure };
        assert!(handle.send_of_validator(verdict));
        assert!(matches!(inbox.take(), Some(Inbound::Validated { .. })));
        assert!(matches!(inbox.take(), Some(Inbound::AskFailed { .. })));
    }
}
