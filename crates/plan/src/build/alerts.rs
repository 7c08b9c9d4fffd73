use std::{collections::BTreeMap, time::Duration};

use model::{ALERT_METRICS, Place, Severity};

use super::Build;
use crate::{
    AlertRule, Mail, Outlet, OutletKind, Secret, Threshold,
    file::v1::{AlertTable, OutletTable},
    problem::did_you_mean,
};

/// Rules that a plan may have; each is evaluated every second.
const RULES_MAX: usize = 256;
/// Receivers that a plan may have; each has a thread and a queue.
const OUTLETS_MAX: usize = 16;
/// Addresses that one outlet writes to.
const MAIL_ADDRESSES_MAX: usize = 64;
/// How the address of a mail server begins: TLS from the start, STARTTLS, and neither.
const MAIL_SCHEMES: [&str; 3] = ["smtps://", "smtp://", "smtp+clear://"];
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
        let mail = self.mail(name, table);
        Outlet {
            name: name.to_owned(),
            kind: table.kind.value,
            url: table.url.value.clone(),
            token: table.token.as_ref().map(|token| token.value.clone()),
            mail,
            at: table.here.clone(),
        }
    }

    fn mail(&mut self, name: &str, table: &OutletTable) -> Option<Mail> {
        let is_mail = table.kind.value == OutletKind::Mail;
        let of_mail =
            [("from", table.from.as_ref().map(|from| &from.at)), ("user", table.user.as_ref().map(|user| &user.at))];
        let of_mail =
            of_mail.into_iter().chain([("to", table.to.as_ref().and_then(|to| to.0.first()).map(|to| &to.at))]);
        for (key, at) in of_mail.filter(|_| !is_mail) {
            if let Some(at) = at {
                let says = format!("`{key}` has no effect: outlet `{name}` is no mail");
                self.problems.add(at, says, "write `kind = \"mail\"`, or remove it");
            }
        }
        if !is_mail {
            return None;
        }
        if let Secret::Plain(url) = &table.url.value
            && !MAIL_SCHEMES.iter().any(|scheme| url.starts_with(scheme))
        {
            let says = format!("`url` is `{url}`, which is no mail server");
            let remedy = "write `url = \"smtps://mail.example.org\"` (TLS), `\"smtp://...\"` (STARTTLS) or `\"smtp+clear://127.0.0.1:25\"`";
            self.problems.add(&table.url.at, says, remedy);
        }
        let addresses = table.to.iter().flat_map(|many| &many.0).take(MAIL_ADDRESSES_MAX);
        let to: Vec<String> = addresses.map(|to| self.mail_address(to)).collect();
        let from = table.from.as_ref().map(|from| self.mail_address(from));
        let (Some(from), false) = (from, to.is_empty()) else {
            let says = format!("outlet `{name}` needs `from` and `to`");
            self.problems.add(&table.here, says, "write `from = \"noc@example.org\"` and `to = [\"noc@example.org\"]`");
            return None;
        };
        let user = table.user.as_ref().map(|user| user.value.0.clone());
        if user.is_some() != table.token.is_some() {
            let says = format!("outlet `{name}` needs both `user` and `token`, or neither");
            self.problems.add(&table.here, says, "write `token = \"env:MAIL_PASSWORD\"`");
        }
        Some(Mail { from, to, user })
    }
}
