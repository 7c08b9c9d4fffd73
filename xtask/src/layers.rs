//! Which way dependencies point, checked against the crate graph: each crate lists what it may use of ours, and what
//! of the outside world it must never use.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// A crate of ours and the crates of ours it may use. A crate that is not here may not exist.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("plan", &["model"]),
    ("check", &["model", "plan"]),
    ("report", &["model", "plan"]),
    ("dhcp", &["model"]),
    ("dhcp6", &["model"]),
    ("dns", &["model"]),
    ("syslog", &["model"]),
    ("watch", &["model"]),
    ("flow", &["model"]),
    ("generate", &["model", "plan", "check", "dhcp", "dhcp6", "dns", "syslog", "watch", "flow"]),
    ("rehearse", &["model", "plan", "check", "generate", "dhcp", "dhcp6", "dns", "syslog", "watch"]),
    ("store", &["model"]),
    ("web", &["model", "store"]),
    ("replay", &["model", "plan", "rehearse", "dhcp", "dhcp6", "dns", "syslog"]),
    ("daemon", &["model", "generate", "dhcp", "dhcp6", "dns", "syslog", "watch", "flow", "store"]),
    (
        "hotstage",
        &[
            "model", "plan", "check", "generate", "rehearse", "report", "store", "web", "daemon", "replay", "dhcp",
            "dhcp6", "dns", "syslog", "watch",
        ],
    ),
    ("e2e", &["model", "store"]),
    ("xtask", &[]),
];

/// Crates that decide and never act: no runtime, no sockets, no database, no web.
const PURE: &[&str] =
    &["model", "plan", "check", "report", "dhcp", "dhcp6", "dns", "syslog", "watch", "flow", "generate", "rehearse"];

/// Crates of the outside world that bring input and output with them.
const ACTING: &[&str] = &["tokio", "axum", "hyper", "socket2", "nix", "rusqlite", "parquet", "mio", "reqwest"];

/// Checks the whole workspace; every breach is said, not the first only.
pub(crate) fn run() -> Result<()> {
    let metadata = MetadataCommand::new().other_options(vec!["--locked".to_owned()]).exec()?;
    let rules: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect();
    let members: BTreeSet<&str> = metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let mut breaches = Vec::new();
    let mut arrows = 0;
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(may_use) = rules.get(name) else {
            breaches.push(format!("`{name}` has no line in xtask/src/layers.rs; give it one"));
            continue;
        };
        for dependency in &package.dependencies {
            let uses = dependency.name.as_str();
            arrows += 1;
            // Tests may load an example with what lies below the crate under test, never what lies above it.
            if members.contains(uses) && !may_use.contains(uses) {
                breaches.push(format!("`{name}` uses `{uses}`, which its layer forbids; see ARCHITECTURE.md"));
            }
            if dependency.kind == DependencyKind::Normal && PURE.contains(&name) && ACTING.contains(&uses) {
                breaches.push(format!(
                    "`{name}` is pure but uses `{uses}`; move the input and output to `daemon`, `store` or `web`"
                ));
            }
        }
    }
    if !breaches.is_empty() {
        bail!("{} breaches of the layers:\n  {}", breaches.len(), breaches.join("\n  "));
    }
    crate::say(&format!("layers: {} crates, {arrows} dependencies, all point the right way", members.len()));
    Ok(())
}
