//! Writes the cache down now and then and at the end, so that a restart in the middle of an event begins warm.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use dns::{Engine, Memory};
use model::Timestamp;
use store::StateDir;

use crate::clock::{Clock, instant};

/// The document that holds it.
const DOCUMENT: &str = "dns-cache";
/// Not more is written; as much again is held for as long as writing takes.
const BYTES_MAX: usize = 256 << 20;
const INTERVAL: Duration = Duration::from_secs(300);
const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// Takes back what an earlier run knew. What cannot be read costs warmth, nothing else.
pub(crate) fn restore(engine: &mut Engine, state: &StateDir, now: Timestamp) {
    match state.read_document(DOCUMENT) {
        Ok(Some(octets)) => {
            let answers = engine.load_memory(now, &octets);
            tracing::info!(answers, "DNS answers of the last run are known again");
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "the DNS answers of the last run cannot be read; the cache begins empty"),
    }
}

/// The work of a thread of its own.
pub(crate) struct MemoryKeeper {
    pub(crate) memory: Memory,
    pub(crate) state: Arc<StateDir>,
    pub(crate) clock: Clock,
    pub(crate) stop: Arc<AtomicBool>,
}

impl MemoryKeeper {
    /// Writes until told to stop, and once more then.
    pub(crate) fn run(self) -> io::Result<()> {
        let mut written = instant();
        while !self.stop.load(Ordering::Relaxed) {
            thread::park_timeout(STOP_INTERVAL);
            if written.elapsed() >= INTERVAL {
                self.write();
                written = instant();
            }
        }
        self.write();
        Ok(())
    }

    fn write(&self) {
        let octets = self.memory.dump(self.clock.now(), BYTES_MAX);
        if let Err(error) = self.state.write_document(DOCUMENT, &octets) {
            tracing::warn!(%error, "the DNS cache cannot be written down; a restart will begin with an empty one");
        }
    }
}
