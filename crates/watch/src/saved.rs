//! What of the alerts outlives a restart.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{alert::Alert, silence::Silence};

/// After a restart an alert is over only when it was not seen for so long: the services must look first.
pub(crate) const RESTORED_CALM: Duration = Duration::from_secs(60);

/// Alerts that fire, silences in force and the next number. Bounded as the book is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SavedAlerts {
    /// Number of the next alert.
    pub next_id: u32,
    /// Those that fire.
    pub alerts: Vec<SavedAlert>,
    /// Those in force.
    pub silences: Vec<Silence>,
}

/// An alert that fires.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SavedAlert {
    /// As it was listed.
    pub alert: Alert,
    /// When people were last told.
    pub told: Option<Timestamp>,
}
