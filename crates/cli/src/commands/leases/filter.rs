//! Which leases are wanted, in the plan's words.

use anyhow::{Result, bail};
use daemon::Clock;
use ipnet::{Ipv4Net, Ipv6Net};
use model::{Lease, Lease6, LeaseState, Timestamp};
use plan::{Device, Plan};

use crate::{
    args::{Leases, PlanArguments},
    plan_dir,
};

/// A lease state as it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    Active,
    Expired,
    In(LeaseState),
}

/// What all wanted leases have.
pub(super) struct Filter {
    state: Option<Wanted>,
    circuit: Option<String>,
    /// Of the wanted VLAN.
    subnets: Option<(Ipv4Net, Option<Ipv6Net>)>,
    /// What stands in option 82 of clients behind the wanted gear, in any notation; any of them is enough.
    gear: Option<Vec<Vec<u8>>>,
    now: Timestamp,
}

impl Filter {
    pub(super) fn new(arguments: &Leases) -> Result<Self> {
        let plan = match &arguments.plan {
            Some(dir) => Some(plan_dir::load(&PlanArguments { dir: dir.clone(), set: Vec::new() })?),
            None => None,
        };
        let state = arguments.only.as_deref().map(wanted).transpose()?;
        let mut filter =
            Self { state, circuit: arguments.circuit.clone(), subnets: None, gear: None, now: Clock::Wall.now() };
        if let Some(plan) = &plan {
            filter.subnets = arguments.vlan.as_deref().map(|name| subnets(plan, name)).transpose()?;
            let gear = gear(plan, arguments.room.as_deref(), arguments.device.as_deref())?;
            filter.gear = gear.map(|devices| devices.iter().flat_map(|device| marks(plan, device)).collect());
        }
        Ok(filter)
    }

    pub(super) fn wants(&self, lease: &Lease) -> bool {
        let is_there = self.subnets.as_ref().is_none_or(|(v4, _)| v4.contains(&lease.address));
        let agent = [&*lease.circuit_id, &*lease.remote_id];
        is_there && self.wants_what(lease.state, lease.is_active(self.now), agent)
    }

    pub(super) fn wants6(&self, lease: &Lease6) -> bool {
        let holds = |v6: &Option<Ipv6Net>| v6.is_some_and(|v6| v6.contains(&lease.address));
        let is_there = self.subnets.as_ref().is_none_or(|(_, v6)| holds(v6));
        let agent = [&*lease.interface_id, &*lease.remote_id];
        is_there && self.wants_what(lease.state, lease.is_active(self.now), agent)
    }

    fn wants_what(&self, found: LeaseState, is_active: bool, agent: [&[u8]; 2]) -> bool {
        let state = self.state.is_none_or(|wanted| match wanted {
            Wanted::Active => is_active,
            Wanted::Expired => found == LeaseState::Bound && !is_active,
            Wanted::In(LeaseState::Bound) => found == LeaseState::Bound && is_active,
            Wanted::In(state) => found == state,
        });
        let circuit = self
            .circuit
            .as_deref()
            .is_none_or(|text| agent.iter().any(|id| contains(&squeezed(id), &squeezed(text.as_bytes()))));
        let gear = self.gear.as_ref().is_none_or(|marks| {
            agent.iter().any(|id| {
                let (raw, squeezed) = (id.to_ascii_lowercase(), squeezed(id));
                marks.iter().any(|mark| contains(&raw, mark) || contains(&squeezed, mark))
            })
        });
        state && circuit && gear
    }
}

fn wanted(name: &str) -> Result<Wanted> {
    Ok(match name {
        "active" => Wanted::Active,
        "expired" => Wanted::Expired,
        "bound" => Wanted::In(LeaseState::Bound),
        "released" => Wanted::In(LeaseState::Released),
        "declined" => Wanted::In(LeaseState::Declined),
        other => bail!("`{other}` is no state of a lease; choose active, bound, released, declined or expired"),
    })
}

fn subnets(plan: &Plan, name: &str) -> Result<(Ipv4Net, Option<Ipv6Net>)> {
    let found = plan.vlans.values().find(|vlan| vlan.name.as_str() == name);
    let Some(vlan) = found else {
        let names: Vec<_> = plan.vlans.values().map(|vlan| vlan.name.as_str()).collect();
        bail!("the plan has no VLAN `{name}`; its VLANs are {}", names.join(", "));
    };
    Ok((vlan.subnet, vlan.ipv6.as_ref().map(|ipv6| ipv6.prefix)))
}

/// The devices of a room, or one; `None` when neither is asked for.
fn gear<'p>(plan: &'p Plan, room: Option<&str>, device: Option<&str>) -> Result<Option<Vec<&'p Device>>> {
    if let Some(room) = room.filter(|room| !plan.rooms.iter().any(|known| known.id.as_str() == *room)) {
        let names: Vec<_> = plan.rooms.iter().map(|room| room.id.as_str()).collect();
        bail!("the plan has no room `{room}`; its rooms are {}", names.join(", "));
    }
    if let Some(device) = device.filter(|device| !plan.devices.values().any(|known| known.id.as_str() == *device)) {
        bail!("the plan has no device `{device}`; `hotstage show` lists them");
    }
    if room.is_none() && device.is_none() {
        return Ok(None);
    }
    let is_in_room = |known: &Device| room.is_none_or(|room| known.room.as_ref().is_some_and(|id| id.as_str() == room));
    let is_named = |known: &Device| device.is_none_or(|device| known.id.as_str() == device);
    Ok(Some(plan.devices.values().filter(|known| is_in_room(known) && is_named(known)).collect()))
}

/// How gear names itself in option 82 (RFC 3046 leaves it open): its name, its MAC as text or as octets.
fn marks(plan: &Plan, device: &Device) -> Vec<Vec<u8>> {
    let mut marks = vec![device.id.as_str().to_ascii_lowercase().into_bytes(), squeezed(device.id.as_str().as_bytes())];
    let assets = plan.inventory.iter().flatten().filter(|asset| asset.device.as_ref() == Some(&device.id));
    for mac in assets.filter_map(|asset| asset.mac) {
        marks.push(squeezed(mac.to_string().as_bytes()));
        marks.push(mac.0.to_vec());
    }
    marks
}

/// Lower case, without the separators that vendors put into names and MACs.
fn squeezed(octets: &[u8]) -> Vec<u8> {
    octets.iter().filter(|octet| !b":-._ /".contains(octet)).map(u8::to_ascii_lowercase).collect()
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    part.is_empty() || octets.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gear_is_found_whatever_the_notation() {
        let table: [(&[u8], &[u8], bool); 6] = [
            (b"AP-2F-1:guest", b"ap2f1", true),
            (b"ap_2f_1", b"ap2f1", true),
            (b"02-00-5e-10-20-30:ssid", b"02005e102030", true),
            (b"0200.5e10.2030", b"02005e102030", true),
            (b"ap-2f-2", b"ap2f1", false),
            (b"", b"ap2f1", false),
        ];
        for (id, mark, is_found) in table {
            assert_eq!(contains(&squeezed(id), mark), is_found, "{:?}", String::from_utf8_lossy(id));
        }
        assert!(contains(&[1, 2, 0, 0x5e, 9], &[0, 0x5e]));
    }

    #[test]
    fn states_are_named() {
        assert_eq!(wanted("released").unwrap(), Wanted::In(LeaseState::Released));
        assert!(wanted("gone").unwrap_err().to_string().contains("declined"));
    }
}
