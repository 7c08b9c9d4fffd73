//! The one place of this crate that reads the clock.

use std::time::{Duration, Instant};

/// Wall time since the rehearsal began; the services of the same rehearsal count from the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that showed zero at `started`.
    pub(crate) fn new(started: Instant) -> Self {
        Self { started }
    }

    /// Wall time since the start; zero before it.
    #[expect(
        clippy::disallowed_methods,
        reason = "real packets are paced by the real clock, read here and nowhere else"
    )]
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.started)
    }

    /// The moment at which [`Clock::elapsed`] is `elapsed`, for tokio's timers.
    pub(crate) fn instant_at(&self, elapsed: Duration) -> tokio::time::Instant {
        self.started.checked_add(elapsed).unwrap_or(self.started).into()
    }
}
