//! What a play came to.

use std::time::Duration;

use hdrhistogram::Histogram;
use model::Timestamp;
use serde::Serialize;

use crate::{AccessPointPeak, RoomPeak};

/// What came of the play, as the clients saw it. Durations are wall time.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Summary {
    /// True when the course was played to its end; false after a stop signal.
    pub complete: bool,
    /// Different clients that got a lease.
    pub clients_unique: u64,
    /// Most clients associated at one time.
    pub clients_peak: u64,
    /// Different pairs of client and address.
    pub leases_granted: u64,
    /// Exchanges that ended with an ACK: acquisitions, confirmations and renewals.
    pub exchanges: u64,
    /// Of those, renewals.
    pub renewals: u64,
    /// Addresses given back.
    pub releases: u64,
    /// Acquisitions that got no lease after all tries. The client tries again a second later, and may fail again.
    pub leases_failed: u64,
    /// Times an address was given to a client while another could still use it.
    pub leases_duplicate: u64,
    /// Leases that ran out on an associated client before they were extended.
    pub leases_lapsed: u64,
    /// Acquisitions that had no end yet when the client left, or the play ended.
    pub leases_interrupted: u64,
    /// DHCPNAKs.
    pub naks: u64,
    /// Half of the exchanges took at most this long, from the first message to the ACK, ms.
    pub dhcp_p50_ms: f64,
    /// 99 % of the exchanges took at most this long, ms.
    pub dhcp_p99_ms: f64,
    /// DHCP messages sent again for want of an answer.
    pub dhcp_retransmissions: u64,
    /// Names asked for.
    pub dns_queries: u64,
    /// Of those, without a useful answer after one more try: no answer, SERVFAIL, REFUSED and the like.
    /// That a name does not exist is a useful answer.
    pub dns_failed: u64,
    /// Queries asked again for want of an answer.
    pub dns_retransmissions: u64,
    /// Queries asked again over TCP because the answer was truncated.
    pub dns_over_tcp: u64,
    /// Half of the answers took at most this long, ms.
    pub dns_p50_ms: f64,
    /// 99 % of the answers took at most this long, ms.
    pub dns_p99_ms: f64,
    /// The crowd asks this many times more than was sent, so that the cap on queries a second holds.
    pub dns_thinning: u32,
    /// Log lines sent by UDP.
    pub log_lines_sent_udp: u64,
    /// Log lines written to TCP connections.
    pub log_lines_sent_tcp: u64,
    /// Log lines that were never sent: a queue was full, or the play was stopped.
    pub log_lines_dropped: u64,
    /// Most stations by access point, in the course's order.
    pub access_points: Vec<AccessPointPeak>,
    /// Most stations by room, in the course's order.
    pub rooms: Vec<RoomPeak>,
    /// The longest that an action was behind its time, ms.
    pub late_max_ms: f64,
    /// Entries of the ledger that its listener had no room for.
    pub ledger_entries_lost: u64,
}

/// How far a play is.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Progress {
    /// The moment of the event.
    pub at: Timestamp,
    /// How much of the course has been played, 0 to 1.
    pub played: f64,
    /// Clients associated now.
    pub clients: u64,
    /// Different clients that got a lease so far.
    pub clients_unique: u64,
    /// DHCP exchanges that ended with an ACK so far.
    pub exchanges: u64,
    /// Acquisitions that failed so far.
    pub leases_failed: u64,
    /// Names asked for so far.
    pub dns_queries: u64,
    /// Log lines sent so far.
    pub log_lines: u64,
}

/// Waiting times, in bounded memory, three digits exact up to a minute.
#[derive(Debug)]
pub(crate) struct Latencies {
    microseconds: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        let microseconds = Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order");
        Self { microseconds }
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, waited: Duration) {
        self.microseconds.saturating_record(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
    }

    /// Milliseconds that `quantile` (0 to 1) of the times do not exceed; 0 when there are none.
    pub(crate) fn ms(&self, quantile: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most a minute of microseconds")]
        let microseconds = self.microseconds.value_at_quantile(quantile) as f64;
        if self.microseconds.is_empty() { 0.0 } else { microseconds / 1_000.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_milliseconds() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.ms(0.5), 0.0);
        for milliseconds in 1..=100 {
            latencies.record(Duration::from_millis(milliseconds));
        }
        latencies.record(Duration::from_secs(3_600));
        assert!((latencies.ms(0.5) - 51.0).abs() < 0.1, "{}", latencies.ms(0.5));
        assert!(latencies.ms(1.0) < 60_100.0, "{}", latencies.ms(1.0));
    }
}
