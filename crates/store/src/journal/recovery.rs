use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::record::JournalRecord;
use crate::{
    durable::{self, NewFile},
    segment::{self, Kind, Scanned, read_file, scan, segment_path},
};

const ASIDE_PREFIX: &str = "damaged-";
const SNAPSHOT_PREFIX: &str = "snapshot-";

/// What reading the journal found. Anything but zero in the last three deserves a look at the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// Leases recovered, one for each address.
    pub leases: u64,
    /// Records read from the snapshot.
    pub snapshot_records: u64,
    /// Records read from segments.
    pub segment_records: u64,
    /// Segments read.
    pub segments: u64,
    /// Octets of a write that a crash cut; none of it had been committed.
    pub torn_bytes: u64,
    /// Damaged places with good records behind them; the records in them are lost.
    pub damaged: u64,
    /// Whole records of a format this version does not know.
    pub unknown: u64,
}

/// The newest record of each address, still encoded.
pub(super) type Records<L> = BTreeMap<<L as JournalRecord>::Key, Box<[u8]>>;

/// The state of a journal directory.
pub(super) struct Replayed<L: JournalRecord> {
    pub(super) records: Records<L>,
    pub(super) recovery: Recovery,
    /// The snapshot used, if there was one, and its size.
    pub(super) snapshot: Option<(u64, u64)>,
    /// Each segment after it, with its length on disk and what was found in it.
    pub(super) segments: Vec<(u64, u64, Scanned)>,
    /// Files with damage or unknown records in them.
    doubtful: Vec<PathBuf>,
}

/// Reads snapshot and segments up to `through`, in order; later records replace earlier ones of their address.
pub(super) fn replay<L: JournalRecord>(dir: &Path, through: u64) -> io::Result<Replayed<L>> {
    let snapshot = segment::numbered(dir, SNAPSHOT_PREFIX)?.into_iter().rfind(|&number| number <= through);
    let mut replayed = Replayed::<L> {
        records: BTreeMap::new(),
        recovery: Recovery::default(),
        snapshot: None,
        segments: Vec::new(),
        doubtful: Vec::new(),
    };
    if let Some(number) = snapshot {
        let (length, scanned) = replayed.take(&snapshot_path(dir, number), Kind::LeaseSnapshot, number)?;
        replayed.recovery.snapshot_records = scanned.frames;
        // A snapshot was renamed whole: whatever misses is the disk's fault, not a crash.
        replayed.recovery.damaged += u64::from(scanned.torn_bytes > 0);
        replayed.snapshot = Some((number, length));
    }
    for sequence in segment::sequences(dir)? {
        if snapshot.is_some_and(|number| sequence <= number) || sequence > through {
            continue;
        }
        let (length, scanned) = replayed.take(&segment_path(dir, sequence), Kind::Leases, sequence)?;
        replayed.recovery.segment_records += scanned.frames;
        replayed.recovery.torn_bytes += scanned.torn_bytes;
        replayed.recovery.segments += 1;
        replayed.segments.push((sequence, length, scanned));
    }
    replayed.recovery.leases = replayed.records.len() as u64;
    Ok(replayed)
}

impl<L: JournalRecord> Replayed<L> {
    fn take(&mut self, path: &Path, kind: Kind, sequence: u64) -> io::Result<(u64, Scanned)> {
        let bytes = read_file(File::open(path)?)?;
        let unknown_before = self.recovery.unknown;
        let scanned = scan(&bytes, kind, sequence, |payload| match L::key(payload) {
            Some(address) => {
                self.records.insert(address, payload.into());
            }
            None => self.recovery.unknown += 1,
        });
        self.recovery.damaged += scanned.damaged;
        if scanned.damaged > 0 || self.recovery.unknown > unknown_before {
            self.doubtful.push(path.to_owned());
        }
        Ok((bytes.len() as u64, scanned))
    }

