//! The alert book that everybody shares, and the document in which it outlives a restart.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::{DeviceId, Timestamp};
use serde::{Deserialize, Serialize};
use store::StateDir;
use watch::{AlertBook, AlertId, Damping, SavedAlerts};

/// Name of the document.
const DOCUMENT: &str = "alerts.json";

/// What else outlives a restart.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Beside {
    /// Numbers of the incidents as which alerts that fire are written.
    pub(crate) written: BTreeMap<AlertId, i64>,
    /// Planned devices that have answered: if they no longer do, they are down, not unseen.
    pub(crate) devices_seen: BTreeSet<DeviceId>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Document {
    alerts: SavedAlerts,
    beside: Beside,
}

/// The book, what goes with it, and where both are kept.
pub(crate) struct AlertDesk {
    state: Arc<StateDir>,
    book: Mutex<AlertBook>,
    beside: Mutex<Beside>,
    /// Held while writing, so that an older state never replaces a newer one.
    document: Mutex<()>,
}

impl AlertDesk {
    /// Goes on where an earlier run ended. A document that cannot be used is said and begun anew.
    pub(crate) fn open(state: Arc<StateDir>, now: Timestamp) -> Self {
        let found = state.read_document(DOCUMENT).and_then(|bytes| match bytes {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            None => Ok(Document::default()),
        });
        let Document { alerts, beside } = found.unwrap_or_else(|error| {
            tracing::error!(%error, "`{DOCUMENT}` of the state directory cannot be used: alerts begin anew, without who took what");
            Document::default()
        });
        let mut book = AlertBook::new(Damping::default());
        book.restore(now, alerts);
        Self { state, book: Mutex::new(book), beside: Mutex::new(beside), document: Mutex::new(()) }
    }

    /// The alerts. Lock nothing else while holding it.
    pub(crate) fn book(&self) -> MutexGuard<'_, AlertBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes with them. Lock nothing else while holding it.
    pub(crate) fn beside(&self) -> MutexGuard<'_, Beside> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what has changed, durably. Errors are for whoever waits for it; they are logged as well.
    pub(crate) fn save(&self) -> io::Result<()> {
        let _turn = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        let alerts = self.book().saved();
        let beside = self.beside().clone();
        let bytes = serde_json::to_vec(&Document { alerts, beside })?;
        self.state.write_document(DOCUMENT, &bytes).inspect_err(|error| {
            tracing::error!(%error, "alerts could not be saved; free space in the state directory");
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_damaged_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(&dir.path().join("state"), "Small", store::Mode::Serve).unwrap());
        let desk = AlertDesk::open(Arc::clone(&state), Timestamp::EPOCH);
        desk.beside().devices_seen.insert("ap-1".into());
        desk.save().unwrap();
        let again = AlertDesk::open(Arc::clone(&state), Timestamp::EPOCH);
        assert!(again.beside().devices_seen.contains(&DeviceId::from("ap-1")));
        state.write_document(DOCUMENT, b"{\"alerts\":7}").unwrap();
        assert_eq!(*AlertDesk::open(state, Timestamp::EPOCH).beside(), Beside::default());
    }
}
