use model::{LogRef, Timestamp};

use super::record;

/// Log lines as they will lie in the ring, one after the other: what receives lines hands them on without a copy of each
/// text, and who writes them copies octets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogBatch {
    /// Of each line its length (u32, little-endian) and its payload.
    octets: Vec<u8>,
    lines: usize,
}

/// A line of a [`LogBatch`].
#[derive(Clone, Copy, Debug)]
pub struct EncodedLog<'b> {
    pub(super) payload: &'b [u8],
}

impl LogBatch {
    /// Empty, with room for so many octets.
    pub fn with_capacity(octets: usize) -> Self {
        Self { octets: Vec::with_capacity(octets), lines: 0 }
    }

    /// Adds a line.
    pub fn push(&mut self, log: &LogRef<'_>) {
        let start = self.octets.len();
        self.octets.extend_from_slice(&[0; LENGTH_OCTETS]);
        record::encode_log(log, &mut self.octets);
        let length = u32::try_from(self.octets.len() - start - LENGTH_OCTETS).unwrap_or(0);
        self.octets[start..start + LENGTH_OCTETS].copy_from_slice(&length.to_le_bytes());
        self.lines += 1;
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.lines
    }

    /// True without lines.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Octets of all lines.
    pub fn octets(&self) -> usize {
        self.octets.len()
    }

    /// Removes all lines; the room stays.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.lines = 0;
    }

    /// The lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = EncodedLog<'_>> {
        let mut rest = self.octets.as_slice();
        std::iter::from_fn(move || {
            let (payload, behind) = first(rest)?;
            rest = behind;
            Some(EncodedLog { payload })
        })
    }

    /// Removes the first `lines` lines.
    pub fn drop_first(&mut self, lines: usize) {
        let mut rest = self.octets.as_slice();
        let gone = lines.min(self.lines);
        for _ in 0..gone {
            rest = first(rest).map_or(&[], |(_, behind)| behind);
        }
        let octets = self.octets.len() - rest.len();
        self.octets.drain(..octets);
        self.lines -= gone;
    }
}

impl<'b> EncodedLog<'b> {
    /// The line itself.
    pub fn decode(&self) -> Option<LogRef<'b>> {
        record::decode_line(self.payload)
    }

    /// When it was received.
    pub(super) fn received(&self) -> Timestamp {
        record::time_of_log(self.payload)
    }
}

const LENGTH_OCTETS: usize = 4;

/// The first payload, and what is behind it.
fn first(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<LENGTH_OCTETS>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use model::LogRecord;
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::record::tests::any_log;

    fn records(batch: &LogBatch) -> Vec<LogRecord> {
        batch.iter().map(|line| line.decode().unwrap().into()).collect()
    }

    proptest! {
        #[test]
        fn lines_come_out_as_they_went_in(logs in prop::collection::vec(any_log(), 0..20), dropped in 0_usize..25) {
            let mut batch = LogBatch::default();
            logs.iter().for_each(|log| batch.push(&log.into()));
            prop_assert_eq!(&records(&batch), &logs);
            let times: Vec<_> = batch.iter().map(|line| line.received()).collect();
            prop_assert_eq!(times, logs.iter().map(|log| log.received).collect::<Vec<_>>());
            batch.drop_first(dropped);
            prop_assert_eq!(records(&batch), &logs[dropped.min(logs.len())..]);
            prop_assert_eq!(batch.len(), logs.len().saturating_sub(dropped));
        }
    }
}
