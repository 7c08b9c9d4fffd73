//! One day of the crowd: everybody walks from decision to decision, in one queue by time.

use std::{cmp::Reverse, collections::BinaryHeap};

use plan::Crowd;
use rand_chacha::ChaCha8Rng;

use super::{
    people::Hours,
    programme::{MINUTE, Moment, Programme},
    random::{between, happens, waiting},
    rooms::Occupancies,
    venue::Venue,
    walker::{Activity, Destination, Ground, Next, Visit, Walker},
};

/// Somebody chooses among talks that begin within this time, or have begun.
pub(super) const LOOKAHEAD: Moment = 12 * MINUTE;
/// A talk that ends sooner is not worth going to.
const REMAINDER_MIN: Moment = 8 * MINUTE;
/// People file out of a room within about so many seconds.
const FILE_OUT_SECONDS: f64 = 40.0;
/// Interval of the points of occupancy.
pub(crate) const OCCUPANCY_STEP: Moment = 5 * MINUTE;

/// What came of a day.
pub(crate) struct DayCourse {
    /// Visits of each walker, by time.
    pub(crate) visits: Vec<Vec<Visit>>,
    /// People by room each [`OCCUPANCY_STEP`] from the doors on.
    pub(crate) points: Vec<Vec<u32>>,
    pub(crate) occupancies: Occupancies,
    /// Spans in which somebody watches the stream.
    pub(crate) streams: Vec<(Moment, Moment)>,
}

/// Everything that a decision looks at.
pub(super) struct Day<'a> {
    pub(super) venue: &'a Venue,
    pub(super) programme: &'a Programme,
    pub(super) crowd: &'a Crowd,
    pub(super) random: &'a mut ChaCha8Rng,
    pub(super) occupancies: Occupancies,
    /// Sessions that can be chosen now: about to begin, or begun and not almost over.
    pub(super) open: Vec<usize>,
    opened: usize,
    pub(super) streams: Vec<(Moment, Moment)>,
}

/// Plays a day of people who come and go at those hours.
pub(crate) fn play(
    venue: &Venue,
    programme: &Programme,
    crowd: &Crowd,
    hours: &[Hours],
    random: &mut ChaCha8Rng,
) -> DayCourse {
    let mut walkers: Vec<Walker> = hours.iter().map(|hours| Walker::new(*hours, venue.entrance)).collect();
    let mut queue: BinaryHeap<Reverse<(Moment, usize)>> =
        hours.iter().enumerate().map(|(index, hours)| Reverse((hours.comes, index))).collect();
    let mut day = Day {
        venue,
        programme,
        crowd,
        random,
        occupancies: Occupancies::new(venue.rooms.len()),
        open: Vec::new(),
        opened: 0,
        streams: Vec::new(),
    };
    let mut points = Vec::new();
    while let Some(Reverse((at, index))) = queue.pop() {
        while points.len() as Moment * OCCUPANCY_STEP <= at {
            points.push(day.occupancies.inside().to_vec());
        }
        day.open_sessions(at);
        if let Some(next) = day.on_event(&mut walkers[index], at) {
            queue.push(Reverse((next.max(at), index)));
        }
    }
    while points.len() as Moment * OCCUPANCY_STEP <= programme.close {
        points.push(day.occupancies.inside().to_vec());
    }
    let visits = walkers.into_iter().map(|walker| walker.visits).collect();
    DayCourse { visits, points, occupancies: day.occupancies, streams: day.streams }
}

impl Day<'_> {
    fn open_sessions(&mut self, at: Moment) {
        let sessions = &self.programme.sessions;
        while let Some(session) = sessions.get(self.opened)
            && session.starts <= at + LOOKAHEAD
        {
            self.open.push(self.opened);
            self.opened += 1;
        }
        self.open.retain(|index| sessions[*index].ends > at + REMAINDER_MIN);
    }

    /// What a walker does now; when it acts next, `None` when it has gone for the day.
    fn on_event(&mut self, walker: &mut Walker, at: Moment) -> Option<Moment> {
        if at >= walker.hours.goes {
            self.go_away(walker, at);
            return None;
        }
        if !walker.is_at_venue {
            walker.is_at_venue = true;
            self.occupancies.come();
        }
        match walker.next {
            Next::Decide => self.decide(walker, at),
            Next::Enter(destination) => self.enter(walker, at, destination),
            Next::GoHome => {
                self.go_away(walker, at);
                None
            }
        }
    }

    fn enter(&mut self, walker: &mut Walker, at: Moment, destination: Destination) -> Option<Moment> {
        let room = destination.room;
        walker.near = room;
        match destination.activity {
            Activity::Talk(session) => {
                if self.programme.sessions[session].ends <= at {
                    return self.decide(walker, at);
                }
                if !self.occupancies.enter(self.venue, room) {
                    self.occupancies.turn_away(room);
                    return self.overflow(walker, at, session);
                }
                walker.stay(at, room, true, destination.activity);
                walker.turned_away = 0;
                self.sit(walker, at, session)
            }
            Activity::Mingle => {
                let is_inside = destination.ground == Ground::Room && self.occupancies.enter(self.venue, room);
                walker.stay(at, room, is_inside, destination.activity);
                if destination.is_streaming {
                    self.streams.push((at, destination.until.clamp(at, walker.hours.goes)));
                }
                self.until(walker, at, destination.until)
            }
        }
    }

    /// Sits in a session to its end, or leaves early and does not come back.
    pub(super) fn sit(&mut self, walker: &mut Walker, at: Moment, session: usize) -> Option<Moment> {
        let Self { programme, random, .. } = self;
        let session_ends = programme.sessions[session].ends;
        walker.visiting(Activity::Talk(session));
        let until = if happens(self.crowd.roam_share, random) {
            walker.avoid.push(session);
            let from = at.max(programme.sessions[session].starts);
            between(from as f64, session_ends as f64, random) as Moment
        } else {
            session_ends + (waiting(FILE_OUT_SECONDS, random) * 1_000.0) as Moment
        };
        self.until(walker, at, until)
    }

    /// Decides again at `until`, or goes home before.
    pub(super) fn until(&mut self, walker: &mut Walker, at: Moment, until: Moment) -> Option<Moment> {
        walker.next = Next::Decide;
        Some(until.max(at + MINUTE).min(walker.hours.goes))
    }

    /// Walks to a destination; nobody is in a room while walking.
    pub(super) fn walk(&mut self, walker: &mut Walker, at: Moment, destination: Destination) -> Option<Moment> {
        self.leave_room(walker, at);
        let pace = between(0.8, 1.3, self.random);
        let crowded = waiting(15.0, self.random);
        let seconds = 5.0 + self.venue.walk_seconds(walker.near, destination.room) * pace + crowded;
        walker.next = Next::Enter(destination);
        Some(at + (seconds * 1_000.0) as Moment)
    }

    /// Out of the building until `until`, for lunch or fresh air.
    pub(super) fn go_out(&mut self, walker: &mut Walker, at: Moment, until: Moment) -> Option<Moment> {
        self.go_away(walker, at);
        walker.near = self.venue.entrance;
        self.until(walker, at, until)
    }

    fn go_away(&mut self, walker: &mut Walker, at: Moment) {
        self.leave_room(walker, at);
        if std::mem::take(&mut walker.is_at_venue) {
            self.occupancies.go();
        }
    }

    fn leave_room(&mut self, walker: &mut Walker, at: Moment) {
        if let Some(visit) = walker.end_visit(at)
            && visit.is_inside
        {
            self.occupancies.leave(visit.room);
        }
    }
}
