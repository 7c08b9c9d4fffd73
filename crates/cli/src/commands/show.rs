//! `hotstage show`.

use anyhow::Result;

use crate::{
    Answer,
    args::{Show, TextFormat},
    output, plan_dir,
};

pub(crate) fn run(arguments: &Show) -> Result<Answer> {
    let plan = plan_dir::load(&arguments.plan)?;
    let summary = plan::summary::show(&plan);
    match arguments.format {
        TextFormat::Human => output::line(summary.to_string().trim_end())?,
        TextFormat::Json => output::json(&summary)?,
    }
    Ok(Answer::Good)
}
