//! What `/metrics` and the page may know of feeds.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What became of what a feed gives, and what waits.
#[derive(Debug, Default)]
pub(crate) struct FeedView {
    /// Requests, values or lines that the receiver took.
    pub(crate) delivered: AtomicU64,
    /// Tries that failed and are made again.
    pub(crate) retried: AtomicU64,
    /// The receiver will never take them.
    pub(crate) refused: AtomicU64,
    /// No room, or the disk failed.
    pub(crate) dropped: AtomicU64,
    /// Figures that wait in the spool; lines that were read from the store and wait.
    pub(crate) waiting: AtomicU64,
    /// Figures only.
    pub(crate) waiting_bytes: AtomicU64,
}

impl FeedView {
    pub(crate) fn add(&self, count: &AtomicU64, number: u64) {
        count.fetch_add(number, Ordering::Relaxed);
    }
}

/// The feeds that the plan has.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeedViews {
    pub(crate) remote_write: Option<Arc<FeedView>>,
    /// By the feed's name.
    pub(crate) others: Vec<(&'static str, Arc<FeedView>)>,
}
