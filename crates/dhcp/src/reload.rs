//! Taking changed settings while clients hold leases.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr};

use model::{Lease, SubnetId, Timestamp};

use crate::{
    Engine, Settings, SettingsError, SubnetSettings,
    bindings::{Bindings, Hold, Slot},
    probe::Probes,
};

/// What new settings would change, for a person to look at first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ReloadPreview {
    /// Why the new settings cannot be taken at all.
    pub refused: Option<String>,
    /// Names of subnets that are new.
    pub added: Vec<String>,
    /// Subnets that are gone, with the leases in force that are dropped.
    pub removed: Vec<(String, u64)>,
    /// Subnets that change: name and what changes.
    pub changed: Vec<(String, Vec<String>)>,
    /// What changes for the whole server.
    pub server: Vec<String>,
    /// Leases in force inside the new pools or reserved for their client: nothing changes for them.
    pub leases_kept: u64,
    /// Leases in force whose address is in no new pool; they are renewed as long as their clients ask.
    pub leases_outside: u64,
    /// Leases in force on an address that is now reserved for another client; refused at the next renewal.
    pub leases_refused: Vec<Ipv4Addr>,
}

impl ReloadPreview {
    /// True when the new settings are the old ones.
    pub fn is_empty(&self) -> bool {
        self.refused.is_none()
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.server.is_empty()
    }
}

/// Addresses listed at most; the rest is counted.
const LISTED_MAX: usize = 8;

impl ReloadPreview {
    /// [`Self::leases_refused`] in a line for the operator who asks, and not for a log; `None` when there are none.
    pub fn list_refused(&self) -> Option<String> {
        let listed: Vec<_> = self.leases_refused.iter().take(LISTED_MAX).map(ToString::to_string).collect();
        let more = self.leases_refused.len().saturating_sub(LISTED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!listed.is_empty()).then(|| format!("DHCP: reserved for others: {}{more}", listed.join(", ")))
    }
}

/// Says no client's address: it is logged.
impl fmt::Display for ReloadPreview {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.refused {
            return writeln!(out, "DHCP: refused: {why}");
        }
        if self.is_empty() {
            return Ok(());
        }
        for what in &self.server {
            writeln!(out, "DHCP: {what}")?;
        }
        for name in &self.added {
            writeln!(out, "DHCP: subnet {name} is new")?;
        }
        for (name, leases) in &self.removed {
            writeln!(out, "DHCP: subnet {name} goes, and {leases} leases in force with it")?;
        }
        for (name, what) in &self.changed {
            writeln!(out, "DHCP: subnet {name}: {}", what.join("; "))?;
        }
        writeln!(out, "DHCP: {} leases stay as they are", self.leases_kept)?;
        if self.leases_outside > 0 {
            writeln!(
                out,
                "DHCP: {} leases are outside the new pools; they are renewed while their clients stay",
                self.leases_outside
            )?;
        }
        if !self.leases_refused.is_empty() {
            writeln!(
                out,
                "DHCP: {} leases are now reserved for others and refused at the next renewal",
                self.leases_refused.len()
            )?;
        }
        Ok(())
    }
}

impl Engine {
    /// What [`Self::reconfigure`] with these settings would change. Linear in the leases.
    pub fn preview(&self, settings: &Settings) -> ReloadPreview {
        let mut preview = ReloadPreview::default();
        let wanted = match Self::new(settings.clone(), self.seed) {
            Ok(wanted) => wanted,
            Err(error) => return ReloadPreview { refused: Some(error.to_string()), ..preview },
        };
        self.compare_subnets(settings, &mut preview);
        preview.server = self.server_changes(settings);
        for lease in self.leases_in_force() {
            let Some(index) = wanted.subnet_of(lease.address) else {
                let name = self.subnet_of(lease.address).map(|index| self.subnets[index].name.clone());
                if let Some(removed) = preview.removed.iter_mut().find(|removed| Some(&removed.0) == name.as_ref()) {
                    removed.1 += 1;
                }
                continue;
            };
            let subnet = &wanted.subnets[index];
            if subnet.is_reserved(lease.address) {
                let client_id = lease.client.0.split_first().filter(|(kind, _)| **kind == 0).map(|(_, id)| id);
                let reserved = subnet.reservation(client_id, lease.mac, &lease.circuit_id, &lease.remote_id);
                if reserved.is_none_or(|(address, _)| address != lease.address) {
                    preview.leases_refused.push(lease.address);
                    continue;
                }
            } else if !subnet.is_dynamic(lease.address) {
                preview.leases_outside += 1;
                continue;
            }
            preview.leases_kept += 1;
        }
        preview
    }

