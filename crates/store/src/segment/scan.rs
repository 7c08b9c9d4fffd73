use super::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, Kind, PAYLOAD_BYTES_MAX, file_header, frame_crc, padded};

/// What a scan found besides the payloads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Scanned {
    /// Whole frames.
    pub(crate) frames: u64,
    /// Where the last whole frame ends.
    pub(crate) good_end: usize,
    /// Octets behind `good_end` that are not zero: a write that a crash cut.
    pub(crate) torn_bytes: u64,
    /// Damaged places with whole frames behind them, or a damaged file header: not a crash but a bad disk.
    pub(crate) damaged: u64,
}

/// Gives each whole payload of a file to `visit`, in order.
///
/// Damage in the middle is skipped: each record stands alone, and one bad sector must not cost all that follow.
/// Octets that cannot be a frame at the end are a torn tail. Work is bounded, whatever the octets.
pub(crate) fn scan<'b>(bytes: &'b [u8], kind: Kind, sequence: u64, mut visit: impl FnMut(&'b [u8])) -> Scanned {
    let mut scanned = Scanned { good_end: FILE_HEADER_BYTES.min(bytes.len()), ..Scanned::default() };
    let Some(header) = bytes.get(..FILE_HEADER_BYTES) else {
        scanned.torn_bytes = bytes.len() as u64;
        return scanned;
    };
    let mut position = FILE_HEADER_BYTES;
    while let Some((payload, end)) = frame_at(bytes, sequence, 0, position).or_else(|| {
        let found = resynchronise(bytes, sequence, position)?;
        scanned.damaged += 1;
        frame_at(bytes, sequence, 0, found)
    }) {
        visit(payload);
        scanned.frames += 1;
        position = end;
    }
    scanned.good_end = position;
    let tail = &bytes[position.min(bytes.len())..];
    scanned.torn_bytes = end_of_data(tail) as u64;
    // A file that a crash left without header has nothing behind it either.
    if header != file_header(kind, sequence) && (scanned.frames > 0 || header.iter().any(|&octet| octet != 0)) {
        scanned.damaged += 1;
    }
    scanned
}

/// Gives each whole payload of `bytes`, which begin with a frame at `begin` of their file, to `visit`; answers how many
/// octets were whole frames. For who follows a file that grows.
pub(crate) fn scan_on<'b>(bytes: &'b [u8], sequence: u64, begin: u64, mut visit: impl FnMut(&'b [u8])) -> usize {
    let mut position = 0;
    while let Some((payload, end)) = frame_at(bytes, sequence, begin, position) {
        visit(payload);
        position = end;
    }
    position
}

/// The payload of the whole frame at `position` of `bytes`, which begin at `begin` of their file, and where it ends.
fn frame_at(bytes: &[u8], sequence: u64, begin: u64, position: usize) -> Option<(&[u8], usize)> {
    let (length, crc, payload) = candidate(bytes, position)?;
    (crc == frame_crc(sequence, begin + position as u64, payload))
        .then(|| (payload, position + padded(FRAME_HEADER_BYTES + length)))
}

fn candidate(bytes: &[u8], position: usize) -> Option<(usize, u32, &[u8])> {
    let header = bytes.get(position..)?.first_chunk::<FRAME_HEADER_BYTES>()?;
    let [a, b, c, d, crc @ ..] = *header;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length == 0 || length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let start = position + FRAME_HEADER_BYTES;
    // The padding counts too: a frame cut within it was not written whole.
    bytes.get(start..position + padded(FRAME_HEADER_BYTES + length))?;
    Some((length, u32::from_le_bytes(crc), &bytes[start..start + length]))
}

/// The next whole frame behind a damaged place.
fn resynchronise(bytes: &[u8], sequence: u64, position: usize) -> Option<usize> {
    /// Octets checked in vain before the rest is given up.
    const WORK_BYTES_MAX: usize = 256 << 20;
    let end = position + end_of_data(bytes.get(position..)?);
    let mut work = 0;
    let mut candidate_at = position + 8;
    while candidate_at < end && work < WORK_BYTES_MAX {
        if let Some((length, crc, payload)) = candidate(bytes, candidate_at) {
            if crc == frame_crc(sequence, candidate_at as u64, payload) {
                return Some(candidate_at);
            }
            work += length;
        }
        candidate_at += 8;
    }
    None
}

/// Length without the zeros at the end.
fn end_of_data(bytes: &[u8]) -> usize {
    const ZEROS: [u8; 4096] = [0; 4096];
    // Compared as a whole: segments are prepared ahead, so millions of zeros are looked at.
    let whole = bytes.chunks(ZEROS.len()).rposition(|chunk| chunk != &ZEROS[..chunk.len()]);
    let Some(whole) = whole else { return 0 };
    let chunk = &bytes[whole * ZEROS.len()..((whole + 1) * ZEROS.len()).min(bytes.len())];
    whole * ZEROS.len() + chunk.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1)
}
