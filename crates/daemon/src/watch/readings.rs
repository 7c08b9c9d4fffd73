//! The figures that rules look at, taken from what the services show. Their names are in [`model::ALERT_METRICS`].

use std::{collections::VecDeque, time::Duration};

use model::{Snapshot, Timestamp};
use watch::{Forecast, Reading, Subject};

use super::DeviceConditions;
use crate::publisher::Seen;

/// Answers of so long are looked at for the share that failed.
const DNS_SPAN: Duration = Duration::from_secs(30);
/// Looks kept for it.
const DNS_LOOKS_MAX: usize = 64;
/// Fewer answers than this say nothing.
const DNS_ANSWERS_MIN: u64 = 20;
/// Fewer echoes than this say nothing of loss.
const ECHOES_MIN: u32 = 20;

/// What must be remembered from one look to the next.
#[derive(Default)]
pub(crate) struct Readings {
    bytes_free: Forecast,
    files_free: Forecast,
    /// When, answers, failures.
    dns: VecDeque<(Timestamp, u64, u64)>,
}

impl Readings {
    /// Every figure at `now`.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        snapshot: &Snapshot,
        seen: &Seen,
        devices: &DeviceConditions,
    ) -> Vec<Reading> {
        let mut readings = Vec::new();
        let mut add = |metric, name: &str, subject, value| {
            readings.push(Reading { metric, name: name.to_owned(), subject, value });
        };
        let whole = Subject::default;
        add("clients", "", whole(), snapshot.clients as f64);
        add("dhcp_acks_per_second", "", whole(), snapshot.rates.dhcp_acks);
        add("dns_queries_per_second", "", whole(), snapshot.rates.dns_queries);
        add("dns_hit_percent", "", whole(), snapshot.rates.dns_hit_ratio * 100.0);
        add("log_lines_per_second", "", whole(), snapshot.rates.log_lines);
        if let Some(percent) = self.dns_failure_percent(now, &seen.dns.counters) {
            add("dns_failure_percent", "", whole(), percent);
        }
        if !seen.dns.upstreams.is_empty() {
            let up = seen.dns.upstreams.iter().filter(|upstream| upstream.healthy).count();
            add("dns_upstreams_up", "", whole(), up as f64);
        }
        // Nothing is known before the first look at the file system.
        if seen.log.free_bytes > 0 {
            add("disk_free_bytes", "", whole(), seen.log.free_bytes as f64);
            add("disk_free_files", "", whole(), seen.log.free_files as f64);
            self.bytes_free.look(now, seen.log.free_bytes);
            self.files_free.look(now, seen.log.free_files);
            for (metric, forecast) in [("disk_hours_left", &self.bytes_free), ("files_hours_left", &self.files_free)] {
                if let Some(left) = forecast.time_left() {
                    add(metric, "", whole(), left.as_secs_f64() / 3_600.0);
                }
            }
        }
        for room in &snapshot.rooms {
            let subject = Subject { room: Some(room.room.clone()), ..whole() };
            add("room_clients", room.room.as_str(), subject, room.clients as f64);
        }
        for access_point in &snapshot.access_points {
            let device = &access_point.device;
            add("access_point_clients", device.as_str(), devices.subject(device), access_point.clients as f64);
        }
        for pool in snapshot.pools.iter().filter(|pool| pool.size > 0) {
            add("pool_used_percent", &pool.name, whole(), pool.used as f64 * 100.0 / pool.size as f64);
        }
        for report in &seen.watch.targets {
            let device = &report.target.device;
            // What is down has an alert of its own.
            if matches!(report.reachability, watch::Reachability::Up(_)) && report.window.echoes >= ECHOES_MIN {
                add("ping_loss_percent", device.as_str(), devices.subject(device), report.window.loss_percent());
                let millis = report.window.rtt_mean.as_secs_f64() * 1_000.0;
                add("ping_rtt_ms", device.as_str(), devices.subject(device), millis);
            }
        }
        readings
    }

    fn dns_failure_percent(&mut self, now: Timestamp, counters: &dns::Counters) -> Option<f64> {
        if self.dns.back().is_some_and(|(last, ..)| now < *last) {
            self.dns.clear();
        }
        while self.dns.len() >= DNS_LOOKS_MAX || self.dns.front().is_some_and(|(at, ..)| now.since(*at) > DNS_SPAN) {
            self.dns.pop_front();
        }
        self.dns.push_back((now, counters.answers, counters.servfail));
        let (_, answers, failures) = self.dns.front()?;
        let answers = counters.answers.saturating_sub(*answers);
        let failures = counters.servfail.saturating_sub(*failures);
        (answers >= DNS_ANSWERS_MIN).then(|| failures as f64 * 100.0 / answers as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_failures_is_of_the_last_half_minute() {
        let mut readings = Readings::default();
        let mut look = |seconds, answers, servfail| {
            let counters = dns::Counters { answers, servfail, ..dns::Counters::default() };
            readings.dns_failure_percent(Timestamp::from_secs(seconds), &counters)
        };
        assert_eq!(look(0, 1_000, 1_000), None, "what was before is not ours");
        assert_eq!(look(1, 1_010, 1_010), None, "ten answers say nothing");
        assert_eq!(look(10, 1_100, 1_050), Some(50.0));
        assert_eq!(look(100, 1_200, 1_150), None, "the look before is too old");
        assert_eq!(look(110, 1_300, 1_150), Some(0.0));
        assert_eq!(look(5, 2_000, 2_000), None, "the clock was set back");
    }
}
