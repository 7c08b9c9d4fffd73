use std::time::Duration;

/// Random times from a seed (SplitMix64): the same seed gives the same times. Not for keys.
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A time from `least` to `most`, in whole milliseconds; `least` when `most` is not above it.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let range = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(u64::MAX);
        // The bias of the remainder is nothing that a network would notice.
        let drawn = self.draw();
        let share = range.checked_add(1).map_or(drawn, |count| drawn % count);
        least + Duration::from_millis(share)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }
}
