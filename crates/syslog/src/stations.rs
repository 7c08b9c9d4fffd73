use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use foldhash::quality::FixedState;
use model::{Mac, Timestamp};

use crate::LineEvent;

/// The bounds of [`Stations`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StationsLimits {
    /// Stations associated at one time; more are not counted, but counted as dropped.
    pub stations_max: usize,
    /// Stations ever seen; more are no longer told apart.
    pub seen_max: usize,
    /// Access points; a line may claim any name.
    pub access_points_max: usize,
    /// A station of which nothing was heard for so long has left without a word.
    pub idle_max: Duration,
}

impl Default for StationsLimits {
    fn default() -> Self {
        Self {
            stations_max: 50_000,
            seen_max: 200_000,
            access_points_max: 1_000,
            // hostapd says nothing while a station stays, and someone may sit through a whole day.
            idle_max: Duration::from_hours(12),
        }
    }
}

/// Which station is on which access point, learnt from log lines.
///
/// A station is on one access point at a time: an association elsewhere moves it (a roam), and a late word of the
/// former access point changes nothing. Holds MAC addresses, in memory only; what it answers holds none.
#[derive(Debug)]
pub struct Stations {
    limits: StationsLimits,
    associations: HashMap<Mac, Association, FixedState>,
    /// Access points by name; the index of a name never changes.
    indices: BTreeMap<String, u32>,
    counts: Vec<u32>,
    seen: HashSet<Mac, FixedState>,
    peak: Option<(usize, Timestamp)>,
    dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Association {
    access_point: u32,
    heard: Timestamp,
}

impl Stations {
    /// Nobody is there yet.
    pub fn new(limits: StationsLimits) -> Self {
        Self {
            limits,
            associations: HashMap::default(),
            indices: BTreeMap::new(),
            counts: Vec::new(),
            seen: HashSet::default(),
            peak: None,
            dropped: 0,
        }
    }

    /// Takes an event of a line that access point `ap` sent.
    pub fn on_event(&mut self, now: Timestamp, ap: &str, event: &LineEvent) {
        match event {
            LineEvent::StationAssociated { mac } => self.associate(now, ap, *mac),
            LineEvent::StationLeft { mac } => self.leave(ap, *mac),
            LineEvent::StationRefused { .. }
            | LineEvent::Dhcp { .. }
            | LineEvent::LinkUp { .. }
            | LineEvent::LinkDown { .. }
            | LineEvent::Poe { .. }
            | LineEvent::SpanningTree { .. }
            | LineEvent::Login { .. }
            | LineEvent::ConfigChanged => {}
        }
    }

    /// Forgets stations that have been silent for too long; call now and then. O(stations).
    pub fn expire(&mut self, now: Timestamp) {
        let (idle_max, counts) = (self.limits.idle_max, &mut self.counts);
        self.associations.retain(|_, association| {
            let stays = now.since(association.heard) < idle_max;
            if !stays {
                counts[association.access_point as usize] -= 1;
            }
            stays
        });
    }

    /// Stations on `ap` now.
    pub fn on_access_point(&self, ap: &str) -> usize {
        self.indices.get(ap).map_or(0, |&index| self.counts[index as usize] as usize)
    }

    /// Every access point ever heard of with its stations now, by name.
    pub fn per_access_point(&self) -> impl Iterator<Item = (&str, usize)> {
        self.indices.iter().map(|(name, &index)| (name.as_str(), self.counts[index as usize] as usize))
    }

    /// Stations on any access point now.
    pub fn total(&self) -> usize {
        self.associations.len()
    }

    /// The highest total so far and when it was first reached.
    pub fn peak(&self) -> Option<(usize, Timestamp)> {
        self.peak
    }

    /// Different stations seen so far, up to the bound.
    pub fn unique(&self) -> usize {
        self.seen.len()
    }

