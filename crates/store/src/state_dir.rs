use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::durable;

/// The format this version writes; it refuses a newer one.
const FORMAT_VERSION: u32 = 1;
const STATE_FILE: &str = "state.json";
const LOCK_FILE: &str = "lock";
const DOCUMENTS_DIR: &str = "documents";

/// What the directory is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// To serve: creates what is missing and keeps every other server out until dropped.
    Serve,
    /// To read, also while a server writes: creates and locks nothing.
    Read,
}

/// The state directory of one event.
///
/// ```text
/// state.json          format version, event name
/// lock                held by the server
/// documents/NAME      small whole files
/// leases/ leases6/    journal segments and snapshot
/// telemetry/ring/     segments not yet sealed
/// telemetry/log/  telemetry/sample/    sealed Parquet
/// incidents.sqlite
/// ```
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    event_name: String,
    /// Held open: the lock ends with it.
    _lock: Option<File>,
}

/// Why a state directory could not be opened. Each says the path and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It holds the state of another event.
    #[error("`{path}` holds the state of event `{found}`, not of `{wanted}`; give another directory with --state")]
    OtherEvent {
        /// The directory.
        path: PathBuf,
        /// The event whose state it is.
        found: String,
        /// The event asked for.
        wanted: String,
    },
    /// Another process serves from it.
    #[error("`{path}` is in use by another hotstage; stop that one first, or give another directory with --state")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("`{path}` cannot be written; make it writable for this user, or give another directory with --state")]
    ReadOnly {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer hotstage wrote it.
    #[error("`{path}` has state format {found}, this hotstage knows up to {known}; run the newer hotstage")]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// It is not a directory, or holds files but no state.
    #[error("`{path}` is not a state directory; give an empty or new directory, or one that `hotstage run` has made")]
    NotState {
        /// The directory.
        path: PathBuf,
    },
    /// `state.json` cannot be understood.
    #[error("`{path}` is damaged; restore it, or remove it if the state may be lost")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Its file system has not the room that leases need.
    #[error(
        "`{path}` has {free} bytes of free space, less than the {needed} that leases need; free some, or give another directory with --state"
    )]
    NoSpace {
        /// The directory.
        path: PathBuf,
        /// Bytes free to this user.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// Anything else the system refused.
    #[error("`{path}` cannot be opened; check the path, its permissions and the free space")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Free space that a new state directory needs: the first segments of the lease journal and of the telemetry ring.
const NEW_STATE_BYTES_MIN: u64 = 96 << 20;

#[derive(Serialize, Deserialize)]
struct State {
    format: u32,
    event: String,
}

impl StateDir {
    /// Opens, and for [`Mode::Serve`] creates, the state directory of `event_name`. An empty name with
    /// [`Mode::Read`] takes whatever event is there.
    pub fn open(path: &Path, event_name: &str, mode: Mode) -> Result<Self, OpenError> {
        match mode {
            Mode::Serve => Self::open_to_serve(path, event_name),
            Mode::Read => {
                let state = read_state(path)?.ok_or_else(|| OpenError::NotState { path: path.to_owned() })?;
                check_state(path, &state, event_name)?;
                Ok(Self { path: path.to_owned(), event_name: state.event, _lock: None })
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose state it is.
    pub fn event_name(&self) -> &str {
        &self.event_name
    }

    /// Replaces a small document, whole and durable. `name` is ours, never from the network: letters, digits, `.`,
    /// `-`, `_`, and no dot in front.
    pub fn write_document(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let dir = self.path.join(DOCUMENTS_DIR);
        let path = dir.join(document_name(name)?);
        durable::create_dir(&dir)?;
        durable::write_atomically(&path, bytes)
    }

    /// Reads a document; `None` when it was never written.
    pub fn read_document(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path.join(DOCUMENTS_DIR).join(document_name(name)?)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_to_serve(path: &Path, event_name: &str) -> Result<Self, OpenError> {
        let found = read_state(path)?;
        if let Some(state) = &found {
            check_state(path, state, event_name)?;
        }
        durable::create_dir(path).map_err(|source| refused(path, source))?;
        if found.is_none() && !is_empty(path).map_err(|source| refused(path, source))? {
            return Err(OpenError::NotState { path: path.to_owned() });
        }
        let lock = lock(path)?;
        if found.is_none() {
            // Later starts must come up on a full disk too: their lease journal has its room already.
            let free = durable::free_space(path).map_err(|source| refused(path, source))?.bytes;
            if free < NEW_STATE_BYTES_MIN {
                return Err(OpenError::NoSpace { path: path.to_owned(), free, needed: NEW_STATE_BYTES_MIN });
            }
            let state = State { format: FORMAT_VERSION, event: event_name.to_owned() };
            let file = path.join(STATE_FILE);
            serde_json::to_vec_pretty(&state)
                .map_err(io::Error::from)
                .and_then(|bytes| durable::write_atomically(&file, &bytes))
                .map_err(|source| refused(&file, source))?;
        }
        Ok(Self { path: path.to_owned(), event_name: event_name.to_owned(), _lock: Some(lock) })
    }
}

/// True when nothing is there but what our own interrupted first open may have left.
fn is_empty(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != LOCK_FILE && name != "state.json.tmp" && name != "lost+found" {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let file = path.join(LOCK_FILE);
    let opened = File::options().create(true).truncate(false).write(true).open(&file);
    let lock = opened.map_err(|source| refused(path, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path: file, source }),
    }
}

/// `None` when there is no directory or no state in it yet.
fn read_state(path: &Path) -> Result<Option<State>, OpenError> {
    let file = path.join(STATE_FILE);
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                io::ErrorKind::NotADirectory => Err(OpenError::NotState { path: path.to_owned() }),
                _ => Err(OpenError::Io { path: file, source: error }),
            };
        }
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|source| OpenError::Damaged { path: file, source })
}

fn check_state(path: &Path, state: &State, event_name: &str) -> Result<(), OpenError> {
    if state.format > FORMAT_VERSION {
        return Err(OpenError::NewerFormat { path: path.to_owned(), found: state.format, known: FORMAT_VERSION });
    }
    if !event_name.is_empty() && state.event != event_name {
        return Err(OpenError::OtherEvent {
            path: path.to_owned(),
            found: state.event.clone(),
            wanted: event_name.to_owned(),
        });
    }
    Ok(())
}

fn refused(path: &Path, source: io::Error) -> OpenError {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::ReadOnly { path: path.to_owned(), source }
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => OpenError::NotState { path: path.to_owned() },
        _ => OpenError::Io { path: path.to_owned(), source },
    }
}

fn document_name(name: &str) -> io::Result<&str> {
    let is_plain = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_'));
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !is_plain {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{name}` is not a document name")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_belongs_to_one_event_and_one_server() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let serving = StateDir::open(&path, "one", Mode::Serve).unwrap();
        assert!(matches!(StateDir::open(&path, "one", Mode::Serve), Err(OpenError::InUse { .. })));
        assert!(matches!(StateDir::open(&path, "two", Mode::Serve), Err(OpenError::OtherEvent { .. })));
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700, "nobody else may read it");
        assert_eq!(StateDir::open(&path, "", Mode::Read).unwrap().event_name(), "one");
        drop(serving);
        StateDir::open(&path, "one", Mode::Serve).unwrap();
    }

    #[test]
    fn refuses_what_is_not_its_own() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(StateDir::open(temp.path(), "e", Mode::Serve), Err(OpenError::NotState { .. })));
        assert!(matches!(StateDir::open(&file, "e", Mode::Serve), Err(OpenError::NotState { .. })));
        assert!(matches!(StateDir::open(&temp.path().join("none"), "e", Mode::Read), Err(OpenError::NotState { .. })));
        fs::remove_file(&file).unwrap();
        let state = temp.path().join(STATE_FILE);
        fs::write(&state, r#"{"format":99,"event":"e"}"#).unwrap();
        assert!(matches!(StateDir::open(temp.path(), "e", Mode::Serve), Err(OpenError::NewerFormat { found: 99, .. })));
        fs::write(&state, "{").unwrap();
        assert!(matches!(StateDir::open(temp.path(), "e", Mode::Serve), Err(OpenError::Damaged { .. })));
        let said = StateDir::open(temp.path(), "e", Mode::Serve).unwrap_err().to_string();
        assert!(said.contains("state.json"), "{said}");
    }

    #[test]
    fn documents_are_replaced_whole_and_stay_inside() {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&temp.path().join("s"), "e", Mode::Serve).unwrap();
        assert_eq!(dir.read_document("summary.json").unwrap(), None);
        for bytes in [&b"first, longer"[..], b"second"] {
            dir.write_document("summary.json", bytes).unwrap();
            assert_eq!(dir.read_document("summary.json").unwrap().as_deref(), Some(bytes));
        }
        for name in ["", ".", "..", "../x", "a/b", ".hidden", "a\0b"] {
            assert!(dir.write_document(name, b"").is_err(), "{name}");
            assert!(dir.read_document(name).is_err(), "{name}");
        }
    }
}
