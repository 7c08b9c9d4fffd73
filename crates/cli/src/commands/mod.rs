//! One module a command; each calls what does the work and shows the answer.

pub(crate) mod alerts;
pub(crate) mod check;
pub(crate) mod dns;
pub(crate) mod feeds;
pub(crate) mod import;
pub(crate) mod incidents;
pub(crate) mod init;
pub(crate) mod leases;
pub(crate) mod logs;
pub(crate) mod page_access;
pub(crate) mod rehearse;
pub(crate) mod reload;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod samples;
pub(crate) mod show;

use std::path::Path;

use ::check::ApprovedPlan;
use anyhow::{Context, Result, bail};
use daemon::{ControlAnswer, ControlRequest};
use model::{Severity, Timestamp};

use crate::{Answer, args::PlanArguments, output, plan_dir};

/// The plan, if `check` has no error to say about it; else says them and gives `None`.
pub(crate) fn approved(arguments: &PlanArguments) -> Result<Option<ApprovedPlan>> {
    let plan = plan_dir::load(arguments)?;
    match ::check::approve(plan) {
        Ok(approved) => Ok(Some(approved)),
        Err(findings) => {
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            for finding in errors.clone() {
                output::note(&check::sentence(finding));
            }
            let dir = arguments.dir.display();
            output::note(&format!("{} errors in the plan `{dir}`; see `hotstage check {dir}`", errors.count()));
            Ok(None)
        }
    }
}

/// Asks the services that run on `state` for one thing and shows what they say about it.
pub(crate) fn ask_services(state: &Path, request: &ControlRequest) -> Result<Answer> {
    let mut first = None;
    hear_services(state, request, |answer| {
        first = Some(answer);
        false
    })?;
    match first {
        Some(ControlAnswer::Done { says }) => {
            says.iter().try_for_each(|line| output::line(line))?;
            Ok(Answer::Good)
        }
        Some(ControlAnswer::Refused { says }) => {
            says.iter().for_each(|line| output::note(line));
            Ok(Answer::Bad)
        }
        Some(_) | None => bail!("the services ended before they answered"),
    }
}

/// Hands each answer of the services that run on `state` to `each` until that says stop.
pub(crate) fn hear_services(
    state: &Path,
    request: &ControlRequest,
    each: impl FnMut(ControlAnswer) -> bool,
) -> Result<()> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    let shown = state.display();
    match daemon::control_request(state, request, each) {
        Err(error) if matches!(error.kind(), NotFound | ConnectionRefused) => {
            bail!("no services run on `{shown}`; start them with `hotstage run PLAN --state {shown}`")
        }
        result => result.with_context(|| format!("the services on `{shown}` cannot be asked")),
    }
}

/// A moment given on the command line: RFC 3339 or seconds since 1970.
pub(crate) fn moment(text: Option<&str>) -> Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(Some(Timestamp::from_secs(seconds)));
    }
    let time: jiff::Timestamp = text.parse().with_context(|| {
        format!(
            "`{text}` is not a time; write `2019-09-16T09:00:00+09:00`, `2019-09-16T00:00:00Z` or seconds since 1970"
        )
    })?;
    let Ok(nanos) = i64::try_from(time.as_nanosecond()) else {
        bail!("`{text}` is too far away; years 1678 to 2262 can be kept");
    };
    Ok(Some(Timestamp::from_nanos(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339_or_seconds() {
        let want = Some(Timestamp::from_secs(1_568_592_000));
        for text in ["2019-09-16T09:00:00+09:00", "2019-09-16T00:00:00Z", "1568592000"] {
            assert_eq!(moment(Some(text)).unwrap(), want, "{text}");
        }
        assert!(moment(Some("yesterday")).is_err());
        assert_eq!(moment(None).unwrap(), None);
    }
}
