//! What counts as an incident, when it begins and when it is over; kept in the store, shown on the page and told.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    sync::{Arc, PoisonError},
};

use model::{DeviceId, Incident, Severity, Snapshot, SnapshotAlert, Timestamp};
use store::{IncidentId, Incidents, IncidentsError};
use watch::{Alert, AlertChange, AlertState, Condition, Reachability, Roster, Rule, Silence, TargetReport};

use crate::{
    clock::instant,
    clock_watch::ClockWatch,
    publisher::Seen,
    watch::{
        AlertDesk, DeviceConditions, DriftLook, PlannedPorts, Readings, SharedSigns, agent_readings, of_agents,
        of_services, of_traps,
    },
};

/// Alerts on the page; the rest is counted.
const SHOWN_MAX: usize = 50;

/// The alerts that are open, and the book in which they are written as incidents.
pub(crate) struct IncidentBook {
    book: Option<Incidents>,
    desk: Arc<AlertDesk>,
    rules: Vec<Rule>,
    readings: Readings,
    devices: DeviceConditions,
    planned: PlannedPorts,
    roster: Roster,
    signs: SharedSigns,
    clock: ClockWatch,
    drift: DriftLook,
}

impl IncidentBook {
    pub(crate) fn new(
        book: Option<Incidents>,
        desk: Arc<AlertDesk>,
        rules: Vec<Rule>,
        devices: DeviceConditions,
        planned: PlannedPorts,
        roster: Roster,
        signs: SharedSigns,
        drift: DriftLook,
    ) -> Self {
        let (readings, clock) = (Readings::default(), ClockWatch::default());
        Self { book, desk, rules, readings, devices, planned, roster, signs, clock, drift }
    }

    /// One sentence for each incident that is open.
    pub(crate) fn open_sentences(&self) -> Vec<String> {
        let alerts = self.desk.book();
        let firing = alerts.alerts().filter(|alert| alert.state == AlertState::Firing);
        firing.map(|alert| alert.says.clone()).collect()
    }

    /// The worst and newest alerts that fire, for everybody to see, and how many fire in all.
    pub(crate) fn shown(&self) -> (Vec<SnapshotAlert>, u64) {
        let alerts = self.desk.book();
        let mut firing: Vec<&Alert> = alerts.alerts().filter(|alert| alert.state == AlertState::Firing).collect();
        // Taken ones are being looked after; the rest by how bad, then newest first.
        firing.sort_by_key(|alert| (alert.acknowledged_by.is_some(), alert.severity, Reverse(alert.since)));
        (firing.iter().take(SHOWN_MAX).map(|alert| shown(alert)).collect(), firing.len() as u64)
    }

    /// Opens and closes incidents by what is seen at `now`; answers of what people are to be told.
    pub(crate) fn observe(&mut self, now: Timestamp, snapshot: &Snapshot, seen: &Seen) -> Vec<Alert> {
        let mut readings = self.readings.take(now, snapshot, seen, &self.devices);
        readings.extend(agent_readings(&self.devices, &self.planned, &seen.agents));
        let desk = Arc::clone(&self.desk);
        let mut alerts = desk.book();
        let targets = &seen.watch.targets;
        let drifts = self.drift.conditions(now, &self.devices, &seen.agents, targets);
        let mut conditions = of_services(&alerts, &self.devices, snapshot, seen, &|mac| self.drift.locate(mac));
        conditions.extend(drifts);
        conditions.extend(of_traps(now, &self.devices, &seen.traps));
        conditions.extend(self.devices.conditions(targets));
        conditions.extend(self.of_lines(now, targets));
        if snapshot.speed <= 1.0 {
            conditions.extend(self.clock.look(now, instant()));
        }
        conditions.extend(of_agents(now, &self.devices, &self.planned, &seen.agents, targets));
        for rule in &self.rules {
            conditions.extend(rule.conditions(&readings, |place| alerts.is_firing(&rule.code, place)));
        }
        let changes = alerts.observe(now, conditions);
        // The book on disk is slower than whoever waits for the alerts may be.
        drop(alerts);
        let is_changed = self.see_devices(seen) || !changes.is_empty();
        let told = changes.into_iter().filter_map(|change| self.keep(now, change)).collect();
        if is_changed {
            // Said there; the alerts go on.
            let _ = self.desk.save();
        }
        told
    }

