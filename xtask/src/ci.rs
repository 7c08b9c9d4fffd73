//! What continuous integration checks that needs nothing but the toolchain.

use std::process::Command;

use anyhow::{Context, Result, bail};

const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
    &["test", "--locked"],
    &["xtask", "layers"],
];

/// Runs each step; stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    for step in STEPS {
        crate::say(&format!("== cargo {}", step.join(" ")));
        let status = Command::new("cargo").args(*step).status().context("cargo could not be started")?;
        if !status.success() {
            bail!("`cargo {}` failed", step.join(" "));
        }
    }
    Ok(())
}
