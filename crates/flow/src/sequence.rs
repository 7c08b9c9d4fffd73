/// A jump ahead of more than this is an exporter that started anew, not a loss.
const GAP_MAX: u32 = 100_000;
/// A jump back of at most this is a datagram that was overtaken.
const LATE_MAX: u32 = 1_000;

/// The sequence number that an exporter's next datagram should have; what it counts differs by format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sequence {
    next: Option<u32>,
}

impl Sequence {
    /// Takes a datagram with `number`, after which the next one has `number + advance`. Returns how many were lost before it.
    pub(crate) fn take(&mut self, number: u32, advance: u32) -> u64 {
        let after = Some(number.wrapping_add(advance));
        let Some(expected) = self.next else {
            self.next = after;
            return 0;
        };
        let (ahead, behind) = (number.wrapping_sub(expected), expected.wrapping_sub(number));
        if (1..=LATE_MAX).contains(&behind) {
            return 0;
        }
        self.next = after;
        if ahead <= GAP_MAX { u64::from(ahead) } else { 0 }
    }

    /// How far the last datagram advanced cannot be told.
    pub(crate) fn forget(&mut self) {
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_and_restarts_are_not() {
        let mut sequence = Sequence::default();
        let lost: Vec<u64> = [
            (7, 1),         // the first
            (8, 30),        // as expected
            (38, 1),        // as expected
            (42, 1),        // 39, 40 and 41 are missing
            (40, 1),        // one of them, late
            (43, 1),        // as expected
            (9_000_000, 1), // a restart
            (u32::MAX, 2),  // a restart
            (1, 1),         // wrapped
            (3, 1),         // one is missing
        ]
        .into_iter()
        .map(|(number, advance)| sequence.take(number, advance))
        .collect();
        assert_eq!(lost, [0, 0, 0, 3, 0, 0, 0, 0, 0, 1]);
        sequence.forget();
        assert_eq!(sequence.take(500, 1), 0);
    }
}
