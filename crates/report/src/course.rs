//! What the samples say: series by metric and subject, their peaks, totals and rates, thinned out for the figures.

use std::{collections::BTreeMap, time::Duration};

use jiff::{civil::Date, tz::TimeZone};
use model::{Sample, Timestamp};

use crate::{
    Input,
    axis::{Axis, local_date},
};

/// Points of a line in a figure at most.
const POINTS_MAX: usize = 360;
/// A sample says nothing about longer than this after it.
const SAMPLE_HOLDS_MAX: Duration = Duration::from_secs(900);
/// Nothing at an event is counted so high. Beyond, sums lose units, and a scale would run out of numbers.
const VALUE_MAX: f64 = 1e15;

/// The samples of a report, in order.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    pub(crate) axis: Axis,
    /// By metric, then by subject.
    series: BTreeMap<&'a str, BTreeMap<&'a str, Series>>,
    /// Samples that are no number, below zero or beyond [`VALUE_MAX`].
    pub(crate) samples_ignored: usize,
    /// Samples that count.
    pub(crate) samples: usize,
}

/// The values of one thing, by time.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Series(Vec<(Timestamp, f64)>);

/// Lines of a figure: points (position, value), one run for each stretch of the axis.
pub(crate) type Runs = Vec<Vec<(f64, f64)>>;

impl<'a> Course<'a> {
    pub(crate) fn of(input: &'a Input) -> Self {
        let mut series: BTreeMap<&str, BTreeMap<&str, Series>> = BTreeMap::new();
        let counts = |sample: &&Sample| (0.0..=VALUE_MAX).contains(&sample.value);
        for sample in input.samples.iter().filter(counts) {
            let of_metric = series.entry(&sample.metric).or_default();
            of_metric.entry(&sample.subject).or_default().0.push((sample.at, sample.value));
        }
        series.values_mut().flat_map(BTreeMap::values_mut).for_each(|series| series.0.sort_by_key(|point| point.0));
        let all = || series.values().flat_map(BTreeMap::values);
        let samples = all().map(|series| series.0.len()).sum();
        let mut moments: Vec<Timestamp> = all().flat_map(|series| series.0.iter().map(|point| point.0)).collect();
        moments.sort_unstable();
        moments.dedup();
        let planned = &input.planned;
        let axis = Axis::of(moments.into_iter(), &planned.days, &planned.time_zone);
        Self { axis, series, samples_ignored: input.samples.len() - samples, samples }
    }

    /// The series of that metric and subject, if there is any sample of it.
    pub(crate) fn series(&self, metric: &str, subject: &str) -> Option<&Series> {
        self.series.get(metric)?.get(subject)
    }

    /// The same of the whole event.
    pub(crate) fn whole(&self, metric: &str) -> Option<&Series> {
        self.series(metric, "")
    }

    /// A gauge as lines; of many values in one place the largest is kept, because peaks matter.
    pub(crate) fn gauge(&self, series: &Series) -> Runs {
        let width = self.bucket_width();
        let mut largest: BTreeMap<usize, f64> = BTreeMap::new();
        for &(at, value) in &series.0 {
            let bucket = largest.entry(bucket_of(self.axis.position(at), width)).or_insert(value);
            *bucket = bucket.max(value);
        }
        self.runs(largest.into_iter(), width)
    }

    /// The rate per second of a total as lines, averaged in each place.
    pub(crate) fn rate(&self, series: &Series) -> Runs {
        let width = self.bucket_width();
        let mut gained = vec![(0.0, 0.0); POINTS_MAX + 1];
        for (before, after) in series.pairs() {
            let (from, to) = (self.axis.position(before.0), self.axis.position(after.0));
            let grown = growth(before.1, after.1);
            let length = to - from;
            let (first, last) = (bucket_of(from, width), bucket_of(to, width));
            for (bucket, (sum, seconds)) in gained.iter_mut().enumerate().take(last + 1).skip(first) {
                let overlap = (to.min((bucket + 1) as f64 * width) - from.max(bucket as f64 * width)).max(0.0);
                let share = if length > 0.0 { overlap / length } else { 1.0 };
                *sum += grown * share;
                *seconds += overlap;
            }
        }
        let rates = gained.into_iter().enumerate().filter(|(_, (_, seconds))| *seconds > 0.0);
        self.runs(rates.map(|(bucket, (sum, seconds))| (bucket, sum / seconds)), width)
    }

