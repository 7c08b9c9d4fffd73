//! Secrets that the plan refers to.

use std::fs;

use generate::SecretSource;

/// The secret; `None` when it cannot be had, which is said here, once. `then` says what that means, without full stop.
pub(crate) fn read_secret(then: &str, source: &SecretSource) -> Option<String> {
    let (text, place) = match source {
        SecretSource::Environment(name) => (std::env::var(name).ok(), format!("environment variable `{name}`")),
        SecretSource::File(path) => (fs::read_to_string(path).ok(), format!("file `{path}`")),
        SecretSource::Plain(text) => (Some(text.clone()), "plan".to_owned()),
    };
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.is_none() {
        tracing::error!("{then}: its secret in the {place} is missing or empty");
    }
    text
}
