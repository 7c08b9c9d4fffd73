//! A changed plan on the live page: what it shows is replaced, what was counted stays.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use model::{Snapshot, SnapshotTalk};

/// What the live page shows of a plan.
pub(crate) struct PlannedPage {
    /// The page before anything has happened.
    pub(crate) skeleton: Snapshot,
    /// The whole timetable, by start.
    pub(crate) talks: Vec<SnapshotTalk>,
}

/// The page that a changed plan asks for, until the publisher takes it.
#[derive(Clone, Default)]
pub(crate) struct WantedPage(Arc<Mutex<Option<PlannedPage>>>);

impl WantedPage {
    /// Asks for it; one asked for earlier and not taken yet is forgotten.
    pub(crate) fn ask(&self, page: PlannedPage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
    }

    pub(crate) fn take(&self) -> Option<PlannedPage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Shows what `wanted` has of the plan. Peaks of rooms, access points and pools that stay are kept; figures of the
/// moment come with the next look.
pub(crate) fn replace_plan(page: &mut Snapshot, wanted: Snapshot) {
    page.event = wanted.event;
    for old in mem::replace(&mut page.rooms, wanted.rooms) {
        if let Some(room) = page.rooms.iter_mut().find(|room| room.room == old.room) {
            room.clients_peak = old.clients_peak;
        }
    }
    for old in mem::replace(&mut page.access_points, wanted.access_points) {
        if let Some(load) = page.access_points.iter_mut().find(|load| load.device == old.device) {
            load.clients_peak = old.clients_peak;
        }
    }
    for old in mem::replace(&mut page.pools, wanted.pools) {
        if let Some(pool) = page.pools.iter_mut().find(|pool| pool.name == old.name) {
            pool.used_peak = old.used_peak;
        }
    }
}

#[cfg(test)]
mod tests {
    use model::PoolUse;

    use super::*;

    fn pool(name: &str, used_peak: u64, size: u64) -> PoolUse {
        PoolUse { name: name.to_owned(), used: 0, used_peak, size }
    }

    #[test]
    fn peaks_of_what_stays_are_kept() {
        let mut page =
            Snapshot { pools: vec![pool("a", 7, 10), pool("gone", 5, 10)], clients_peak: 9, ..Snapshot::default() };
        let wanted = Snapshot { pools: vec![pool("new", 0, 5), pool("a", 0, 20)], ..Snapshot::default() };
        replace_plan(&mut page, wanted);
        assert_eq!(page.pools, [pool("new", 0, 5), pool("a", 7, 20)]);
        assert_eq!(page.clients_peak, 9);
    }

    #[test]
    fn the_last_page_asked_for_is_taken_once() {
        let wanted = WantedPage::default();
        for clients in [1, 2] {
            let skeleton = Snapshot { clients, ..Snapshot::default() };
            wanted.ask(PlannedPage { skeleton, talks: Vec::new() });
        }
        assert_eq!(wanted.take().map(|page| page.skeleton.clients), Some(2));
        assert!(wanted.take().is_none());
    }
}
