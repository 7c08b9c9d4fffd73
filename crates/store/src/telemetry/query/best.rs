//! The best lines so far.

use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{LogRecord, Timestamp};

use super::LogPosition;

/// The first `limit` lines in the order asked for; at most twice as many are kept at any time. Shared by the threads
/// of a search.
pub(super) struct Best {
    limit: usize,
    newest_first: bool,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// A line of a live segment has its record; of a sealed file only the place, until it is known to be wanted.
    items: Vec<(LogPosition, Option<LogRecord>)>,
    /// With the limit reached: what is not better than this is not wanted.
    threshold: Option<LogPosition>,
}

impl Best {
    pub(super) fn new(limit: usize, newest_first: bool) -> Self {
        Self { limit, newest_first, found: Mutex::default() }
    }

    /// True when a line received from `first` to `last` may still be wanted.
    pub(super) fn may_want(&self, first: Timestamp, last: Timestamp) -> bool {
        let threshold = self.found().threshold;
        self.limit > 0
            && threshold.is_none_or(|threshold| {
                if self.newest_first { last >= threshold.received } else { first <= threshold.received }
            })
    }

    /// Takes what is better than the worst of the best.
    pub(super) fn offer(&self, lines: impl IntoIterator<Item = (LogPosition, Option<LogRecord>)>) {
        let mut found = self.found();
        for (position, log) in lines {
            if self.limit == 0 || found.threshold.is_some_and(|threshold| !self.is_better(position, threshold)) {
                continue;
            }
            found.items.push((position, log));
            if found.items.len() >= self.limit.saturating_mul(2) {
                self.shrink(&mut found);
            }
        }
        if found.threshold.is_none() && found.items.len() >= self.limit {
            self.shrink(&mut found);
        }
    }

    /// The lines in the order asked for.
    pub(super) fn finish(self) -> Vec<(LogPosition, Option<LogRecord>)> {
        self.shrink(&mut self.found());
        self.found.into_inner().unwrap_or_else(PoisonError::into_inner).items
    }

    fn is_better(&self, one: LogPosition, other: LogPosition) -> bool {
        if self.newest_first { one > other } else { one < other }
    }

    fn shrink(&self, found: &mut Found) {
        found.items.sort_unstable_by_key(|(position, _)| *position);
        if self.newest_first {
            found.items.reverse();
        }
        found.items.truncate(self.limit);
        if found.items.len() == self.limit {
            found.threshold = found.items.last().map(|(position, _)| *position);
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
