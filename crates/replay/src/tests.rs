mod loopback;

use std::time::Duration;

use model::{Mac, Timestamp};
use rehearse::course::{Act, Action, Course, CourseAccessPoint, CourseDevice, CourseDeviceKind};

/// A course of some devices and access points (name, room) in which nothing happens.
pub(crate) fn course(devices: usize, access_points: &[(&str, &str)]) -> Course {
    let device = |index: usize| {
        let [.., high, low] = index.to_be_bytes();
        CourseDevice {
            mac: Mac([2, 0, 0x5e, 0x10, high, low]),
            kind: CourseDeviceKind::Phone,
            host_name: None,
            dns_queries_per_minute: 2.0,
            releases: index.is_multiple_of(5),
        }
    };
    let access_point = |(name, room): &(&str, &str)| CourseAccessPoint {
        device: (*name).into(),
        room: (*room).into(),
        clients_max: 50,
    };
    Course {
        access_points: access_points.iter().map(access_point).collect(),
        devices: (0..devices).map(device).collect(),
        actions: Vec::new(),
        spans: vec![(Timestamp::from_secs(0), Timestamp::EPOCH + Duration::from_secs(3_600))],
        occupancy: Vec::new(),
        people: 0,
        turned_away: 0,
        streams_opened: 0,
    }
}

/// Something a device does at a second of the event.
pub(crate) fn act(second: i64, device: u32, act: Act) -> Action {
    Action { at: Timestamp::from_secs(second), device, act }
}
