//! The few file operations that survive a power cut.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// Suffix of files that are not finished; whoever opens the directory for writing removes them.
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Makes creations, renames and removals in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Creates `dir` and its missing parents, for this user alone (they hold personal data); durable.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    sync_dir(dir)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        Some(_) | None => Ok(()),
    }
}

/// A file that appears under its name whole and durable, or not at all.
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl NewFile {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(TEMPORARY_SUFFIX);
        let temporary = PathBuf::from(temporary);
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&temporary)?;
        Ok(Self { path: path.to_owned(), temporary, file })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Syncs, renames, syncs the directory. Answers the file, open for reading and writing.
    pub(crate) fn publish(self) -> io::Result<File> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        sync_dir(self.path.parent().unwrap_or(Path::new(".")))?;
        Ok(self.file)
    }

    /// Removes what was written; the name was never taken.
    pub(crate) fn discard(self) {
        // A left-over is removed at the next open, so a failure here loses nothing.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Replaces `path` by `bytes`; after a crash it holds the old or the new bytes, whole.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = NewFile::create(path)?;
    match new.file().write_all(bytes) {
        Ok(()) => new.publish().map(|_| ()),
        Err(error) => {
            new.discard();
            Err(error)
        }
    }
}

/// Removes what writers that died left unfinished in `dir`.
pub(crate) fn remove_temporaries(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().ends_with(TEMPORARY_SUFFIX.as_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file that may be gone already.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What an unprivileged user may still use on a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FreeSpace {
    pub(crate) bytes: u64,
    /// `u64::MAX` where the file system has no fixed number of inodes.
    pub(crate) files: u64,
}

pub(crate) fn free_space(path: &Path) -> io::Result<FreeSpace> {
    let status = nix::sys::statvfs::statvfs(path)?;
    let files = if status.files() == 0 { u64::MAX } else { status.files_available() };
    Ok(FreeSpace { bytes: status.blocks_available().saturating_mul(status.fragment_size()), files })
}

/// All of a file system, used or not.
pub(crate) fn whole_space(path: &Path) -> io::Result<FreeSpace> {
    let status = nix::sys::statvfs::statvfs(path)?;
    let files = if status.files() == 0 { u64::MAX } else { status.files() };
    Ok(FreeSpace { bytes: status.blocks().saturating_mul(status.fragment_size()), files })
}
