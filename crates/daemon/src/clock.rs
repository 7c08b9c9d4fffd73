//! The one place of the services that reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::{TimeLine, Timestamp};

/// Tells the engines the time: the wall clock's, or event time in a rehearsal.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The wall clock.
    Wall,
    /// Event time, compressed, since the moment the rehearsal began.
    Rehearsal {
        /// When it began.
        started: Instant,
        /// How wall time maps to event time.
        line: TimeLine,
    },
}

impl Clock {
    /// A rehearsal that begins now.
    pub fn rehearsal(line: TimeLine) -> Self {
        Self::Rehearsal { started: instant(), line }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Wall => wall(),
            Self::Rehearsal { started, line } => line.event_time(started.elapsed()),
        }
    }

    /// How many times faster than the wall clock.
    pub fn speed(&self) -> f64 {
        match self {
            Self::Wall => 1.0,
            Self::Rehearsal { line, .. } => line.speed(),
        }
    }

    /// Wall time from now until `at`; zero when it has passed.
    pub fn wall_until(&self, at: Timestamp) -> Duration {
        match self {
            Self::Wall => at.since(wall()),
            Self::Rehearsal { started, line } => line.elapsed_at(at).saturating_sub(started.elapsed()),
        }
    }
}

/// A moment of the monotonic clock, for intervals of wall time.
#[expect(clippy::disallowed_methods, reason = "the clock of the services is read here and nowhere else")]
pub fn instant() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the clock of the services is read here and nowhere else")]
fn wall() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + since_epoch
}
