use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::record::JournalRecord;
use crate::{
    durable::{self, NewFile},
    segment::{self, Kind, Scanned, WholeFile, read_file, scan, segment_path},
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

/// What a journal directory holds, besides the records.
#[derive(Default)]
pub(super) struct Replayed {
    pub(super) recovery: Recovery,
    /// The snapshot used, if there was one, and its size.
    pub(super) snapshot: Option<(u64, u64)>,
    /// Each segment after it, with its length on disk and what was found in it.
    pub(super) segments: Vec<(u64, u64, Scanned)>,
    /// Files with damage or unknown records in them.
    doubtful: Vec<PathBuf>,
}

/// Gives the newest record of each address up to `through` to `visit`, still encoded, in no order.
///
/// Reads from the newest record back, so one file at a time is in memory and an address for each record seen.
pub(super) fn replay<L: JournalRecord>(
    dir: &Path,
    through: u64,
    visit: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Replayed> {
    let snapshot = segment::numbered(dir, SNAPSHOT_PREFIX)?.into_iter().rfind(|&number| number <= through);
    let mut replay = Replay::<L, _> { replayed: Replayed::default(), seen: HashSet::default(), visit };
    for sequence in segment::sequences(dir)?.into_iter().rev() {
        if snapshot.is_some_and(|number| sequence <= number) || sequence > through {
            continue;
        }
        let (length, scanned) = replay.take(&segment_path(dir, sequence), Kind::Leases, sequence)?;
        let recovery = &mut replay.replayed.recovery;
        recovery.segment_records += scanned.frames;
        recovery.torn_bytes += scanned.torn_bytes;
        recovery.segments += 1;
        replay.replayed.segments.push((sequence, length, scanned));
    }
    if let Some(number) = snapshot {
        let (length, scanned) = replay.take(&snapshot_path(dir, number), Kind::LeaseSnapshot, number)?;
        let recovery = &mut replay.replayed.recovery;
        recovery.snapshot_records = scanned.frames;
        // A snapshot was renamed whole: whatever misses is the disk's fault, not a crash.
        recovery.damaged += u64::from(scanned.torn_bytes > 0);
        replay.replayed.snapshot = Some((number, length));
    }
    let mut replayed = replay.replayed;
    replayed.segments.reverse();
    replayed.doubtful.reverse();
    replayed.recovery.leases = replay.seen.len() as u64;
    Ok(replayed)
}

struct Replay<L: JournalRecord, V> {
    replayed: Replayed,
    /// Seeded: the keys are addresses that clients may have a say in.
    seen: HashSet<L::Key, foldhash::fast::RandomState>,
    visit: V,
}

impl<L: JournalRecord, V: FnMut(&[u8]) -> io::Result<()>> Replay<L, V> {
    fn take(&mut self, path: &Path, kind: Kind, sequence: u64) -> io::Result<(u64, Scanned)> {
        let bytes = read_file(File::open(path)?)?;
        let mut payloads = Vec::new();
        let scanned = scan(&bytes, kind, sequence, |payload| payloads.push(payload));
        let unknown_before = self.replayed.recovery.unknown;
        for payload in payloads.into_iter().rev() {
            match L::key(payload) {
                Some(address) if self.seen.insert(address) => (self.visit)(payload)?,
                Some(_) => {}
                None => self.replayed.recovery.unknown += 1,
            }
        }
        self.replayed.recovery.damaged += scanned.damaged;
        if scanned.damaged > 0 || self.replayed.recovery.unknown > unknown_before {
            self.replayed.doubtful.push(path.to_owned());
        }
        Ok((bytes.len() as u64, scanned))
    }
}

/// The newest record of each address, in no order. One that cannot be decoded is counted and left out.
pub(super) fn recover<L: JournalRecord>(dir: &Path) -> io::Result<(Vec<L>, Replayed)> {
    let (mut leases, mut unknown) = (Vec::new(), 0);
    let mut replayed = replay::<L>(dir, u64::MAX, |payload| {
        match L::decode(payload) {
            Some(lease) => leases.push(lease),
            None => unknown += 1,
        }
        Ok(())
    })?;
    replayed.recovery.unknown += unknown;
    replayed.recovery.leases = leases.len() as u64;
    Ok((leases, replayed))
}

/// Writes the state up to `through` as a snapshot; it takes the place of everything up to there. Answers its size and
/// what was read for it.
///
/// A crash at any point leaves either the old files whole, or the new snapshot whole and perhaps old files that
/// [`remove_superseded`] takes away later: nothing is removed before the snapshot is durable under its name.
pub(super) fn write_snapshot<L: JournalRecord>(dir: &Path, through: u64) -> io::Result<(u64, Replayed)> {
    let new = NewFile::create(&snapshot_path(dir, through))?;
    let written = (|| {
        let mut file = WholeFile::begin(Kind::LeaseSnapshot, through, new.file());
        let replayed = replay::<L>(dir, through, |payload| file.put(payload))?;
        file.finish()?;
        Ok(replayed)
    })();
    match written {
        Ok(replayed) => Ok((new.publish()?.metadata()?.len(), replayed)),
        Err(error) => {
            new.discard();
            Err(error)
        }
    }
}

/// Renames what could not be read whole instead of removing it, so that a person may still save it. Keeps a few.
pub(super) fn set_aside(dir: &Path, replayed: &Replayed) -> io::Result<()> {
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

/// As [`recover`], by address and beside a writer: a compaction may take files away meanwhile, then it starts again.
pub(super) fn recover_beside_writer<L: JournalRecord>(dir: &Path) -> io::Result<(Vec<L>, Recovery)> {
    const ATTEMPTS_MAX: u32 = 10;
    let newest = || segment::numbered(dir, SNAPSHOT_PREFIX).map(|numbers| numbers.last().copied());
    let mut attempt = 0;
    loop {
        let before = newest()?;
        attempt += 1;
        match recover(dir) {
            Ok((mut leases, replayed)) if newest()? == before || attempt == ATTEMPTS_MAX => {
                leases.sort_unstable_by_key(L::address);
                return Ok((leases, replayed.recovery));
            }
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
