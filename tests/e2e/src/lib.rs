//! What the end-to-end tests stand on: network namespaces, processes and event pipes that clean up after themselves.
//!
//! Nothing here knows an engine: the program under test is the real binary, its clients are other people's. Where a
//! tool, the privilege or the binary is missing, [`ready`] says so and the test skips; with `HOTSTAGE_E2E=require`
//! a skip is a failure. Start at [`ready`], [`Namespace`], [`Process`] and [`Wire`].
//!
//! `HOTSTAGE_BIN` names another binary to test; `HOTSTAGE_E2E_KILLS=200` kills the server so often under load (5).

mod dhcp_message;
mod namespace;
mod process;
mod program;
mod tshark;
mod wire;

use std::path::PathBuf;

pub use dhcp_message::{DhcpMessage, Kind, RequestState};
pub use namespace::Namespace;
pub use process::{Lines, Process, output, run};
pub use program::{Hotstage, example, program};
pub use tshark::check_replies;
pub use wire::Wire;

/// True when everything a test needs is there; else says what is missing and the test is to return at once.
///
/// # Panics
/// With `HOTSTAGE_E2E=require` in the environment instead of returning false.
pub fn ready(needs_root: bool, tools: &[&str]) -> bool {
    let mut missing = Vec::new();
    if needs_root && output("id", &["-u"]).trim() != "0" {
        missing.push("root, to make network namespaces".to_owned());
    }
    missing.extend(tools.iter().filter(|tool| find(tool).is_none()).map(|tool| format!("the program `{tool}`")));
    if !program().is_file() {
        missing.push(format!("`{}`: run `cargo build` first", program().display()));
    }
    if missing.is_empty() {
        return true;
    }
    let reason = format!("skipped: this test needs {}", missing.join(" and "));
    assert!(std::env::var("HOTSTAGE_E2E").as_deref() != Ok("require"), "{reason}");
    say(&reason);
    false
}

/// Where a program is, looked for on the path and where Debian keeps the administrator's.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').chain(["/usr/sbin", "/sbin"]).map(|dir| PathBuf::from(dir).join(tool)).find(|file| file.is_file())
}

#[expect(clippy::print_stdout, reason = "a skipped test says why")]
fn say(text: &str) {
    println!("{text}");
}
