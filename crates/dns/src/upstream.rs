//! Which upstream to ask: round-trip times, failures, probes, and whether it keeps the question's case.
//!
//! ```text
//!            4 failures in a row
//!  healthy ----------------------> down --+ probe after 1, 2, 4, 5, 5 ... s
//!     ^                             | ^---+
//!     +------- any answer ----------+
//! ```

use std::{net::SocketAddr, time::Duration};

use model::Timestamp;

/// Failures in a row after which an upstream is believed dead.
const FAILURES_MAX: u32 = 4;
/// Folded questions after which an upstream is asked without mixed case.
const CASE_STRIKES_MAX: u8 = 3;
/// Questions refused for their OPT record and answered without, after which an upstream is asked without.
const EDNS_STRIKES_MAX: u8 = 3;
const PROBE_FIRST: Duration = Duration::from_secs(1);
const PROBE_LAST: Duration = Duration::from_secs(5);
/// What a failure or refusal does to the round-trip time, so that others are preferred for a while.
const PENALTY: Duration = Duration::from_millis(200);
/// An upstream that answered so lately is waited for, however many questions it let pass since.
const SLOW_LIFETIME: Duration = Duration::from_secs(6);
const SRTT_MAX: Duration = Duration::from_secs(2);

/// What is known about an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpstreamHealth {
    /// Where it is asked.
    pub address: SocketAddr,
    /// False while it is believed dead; it is then probed, and asked only when no other is left.
    pub healthy: bool,
    /// Smoothed round-trip time, penalties included; `None` before the first answer.
    pub srtt: Option<Duration>,
    /// Failures in a row.
    pub failures: u32,
}

/// All upstreams, by their position in the settings.
pub(crate) struct Upstreams {
    list: Vec<Upstream>,
}

struct Upstream {
    address: SocketAddr,
    srtt: Option<Duration>,
    failures: u32,
    answered_at: Option<Timestamp>,
    case_strikes: u8,
    edns_strikes: u8,
    probe_at: Option<Timestamp>,
    probe_pause: Duration,
    /// The probe in flight, an ask id.
    probe: Option<u64>,
}

impl Upstreams {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        let list = addresses.into_iter().map(|address| Upstream {
            address,
            srtt: None,
            failures: 0,
            answered_at: None,
            case_strikes: 0,
            edns_strikes: 0,
            probe_at: None,
            probe_pause: PROBE_FIRST,
            probe: None,
        });
        Self { list: list.collect() }
    }

    pub(crate) fn health(&self) -> impl Iterator<Item = UpstreamHealth> {
        self.list.iter().map(|upstream| UpstreamHealth {
            address: upstream.address,
            healthy: upstream.is_healthy(),
            srtt: upstream.srtt,
            failures: upstream.failures,
        })
    }

    pub(crate) fn address(&self, at: usize) -> SocketAddr {
        self.list[at].address
    }

    /// False while it is believed dead.
    pub(crate) fn is_healthy(&self, at: usize) -> bool {
        self.list[at].is_healthy()
    }

    /// True when it is worth to wait for one of `allowed`: it is healthy, or slower than our patience but not silent.
    pub(crate) fn any_alive(&self, allowed: Mask, now: Timestamp) -> bool {
        let answers = |upstream: &Upstream| upstream.answered_at.is_some_and(|at| now.since(at) < SLOW_LIFETIME);
        let is_alive = |upstream: &Upstream| upstream.is_healthy() || answers(upstream);
        self.list.iter().enumerate().any(|(at, upstream)| allowed.contains(at) && is_alive(upstream))
    }

    /// How long an answer of this one usually takes, if known.
    pub(crate) fn srtt(&self, at: usize) -> Option<Duration> {
        self.list[at].srtt
    }

    /// True when another of `allowed` than `at` answers.
    pub(crate) fn has_other(&self, allowed: Mask, at: usize) -> bool {
        let is_other =
            |(other, upstream): (usize, &Upstream)| other != at && allowed.contains(other) && upstream.is_healthy();
        self.list.iter().enumerate().any(is_other)
    }

    /// The best upstream of `allowed` outside `rejected`: healthy before dead, untried before `tried`, fast before slow.
    /// Those passed over get a little faster in our books, so that they are tried again now and then.
    pub(crate) fn choose(&mut self, allowed: Mask, rejected: Mask, tried: Mask) -> Option<usize> {
        let eligible = (0..self.list.len()).filter(|&at| allowed.contains(at) && !rejected.contains(at));
        let best = eligible.min_by_key(|&at| {
            let upstream = &self.list[at];
            (!upstream.is_healthy(), tried.contains(at), upstream.srtt.unwrap_or(Duration::ZERO))
        })?;
        for (at, upstream) in self.list.iter_mut().enumerate() {
            if at != best && allowed.contains(at) {
                upstream.srtt = upstream.srtt.map(|srtt| srtt * 98 / 100);
            }
        }
        Some(best)
    }

    /// Whether questions to it carry an OPT record, which some servers cannot read (RFC 6891 section 6.2.2).
    pub(crate) fn reads_edns(&self, at: usize) -> bool {
        self.list[at].edns_strikes < EDNS_STRIKES_MAX
    }

    pub(crate) fn edns_refused(&mut self, at: usize) {
        let strikes = &mut self.list[at].edns_strikes;
        *strikes = strikes.saturating_add(1);
    }

    /// Whether questions to it carry mixed case.
    pub(crate) fn keeps_case(&self, at: usize) -> bool {
        self.list[at].case_strikes < CASE_STRIKES_MAX
    }

    pub(crate) fn case_changed(&mut self, at: usize) {
        let strikes = &mut self.list[at].case_strikes;
        *strikes = strikes.saturating_add(1);
    }

    /// An answer came; returns the probe that is no longer needed.
    pub(crate) fn answered(&mut self, at: usize, now: Timestamp, rtt: Duration) -> Option<u64> {
        let upstream = &mut self.list[at];
        upstream.answered_at = Some(now);
        let rtt = rtt.min(SRTT_MAX);
        upstream.srtt = Some(upstream.srtt.map_or(rtt, |srtt| (srtt * 7 + rtt) / 8));
        upstream.failures = 0;
        upstream.probe_at = None;
        upstream.probe_pause = PROBE_FIRST;
        upstream.probe.take()
    }

    /// It answered, but refused to help.
    pub(crate) fn refused(&mut self, at: usize) {
        self.list[at].penalise();
    }

    /// No answer in time, or no connection.
    pub(crate) fn failed(&mut self, at: usize, now: Timestamp) {
        let upstream = &mut self.list[at];
        upstream.penalise();
        upstream.failures = upstream.failures.saturating_add(1);
        if !upstream.is_healthy() && upstream.probe_at.is_none() {
            upstream.probe_at = Some(now + upstream.probe_pause);
        }
    }

    /// When the next probe is due.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.list.iter().filter_map(|upstream| upstream.probe_at).min()
    }

    /// An upstream whose probe is due, with the probe still in flight that should be forgotten. Plans the next one.
    pub(crate) fn due_probe(&mut self, now: Timestamp) -> Option<(usize, Option<u64>)> {
        let at = self.list.iter().position(|upstream| upstream.probe_at.is_some_and(|due| due <= now))?;
        let upstream = &mut self.list[at];
        upstream.probe_pause = (upstream.probe_pause * 2).min(PROBE_LAST);
        upstream.probe_at = Some(now + upstream.probe_pause).filter(|due| *due > now);
        Some((at, upstream.probe.take()))
    }

    pub(crate) fn probe_sent(&mut self, at: usize, ask: u64) {
        self.list[at].probe = Some(ask);
    }

    pub(crate) fn probe_ended(&mut self, at: usize) {
        self.list[at].probe = None;
    }
}

