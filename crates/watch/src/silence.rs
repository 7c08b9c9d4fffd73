//! Silences: alerts of which nobody is told for a while, e.g. of a room that is being taken down.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;

/// Silences at one time.
const SILENCES_MAX: usize = 256;

/// What is not told, until when, and by whose word. What is `None` matches everything.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Silence {
    /// Code of a rule.
    pub rule: Option<String>,
    /// A device.
    pub device: Option<String>,
    /// A room.
    pub room: Option<String>,
    /// When it ends; every silence does.
    pub until: Timestamp,
    /// Who asked for it.
    pub by: String,
}

impl Silence {
    /// True when `alert` is meant.
    pub fn covers(&self, alert: &Alert) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.is_none() || wanted.as_deref() == value;
        is(&self.rule, Some(&alert.rule))
            && is(&self.device, alert.subject.device.as_ref().map(|device| device.as_str()))
            && is(&self.room, alert.subject.room.as_ref().map(|room| room.as_str()))
    }
}

/// Why a silence is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SilenceError {
    /// There are 256 already.
    Full,
    /// It has ended before it began.
    Ended,
    /// It names no rule, device or room: it would hide everything.
    Everything,
}

/// The silences in force.
#[derive(Clone, Debug, Default)]
pub struct Silences {
    silences: Vec<Silence>,
}

impl Silences {
    /// Adds one. Errors: [`SilenceError`].
    pub fn add(&mut self, now: Timestamp, silence: Silence) -> Result<(), SilenceError> {
        self.expire(now);
        if silence.until <= now {
            return Err(SilenceError::Ended);
        }
        if silence.rule.is_none() && silence.device.is_none() && silence.room.is_none() {
            return Err(SilenceError::Everything);
        }
        if self.silences.len() >= SILENCES_MAX {
            return Err(SilenceError::Full);
        }
        self.silences.push(silence);
        Ok(())
    }

    /// Forgets what has ended.
    pub fn expire(&mut self, now: Timestamp) {
        self.silences.retain(|silence| silence.until > now);
    }

    /// Those in force, as they were added.
    pub fn in_force(&self) -> &[Silence] {
        &self.silences
    }

    /// When the last silence that covers `alert` ends.
    pub fn until(&self, alert: &Alert) -> Option<Timestamp> {
        self.silences.iter().filter(|silence| silence.covers(alert)).map(|silence| silence.until).max()
    }
}
