//! Taking a changed plan into the services that run: what would change, and changing it.
//!
//! DHCP takes everything but its sockets; what only a restart can change is said.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use dhcp::ReloadPreview;
use dns::ZoneFile;
use generate::{DnsServing, ServiceSettings, needs_restart};
use model::SubnetId;
use tokio::sync::mpsc;

use crate::{
    control::{Answer, ask, stopped},
    dhcp_service::DhcpCommand,
    dns::{EngineHandle, ask_engine, load_team_files},
    ipv6::Ipv6Reload,
    page_reload::{PlannedPage, WantedPage},
};

/// Reads the plan again; the error says, in lines for a person, why it cannot be used.
pub type ReloadSource = Box<dyn Fn() -> Result<ServiceSettings, Vec<String>> + Send + Sync>;

/// Who is told what a reload changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AskedBy {
    /// An operator, by the control socket.
    Operator,
    /// A signal: it is logged, and no log names a client's address.
    Signal,
}

/// What this run changes in every plan's DHCP settings.
#[derive(Clone, Debug)]
pub(crate) struct Adjustment {
    /// Interfaces of this machine that serve subnets directly; they are bound at start.
    pub(crate) interfaces: BTreeMap<SubnetId, Vec<u32>>,
    /// How much faster than the wall clock the event's clock is.
    pub(crate) speed: f64,
    /// True when nobody sets the clock.
    pub(crate) is_clock_steady: bool,
    /// False when this process may send no probes: an offer would wait for nothing.
    pub(crate) can_probe: bool,
}

impl Adjustment {
    pub(crate) fn apply(&self, settings: &mut dhcp::Settings) {
        settings.offer_hold = settings.offer_hold.mul_f64(self.speed);
        if self.is_clock_steady {
            settings.clock_step_min = Duration::MAX;
        }
        settings.probe.wait = if self.can_probe { settings.probe.wait.mul_f64(self.speed) } else { Duration::ZERO };
        for subnet in &mut settings.subnets {
            subnet.direct_interfaces = self.interfaces.get(&subnet.id).cloned().unwrap_or_default();
        }
    }
}

/// Keeps what the services were last told.
pub(crate) struct Reloader {
    source: ReloadSource,
    current: Mutex<ServiceSettings>,
    adjustment: Adjustment,
    ipv6: Ipv6Reload,
    page: WantedPage,
}

impl Reloader {
    pub(crate) fn new(
        source: ReloadSource,
        current: ServiceSettings,
        adjustment: Adjustment,
        ipv6: Ipv6Reload,
        page: WantedPage,
    ) -> Self {
        Self { source, current: Mutex::new(current), adjustment, ipv6, page }
    }

