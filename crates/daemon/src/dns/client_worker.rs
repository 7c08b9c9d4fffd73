//! A worker of the engine on a thread that serves clients, and what all of them have counted.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use dns::{Counters, Transport, Verdict, Worker};
use model::Timestamp;

use super::inbox::{EngineHandle, Inbound};

/// The totals of every worker, each in a place of its own, so that threads do not wait for each other.
#[derive(Default)]
pub(crate) struct WorkerTotals(Mutex<Vec<Arc<Mutex<Counters>>>>);

impl WorkerTotals {
    fn place(&self) -> Arc<Mutex<Counters>> {
        let place = Arc::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&place));
        place
    }

    /// Adds all of them to `counters`.
    pub(crate) fn add_to(&self, counters: &mut Counters) {
        for place in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            *counters += &place.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One thread's worker.
pub(crate) struct ClientWorker {
    worker: Worker,
    totals: Arc<Mutex<Counters>>,
    engine: EngineHandle,
}

impl ClientWorker {
    pub(crate) fn new(worker: Worker, totals: &WorkerTotals, engine: EngineHandle) -> Self {
        Self { worker, totals: totals.place(), engine }
    }

    /// What becomes of a query; a reply is appended to `out`. A wish to refresh is put in the engine's queue here, and lost
    /// when that is full: the next client wishes again.
    pub(crate) fn on_query(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        transport: Transport,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Verdict {
        let verdict = self.worker.on_query(now, from, transport, bytes, out);
        if verdict == Verdict::ReplyAndRefresh {
            let _ = self.engine.send(Inbound::Refresh { bytes: bytes.into() });
        }
        verdict
    }

    /// Lets others see what was counted.
    pub(crate) fn publish(&self) {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = *self.worker.counters();
    }
}
