//! Files of the team's that DNS answers from: zones, and names that are not to be answered.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use dns::{BLOCKED_MAX, Blocked, ZONE_FILE_LEN_MAX, ZoneFile, ZoneFileError};
use generate::DnsServing;

/// Octets of one list of names.
const LIST_LEN_MAX: u64 = 256 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TeamFileError {
    /// It cannot be read.
    #[error("`{path}`: cannot be read: {source}; it is named in `services.dns`, relative to the plan's directory")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no zone.
    #[error("{path}:{source}")]
    Zone {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ZoneFileError,
    },
    /// It has nothing to block.
    #[error(
        "{path}:{line}: not one name in this file of names to block; write one a line, or `0.0.0.0 NAME` as in a file of hosts"
    )]
    NoNames {
        /// The file.
        path: PathBuf,
        /// The first line that makes no sense; 1 for an empty file.
        line: usize,
    },
}

/// Puts what the files say into the engine's settings.
pub(crate) fn load_team_files(serving: &DnsServing, settings: &mut dns::Settings) -> Result<(), TeamFileError> {
    settings.zone_files = serving.zones.iter().map(|path| zone(path)).collect::<Result<_, _>>()?;
    let mut blocked = Blocked::default();
    for path in &serving.block {
        add_list(&mut blocked, path)?;
    }
    blocked.except(&serving.unblock);
    settings.blocked = blocked;
    Ok(())
}

fn zone(path: &Path) -> Result<ZoneFile, TeamFileError> {
    let text = read(path, ZONE_FILE_LEN_MAX as u64)?;
    let zone = ZoneFile::read(&text).map_err(|source| TeamFileError::Zone { path: path.into(), source })?;
    tracing::info!(file = %path.display(), zone = zone.origin(), records = zone.len(), "zone file");
    Ok(zone)
}

fn add_list(blocked: &mut Blocked, path: &Path) -> Result<(), TeamFileError> {
    let found = blocked.add_list(&read(path, LIST_LEN_MAX)?);
    if blocked.is_empty() {
        return Err(TeamFileError::NoNames { path: path.into(), line: found.first_skipped.unwrap_or(1) });
    }
    if let Some(line) = found.first_skipped {
        tracing::warn!(file = %path.display(), line, lines = found.skipped, "lines that hold no name to block");
    }
    if found.is_cut {
        tracing::warn!(file = %path.display(), most = BLOCKED_MAX, "more names than can be blocked; the rest is left out");
    }
    tracing::info!(file = %path.display(), names = found.names, "names to block");
    Ok(())
}

fn read(path: &Path, len_max: u64) -> Result<Vec<u8>, TeamFileError> {
    let read = || {
        if fs::metadata(path)?.len() > len_max {
            return Err(io::Error::other(format!("it is longer than {} MiB", len_max >> 20)));
        }
        fs::read(path)
    };
    read().map_err(|source| TeamFileError::Read { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_in_errors() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let good = file("good", "$ORIGIN a.example.\n@ 60 SOA a a 1 2 3 4 5\nb 60 A 192.0.2.1\n");
        let bad = file("bad", "$ORIGIN a.example.\n@ 60 SOA a a 1 2 3 4 5\nb 60 A 192.0.2.999\n");
        let list = file("list", "ads.example\n%%%\nfine.example\n");
        let nothing = file("nothing", "# empty\n%%%\n");
        let load = |zones: &[&PathBuf], block: &[&PathBuf]| {
            let own = |paths: &[&PathBuf]| paths.iter().map(|path| (*path).clone()).collect();
            let unblock = vec!["fine.example".to_owned()];
            let serving = DnsServing { zones: own(zones), block: own(block), unblock, ..DnsServing::default() };
            let mut settings = dns::Settings::default();
            load_team_files(&serving, &mut settings).map(|()| settings).map_err(|error| error.to_string())
        };
        let settings = load(&[&good], &[&list]).unwrap();
        assert_eq!((settings.zone_files.len(), settings.blocked.len()), (1, 1));
        let says = load(&[&bad], &[]).unwrap_err();
        assert!(says.starts_with(&format!("{}:3:", bad.display())), "{says}");
        let says = load(&[], &[&nothing]).unwrap_err();
        assert!(says.starts_with(&format!("{}:2: not one name", nothing.display())), "{says}");
        let says = load(&[&directory.path().join("none")], &[]).unwrap_err();
        assert!(says.contains("cannot be read"), "{says}");
    }
}
