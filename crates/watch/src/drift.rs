//! What stands otherwise than planned: one function from planned facts and observed facts to findings.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use model::{DeviceId, Mac, PortRef, Severity};

use crate::{
    lldp::Neighbour,
    port_name::{find_port, is_same_port},
};

/// Findings at one look; a network that is all different is told by the first of them.
const DRIFTS_MAX: usize = 512;
/// VLANs named in one sentence.
const VLANS_SHOWN_MAX: usize = 8;

/// What the plan says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlannedSite {
    /// Every device but spares and injectors.
    pub devices: BTreeMap<DeviceId, PlannedDevice>,
    /// The port at the other end of each port's cable, both ways; injectors between are passed over.
    pub links: BTreeMap<PortRef, PortRef>,
    /// Ports that the plan does not name: it only says what their device hangs on.
    pub guessed: BTreeSet<PortRef>,
    /// VLANs of ports where the plan states them.
    pub vlans: BTreeMap<PortRef, PlannedVlans>,
    /// Ports that feed a planned device by PoE.
    pub powered: BTreeSet<PortRef>,
}

/// A device of the plan.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlannedDevice {
    /// Management address.
    pub address: Option<IpAddr>,
    /// From the inventory.
    pub mac: Option<Mac>,
    /// From the inventory; empty = not known.
    pub serial: String,
    /// From the inventory; empty = not known.
    pub model: String,
    /// Names of its ports.
    pub ports: Vec<String>,
    /// It is an access point.
    pub is_access_point: bool,
}

/// VLANs of a port, by 802.1Q identifier.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlannedVlans {
    /// Of frames without a tag.
    pub untagged: Option<u16>,
    /// Of frames with one; `None` = not stated.
    pub tagged: Option<BTreeSet<u16>>,
}

/// What an agent says of how its device stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Observed {
    /// By `ifName`.
    pub ports: BTreeMap<String, ObservedPort>,
    /// It has LLDP-MIB with ports.
    pub has_lldp: bool,
    /// Whom it hears.
    pub neighbours: Vec<Neighbour>,
    /// Serial number and model of its chassis (ENTITY-MIB, RFC 6933); one a member of a stack.
    pub chassis: Vec<(String, String)>,
    /// Port by learned MAC address (BRIDGE-MIB, Q-BRIDGE-MIB). Personal data: never shown, stored or exported.
    pub stations: Arc<BTreeMap<Mac, String>>,
}

/// A port, as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObservedPort {
    /// It has a link.
    pub is_up: bool,
    /// `dot1qPvid`.
    pub untagged: Option<u16>,
    /// VLANs that leave it with a tag; `None` = the agent does not say.
    pub tagged: Option<BTreeSet<u16>>,
    /// What its PoE does.
    pub power: Option<PortPower>,
}

/// `pethPsePortDetectionStatus` (RFC 3621).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortPower {
    /// `deliveringPower`.
    Delivering,
    /// `fault` and `otherFault`.
    Fault,
    /// Neither.
    Off,
}

/// Something that stands otherwise than planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drift {
    /// Code of the rule.
    pub code: &'static str,
    /// The agent that says so.
    pub device: DeviceId,
    /// The port, or none.
    pub port: Option<String>,
    /// What else tells two of one code and port apart.
    pub about: String,
    /// How bad.
    pub severity: Severity,
    /// What was planned and what is there; no hardware address.
    pub says: String,
    /// Likely cause.
    pub cause: &'static str,
    /// What to do; no hardware address.
    pub remedy: String,
    /// The same with hardware addresses.
    pub remedy_for_operators: Option<String>,
}

/// Compares. `answering` are the devices that answer echoes now, `watched` those that are sent any. O(ports + stations
/// of planned devices x agents); at most 512 findings.
pub fn drift(
    planned: &PlannedSite,
    observed: &BTreeMap<DeviceId, Observed>,
    answering: &BTreeSet<DeviceId>,
    watched: &BTreeSet<DeviceId>,
) -> Vec<Drift> {
    let look = Look { planned, observed, answering, watched };
    let mut found = Vec::new();
    let heard = look.heard();
    for (device, seen) in observed {
        let Some(plan) = planned.devices.get(device) else { continue };
        found.extend(chassis(device, plan, seen));
        for (name, port) in &seen.ports {
            let Some(reference) = look.planned_port(device, name) else { continue };
            found.extend(look.link(&reference, name, port, &heard));
            found.extend(look.vlans(&reference, port));
            found.extend(look.power(&reference, port));
        }
        found.extend(seen.neighbours.iter().filter_map(|neighbour| look.beside_the_plan(device, neighbour)));
    }
    found.extend(look.misplaced(&heard));
    found.truncate(DRIFTS_MAX);
    found
}

