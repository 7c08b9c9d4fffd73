//! Lines as they are stored, one after the other.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use model::Timestamp;

use super::{
    LogLine, LogPosition, LogQuery, QueryError, at, best::Best, fetch_records, filter::Filter, sealed::Sealed,
};
use crate::{
    segment::{self, FILE_HEADER_BYTES, PAYLOAD_BYTES_MAX, scan_on, segment_path},
    telemetry::{
        record::{self, Record},
        seal::{Paths, sealed_files},
    },
};

/// Read first; mostly little is new.
const READ_BYTES: usize = 64 << 10;
/// Holds the longest frame.
const READ_BYTES_MAX: usize = 2 * PAYLOAD_BYTES_MAX;
/// Lines answered at one time; a long sealed file may be more.
const LINES_MAX: usize = 8_192;

/// Follows the log of a state directory in the order of storing, over the ends of segments and their sealing.
///
/// ```text
/// at the end of the newest segment -- it grows --> its new lines
///                                  -- a newer one is there, all of this is read --> the newer one, live or sealed
/// ```
#[derive(Debug)]
pub struct LogFollower {
    paths: Paths,
    /// Segments before this one were read.
    next: u64,
    tail: Option<Tail>,
    begun: (u64, u64),
    /// Lines of its segment up to this one were followed by an earlier run.
    behind: Option<LogPosition>,
}

/// A segment that grows. What is sealed meanwhile can still be read to its end.
#[derive(Debug)]
struct Tail {
    sequence: u64,
    file: File,
    offset: u64,
    row: u64,
}

impl LogFollower {
    /// Begins behind the last line that is stored now.
    pub fn begin(path: &Path) -> Result<Self, QueryError> {
        let paths = Paths::of(path);
        let newest = sequences(&paths)?.into_iter().max();
        let mut follower = Self { paths, next: newest.unwrap_or(0), tail: None, begun: (0, 0), behind: None };
        let nothing = Filter::compile(&LogQuery { hosts: Some(Vec::new()), ..LogQuery::default() })?;
        if let Some(tail) = follower.open_live(follower.next)? {
            let mut tail = tail;
            while tail.read(&nothing, usize::MAX, &mut Vec::new(), &follower.paths)? {}
            follower.begun = (tail.sequence, tail.row);
            follower.tail = Some(tail);
        } else {
            // The newest is sealed already.
            follower.next += u64::from(newest.is_some());
            follower.begun = (follower.next, 0);
        }
        Ok(follower)
    }

    /// Begins behind `position`, where an earlier run came to; what retention took away since is passed over.
    pub fn resume(path: &Path, position: LogPosition) -> Result<Self, QueryError> {
        let paths = Paths::of(path);
        let (begun, behind) = ((position.sequence, position.row.saturating_add(1)), Some(position));
        Ok(Self { paths, next: position.sequence, tail: None, begun, behind })
    }

    /// Begins with the oldest line there is.
    pub fn all(path: &Path) -> Self {
        Self { paths: Paths::of(path), next: 0, tail: None, begun: (0, 0), behind: None }
    }

    /// Where this began: behind this position, or with the first line ever.
    pub fn begun_behind(&self) -> Option<LogPosition> {
        let received = Timestamp::EPOCH;
        match self.begun {
            (0, 0) => None,
            (sequence, 0) => Some(LogPosition { received, sequence: sequence - 1, row: u64::MAX }),
            (sequence, row) => Some(LogPosition { received, sequence, row: row - 1 }),
        }
    }

    /// True for lines that were stored when this began; it answers the others.
    pub fn began_behind(&self, position: LogPosition) -> bool {
        (position.sequence, position.row) < self.begun
    }

