//! The lease journal: every lease on disk before the message that grants it leaves (RFC 2131 section 3.1 step 4; for
//! IPv6 the same holds of a REPLY).

mod record;
mod record6;
mod recovery;

pub use record::JournalRecord;
pub use recovery::Recovery;

use std::{
    fs::File,
    io,
    marker::PhantomData,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use model::{Lease, Lease6};
use recovery::{cut, recover, recover_beside_writer, remove_superseded, set_aside, size_of, write_snapshot};

use crate::{
    StateDir, durable,
    segment::{Kind, Writer, create_segment, segment_path},
};

/// How much disk the journal may use beyond two snapshots of the leases held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalLimits {
    /// Preallocated size of a segment, in octets. One batch may go beyond it.
    pub segment_bytes: u64,
    /// Full segments that may wait while a compaction runs; then commits wait for it.
    pub segments_max: u64,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self { segment_bytes: 32 << 20, segments_max: 8 }
    }
}

/// Appends leases, in batches that are durable when [`LeaseJournal::commit`] returns.
///
/// ```text
/// append -> buffer -> commit (one write, one fdatasync) -> segment N -- full --> sealed, segment N+1 begins
///                                                            sealed >= snapshot: a thread of its own merges
///                                                            snapshot + sealed into a new snapshot, then removes both
/// ```
/// The newest record of an address counts. Recovery: snapshot, then segments up to the last whole record.
///
/// `L` is what is kept: [`Lease`], or [`Lease6`] in a directory of its own.
#[derive(Debug)]
pub struct LeaseJournal<L: JournalRecord = Lease> {
    dir: PathBuf,
    limits: JournalLimits,
    writer: Writer,
    /// Segments before the one being written and after the snapshot, and their octets.
    sealed: u64,
    sealed_bytes: u64,
    snapshot_bytes: u64,
    compaction: Option<Compaction>,
    /// Makes the file of the next segment, so that no commit waits for it.
    next_file: Option<JoinHandle<io::Result<File>>>,
    status: JournalStatus,
    keeps: PhantomData<fn(&L)>,
}

#[derive(Debug)]
struct Compaction {
    thread: JoinHandle<io::Result<u64>>,
    segments: u64,
    bytes: u64,
}

/// Counts since the journal was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JournalStatus {
    /// Leases made durable.
    pub committed: u64,
    /// Batches, which are syncs.
    pub commits: u64,
    /// Leases of batches that failed; none of them was acknowledged.
    pub failed: u64,
    /// Compactions done.
    pub compactions: u64,
    /// Compactions that failed; they are tried again.
    pub compactions_failed: u64,
}

/// Why the journal could not be opened or read.
#[derive(Debug, thiserror::Error)]
#[error("the lease journal in `{path}` cannot be used; check permissions and free space")]
pub struct JournalError {
    /// The directory of the journal.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl<L: JournalRecord> LeaseJournal<L> {
    /// Recovers the leases and readies the journal, with default limits.
    pub fn open(state: &StateDir) -> Result<(Self, Vec<L>, Recovery), JournalError> {
        Self::open_with(state, JournalLimits::default())
    }

    /// Recovers the leases, one for each address and in no order, and readies the journal for appending.
    pub fn open_with(state: &StateDir, limits: JournalLimits) -> Result<(Self, Vec<L>, Recovery), JournalError> {
        let dir = state.path().join(L::DIR);
        Self::open_dir(&dir, limits).map_err(|source| JournalError { path: dir, source })
    }

