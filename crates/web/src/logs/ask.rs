//! What the reader asks, as it stands in the address.

use std::time::Duration;

use axum::http::HeaderMap;
use jiff::tz::TimeZone;
use model::{Facility, LogSeverity, Snapshot, Timestamp};
use serde::Deserialize;
use store::{LineTest, LogLine, LogPosition, LogQuery};

use super::{LogDesk, Refusal};
use crate::{language::Language, page};

/// Lines of a page.
pub(super) const PAGE_LINES: usize = 200;
/// Lines before and after one.
const AROUND_LINES: usize = 25;
/// How far away they may be.
const AROUND_SPAN: Duration = Duration::from_secs(3_600);
/// Lines of one moment that are looked through for one of them.
const MOMENT_LINES_MAX: usize = 100_000;
/// Names that are offered for how long back to look, and that in seconds; none is everything.
pub(super) const PERIODS: [(&str, Option<u64>); 5] =
    [("15m", Some(900)), ("1h", Some(3_600)), ("6h", Some(21_600)), ("1d", Some(86_400)), ("all", None)];
const PERIOD_DEFAULT: &str = "1d";

/// Fields of the form; what is empty asks nothing.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(super) struct LogAsk {
    lang: Option<String>,
    period: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) device: String,
    pub(super) room: String,
    pub(super) severity: String,
    pub(super) facility: String,
    pub(super) kind: String,
    pub(super) program: String,
    pub(super) text: String,
    pub(super) regex: String,
    beyond: String,
    at: String,
}

impl LogAsk {
    pub(super) fn language(&self, headers: &HeaderMap) -> Language {
        page::language(self.lang.as_deref(), headers)
    }

    /// How long back to look, one of [`PERIODS`].
    pub(super) fn period(&self) -> &str {
        let known = PERIODS.iter().find(|(name, _)| *name == self.period);
        known.map_or(PERIOD_DEFAULT, |(name, _)| name)
    }

    /// True when a filter is set that is not in sight at first.
    pub(super) fn has_more(&self) -> bool {
        [&self.room, &self.program, &self.facility, &self.regex, &self.from, &self.to]
            .iter()
            .any(|text| !text.is_empty())
    }

    pub(super) fn at(&self) -> Option<LogPosition> {
        self.at.parse().ok()
    }

    /// The page of newest lines asked for. The event's time is now.
    pub(super) fn query(&self, snapshot: &Snapshot, desk: &LogDesk) -> Result<LogQuery, Refusal> {
        let zone = TimeZone::get(&snapshot.event.time_zone).unwrap_or(TimeZone::UTC);
        let seconds = PERIODS.iter().find(|(name, _)| *name == self.period()).and_then(|(_, seconds)| *seconds);
        let back = seconds.map(|seconds| snapshot.at - Duration::from_secs(seconds));
        let (from, to) = (moment(&self.from, &zone)?, moment(&self.to, &zone)?);
        let given = |text: &str| (!text.trim().is_empty()).then(|| vec![text.trim().to_owned()]);
        let room = desk.rooms.iter().find(|room| room.id == self.room);
        let of_room = room.map(|room| room.devices.iter().map(|device| store::exact_name(device)).collect());
        Ok(LogQuery {
            // Moments that are given say more than a period.
            from: if from.is_some() || to.is_some() { from } else { back },
            to,
            hosts: given(&self.device).or(of_room),
            apps: given(&self.program),
            severity_at_most: LogSeverity::ALL.into_iter().find(|severity| severity.name() == self.severity),
            facility: self.facility.parse().ok().map(Facility),
            text: (!self.text.is_empty()).then(|| self.text.clone()),
            regex: (!self.regex.is_empty()).then(|| self.regex.clone()),
            test: self.test(desk),
            limit: PAGE_LINES,
            newest_first: true,
            beyond: self.beyond.parse().ok(),
            ..LogQuery::default()
        })
    }

    fn test(&self, desk: &LogDesk) -> Option<LineTest> {
        let (kind_of, wanted) = (desk.kind, self.kind.clone());
        match wanted.as_str() {
            "" => None,
            "any" => Some(LineTest::new(move |app, message| kind_of(app, message).is_some())),
            _ => Some(LineTest::new(move |app, message| kind_of(app, message) == Some(wanted.as_str()))),
        }
    }
}

/// Lines of the moment of `position`, it among them.
pub(super) fn exactly(position: LogPosition) -> LogQuery {
    LogQuery {
        from: Some(position.received),
        to: Some(Timestamp::from_nanos(position.received.as_nanos().saturating_add(1))),
        limit: MOMENT_LINES_MAX,
        ..LogQuery::default()
    }
}

/// Lines of the same originator before `hit`, newest first.
pub(super) fn before(hit: &LogLine) -> LogQuery {
    LogQuery { from: Some(hit.log.received - AROUND_SPAN), newest_first: true, ..beside(hit) }
}

/// Lines of the same originator after `hit`, oldest first.
pub(super) fn after(hit: &LogLine) -> LogQuery {
    LogQuery { to: Some(hit.log.received + AROUND_SPAN), newest_first: false, ..beside(hit) }
}

fn beside(hit: &LogLine) -> LogQuery {
    let name = if hit.log.host.is_empty() { hit.log.source.ip().to_string() } else { hit.log.host.clone() };
    LogQuery {
        hosts: Some(vec![store::exact_name(&name)]),
        beyond: Some(hit.position),
        limit: AROUND_LINES,
        ..LogQuery::default()
    }
}

/// A moment of the event's own clock (`2019-09-16T09:00`), or RFC 3339.
fn moment(text: &str, zone: &TimeZone) -> Result<Option<Timestamp>, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || Refusal::Time(text.to_owned());
    let time = match text.parse::<jiff::Timestamp>() {
        Ok(time) => time,
        Err(_) => {
            let civil: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
            civil.to_zoned(zone.clone()).map_err(|_| wrong())?.timestamp()
        }
    };
    i64::try_from(time.as_nanosecond()).map(|nanos| Some(Timestamp::from_nanos(nanos))).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_of_the_events_clock() {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let want = Some(Timestamp::from_secs(1_568_592_000));
        for text in ["2019-09-16T09:00", "2019-09-16T09:00:00", "2019-09-16T00:00:00Z", " 2019-09-16T09:00:00+09:00 "] {
            assert_eq!(moment(text, &zone), Ok(want), "{text}");
        }
        assert_eq!(moment("", &zone), Ok(None));
        for text in ["nine", "2019-13-01T00:00", "9999-01-01T00:00"] {
            assert_eq!(moment(text, &zone), Err(Refusal::Time(text.to_owned())), "{text}");
        }
    }
}
