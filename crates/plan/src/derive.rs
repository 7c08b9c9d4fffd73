//! What follows from the plan without an opinion: links, capacities, moments.

use std::net::Ipv4Addr;

use jiff::{civil, tz::TimeZone};
use model::{DeviceId, Place, PortRef, RoomId, SubnetId, Timestamp, VlanName};

use crate::{Cable, Day, Device, Estimate, Plan, Pool, Role, Room, Talk, VlanKind, VlanPlan, catalogue::ModelPort};

/// Two ports that are joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// One end.
    pub a: PortRef,
    /// The other end.
    pub b: PortRef,
    /// The cable that joins them, an index into [`Plan::cables`]; `None` when the plan has no cable list.
    pub cable: Option<usize>,
    /// Where it is written.
    pub at: Place,
}

impl Plan {
    /// Every link: from the cable list, or else from what devices say they connect to.
    pub fn links(&self) -> Vec<Link> {
        match &self.cables {
            Some(cables) => cables.iter().enumerate().map(|(index, cable)| cable_link(index, cable)).collect(),
            None => self.stated_links(),
        }
    }

    fn stated_links(&self) -> Vec<Link> {
        let of_device = self.devices.values().filter_map(|device| {
            let to = device.connects.clone()?;
            let own = PortRef { device: device.id.clone(), port: self.uplink_port(device, &to).to_owned() };
            Some(Link { a: own, b: to, cable: None, at: device.at.clone() })
        });
        let of_services = self.services.at_port.as_ref().and_then(|to| {
            let device = self.devices.get(self.services.device.as_ref()?)?;
            let stated = device.connects.is_none();
            let own = PortRef { device: device.id.clone(), port: self.uplink_port(device, to).to_owned() };
            stated.then(|| Link { a: own, b: to.clone(), cable: None, at: self.services.at.clone() })
        });
        of_device.chain(of_services).collect()
    }

