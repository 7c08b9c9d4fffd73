//! The life of every alert, from the conditions seen at each look.
//!
//! ```text
//!                 seen for `hold`, not hidden            not seen for `calm`
//!  (none) -> Held ---------------------------> Firing ---------------------------> Resolved, forgotten
//!     ^        |                                 |  ^
//!     +--------+ not seen any more               +--+ seen again; told again when nobody takes it
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use model::{Severity, Timestamp};

use crate::{
    alert::{Alert, AlertId, AlertState, Condition},
    saved::{RESTORED_CALM, SavedAlert, SavedAlerts},
    silence::{Silence, SilenceError, Silences},
};

/// Alerts at one time; conditions beyond are counted and not kept.
const ALERTS_MAX: usize = 4_096;
/// Alerts of which the last beginnings are remembered.
const HISTORIES_MAX: usize = 4_096;

/// How alerts are kept from being noise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damping {
    /// So many beginnings within `flap_window` make an alert flap.
    pub flaps_max: usize,
    /// See `flaps_max`.
    pub flap_window: Duration,
    /// A flapping alert is over only after so long without being seen.
    pub flap_calm: Duration,
    /// What was explained by another's failure is told only so long after that is over: gear behind it must boot.
    pub hidden_grace: Duration,
    /// An error that nobody takes is told again after so long.
    pub escalate_after: Duration,
    /// How often it is told again at most.
    pub escalations_max: u32,
}

impl Default for Damping {
    fn default() -> Self {
        Self {
            flaps_max: 4,
            flap_window: Duration::from_secs(600),
            flap_calm: Duration::from_secs(300),
            hidden_grace: Duration::from_secs(180),
            escalate_after: Duration::from_secs(600),
            escalations_max: 3,
        }
    }
}

/// What has changed, in the order in which it should be written and told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AlertChange {
    /// It has begun; for the incident log, told or not.
    Began(Alert),
    /// It is over; for the incident log.
    Ended(Alert),
    /// Somebody has taken it; for the incident log.
    Taken(Alert),
    /// Nobody has taken it, and it is told again; for the incident log.
    Escalated(Alert),
    /// Somebody has silenced some alerts; for the incident log.
    Silenced(Silence),
    /// People are to be told of it: that it is so, again that it is so, or that it is over.
    Tell(Alert),
}

/// What was not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AlertBookCounters {
    /// Conditions beyond the bound.
    pub refused: u64,
    /// Alerts of which nobody was told because of a silence.
    pub silenced: u64,
}

type Key = (String, String);

struct Open {
    alert: Alert,
    first_seen: Timestamp,
    unseen_since: Option<Timestamp>,
    calm: Duration,
    /// Another's failure explained it at some look.
    was_hidden: bool,
    /// When people were last told.
    told: Option<Timestamp>,
}

/// Every open alert. See the module for its states.
pub struct AlertBook {
    damping: Damping,
    open: BTreeMap<Key, Open>,
    /// Beginnings within the flap window.
    beginnings: BTreeMap<Key, VecDeque<Timestamp>>,
    silences: Silences,
    /// What people did since the last look.
    handled: Vec<AlertChange>,
    next_id: u32,
    counters: AlertBookCounters,
}

impl AlertBook {
    /// Empty.
    pub fn new(damping: Damping) -> Self {
        Self {
            damping,
            open: BTreeMap::new(),
            beginnings: BTreeMap::new(),
            silences: Silences::default(),
            handled: Vec::new(),
            next_id: 1,
            counters: AlertBookCounters::default(),
        }
    }

    /// Takes all that is wrong at `now`; what was wrong before and is not among it has gone.
    pub fn observe(&mut self, now: Timestamp, conditions: Vec<Condition>) -> Vec<AlertChange> {
        self.silences.expire(now);
        let mut seen = BTreeSet::new();
        let mut changes = std::mem::take(&mut self.handled);
        for condition in conditions {
            let key = (condition.rule.clone(), condition.place.clone());
            if !self.open.contains_key(&key) && self.open.len() >= ALERTS_MAX {
                self.counters.refused += 1;
                continue;
            }
            self.see(now, &key, condition, &mut changes);
            seen.insert(key);
        }
        let unseen: Vec<Key> = self.open.keys().filter(|key| !seen.contains(*key)).cloned().collect();
        unseen.iter().for_each(|key| self.miss(now, key, &mut changes));
        self.tell(now, &mut changes);
        self.forget_beginnings(now);
        changes
    }