/// The access port at which `mac` was learned: one that does not lead to another switch that learns addresses too.
pub fn locate(planned: &PlannedSite, observed: &BTreeMap<DeviceId, Observed>, mac: Mac) -> Option<PortRef> {
    let (answering, watched) = (&BTreeSet::new(), &BTreeSet::new());
    Look { planned, observed, answering, watched }.locate(mac)
}

struct Look<'a> {
    planned: &'a PlannedSite,
    observed: &'a BTreeMap<DeviceId, Observed>,
    answering: &'a BTreeSet<DeviceId>,
    watched: &'a BTreeSet<DeviceId>,
}

impl<'a> Look<'a> {
    /// The plan's name of an agent's port.
    fn planned_port(&self, device: &DeviceId, name: &str) -> Option<PortRef> {
        let ports = self.planned.devices.get(device)?.ports.iter().map(String::as_str);
        let port = find_port(ports, name)?.to_owned();
        Some(PortRef { device: device.clone(), port })
    }

    /// Which device of the plan a neighbour is: by its management address, its MAC address, or its name.
    fn identify(&self, neighbour: &Neighbour) -> Option<&'a DeviceId> {
        let devices = || self.planned.devices.iter();
        let by_mac = || devices().find(|(_, device)| device.mac.is_some() && device.mac == neighbour.mac);
        let has = |address: &Option<IpAddr>| address.is_some_and(|address| neighbour.addresses.contains(&address));
        let by_address = || devices().find(|(_, device)| has(&device.address));
        let name = neighbour.system_name.split('.').next().unwrap_or_default();
        let by_name = || devices().find(|(id, _)| id.as_str().eq_ignore_ascii_case(name));
        by_mac().or_else(by_address).or_else(by_name).map(|(id, _)| id)
    }

    /// Planned devices that some agent hears, with where.
    fn heard(&self) -> BTreeMap<&'a DeviceId, PortRef> {
        let mut heard = BTreeMap::new();
        for (device, seen) in self.observed {
            for neighbour in &seen.neighbours {
                let port = || {
                    let as_is = || PortRef { device: device.clone(), port: neighbour.port.clone() };
                    self.planned_port(device, &neighbour.port).unwrap_or_else(as_is)
                };
                if let Some(id) = self.identify(neighbour) {
                    heard.entry(id).or_insert_with(port);
                }
            }
        }
        heard
    }

    /// Whether a port's cable leads where the plan says.
    fn link(
        &self,
        port: &PortRef,
        name: &str,
        seen: &ObservedPort,
        heard: &BTreeMap<&'a DeviceId, PortRef>,
    ) -> Option<Drift> {
        // The other end, which the plan names, tells.
        let peer = self.planned.links.get(port).filter(|_| !self.planned.guessed.contains(port))?;
        let agent = self.observed.get(&port.device)?;
        if !seen.is_up {
            return self.dark(port, peer, heard);
        }
        let there: Vec<&Neighbour> = agent.neighbours.iter().filter(|one| one.port == name).collect();
        let known: Vec<Option<&DeviceId>> = there.iter().map(|one| self.identify(one)).collect();
        if let Some(position) = known.iter().position(|id| *id == Some(&peer.device)) {
            return self.far_end(port, peer, there.get(position)?);
        }
        // What is neither of the plan nor says that it is network gear may hang on the planned device.
        let other = there.iter().zip(&known).find(|(one, id)| id.is_some() || one.is_gear);
        if let Some((other, id)) = other {
            let (what, seen_as) = named(other, *id);
            return Some(Drift {
                about: what.clone(),
                severity: Severity::Error,
                cause: "two cables are swapped, or the device is another one",
                remedy_for_operators: seen_as
                    .map(|mac| format!("follow the cable of {port} to {what} ({mac}); it belongs to {peer}")),
                ..drift_at(
                    "cable-wrong-box",
                    port,
                    format!("{port} leads to {what}, planned {peer}"),
                    format!("follow the cable of {port} to {what}; it belongs to {peer}"),
                )
            });
        }
        let speaks = self.observed.get(&peer.device).is_some_and(|peer| peer.has_lldp);
        if !agent.has_lldp || !speaks || !self.answering.contains(&peer.device) {
            return None;
        }
        let (where_to, about) = match heard.get(&peer.device) {
            Some(place) if place.device != port.device => return self.elsewhere(port, peer, place),
            Some(place) => (format!("; it is heard at {place}"), String::new()),
            None => (String::new(), String::new()),
        };
        Some(Drift {
            about,
            cause: "something else is plugged in, a switch is between them, or LLDP is off on that port",
            ..drift_at(
                "neighbour-missing",
                port,
                format!("{port} has a link and does not hear {peer}, which is planned there{where_to}"),
                format!("follow the cable of {port}; turn LLDP on at both ends"),
            )
        })
    }

    fn elsewhere(&self, port: &PortRef, peer: &PortRef, place: &PortRef) -> Option<Drift> {
        // Where it is heard as planned by another of its links, this one is only quiet.
        if self.planned.links.get(place).is_some_and(|other| other.device == peer.device) {
            return None;
        }
        Some(Drift {
            cause: "the cable is in another port than planned",
            ..drift_at(
                "cable-wrong-port",
                port,
                format!("{} is plugged into {place}, planned {port}", peer.device),
                format!("move the cable from {place} to {port}"),
            )
        })
    }

    /// The right device, by another of its ports.
    fn far_end(&self, port: &PortRef, peer: &PortRef, neighbour: &Neighbour) -> Option<Drift> {
        if self.planned.guessed.contains(peer) {
            return None;
        }
        let ports = &self.planned.devices.get(&peer.device)?.ports;
        let names = &neighbour.remote_ports;
        if names.iter().any(|name| is_same_port(name, &peer.port)) {
            return None;
        }
        // A name that the plan does not know tells nothing.
        let found = names.iter().find_map(|name| find_port(ports.iter().map(String::as_str), name))?;
        let found = PortRef { device: peer.device.clone(), port: found.to_owned() };
        Some(Drift {
            cause: "the cable is in another port than planned",
            ..drift_at(
                "cable-wrong-port",
                port,
                format!("the cable of {port} ends in {found}, planned {peer}"),
                format!("move the cable at {} from {} to {}", peer.device, found.port, peer.port),
            )
        })
    }

    /// A planned cable without a link.
    fn dark(&self, port: &PortRef, peer: &PortRef, heard: &BTreeMap<&'a DeviceId, PortRef>) -> Option<Drift> {
        let plan = self.planned.devices.get(&peer.device)?;
        let is_answering = self.answering.contains(&peer.device);
        // What is heard elsewhere is told there. What is watched and does not answer has an alert of its own.
        if heard.contains_key(&peer.device) || (self.watched.contains(&peer.device) && !is_answering) {
            return None;
        }
        let links = self.planned.links.values().filter(|end| end.device == peer.device).count();
        if is_answering && plan.is_access_point && links == 1 && self.place_of(&peer.device).is_none() {
            return Some(wireless(port, &peer.device, None));
        }
        Some(Drift {
            cause: "the cable is not plugged in or broken, or the device has no power",
            ..drift_at(
                "link-missing",
                port,
                format!("{port} has no link; {peer} is planned there"),
                format!("plug in the cable between {port} and {peer}, and look at the power of {}", peer.device),
            )
        })
    }

    /// A neighbour at a port that has no planned cable.
    fn beside_the_plan(&self, device: &DeviceId, neighbour: &Neighbour) -> Option<Drift> {
        let port = self.planned_port(device, &neighbour.port);
        if port.as_ref().is_some_and(|port| self.planned.links.contains_key(port)) {
            return None;
        }
        let place = port.unwrap_or_else(|| PortRef { device: device.clone(), port: neighbour.port.clone() });
        let id = self.identify(neighbour).filter(|id| *id != device);
        // Whatever port of ours it is that the plan does not name, it leads there.
        let is_guessed = |(port, end): (&PortRef, &PortRef)| port.device == *device && Some(&end.device) == id;
        if self.planned.links.iter().filter(|(port, _)| self.planned.guessed.contains(*port)).any(is_guessed) {
            return None;
        }
        let planned = id.and_then(|id| self.ports_to(id).next().cloned());
        if let (Some(id), Some(planned)) = (id, planned) {
            return Some(Drift {
                about: id.to_string(),
                severity: Severity::Error,
                cause: "the cable is in another port than planned",
                ..drift_at(
                    "cable-wrong-port",
                    &place,
                    format!("{id} is plugged into {place}, planned {planned}"),
                    format!("move the cable from {place} to {planned}"),
                )
            });
        }
        if id.is_none() && !neighbour.is_gear {
            return None;
        }
        let (what, mac) = named(neighbour, id);
        let remedy = |what: &str| format!("find out whose {what} is; unplug it, or put it and its cable into the plan");
        Some(Drift {
            about: what.clone(),
            cause: "somebody has added gear of their own",
            remedy_for_operators: mac.map(|mac| remedy(&format!("{what} ({mac})"))),
            ..drift_at(
                "neighbour-unexpected",
                &place,
                format!("{what} is plugged into {place}, where the plan has nothing"),
                remedy(&what),
            )
        })
    }

    /// Ports of other devices that lead to `device`.
    fn ports_to(&self, device: &'a DeviceId) -> impl Iterator<Item = &'a PortRef> {
        let planned = self.planned;
        let named = planned.links.iter().filter(move |(port, _)| !planned.guessed.contains(*port));
        named.filter(move |(_, end)| end.device == *device).map(|(port, _)| port)
    }

    fn place_of(&self, device: &DeviceId) -> Option<PortRef> {
        self.locate(self.planned.devices.get(device)?.mac?)
    }

    /// Devices of which no LLDP is heard, by where switches have learned their address.
    fn misplaced(&self, heard: &BTreeMap<&'a DeviceId, PortRef>) -> Vec<Drift> {
        let silent = self.planned.devices.iter().filter(|(id, _)| !heard.contains_key(id));
        let found = silent.filter_map(|(id, device)| {
            let place = self.locate(device.mac?)?;
            let mut planned = self.ports_to(id).filter(|port| self.observed.contains_key(&port.device)).peekable();
            let first = (*planned.peek()?).clone();
            if planned.any(|port| *port == place) || place.device == *id {
                return None;
            }
            let behind = self.planned.links.get(&place).map(|end| &end.device);
            let behind = behind.and_then(|end| Some((end, self.planned.devices.get(end)?)));
            if let Some((other, _)) = behind.filter(|(_, other)| other.is_access_point && device.is_access_point) {
                return Some(wireless(&first, id, Some(other)));
            }
            Some(Drift {
                about: id.to_string(),
                severity: Severity::Error,
                cause: "the cable is in another port than planned",
                ..drift_at(
                    "cable-wrong-port",
                    &place,
                    format!("{id} is plugged into {place}, planned {first}"),
                    format!("move the cable from {place} to {first}"),
                )
            })
        });
        found.collect()
    }

    fn locate(&self, mac: Mac) -> Option<PortRef> {
        let learned = self.observed.iter().filter_map(|(device, seen)| {
            let name = seen.stations.get(&mac)?;
            let port = self.planned_port(device, name);
            let port = port.unwrap_or_else(|| PortRef { device: device.clone(), port: name.clone() });
            let learns = |id: &DeviceId| self.observed.get(id).is_some_and(|other| !other.stations.is_empty());
            let by_plan = self.planned.links.get(&port).is_some_and(|end| learns(&end.device));
            let here = seen.neighbours.iter().filter(|one| one.port == *name);
            let by_lldp = here.filter_map(|one| self.identify(one)).any(learns);
            (!by_plan && !by_lldp).then_some(port)
        });
        // Seen at two places it has moved, or is not one; then nothing is said.
        let mut learned = learned;
        learned.next().filter(|_| learned.next().is_none())
    }

    fn vlans(&self, port: &PortRef, seen: &ObservedPort) -> Option<Drift> {
        let planned = self.planned.vlans.get(port)?;
        let mut differences = Vec::new();
        if let (Some(planned), Some(found)) = (planned.untagged, seen.untagged)
            && planned != found
        {
            differences.push(format!("is in VLAN {found}, planned {planned}"));
        }
        if let (Some(wanted), Some(found)) = (&planned.tagged, &seen.tagged) {
            let missing: Vec<u16> = wanted.difference(found).copied().collect();
            let more: Vec<u16> = found.difference(wanted).copied().collect();
            if !missing.is_empty() {
                differences.push(format!("does not carry the tagged VLANs {}", shown(&missing)));
            }
            if !more.is_empty() {
                differences.push(format!("carries the tagged VLANs {}, which are not planned there", shown(&more)));
            }
        }
        (!differences.is_empty()).then(|| Drift {
            cause: "another configuration than the plan's",
            ..drift_at(
                "port-wrong-vlan",
                port,
                format!("{port} {}", differences.join(" and ")),
                format!("set the VLANs of {port} as planned, or change the plan"),
            )
        })
    }

    fn power(&self, port: &PortRef, seen: &ObservedPort) -> Option<Drift> {
        let peer = self.planned.links.get(port)?;
        if !self.planned.powered.contains(port) || seen.power? == PortPower::Delivering {
            return None;
        }
        let why = if seen.power? == PortPower::Fault { "reports a PoE fault" } else { "gives no PoE" };
        Some(Drift {
            cause: "PoE is off on the port, the budget is spent, the cable is broken, or the device has other power",
            ..drift_at(
                "poe-missing",
                port,
                format!("{port} {why}; {} is planned to live on it", peer.device),
                format!("turn PoE on at {port}, look at the budget of {}, then swap the cable", port.device),
            )
        })
    }
}

