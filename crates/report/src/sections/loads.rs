//! Clients over time, by day, room and access point.

use std::{cmp::Ordering, collections::BTreeSet, time::Duration};

use jiff::civil::Date;
use model::Timestamp;
use plan::DayKind;

use super::{Facts, percent};
use crate::{
    axis::{local, local_date},
    chart::{self, Bar, Size},
    document::{Figure, Level, Section, Table},
    words::{Words, count, fill},
};

/// A peak against a capacity.
pub(super) struct PeakLoad {
    pub(super) name: String,
    pub(super) capacity: f64,
    pub(super) peak: f64,
    pub(super) at: Option<Timestamp>,
    pub(super) time_over: Duration,
}

impl PeakLoad {
    /// Of the thing with the samples `metric` and `subject`.
    pub(super) fn of(facts: &Facts<'_>, name: &str, capacity: u64, metric: &str, subject: &str) -> Self {
        let capacity = capacity as f64;
        let series = facts.course.series(metric, subject);
        let peak = series.and_then(|series| series.peak());
        let time_over = series.filter(|_| capacity > 0.0).map(|series| series.time_above(capacity)).unwrap_or_default();
        let at = peak.map(|peak| peak.0);
        Self { name: name.to_owned(), capacity, peak: peak.map_or(0.0, |peak| peak.1), at, time_over }
    }

    pub(super) fn percent(&self) -> f64 {
        percent(self.peak, self.capacity)
    }

    pub(super) fn level(&self) -> Level {
        Level::of_percent(self.percent())
    }

    fn percent_says(&self, words: &Words) -> String {
        let says = match self.level() {
            Level::Calm => words.calm,
            Level::Busy => words.busy,
            Level::Over => words.over,
        };
        if self.capacity > 0.0 { format!("{:.0} % {says}", self.percent()) } else { words.unknown.to_owned() }
    }
}

/// The fullest for its capacity among those of which anything is known.
pub(super) fn fullest(loads: &[PeakLoad]) -> Option<PeakLoad> {
    let known = loads.iter().filter(|load| load.at.is_some() && load.capacity > 0.0);
    // `reduce` keeps the first of equals, so that the order of the plan decides.
    let best = known.reduce(|best, load| if load.percent() > best.percent() { load } else { best })?;
    Some(PeakLoad { name: best.name.clone(), ..*best })
}

pub(super) fn room_loads(facts: &Facts<'_>) -> Vec<PeakLoad> {
    let rooms = facts.input.planned.rooms.iter();
    rooms
        .map(|room| PeakLoad::of(facts, &room.name, room.clients_capacity, "clients", &format!("room:{}", room.room)))
        .collect()
}

pub(super) fn access_point_loads(facts: &Facts<'_>) -> Vec<PeakLoad> {
    let access_points = facts.input.planned.access_points.iter();
    access_points
        .map(|ap| PeakLoad::of(facts, ap.device.as_str(), ap.clients_capacity, "clients", &format!("ap:{}", ap.device)))
        .collect()
}

/// Clients over time, and day by day.
pub(super) fn clients(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("clients", words.clients);
    match facts.course.whole("clients") {
        Some(series) => {
            let key = vec![("first", words.clients_line), ("limit", words.planned_line)];
            let lines = vec![facts.course.gauge(series)];
            let limit = Some(facts.input.planned.devices_peak.likely);
            section.figures.extend(facts.figure(words.clients_caption.to_owned(), key, lines, limit));
        }
        None => section.says.push(words.no_samples.to_owned()),
    }
    section.tables.push(days(facts));
    section
}

fn days(facts: &Facts<'_>) -> Table {
    let words = facts.words;
    let planned = &facts.input.planned;
    let zone = &planned.time_zone;
    let mut table = Table::new(&[
        (words.day, false),
        (words.day_kind, false),
        (words.people_planned, true),
        (words.peak, true),
        (words.peak_when, true),
        (words.acks, true),
        (words.dns, true),
        (words.logs, true),
    ]);
    let of_plan = planned.days.iter().filter_map(|day| local_date(day.doors, zone));
    let of_samples = facts.course.axis.stretches().iter().filter_map(|stretch| local_date(stretch.first, zone));
    let dates: BTreeSet<Date> = of_plan.chain(of_samples).collect();
    for date in dates {
        let day = planned.days.iter().find(|day| local_date(day.doors, zone) == Some(date));
        let of_day = |metric| Some(facts.course.whole(metric)?.on(date, zone)).filter(|series| series.peak().is_some());
        let grown = |metric| of_day(metric).map_or_else(|| words.unknown.to_owned(), |series| count(series.grown()));
        let peak = of_day("clients").and_then(|series| series.peak());
        table.row(
            Level::Calm,
            vec![
                date.strftime(words.day_long_form).to_string(),
                day.map_or(words.unplanned, |day| kind(day.kind, words)).to_owned(),
                day.map_or_else(|| words.unknown.to_owned(), |day| count(day.people.likely)),
                peak.map_or_else(|| words.unknown.to_owned(), |peak| count(peak.1)),
                peak.map_or_else(|| words.unknown.to_owned(), |peak| local(peak.0, zone, "%H:%M")),
                grown("dhcp_acks_total"),
                grown("dns_queries_total"),
                grown("log_lines_total"),
            ],
        );
    }
    table
}

