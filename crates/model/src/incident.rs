use serde::{Deserialize, Serialize};

use crate::{Severity, Timestamp};

/// Something that went wrong during the event and was noticed, with its end if it has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// When it was noticed.
    pub opened: Timestamp,
    /// When it was over.
    pub closed: Option<Timestamp>,
    /// A stable code such as `pool-nearly-full`.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// The thing of the plan it is about, e.g. `vlan attendee`.
    pub place: String,
    /// What happened, one sentence without full stop.
    pub says: String,
    /// What to do about it.
    pub remedy: String,
}