    /// What devices say of themselves in their logs.
    fn of_lines(&self, now: Timestamp, targets: &[TargetReport]) -> Vec<Condition> {
        let answers = |device: &DeviceId| {
            let report = targets.iter().find(|report| report.target.device == *device)?;
            match report.reachability {
                Reachability::Up(_) => Some(true),
                Reachability::Down(_) => Some(false),
                Reachability::Unseen => None,
            }
        };
        let mut signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        signs.conditions(now, &answers, &|device| self.devices.subject(device))
    }

    /// Remembers which devices have answered. True when one did for the first time.
    fn see_devices(&self, seen: &Seen) -> bool {
        let answered = seen.watch.targets.iter().filter(|report| report.reachability != Reachability::Unseen);
        let devices: BTreeSet<DeviceId> = answered.map(|report| report.target.device.clone()).collect();
        let mut beside = self.desk.beside();
        // Nothing is watched before the first look, and by a rehearsal never.
        if devices.is_empty() || beside.devices_seen == devices {
            return false;
        }
        beside.devices_seen = devices;
        true
    }

    /// Writes what is for the book, and hands on what is to be told.
    fn keep(&mut self, now: Timestamp, change: AlertChange) -> Option<Alert> {
        match change {
            AlertChange::Began(alert) => {
                tracing::warn!(code = alert.rule, place = %alert.place, "{}", alert.says);
                let id = self.write(|book| book.add(&incident(&alert)))?;
                self.desk.beside().written.insert(alert.id, id.0);
                None
            }
            AlertChange::Ended(alert) => {
                let id = self.desk.beside().written.remove(&alert.id)?;
                self.write(|book| book.close(IncidentId(id), now));
                None
            }
            AlertChange::Taken(alert) => {
                let by = alert.acknowledged_by.as_deref().unwrap_or_default();
                let taken = Incident {
                    opened: now,
                    code: "alert-taken".to_owned(),
                    severity: Severity::Info,
                    says: format!("{by} took alert #{}: {}", alert.id.0, alert.says),
                    ..incident(&alert)
                };
                self.note(now, &taken);
                None
            }
            AlertChange::Escalated(alert) => {
                let turn = self.roster.addressee(now, alert.escalations).to;
                let to = turn.map(|who| format!(", to {who}")).unwrap_or_default();
                let says = format!("alert #{} was told again{to}: nobody took it: {}", alert.id.0, alert.says);
                let code = "alert-told-again".to_owned();
                self.note(now, &Incident { opened: now, code, severity: Severity::Info, says, ..incident(&alert) });
                None
            }
            AlertChange::Silenced(silence) => {
                self.note(now, &silenced(now, &silence));
                None
            }
            AlertChange::Tell(alert) => Some(alert),
        }
    }

    /// Writes what people did: it begins and ends at once.
    fn note(&self, now: Timestamp, incident: &Incident) {
        let id = self.write(|book| book.add(incident));
        id.and_then(|id| self.write(|book| book.close(id, now)));
    }

    /// An incident that cannot be written is still shown, told and logged.
    fn write<T>(&self, action: impl FnOnce(&Incidents) -> Result<T, IncidentsError>) -> Option<T> {
        let book = self.book.as_ref()?;
        action(book).inspect_err(|error| tracing::error!(%error, "an incident could not be written")).ok()
    }
}

/// As everybody may see it: without hardware addresses.
fn shown(alert: &Alert) -> SnapshotAlert {
    let subject = &alert.subject;
    SnapshotAlert {
        id: alert.id.0,
        rule: alert.rule.clone(),
        severity: alert.severity,
        since: alert.since,
        says: alert.says.clone(),
        device: subject.device.clone(),
        room: subject.room.clone(),
        port: subject.port.clone(),
        cause: alert.cause.clone(),
        remedy: alert.remedy_public.clone(),
        taken_by: alert.acknowledged_by.clone(),
        silenced_until: alert.silenced_until,
        is_flapping: alert.is_flapping,
    }
}

fn silenced(now: Timestamp, silence: &Silence) -> Incident {
    let parts = [("rule", &silence.rule), ("device", &silence.device), ("room", &silence.room)];
    let of = parts.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}")));
    let place = of.collect::<Vec<_>>().join(", ");
    Incident {
        opened: now,
        closed: None,
        code: "alert-silenced".to_owned(),
        severity: Severity::Info,
        says: format!("{} silenced the alerts of {place} until {}", silence.by, silence.until),
        place,
        remedy: String::new(),
    }
}

fn incident(alert: &Alert) -> Incident {
    Incident {
        opened: alert.since,
        closed: None,
        code: alert.rule.clone(),
        severity: alert.severity,
        place: alert.place.clone(),
        says: alert.says.clone(),
        remedy: alert.remedy.clone(),
    }
}
