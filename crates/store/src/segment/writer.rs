use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::fcntl::{FallocateFlags, fallocate};

use super::{
    FILE_HEADER_BYTES, FRAME_HEADER_BYTES, Kind, PAYLOAD_BYTES_MAX, file_header, frame_crc, padded, segment_path,
};
use crate::durable;

/// Appends frames to one segment: buffered without a system call, then written and synced as a batch.
///
/// ```text
///   append          write_out             sync
///  ---------> buffer ---------> written -------> synced
///      write fails: back to `written`     sync fails: back to `synced`
/// ```
/// `sync` is also had in two halves, so that the wait can be on another thread while frames are buffered and written
/// out here: `begin_sync`, [`Unsynced::wait`], `end_sync`.
///
/// After a failure the file is cut back before anything else is written, so that octets of a failed batch can never
/// be read as good; until that succeeds, every call fails. What was buffered is dropped with its batch.
#[derive(Debug)]
pub(crate) struct Writer {
    kind: Kind,
    dir: PathBuf,
    sequence: u64,
    capacity: u64,
    /// Made by the first write, so that a full disk is an error of that write.
    file: Option<Arc<File>>,
    buffer: Vec<u8>,
    buffered_frames: u64,
    written: u64,
    written_frames: u64,
    synced: u64,
    synced_frames: u64,
    needs_cut: bool,
    #[cfg(test)]
    pub(crate) fault: Option<Fault>,
}

/// What of a segment is written and not on disk yet.
#[derive(Debug)]
pub(crate) struct Unsynced {
    file: Arc<File>,
    octets: u64,
    frames: u64,
    #[cfg(test)]
    fails: bool,
}

impl Unsynced {
    /// Waits until all of it is on disk.
    pub(crate) fn wait(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.fails {
            return Err(io::Error::other("input/output error"));
        }
        self.file.sync_data()
    }
}

/// What the next system call does instead of its work.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The disk is full after so many octets of the write.
    WriteStops(usize),
    /// The data cannot be synced.
    SyncFails,
}

impl Writer {
    /// A segment of about `capacity` octets that does not exist yet. `buffer` is reused.
    pub(crate) fn new(kind: Kind, dir: &Path, sequence: u64, capacity: u64, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            kind,
            dir: dir.to_owned(),
            sequence,
            capacity,
            file: None,
            buffer,
            buffered_frames: 0,
            written: FILE_HEADER_BYTES as u64,
            written_frames: 0,
            synced: FILE_HEADER_BYTES as u64,
            synced_frames: 0,
            needs_cut: false,
            #[cfg(test)]
            fault: None,
        }
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Where the next frame goes, which is also the size so far.
    pub(crate) fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Frames that are not known to be on disk.
    pub(crate) fn unsynced_frames(&self) -> u64 {
        self.buffered_frames + self.written_frames - self.synced_frames
    }

    /// Turns to the segment after this one, which must be synced. Without `file`, one made by [`create_segment`], the
    /// first write makes it.
    pub(crate) fn begin_next(&mut self, file: Option<File>) {
        let buffer = std::mem::take(&mut self.buffer);
        *self = Self::new(self.kind, &self.dir.clone(), self.sequence + 1, self.capacity, buffer);
        self.file = file.map(Arc::new);
    }

