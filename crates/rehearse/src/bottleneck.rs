//! What saturates first.

use model::Timestamp;
use serde::Serialize;

/// Kind of a thing that can be too small.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Stations at one access point, against what it is planned to carry.
    AccessPoint,
    /// Addresses in use in one pool, against its size.
    Pool,
    /// Mb/s towards the event, against what the uplinks carry.
    Uplink,
    /// Bytes of log, against the bytes that telemetry may take.
    LogStore,
}

impl Kind {
    /// As it is written in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessPoint => "access_point",
            Self::Pool => "pool",
            Self::Uplink => "uplink",
            Self::LogStore => "log_store",
        }
    }
}

/// One thing's load against its limit over time.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    kind: Kind,
    subject: String,
    /// What it is counted with over all runs: an access point with the others of its room.
    group: String,
    limit: f64,
    peak: f64,
    exceeded_at: Option<Timestamp>,
}

impl Watch {
    /// A limit of 0 is not known and never exceeded.
    pub(crate) fn new(kind: Kind, subject: &str, limit: f64) -> Self {
        let group = subject.to_owned();
        Self { kind, subject: subject.to_owned(), group, limit, peak: 0.0, exceeded_at: None }
    }

    pub(crate) fn in_group(self, group: &str) -> Self {
        Self { group: group.to_owned(), ..self }
    }

    pub(crate) fn see(&mut self, at: Timestamp, load: f64) {
        self.peak = self.peak.max(load);
        if load > self.limit && self.limit > 0.0 {
            self.exceeded_at.get_or_insert(at);
        }
    }

    /// It was too small at that moment, whatever the numbers say.
    pub(crate) fn exceed(&mut self, at: Timestamp, load: f64) {
        self.peak = self.peak.max(load);
        self.exceeded_at.get_or_insert(at);
    }

    fn ratio(&self) -> f64 {
        if self.limit > 0.0 { self.peak / self.limit } else { 0.0 }
    }
}

/// What saturates first in one run: whose load exceeded its limit first; else whose came nearest to it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Bottleneck {
    /// What kind of thing.
    pub kind: Kind,
    /// Which one.
    pub subject: String,
    /// Its highest load of the run.
    pub load: f64,
    /// Its limit.
    pub limit: f64,
    /// Load over limit.
    pub ratio: f64,
    /// The room of an access point; else the same as `subject`.
    pub group: String,
    /// When it was first exceeded, RFC 3339 in UTC; `null` when it never was.
    pub exceeded_at: Option<String>,
}

impl Bottleneck {
    pub(crate) fn first(watches: &[Watch]) -> Option<Self> {
        let exceeded = watches.iter().filter(|watch| watch.exceeded_at.is_some()).min_by_key(|watch| watch.exceeded_at);
        let nearest =
            || watches.iter().filter(|watch| watch.limit > 0.0).max_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        let watch = exceeded.or_else(nearest)?;
        Some(Self {
            kind: watch.kind,
            subject: watch.subject.clone(),
            group: watch.group.clone(),
            load: watch.peak,
            limit: watch.limit,
            ratio: watch.ratio(),
            exceeded_at: watch.exceeded_at.map(|at| at.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(watches: &[Watch], subject: &str, is_exceeded: bool) {
        let first = Bottleneck::first(watches).unwrap();
        assert_eq!((first.subject.as_str(), first.exceeded_at.is_some()), (subject, is_exceeded));
    }

    #[test]
    fn the_first_to_exceed_else_the_nearest() {
        let at = Timestamp::from_secs;
        let mut small = Watch::new(Kind::AccessPoint, "small", 10.0);
        let mut large = Watch::new(Kind::Uplink, "large", 100.0);
        small.see(at(5), 4.0);
        large.see(at(5), 50.0);
        check(&[small.clone(), large.clone()], "large", false);
        small.see(at(7), 11.0);
        large.see(at(6), 101.0);
        check(&[small.clone(), large.clone()], "large", true);
        let mut pool = Watch::new(Kind::Pool, "pool", 1_000.0);
        pool.exceed(at(1), 3.0);
        check(&[small, large, pool], "pool", true);
        assert_eq!(Bottleneck::first(&[Watch::new(Kind::Uplink, "unknown", 0.0)]), None);
    }
}
