use std::fmt;

use serde::{Deserialize, Serialize};

/// What came of a live rehearsal, as its client side saw it. Its JSON is what `rehearse --live --format json` prints.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct RehearsalSummary {
    /// Name of the event.
    pub event: String,
    /// Seed of the crowd; with the plan it gives the same crowd again.
    pub seed: u64,
    /// How many times faster than the wall clock.
    pub speed: f64,
    /// Wall time that it took, seconds.
    pub wall_seconds: f64,
    /// False when it was stopped before its end.
    pub complete: bool,
    /// People who came.
    pub people: u64,
    /// People turned away from a full room, counted each time.
    pub people_turned_away: u64,
    /// How often one of them opened the stream instead.
    pub streams_opened: u64,
    /// Different clients that got a lease.
    pub clients_unique: u64,
    /// Most clients associated at one time.
    pub clients_peak: u64,
    /// Different pairs of client and address.
    pub leases_granted: u64,
    /// Acquisitions that got no lease after all tries; must be 0.
    pub leases_failed: u64,
    /// Times an address was given to a client while another could still use it; must be 0.
    pub leases_duplicate: u64,
    /// Leases that ran out on an associated client before they were extended.
    pub leases_lapsed: u64,
    /// Half of the DHCP exchanges took at most this long, ms.
    pub dhcp_p50_ms: f64,
    /// 99 % of the DHCP exchanges took at most this long, ms.
    pub dhcp_p99_ms: f64,
    /// Names asked for.
    pub dns_queries: u64,
    /// Of those, without a useful answer.
    pub dns_failed: u64,
    /// Share answered from the cache or the event's own zones, 0 to 1.
    pub dns_hit_ratio: f64,
    /// Half of the answers took at most this long, ms.
    pub dns_p50_ms: f64,
    /// 99 % of the answers took at most this long, ms.
    pub dns_p99_ms: f64,
    /// Log lines sent to the services.
    pub log_lines_sent: u64,
    /// Log lines stored by them; must be as many as were sent.
    pub log_lines_stored: u64,
    /// The access point that was fullest for its capacity.
    pub access_point_most_loaded: Option<Load>,
    /// The room that was fullest for its capacity.
    pub room_most_loaded: Option<Load>,
    /// What would give way first, one sentence; `None` when nothing comes near its limit.
    pub bottleneck: Option<String>,
    /// What was scaled or sampled, one sentence each.
    pub notes: Vec<String>,
}

/// A peak against a capacity.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    /// Of what, by its name for people.
    pub name: String,
    /// Most clients at one time.
    pub clients_peak: u64,
    /// Clients it is planned to carry.
    pub clients_capacity: u64,
}

impl RehearsalSummary {
    /// Every client got a lease of its own, and every log line sent was stored.
    pub fn is_good(&self) -> bool {
        self.leases_failed == 0 && self.leases_duplicate == 0 && self.log_lines_sent == self.log_lines_stored
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} with {} of {} clients", self.name, self.clients_peak, self.clients_capacity)
    }
}

/// One line for each figure, for a terminal.
impl fmt::Display for RehearsalSummary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = if self.complete { "" } else { ", stopped before its end" };
        writeln!(
            out,
            "{}: rehearsed in {:.0} s at {:.0} times the speed, seed {}{ended}",
            self.event, self.wall_seconds, self.speed, self.seed
        )?;
        writeln!(
            out,
            "  people           {}, {} times turned away from a full room, {} streams opened",
            self.people, self.people_turned_away, self.streams_opened
        )?;
        writeln!(out, "  clients          {} different, {} at the peak", self.clients_unique, self.clients_peak)?;
        writeln!(
            out,
            "  leases           {} granted, {} failed, {} duplicate, {} lapsed",
            self.leases_granted, self.leases_failed, self.leases_duplicate, self.leases_lapsed
        )?;
        writeln!(out, "  DHCP             p50 {:.2} ms, p99 {:.2} ms", self.dhcp_p50_ms, self.dhcp_p99_ms)?;
        writeln!(
            out,
            "  DNS              {} queries, {} failed, {:.0} % from cache and own zones, p50 {:.2} ms, p99 {:.2} ms",
            self.dns_queries,
            self.dns_failed,
            self.dns_hit_ratio * 100.0,
            self.dns_p50_ms,
            self.dns_p99_ms
        )?;
        writeln!(out, "  log lines        {} sent, {} stored", self.log_lines_sent, self.log_lines_stored)?;
        for (what, load) in
            [("fullest AP      ", &self.access_point_most_loaded), ("fullest room    ", &self.room_most_loaded)]
        {
            if let Some(load) = load {
                writeln!(out, "  {what} {load}")?;
            }
        }
        let bottleneck = self.bottleneck.as_deref().unwrap_or("none in sight");
        writeln!(out, "  first bottleneck {bottleneck}")?;
        self.notes.iter().try_for_each(|note| writeln!(out, "  note             {note}"))
    }
}