    fn open_dir(dir: &Path, limits: JournalLimits) -> io::Result<(Self, Vec<L>, Recovery)> {
        durable::create_dir(dir)?;
        durable::remove_temporaries(dir)?;
        let (leases, replayed) = recover::<L>(dir)?;
        let (snapshot, snapshot_bytes) = replayed.snapshot.unwrap_or((0, 0));
        if replayed.snapshot.is_some() {
            remove_superseded(dir, snapshot)?;
        }
        let (mut sealed, mut sealed_bytes) = (0, 0);
        for (sequence, length, scanned) in &replayed.segments {
            let good_end = scanned.good_end as u64;
            if scanned.frames == 0 && scanned.damaged == 0 {
                durable::remove_if_there(&segment_path(dir, *sequence))?;
                continue;
            }
            if *length > good_end {
                cut(dir, *sequence, good_end)?;
            }
            sealed += 1;
            sealed_bytes += good_end;
        }
        let next = replayed.segments.last().map_or(snapshot, |(sequence, ..)| *sequence) + 1;
        let mut writer = Writer::new(Kind::Leases, dir, next, limits.segment_bytes, Vec::new());
        writer.prepare()?;
        let status = JournalStatus::default();
        let mut journal = Self {
            dir: dir.to_owned(),
            limits,
            writer,
            sealed,
            sealed_bytes,
            snapshot_bytes,
            compaction: None,
            next_file: None,
            status,
            keeps: PhantomData,
        };
        journal.compact_if_due();
        Ok((journal, leases, replayed.recovery))
    }

    /// Adds a lease to the batch, without a system call. It is durable after the next [`LeaseJournal::commit`].
    pub fn append(&mut self, lease: &L) {
        let is_put = self.writer.append(|buffer| lease.encode(buffer));
        debug_assert!(is_put, "four fields of 64 KiB are below the payload bound");
    }

    /// Makes the batch durable: one write, one `fdatasync`. Only then may its ACKs leave. An empty batch costs nothing.
    ///
    /// On an error (disk full, I/O) the whole batch is dropped and counted, nothing of it will be read as good, and
    /// no ACK may leave; the journal stays usable and the next commit works when the disk does.
    pub fn commit(&mut self) -> io::Result<()> {
        let leases = self.writer.unsynced_frames();
        if leases == 0 {
            return Ok(());
        }
        if let Err(error) = self.writer.sync() {
            self.status.failed += leases;
            return Err(error);
        }
        self.status.committed += leases;
        self.status.commits += 1;
        if self.writer.position() >= self.limits.segment_bytes {
            self.rotate();
        } else if self.writer.position() >= self.limits.segment_bytes / 2 && self.next_file.is_none() {
            self.prepare_next();
        }
        Ok(())
    }

    fn prepare_next(&mut self) {
        let (dir, sequence, bytes) = (self.dir.clone(), self.writer.sequence() + 1, self.limits.segment_bytes);
        let make = move || create_segment(Kind::Leases, &dir, sequence, bytes);
        // Without the thread the file is made by the commit that needs it.
        self.next_file = thread::Builder::new().name("lease-segment".to_owned()).spawn(make).ok();
    }

    /// The prepared file of the next segment. A failure is told by the commit that tries again.
    fn take_next(&mut self) -> Option<File> {
        self.next_file.take().and_then(|thread| thread.join().ok()).and_then(Result::ok)
    }

    /// Counts since the journal was opened.
    pub fn status(&self) -> JournalStatus {
        self.status
    }

    /// Octets on disk now. Reads the directory.
    pub fn bytes(&self) -> io::Result<u64> {
        size_of(&self.dir)
    }

    /// Begins a segment. A file that could not be prepared is made by the next commit, so a full disk is an error of
    /// that commit.
    fn rotate(&mut self) {
        self.sealed += 1;
        self.sealed_bytes += self.writer.position();
        let next = self.take_next();
        self.writer.begin_next(next);
        self.compact_if_due();
    }

