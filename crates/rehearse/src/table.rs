//! The outcome as text for people.

use std::fmt::{self, Display, Formatter};

use crate::{
    bottleneck::Kind,
    outcome::{Band, Outcome},
};

/// Rooms and access points that are shown at most, the fullest first.
const ROWS_MAX: usize = 12;

impl Display for Outcome {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let runs = if self.runs == 1 { "1 run".to_owned() } else { format!("{} runs", self.runs) };
        writeln!(formatter, "{}: rehearsed in virtual time, {runs}, seed {}\n", self.event, self.seed)?;
        let is_one = self.runs == 1;
        head(formatter, "", is_one)?;
        for (name, band, decimals) in self.rows() {
            row(formatter, name, &band, decimals, is_one)?;
        }
        self.write_rooms(formatter, is_one)?;
        self.write_access_points(formatter, is_one)?;
        self.write_limits(formatter, is_one)?;
        self.write_bottlenecks(formatter)
    }
}

impl Outcome {
    fn rows(&self) -> [(&'static str, Band, usize); 19] {
        let totals = &self.totals;
        [
            ("people", totals.people, 0),
            ("people at one time", totals.people_peak, 0),
            ("unique clients", totals.clients_unique, 0),
            ("clients at one time", totals.clients_peak, 0),
            ("turned away from full rooms", totals.turned_away, 0),
            ("streams opened", totals.streams_opened, 0),
            ("streams at one time", totals.streams_peak, 0),
            ("leases granted", totals.leases_granted, 0),
            ("leases confirmed", totals.leases_confirmed, 0),
            ("leases renewed", totals.leases_renewed, 0),
            ("leases refused", totals.leases_refused, 0),
            ("DHCP messages", totals.dhcp_messages, 0),
            ("DHCP messages/s, peak", totals.dhcp_messages_per_second_peak, 0),
            ("DNS queries", totals.dns_queries, 0),
            ("DNS queries/s, peak", totals.dns_queries_per_second_peak, 0),
            ("DNS hit ratio", totals.dns_hit_ratio, 2),
            ("log lines", totals.log_lines, 0),
            ("log lines/s, peak", totals.log_lines_per_second_peak, 0),
            ("uplink Mb/s, peak", totals.uplink_mbps_peak, 0),
        ]
    }

    fn write_rooms(&self, formatter: &mut Formatter<'_>, is_one: bool) -> fmt::Result {
        let mut rooms: Vec<_> = self.rooms.iter().collect();
        rooms.sort_by(|a, b| b.people_peak.p50.total_cmp(&a.people_peak.p50));
        head(formatter, "\nroom: people (seats+standing)", is_one)?;
        for room in rooms.iter().take(ROWS_MAX) {
            row(formatter, &format!("{} ({}+{})", room.room, room.seats, room.standing), &room.people_peak, 0, is_one)?;
        }
        rooms.retain(|room| room.clients_capacity > 0);
        head(formatter, "\nroom: clients (planned)", is_one)?;
        for room in rooms.iter().take(ROWS_MAX) {
            row(formatter, &format!("{} ({})", room.room, room.clients_capacity), &room.clients_peak, 0, is_one)?;
        }
        Ok(())
    }

    fn write_access_points(&self, formatter: &mut Formatter<'_>, is_one: bool) -> fmt::Result {
        let mut all: Vec<_> = self.access_points.iter().collect();
        let ratio = |peak: f64, limit: u32| peak / f64::from(limit.max(1));
        all.sort_by(|a, b| {
            ratio(b.clients_peak.p50, b.clients_max).total_cmp(&ratio(a.clients_peak.p50, a.clients_max))
        });
        head(formatter, "\naccess point: clients (planned)", is_one)?;
        for access_point in all.iter().take(ROWS_MAX) {
            let name = format!("{} ({})", access_point.device, access_point.clients_max);
            row(formatter, &name, &access_point.clients_peak, 0, is_one)?;
        }
        if all.len() > ROWS_MAX {
            writeln!(formatter, "  and {} less full", all.len() - ROWS_MAX)?;
        }
        Ok(())
    }

    fn write_limits(&self, formatter: &mut Formatter<'_>, is_one: bool) -> fmt::Result {
        head(formatter, "\nlimit: use (size)", is_one)?;
        for pool in &self.pools {
            row(formatter, &format!("pool {} ({})", pool.name, pool.size), &pool.used_peak, 0, is_one)?;
        }
        if self.uplink.down_mbps > 0.0 {
            let name = format!("uplink {} ({:.0} Mb/s)", self.uplink.name, self.uplink.down_mbps);
            row(formatter, &name, &self.uplink.mbps_peak, 0, is_one)?;
        }
        Ok(())
    }

    fn write_bottlenecks(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter)?;
        for first in self.bottlenecks.iter().take(ROWS_MAX) {
            let share = first.share * 100.0;
            let ratio = first.ratio_max * 100.0;
            let what = match first.kind {
                Kind::AccessPoint => format!("an access point of {}", first.subject),
                Kind::Pool => format!("pool {}", first.subject),
                Kind::Uplink => format!("uplink {}", first.subject),
                Kind::LogStore => "the log store".to_owned(),
            };
            let word = if first.exceeded_share > 0.0 { "saturates first" } else { "comes nearest to its limit" };
            writeln!(formatter, "{what} {word} in {share:.0} % of the runs, up to {ratio:.0} % of its limit")?;
        }
        let verdict = if self.is_good() { "good: every device got an address" } else { "bad: devices got no address" };
        writeln!(formatter, "{verdict}")
    }
}

fn head(formatter: &mut Formatter<'_>, title: &str, is_one: bool) -> fmt::Result {
    let (line, title) = title.strip_prefix('\n').map_or(("", title), |title| ("\n", title));
    if is_one {
        return if title.is_empty() { Ok(()) } else { writeln!(formatter, "{line}{title}") };
    }
    writeln!(formatter, "{line}{title:<40}{:>10}{:>10}{:>10}{:>10}", "P10", "P50", "P90", "max")
}

fn row(formatter: &mut Formatter<'_>, name: &str, band: &Band, decimals: usize, is_one: bool) -> fmt::Result {
    if is_one {
        return writeln!(formatter, "  {name:<38}{:>10.decimals$}", band.max);
    }
    let Band { p10, p50, p90, max } = band;
    writeln!(formatter, "  {name:<38}{p10:>10.decimals$}{p50:>10.decimals$}{p90:>10.decimals$}{max:>10.decimals$}")
}
