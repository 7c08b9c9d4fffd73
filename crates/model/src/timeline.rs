use std::time::Duration;

use crate::Timestamp;

/// How the wall clock of a rehearsal maps to moments of the event: some spans of event time, one after the other,
/// each `speed` times faster than the wall clock, the nights between them skipped in no time.
///
/// Pure arithmetic: whoever may read a clock hands in the wall time elapsed since the rehearsal began.
#[derive(Clone, PartialEq, Debug)]
pub struct TimeLine {
    spans: Vec<(Timestamp, Timestamp)>,
    speed: f64,
}

impl TimeLine {
    /// From spans of event time in order, first and last moment each, and a speed above 0.
    /// `None` when there is no span, one ends before it starts, they are out of order, or the speed is not positive.
    pub fn new(spans: Vec<(Timestamp, Timestamp)>, speed: f64) -> Option<Self> {
        let ordered = spans.iter().all(|span| span.0 <= span.1) && spans.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        (!spans.is_empty() && ordered && speed.is_finite() && speed > 0.0).then_some(Self { spans, speed })
    }

    /// How many times faster than the wall clock.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The spans of event time.
    pub fn spans(&self) -> &[(Timestamp, Timestamp)] {
        &self.spans
    }

    /// Event time after `elapsed` of wall time; runs on past the last span at the same speed.
    pub fn event_time(&self, elapsed: Duration) -> Timestamp {
        let mut left = elapsed.mul_f64(self.speed);
        let last = self.spans.len() - 1;
        for (index, &(first, end)) in self.spans.iter().enumerate() {
            let length = end.since(first);
            if left < length || index == last {
                return first + left;
            }
            left -= length;
        }
        Timestamp::MAX
    }

    /// Wall time after which event time is `at`; a moment in a skipped night gives the start of the next span.
    pub fn elapsed_at(&self, at: Timestamp) -> Duration {
        let mut event = Duration::ZERO;
        for (index, &(first, end)) in self.spans.iter().enumerate() {
            if at < first {
                break;
            }
            if at <= end || index + 1 == self.spans.len() {
                event += at.since(first);
                break;
            }
            event += end.since(first);
        }
        event.div_f64(self.speed)
    }

    /// Wall time of the whole.
    pub fn length(&self) -> Duration {
        self.spans.iter().map(|span| span.1.since(span.0)).sum::<Duration>().div_f64(self.speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> TimeLine {
        let at = Timestamp::from_secs;
        TimeLine::new(vec![(at(1_000), at(1_100)), (at(5_000), at(5_200))], 10.0).unwrap()
    }

    #[test]
    fn nights_are_skipped() {
        let table = [(0, 1_000), (5, 1_050), (10, 5_000), (20, 5_100), (30, 5_200), (31, 5_210)];
        for (elapsed, event) in table {
            assert_eq!(line().event_time(Duration::from_secs(elapsed)), Timestamp::from_secs(event));
            assert_eq!(line().elapsed_at(Timestamp::from_secs(event)), Duration::from_secs(elapsed));
        }
        assert_eq!(line().elapsed_at(Timestamp::from_secs(3_000)), Duration::from_secs(10));
        assert_eq!(line().length(), Duration::from_secs(30));
    }

    #[test]
    fn nonsense_is_refused() {
        let at = Timestamp::from_secs;
        assert_eq!(TimeLine::new(vec![], 1.0), None);
        assert_eq!(TimeLine::new(vec![(at(2), at(1))], 1.0), None);
        assert_eq!(TimeLine::new(vec![(at(1), at(3)), (at(2), at(4))], 1.0), None);
        assert_eq!(TimeLine::new(vec![(at(1), at(3))], 0.0), None);
    }
}
