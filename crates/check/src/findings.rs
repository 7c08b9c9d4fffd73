use model::{Finding, Place};

use crate::rules::Rule;

/// Findings of one rule that are told one by one; what is beyond is counted in the last one.
const FINDINGS_PER_RULE_MAX: usize = 200;

/// Collects what one rule finds. Code and severity come from the rule, so that no finding can contradict the table.
pub(crate) struct Findings {
    rule: &'static Rule,
    found: Vec<Finding>,
    beyond: usize,
}

impl Findings {
    pub(crate) fn new(rule: &'static Rule) -> Self {
        Self { rule, found: Vec::new(), beyond: 0 }
    }

    /// Adds a finding about `place`, written at `at`, with the rule's own remedy.
    pub(crate) fn add(&mut self, place: impl Into<String>, at: &Place, says: impl Into<String>) {
        let remedy = self.rule.remedy;
        self.add_with(place, at, says, remedy);
    }

    /// Adds a finding with a remedy that names values.
    pub(crate) fn add_with(
        &mut self,
        place: impl Into<String>,
        at: &Place,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.found.len() >= FINDINGS_PER_RULE_MAX {
            self.beyond += 1;
            return;
        }
        self.found.push(Finding {
            code: self.rule.code,
            severity: self.rule.severity,
            place: place.into(),
            at: at.clone(),
            says: says.into(),
            remedy: remedy.into(),
        });
    }

    pub(crate) fn into_vec(mut self) -> Vec<Finding> {
        if let (Some(last), true) = (self.found.last_mut(), self.beyond > 0) {
            last.says.push_str(&format!(" ({} more of this code are not shown)", self.beyond));
        }
        self.found
    }
}

/// Names in a sentence: all when few, else the first and how many more there are.
pub(crate) fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    /// Names told one by one.
    const NAMES_MAX: usize = 6;
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.get(..NAMES_MAX) {
        Some(first) if names.len() > NAMES_MAX => format!("{} and {} more", first.join(", "), names.len() - NAMES_MAX),
        _ => names.join(", "),
    }
}
