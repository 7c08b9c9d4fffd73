//! When something that shrinks will be used up.

use std::{collections::VecDeque, time::Duration};

use model::Timestamp;

/// Looks kept, one a minute.
const LOOKS_MAX: usize = 60;
/// Time between looks that are kept.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// Below this no forecast is made: a burst of a minute is no trend.
const SPAN_MIN: Duration = Duration::from_secs(600);

/// Looks at what is left of something, over the last hour.
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    looks: VecDeque<(Timestamp, u64)>,
}

impl Forecast {
    /// Takes what is left at `now`. More often than each minute is ignored; a clock that is set begins anew.
    pub fn look(&mut self, now: Timestamp, left: u64) {
        match self.looks.back() {
            Some((last, _)) if now < *last => self.looks.clear(),
            Some((last, _)) if now.since(*last) < LOOK_INTERVAL => return,
            Some(_) | None => {}
        }
        if self.looks.len() == LOOKS_MAX {
            self.looks.pop_front();
        }
        self.looks.push_back((now, left));
    }

    /// Time until nothing is left if it goes on like this; `None` while there are too few looks or it does not shrink.
    pub fn time_left(&self) -> Option<Duration> {
        let ((from, before), (to, left)) = (self.looks.front()?, self.looks.back()?);
        let (span, used) = (to.since(*from), before.saturating_sub(*left));
        if span < SPAN_MIN || used == 0 {
            return None;
        }
        let seconds = *left as f64 * span.as_secs_f64() / used as f64;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(looks: &[(i64, u64)], left: Option<u64>) {
        let mut forecast = Forecast::default();
        looks.iter().for_each(|(minute, free)| forecast.look(Timestamp::from_secs(minute * 60), *free));
        assert_eq!(forecast.time_left().map(|left| left.as_secs()), left, "{looks:?}");
    }

    #[test]
    fn what_shrinks_steadily_has_an_end() {
        check(&[], None);
        check(&[(0, 1_000), (9, 100)], None);
        check(&[(0, 1_000), (10, 900)], Some(90 * 60));
        check(&[(0, 1_000), (5, 700), (10, 1_000)], None);
        check(&[(0, 1_000), (10, 0)], Some(0));
        check(&[(100, 1_000), (110, 900), (0, 500)], None);
    }

    #[test]
    fn old_looks_are_forgotten() {
        let looks: Vec<(i64, u64)> =
            (0..200).map(|minute| (minute, if minute < 100 { 9_000 - minute as u64 } else { 500 })).collect();
        check(&looks, None);
    }
}
