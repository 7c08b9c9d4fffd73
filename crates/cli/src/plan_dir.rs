//! Reads a plan directory into memory, bounded, and turns it into a plan.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use plan::{FILE_BYTES_MAX, FILE_NAMES, Override, Plan, Problem, SourceFile};

use crate::args::PlanArguments;

/// Why there is no plan.
#[derive(Debug)]
pub(crate) struct PlanError {
    dir: PathBuf,
    problems: Vec<Problem>,
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.problems.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(formatter, "the plan `{}` cannot be read: {count} problem{plural}", self.dir.display())?;
        self.problems.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

impl std::error::Error for PlanError {}

/// Reads the plan with its overrides; every problem at once.
pub(crate) fn load(arguments: &PlanArguments) -> Result<Plan, PlanError> {
    let refuse = |problems| PlanError { dir: arguments.dir.clone(), problems };
    let (files, mut problems) = read(&arguments.dir);
    let mut overrides = Vec::new();
    for text in &arguments.set {
        match Override::parse(text) {
            Ok(value) => overrides.push(value),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(refuse(problems));
    }
    plan::load(&files, &overrides).map_err(refuse)
}

/// Every file of the plan that is there.
pub(crate) fn read(dir: &Path) -> (Vec<SourceFile>, Vec<Problem>) {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    if !dir.is_dir() {
        let says = format!("`{}` is not a directory", dir.display());
        problems.push(problem("", says, "name a plan directory, or make one with `hotstage init DIR`"));
        return (files, problems);
    }
    for name in FILE_NAMES {
        let path = dir.join(name);
        match read_file(&path) {
            Ok(Some(bytes)) => files.push(SourceFile { name: (*name).to_owned(), bytes }),
            Ok(None) => {}
            Err((says, remedy)) => problems.push(problem(name, says, &remedy)),
        }
    }
    if files.is_empty() && problems.is_empty() {
        let says = format!("`{}` holds no `event.toml`", dir.display());
        problems.push(problem("event.toml", says, "write one, or start with `hotstage init DIR`"));
    }
    (files, problems)
}

fn read_file(path: &Path) -> Result<Option<Vec<u8>>, (String, String)> {
    let unreadable =
        |error: std::io::Error| (format!("cannot be read: {error}"), "check that the file is readable".to_owned());
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    if !metadata.is_file() {
        return Err(("is not a file".to_owned(), "put a text file there or remove it".to_owned()));
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too long, even while it grows.
    let length = file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if length > FILE_BYTES_MAX {
        let says =
            format!("is {} bytes long, more than the {FILE_BYTES_MAX} allowed", metadata.len().max(length as u64));
        return Err((says, "is it really a plan file? Keep large data elsewhere".to_owned()));
    }
    Ok(Some(bytes))
}

fn problem(file: &str, says: String, remedy: &str) -> Problem {
    Problem { at: model::Place::file(file), says, remedy: remedy.to_owned() }
}