    /// The buffer for another segment to reuse; what it holds is dropped.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Buffers a frame. False when its payload was empty or too long; nothing is buffered then.
    pub(crate) fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        let is_put = put_frame(&mut self.buffer, self.sequence, self.written, encode);
        self.buffered_frames += u64::from(is_put);
        is_put
    }

    /// Makes the file now instead of with the first write.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(Arc::new(create_segment(self.kind, &self.dir, self.sequence, self.capacity)?));
        }
        Ok(())
    }

    /// Hands the buffer to the system, without waiting for the disk.
    pub(crate) fn write_out(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() && !self.needs_cut {
            return Ok(());
        }
        let result = self.prepare().and_then(|()| self.cut_back()).and_then(|()| self.write_buffer());
        let octets = self.buffer.len() as u64;
        self.buffer.clear();
        let frames = std::mem::take(&mut self.buffered_frames);
        match result {
            Ok(()) => {
                self.written += octets;
                self.written_frames += frames;
                Ok(())
            }
            Err(error) => {
                self.needs_cut = self.file.is_some();
                // Now if possible, else before the next write.
                let _ = self.cut_back();
                Err(error)
            }
        }
    }

    /// Writes the buffer and waits until all of it is on disk.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let Some(unsynced) = self.begin_sync()? else { return Ok(()) };
        let result = unsynced.wait();
        self.end_sync(&unsynced, result.is_ok());
        result
    }

    /// Writes the buffer; `None` when everything is on disk already. One at a time.
    pub(crate) fn begin_sync(&mut self) -> io::Result<Option<Unsynced>> {
        self.write_out()?;
        let Some(file) = self.file.as_ref().filter(|_| self.written != self.synced) else { return Ok(None) };
        Ok(Some(Unsynced {
            file: Arc::clone(file),
            octets: self.written,
            frames: self.written_frames,
            #[cfg(test)]
            fails: self.fault.take_if(|fault| matches!(fault, Fault::SyncFails)).is_some(),
        }))
    }

    /// `unsynced` is on disk, or not; then what was buffered since goes as well, for it would stand behind a gap.
    pub(crate) fn end_sync(&mut self, unsynced: &Unsynced, is_synced: bool) {
        if is_synced {
            self.synced = unsynced.octets;
            self.synced_frames = unsynced.frames;
            return;
        }
        self.buffer.clear();
        self.buffered_frames = 0;
        self.written = self.synced;
        self.written_frames = self.synced_frames;
        self.needs_cut = true;
        let _ = self.cut_back();
    }

    fn cut_back(&mut self) -> io::Result<()> {
        if self.needs_cut {
            if let Some(file) = &self.file {
                file.set_len(self.written)?;
            }
            self.needs_cut = false;
        }
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        #[cfg(test)]
        if let Some(Fault::WriteStops(octets)) = self.fault {
            self.fault = None;
            file.write_all_at(&self.buffer[..octets.min(self.buffer.len())], self.written)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all_at(&self.buffer, self.written)
    }
}

/// Makes the file of a segment, empty and durable.
///
/// Space is taken now, so that what fills the disk later cannot take it from us. On an almost full disk, and on file
/// systems that cannot preallocate, it works without as long as the data itself fits. The lease journal's files are
/// written with zeros as well: a sync over blocks that were written before is one write of the device, one over fresh
/// blocks is also one of the file system's own journal.
pub(crate) fn create_segment(kind: Kind, dir: &Path, sequence: u64, capacity: u64) -> io::Result<File> {
    let path = segment_path(dir, sequence);
    let file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
    let length = i64::try_from(capacity).unwrap_or(i64::MAX);
    let is_reserved = fallocate(&file, FallocateFlags::empty(), 0, length).is_ok();
    if !is_reserved || (kind == Kind::Leases && zero(&file, capacity).is_err()) {
        file.set_len(0)?;
    }
    file.write_all_at(&file_header(kind, sequence), 0)?;
    file.sync_all()?;
    durable::sync_dir(dir)?;
    Ok(file)
}

fn zero(file: &File, length: u64) -> io::Result<()> {
    const ZEROS: &[u8] = &[0; 256 << 10];
    let mut offset = 0;
    while offset < length {
        let chunk = usize::try_from(length - offset).map_or(ZEROS, |rest| &ZEROS[..rest.min(ZEROS.len())]);
        file.write_all_at(chunk, offset)?;
        offset += chunk.len() as u64;
    }
    Ok(())
}

