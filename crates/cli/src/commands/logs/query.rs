//! What is asked for, in the words of the command line and of the plan.

use anyhow::{Context as _, Result, bail};
use daemon::Clock;
use model::{Facility, LogSeverity, Timestamp};
use plan::Plan;
use store::{LineTest, LogQuery};

use crate::{
    args::{Logs, PlanArguments},
    commands::moment,
    plan_dir,
};

/// RFC 5424 section 6.2.1, table 1; in the short names of syslog(3), and where there is none of the table's words.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
/// Of [`syslog::LineEvent::kind`].
const KINDS: [&str; 7] = ["station", "dhcp", "link", "poe", "spanning-tree", "login", "config"];

/// The query, without limit and order.
pub(super) fn of(arguments: &Logs) -> Result<LogQuery> {
    let now = Clock::Wall.now();
    let plan = match &arguments.plan {
        Some(dir) => Some(plan_dir::load(&PlanArguments { dir: dir.clone(), set: Vec::new() })?),
        None => None,
    };
    let mut query = LogQuery {
        from: time(arguments.from.as_deref(), now)?,
        to: time(arguments.to.as_deref(), now)?,
        severity_at_most: arguments.severity.as_deref().map(severity).transpose()?,
        facility: arguments.facility.as_deref().map(facility).transpose()?,
        apps: (!arguments.program.is_empty()).then(|| arguments.program.clone()),
        hosts: (!arguments.host.is_empty()).then(|| arguments.host.clone()),
        text: arguments.text.clone(),
        regex: arguments.regex.clone(),
        test: arguments.kind.as_deref().map(kind).transpose()?,
        ..LogQuery::default()
    };
    if let Some(plan) = &plan {
        if let Some(room) = &arguments.room {
            query.hosts = Some(devices_of(plan, room)?);
        }
        let is_known = |name: &String| {
            name.contains(['*', '?']) || plan.devices.values().any(|known| known.id.as_str().eq_ignore_ascii_case(name))
        };
        if let Some(unknown) = arguments.host.iter().find(|name| !is_known(name)) {
            bail!(
                "the plan has no device `{unknown}`; `hotstage show` lists them, and without `--plan` any name is taken"
            );
        }
    }
    if let (Some(from), Some(to)) = (query.from, query.to)
        && from >= to
    {
        bail!("`--from` {from} is not before `--to` {to}");
    }
    Ok(query)
}

fn devices_of(plan: &Plan, room: &str) -> Result<Vec<String>> {
    if !plan.rooms.iter().any(|known| known.id.as_str() == room) {
        let names: Vec<_> = plan.rooms.iter().map(|room| room.id.as_str()).collect();
        bail!("the plan has no room `{room}`; its rooms are {}", names.join(", "));
    }
    let is_there = |device: &&plan::Device| device.room.as_ref().is_some_and(|id| id.as_str() == room);
    Ok(plan.devices.values().filter(is_there).map(|device| store::exact_name(device.id.as_str())).collect())
}

/// A moment, or so long before `now`: `90s`, `15m`, `2h`, `1d`.
fn time(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    let seconds = |unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(86_400),
        _ => None,
    };
    let unit = text.chars().next_back().and_then(seconds);
    let number = || text.get(..text.len().checked_sub(1)?)?.parse::<u32>().ok();
    if let Some((unit, number)) = unit.zip(number()) {
        let ago = i64::from(number).saturating_mul(unit).saturating_mul(1_000_000_000);
        return Ok(Some(Timestamp::from_nanos(now.as_nanos().saturating_sub(ago))));
    }
    moment(Some(text)).context("or write how long ago, e.g. `15m`, `2h`, `1d`")
}

fn severity(name: &str) -> Result<LogSeverity> {
    let is_it =
        |severity: &LogSeverity| severity.name().eq_ignore_ascii_case(name) || severity.number().to_string() == name;
    let found = LogSeverity::ALL.into_iter().find(is_it);
    let names = || LogSeverity::ALL.map(LogSeverity::name).join(", ");
    found.with_context(|| format!("`{name}` is not a severity; choose one of {}", names()))
}

fn facility(name: &str) -> Result<Facility> {
    let by_name = FACILITIES.iter().position(|known| known.eq_ignore_ascii_case(name));
    let number = by_name.or_else(|| name.parse().ok().filter(|number| *number < FACILITIES.len()));
    let number = number.and_then(|number| u8::try_from(number).ok());
    number.map(Facility).with_context(|| format!("`{name}` is not a facility; choose one of {}", FACILITIES.join(", ")))
}

fn kind(name: &str) -> Result<LineTest> {
    if name == "any" {
        return Ok(LineTest::new(|app, message| super::kind_of(app, message).is_some()));
    }
    let Some(wanted) = KINDS.into_iter().find(|known| *known == name) else {
        bail!("`{name}` is no kind of event; choose one of {}, any", KINDS.join(", "));
    };
    Ok(LineTest::new(move |app, message| super::kind_of(app, message) == Some(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moments_or_so_long_ago() {
        let now = Timestamp::from_secs(1_568_592_000);
        let table = [("90s", 90), ("15m", 900), ("2h", 7_200), ("1d", 86_400), ("0s", 0)];
        for (text, ago) in table {
            assert_eq!(time(Some(text), now).unwrap(), Some(Timestamp::from_secs(1_568_592_000 - ago)), "{text}");
        }
        assert_eq!(time(Some("2019-09-16T09:00:00+09:00"), now).unwrap(), Some(now));
        assert_eq!(time(Some("1568592000"), now).unwrap(), Some(now));
        for text in ["", "m", "-5m", "5y", "yesterday", "2019-09-16 09:00", "5分"] {
            let said = format!("{:#}", time(Some(text), now).unwrap_err());
            assert!(said.contains("15m"), "{said}");
        }
    }

    #[test]
    fn words_are_known_or_the_known_ones_are_said() {
        assert_eq!(severity("Warning").unwrap(), LogSeverity::Warning);
        assert_eq!(severity("0").unwrap(), LogSeverity::Emergency);
        assert!(severity("bad").unwrap_err().to_string().contains("emergency"));
        assert_eq!(facility("LOCAL7").unwrap(), Facility(23));
        assert_eq!(facility("4").unwrap(), Facility(4));
        assert!(facility("24").unwrap_err().to_string().contains("kern"));
        assert!(kind("wifi").unwrap_err().to_string().contains("spanning-tree"));
    }
}
