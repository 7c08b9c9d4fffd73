use std::fmt;

use model::Place;

/// Problems that are reported in one run; what is beyond is counted.
const PROBLEMS_MAX: usize = 500;

/// Something in the plan's files that cannot be understood. Shown as `event.toml:3:7: says; remedy`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Problem {
    /// Where it is written.
    pub at: Place,
    /// What is wrong, with the value; one sentence without full stop.
    pub says: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.at, self.says)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(formatter, "; {}", self.remedy) }
    }
}

/// Collects problems, so that one run reports them all.
#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<Problem>,
    beyond: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, at: &Place, says: impl Into<String>, remedy: impl Into<String>) {
        if self.found.len() >= PROBLEMS_MAX {
            self.beyond += 1;
            return;
        }
        self.found.push(Problem { at: at.clone(), says: says.into(), remedy: remedy.into() });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// True when one of them is in that file.
    pub(crate) fn is_about(&self, file: &str) -> bool {
        self.found.iter().any(|problem| *problem.at.file == *file)
    }

    /// All problems by place, each once. A member of a group has the problem of its group, hence the duplicates.
    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found;
        found.sort();
        found.dedup();
        if self.beyond > 0 {
            let says = format!("{} more problems are not shown", self.beyond);
            found.push(Problem { at: Place::file(""), says, remedy: "solve these first".into() });
        }
        found
    }
}

/// The known name nearest to `wrong`, when it is near enough to be meant.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.chars().count().max(3) / 3).min(4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A remedy that names the nearest known name, or lists the known ones when they are few.
pub(crate) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    /// Names listed when none is near.
    const LISTED_MAX: usize = 12;
    if wrong.chars().count() <= 64
        && let Some(name) = nearest(wrong, known.clone())
    {
        return format!("did you mean `{name}`?");
    }
    let mut names: Vec<&str> = known.into_iter().take(LISTED_MAX + 1).collect();
    let more = names.len() > LISTED_MAX;
    names.truncate(LISTED_MAX);
    let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (names.is_empty(), more) {
        (true, _) => "there is none in this plan yet".to_owned(),
        (false, false) => format!("known: {list}"),
        (false, true) => format!("known: {list}, ..."),
    }
}

/// A value as shown in a message: one line, bounded.
pub(crate) fn shown(text: &str) -> String {
    /// Characters of a value that are shown.
    const SHOWN_MAX: usize = 120;
    let mut line: String = text.chars().take(SHOWN_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        line.push('…');
    }
    line
}
