//! What an SNMP agent says of its ports, from one poll to the next: rates, link changes, and what else it measures.
//!
//! Counters are 64-bit ones of IF-MIB (RFC 2863 section 3.1.6): they wrap in centuries at best, so a counter that goes
//! back has been reset, and nothing is said of that interval. The time between polls is the agent's own
//! (`sysUpTime`), so that neither our clock nor a slow answer bends a rate.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use model::Timestamp;

/// Ports of one agent beyond this are passed over.
pub const PORTS_MAX: usize = 2_048;
/// Link changes of one port that are remembered.
const CHANGES_MAX: usize = 32;
/// Link changes are counted over so long.
const FLAP_WINDOW: Duration = Duration::from_secs(600);
/// Shortest time between polls that makes a rate; agents renew their counters about each second.
const RATE_TICKS_MIN: u64 = 100;
const TICKS_PER_SECOND: f64 = 100.0;

/// A port at one poll.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortRow {
    /// `ifName`.
    pub name: String,
    /// `ifOperStatus` is `up`.
    pub is_up: bool,
    /// `ifHighSpeed`, Mb/s; 0 = not known.
    pub speed_mbps: u32,
    /// `ifHCInOctets`; `None` = the agent has none.
    pub in_octets: Option<u64>,
    /// `ifHCOutOctets`.
    pub out_octets: Option<u64>,
    /// `ifInErrors`.
    pub in_errors: Option<u64>,
    /// `ifCounterDiscontinuityTime`, ticks.
    pub discontinuity: u64,
    /// `dot3StatsDuplexStatus` is `halfDuplex` (EtherLike-MIB, RFC 3635).
    pub is_half_duplex: bool,
}

/// What one poll brought.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AgentPoll {
    /// `sysUpTime`, hundredths of a second.
    pub up_ticks: u64,
    /// By `ifIndex`.
    pub ports: BTreeMap<u32, PortRow>,
}

/// A port, as reported.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PortReport {
    /// `ifName`.
    pub name: String,
    /// It has a link.
    pub is_up: bool,
    /// Mb/s; 0 = not known.
    pub speed_mbps: u32,
    /// It has a link that sends or receives, not both at once.
    pub is_half_duplex: bool,
    /// Bits per second received since the poll before.
    pub in_bps: Option<f64>,
    /// Bits per second sent.
    pub out_bps: Option<f64>,
    /// Frames received with errors, per second.
    pub errors_per_second: Option<f64>,
    /// Link changes within ten minutes.
    pub changes: usize,
}

/// Remembers one agent from poll to poll.
#[derive(Debug, Default)]
pub struct Agent {
    last: Option<AgentPoll>,
    changes: BTreeMap<u32, VecDeque<Timestamp>>,
    reports: Vec<PortReport>,
}

impl Agent {
    /// Takes a poll that was answered at `now`.
    pub fn observe(&mut self, now: Timestamp, poll: AgentPoll) {
        let last = self.last.take();
        // A restart is no flap, and its counters begin anew.
        let ticks = last.as_ref().and_then(|last| poll.up_ticks.checked_sub(last.up_ticks));
        let old = |index: &u32| last.as_ref().filter(|_| ticks.is_some())?.ports.get(index);
        self.reports.clear();
        for (index, port) in poll.ports.iter().take(PORTS_MAX) {
            let old = old(index).filter(|old| old.name == port.name);
            if old.is_some_and(|old| old.is_up != port.is_up) {
                let changes = self.changes.entry(*index).or_default();
                if changes.len() == CHANGES_MAX {
                    changes.pop_front();
                }
                changes.push_back(now);
            }
            let changes = self.changes.get(index).map_or(0, |changes| recent(now, changes));
            self.reports.push(report(old, port, ticks.unwrap_or(0), changes));
        }
        self.changes.retain(|_, changes| recent(now, changes) > 0);
        self.last = Some(poll);
    }

    /// Its ports at the last poll, by `ifIndex`.
    pub fn ports(&self) -> &[PortReport] {
        &self.reports
    }
}