    /// The port by which a device hangs on `to` when nothing says which: an access point's and server's first, an
    /// injector's `in`; of the others the last that fits the far port in speed and kind, or in speed, or the last.
    fn uplink_port<'a>(&self, device: &'a Device, to: &PortRef) -> &'a str {
        let ports = &device.model.ports;
        let far = self.devices.get(&to.device).and_then(|far| far.model.port(&to.port));
        let last = |fits: &dyn Fn(&ModelPort, &ModelPort) -> bool| {
            let far = far?;
            ports.iter().rev().find(|port| fits(port, far))
        };
        let port = match device.role {
            Role::AccessPoint | Role::Server | Role::Injector => ports.first(),
            Role::Edge | Role::Core | Role::Access | Role::Spare => {
                last(&|port, far| port.speed_mbps == far.speed_mbps && port.fibre == far.fibre)
                    .or_else(|| last(&|port, far| port.speed_mbps == far.speed_mbps))
                    .or(ports.last())
            }
        };
        port.map_or("1", |port| &port.name)
    }

    /// Devices that send Wi-Fi, spares left out.
    pub fn access_points(&self) -> impl Iterator<Item = &Device> {
        self.devices.values().filter(|device| device.role == Role::AccessPoint)
    }

    /// The room of that key.
    pub fn room(&self, id: &RoomId) -> Option<&Room> {
        self.rooms.iter().find(|room| room.id == *id)
    }

    /// Devices that route between the event and the Internet or the tunnel.
    pub fn edge_devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values().filter(|device| device.role == Role::Edge)
    }

    /// The device that routes a VLAN: the one it names, else the first edge device at the venue, else the first.
    pub fn gateway_device(&self, vlan: &VlanName) -> Option<&Device> {
        let vlan = self.vlans.get(vlan)?;
        match &vlan.gateway_device {
            Some(device) => self.devices.get(device),
            None => {
                let at_venue = self.edge_devices().find(|device| device.site.as_str() == "venue");
                at_venue.or_else(|| self.edge_devices().next())
            }
        }
    }

    /// VLANs of attendees' devices, by name.
    pub fn attendee_vlans(&self) -> impl Iterator<Item = &VlanPlan> {
        self.vlans.values().filter(|vlan| vlan.kind == VlanKind::Attendee)
    }

    /// The address that clients are told for DNS and that relays send to.
    pub fn server_address(&self) -> Option<Ipv4Addr> {
        self.services.address
    }

    /// The moment of a civil time at the venue. In a gap or fold of the clock the usual ("compatible") choice.
    pub fn local_time(&self, time: civil::DateTime) -> Timestamp {
        local_timestamp(&self.event.time_zone, time)
    }

    /// From doors to close.
    pub fn day_span(&self, day: &Day) -> (Timestamp, Timestamp) {
        (self.local_time(day.date.to_datetime(day.doors)), self.local_time(day.date.to_datetime(day.close)))
    }

    /// Devices of attendees on the fullest day.
    pub fn expected_devices_peak(&self) -> Estimate {
        let fullest = self.days.iter().map(|day| day.people).max_by(|a, b| a.likely.total_cmp(&b.likely));
        fullest.unwrap_or(self.event.people).times(self.event.devices_per_person)
    }

    /// Devices in a room when every seat is taken and every standing place too.
    pub fn room_clients_expected(&self, room: &Room) -> Estimate {
        let people = f64::from(room.seats) + f64::from(room.standing);
        let exact = Estimate { low: people, likely: people, high: people };
        exact.times(self.event.devices_per_person)
    }

    /// Addresses that a VLAN hands out: those of its pools, each once; 0 when it hands out none.
    pub fn pool_size(&self, vlan: &VlanPlan) -> u64 {
        addresses(vlan.dhcp.iter().flat_map(|dhcp| &dhcp.pools))
    }

    /// Addresses that a VLAN hands out to everyone: without the pools that are for a class.
    pub fn common_pool_size(&self, vlan: &VlanPlan) -> u64 {
        addresses(vlan.dhcp.iter().flat_map(|dhcp| &dhcp.pools).filter(|pool| pool.class.is_none()))
    }

    /// What leases call the subnet of a VLAN: its 802.1Q identifier, which does not change when other VLANs come or
    /// go. Of several VLANs with one identifier (subnets of a shared network) the first by name has it; the others
    /// have 4,096 more each.
    pub fn subnet_id(&self, vlan: &VlanPlan) -> SubnetId {
        let same = self.vlans.values().filter(|other| other.id == vlan.id && other.name < vlan.name).count();
        SubnetId(u32::from(vlan.id.0) + 4_096 * u32::try_from(same).unwrap_or(0))
    }

    /// The VLAN whose subnet holds `address`.
    pub fn vlan_of(&self, address: Ipv4Addr) -> Option<&VlanPlan> {
        self.vlans.values().find(|vlan| vlan.subnet.contains(&address))
    }

    /// Talks in a room, by time.
    pub fn talks_in(&self, room: &RoomId) -> impl Iterator<Item = &Talk> {
        self.timetable.iter().flatten().filter(move |talk| talk.room == *room)
    }

    /// The device of that key.
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id)
    }
}

impl Estimate {
    /// The product of two estimates, bound by bound.
    pub fn times(self, other: Self) -> Self {
        Self { low: self.low * other.low, likely: self.likely * other.likely, high: self.high * other.high }
    }
}

fn cable_link(index: usize, cable: &Cable) -> Link {
    Link { a: cable.from.clone(), b: cable.to.clone(), cable: Some(index), at: cable.at.clone() }
}

/// Addresses in the ranges, each once.
fn addresses<'a>(pools: impl Iterator<Item = &'a Pool>) -> u64 {
    let mut ranges: Vec<(u32, u32)> = pools.map(|pool| (u32::from(pool.first), u32::from(pool.last))).collect();
    ranges.sort_unstable();
    let mut size = 0;
    let mut next = 0_u64;
    for (first, last) in ranges {
        let (first, end) = (u64::from(first).max(next), u64::from(last) + 1);
        size += end.saturating_sub(first);
        next = next.max(end);
    }
    size
}

/// The moment of a civil time in a zone; saturates at the ends of time.
pub(crate) fn local_timestamp(zone: &TimeZone, time: civil::DateTime) -> Timestamp {
    match zone.to_ambiguous_timestamp(time).compatible() {
        Ok(moment) => from_jiff(moment),
        Err(_) => Timestamp::MAX,
    }
}

/// jiff's moment as ours; saturates at the end of time.
pub(crate) fn from_jiff(moment: jiff::Timestamp) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(moment.as_nanosecond()).unwrap_or(i64::MAX))
}
