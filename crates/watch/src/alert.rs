//! The words of an alert.

use std::time::Duration;

use model::{DeviceId, PortRef, RoomId, Severity, Timestamp};
use serde::{Deserialize, Serialize};

/// Number of an alert, from 1, for a person to type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub u32);

/// Where to go.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Subject {
    /// The device it is about.
    pub device: Option<DeviceId>,
    /// The room that the device is in.
    pub room: Option<RoomId>,
    /// The port that the device hangs on.
    pub port: Option<PortRef>,
}

/// Something that is wrong at the moment of one look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// Code of the rule, e.g. `device-down`.
    pub rule: String,
    /// The thing it is about, e.g. `device sw-4f-1`; with `rule` it names the alert.
    pub place: String,
    /// How bad.
    pub severity: Severity,
    /// Where to go.
    pub subject: Subject,
    /// What is wrong, one sentence without full stop.
    pub says: String,
    /// Likely cause; empty = not known.
    pub cause: String,
    /// What to do; anybody may read it.
    pub remedy: String,
    /// The same with what only operators may see, e.g. a hardware address.
    pub remedy_for_operators: Option<String>,
    /// Since when, where that is known better than by the first look.
    pub since: Option<Timestamp>,
    /// It is told only after it was seen for so long.
    pub hold: Duration,
    /// It is over only after it was not seen for so long.
    pub calm: Duration,
    /// Another device's failure explains it: it is listed, and told only when that one is over.
    pub hidden_by: Option<DeviceId>,
}

/// How far an alert has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    /// Seen, and held back: not long enough, or explained by another.
    Held,
    /// It is so.
    Firing,
    /// It is over.
    Resolved,
}

/// An alert, as listed and told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Its number.
    pub id: AlertId,
    /// Code of the rule.
    pub rule: String,
    /// The thing it is about.
    pub place: String,
    /// How bad.
    pub severity: Severity,
    /// Where to go.
    pub subject: Subject,
    /// What is wrong.
    pub says: String,
    /// Likely cause; empty = not known.
    pub cause: String,
    /// What to do, for operators.
    pub remedy: String,
    /// What to do, for everybody.
    pub remedy_public: String,
    /// How far it has come.
    pub state: AlertState,
    /// Since when.
    pub since: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// Who has taken it.
    pub acknowledged_by: Option<String>,
    /// Nobody is told of it until then.
    pub silenced_until: Option<Timestamp>,
    /// It came and went so often that it is kept until it is calm.
    pub is_flapping: bool,
    /// The device whose failure explains it.
    pub hidden_by: Option<DeviceId>,
    /// How often it was told again because nobody took it.
    pub escalations: u32,
}
