//! How many streams senders may hold: in all, and each of them.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use nix::sys::resource::{Resource, getrlimit};

/// Descriptors left to everything else: DNS, the page, files.
const DESCRIPTORS_KEPT: u64 = 6_144;
/// Streams that are there however few descriptors the system gives.
const STREAMS_MIN: usize = 64;

/// What is held now. Shared by all threads.
#[derive(Debug)]
pub(crate) struct Places {
    max: usize,
    open: AtomicUsize,
    refused: AtomicU64,
    by_sender: Mutex<HashMap<IpAddr, usize>>,
}

/// One stream; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    sender: IpAddr,
}

impl Places {
    /// `wanted` places, or fewer when the process may not open so many descriptors.
    pub(crate) fn new(wanted: usize) -> Self {
        let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(soft, _)| soft);
        let possible = usize::try_from(descriptors.saturating_sub(DESCRIPTORS_KEPT)).unwrap_or(usize::MAX);
        let max = wanted.min(possible.max(STREAMS_MIN));
        if max < wanted {
            tracing::warn!(
                max,
                wanted,
                "fewer syslog connections than planned: raise the limit of open files, e.g. `LimitNOFILE=65536`"
            );
        }
        Self::of(max)
    }

    fn of(max: usize) -> Self {
        Self { max, open: AtomicUsize::new(0), refused: AtomicU64::new(0), by_sender: Mutex::default() }
    }

    /// A place for a stream of `sender`, or `None`, counted. One sender gets three in four at most, so that it cannot
    /// shut the others out.
    pub(crate) fn take(self: &Arc<Self>, sender: IpAddr) -> Option<Place> {
        let sender = sender.to_canonical();
        let mut by_sender = self.by_sender.lock().unwrap_or_else(PoisonError::into_inner);
        let held = by_sender.get(&sender).copied().unwrap_or(0);
        if held >= self.max - self.max / 4 || self.open.load(Ordering::Relaxed) >= self.max {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        by_sender.insert(sender, held + 1);
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Place { places: Arc::clone(self), sender })
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Streams turned away so far.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_sender = self.places.by_sender.lock().unwrap_or_else(PoisonError::into_inner);
        self.places.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(held) = by_sender.get_mut(&self.sender) {
            *held -= 1;
            if *held == 0 {
                by_sender.remove(&self.sender);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_cannot_take_the_places_of_the_others() {
        let places = Arc::new(Places::of(100));
        let greedy: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let mut held: Vec<Place> = (0..1_000).filter_map(|_| places.take(greedy)).collect();
        assert_eq!((held.len(), places.open(), places.refused()), (75, 75, 925));
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        let more: Vec<Place> = (0..100).filter_map(|_| places.take(other)).collect();
        assert_eq!((more.len(), places.refused()), (25, 925 + 75));
        held.clear();
        assert!(places.take("192.0.2.1".parse().unwrap()).is_some());
        assert_eq!(places.open(), 25);
    }
}
