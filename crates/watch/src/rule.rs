//! Rules over figures: those that ship with us and those of the plan are evaluated by the same code.

use std::time::Duration;

use model::Severity;

use crate::alert::{Condition, Subject};

/// A figure at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct Reading {
    /// Its name, e.g. `dns_failure_percent`.
    pub metric: &'static str,
    /// What it is of, e.g. a pool; empty for the whole event.
    pub name: String,
    /// Where to go.
    pub subject: Subject,
    /// How much.
    pub value: f64,
}

/// Which side of a threshold is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// More than it.
    Above,
    /// Less than it.
    Below,
}

/// A figure that is wrong beyond a threshold for some time.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// Its code, e.g. `dns-failures`.
    pub code: String,
    /// The figure.
    pub metric: String,
    /// Of what; `None` = each.
    pub name: Option<String>,
    /// Which side is wrong.
    pub comparison: Comparison,
    /// The threshold.
    pub threshold: f64,
    /// It begins after so long beyond the threshold, and is over after so long within.
    pub hold: Duration,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, without the figure.
    pub says: String,
    /// Likely cause; empty = not known.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

/// Share of the threshold by which a figure must come back before the alert is over.
const BACK_SHARE: f64 = 0.1;

impl Rule {
    /// What the rule finds wrong among `readings`. `is_firing` tells whether it is an alert already, by its place: then
    /// the figure must come back a tenth further than the threshold.
    pub fn conditions(&self, readings: &[Reading], is_firing: impl Fn(&str) -> bool) -> Vec<Condition> {
        let ours = readings.iter().filter(|reading| reading.metric == self.metric);
        let ours = ours.filter(|reading| self.name.as_ref().is_none_or(|name| *name == reading.name));
        ours.filter_map(|reading| {
            let place = place(reading);
            self.is_wrong(reading.value, is_firing(&place)).then(|| self.condition(place, reading))
        })
        .collect()
    }

    fn is_wrong(&self, value: f64, is_firing: bool) -> bool {
        let back = if is_firing { self.threshold.abs() * BACK_SHARE } else { 0.0 };
        match self.comparison {
            Comparison::Above => value > self.threshold - back,
            Comparison::Below => value < self.threshold + back,
        }
    }

    fn condition(&self, place: String, reading: &Reading) -> Condition {
        let side = match self.comparison {
            Comparison::Above => "above",
            Comparison::Below => "below",
        };
        let of = if reading.name.is_empty() { String::new() } else { format!(" of {}", reading.name) };
        let says =
            format!("{}: {}{of} is {}, {side} {}", self.says, self.metric, shown(reading.value), shown(self.threshold));
        Condition {
            rule: self.code.clone(),
            place,
            severity: self.severity,
            subject: reading.subject.clone(),
            says,
            cause: self.cause.clone(),
            remedy: self.remedy.clone(),
            remedy_for_operators: None,
            since: None,
            hold: self.hold,
            calm: self.hold,
            hidden_by: None,
        }
    }
}

fn place(reading: &Reading) -> String {
    if reading.name.is_empty() { reading.metric.to_owned() } else { format!("{} {}", reading.metric, reading.name) }
}

/// At most two places after the point, none that say nothing.
fn shown(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(comparison: Comparison, name: Option<&str>) -> Rule {
        Rule {
            code: "many".to_owned(),
            metric: "clients".to_owned(),
            name: name.map(ToOwned::to_owned),
            comparison,
            threshold: 50.0,
            hold: Duration::from_secs(60),
            severity: Severity::Warning,
            says: "too many".to_owned(),
            cause: String::new(),
            remedy: "open another room".to_owned(),
        }
    }

    fn check(rule: &Rule, readings: &[(&'static str, &str, f64)], firing: &[&str], expected: &[&str]) {
        let readings: Vec<Reading> = readings
            .iter()
            .map(|(metric, name, value)| Reading {
                metric,
                name: (*name).to_owned(),
                subject: Subject::default(),
                value: *value,
            })
            .collect();
        let found = rule.conditions(&readings, |place| firing.contains(&place));
        let says: Vec<&str> = found.iter().map(|condition| condition.says.as_str()).collect();
        assert_eq!(says, expected, "{readings:?}");
    }

    #[test]
    fn the_figure_its_name_and_its_side_count() {
        let above = rule(Comparison::Above, None);
        check(&above, &[("clients", "", 50.0), ("leases", "", 99.0)], &[], &[]);
        check(&above, &[("clients", "", 50.5)], &[], &["too many: clients is 50.5, above 50"]);
        check(&above, &[("clients", "hall", 99.0)], &[], &["too many: clients of hall is 99, above 50"]);
        let hall = rule(Comparison::Above, Some("hall"));
        check(&hall, &[("clients", "", 99.0), ("clients", "foyer", 99.0)], &[], &[]);
        let below = rule(Comparison::Below, None);
        check(&below, &[("clients", "", 7.1289)], &[], &["too many: clients is 7.13, below 50"]);
    }

    #[test]
    fn an_alert_ends_a_tenth_further_back_than_it_began() {
        let above = rule(Comparison::Above, None);
        check(&above, &[("clients", "", 46.0)], &["clients"], &["too many: clients is 46, above 50"]);
        check(&above, &[("clients", "", 45.0)], &["clients"], &[]);
        let below = rule(Comparison::Below, None);
        check(&below, &[("clients", "", 54.0)], &["clients"], &["too many: clients is 54, below 50"]);
        check(&below, &[("clients", "", 55.0)], &["clients"], &[]);
    }

    #[test]
    fn what_is_no_number_is_not_wrong() {
        check(&rule(Comparison::Above, None), &[("clients", "", f64::NAN)], &[], &[]);
    }
}