impl Upstream {
    fn is_healthy(&self) -> bool {
        self.failures < FAILURES_MAX
    }

    fn penalise(&mut self) {
        self.srtt = Some((self.srtt.unwrap_or(Duration::ZERO) + PENALTY).min(SRTT_MAX));
    }
}

/// A set of upstreams.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mask(u16);

impl Mask {
    pub(crate) fn insert(&mut self, at: usize) {
        self.0 |= 1 << at;
    }

    pub(crate) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) fn contains(self, at: usize) -> bool {
        self.0 & (1 << at) != 0
    }
}

// A mask has a bit for every upstream.
const _: () = assert!(crate::settings::UPSTREAMS_MAX <= 16);

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Mask {
        Mask(7)
    }

    fn three() -> Upstreams {
        Upstreams::new((1..=3).map(|host| SocketAddr::from(([192, 0, 2, host], 53))).collect())
    }

    #[test]
    fn prefers_fast_then_untried_and_returns_to_slow_ones() {
        let mut upstreams = three();
        let none = Mask::default();
        for (at, rtt_ms) in [(0, 40), (1, 5), (2, 20)] {
            upstreams.answered(at, Timestamp::from_secs(1), Duration::from_millis(rtt_ms));
        }
        assert_eq!(upstreams.choose(all(), none, none), Some(1));
        let mut tried = none;
        tried.insert(1);
        assert_eq!(upstreams.choose(all(), none, tried), Some(2));
        let picks: Vec<_> = (0..200).filter_map(|_| upstreams.choose(all(), none, none)).collect();
        assert!(picks.contains(&0) && picks.contains(&2), "slow ones are never tried again");
    }

    #[test]
    fn goes_down_is_probed_and_comes_back() {
        let mut upstreams = three();
        let now = Timestamp::from_secs(100);
        for _ in 0..FAILURES_MAX {
            assert!(upstreams.health().all(|upstream| upstream.healthy));
            upstreams.failed(0, now);
        }
        assert!(!upstreams.health().next().unwrap().healthy);
        assert_eq!(upstreams.deadline(), Some(now + PROBE_FIRST));
        assert_eq!(upstreams.due_probe(now), None);
        let due = now + PROBE_FIRST;
        assert_eq!(upstreams.due_probe(due), Some((0, None)));
        upstreams.probe_sent(0, 7);
        assert_eq!(upstreams.due_probe(due), None);
        assert_eq!(upstreams.due_probe(due + Duration::from_secs(2)), Some((0, Some(7))));
        upstreams.probe_sent(0, 8);
        assert_eq!(upstreams.answered(0, due, Duration::from_millis(9)), Some(8));
        assert!(upstreams.any_alive(all(), due) && upstreams.deadline().is_none());
    }
}
