//! Whether somebody moves this machine's clock while the services run.

use std::time::{Duration, Instant};

use model::{Severity, Timestamp};
use watch::{Condition, Subject};

/// Seconds between two looks by which the clock may differ from the time that passed.
const MOVED_MIN_SECS: f64 = 2.0;
/// How long it is told.
const TOLD_FOR: Duration = Duration::from_secs(600);

/// The last look, and when it was moved.
#[derive(Default)]
pub(crate) struct ClockWatch {
    last: Option<(Timestamp, Instant)>,
    moved: Option<(Instant, f64)>,
}

impl ClockWatch {
    /// `now` is what the clock says, `passed` what no one can move.
    pub(crate) fn look(&mut self, now: Timestamp, passed: Instant) -> Option<Condition> {
        if let Some((was, at)) = self.last.replace((now, passed)) {
            let by_clock = (now.as_nanos() - was.as_nanos()) as f64 / 1e9;
            let moved = by_clock - passed.duration_since(at).as_secs_f64();
            if moved.abs() >= MOVED_MIN_SECS {
                self.moved = Some((passed, moved));
            }
        }
        self.moved.take_if(|(at, _)| passed.duration_since(*at) >= TOLD_FOR);
        let (_, moved) = self.moved?;
        Some(Condition {
            rule: "clock-moved".to_owned(),
            place: "clock".to_owned(),
            severity: Severity::Warning,
            subject: Subject::default(),
            says: format!("the clock of this machine was moved by {moved:+.0} s"),
            cause: "somebody set it, or NTP corrected it at one stroke".to_owned(),
            remedy: "check NTP on this machine (`timedatectl`); lease times and the order of the log hang on its clock"
                .to_owned(),
            remedy_for_operators: None,
            since: None,
            hold: Duration::ZERO,
            calm: Duration::ZERO,
            hidden_by: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::instant;

    #[test]
    fn a_clock_that_is_moved_is_told_for_a_while() {
        let (mut watch, began) = (ClockWatch::default(), instant());
        let mut look = |clock, passed| {
            let found = watch.look(Timestamp::from_secs(clock), began + Duration::from_secs(passed));
            found.map(|condition| condition.says)
        };
        let moved = |by: &str| Some(format!("the clock of this machine was moved by {by} s"));
        assert_eq!((look(1_000, 0), look(1_001, 1), look(1_011, 10)), (None, None, None));
        assert_eq!((look(4_612, 11), look(4_700, 99)), (moved("+3600"), moved("+3600")));
        assert_eq!(look(4_601 + 611, 611), None);
        assert_eq!(look(1_000, 612), moved("-4213"));
    }
}
