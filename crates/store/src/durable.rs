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
    let changed = dirs_to_sync(dir, |ancestor| ancestor.exists());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    changed.iter().try_for_each(|dir| sync_dir(dir))
}

/// `dir` itself and every directory that an entry is made in when `dir` and its missing parents are created; the parent
/// of `dir` in any case, as an earlier run may have been cut before it synced it.
fn dirs_to_sync(dir: &Path, is_there: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut changed = vec![dir.to_owned()];
    for ancestor in dir.ancestors().skip(1) {
        // The first part of a relative path is an entry of the working directory.
        let ancestor = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
        changed.push(ancestor.to_owned());
        if is_there(ancestor) {
            break;
        }
    }
    changed
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_new_entry_is_synced() {
        for (dir, there, want) in [
            ("/srv/event/state", "/srv/event", vec!["/srv/event/state", "/srv/event"]),
            ("/srv/event/state", "/srv", vec!["/srv/event/state", "/srv/event", "/srv"]),
            ("/srv/event/state", "/srv/event/state", vec!["/srv/event/state", "/srv/event"]),
            ("a/b/c", ".", vec!["a/b/c", "a/b", "a", "."]),
            ("state", ".", vec!["state", "."]),
            ("/", "/", vec!["/"]),
        ] {
            let is_there = |ancestor: &Path| ancestor == Path::new(".") || Path::new(there).starts_with(ancestor);
            let want: Vec<_> = want.into_iter().map(PathBuf::from).collect();
            assert_eq!(dirs_to_sync(Path::new(dir), is_there), want, "{dir}, {there} is there");
        }
        let temp = tempfile::tempdir().unwrap();
        create_dir(&temp.path().join("a/b/c")).unwrap();
        create_dir(&temp.path().join("a/b/c")).unwrap();
        assert!(temp.path().join("a/b/c").is_dir());
    }
}