    /// Reads the plan and says what changes; changes it when `apply`.
    pub(crate) async fn reload(
        &self,
        commands: &mpsc::Sender<DhcpCommand>,
        dns: &EngineHandle,
        asked_by: AskedBy,
        apply: bool,
    ) -> Answer {
        let mut wanted = match (self.source)() {
            Ok(wanted) => wanted,
            Err(mut says) => {
                says.push("nothing was changed".to_owned());
                return Answer::Refused { says };
            }
        };
        if let Err(error) = load_team_files(&wanted.dns_serving, &mut wanted.dns) {
            return Answer::Refused { says: vec![error.to_string(), "nothing was changed".to_owned()] };
        }
        let mut settings = wanted.dhcp.clone();
        self.adjustment.apply(&mut settings);
        let for_preview = settings.clone();
        let Some(preview) = ask(commands, move |engine, _| engine.preview(&for_preview)).await else {
            return stopped();
        };
        if let Some(why) = preview.refused {
            return Answer::Refused { says: vec![why, "nothing was changed".to_owned()] };
        }
        let mut says = self.needs_restart(&wanted);
        says.extend(words(&preview, asked_by));
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if current.snapshot != wanted.snapshot || current.talks != wanted.talks {
            says.push("the live page: rooms, access points, pools, talks or names change".to_owned());
        }
        says.extend(changed_names(&current.dns, &wanted.dns));
        says.extend(changed_files(&current.dns, &wanted.dns));
        match self.ipv6.preview(&current, &wanted).await {
            Ok(lines) => says.extend(lines),
            Err(why) => return Answer::Refused { says: vec![why, "nothing was changed".to_owned()] },
        }
        if says.is_empty() {
            return Answer::Done { says: vec!["the plan changes nothing".to_owned()] };
        }
        if !apply {
            says.push("nothing was changed yet; `--apply` does it".to_owned());
            return Answer::Done { says };
        }
        match ask(commands, move |engine, now| engine.reconfigure(settings, now)).await {
            Some(Ok(())) => {
                if let Err(why) = self.ipv6.apply(&wanted).await {
                    says.push(format!("IPv6 was not changed: {why}"));
                    return Answer::Refused { says };
                }
                let zones = wanted.dns.clone();
                if let Some(Err(why)) = ask_engine(dns, move |engine, _| engine.set_zones(&zones)).await {
                    says.push(format!("DNS was not changed: {why}"));
                    return Answer::Refused { says };
                }
                let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                current.dns = with_names_of(&current.dns, &wanted.dns);
                current.dhcp = wanted.dhcp;
                current.dhcp6 = wanted.dhcp6;
                current.links6 = wanted.links6;
                self.page.ask(PlannedPage { skeleton: wanted.snapshot.clone(), talks: wanted.talks.clone() });
                current.snapshot = wanted.snapshot;
                current.talks = wanted.talks;
                says.push("applied".to_owned());
                Answer::Done { says }
            }
            Some(Err(error)) => Answer::Refused { says: vec![error.to_string(), "nothing was changed".to_owned()] },
            None => stopped(),
        }
    }

    /// What the plan says otherwise and cannot be taken while running.
    fn needs_restart(&self, wanted: &ServiceSettings) -> Vec<String> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let named = needs_restart(&current, wanted).into_iter().map(|found| {
            format!("needs a restart: {} was {} and becomes {}: {}", found.path, found.was, found.becomes, found.why)
        });
        let others = [
            (
                "DNS upstreams, cache, certificate or the domain of clients",
                with_names_of(&current.dns, &wanted.dns) != wanted.dns
                    || current.dns_serving != with_files_of(&wanted.dns_serving, &current.dns_serving),
            ),
            ("devices that log lines are told apart by", current.syslog != wanted.syslog),
            ("what is watched, rules of alerts and who is told", current.watch != wanted.watch),
            ("whose flows are counted, and by what networks", current.flows != wanted.flows),
        ];
        let others = others.iter().filter(|(_, is_changed)| *is_changed);
        named.chain(others.map(|(what, _)| format!("needs a restart: {what}"))).collect()
    }
}

/// The settings as they are, with the names of the plan as it is wanted: these can change while running.
fn with_names_of(current: &dns::Settings, wanted: &dns::Settings) -> dns::Settings {
    dns::Settings {
        zones: wanted.zones.clone(),
        zone_files: wanted.zone_files.clone(),
        blocked: wanted.blocked.clone(),
        ..current.clone()
    }
}

/// What is wanted of serving, with the files that are read now: they are taken with the names.
fn with_files_of(wanted: &DnsServing, current: &DnsServing) -> DnsServing {
    DnsServing {
        zones: current.zones.clone(),
        block: current.block.clone(),
        unblock: current.unblock.clone(),
        ..wanted.clone()
    }
}

/// What changes in the team's files.
fn changed_files(current: &dns::Settings, wanted: &dns::Settings) -> Vec<String> {
    let mut says = Vec::new();
    if current.zone_files != wanted.zone_files {
        let count = |settings: &dns::Settings| settings.zone_files.iter().map(ZoneFile::len).sum::<usize>();
        says.push(format!("DNS: zone files: {} records become {}", count(current), count(wanted)));
    }
    if current.blocked != wanted.blocked {
        says.push(format!("DNS: names blocked: {} become {}", current.blocked.len(), wanted.blocked.len()));
    }
    says
}