    /// Decodes; a record that cannot be decoded is counted and left out.
    pub(super) fn leases(&mut self) -> Vec<L> {
        let mut leases = Vec::with_capacity(self.records.len());
        for payload in self.records.values() {
            match L::decode(payload) {
                Some(lease) => leases.push(lease),
                None => self.recovery.unknown += 1,
            }
        }
        self.recovery.leases = leases.len() as u64;
        leases
    }
}

/// Writes the state up to `through` as a snapshot; it takes the place of everything up to there. Answers its size.
///
/// A crash at any point leaves either the old files whole, or the new snapshot whole and perhaps old files that
/// [`remove_superseded`] takes away later: nothing is removed before the snapshot is durable under its name.
pub(super) fn write_snapshot<K>(dir: &Path, through: u64, records: &BTreeMap<K, Box<[u8]>>) -> io::Result<u64> {
    let new = NewFile::create(&snapshot_path(dir, through))?;
    let payloads = records.values().map(|payload| &**payload);
    match segment::whole_file(Kind::LeaseSnapshot, through, payloads, |octets| new.file().write_all(octets)) {
        Ok(()) => Ok(new.publish()?.metadata()?.len()),
        Err(error) => {
            new.discard();
            Err(error)
        }
    }
}

/// Renames what could not be read whole instead of removing it, so that a person may still save it. Keeps a few.
pub(super) fn set_aside<L: JournalRecord>(dir: &Path, replayed: &Replayed<L>) -> io::Result<()> {
    const KEPT_MAX: usize = 4;
    let kept = segment::numbered(dir, ASIDE_PREFIX)?;
    let first = kept.last().map_or(1, |last| last + 1);
    for (number, path) in (first..).zip(&replayed.doubtful).take(KEPT_MAX.saturating_sub(kept.len())) {
        fs::rename(path, dir.join(format!("{ASIDE_PREFIX}{number:09}")))?;
    }
    Ok(())
}

/// Removes segments and snapshots that the snapshot `through` has replaced.
pub(super) fn remove_superseded(dir: &Path, through: u64) -> io::Result<()> {
    for number in segment::numbered(dir, SNAPSHOT_PREFIX)?.into_iter().filter(|&number| number < through) {
        durable::remove_if_there(&snapshot_path(dir, number))?;
    }
    for sequence in segment::sequences(dir)?.into_iter().filter(|&sequence| sequence <= through) {
        durable::remove_if_there(&segment_path(dir, sequence))?;
    }
    durable::sync_dir(dir)
}

/// Cuts a segment behind its last whole record, so that a torn tail never stands in the middle of the history.
pub(super) fn cut(dir: &Path, sequence: u64, good_end: u64) -> io::Result<()> {
    let file = File::options().write(true).open(segment_path(dir, sequence))?;
    file.set_len(good_end)?;
    file.sync_all()
}

/// Replays beside a writer: a compaction may take files away meanwhile, then it starts again.
pub(super) fn replay_beside_writer<L: JournalRecord>(dir: &Path) -> io::Result<Replayed<L>> {
    const ATTEMPTS_MAX: u32 = 10;
    let newest = || segment::numbered(dir, SNAPSHOT_PREFIX).map(|numbers| numbers.last().copied());
    let mut attempt = 0;
    loop {
        let before = newest()?;
        attempt += 1;
        match replay(dir, u64::MAX) {
            Ok(replayed) if newest()? == before || attempt == ATTEMPTS_MAX => return Ok(replayed),
            Err(error) if error.kind() != io::ErrorKind::NotFound || attempt == ATTEMPTS_MAX => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
}

fn snapshot_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{SNAPSHOT_PREFIX}{number:09}"))
}

/// Octets of all files in `dir`.
pub(super) fn size_of(dir: &Path) -> io::Result<u64> {
    fs::read_dir(dir)?.try_fold(0, |sum, entry| Ok(sum + entry?.metadata()?.len()))
}
