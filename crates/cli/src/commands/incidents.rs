//! `hotstage incidents`.

use std::path::Path;

use anyhow::{Context, Result};
use model::Incident;

use crate::{Answer, args::Incidents, output};

/// Every incident of a state directory, in the order in which they began.
pub(crate) fn read(state: &Path) -> Result<Vec<Incident>> {
    let unreadable = || format!("the incidents in `{}` cannot be read", state.display());
    let Some(book) = store::Incidents::open_read(state).with_context(unreadable)? else { return Ok(Vec::new()) };
    let incidents = book.list().with_context(unreadable)?;
    Ok(incidents.into_iter().map(|(_, incident)| incident).collect())
}

pub(crate) fn run(arguments: &Incidents) -> Result<Answer> {
    let state = &arguments.records.state;
    let incidents = read(state)?;
    let columns = ["opened", "closed", "severity", "code", "place", "says", "remedy"];
    output::records(arguments.records.format, &incidents, &columns, |incident| {
        let closed = incident.closed.map(|at| at.to_string()).unwrap_or_default();
        let severity = incident.severity.to_string();
        let texts = [&incident.code, &incident.place, &incident.says, &incident.remedy].map(ToOwned::to_owned);
        [incident.opened.to_string(), closed, severity].into_iter().chain(texts).collect()
    })?;
    Ok(Answer::Good)
}