    fn compact_if_due(&mut self) {
        let is_over = self.sealed >= self.limits.segments_max.max(1);
        if let Some(running) = &self.compaction {
            // Over the bound a commit waits for the compaction rather than let the disk fill.
            if !running.thread.is_finished() && !is_over {
                return;
            }
            self.finish_compaction();
        }
        let is_due = self.sealed > 0 && self.sealed_bytes >= self.snapshot_bytes.max(self.limits.segment_bytes);
        if !is_due && self.sealed < self.limits.segments_max.max(1) {
            return;
        }
        let (dir, through) = (self.dir.clone(), self.writer.sequence() - 1);
        let spawned =
            thread::Builder::new().name("lease-compaction".to_owned()).spawn(move || compact::<L>(&dir, through));
        match spawned {
            Ok(thread) => {
                self.compaction = Some(Compaction { thread, segments: self.sealed, bytes: self.sealed_bytes });
            }
            Err(_) => self.status.compactions_failed += 1,
        }
    }

    /// Waits for the running compaction, if any.
    fn finish_compaction(&mut self) {
        let Some(compaction) = self.compaction.take() else { return };
        match compaction.thread.join() {
            Ok(Ok(snapshot_bytes)) => {
                self.snapshot_bytes = snapshot_bytes;
                self.sealed -= compaction.segments;
                self.sealed_bytes -= compaction.bytes;
                self.status.compactions += 1;
            }
            Ok(Err(_)) | Err(_) => self.status.compactions_failed += 1,
        }
    }
}

impl<L: JournalRecord> Drop for LeaseJournal<L> {
    /// Waits for its threads, so that the directory is quiet when its lock goes.
    fn drop(&mut self) {
        self.finish_compaction();
        self.take_next();
    }
}

fn compact<L: JournalRecord>(dir: &Path, through: u64) -> io::Result<u64> {
    let (bytes, replayed) = write_snapshot::<L>(dir, through)?;
    set_aside(dir, &replayed)?;
    remove_superseded(dir, through)?;
    Ok(bytes)
}

/// The IPv4 leases of the state directory `path`, one for each address, also while a daemon writes them.
pub fn read_leases(path: &Path) -> Result<(Vec<Lease>, Recovery), JournalError> {
    read(path)
}

/// The IPv6 leases of the state directory `path`, one for each address, also while a daemon writes them. A directory
/// that never kept any has none.
pub fn read_leases6(path: &Path) -> Result<(Vec<Lease6>, Recovery), JournalError> {
    read(path)
}

