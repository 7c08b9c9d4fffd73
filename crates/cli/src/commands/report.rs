//! `hotstage report`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ::check::ApprovedPlan;
use anyhow::{Context, Result, bail};
use model::{Lease, LogSeverity};
use report::{Input, Language, RehearsalSummary};
use store::{LogQuery, QueryError};

use crate::{
    Answer,
    args::Report,
    commands::{approved, incidents},
    live, output,
};

/// The summary of a live rehearsal, kept in its state directory for later reports.
pub(crate) const SUMMARY: &str = "rehearsal.json";

pub(crate) fn run(arguments: &Report) -> Result<Answer> {
    let Some(plan) = approved(&arguments.plan)? else { return Ok(Answer::Bad) };
    let state = &arguments.state;
    // Refuses a directory that is none of ours, or another event's.
    let dir = store::StateDir::open(state, &plan.event.name, store::Mode::Read)?;
    let summary = dir.read_document(SUMMARY).with_context(|| format!("`{}` cannot be read", state.display()))?;
    let summary: Option<RehearsalSummary> = summary
        .map(|bytes| serde_json::from_slice(&bytes))
        .transpose()
        .with_context(|| format!("`{}` is not a summary of a rehearsal", state.join(SUMMARY).display()))?;
    for file in write_report(&plan, state, &arguments.out, &arguments.lang, summary.as_ref())? {
        output::line(&format!("wrote {}", file.display()))?;
    }
    Ok(Answer::Good)
}

/// Writes the report of a state directory in every language asked for; gives the files.
pub(crate) fn write_report(
    plan: &ApprovedPlan,
    state: &Path,
    out: &Path,
    languages: &[String],
    rehearsal: Option<&RehearsalSummary>,
) -> Result<Vec<PathBuf>> {
    let unreadable = |what: &str| format!("the {what} in `{}` cannot be read", state.display());
    let (leases, _) = store::read_leases(state).with_context(|| unreadable("leases"))?;
    let mut input = Input::planned(plan);
    input.samples = store::read_samples(state, None, None, None).with_context(|| unreadable("samples"))?;
    input.clients_unique = Some(clients_unique(&leases));
    input.logs_by_severity = logs_by_severity(state).with_context(|| unreadable("log"))?;
    input.findings = ::check::check(plan);
    input.incidents = incidents::read(state)?;
    input.rehearsal = rehearsal.cloned();
    live::make_dir(out)?;
    let mut files = Vec::new();
    for tag in languages {
        let Some(language) = Language::from_tag(tag) else {
            bail!("there is no report in `{tag}`; choose from ja, en");
        };
        let html = (format!("report.{}.html", language.tag()), report::render(&input, language));
        let markdown = (format!("report.{}.md", language.tag()), report::render_markdown(&input, language));
        for (name, text) in [html, markdown] {
            let file = out.join(name);
            fs::write(&file, text).with_context(|| format!("`{}` cannot be written", file.display()))?;
            files.push(file);
        }
    }
    Ok(files)
}

/// Different clients among the leases that are kept; the samples may know of more.
fn clients_unique(leases: &[Lease]) -> u64 {
    let mut clients: Vec<_> = leases.iter().map(|lease| &lease.client).collect();
    clients.sort_unstable();
    clients.dedup();
    clients.len() as u64
}

/// Log lines of each severity, the worst first.
fn logs_by_severity(state: &Path) -> Result<Vec<(LogSeverity, u64)>, QueryError> {
    let mut before = 0;
    let mut counts = Vec::new();
    for severity in LogSeverity::ALL {
        let query = LogQuery { severity_at_most: Some(severity), limit: usize::MAX, ..LogQuery::default() };
        let count = store::count_logs(state, &query)?;
        counts.push((severity, count - before));
        before = count;
    }
    Ok(counts)
}
