use std::{collections::BTreeMap, time::Duration};

use model::{ALERT_METRICS, Place, Severity};

use super::Build;
use crate::{
    AlertRule, Outlet, OutletKind, Threshold,
    file::v1::{AlertTable, OutletTable},
    problem::did_you_mean,
};

/// Rules that a plan may have; each is evaluated every second.
const RULES_MAX: usize = 256;
/// Receivers that a plan may have; each has a thread and a queue.
const OUTLETS_MAX: usize = 16;
/// How long a figure must be wrong when the plan is silent.
const HOLD: Duration = Duration::from_secs(60);

impl Build {
    pub(super) fn alert_rules(&mut self, tables: &BTreeMap<String, AlertTable>) -> Vec<AlertRule> {
        if tables.len() > RULES_MAX {
            self.problems.add(&Place::file("network.toml"), format!("more than {RULES_MAX} alerts"), "write fewer");
        }
        tables.iter().take(RULES_MAX).filter_map(|(name, table)| self.alert_rule(name, table)).collect()
    }

    fn alert_rule(&mut self, name: &str, table: &AlertTable) -> Option<AlertRule> {
        let metric = &table.metric.value.0;
        let known = || ALERT_METRICS.iter().map(|(metric, _)| *metric);
        if !known().any(|known| known == metric) {
            let names: Vec<&str> = known().collect();
            let says = format!("there is no figure `{metric}`{}", did_you_mean(metric, names.iter().copied()));
            self.problems.add(&table.metric.at, says, format!("write one of: {}", names.join(", ")));
        }
        let threshold = match (&table.above, &table.below) {
            (Some(above), None) => Threshold::Above(above.value),
            (None, Some(below)) => Threshold::Below(below.value),
            (Some(_), Some(_)) | (None, None) => {
                let says = format!("alert `{name}` needs either `above` or `below`");
                self.problems.add(&table.here, says, "write one of them, e.g. `above = 500`");
                return None;
            }
        };
        Some(AlertRule {
            name: name.to_owned(),
            metric: metric.clone(),
            of: table.of.as_ref().map(|of| of.value.0.clone()),
            threshold,
            hold: table.hold.as_ref().map_or(HOLD, |hold| hold.value),
            severity: table.severity.as_ref().map_or(Severity::Warning, |severity| severity.value),
            says: table.says.as_ref().map_or_else(|| name.to_owned(), |says| says.value.0.clone()),
            remedy: table.remedy.as_ref().map(|remedy| remedy.value.0.clone()).unwrap_or_default(),
            at: table.here.clone(),
        })
    }

    pub(super) fn outlets(&mut self, tables: &BTreeMap<String, OutletTable>) -> Vec<Outlet> {
        if tables.len() > OUTLETS_MAX {
            self.problems.add(&Place::file("network.toml"), format!("more than {OUTLETS_MAX} outlets"), "write fewer");
        }
        tables.iter().take(OUTLETS_MAX).map(|(name, table)| self.outlet(name, table)).collect()
    }

    fn outlet(&mut self, name: &str, table: &OutletTable) -> Outlet {
        if table.kind.value == OutletKind::Matrix && table.token.is_none() {
            let says = format!("outlet `{name}` has no `token`: a Matrix server takes no message without");
            self.problems.add(&table.kind.at, says, "write `token = \"env:MATRIX_TOKEN\"`");
        }
        Outlet {
            name: name.to_owned(),
            kind: table.kind.value,
            url: table.url.value.clone(),
            token: table.token.as_ref().map(|token| token.value.clone()),
            at: table.here.clone(),
        }
    }
}