    /// Associations that a bound kept from being counted.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn associate(&mut self, now: Timestamp, ap: &str, mac: Mac) {
        let known = self.associations.get(&mac).map(|association| association.access_point);
        let has_room = known.is_some() || self.associations.len() < self.limits.stations_max;
        let Some(access_point) = self.index(ap).filter(|_| has_room) else {
            self.dropped += 1;
            return;
        };
        if let Some(former) = known {
            self.counts[former as usize] -= 1;
        }
        self.counts[access_point as usize] += 1;
        self.associations.insert(mac, Association { access_point, heard: now });
        if self.seen.len() < self.limits.seen_max {
            self.seen.insert(mac);
        }
        let total = self.associations.len();
        if self.peak.is_none_or(|(peak, _)| total > peak) {
            self.peak = Some((total, now));
        }
    }

    fn leave(&mut self, ap: &str, mac: Mac) {
        let Some(&access_point) = self.indices.get(ap) else { return };
        if self.associations.get(&mac).is_some_and(|association| association.access_point == access_point) {
            self.associations.remove(&mac);
            self.counts[access_point as usize] -= 1;
        }
    }

    fn index(&mut self, ap: &str) -> Option<u32> {
        if let Some(&index) = self.indices.get(ap) {
            return Some(index);
        }
        if self.counts.len() >= self.limits.access_points_max {
            return None;
        }
        let index = u32::try_from(self.counts.len()).ok()?;
        self.counts.push(0);
        self.indices.insert(ap.to_owned(), index);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mac(last: u8) -> Mac {
        Mac([0x02, 0, 0x5e, 0, 0x53, last])
    }

    fn joined(last: u8) -> LineEvent {
        LineEvent::StationAssociated { mac: mac(last) }
    }

    fn left(last: u8) -> LineEvent {
        LineEvent::StationLeft { mac: mac(last) }
    }

    #[test]
    fn a_roam_moves_the_station_and_a_late_leave_changes_nothing() {
        let mut stations = Stations::new(StationsLimits::default());
        let at = Timestamp::from_secs;
        stations.on_event(at(1), "ap-1", &joined(1));
        stations.on_event(at(1), "ap-1", &joined(1));
        stations.on_event(at(2), "ap-1", &joined(2));
        stations.on_event(at(3), "ap-2", &joined(1));
        stations.on_event(at(4), "ap-1", &left(1));
        assert_eq!(stations.per_access_point().collect::<Vec<_>>(), [("ap-1", 1), ("ap-2", 1)]);
        stations.on_event(at(5), "ap-2", &left(1));
        assert_eq!((stations.on_access_point("ap-2"), stations.total(), stations.unique()), (0, 1, 2));
        assert_eq!(stations.peak(), Some((2, at(2))));
        stations.expire(at(2) + Duration::from_hours(12));
        assert_eq!((stations.on_access_point("ap-1"), stations.total()), (0, 0));
    }

    #[test]
    fn bounds_hold_and_are_counted() {
        let limits = StationsLimits { stations_max: 2, access_points_max: 1, seen_max: 1, ..StationsLimits::default() };
        let mut stations = Stations::new(limits);
        for last in 0..5 {
            stations.on_event(Timestamp::EPOCH, "ap-1", &joined(last));
        }
        stations.on_event(Timestamp::EPOCH, "ap-2", &joined(0));
        assert_eq!((stations.total(), stations.unique(), stations.dropped()), (2, 1, 4));
    }

    proptest! {
        #[test]
        fn the_parts_sum_to_the_total(script in prop::collection::vec((any::<bool>(), 0_u8..6, 0_u8..4), 0..60)) {
            let mut stations = Stations::new(StationsLimits { stations_max: 4, ..StationsLimits::default() });
            for (second, (joins, last, ap)) in (0..).zip(script) {
                let event = if joins { joined(last) } else { left(last) };
                stations.on_event(Timestamp::from_secs(second), &format!("ap-{ap}"), &event);
                let sum: usize = stations.per_access_point().map(|(_, count)| count).sum();
                prop_assert_eq!(sum, stations.total());
                prop_assert!(stations.total() <= 4);
            }
        }
    }
}
