//! Messages that wait on disk for somebody who is away, oldest first, within a bound.
//!
//! One file a message, named by its number: durable when [`Spool::push`] returns, gone when [`Spool::pop`] does. When
//! there is no room the oldest go, for the newest say more of what is wrong now.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{StateDir, durable};

/// How much may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpoolLimits {
    /// Messages, and so files.
    pub messages_max: usize,
    /// Bytes of all messages.
    pub bytes_max: u64,
    /// Bytes of the file system that are left to leases and logs.
    pub bytes_free_min: u64,
}

/// Messages that wait. One process writes it, the one that serves the state directory.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    limits: SpoolLimits,
    /// Number and bytes of each, oldest first.
    waiting: VecDeque<(u64, u64)>,
    bytes: u64,
    next: u64,
    dropped: u64,
}

impl Spool {
    /// Opens the spool `name` of a state directory and finds what an earlier run left. `name` is ours, never from the
    /// network.
    pub fn open(state: &StateDir, name: &str, limits: SpoolLimits) -> io::Result<Self> {
        let dir = state.path().join("spool").join(name);
        durable::create_dir(&dir)?;
        durable::remove_temporaries(&dir)?;
        let mut waiting = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            // What is not ours is left alone.
            if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                waiting.push((number, entry.metadata()?.len()));
            }
        }
        waiting.sort_unstable();
        let bytes = waiting.iter().map(|(_, bytes)| bytes).sum();
        let next = waiting.last().map_or(0, |(number, _)| number + 1);
        let mut spool = Self { dir, limits, waiting: waiting.into(), bytes, next, dropped: 0 };
        spool.make_room(0)?;
        Ok(spool)
    }

    /// Adds a message; the oldest make room for it. Errors: the disk's, and `StorageFull` when too little of it is free;
    /// the message is then counted as dropped.
    pub fn push(&mut self, message: &[u8]) -> io::Result<()> {
        self.keep(message).inspect_err(|_| self.dropped += 1)
    }

    /// The oldest message; `None` when nothing waits.
    pub fn front(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(&(number, _)) = self.waiting.front() {
            match fs::read(self.path(number)) {
                Ok(message) => return Ok(Some(message)),
                // Somebody removed it; so be it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.drop_oldest()?,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Forgets the oldest message.
    pub fn pop(&mut self) -> io::Result<()> {
        let Some(&(number, bytes)) = self.waiting.front() else { return Ok(()) };
        durable::remove_if_there(&self.path(number))?;
        self.waiting.pop_front();
        self.bytes = self.bytes.saturating_sub(bytes);
        Ok(())
    }

    /// Messages that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Messages that were given up for want of room since it was opened.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn keep(&mut self, message: &[u8]) -> io::Result<()> {
        let bytes = message.len() as u64;
        if bytes > self.limits.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.make_room(bytes)?;
        if durable::free_space(&self.dir)?.bytes < self.limits.bytes_free_min.saturating_add(bytes) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        durable::write_atomically(&self.path(self.next), message)?;
        self.waiting.push_back((self.next, bytes));
        (self.bytes, self.next) = (self.bytes + bytes, self.next + 1);
        Ok(())
    }

    /// Until a message of so many bytes fits; none of 0 bytes is expected.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        let messages_max = self.limits.messages_max.saturating_sub(usize::from(bytes > 0));
        while !self.waiting.is_empty()
            && (self.waiting.len() > messages_max || self.bytes.saturating_add(bytes) > self.limits.bytes_max)
        {
            self.drop_oldest()?;
        }
        Ok(())
    }

    fn drop_oldest(&mut self) -> io::Result<()> {
        self.pop()?;
        self.dropped += 1;
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        Path::join(&self.dir, format!("{number:020}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    const LIMITS: SpoolLimits = SpoolLimits { messages_max: 3, bytes_max: 100, bytes_free_min: 0 };

    fn spool(dir: &Path, limits: SpoolLimits) -> Spool {
        let state = StateDir::open(&dir.join("state"), "Small", Mode::Serve).unwrap();
        Spool::open(&state, "feed", limits).unwrap()
    }

    fn drain(mut spool: Spool) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some(message) = spool.front().unwrap() {
            messages.push(message);
            spool.pop().unwrap();
        }
        assert_eq!((spool.len(), spool.bytes()), (0, 0));
        messages
    }

    /// Pushes messages of so many octets each, then opens it again; the sizes left and how many were dropped.
    fn check(limits: SpoolLimits, pushed: &[usize], expected: &[usize], dropped: u64) {
        let dir = tempfile::tempdir().unwrap();
        let mut written = spool(dir.path(), limits);
        for size in pushed {
            let _ = written.push(&vec![*size as u8; *size]);
        }
        assert_eq!(written.dropped(), dropped, "{pushed:?}");
        drop(written);
        let expected: Vec<Vec<u8>> = expected.iter().map(|size| vec![*size as u8; *size]).collect();
        assert_eq!(drain(spool(dir.path(), limits)), expected, "{pushed:?}");
    }

    #[test]
    fn what_waits_outlives_a_restart_and_the_oldest_make_room() {
        check(LIMITS, &[], &[], 0);
        check(LIMITS, &[1, 2, 3], &[1, 2, 3], 0);
        check(LIMITS, &[1, 2, 3, 4, 5], &[3, 4, 5], 2);
        check(LIMITS, &[60, 30, 20], &[30, 20], 1);
        check(LIMITS, &[60, 100], &[100], 1);
        check(LIMITS, &[60, 101], &[60], 1);
        check(SpoolLimits { bytes_free_min: u64::MAX, ..LIMITS }, &[1, 2], &[], 2);
    }

    #[test]
    fn a_file_that_vanished_or_is_not_ours_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = spool(dir.path(), LIMITS);
        for size in [1, 2] {
            spool.push(&[size]).unwrap();
        }
        fs::write(spool.dir.join("notes.txt"), "of a person").unwrap();
        fs::remove_file(spool.path(0)).unwrap();
        assert_eq!(spool.front().unwrap(), Some(vec![2]));
        assert_eq!(spool.dropped(), 1);
        let dir = spool.dir.clone();
        assert_eq!(drain(spool), [[2]]);
        assert!(dir.join("notes.txt").exists());
    }

    #[test]
    fn fewer_may_wait_than_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut many = spool(dir.path(), LIMITS);
        (1..=3).for_each(|size| many.push(&[size]).unwrap());
        drop(many);
        assert_eq!(drain(spool(dir.path(), SpoolLimits { messages_max: 2, ..LIMITS })), [[2], [3]]);
    }
}
