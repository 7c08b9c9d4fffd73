//! What is watched: every planned address, and which device is reached through which.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use model::{DeviceId, PortRef, RoomId};
use plan::{Plan, Role, catalogue::DeviceKind};

use crate::watch_rules;

/// Injectors in one cable that are followed.
const INJECTORS_MAX: usize = 4;

/// What is watched, and where it stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WatchSettings {
    /// The addresses; none when the plan turns it off. The services' own device is not among them.
    pub ping: watch::PingSettings,
    /// Which device is reached through which.
    pub topology: watch::Topology,
    /// Where each device is.
    pub places: BTreeMap<DeviceId, WatchedPlace>,
    /// Who is asked by SNMP; `None` = nobody.
    pub snmp: Option<SnmpSettings>,
    /// Links of the plan, from either end, injectors passed over.
    pub links: Vec<watch::PlannedLink>,
    /// Tunnels: name, the end that is nearer to the services, the other.
    pub tunnels: Vec<(String, DeviceId, DeviceId)>,
    /// Rules over figures: those that ship and those of the plan.
    pub rules: Vec<watch::Rule>,
    /// Who is told.
    pub outlets: Vec<Outlet>,
    /// Who is on duty when, in the roster's order.
    pub duties: Vec<watch::Duty>,
}

/// Somebody who is told of alerts. Where secrets lie is not looked up here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outlet {
    /// Key in the plan.
    pub name: String,
    /// What receives.
    pub kind: watch::OutletKind,
    /// Where.
    pub url: SecretSource,
    /// Access token or password.
    pub token: Option<SecretSource>,
    /// The envelope of e-mail; there for [`watch::OutletKind::Mail`] only.
    pub mail: Option<plan::Mail>,
}

/// Who is asked by SNMP, and what the plan expects of their ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnmpSettings {
    /// Who asks.
    pub credentials: SnmpCredentials,
    /// Time between polls of a device.
    pub interval: Duration,
    /// Routers, switches and access points with an address.
    pub agents: Vec<(DeviceId, IpAddr)>,
    /// Mb/s that both ends of a planned link can do, by the port at either end.
    pub speeds_mbps: BTreeMap<PortRef, u32>,
    /// What devices, cables and ports are compared with.
    pub site: watch::PlannedSite,
    /// Where traps and informs are taken; `None` = nowhere.
    pub traps: Option<SocketAddr>,
}

/// Who asks by SNMP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SnmpCredentials {
    /// Version 2c.
    Community(SecretSource),
    /// Version 3, SHA-256 and AES-128.
    User {
        /// Its name.
        name: String,
        /// Password for authentication.
        auth: SecretSource,
        /// Password for encryption.
        privacy: SecretSource,
    },
}

/// A secret, by reference where the plan is wise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretSource {
    /// In an environment variable.
    Environment(String),
    /// In a file.
    File(String),
    /// The secret itself.
    Plain(String),
}

/// Where a device is to be found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WatchedPlace {
    /// Its room, if it is placed.
    pub room: Option<RoomId>,
    /// The port that it hangs on, seen from the services.
    pub port: Option<PortRef>,
}

pub(crate) fn watch_settings(plan: &Plan) -> WatchSettings {
    let ways = ways_to_services(plan);
    let parents = ways.iter().map(|(device, way)| (device.clone(), way.parent.clone()));
    let port = |device: &DeviceId| ways.get(device).and_then(|way| way.port.clone());
    let place = |device: &plan::Device| WatchedPlace { room: device.room.clone(), port: port(&device.id) };
    let is_behind = |far: &DeviceId, near: &DeviceId| ways.get(far).is_some_and(|way| way.parent == *near);
    let tunnels = plan.tunnels.iter().map(|tunnel| match is_behind(&tunnel.from, &tunnel.to) {
        true => (tunnel.name.clone(), tunnel.to.clone(), tunnel.from.clone()),
        false => (tunnel.name.clone(), tunnel.from.clone(), tunnel.to.clone()),
    });
    WatchSettings {
        ping: watch::PingSettings { targets: targets(plan), ..watch::PingSettings::default() },
        topology: watch::Topology::new(parents),
        places: plan.devices.values().map(|device| (device.id.clone(), place(device))).collect(),
        snmp: plan.services.snmp.as_ref().map(|snmp| snmp_settings(plan, snmp)),
        links: planned_links(plan),
        tunnels: tunnels.collect(),
        rules: watch_rules::rules(plan),
        outlets: plan.outlets.iter().map(outlet).collect(),
        duties: duties(plan),
    }
}

fn outlet(outlet: &plan::Outlet) -> Outlet {
    let kind = match outlet.kind {
        plan::OutletKind::Webhook => watch::OutletKind::Webhook,
        plan::OutletKind::Slack => watch::OutletKind::Slack,
        plan::OutletKind::Discord => watch::OutletKind::Discord,
        plan::OutletKind::Matrix => watch::OutletKind::Matrix,
        plan::OutletKind::Mail => watch::OutletKind::Mail,
    };
    let token = outlet.token.as_ref().map(secret);
    Outlet { name: outlet.name.clone(), kind, url: secret(&outlet.url), token, mail: outlet.mail.clone() }
}