    fn bucket_width(&self) -> f64 {
        (self.axis.length() / POINTS_MAX as f64).max(1.0)
    }

    fn runs(&self, buckets: impl Iterator<Item = (usize, f64)>, width: f64) -> Runs {
        let mut runs: Runs = vec![Vec::new(); self.axis.stretches().len()];
        for (bucket, value) in buckets {
            let position = ((bucket as f64 + 0.5) * width).min(self.axis.length());
            if let Some(run) = runs.get_mut(self.axis.stretch_at(position)) {
                run.push((position, value));
            }
        }
        runs
    }
}

impl Series {
    /// The largest value and when it came first.
    pub(crate) fn peak(&self) -> Option<(Timestamp, f64)> {
        self.0.iter().copied().reduce(|best, point| if point.1 > best.1 { point } else { best })
    }

    /// The part of one day.
    pub(crate) fn on(&self, date: Date, zone: &TimeZone) -> Self {
        Self(self.0.iter().copied().filter(|point| local_date(point.0, zone) == Some(date)).collect())
    }

    /// How much a total grew in all, from 0 at the first sample's start; falling back means a new start from 0.
    pub(crate) fn total(&self) -> f64 {
        self.0.first().map_or(0.0, |first| first.1) + self.grown()
    }

    /// How much a total grew between its first and last sample.
    pub(crate) fn grown(&self) -> f64 {
        self.pairs().map(|(before, after)| growth(before.1, after.1)).sum()
    }

    /// How long a gauge was above a limit.
    pub(crate) fn time_above(&self, limit: f64) -> Duration {
        let above = self.pairs().filter(|(before, _)| before.1 > limit);
        above.map(|(before, after)| after.0.since(before.0).min(SAMPLE_HOLDS_MAX)).sum()
    }

    fn pairs(&self) -> impl Iterator<Item = ((Timestamp, f64), (Timestamp, f64))> + '_ {
        self.0.windows(2).map(|pair| (pair[0], pair[1]))
    }
}

/// The largest value of the lines.
pub(crate) fn most(runs: &Runs) -> f64 {
    runs.iter().flatten().map(|point| point.1).fold(0.0, f64::max)
}

fn growth(before: f64, after: f64) -> f64 {
    if after >= before { after - before } else { after }
}

fn bucket_of(position: f64, width: f64) -> usize {
    ((position / width) as usize).min(POINTS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(i64, f64)]) -> Series {
        Series(points.iter().map(|(second, value)| (Timestamp::from_secs(*second), *value)).collect())
    }

    #[test]
    fn totals_survive_a_restart() {
        let total = series(&[(0, 5.0), (10, 9.0), (20, 2.0), (30, 4.0)]);
        assert_eq!((total.total(), total.grown()), (13.0, 8.0));
        assert_eq!((series(&[]).total(), series(&[(0, 3.0)]).grown()), (0.0, 0.0));
    }

    #[test]
    fn peaks_and_time_above() {
        let gauge = series(&[(0, 1.0), (60, 7.0), (120, 7.0), (180, 2.0), (9_000, 8.0), (90_000, 0.0)]);
        assert_eq!(gauge.peak(), Some((Timestamp::from_secs(9_000), 8.0)));
        // Two minutes at 7, and a quarter of an hour at 8: nobody looked for longer.
        assert_eq!(gauge.time_above(5.0), Duration::from_secs(120 + 900));
        assert_eq!(gauge.time_above(8.0), Duration::ZERO);
    }
}