fn recent(now: Timestamp, changes: &VecDeque<Timestamp>) -> usize {
    // A clock that was set back makes nothing old.
    changes.iter().filter(|at| now.since(**at) < FLAP_WINDOW).count()
}

fn report(old: Option<&PortRow>, port: &PortRow, ticks: u64, changes: usize) -> PortReport {
    let old = old.filter(|old| old.discontinuity == port.discontinuity && ticks >= RATE_TICKS_MIN);
    let rate = |counter: fn(&PortRow) -> Option<u64>| {
        let counted = counter(port)?.checked_sub(counter(old?)?)?;
        Some(counted as f64 * TICKS_PER_SECOND / ticks as f64)
    };
    PortReport {
        name: port.name.clone(),
        is_up: port.is_up,
        speed_mbps: port.speed_mbps,
        is_half_duplex: port.is_up && port.is_half_duplex,
        in_bps: rate(|port| port.in_octets).map(|octets| octets * 8.0),
        out_bps: rate(|port| port.out_octets).map(|octets| octets * 8.0),
        errors_per_second: rate(|port| port.in_errors),
        changes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(up_ticks: u64, port: PortRow) -> AgentPoll {
        AgentPoll { up_ticks, ports: [(1, port)].into() }
    }

    fn port(octets: u64) -> PortRow {
        let (in_octets, out_octets) = (Some(octets), Some(octets / 2));
        PortRow { name: "Gi1".to_owned(), is_up: true, in_octets, out_octets, ..PortRow::default() }
    }

    /// Two polls a wall-clock second apart; bits per second in and out after the second.
    fn check(before: (u64, PortRow), after: (u64, PortRow), expected: Option<(f64, f64)>) {
        let mut agent = Agent::default();
        agent.observe(Timestamp::from_secs(0), poll(before.0, before.1.clone()));
        assert_eq!(agent.ports()[0].in_bps, None, "one poll makes no rate");
        agent.observe(Timestamp::from_secs(1), poll(after.0, after.1.clone()));
        let port = &agent.ports()[0];
        assert_eq!(port.in_bps.zip(port.out_bps), expected, "{before:?} {after:?}");
    }

    #[test]
    fn rates_are_by_the_agents_clock_and_never_over_a_reset() {
        check((1_000, port(1_000)), (2_000, port(11_000)), Some((8_000.0, 4_000.0)));
        check((1_000, port(u64::MAX - 10_000)), (2_000, port(u64::MAX)), Some((8_000.0, 4_000.0)));
        check((1_000, port(11_000)), (2_000, port(1_000)), None);
        // The agent was restarted, or its clock is back at nothing after 497 days.
        check((u64::from(u32::MAX), port(1_000)), (500, port(11_000)), None);
        check((1_000, port(1_000)), (1_010, port(11_000)), None);
        let renumbered = PortRow { name: "Gi2".to_owned(), ..port(11_000) };
        check((1_000, port(1_000)), (2_000, renumbered), None);
        let discontinuous = PortRow { discontinuity: 1_500, ..port(11_000) };
        check((1_000, port(1_000)), (2_000, discontinuous), None);
        check((1_000, PortRow { in_octets: None, ..port(0) }), (2_000, PortRow { in_octets: None, ..port(9) }), None);
    }

    #[test]
    fn a_link_that_comes_and_goes_is_counted_for_ten_minutes() {
        let mut agent = Agent::default();
        for second in 0..100_u64 {
            let is_up = second % 2 == 0;
            agent.observe(Timestamp::from_secs(second as i64), poll(second * 100, PortRow { is_up, ..port(0) }));
        }
        assert_eq!(agent.ports()[0].changes, CHANGES_MAX);
        agent.observe(Timestamp::from_secs(700), poll(70_000, PortRow { is_up: false, ..port(0) }));
        assert_eq!(agent.ports()[0].changes, 0);
        agent.observe(Timestamp::from_secs(701), poll(5, port(0)));
        assert_eq!(agent.ports()[0].changes, 0, "a restart is no flap");
    }
}