fn read<L: JournalRecord>(path: &Path) -> Result<(Vec<L>, Recovery), JournalError> {
    let dir = path.join(L::DIR);
    recover_beside_writer::<L>(&dir).map_err(|source| JournalError { path: dir, source })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, net::Ipv4Addr};

    use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

    use super::{record::tests::any_lease, *};
    use crate::segment::{FRAME_HEADER_BYTES, sequences};

    const SMALL: JournalLimits = JournalLimits { segment_bytes: 2_000, segments_max: 4 };

    fn some_leases(count: usize) -> Vec<Lease> {
        let mut runner = TestRunner::deterministic();
        (0..count).map(|_| any_lease().new_tree(&mut runner).unwrap().current()).collect()
    }

    fn newest(leases: &[Lease]) -> Vec<Lease> {
        leases
            .iter()
            .map(|lease| (lease.address, lease.clone()))
            .collect::<BTreeMap<Ipv4Addr, _>>()
            .into_values()
            .collect()
    }

    fn write(dir: &Path, limits: JournalLimits, batches: &[&[Lease]]) {
        let (mut journal, ..) = LeaseJournal::open_dir(dir, limits).unwrap();
        for batch in batches {
            batch.iter().for_each(|lease| journal.append(lease));
            journal.commit().unwrap();
        }
    }

    fn recovered(dir: &Path) -> (Vec<Lease>, Recovery) {
        let (_journal, mut leases, recovery) = LeaseJournal::<Lease>::open_dir(dir, SMALL).unwrap();
        leases.sort_unstable_by_key(|lease| lease.address);
        (leases, recovery)
    }

    #[test]
    fn cut_at_every_octet_gives_a_prefix_that_holds_all_commits_before_it() {
        let temp = tempfile::tempdir().unwrap();
        let leases = some_leases(12);
        let mut ends = vec![32];
        for lease in &leases {
            let mut buffer = Vec::new();
            lease.encode(&mut buffer);
            ends.push(ends.last().unwrap() + (FRAME_HEADER_BYTES + buffer.len()).next_multiple_of(8));
        }
        let large = JournalLimits { segment_bytes: 1 << 16, ..SMALL };
        write(&temp.path().join("whole"), large, &[&leases[..5], &leases[5..6], &leases[6..]]);
        let bytes = fs::read(segment_path(&temp.path().join("whole"), 1)).unwrap();
        for length in 0..ends[leases.len()] + 10 {
            let dir = temp.path().join("cut");
            fs::create_dir(&dir).unwrap();
            fs::write(segment_path(&dir, 1), &bytes[..length]).unwrap();
            let whole = ends.iter().rposition(|&end| end <= length).unwrap_or(0);
            let (mut leases_read, replayed) = recover::<Lease>(&dir).unwrap();
            leases_read.sort_unstable_by_key(|lease| lease.address);
            let recovery = replayed.recovery;
            assert_eq!(leases_read, newest(&leases[..whole]), "cut at {length}");
            let is_between = length < 32 || ends.contains(&length) || length > ends[leases.len()];
            let is_zero = bytes[ends[whole].min(length)..length].iter().all(|&octet| octet == 0);
            assert!(is_between || recovery.torn_bytes > 0 || is_zero);
            assert_eq!(recovery.damaged, 0, "cut at {length}");
            // Opening cuts the torn tail, which costs syncs, so not at every octet.
            if length % 41 == 0 {
                assert_eq!(recovered(&dir), (leases_read, recovery));
                let (again, recovery) = recovered(&dir);
                assert_eq!((again, recovery.torn_bytes), (newest(&leases[..whole]), 0));
            }
            fs::remove_dir_all(&dir).unwrap();
        }
    }

    /// Memory that looks like a disk, where there is one: thousands of openings are thousands of syncs.
    fn quick_directory() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
    }

    #[test]
    fn a_journal_cut_anywhere_in_its_last_4_kib_opens_and_goes_on() {
        const LAST: usize = 4_096;
        let temp = quick_directory();
        let (leases, later) = (some_leases(120), some_leases(121).pop().unwrap());
        let large = JournalLimits { segment_bytes: 1 << 17, ..SMALL };
        let batches: Vec<&[Lease]> = leases.chunks(7).collect();
        write(&temp.path().join("whole"), large, &batches);
        let bytes = fs::read(segment_path(&temp.path().join("whole"), 1)).unwrap();
        let mut ends = vec![32];
        for lease in &leases {
            let mut buffer = Vec::new();
            lease.encode(&mut buffer);
            ends.push(ends.last().unwrap() + (FRAME_HEADER_BYTES + buffer.len()).next_multiple_of(8));
        }
        let end = *ends.last().unwrap();
        assert!(
            end > 2 * LAST && end < bytes.len() && bytes[end..].iter().all(|&octet| octet == 0),
            "one segment: {end}"
        );
        for length in end - LAST..=end {
            let dir = temp.path().join("cut");
            fs::create_dir(&dir).unwrap();
            fs::write(segment_path(&dir, 1), &bytes[..length]).unwrap();
            let whole = ends.iter().rposition(|&whole| whole <= length).unwrap();
            let (mut journal, mut found, recovery) = LeaseJournal::<Lease>::open_dir(&dir, large).unwrap();
            found.sort_unstable_by_key(|lease| lease.address);
            assert_eq!((found, recovery.damaged), (newest(&leases[..whole]), 0), "cut at {length}");
            // What is granted from now on is kept behind what was left.
            journal.append(&later);
            journal.commit().unwrap();
            drop(journal);
            let (mut again, recovery) = recover_beside_writer::<Lease>(&dir).unwrap();
            again.sort_unstable_by_key(|lease| lease.address);
            let all = [&leases[..whole], std::slice::from_ref(&later)].concat();
            assert_eq!((again, recovery.damaged), (newest(&all), 0), "cut at {length}, then one more");
            fs::remove_dir_all(&dir).unwrap();
        }
    }

    #[test]
    fn rotation_keeps_everything_and_the_size_bounded() {
        let temp = tempfile::tempdir().unwrap();
        let leases = some_leases(3_000);
        let (mut journal, ..) = LeaseJournal::open_dir(temp.path(), SMALL).unwrap();
        let mut largest = 0;
        for (count, lease) in (1..).zip(&leases) {
            journal.append(lease);
            journal.commit().unwrap();
            largest = largest.max(journal.bytes().unwrap_or(0));
            if count % 500 == 0 {
                let (beside, recovery) = recover_beside_writer::<Lease>(temp.path()).unwrap();
                assert_eq!((beside, recovery.damaged), (newest(&leases[..count]), 0));
            }
        }
        assert!(journal.status().compactions > 10, "{:?}", journal.status());
        assert_eq!(journal.status().compactions_failed, 0);
        drop(journal);
        // Two snapshots of 12 addresses, the segments that may wait, the one being written and the one prepared.
        assert!(largest < 2 * 12 * 300 + (4 + 3) * 2_400, "{largest}");
        assert_eq!(recovered(temp.path()).0, newest(&leases));
    }

    #[test]
    fn a_kill_at_any_point_of_a_compaction_loses_nothing() {
        let leases = some_leases(60);
        for killed_after in 0..5 {
            let temp = tempfile::tempdir().unwrap();
            let dir = temp.path();
            let never = JournalLimits { segment_bytes: 1, segments_max: u64::MAX };
            let (mut journal, ..) =
                LeaseJournal::open_dir(dir, JournalLimits { segment_bytes: 1 << 20, ..never }).unwrap();
            for batch in leases.chunks(7) {
                batch.iter().for_each(|lease| journal.append(lease));
                journal.commit().unwrap();
                journal.rotate();
            }
            drop(journal);
            let through = sequences(dir).unwrap().last().copied().unwrap();
            if killed_after == 0 {
                fs::write(dir.join(format!("snapshot-{through:09}.tmp")), b"half a snaps").unwrap();
            }
            if killed_after >= 1 {
                write_snapshot::<Lease>(dir, through).unwrap();
            }
            if killed_after >= 2 {
                fs::remove_file(segment_path(dir, sequences(dir).unwrap()[0])).unwrap();
            }
            if killed_after >= 3 {
                remove_superseded(dir, through).unwrap();
            }
            if killed_after == 4 {
                // The next segment was created, its header not yet written.
                fs::write(segment_path(dir, through + 1), [0; 100]).unwrap();
            }
            let (found, recovery) = recovered(dir);
            assert_eq!(found, newest(&leases), "killed after step {killed_after}");
            assert_eq!((recovery.damaged, recovery.torn_bytes), (0, 0));
            assert_eq!(recovered(dir).0, newest(&leases));
        }
    }

    #[test]
    fn a_full_disk_fails_the_batch_and_only_the_batch() {
        use crate::segment::Fault;
        for fault in [Fault::WriteStops(0), Fault::WriteStops(90), Fault::SyncFails] {
            let temp = tempfile::tempdir().unwrap();
            let leases = some_leases(9);
            let (mut journal, ..) = LeaseJournal::open_dir(temp.path(), SMALL).unwrap();
            for (batch, leases) in leases.chunks(3).enumerate() {
                leases.iter().for_each(|lease| journal.append(lease));
                if batch == 1 {
                    journal.writer.fault = Some(fault);
                }
                assert_eq!(journal.commit().is_err(), batch == 1);
            }
            assert_eq!((journal.status().committed, journal.status().failed), (6, 3));
            drop(journal);
            let kept: Vec<_> = leases[..3].iter().chain(&leases[6..]).cloned().collect();
            let (found, recovery) = recovered(temp.path());
            assert_eq!((found, recovery.damaged, recovery.torn_bytes), (newest(&kept), 0, 0), "{fault:?}");
        }
    }

    #[test]
    fn damage_is_reported_skipped_and_set_aside() {
        let temp = tempfile::tempdir().unwrap();
        let leases = some_leases(12);
        write(temp.path(), JournalLimits { segment_bytes: 1 << 16, ..SMALL }, &[&leases]);
        let path = segment_path(temp.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes[45] ^= 1;
        fs::write(&path, bytes).unwrap();
        let (found, recovery) = recovered(temp.path());
        assert_eq!((found, recovery.damaged), (newest(&leases[1..]), 1));
        compact::<Lease>(temp.path(), 1).unwrap();
        assert!(temp.path().join("damaged-000000001").exists());
        assert_eq!(recovered(temp.path()).1.damaged, 0);
        assert_eq!(recovered(temp.path()).0, newest(&leases[1..]));
    }

    /// IPv6 leases go through the same code; what differs is the record, so a life of all steps is enough.
    #[test]
    fn leases_of_ipv6_survive_rotation_compaction_and_a_torn_end() {
        use super::record6::tests::any_lease6;
        let temp = tempfile::tempdir().unwrap();
        let mut runner = TestRunner::deterministic();
        let leases: Vec<Lease6> = (0..400).map(|_| any_lease6().new_tree(&mut runner).unwrap().current()).collect();
        let newest = |leases: &[Lease6]| -> Vec<Lease6> {
            let by_address = leases.iter().map(|lease| (lease.address, lease.clone()));
            by_address.collect::<BTreeMap<_, _>>().into_values().collect()
        };
        let (mut journal, ..) = LeaseJournal::open_dir(temp.path(), SMALL).unwrap();
        for batch in leases.chunks(3) {
            batch.iter().for_each(|lease| journal.append(lease));
            journal.commit().unwrap();
        }
        assert!(journal.status().compactions > 3, "{:?}", journal.status());
        drop(journal);
        let last = segment_path(temp.path(), sequences(temp.path()).unwrap().last().copied().unwrap());
        let mut bytes = fs::read(&last).unwrap();
        bytes.extend_from_slice(&[90, 0, 0, 0, 1, 2, 3, 4, 2, 0]);
        fs::write(&last, bytes).unwrap();
        for _ in 0..2 {
            let (_journal, mut found, recovery) = LeaseJournal::<Lease6>::open_dir(temp.path(), SMALL).unwrap();
            found.sort_unstable_by_key(|lease| lease.address);
            assert_eq!((found, recovery.damaged, recovery.unknown), (newest(&leases), 0, 0));
        }
        // Records of IPv4 in this directory are none of ours, and are counted instead of misread.
        let foreign = recover::<Lease>(temp.path()).unwrap().1.recovery;
        assert_eq!((foreign.leases, foreign.unknown > 0), (0, true));
    }

    #[test]
    fn each_kind_of_lease_has_a_directory_of_its_own() {
        use super::record6::tests::any_lease6;
        let temp = tempfile::tempdir().unwrap();
        let state = StateDir::open(&temp.path().join("s"), "e", crate::Mode::Serve).unwrap();
        assert_eq!(read_leases6(state.path()).unwrap().0, vec![]);
        let (four, six) = (some_leases(1), any_lease6().new_tree(&mut TestRunner::deterministic()).unwrap().current());
        let (mut journal, ..) = LeaseJournal::open_with(&state, SMALL).unwrap();
        let (mut journal6, ..) = LeaseJournal::open_with(&state, SMALL).unwrap();
        journal.append(&four[0]);
        journal6.append(&six);
        journal.commit().and_then(|()| journal6.commit()).unwrap();
        assert_eq!((read_leases(state.path()).unwrap().0, read_leases6(state.path()).unwrap().0), (four, vec![six]));
    }
}