fn kind(kind: DayKind, words: &Words) -> &'static str {
    match kind {
        DayKind::Setup => words.setup,
        DayKind::Tutorial => words.tutorial,
        DayKind::Conference => words.conference,
        DayKind::Sprint => words.sprint,
    }
}

/// By room: who would come, what is carried, what came.
pub(super) fn rooms(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("rooms", words.rooms);
    let loads = room_loads(facts);
    section.figures.extend(bars(words.rooms_caption, &loads, words));
    let mut table = Table::new(&[
        (words.room, false),
        (words.floor, false),
        (words.places, true),
        (words.expected, true),
        (words.capacity, true),
        (words.peak, true),
        (words.peak_when, true),
        (words.time_over, true),
        (words.load_percent, true),
    ]);
    let mut rows: Vec<_> = facts.input.planned.rooms.iter().zip(&loads).collect();
    rows.sort_by(|a, b| most_loaded_first(a.1, b.1));
    for (room, load) in rows {
        let mut cells = vec![
            room.name.clone(),
            room.floor.clone(),
            format!("{} + {}", count(room.seats.into()), count(room.standing.into())),
            count(room.clients_expected.likely),
        ];
        cells.extend(load_cells(facts, load));
        table.row(load.level(), cells);
    }
    section.tables.push(table);
    section
}

/// By access point: what it is to carry, what it carried.
pub(super) fn access_points(facts: &Facts<'_>) -> Section {
    let words = facts.words;
    let mut section = Section::new("access-points", words.access_points);
    let loads = access_point_loads(facts);
    section.figures.extend(bars(words.access_points_caption, &loads, words));
    let mut table = Table::new(&[
        (words.access_point, false),
        (words.room, false),
        (words.capacity, true),
        (words.peak, true),
        (words.peak_when, true),
        (words.time_over, true),
        (words.load_percent, true),
    ]);
    let mut rows: Vec<_> = facts.input.planned.access_points.iter().zip(&loads).collect();
    rows.sort_by(|a, b| most_loaded_first(a.1, b.1));
    for (access_point, load) in rows {
        let mut cells = vec![load.name.clone(), access_point.room.clone()];
        cells.extend(load_cells(facts, load));
        table.row(load.level(), cells);
    }
    section.tables.push(table);
    section
}

/// Capacity, peak, when, time over it, share.
fn load_cells(facts: &Facts<'_>, load: &PeakLoad) -> [String; 5] {
    let words = facts.words;
    let unknown = || words.unknown.to_owned();
    [
        if load.capacity > 0.0 { count(load.capacity) } else { unknown() },
        if load.at.is_some() { count(load.peak) } else { unknown() },
        load.at.filter(|_| load.peak > 0.0).map_or_else(unknown, |at| facts.moment(at)),
        if load.time_over.is_zero() { unknown() } else { words.length(load.time_over) },
        if load.at.is_some() { load.percent_says(words) } else { unknown() },
    ]
}

/// Bars of what has a capacity and was measured, fullest first.
pub(super) fn bars(caption: &str, loads: &[PeakLoad], words: &Words) -> Option<Figure> {
    let mut loads: Vec<_> = loads.iter().filter(|load| load.capacity > 0.0 && load.at.is_some()).collect();
    loads.sort_by(|a, b| most_loaded_first(a, b));
    let bars: Vec<Bar> = loads
        .into_iter()
        .map(|load| Bar {
            name: load.name.clone(),
            percent: load.percent(),
            says: fill(words.load, &[&count(load.peak), &count(load.capacity), &format!("{:.0}", load.percent())]),
            level: load.level(),
        })
        .collect();
    let [wide, narrow] = [Size::Wide, Size::Narrow].map(|size| chart::bars(&bars, size));
    (!bars.is_empty()).then(|| Figure { caption: caption.to_owned(), key: Vec::new(), wide, narrow })
}

fn most_loaded_first(a: &PeakLoad, b: &PeakLoad) -> Ordering {
    b.percent().total_cmp(&a.percent()).then_with(|| b.peak.total_cmp(&a.peak))
}
