//! `hotstage samples`.

use anyhow::{Context, Result};

use crate::{Answer, args::Samples, commands::moment, output};

pub(crate) fn run(arguments: &Samples) -> Result<Answer> {
    let state = &arguments.records.state;
    let (from, to) = (moment(arguments.span.from.as_deref())?, moment(arguments.span.to.as_deref())?);
    let samples = store::read_samples(state, from, to, arguments.metric.as_deref())
        .with_context(|| format!("the samples in `{}` cannot be read", state.display()))?;
    output::records(arguments.records.format, &samples, &["at", "metric", "subject", "value"], |sample| {
        vec![sample.at.to_string(), sample.metric.clone(), sample.subject.clone(), sample.value.to_string()]
    })?;
    Ok(Answer::Good)
}