/// Names of our own that appear, go or change, as a line for a person.
fn changed_names(current: &dns::Settings, wanted: &dns::Settings) -> Option<String> {
    let records = |settings: &dns::Settings| -> BTreeMap<String, Vec<String>> {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for record in settings.zones.iter().flat_map(|zone| &zone.records) {
            names.entry(record.name.clone()).or_default().push(format!("{:?}", record.data));
        }
        names
    };
    let (old, new) = (records(current), records(wanted));
    let appear: Vec<&str> = new.keys().filter(|name| !old.contains_key(*name)).map(String::as_str).collect();
    let go: Vec<&str> = old.keys().filter(|name| !new.contains_key(*name)).map(String::as_str).collect();
    let change: Vec<&str> = new
        .iter()
        .filter(|(name, data)| old.get(*name).is_some_and(|old| old != *data))
        .map(|(n, _)| n.as_str())
        .collect();
    let parts: Vec<String> = [("new", appear), ("gone", go), ("changed", change)]
        .into_iter()
        .filter_map(|(word, names)| Some(format!("{} {word} (`{}`)", names.len(), names.first()?)))
        .collect();
    if parts.is_empty() {
        let is_other = current.zones != wanted.zones;
        return is_other.then(|| "DNS: zones change".to_owned());
    }
    Some(format!("DNS: names of our own: {}", parts.join(", ")))
}

/// The preview in lines for a person.
fn words(preview: &ReloadPreview, asked_by: AskedBy) -> Vec<String> {
    let mut lines: Vec<String> = preview.to_string().lines().map(ToOwned::to_owned).collect();
    match asked_by {
        AskedBy::Operator => lines.extend(preview.list_refused()),
        AskedBy::Signal => {}
    }
    lines
}

#[cfg(test)]
mod tests {
    use dns::{Record, RecordData, Zone};

    use super::*;

    fn settings(records: &[(&str, [u8; 4])]) -> dns::Settings {
        let record = |(name, address): &(&str, [u8; 4])| Record {
            name: (*name).to_owned(),
            data: RecordData::A((*address).into()),
        };
        dns::Settings {
            zones: vec![Zone {
                origin: "e.example".to_owned(),
                primary: "ns.e.example".to_owned(),
                records: records.iter().map(record).collect(),
                ttl: 60,
            }],
            client_names_ttl: 60,
            patience_factor: 1,
            ..dns::Settings::default()
        }
    }

    #[test]
    fn clients_addresses_are_told_to_an_operator_and_not_logged() {
        let leases_refused = (1..=9).map(|last| [192, 0, 2, last].into()).collect();
        let preview =
            ReloadPreview { changed: vec![("hall".to_owned(), Vec::new())], leases_refused, ..Default::default() };
        let logged = words(&preview, AskedBy::Signal).join("\n");
        assert!(logged.contains("9 leases are now reserved for others") && !logged.contains("192.0.2."), "{logged}");
        let told = words(&preview, AskedBy::Operator).join("\n");
        assert!(told.contains("192.0.2.8 and 1 more"), "{told}");
    }

    #[test]
    fn names_that_change_are_counted_with_an_example() {
        let old = settings(&[("a.e.example", [192, 0, 2, 1]), ("b.e.example", [192, 0, 2, 2])]);
        assert_eq!(changed_names(&old, &old), None);
        let new = settings(&[("b.e.example", [192, 0, 2, 9]), ("c.e.example", [192, 0, 2, 3])]);
        let says = changed_names(&old, &new).unwrap();
        assert_eq!(
            says,
            "DNS: names of our own: 1 new (`c.e.example`), 1 gone (`a.e.example`), 1 changed (`b.e.example`)"
        );
        let mut longer = old.clone();
        longer.zones[0].ttl = 90;
        assert_eq!(changed_names(&old, &longer).as_deref(), Some("DNS: zones change"));
    }
}
