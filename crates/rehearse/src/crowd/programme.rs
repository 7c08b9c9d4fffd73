//! What draws people to rooms on one day: the talks of the timetable, or sessions in every room when it has none.

use jiff::civil;
use model::Timestamp;
use plan::{Day, DayKind, Plan, RoomKind};
use rand::Rng;

use super::{
    choice::{POPULARITY_SEATS_POWER, POPULARITY_SIGMA},
    random::log_normal,
    venue::Venue,
};

/// Milliseconds since the doors of a day.
pub(crate) type Moment = i64;

/// One minute.
pub(crate) const MINUTE: Moment = 60_000;

/// What is left of a talk within the day must be at least so long.
const LENGTH_MIN: Moment = 5 * MINUTE;
/// Sessions of a day without timetable: they begin so long after the doors, last so long, and pause so long.
const FREE_FIRST: Moment = 30 * MINUTE;
const FREE_LENGTH: Moment = 90 * MINUTE;
const FREE_PAUSE: Moment = 15 * MINUTE;
const FREE_LUNCH: Moment = 60 * MINUTE;
/// Words in the kind of a talk that is none: nobody goes to the room because of it.
const PAUSES: &[&str] = &["break", "lunch", "coffee", "registration", "doors", "休憩", "昼食", "受付"];

/// Something that draws people to a room.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Session {
    pub(crate) room: usize,
    pub(crate) starts: Moment,
    pub(crate) ends: Moment,
    /// How much it is liked; about 1, above 0.
    pub(crate) popularity: f64,
}

/// One day as the crowd sees it.
pub(crate) struct Programme {
    /// The doors.
    pub(crate) doors: Timestamp,
    /// When everybody must be out.
    pub(crate) close: Moment,
    /// Noon, which may be before the doors.
    pub(crate) noon: Moment,
    /// By start, then by room.
    pub(crate) sessions: Vec<Session>,
    /// Laptops are open all the time: tutorials, sprints, set-up.
    pub(crate) is_hands_on: bool,
}

impl Programme {
    /// `None` when the day ends before it begins, or at once.
    pub(crate) fn of(plan: &Plan, day: &Day, venue: &Venue, random: &mut impl Rng) -> Option<Self> {
        let (doors, close) = plan.day_span(day);
        if moment(close, doors) < LENGTH_MIN {
            return None;
        }
        let noon = plan.local_time(day.date.to_datetime(civil::time(12, 0, 0, 0)));
        let mut programme = Self {
            doors,
            close: moment(close, doors),
            noon: moment(noon, doors),
            sessions: Vec::new(),
            is_hands_on: day.kind != DayKind::Conference,
        };
        programme.sessions = programme.talks(plan, venue, random);
        if programme.sessions.is_empty() {
            programme.sessions = programme.free_sessions(plan, venue, random);
        }
        programme.sessions.sort_by_key(|session| (session.starts, session.room, session.ends));
        Some(programme)
    }

    /// The moment as others know it.
    pub(crate) fn timestamp(&self, moment: Moment) -> Timestamp {
        Timestamp::from_nanos(self.doors.as_nanos().saturating_add(moment.saturating_mul(1_000_000)))
    }

    /// When the last session ends.
    pub(crate) fn last_end(&self) -> Moment {
        self.sessions.iter().map(|session| session.ends).max().unwrap_or(self.close)
    }

    fn talks(&self, plan: &Plan, venue: &Venue, random: &mut impl Rng) -> Vec<Session> {
        let mut sessions = Vec::new();
        for talk in plan.timetable.iter().flatten() {
            let starts = moment(talk.starts, self.doors).max(0);
            let ends = moment(talk.ends, self.doors).min(self.close);
            let kind = talk.kind.to_lowercase();
            let Some(room) = venue.index(&talk.room).filter(|room| draws_people(plan.rooms[*room].kind)) else {
                continue;
            };
            if ends.saturating_sub(starts) >= LENGTH_MIN && !PAUSES.iter().any(|pause| kind.contains(pause)) {
                let popularity = popularity(plan, venue, room, random);
                sessions.push(Session { room, starts, ends, popularity });
            }
        }
        sessions
    }

    /// Sessions in every room where people may stay, so that days without talks have people in the rooms too.
    fn free_sessions(&self, plan: &Plan, venue: &Venue, random: &mut impl Rng) -> Vec<Session> {
        let mut rooms = if venue.talk_rooms.is_empty() { venue.lounges.clone() } else { venue.talk_rooms.clone() };
        if rooms.is_empty() && !plan.rooms.is_empty() {
            rooms.push(venue.entrance);
        }
        let liked: Vec<(usize, f64)> =
            rooms.iter().map(|&room| (room, popularity(plan, venue, room, random))).collect();
        let mut sessions = Vec::new();
        let mut starts = FREE_FIRST.min(self.close / 8);
        let last = self.close - FREE_PAUSE.min(self.close / 8);
        while last - starts >= LENGTH_MIN {
            let ends = (starts + FREE_LENGTH).min(last);
            sessions.extend(liked.iter().map(|&(room, popularity)| Session { room, starts, ends, popularity }));
            let is_lunch = (ends - self.noon).abs() <= FREE_LENGTH / 2;
            starts = ends + if is_lunch { FREE_LUNCH } else { FREE_PAUSE };
        }
        sessions
    }
}

fn draws_people(kind: RoomKind) -> bool {
    match kind {
        RoomKind::Talk | RoomKind::Lounge => true,
        RoomKind::Noc | RoomKind::Other => false,
    }
}

/// Log-normal, and higher in large rooms: the committee foresees some of it.
fn popularity(plan: &Plan, venue: &Venue, room: usize, random: &mut impl Rng) -> f64 {
    let rooms = venue.talk_rooms.iter().map(|room| f64::from(plan.rooms[*room].seats));
    let mean = (rooms.sum::<f64>() / venue.talk_rooms.len().max(1) as f64).max(1.0);
    let size = f64::from(plan.rooms[room].seats).max(1.0) / mean;
    log_normal(1.0, POPULARITY_SIGMA, random) * size.powf(POPULARITY_SEATS_POWER)
}

fn moment(at: Timestamp, doors: Timestamp) -> Moment {
    at.as_nanos().saturating_sub(doors.as_nanos()) / 1_000_000
}
