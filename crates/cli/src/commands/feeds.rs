//! `hotstage feeds`.

use std::fs;

use anyhow::{Context, Result};

use crate::{
    Answer,
    args::Feeds,
    commands::{approved, init::refuse_used},
    output,
};

pub(crate) fn run(arguments: &Feeds) -> Result<Answer> {
    let Some(plan) = approved(&arguments.plan)? else { return Ok(Answer::Bad) };
    let url = arguments.url.clone().unwrap_or_else(|| generate::page_url(&plan));
    let files = generate::feed_files(&url, &arguments.prometheus)?;
    refuse_used(&arguments.out)?;
    for (path, text) in files {
        let path = arguments.out.join(path);
        let folder = path.parent().unwrap_or(&arguments.out);
        fs::create_dir_all(folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("`{}` cannot be written", path.display()))?;
        output::line(&path.display().to_string())?;
    }
    Ok(Answer::Good)
}
