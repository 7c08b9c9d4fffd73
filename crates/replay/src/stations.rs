//! Stations by access point, as the access points see them.

use model::{DeviceId, RoomId};
use rehearse::course::{Act, Course};
use serde::{Deserialize, Serialize};

/// The most stations an access point held at one time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccessPointPeak {
    /// The access point.
    pub device: DeviceId,
    /// Its room.
    pub room: RoomId,
    /// Most at one time.
    pub stations_peak: u32,
    /// Stations it is planned to carry.
    pub clients_max: u32,
}

/// The most stations the access points of a room held together at one time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoomPeak {
    /// The room.
    pub room: RoomId,
    /// Most at one time.
    pub stations_peak: u32,
}

/// Who is where, and how many at most so far.
#[derive(Debug)]
pub(crate) struct Stations {
    /// Of each device the access point it is associated with.
    at: Vec<Option<u32>>,
    access_points: Vec<Load>,
    rooms: Vec<(RoomId, Load)>,
    /// Of each access point its index in `rooms`.
    room_of: Vec<usize>,
    all: Load,
}

#[derive(Clone, Copy, Default, Debug)]
struct Load {
    now: u32,
    peak: u32,
}

impl Load {
    fn add(&mut self) {
        self.now += 1;
        self.peak = self.peak.max(self.now);
    }

    fn remove(&mut self) {
        self.now = self.now.saturating_sub(1);
    }
}

impl Stations {
    pub(crate) fn new(course: &Course) -> Self {
        let mut rooms: Vec<(RoomId, Load)> = Vec::new();
        let mut room_of = Vec::new();
        for access_point in &course.access_points {
            let known = rooms.iter().position(|(room, _)| *room == access_point.room);
            room_of.push(known.unwrap_or(rooms.len()));
            if known.is_none() {
                rooms.push((access_point.room.clone(), Load::default()));
            }
        }
        let access_points = vec![Load::default(); course.access_points.len()];
        Self { at: vec![None; course.devices.len()], access_points, rooms, room_of, all: Load::default() }
    }

    /// Where `device` is now.
    pub(crate) fn access_point_of(&self, device: u32) -> Option<u32> {
        self.at.get(device as usize).copied().flatten()
    }

    /// Stations on the network now.
    pub(crate) fn associated(&self) -> u32 {
        self.all.now
    }

    /// Most stations on the network at one time.
    pub(crate) fn associated_peak(&self) -> u32 {
        self.all.peak
    }

    /// Does what the action says; returns where the device was before.
    pub(crate) fn apply(&mut self, device: u32, act: Act) -> Option<u32> {
        let to = match act {
            Act::Associate(access_point) | Act::Roam(access_point) => Some(access_point),
            Act::Leave => None,
        };
        let from = self.access_point_of(device);
        if let Some(place) = self.at.get_mut(device as usize) {
            *place = to;
        }
        if let Some(access_point) = from {
            self.each_load(access_point, Load::remove);
        }
        if let Some(access_point) = to {
            self.each_load(access_point, Load::add);
        }
        from
    }

    /// The peaks, in the course's order.
    pub(crate) fn peaks(&self, course: &Course) -> (Vec<AccessPointPeak>, Vec<RoomPeak>) {
        let access_points =
            course.access_points.iter().zip(&self.access_points).map(|(planned, load)| AccessPointPeak {
                device: planned.device.clone(),
                room: planned.room.clone(),
                stations_peak: load.peak,
                clients_max: planned.clients_max,
            });
        let rooms = self.rooms.iter().map(|(room, load)| RoomPeak { room: room.clone(), stations_peak: load.peak });
        (access_points.collect(), rooms.collect())
    }

    fn each_load(&mut self, access_point: u32, change: fn(&mut Load)) {
        let access_point = access_point as usize;
        if let Some(load) = self.access_points.get_mut(access_point) {
            change(load);
        }
        if let Some((_, load)) = self.room_of.get(access_point).and_then(|&room| self.rooms.get_mut(room)) {
            change(load);
        }
        change(&mut self.all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::course;

    #[test]
    fn peaks_are_kept_by_access_point_and_room() {
        let course = course(3, &[("ap-1", "hall"), ("ap-2", "hall"), ("ap-3", "lounge")]);
        let mut stations = Stations::new(&course);
        for (device, act, from) in [
            (0, Act::Associate(0), None),
            (1, Act::Associate(1), None),
            (2, Act::Associate(2), None),
            (1, Act::Roam(0), Some(1)),
            (0, Act::Leave, Some(0)),
            (0, Act::Leave, None),
        ] {
            assert_eq!(stations.apply(device, act), from, "{device} {act:?}");
        }
        let (access_points, rooms) = stations.peaks(&course);
        assert_eq!(access_points.iter().map(|peak| peak.stations_peak).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(
            rooms.iter().map(|peak| (peak.room.as_str(), peak.stations_peak)).collect::<Vec<_>>(),
            [("hall", 2), ("lounge", 1)]
        );
        assert_eq!((stations.associated(), stations.associated_peak()), (2, 3));
    }
}
