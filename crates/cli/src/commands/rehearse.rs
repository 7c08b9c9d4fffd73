//! `hotstage rehearse`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    Answer,
    args::{Rehearse, TextFormat},
    commands::{approved, report::write_report},
    live, output,
};

pub(crate) fn run(arguments: &Rehearse) -> Result<Answer> {
    let Some(plan) = approved(&arguments.plan)? else { return Ok(Answer::Bad) };
    if !arguments.live {
        let options = rehearse::Options { seed: arguments.seed, runs: arguments.runs };
        let outcome = rehearse::run(&plan, &options)?;
        match arguments.format {
            TextFormat::Human => output::line(outcome.to_string().trim_end())?,
            TextFormat::Json => output::json(&outcome)?,
        }
        return Ok(if outcome.is_good() { Answer::Good } else { Answer::Bad });
    }
    let out = arguments.out.clone().unwrap_or_else(|| default_out(&arguments.plan.dir));
    live::make_dir(&out)?;
    let state = match &arguments.state {
        Some(state) => state.clone(),
        None => fresh_state(&out)?,
    };
    let rehearsal = live::run(&plan, arguments, &state)?;
    let files =
        write_report(&plan, &rehearsal.state, &out, &["ja".to_owned(), "en".to_owned()], Some(&rehearsal.summary))?;
    match arguments.format {
        TextFormat::Human => {
            output::line(rehearsal.summary.to_string().trim_end())?;
            for file in files {
                output::line(&format!("wrote {}", file.display()))?;
            }
        }
        TextFormat::Json => output::json(&rehearsal.summary)?,
    }
    if rehearsal.interrupted {
        output::note("stopped before its end; the summary is of what was played");
    }
    Ok(if rehearsal.summary.is_good() { Answer::Good } else { Answer::Bad })
}

fn default_out(plan: &Path) -> PathBuf {
    let name =
        plan.canonicalize().ok().and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()));
    PathBuf::from("out").join(format!("{}-rehearsal", name.unwrap_or_else(|| "plan".to_owned())))
}

/// A state directory of this rehearsal alone: an earlier rehearsal's leases would be in the way of its figures.
fn fresh_state(out: &Path) -> Result<PathBuf> {
    let state = out.join("state");
    if state.exists() {
        fs::remove_dir_all(&state)
            .with_context(|| format!("the state of an earlier rehearsal, `{}`, cannot be removed", state.display()))?;
    }
    Ok(state)
}
