//! Preallocated files of CRC-framed records; the lease journal and the telemetry ring are made of them.
//!
//! ```text
//! header 32 octets: "hotstage", version u32, kind u32, sequence u64, CRC-32 of these u32, 0 u32
//! frame, on 8-octet boundaries: payload length u32, CRC-32 u32, payload, padding to 8
//! zeros to the end of the preallocated file
//! ```
//! All numbers little-endian. A frame's CRC is seeded with the sequence of its file, its offset and its length, so
//! that octets of another file, or of a write that failed and was done again elsewhere, are never taken for a frame.

mod scan;
mod writer;

pub(crate) use scan::{Scanned, scan, scan_on};
#[cfg(test)]
pub(crate) use writer::Fault;
pub(crate) use writer::{Unsynced, Writer, create_segment};

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

pub(crate) const FILE_HEADER_BYTES: usize = 32;
pub(crate) const FRAME_HEADER_BYTES: usize = 8;
/// The longest payload; a log line of 64 KiB with its message fits eight times.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// What is read of one file at most; far above what a writer makes.
const FILE_BYTES_MAX: u64 = 4 << 30;

const MAGIC: &[u8; 8] = b"hotstage";
const VERSION: u32 = 1;
const PREFIX: &str = "segment-";

/// What a file of frames holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Leases = 1,
    LeaseSnapshot = 2,
    Telemetry = 3,
}

fn file_header(kind: Kind, sequence: u64) -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(kind as u32).to_le_bytes());
    header[16..24].copy_from_slice(&sequence.to_le_bytes());
    let crc = crc32fast::hash(&header[..24]);
    header[24..28].copy_from_slice(&crc.to_le_bytes());
    header
}

fn frame_crc(sequence: u64, offset: u64, payload: &[u8]) -> u32 {
    // Odd multipliers spread the three numbers over the seed; the payload does the rest.
    let seed = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ offset.wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ (payload.len() as u64).wrapping_mul(0x1656_67b1_9e37_79f9);
    let mut hasher = crc32fast::Hasher::new_with_initial((seed >> 32) as u32);
    hasher.update(payload);
    hasher.finalize()
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// Writes a file of frames from beginning to end, a mebibyte at a time.
pub(crate) struct WholeFile<'f> {
    sequence: u64,
    file: &'f File,
    buffer: Vec<u8>,
    /// Octets written before those in the buffer.
    offset: u64,
}

impl<'f> WholeFile<'f> {
    const WRITE_BYTES: usize = 1 << 20;

    pub(crate) fn begin(kind: Kind, sequence: u64, file: &'f File) -> Self {
        Self { sequence, file, buffer: file_header(kind, sequence).to_vec(), offset: 0 }
    }

    pub(crate) fn put(&mut self, payload: &[u8]) -> io::Result<()> {
        writer::put_frame(&mut self.buffer, self.sequence, self.offset, |buffer| buffer.extend_from_slice(payload));
        if self.buffer.len() >= Self::WRITE_BYTES { self.write() } else { Ok(()) }
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

pub(crate) fn segment_path(dir: &Path, sequence: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{sequence:09}"))
}

/// The sequences of the segments in `dir`, ascending.
pub(crate) fn sequences(dir: &Path) -> io::Result<Vec<u64>> {
    numbered(dir, PREFIX)
}

/// The numbers of the files named `prefix` and a number, ascending. A missing directory holds none.
pub(crate) fn numbered(dir: &Path, prefix: &str) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_prefix(prefix)).and_then(|number| number.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// All octets of a file of frames.
pub(crate) fn read_file(file: File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().min(FILE_BYTES_MAX);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
