//! The time axis of every figure: the hours of the event, day after day, the hours between left out.

use std::{collections::BTreeMap, time::Duration};

use jiff::{civil::Date, tz::TimeZone};
use model::Timestamp;

use crate::PlannedDay;

/// More days than that are shown as one stretch.
const DAYS_MAX: usize = 31;
/// A stretch is never shorter, so that a single sample can be seen.
const STRETCH_MIN: Duration = Duration::from_secs(600);
/// Distances between marks, minutes.
const STEPS_MIN: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, DAY_MIN];
const DAY_MIN: u64 = 24 * 60;

/// Stretches of event time laid end to end; positions are seconds from the first one's start.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    stretches: Vec<Stretch>,
    zone: TimeZone,
}

/// One day's hours.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Stretch {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Position of `first`.
    pub(crate) from: f64,
}

impl Stretch {
    pub(crate) fn length(&self) -> f64 {
        self.last.since(self.first).as_secs_f64()
    }
}

impl Axis {
    /// The days on which there are moments (in order), each from doors to close at least.
    pub(crate) fn of(moments: impl Iterator<Item = Timestamp>, planned: &[PlannedDay], zone: &TimeZone) -> Self {
        let mut days: BTreeMap<Date, (Timestamp, Timestamp)> = BTreeMap::new();
        let mut known: Option<(Date, Timestamp)> = None;
        for moment in moments {
            let date = match known {
                // Looking up a date costs more than all the rest; moments come in order.
                Some((date, end)) if moment < end => date,
                _ => {
                    let Some(date) = local_date(moment, zone) else { continue };
                    known = Some((date, end_of(date, zone).unwrap_or(moment)));
                    date
                }
            };
            let span = days.entry(date).or_insert((moment, moment));
            *span = (span.0.min(moment), span.1.max(moment));
        }
        for day in planned {
            if let Some(span) = local_date(day.doors, zone).and_then(|date| days.get_mut(&date)) {
                *span = (span.0.min(day.doors), span.1.max(day.close));
            }
        }
        Self { stretches: lay(days.into_values().collect()), zone: zone.clone() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    pub(crate) fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// Seconds in all.
    pub(crate) fn length(&self) -> f64 {
        self.stretches.last().map_or(0.0, |last| last.from + last.length())
    }

    /// Where a moment is; one that is left out is at the start of the next stretch.
    pub(crate) fn position(&self, at: Timestamp) -> f64 {
        let index = self.stretches.partition_point(|stretch| stretch.last < at);
        match self.stretches.get(index) {
            Some(stretch) => stretch.from + at.since(stretch.first).as_secs_f64(),
            None => self.length(),
        }
    }

    /// Which stretch a position is in.
    pub(crate) fn stretch_at(&self, position: f64) -> usize {
        self.stretches.partition_point(|stretch| stretch.from <= position).saturating_sub(1)
    }

    /// Marks at round local hours, as positions and labels, about `marks_max` of them.
    pub(crate) fn marks(&self, marks_max: usize) -> Vec<(f64, String)> {
        let minutes = self.length() / 60.0;
        let apart = minutes / marks_max.max(1) as f64;
        // Beyond a day, whole days, so that there are never many more marks than wished.
        let step = STEPS_MIN.into_iter().find(|step| *step as f64 >= apart);
        let step = step.unwrap_or_else(|| (apart / DAY_MIN as f64).ceil() as u64 * DAY_MIN);
        let step = Duration::from_secs(60 * step);
        let mut marks: Vec<(f64, String)> = Vec::new();
        for stretch in &self.stretches {
            let Some(mut at) = local_date(stretch.first, &self.zone).and_then(|date| start_of(date, &self.zone)) else {
                continue;
            };
            // Whole steps only are skipped, so that marks stay at round hours.
            let skipped = stretch.first.since(at).as_nanos().div_ceil(step.as_nanos().max(1));
            at = at + step * u32::try_from(skipped).unwrap_or(u32::MAX);
            while at <= stretch.last {
                let position = stretch.from + at.since(stretch.first).as_secs_f64();
                if marks.last().is_none_or(|last| position - last.0 >= 60.0 * apart * 0.8) {
                    marks.push((position, local(at, &self.zone, "%H:%M")));
                }
                let next = at + step;
                if next == at {
                    // The end of time: moments saturate.
                    break;
                }
                at = next;
            }
        }
        marks
    }

    /// The first moment of each stretch with its position, in the form given.
    pub(crate) fn day_names(&self, form: &str) -> Vec<(f64, String)> {
        self.stretches.iter().map(|stretch| (stretch.from, local(stretch.first, &self.zone, form))).collect()
    }
}

fn lay(mut spans: Vec<(Timestamp, Timestamp)>) -> Vec<Stretch> {
    if spans.len() > DAYS_MAX {
        spans = spans.first().zip(spans.last()).map(|(first, last)| (first.0, last.1)).into_iter().collect();
    }
    let mut from = 0.0;
    spans
        .into_iter()
        .map(|(first, last)| {
            let stretch = Stretch { first, last: last.max(first + STRETCH_MIN), from };
            from += stretch.length();
            stretch
        })
        .collect()
}

/// A moment in the zone and form given; empty outside of the calendar.
pub(crate) fn local(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    zoned(at, zone).map(|time| time.strftime(form).to_string()).unwrap_or_default()
}

/// The date of a moment in the zone given.
pub(crate) fn local_date(at: Timestamp, zone: &TimeZone) -> Option<Date> {
    zoned(at, zone).map(|time| time.date())
}

fn zoned(at: Timestamp, zone: &TimeZone) -> Option<jiff::Zoned> {
    Some(jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).ok()?.to_zoned(zone.clone()))
}

fn start_of(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = date.to_zoned(zone.clone()).ok()?.timestamp().as_nanosecond();
    Some(Timestamp::from_nanos(i64::try_from(start).ok()?))
}

fn end_of(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    start_of(date.tomorrow().ok()?, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: i64 = 1_568_595_600; // 2019-09-16 10:00 in Tokyo
    const DAY: i64 = 86_400;

    fn axis(seconds: &[i64]) -> Axis {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        Axis::of(seconds.iter().map(|second| Timestamp::from_secs(*second)), &[], &zone)
    }

    #[test]
    fn nights_are_left_out() {
        let axis = axis(&[TEN, TEN + 7_200, TEN + DAY, TEN + DAY + 3_600]);
        assert_eq!((axis.stretches().len(), axis.length()), (2, 10_800.0));
        let table = [(TEN - 5, 0.0), (TEN, 0.0), (TEN + 60, 60.0), (TEN + 20_000, 7_200.0), (TEN + DAY + 60, 7_260.0)];
        for (second, position) in table {
            assert_eq!(axis.position(Timestamp::from_secs(second)), position, "{second}");
        }
        assert_eq!(axis.position(Timestamp::MAX), 10_800.0);
        assert_eq!([0.0, 7_199.0, 7_200.0].map(|position| axis.stretch_at(position)), [0, 0, 1]);
        let marks: Vec<_> = axis.marks(4).into_iter().map(|mark| mark.1).collect();
        assert_eq!(marks, ["10:00", "11:00", "12:00", "11:00"]);
    }

    #[test]
    fn odd_moments_do_no_harm() {
        assert!(axis(&[]).is_empty() && axis(&[]).marks(5).is_empty());
        assert_eq!(axis(&[TEN]).length(), 600.0);
        assert!(axis(&[i64::MIN, TEN, i64::MAX]).marks(8).len() <= 32);
        let many: Vec<i64> = (0..100).map(|day| TEN + day * DAY).collect();
        assert_eq!(axis(&many).stretches().len(), 1);
        assert!(axis(&many).marks(8).len() <= 32);
    }
}