    /// Takes new settings. Every lease and offer whose address a subnet still holds is kept; nobody is refused who
    /// would be granted the address anew. Linear in the leases; on an error nothing changes.
    pub fn reconfigure(&mut self, settings: Settings, now: Timestamp) -> Result<(), SettingsError> {
        let now = self.advance(now);
        let mut wanted = Self::new(settings, self.seed)?;
        // Moved over, not copied: with a million leases there is no room for two tables.
        let old = std::mem::replace(&mut self.bindings, Bindings::new(0, 0, self.seed));
        let mut slots = old.into_slots();
        let leases: Vec<Lease> = slots.iter_mut().filter_map(|slot| take_lease(slot, now)).collect();
        slots.retain(|slot| matches!(slot.hold, Hold::Offered(_)));
        slots.shrink_to_fit();
        let orphans = leases.iter().filter(|lease| wanted.subnet_of(lease.address).is_none() && lease.is_active(now));
        let orphans = orphans.count() as u64;
        wanted.restore_all(leases, now);
        for slot in &slots {
            wanted.take_over_offer(slot);
        }
        wanted.foreign = std::mem::take(&mut self.foreign);
        wanted.own = std::mem::take(&mut self.own);
        wanted.kinds = std::mem::take(&mut self.kinds);
        wanted.counters = self.counters;
        wanted.counters.reloads += 1;
        wanted.counters.reload_orphans += orphans;
        wanted.effects = std::mem::take(&mut self.effects);
        wanted.probes = std::mem::replace(&mut self.probes, Probes::new(self.seed));
        wanted.last_call = Some(now);
        // Leases of other subnets were restored under their new number; a save after a clock step goes on from the start.
        wanted.saves_left_from = self.saves_left_from.map(|_| 0);
        *self = wanted;
        Ok(())
    }

    fn take_over_offer(&mut self, old: &Slot) {
        let Hold::Offered(offer) = &old.hold else { return };
        // One that is reserved now is granted to its client without an offer, and to nobody else with one.
        let wanted = self.subnet_of(old.address).filter(|&index| !self.subnets[index].is_reserved(old.address));
        let Some(index) = wanted else { return };
        let id = self.touch(old.address, index);
        if self.bindings.slot(id).is_available_to(&offer.client) {
            self.bindings.offer(id, &offer.client, (offer.since, offer.until), crate::circuits::Circuits::NOWHERE);
        }
    }

    fn compare_subnets(&self, settings: &Settings, preview: &mut ReloadPreview) {
        let old: BTreeMap<SubnetId, &SubnetSettings> = self.given.iter().map(|subnet| (subnet.id, subnet)).collect();
        let new: BTreeMap<SubnetId, &SubnetSettings> =
            settings.subnets.iter().map(|subnet| (subnet.id, subnet)).collect();
        for (id, subnet) in &new {
            match old.get(id) {
                None => preview.added.push(subnet.name.clone()),
                Some(old) if old != subnet => preview.changed.push((subnet.name.clone(), differences(old, subnet))),
                Some(_) => {}
            }
        }
        let gone = old.iter().filter(|(id, _)| !new.contains_key(*id));
        preview.removed.extend(gone.map(|(_, subnet)| (subnet.name.clone(), 0)));
    }

    fn server_changes(&self, settings: &Settings) -> Vec<String> {
        let old = &self.settings;
        let changed = [
            ("client classes change", old.classes != settings.classes),
            ("limits change", old.limits != settings.limits),
            ("who may ask by leasequery changes", old.leasequery_from != settings.leasequery_from),
            ("whether addresses are probed before they are offered changes", old.probe != settings.probe),
            ("what is said to clients that nobody knows changes", old.authoritative != settings.authoritative),
            ("the server identifier changes", old.server_identifier != settings.server_identifier),
            (
                "how long offers and quarantines last changes",
                (old.offer_hold, old.decline_quarantine) != (settings.offer_hold, settings.decline_quarantine),
            ),
        ];
        changed.iter().filter(|(_, is_changed)| *is_changed).map(|(what, _)| (*what).to_owned()).collect()
    }
}

/// The lease of a slot. One that is over stays so, also when a clock that was set back meanwhile has it end later.
fn take_lease(slot: &mut Slot, now: Timestamp) -> Option<Lease> {
    let lease = slot.lease.take()?;
    let expires = if slot.hold == Hold::Leased { lease.expires } else { lease.expires.min(now) };
    Some(Lease { expires, ..lease })
}

fn differences(old: &SubnetSettings, new: &SubnetSettings) -> Vec<String> {
    let size = |subnet: &SubnetSettings| -> u64 {
        subnet.pools.iter().map(|pool| u64::from(u32::from(pool.last).saturating_sub(u32::from(pool.first))) + 1).sum()
    };
    let mut found = Vec::new();
    if old.name != new.name {
        found.push(format!("was called {}", old.name));
    }
    if old.prefix != new.prefix {
        found.push(format!("prefix {} becomes {}", old.prefix, new.prefix));
    }
    if old.pools != new.pools {
        found.push(format!("pools of {} addresses become pools of {}", size(old), size(new)));
    }
    if old.lease != new.lease {
        found.push(format!("leases of {} s become leases of {} s", old.lease.as_secs(), new.lease.as_secs()));
    }
    if old.reservations != new.reservations {
        found.push(format!("{} reservations become {}", old.reservations.len(), new.reservations.len()));
    }
    let rest = |subnet: &SubnetSettings| {
        let mut rest = subnet.clone();
        (rest.name, rest.prefix) = (String::new(), new.prefix);
        (rest.pools, rest.reservations) = (Vec::new(), Vec::new());
        rest.lease = new.lease;
        rest
    };
    if rest(old) != rest(new) {
        found.push("options or other settings change".to_owned());
    }
    found
}
