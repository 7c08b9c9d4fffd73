//! What the crowd does, as data: made once from plan and seed, played by the virtual clock or as real packets.

use model::{DeviceId, HostName, Mac, RoomId, Timestamp};

/// The course of one rehearsal. The same plan, options and seed give the same course, byte for byte.
#[derive(Clone, Debug)]
pub struct Course {
    /// Access points, in the plan's order; [`Action`]s name them by index.
    pub access_points: Vec<CourseAccessPoint>,
    /// Devices of the crowd; [`Action`]s name them by index.
    pub devices: Vec<CourseDevice>,
    /// What they do, by time; ties in order of device.
    pub actions: Vec<Action>,
    /// Spans of event time in which something happens, one per day, for [`model::TimeLine`].
    pub spans: Vec<(Timestamp, Timestamp)>,
    /// People by room over time, for the report: one point per room each `occupancy_step`.
    pub occupancy: Vec<Occupancy>,
    /// People who came in all.
    pub people: u32,
    /// People turned away from a full room, counted each time.
    pub turned_away: u32,
    /// Of those, how often the stream was opened instead.
    pub streams_opened: u32,
}

/// An access point of the course.
#[derive(Clone, Debug)]
pub struct CourseAccessPoint {
    /// The device of the plan.
    pub device: DeviceId,
    /// Its room.
    pub room: RoomId,
    /// Stations it is planned to carry.
    pub clients_max: u32,
}

/// A device of the crowd.
#[derive(Clone, Debug)]
pub struct CourseDevice {
    /// Its address on this network; locally administered, unique in the course.
    pub mac: Mac,
    /// What it is.
    pub kind: CourseDeviceKind,
    /// Name it sends in option 12.
    pub host_name: Option<HostName>,
    /// DNS queries a minute while associated.
    pub dns_queries_per_minute: f32,
    /// True when it gives its address back on leaving (few do).
    pub releases: bool,
}

/// What a device of the crowd is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CourseDeviceKind {
    /// In the pocket all day.
    Phone,
    /// Open during talks.
    Laptop,
}

/// Something a device does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action {
    /// When.
    pub at: Timestamp,
    /// Which device, an index into [`Course::devices`].
    pub device: u32,
    /// What.
    pub act: Act,
}

/// What a device does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Joins the network at an access point (an index into [`Course::access_points`]), takes or confirms a lease.
    Associate(u32),
    /// Moves to another access point; keeps its lease.
    Roam(u32),
    /// Leaves the network.
    Leave,
}

/// People in a room at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Occupancy {
    /// When.
    pub at: Timestamp,
    /// The room, an index into the plan's rooms.
    pub room: u32,
    /// People in it.
    pub people: u32,
}
