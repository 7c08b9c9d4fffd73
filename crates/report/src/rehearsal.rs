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

/// Share of DNS queries that may stay without a useful answer in a good rehearsal: 0.1 %.
pub(crate) const DNS_FAILED_SHARE_MAX: f64 = 0.001;

/// What a rehearsal shall reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Goal {
    /// It was played to its end.
    Complete,
    /// Every client got a lease, and no address was given twice.
    Leases,
    /// Of the DNS queries at most [`DNS_FAILED_SHARE_MAX`] stayed without a useful answer.
    Dns,
    /// As many log lines were stored as were sent.
    Logs,
}

impl RehearsalSummary {
    /// It was played to its end, every client got a lease of its own, at most one DNS query in a thousand stayed
    /// without a useful answer, and every log line sent was stored.
    pub fn is_good(&self) -> bool {
        self.goals_missed().is_empty()
    }

    pub(crate) fn goals_missed(&self) -> Vec<Goal> {
        let goals = [
            (Goal::Complete, self.complete),
            (Goal::Leases, self.leases_failed == 0 && self.leases_duplicate == 0),
            (Goal::Dns, self.dns_failed_share() <= DNS_FAILED_SHARE_MAX),
            (Goal::Logs, self.log_lines_sent == self.log_lines_stored),
        ];
        goals.into_iter().filter(|(_, is_reached)| !is_reached).map(|(goal, _)| goal).collect()
    }

    /// 0 to 1; 0 when nothing was asked.
    pub(crate) fn dns_failed_share(&self) -> f64 {
        self.dns_failed as f64 / self.dns_queries.max(1) as f64
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
        let (seconds, speed) = (self.wall_seconds, self.speed);
        writeln!(
            out,
            "{}: rehearsed in {seconds:.0} s at {speed:.0} times the speed, seed {}{ended}",
            self.event, self.seed
        )?;
        self.lines().into_iter().try_for_each(|(what, value)| writeln!(out, "  {:<30}{value}", format!("{what}:")))
    }
}

impl RehearsalSummary {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let ms = |p50: f64, p99: f64| format!("p50 {p50:.2} ms, p99 {p99:.2} ms");
        let (failed, twice) = (self.leases_failed, self.leases_duplicate);
        let bad = failed.saturating_add(twice);
        let which = if bad > 0 { format!(": {failed} failed, {twice} given twice") } else { String::new() };
        let share = |share: f64| format!("{:.2} %", share * 100.0);
        let hits = format!("{:.0} %", self.dns_hit_ratio * 100.0);
        let mut lines = vec![
            ("people", self.people.to_string()),
            ("turned away from a full room", format!("{} times", self.people_turned_away)),
            ("streams opened instead", self.streams_opened.to_string()),
            ("clients", format!("{} different, {} at the peak", self.clients_unique, self.clients_peak)),
            ("leases granted", self.leases_granted.to_string()),
            ("leases failed or given twice", format!("{bad} (goal 0){which}")),
            ("leases lapsed", self.leases_lapsed.to_string()),
            ("DHCP exchange", ms(self.dhcp_p50_ms, self.dhcp_p99_ms)),
            ("DNS queries", format!("{}, {hits} answered from cache and own zones", self.dns_queries)),
            (
                "DNS without useful answer",
                format!(
                    "{} ({}, goal {})",
                    self.dns_failed,
                    share(self.dns_failed_share()),
                    share(DNS_FAILED_SHARE_MAX)
                ),
            ),
            ("DNS answer", ms(self.dns_p50_ms, self.dns_p99_ms)),
            ("log lines", format!("{} sent, {} stored", self.log_lines_sent, self.log_lines_stored)),
        ];
        let fullest =
            [("fullest access point", &self.access_point_most_loaded), ("fullest room", &self.room_most_loaded)];
        lines.extend(fullest.into_iter().filter_map(|(what, load)| Some((what, load.as_ref()?.to_string()))));
        lines.push(("first bottleneck", self.bottleneck.clone().unwrap_or_else(|| "none in sight".to_owned())));
        lines.extend(self.notes.iter().map(|note| ("note", note.clone())));
        let missed = self.goals_missed();
        let names: Vec<&str> = missed.iter().map(|goal| goal.name()).collect();
        lines.push((
            "goals",
            if names.is_empty() { "all reached".to_owned() } else { format!("missed: {}", names.join(", ")) },
        ));
        lines
    }
}

impl Goal {
    fn name(self) -> &'static str {
        match self {
            Self::Complete => "played to its end",
            Self::Leases => "a lease of its own for every client",
            Self::Dns => "an answer to every query",
            Self::Logs => "every log line stored",
        }
    }
}