    /// True when the alert is open and firing; for limits that are lower once they are passed.
    pub fn is_firing(&self, rule: &str, place: &str) -> bool {
        let key = (rule.to_owned(), place.to_owned());
        self.open.get(&key).is_some_and(|open| open.alert.state == AlertState::Firing)
    }

    /// Open alerts, by rule and place; those held back as well.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.open.values().map(|open| &open.alert)
    }

    /// Somebody takes an alert: it is not told again but for its end. `None` = there is no such alert.
    pub fn acknowledge(&mut self, id: AlertId, by: &str) -> Option<&Alert> {
        let open = self.open.values_mut().find(|open| open.alert.id == id)?;
        // Taken twice by the same person is taken once; the log need not hold more than the alerts that are open.
        if open.alert.acknowledged_by.as_deref() != Some(by) {
            open.alert.acknowledged_by = Some(by.to_owned());
            if self.handled.len() < ALERTS_MAX {
                self.handled.push(AlertChange::Taken(open.alert.clone()));
            }
        }
        Some(&open.alert)
    }

    /// Nobody is told of what `silence` covers until it ends. Errors: [`SilenceError`].
    pub fn silence(&mut self, now: Timestamp, silence: Silence) -> Result<(), SilenceError> {
        self.silences.add(now, silence.clone())?;
        // As many as there are silences.
        self.handled.push(AlertChange::Silenced(silence));
        Ok(())
    }

    /// What outlives a restart.
    pub fn saved(&self) -> SavedAlerts {
        let firing = self.open.values().filter(|open| open.alert.state == AlertState::Firing);
        SavedAlerts {
            next_id: self.next_id,
            alerts: firing.map(|open| SavedAlert { alert: open.alert.clone(), told: open.told }).collect(),
            silences: self.silences.in_force().to_vec(),
        }
    }

    /// Goes on where an earlier run ended: what fired, fires, and whoever took it has it. What is not seen again within
    /// a minute is over. Only for a book that is empty.
    pub fn restore(&mut self, now: Timestamp, saved: SavedAlerts) {
        self.next_id = saved.next_id.max(1);
        for silence in saved.silences {
            // One that has ended meanwhile is no loss, and there were never more than fit.
            let _ = self.silences.add(now, silence);
        }
        for SavedAlert { alert, told } in saved.alerts.into_iter().take(ALERTS_MAX) {
            let (key, first_seen) = ((alert.rule.clone(), alert.place.clone()), now.min(alert.since));
            let (calm, was_hidden) = (RESTORED_CALM, false);
            self.open.insert(key, Open { alert, first_seen, unseen_since: None, calm, was_hidden, told });
        }
    }

    /// What was not kept.
    pub fn counters(&self) -> AlertBookCounters {
        self.counters
    }

    fn see(&mut self, now: Timestamp, key: &Key, condition: Condition, changes: &mut Vec<AlertChange>) {
        if !self.open.contains_key(key) {
            let alert = new_alert(AlertId(self.next_id), now, &condition);
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            let calm = condition.calm;
            let open = Open { alert, first_seen: now, unseen_since: None, calm, was_hidden: false, told: None };
            self.open.insert(key.clone(), open);
        }
        let Some(open) = self.open.get_mut(key) else { return };
        open.unseen_since = None;
        if !open.alert.is_flapping {
            open.calm = condition.calm;
        }
        if open.alert.state == AlertState::Held && condition.hidden_by.is_some() {
            (open.was_hidden, open.first_seen) = (true, now);
        }
        let hold = if open.was_hidden { condition.hold.max(self.damping.hidden_grace) } else { condition.hold };
        // A clock that was set back must not hold an alert for ever.
        open.first_seen = open.first_seen.min(now);
        open.alert.says = condition.says;
        open.alert.cause = condition.cause;
        open.alert.severity = condition.severity;
        open.alert.hidden_by = condition.hidden_by;
        let is_due = now.since(open.first_seen) >= hold && open.alert.hidden_by.is_none();
        if open.alert.state != AlertState::Held || !is_due {
            return;
        }
        open.alert.state = AlertState::Firing;
        let beginnings = self.beginnings.entry(key.clone()).or_default();
        if beginnings.len() >= self.damping.flaps_max {
            beginnings.pop_front();
        }
        beginnings.push_back(now);
        let recent = beginnings.iter().filter(|at| now.since(**at) < self.damping.flap_window).count();
        if recent >= self.damping.flaps_max {
            open.alert.is_flapping = true;
            open.calm = open.calm.max(self.damping.flap_calm);
        }
        changes.push(AlertChange::Began(open.alert.clone()));
    }

    fn miss(&mut self, now: Timestamp, key: &Key, changes: &mut Vec<AlertChange>) {
        let Some(open) = self.open.get_mut(key) else { return };
        // As above: a clock that was set back.
        let unseen_since = open.unseen_since.map_or(now, |at| at.min(now));
        open.unseen_since = Some(unseen_since);
        if open.alert.state == AlertState::Firing {
            if now.since(unseen_since) < open.calm {
                return;
            }
            open.alert.state = AlertState::Resolved;
            open.alert.ended = Some(unseen_since);
            changes.push(AlertChange::Ended(open.alert.clone()));
            // Whoever was told that it is so is told that it is over.
            if open.told.is_some() {
                changes.push(AlertChange::Tell(open.alert.clone()));
            }
        }
        self.open.remove(key);
    }

    /// Tells of alerts that were not told yet, and again of errors that nobody has taken.
    fn tell(&mut self, now: Timestamp, changes: &mut Vec<AlertChange>) {
        for open in self.open.values_mut().filter(|open| open.alert.state == AlertState::Firing) {
            let was_silenced = open.alert.silenced_until.is_some();
            open.alert.silenced_until = self.silences.until(&open.alert);
            if open.alert.silenced_until.is_some() {
                self.counters.silenced += u64::from(!was_silenced);
                continue;
            }
            if open.alert.acknowledged_by.is_some() || open.unseen_since.is_some() {
                continue;
            }
            match open.told {
                None => {}
                Some(told) => {
                    let told = told.min(now);
                    open.told = Some(told);
                    let is_due = now.since(told) >= self.damping.escalate_after;
                    let is_error = open.alert.severity == Severity::Error;
                    if !is_error || !is_due || open.alert.escalations >= self.damping.escalations_max {
                        continue;
                    }
                    open.alert.escalations += 1;
                    changes.push(AlertChange::Escalated(open.alert.clone()));
                }
            }
            open.told = Some(now);
            changes.push(AlertChange::Tell(open.alert.clone()));
        }
    }

    fn forget_beginnings(&mut self, now: Timestamp) {
        let window = self.damping.flap_window;
        self.beginnings.retain(|_, at| at.back().is_some_and(|last| now.since(*last) < window));
        while self.beginnings.len() > HISTORIES_MAX {
            self.beginnings.pop_first();
        }
    }
}

fn new_alert(id: AlertId, now: Timestamp, condition: &Condition) -> Alert {
    let remedy = condition.remedy_for_operators.as_ref().unwrap_or(&condition.remedy);
    Alert {
        id,
        rule: condition.rule.clone(),
        place: condition.place.clone(),
        severity: condition.severity,
        subject: condition.subject.clone(),
        says: condition.says.clone(),
        cause: condition.cause.clone(),
        remedy: remedy.clone(),
        remedy_public: condition.remedy.clone(),
        state: AlertState::Held,
        since: condition.since.unwrap_or(now),
        ended: None,
        acknowledged_by: None,
        silenced_until: None,
        is_flapping: false,
        hidden_by: condition.hidden_by.clone(),
        escalations: 0,
    }
}

#[cfg(test)]
#[path = "alert_book/tests.rs"]
mod tests;
