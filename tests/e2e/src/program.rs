use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{Lines, Process};

/// The program under test: built beside the test itself.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let dir = test.parent().and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
    std::env::var_os("HOTSTAGE_BIN").map_or_else(|| dir.join("hotstage"), PathBuf::from)
}

/// A plan directory that comes with the repository.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// `hotstage run`, ready.
pub struct Hotstage {
    /// The process.
    pub process: Process,
    /// What it prints on stderr.
    pub errors: Lines,
    ready: String,
}

impl Hotstage {
    /// Starts it and waits until it is ready.
    pub fn start(command: &mut Command) -> Self {
        let (process, mut out, errors) = Process::spawn(command);
        let ready = out.wait_for("line `ready ...`", Duration::from_secs(20), |line| line.starts_with("ready "));
        Self { process, errors, ready }
    }

    /// The first address of a service, from the line `ready dhcp=... dns=... syslog=... http=...`.
    ///
    /// # Panics
    /// When the line does not name it.
    pub fn address(&self, service: &str) -> SocketAddr {
        let prefix = format!("{service}=");
        let value = self.ready.split(' ').find_map(|word| word.strip_prefix(&prefix));
        let first = value.and_then(|value| value.split(',').next()).and_then(|text| text.parse().ok());
        first.unwrap_or_else(|| panic!("no address of {service} in `{}`", self.ready))
    }
}
