//! `hotstage init`.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use plan::SourceFile;

use crate::{Answer, args::Init, output, plan_dir};

macro_rules! example {
    ($name:literal, $($file:literal),+) => {
        ($name, &[$(($file, include_bytes!(concat!("../../../../examples/", $name, "/", $file)))),+])
    };
}

/// Files of an example: name and text.
type ExampleFiles = &'static [(&'static str, &'static [u8])];

/// Examples that come with the program.
const EXAMPLES: &[(&str, ExampleFiles)] = &[
    example!(
        "pyconjp-2019",
        "event.toml",
        "venue.toml",
        "network.toml",
        "inventory.csv",
        "cables.csv",
        "timetable.csv",
        "roster.csv",
        "README.md"
    ),
    example!("meetup", "event.toml"),
    example!("lab", "event.toml", "README.md"),
];

pub(crate) fn run(arguments: &Init) -> Result<Answer> {
    let dir = &arguments.dir;
    refuse_used(dir)?;
    let files = match (&arguments.example, &arguments.from, &arguments.timetable) {
        (Some(name), _, _) => example_files(name)?,
        (None, Some(old), _) => shifted_files(old, arguments.first_day.as_deref())?,
        (None, None, Some(timetable)) => timetable_files(timetable)?,
        (None, None, None) => plan::skeleton::files(&event_name(dir)),
    };
    fs::create_dir_all(dir).with_context(|| format!("`{}` cannot be made", dir.display()))?;
    for file in &files {
        let path = dir.join(&file.name);
        fs::write(&path, &file.bytes).with_context(|| format!("`{}` cannot be written", path.display()))?;
        output::line(&format!("wrote {}", path.display()))?;
    }
    output::line(&format!("next: hotstage check {}", dir.display()))?;
    Ok(Answer::Good)
}

/// Nothing that a person wrote is ever overwritten.
pub(crate) fn refuse_used(dir: &Path) -> Result<()> {
    let is_occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if is_occupied || dir.is_file() {
        bail!("`{}` is there already; name a new directory, or empty this one", dir.display());
    }
    Ok(())
}

fn event_name(dir: &Path) -> String {
    dir.file_name().map_or_else(|| "My event".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn example_files(name: &str) -> Result<Vec<SourceFile>> {
    let Some((_, files)) = EXAMPLES.iter().find(|(known, _)| *known == name) else {
        let names: Vec<_> = EXAMPLES.iter().map(|(name, _)| *name).collect();
        bail!("there is no example `{name}`; choose one of {}", names.join(", "));
    };
    let files = files.iter().map(|(name, bytes)| SourceFile { name: (*name).to_owned(), bytes: bytes.to_vec() });
    Ok(files.collect())
}

/// The old plan's files with every date moved, so that its first day becomes `first_day`.
fn shifted_files(old: &Path, first_day: Option<&str>) -> Result<Vec<SourceFile>> {
    let (files, problems) = plan_dir::read(old);
    if let Some(problem) = problems.first() {
        bail!("the old plan `{}` cannot be read: {problem}", old.display());
    }
    let first_day = first_day
        .map(|text| text.parse().with_context(|| format!("`{text}` is not a date; write `2027-09-18`")))
        .transpose()?;
    plan::skeleton::shifted(&files, first_day)
        .map_err(|problem| anyhow::anyhow!("the dates of `{}` cannot be shifted: {problem}", old.display()))
}

fn timetable_files(path: &Path) -> Result<Vec<SourceFile>> {
    let unreadable = || format!("the timetable `{}` cannot be read", path.display());
    let metadata = fs::metadata(path).with_context(unreadable)?;
    if metadata.len() > plan::FILE_BYTES_MAX as u64 {
        bail!("{}: it is {} bytes long, more than the {} allowed", unreadable(), metadata.len(), plan::FILE_BYTES_MAX);
    }
    let bytes = fs::read(path).with_context(unreadable)?;
    plan::skeleton::from_timetable(&path.display().to_string(), &bytes)
        .map_err(|problem| anyhow::anyhow!("{}: {problem}", unreadable()))
}