pub(crate) fn secret(secret: &plan::Secret) -> SecretSource {
    match secret {
        plan::Secret::Environment(name) => SecretSource::Environment(name.clone()),
        plan::Secret::File(path) => SecretSource::File(path.clone()),
        plan::Secret::Plain(text) => SecretSource::Plain(text.clone()),
    }
}

fn snmp_settings(plan: &Plan, snmp: &plan::Snmp) -> SnmpSettings {
    let credentials = match &snmp.credentials {
        plan::SnmpCredentials::Community(community) => SnmpCredentials::Community(secret(community)),
        plan::SnmpCredentials::User { name, auth, privacy } => {
            SnmpCredentials::User { name: name.clone(), auth: secret(auth), privacy: secret(privacy) }
        }
    };
    let has_agent = |device: &&plan::Device| match device.model.kind {
        DeviceKind::Router | DeviceKind::Switch | DeviceKind::AccessPoint => device.role != Role::Spare,
        DeviceKind::Injector | DeviceKind::Server => false,
    };
    let agents = plan.devices.values().filter(has_agent);
    let speed = |port: &PortRef| Some(plan.devices.get(&port.device)?.model.port(&port.port)?.speed_mbps);
    let speeds = plan.links().into_iter().filter_map(|link| {
        let mbps = speed(&link.a)?.min(speed(&link.b)?);
        Some([(link.a, mbps), (link.b, mbps)])
    });
    SnmpSettings {
        credentials,
        interval: snmp.interval,
        agents: agents.filter_map(|device| Some((device.id.clone(), IpAddr::V4(device.address?)))).collect(),
        speeds_mbps: speeds.flatten().collect(),
        site: planned_site(plan),
        traps: snmp.traps,
    }
}

/// What agents are compared with. Injectors are passed over: they do not speak.
fn planned_site(plan: &Plan) -> watch::PlannedSite {
    let (links, guessed) = speaking_links(plan);
    let speaks = |device: &&plan::Device| device.role != Role::Spare && device.model.kind != DeviceKind::Injector;
    let devices: BTreeMap<DeviceId, watch::PlannedDevice> =
        plan.devices.values().filter(speaks).map(|device| (device.id.clone(), planned_device(plan, device))).collect();
    let vlans = plan.devices.values().flat_map(|device| {
        let port = |name: &String| PortRef { device: device.id.clone(), port: name.clone() };
        device.ports.iter().map(move |(name, stated)| (port(name), planned_vlans(plan, stated)))
    });
    // A cable straight from a port with PoE to a device that lives on it.
    let ends = plan.links().into_iter().flat_map(|link| [(link.a.clone(), link.b.clone()), (link.b, link.a)]);
    let feeds = |(port, end): &(PortRef, PortRef)| {
        let gives = plan.device(&port.device).and_then(|device| device.model.port(&port.port)?.poe).is_some();
        let is_switch = plan.device(&port.device).is_some_and(|device| device.model.kind == DeviceKind::Switch);
        let draws = plan.device(&end.device).is_some_and(|device| device.model.poe_draw_w > 0.0);
        gives && is_switch && draws
    };
    let powered = ends.filter(feeds).map(|(port, _)| port).collect();
    watch::PlannedSite { devices, links, guessed, vlans: vlans.collect(), powered }
}

fn planned_device(plan: &Plan, device: &plan::Device) -> watch::PlannedDevice {
    let asset = plan.inventory.iter().flatten().find(|asset| asset.device.as_ref() == Some(&device.id));
    watch::PlannedDevice {
        address: device.address.map(IpAddr::V4),
        mac: asset.and_then(|asset| asset.mac),
        serial: asset.map(|asset| asset.serial.clone()).unwrap_or_default(),
        model: asset.map(|asset| asset.model.clone()).unwrap_or_default(),
        ports: device.model.ports.iter().map(|port| port.name.clone()).collect(),
        is_access_point: device.model.kind == DeviceKind::AccessPoint,
    }
}

fn planned_vlans(plan: &Plan, port: &plan::PortPlan) -> watch::PlannedVlans {
    let id = |name: &model::VlanName| plan.vlans.get(name).map(|vlan| vlan.id.0);
    let tagged = port.tagged.as_ref().map(|names| names.iter().filter_map(id).collect());
    watch::PlannedVlans { untagged: port.untagged.as_ref().and_then(id), tagged }
}