    /// What `query` wants of the lines stored since the last call, some thousand at a time; its limit, order and page do
    /// not count.
    pub fn poll(&mut self, query: &LogQuery) -> Result<Vec<LogLine>, QueryError> {
        let query = LogQuery { limit: usize::MAX, newest_first: false, beyond: None, ..query.clone() };
        let filter = Filter::compile(&query)?;
        let mut lines = Vec::new();
        // Listed before it is read: what is older than the newest of them is complete then.
        let known = sequences(&self.paths)?;
        while lines.len() < LINES_MAX {
            if let Some(tail) = &mut self.tail {
                let is_more = tail.read(&filter, LINES_MAX, &mut lines, &self.paths)?;
                if !is_more && known.iter().any(|known| *known > tail.sequence) {
                    self.next = tail.sequence + 1;
                    self.tail = None;
                } else if !is_more {
                    break;
                }
                continue;
            }
            let Some(sequence) = known.iter().copied().filter(|known| *known >= self.next).min() else { break };
            self.next = sequence;
            self.tail = self.open_live(sequence)?;
            if self.tail.is_none() {
                lines.extend(self.read_sealed(sequence, &query, &filter)?);
                self.next = sequence + 1;
            }
        }
        if let Some(behind) = self.behind {
            let is_known =
                |line: &LogLine| line.position.sequence == behind.sequence && line.position.row <= behind.row;
            lines.retain(|line| !is_known(line));
            if self.tail.as_ref().map_or(self.next, |tail| tail.sequence) > behind.sequence {
                self.behind = None;
            }
        }
        Ok(lines)
    }

    /// `None` when it is sealed or never was.
    fn open_live(&self, sequence: u64) -> Result<Option<Tail>, QueryError> {
        let path = segment_path(&self.paths.ring, sequence);
        match File::open(&path) {
            Ok(file) => Ok(Some(Tail { sequence, file, offset: FILE_HEADER_BYTES as u64, row: 0 })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(QueryError::Io { path, source }),
        }
    }

    fn read_sealed(&self, sequence: u64, query: &LogQuery, filter: &Filter) -> Result<Vec<LogLine>, QueryError> {
        let mut files = at(&self.paths.log, sealed_files(&self.paths.log, true))?;
        files.retain(|file| (file.sequence..=file.last).contains(&sequence));
        let best = Best::new(query.limit, false);
        for file in &files {
            if let Some(sealed) = Sealed::open(file)? {
                sealed.search(filter, &best, false, &|| false)?;
            }
        }
        let mut lines = fetch_records(&files, best.finish(), query)?;
        lines.retain(|line| line.position.sequence == sequence);
        lines.sort_by_key(|line| line.position.row);
        Ok(lines)
    }
}

impl Tail {
    /// Reads on and appends what `filter` wants. False at the end of what is there.
    fn read(
        &mut self,
        filter: &Filter,
        lines_max: usize,
        lines: &mut Vec<LogLine>,
        paths: &Paths,
    ) -> Result<bool, QueryError> {
        let mut bytes = vec![0; READ_BYTES];
        while lines.len() < lines_max {
            let length = self.read_at(&mut bytes, paths)?;
            let (sequence, mut row) = (self.sequence, self.row);
            let whole = scan_on(&bytes[..length], sequence, self.offset, |payload| {
                if record::is_log(payload) == Some(true)
                    && let Some(Record::Log(log)) = record::decode(payload)
                {
                    let position = LogPosition { received: log.received, sequence, row };
                    row += 1;
                    if filter.is_in_time(log.received) && filter.matches(&log) {
                        lines.push(LogLine { position, log });
                    }
                }
            });
            self.row = row;
            self.offset += whole as u64;
            if whole == 0 {
                // Nothing there yet, or a frame longer than what was read.
                if bytes.len() == READ_BYTES_MAX || bytes[..length].iter().all(|octet| *octet == 0) {
                    return Ok(false);
                }
                bytes = vec![0; READ_BYTES_MAX];
            }
        }
        Ok(true)
    }

    fn read_at(&self, bytes: &mut [u8], paths: &Paths) -> Result<usize, QueryError> {
        let mut length = 0;
        while length < bytes.len() {
            match self.file.read_at(&mut bytes[length..], self.offset + length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(QueryError::Io { path: segment_path(&paths.ring, self.sequence), source }),
            }
        }
        Ok(length)
    }
}

/// Of all segments, live and sealed.
fn sequences(paths: &Paths) -> Result<Vec<u64>, QueryError> {
    let mut sequences: Vec<u64> = at(&paths.ring, segment::sequences(&paths.ring))?;
    let sealed: [(&PathBuf, bool); 2] = [(&paths.log, true), (&paths.sample, false)];
    for (dir, is_log) in sealed {
        sequences.extend(at(dir, sealed_files(dir, is_log))?.iter().map(|file| file.last));
    }
    Ok(sequences)
}