/// An access point that answers and whose cable does not carry it.
fn wireless(port: &PortRef, device: &DeviceId, over: Option<&DeviceId>) -> Drift {
    let over = over.map(|over| format!(" over {over}")).unwrap_or_default();
    Drift {
        about: device.to_string(),
        severity: Severity::Error,
        cause: "its cable or its port is dead and it has meshed with a neighbour, which halves the airtime of both",
        ..drift_at(
            "access-point-wireless-uplink",
            port,
            format!(
                "{device} answers, but not through {port}, where it is planned: it seems to be linked by radio{over}"
            ),
            format!("look at the cable between {port} and {device}; turn mesh off"),
        )
    }
}

/// What to call a neighbour, and its MAC address if that is all there is.
fn named(neighbour: &Neighbour, id: Option<&DeviceId>) -> (String, Option<Mac>) {
    match id {
        Some(id) => (id.to_string(), None),
        None if !neighbour.system_name.is_empty() => (format!("\"{}\"", neighbour.system_name), neighbour.mac),
        None => ("a device without a name".to_owned(), neighbour.mac),
    }
}

/// The box itself: serial number and model as in the inventory.
fn chassis(device: &DeviceId, plan: &PlannedDevice, seen: &Observed) -> Option<Drift> {
    let of = |says: String, code| Drift {
        code,
        device: device.clone(),
        port: None,
        about: String::new(),
        severity: Severity::Warning,
        says,
        cause: "two boxes were swapped, or the inventory is wrong",
        remedy: format!("read the label of {device}, and correct the inventory or swap the boxes"),
        remedy_for_operators: None,
    };
    let serials: Vec<&str> =
        seen.chassis.iter().map(|(serial, _)| serial.as_str()).filter(|serial| !serial.is_empty()).collect();
    if !plan.serial.is_empty() && !serials.is_empty() {
        let is_it = |serial: &&str| serial.eq_ignore_ascii_case(&plan.serial);
        if !serials.iter().any(is_it) {
            let first = serials.first()?;
            let says = format!("{device} has serial number {first}, the inventory says {}", plan.serial);
            return Some(of(says, "device-wrong-serial"));
        }
        return None;
    }
    let models: Vec<&str> =
        seen.chassis.iter().map(|(_, model)| model.as_str()).filter(|model| !model.is_empty()).collect();
    let first = models.first().filter(|_| !plan.model.is_empty())?;
    let is_it = |model: &&str| {
        let (model, wanted) = (letters(model), letters(&plan.model));
        model.contains(&wanted) || wanted.contains(&model)
    };
    if models.iter().any(is_it) {
        return None;
    }
    Some(of(format!("{device} is a {first}, the inventory says {}", plan.model), "device-wrong-model"))
}

/// Letters and digits alone, so that `WS-C3560CX` and `ws c3560cx` are one.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect()
}

fn shown(vlans: &[u16]) -> String {
    let some: Vec<String> = vlans.iter().take(VLANS_SHOWN_MAX).map(u16::to_string).collect();
    let more = if vlans.len() > VLANS_SHOWN_MAX { ", ..." } else { "" };
    format!("{}{more}", some.join(", "))
}

fn drift_at(code: &'static str, port: &PortRef, says: String, remedy: String) -> Drift {
    Drift {
        code,
        device: port.device.clone(),
        port: Some(port.port.clone()),
        about: String::new(),
        severity: Severity::Warning,
        says,
        cause: "",
        remedy,
        remedy_for_operators: None,
    }
}

#[cfg(test)]
#[path = "drift/tests.rs"]
mod tests;
