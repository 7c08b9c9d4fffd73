//! Taking a changed plan into the IPv6 services: what would change, and changing it.

use dhcp6::{SubnetSettings, ra::RaEngine};
use generate::ServiceSettings;
use model::Timestamp;

use crate::{control::ask, ipv6::Ipv6Reload};

impl Ipv6Reload {
    /// What `wanted` changes, in lines for a person; the error says why it cannot be served.
    pub(crate) async fn preview(
        &self,
        current: &ServiceSettings,
        wanted: &ServiceSettings,
    ) -> Result<Vec<String>, String> {
        let mut says = Vec::new();
        if let Some(dhcp) = self.dhcp.as_ref().filter(|_| current.dhcp6 != wanted.dhcp6) {
            dhcp6::Engine::new(self.adjustment.dhcp(wanted), 0).map_err(|error| error.to_string())?;
            says.extend(subnets(&current.dhcp6.subnets, &wanted.dhcp6.subnets));
            if says.is_empty() {
                says.push("IPv6: settings of the whole DHCPv6 server change".to_owned());
            }
            let prefixes: Vec<_> = wanted.dhcp6.subnets.iter().map(|subnet| subnet.prefix).collect();
            let is_lost = move |address| !prefixes.iter().any(|prefix| prefix.contains(&address));
            let lost =
                ask(dhcp, move |engine, _| engine.leases_in_force().filter(|lease| is_lost(lease.address)).count());
            if let Some(lost) = lost.await.filter(|lost| *lost > 0) {
                says.push(format!("IPv6: {lost} leases are of no subnet any more and are forgotten"));
            }
        }
        if self.ra.is_some() {
            let (before, after) = (self.adjustment.ra(current), self.adjustment.ra(wanted));
            if before != after {
                RaEngine::new(after.0, 0, Timestamp::EPOCH).map_err(|error| error.to_string())?;
                says.push("IPv6: router advertisements change".to_owned());
            }
        }
        Ok(says)
    }

    /// Serves `wanted` from now on; the error says what was not taken.
    pub(crate) async fn apply(&self, wanted: &ServiceSettings) -> Result<(), String> {
        if let Some(dhcp) = &self.dhcp {
            let settings = self.adjustment.dhcp(wanted);
            let done = ask(dhcp, move |engine, now| engine.reconfigure(settings, now)).await;
            done.unwrap_or(Ok(())).map_err(|error| error.to_string())?;
        }
        if let Some(ra) = &self.ra {
            let (settings, facts) = self.adjustment.ra(wanted);
            let done = ask(ra, move |work, now| {
                work.facts = facts;
                work.engine.reconfigure(settings, now)
            });
            done.await.unwrap_or(Ok(())).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// One line for each subnet that is new, gone or other than before.
fn subnets(before: &[SubnetSettings], after: &[SubnetSettings]) -> Vec<String> {
    let of = |all: &[SubnetSettings], id| all.iter().find(|subnet| subnet.id == id).cloned();
    let gone = before.iter().filter(|subnet| of(after, subnet.id).is_none());
    let mut says: Vec<_> = gone.map(|subnet| format!("IPv6: {} is not served any more", subnet.name)).collect();
    for subnet in after {
        match of(before, subnet.id) {
            None => says.push(format!("IPv6: {} is new: {}", subnet.name, subnet.prefix)),
            Some(old) if old == *subnet => {}
            Some(old) => says.push(format!("IPv6: {} changes: {}", subnet.name, differences(&old, subnet).join(", "))),
        }
    }
    says
}

fn differences(old: &SubnetSettings, new: &SubnetSettings) -> Vec<&'static str> {
    let all = [
        ("prefix", old.prefix != new.prefix),
        ("mode", old.mode != new.mode),
        ("pool", old.pools != new.pools),
        ("addresses left out", old.excluded != new.excluded),
        ("reservations", old.reservations != new.reservations),
        ("lease time", (old.preferred, old.valid) != (new.preferred, new.valid)),
        (
            "options",
            (&old.name_servers, &old.domain, &old.ntp_servers, &old.captive_portal, old.information_refresh)
                != (&new.name_servers, &new.domain, &new.ntp_servers, &new.captive_portal, new.information_refresh),
        ),
        ("name", old.name != new.name),
    ];
    all.into_iter().filter(|(_, is_changed)| *is_changed).map(|(what, _)| what).collect()
}

#[cfg(test)]
mod tests {
    use model::SubnetId;

    use super::*;

    #[test]
    fn changes_are_said_subnet_by_subnet() {
        let subnet = |id, name: &str| {
            let prefix = format!("2001:db8:{id}::/64").parse().unwrap();
            SubnetSettings::new(SubnetId(id), name, prefix)
        };
        let (staff, guest, lab) = (subnet(1, "staff"), subnet(2, "guest"), subnet(3, "lab"));
        let pools = vec![("2001:db8:1::1".parse().unwrap(), "2001:db8:1::9".parse().unwrap())];
        let wider = SubnetSettings { pools, domain: Some("event.example".to_owned()), ..staff.clone() };
        assert_eq!(subnets(&[staff.clone(), guest.clone()], &[staff.clone(), guest.clone()]), Vec::<String>::new());
        let expected = [
            "IPv6: guest is not served any more",
            "IPv6: staff changes: pool, options",
            "IPv6: lab is new: 2001:db8:3::/64",
        ];
        assert_eq!(subnets(&[staff, guest], &[wider, lab]), expected);
    }
}