/// Appends a frame to `buffer`, whose first octet will stand at `offset` of the file.
pub(super) fn put_frame(buffer: &mut Vec<u8>, sequence: u64, offset: u64, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    encode(buffer);
    let length = buffer.len() - start - FRAME_HEADER_BYTES;
    if length == 0 || length > PAYLOAD_BYTES_MAX {
        buffer.truncate(start);
        return false;
    }
    let crc = frame_crc(sequence, offset + start as u64, &buffer[start + FRAME_HEADER_BYTES..]);
    buffer[start..start + 4].copy_from_slice(&u32::try_from(length).unwrap_or(0).to_le_bytes());
    buffer[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    buffer.resize(start + padded(FRAME_HEADER_BYTES + length), 0);
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::scan, *};

    fn read(dir: &Path, sequence: u64) -> (Vec<Vec<u8>>, super::super::Scanned) {
        let bytes = std::fs::read(segment_path(dir, sequence)).unwrap();
        let mut payloads = Vec::new();
        let scanned = scan(&bytes, Kind::Leases, sequence, |payload| payloads.push(payload.to_vec()));
        (payloads, scanned)
    }

    fn put(writer: &mut Writer, text: &str) {
        assert!(writer.append(|buffer| buffer.extend_from_slice(text.as_bytes())));
    }

    #[test]
    fn a_failed_batch_is_gone_and_the_next_one_stands() {
        for fault in [Fault::WriteStops(0), Fault::WriteStops(20), Fault::WriteStops(1_000), Fault::SyncFails] {
            let temp = tempfile::tempdir().unwrap();
            let mut writer = Writer::new(Kind::Leases, temp.path(), 7, 4096, Vec::new());
            put(&mut writer, "one");
            writer.sync().unwrap();
            put(&mut writer, "lost, and longer than what comes after it");
            put(&mut writer, "lost too");
            writer.fault = Some(fault);
            writer.sync().unwrap_err();
            assert_eq!(read(temp.path(), 7).0, [b"one"], "{fault:?}");
            assert_eq!(writer.unsynced_frames(), 0);
            put(&mut writer, "two");
            writer.sync().unwrap();
            let (payloads, scanned) = read(temp.path(), 7);
            assert_eq!(payloads, [b"one", b"two"], "{fault:?}");
            assert_eq!((scanned.torn_bytes, scanned.damaged), (0, 0));
        }
    }

    #[test]
    fn what_comes_while_a_sync_is_waited_for_shares_its_fate() {
        for is_synced in [true, false] {
            let temp = tempfile::tempdir().unwrap();
            let mut writer = Writer::new(Kind::Leases, temp.path(), 7, 4096, Vec::new());
            put(&mut writer, "one");
            writer.sync().unwrap();
            assert!(writer.begin_sync().unwrap().is_none());
            put(&mut writer, "two");
            let unsynced = writer.begin_sync().unwrap().unwrap();
            put(&mut writer, "three");
            writer.write_out().unwrap();
            put(&mut writer, "four");
            assert_eq!(writer.unsynced_frames(), 3);
            writer.end_sync(&unsynced, is_synced);
            assert_eq!(writer.unsynced_frames(), if is_synced { 2 } else { 0 });
            put(&mut writer, "five");
            writer.sync().unwrap();
            let want: &[&[u8]] =
                if is_synced { &[b"one", b"two", b"three", b"four", b"five"] } else { &[b"one", b"five"] };
            assert_eq!(read(temp.path(), 7).0, want);
        }
    }

    #[test]
    fn payloads_have_bounds() {
        let temp = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(Kind::Leases, temp.path(), 1, 4096, Vec::new());
        assert!(!writer.append(|_| {}));
        assert!(!writer.append(|buffer| buffer.resize(buffer.len() + PAYLOAD_BYTES_MAX + 1, 1)));
        assert!(writer.append(|buffer| buffer.resize(buffer.len() + PAYLOAD_BYTES_MAX, 1)));
        writer.sync().unwrap();
        assert_eq!(read(temp.path(), 1).0.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_flip_costs_one_record_and_is_seen(
            payloads in prop::collection::vec(prop::collection::vec(1_u8.., 1..40), 1..12),
            flip in any::<prop::sample::Index>(),
            bit in 0..8,
        ) {
            let temp = tempfile::tempdir().unwrap();
            let mut writer = Writer::new(Kind::Leases, temp.path(), 3, 1, Vec::new());
            for payload in &payloads {
                writer.append(|buffer| buffer.extend_from_slice(payload));
            }
            writer.sync().unwrap();
            let path = segment_path(temp.path(), 3);
            let mut bytes = std::fs::read(&path).unwrap();
            let flip = flip.index(bytes.len());
            bytes[flip] ^= 1_u8 << bit;
            let mut found = Vec::new();
            let scanned = scan(&bytes, Kind::Leases, 3, |payload| found.push(payload.to_vec()));
            let mut rest = payloads.iter();
            prop_assert!(found.iter().all(|payload| rest.any(|other| other == payload)), "in order, nothing invented");
            prop_assert!(found.len() + 1 >= payloads.len());
            prop_assert!(found.len() == payloads.len() || scanned.damaged + scanned.torn_bytes > 0);
        }

        #[test]
        fn any_octets_are_survived(bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..300)) {
            scan(&bytes, Kind::Leases, 1, |_| {});
        }
    }
}