/// Which ports of speaking devices are joined, both ways, and those that the plan does not name.
fn speaking_links(plan: &Plan) -> (BTreeMap<PortRef, PortRef>, BTreeSet<PortRef>) {
    let links = plan.links();
    let mut ends: BTreeMap<PortRef, PortRef> = BTreeMap::new();
    let mut guessed = BTreeSet::new();
    for link in &links {
        ends.insert(link.a.clone(), link.b.clone());
        ends.insert(link.b.clone(), link.a.clone());
        if link.cable.is_none() {
            guessed.insert(link.a.clone());
        }
    }
    let is_injector =
        |port: &PortRef| plan.device(&port.device).is_some_and(|device| device.model.kind == DeviceKind::Injector);
    // An injector has two ports; what comes in at one goes out at the other.
    let beyond = |port: &PortRef| ends.keys().find(|other| other.device == port.device && *other != port);
    let far_end = |port: &PortRef| {
        let mut end = ends.get(port)?;
        // Injectors in a row, or in a circle.
        for _ in 0..INJECTORS_MAX {
            if !is_injector(end) {
                return Some(end.clone());
            }
            end = ends.get(beyond(end)?)?;
        }
        None
    };
    let own = ends.keys().filter(|port| !is_injector(port));
    (own.filter_map(|port| Some((port.clone(), far_end(port)?))).collect(), guessed)
}

fn duties(plan: &Plan) -> Vec<watch::Duty> {
    let duty = |shift: &plan::Shift| {
        let parts = [shift.who.as_str(), shift.handle.as_str(), shift.place.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        watch::Duty { starts: shift.starts, ends: shift.ends, who: parts.join(", ") }
    };
    plan.roster.iter().flatten().map(duty).collect()
}

fn targets(plan: &Plan) -> Vec<watch::Target> {
    if !plan.services.ping {
        return Vec::new();
    }
    let watched = plan
        .devices
        .values()
        .filter(|device| device.role != Role::Spare && Some(&device.id) != plan.services.device.as_ref());
    let target = |device: &plan::Device| {
        let address = IpAddr::V4(device.address?);
        Some(watch::Target { device: device.id.clone(), address, was_seen: false })
    };
    watched.filter_map(target).collect()
}

/// How a device is reached.
struct Way {
    /// The next device on the way to the services.
    parent: DeviceId,
    /// The port of it that leads there; `None` for a tunnel.
    port: Option<PortRef>,
}

/// For each device, its neighbour on the shortest way to the services. The way begins at the services' own device or
/// port, or else at the first device that routes out of the event.
fn ways_to_services(plan: &Plan) -> BTreeMap<DeviceId, Way> {
    let own = plan.services.device.clone().filter(|device| plan.devices.contains_key(device));
    let root = own
        .or_else(|| plan.services.at_port.as_ref().map(|port| port.device.clone()))
        .or_else(|| plan.uplinks.first().map(|uplink| uplink.device.clone()))
        .or_else(|| plan.devices.values().find(|device| device.role == Role::Edge).map(|device| device.id.clone()));
    let mut ways = BTreeMap::new();
    let Some(root) = root else { return ways };
    let mut near: BTreeMap<DeviceId, Vec<(Option<PortRef>, DeviceId)>> = BTreeMap::new();
    let mut join = |from: &DeviceId, port: Option<&PortRef>, to: &DeviceId| {
        near.entry(from.clone()).or_default().push((port.cloned(), to.clone()));
    };
    for link in plan.links() {
        join(&link.a.device, Some(&link.a), &link.b.device);
        join(&link.b.device, Some(&link.b), &link.a.device);
    }
    for tunnel in &plan.tunnels {
        join(&tunnel.from, None, &tunnel.to);
        join(&tunnel.to, None, &tunnel.from);
    }
    let mut reached = VecDeque::from([root.clone()]);
    while let Some(device) = reached.pop_front() {
        for (port, beyond) in near.remove(&device).unwrap_or_default() {
            if beyond != root && !ways.contains_key(&beyond) {
                ways.insert(beyond.clone(), Way { parent: device.clone(), port });
                reached.push_back(beyond);
            }
        }
    }
    ways
}

/// Every port that a cable of the plan ends at, and what hangs on it: behind an injector, what that powers.
fn planned_links(plan: &Plan) -> Vec<watch::PlannedLink> {
    let links = plan.links();
    let is_injector =
        |device: &DeviceId| plan.devices.get(device).is_some_and(|device| device.model.kind == DeviceKind::Injector);
    let ends = || links.iter().flat_map(|link| [(&link.a, &link.b), (&link.b, &link.a)]);
    let beyond = |injector: &PortRef| {
        let other = ends().find(|(from, _)| from.device == injector.device && from.port != injector.port);
        other.map(|(_, to)| to.device.clone())
    };
    let planned = ends().filter(|(from, _)| !is_injector(&from.device)).map(|(from, to)| {
        let to = if is_injector(&to.device) { beyond(to) } else { None }.unwrap_or_else(|| to.device.clone());
        watch::PlannedLink { port: from.clone(), to }
    });
    planned.collect()
}
