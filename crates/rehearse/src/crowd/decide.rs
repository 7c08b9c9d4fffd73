//! What people decide: which talk, or which lounge; what to do when a room is full, and when nothing is on.

use super::{
    choice::{Alternative, choose, lounge_popularity},
    day::{Day, LOOKAHEAD},
    programme::{MINUTE, Moment},
    random::{between, happens, log_normal},
    walker::{Activity, Destination, Ground, Next, Walker},
};

/// Of those turned away who do not open the stream: to their second choice, to the hallway; the rest goes out.
const SECOND_CHOICE_SHARE: f64 = 0.35 / 0.75;
const HALLWAY_SHARE: f64 = 0.25 / 0.75;
/// Of those who go out because a room is full, who does not come back that day.
const GONE_SHARE: f64 = 0.5;
/// Nobody runs from door to door more often than this.
const TURNED_AWAY_MAX: u32 = 2;
/// Time in a lounge while talks are given: median and spread.
const LOUNGE_MINUTES: f64 = 25.0;
const LOUNGE_SIGMA: f64 = 0.6;
/// People set out for a talk so long before it begins.
const LEAD_MINUTES: (f64, f64) = (2.0, 10.0);
/// A pause of this length around noon is lunch; who has it outside.
const LUNCH_MIN: Moment = 40 * MINUTE;
const LUNCH_NEAR_NOON: Moment = 100 * MINUTE;
const LUNCH_OUTSIDE_SHARE: f64 = 0.55;
/// Places in the hallway before a room, for each place inside.
const HALLWAY_PLACES: f64 = 0.3;
/// Who keeps the seat during a pause.
const KEEP_SEAT_SHARE: f64 = 0.2;

impl Day<'_> {
    /// Chooses among the sessions that are open and the lounges.
    pub(super) fn decide(&mut self, walker: &mut Walker, at: Moment) -> Option<Moment> {
        let open: Vec<usize> = self.open.iter().copied().filter(|session| !walker.avoid.contains(session)).collect();
        if open.is_empty() {
            return self.idle(walker, at);
        }
        let mut weights: Vec<f64> = open.iter().map(|session| self.session_weight(walker, at, *session)).collect();
        let liked: Vec<f64> = open.iter().map(|session| self.programme.sessions[*session].popularity).collect();
        let places: f64 = self.venue.lounges.iter().map(|room| self.venue.places(*room)).sum();
        let each_place = lounge_popularity(&liked) / places.max(1.0);
        weights.extend(self.venue.lounges.iter().map(|room| self.lounge_weight(walker, *room, each_place)));
        match choose(&weights, self.random) {
            Some(chosen) if chosen < open.len() => self.go_to_session(walker, at, open[chosen]),
            Some(chosen) => {
                let minutes = log_normal(LOUNGE_MINUTES, LOUNGE_SIGMA, self.random);
                let until = (at + (minutes * MINUTE as f64) as Moment).min(self.next_start(at));
                self.mingle(walker, at, (self.venue.lounges[chosen - open.len()], Ground::Room), until, false)
            }
            None => self.idle(walker, at),
        }
    }

    fn session_weight(&self, walker: &Walker, at: Moment, session: usize) -> f64 {
        let session = &self.programme.sessions[session];
        let is_here = walker.visit().is_some_and(|visit| visit.is_inside && visit.room == session.room);
        Alternative {
            popularity: session.popularity,
            is_here,
            walk_minutes: self.venue.walk_seconds(walker.near, session.room) / 60.0,
            fullness: if is_here { 0.0 } else { self.occupancies.fullness(self.venue, session.room) },
            missed_minutes: (at - session.starts).max(0) as f64 / MINUTE as f64,
        }
        .weight()
    }

    fn lounge_weight(&self, walker: &Walker, room: usize, each_place: f64) -> f64 {
        Alternative {
            popularity: each_place * self.venue.places(room),
            is_here: false,
            walk_minutes: self.venue.walk_seconds(walker.near, room) / 60.0,
            fullness: self.occupancies.fullness(self.venue, room),
            missed_minutes: 0.0,
        }
        .weight()
    }

    fn go_to_session(&mut self, walker: &mut Walker, at: Moment, session: usize) -> Option<Moment> {
        let room = self.programme.sessions[session].room;
        if walker.visit().is_some_and(|visit| visit.is_inside && visit.room == room) {
            return self.sit(walker, at, session);
        }
        let until = self.programme.sessions[session].ends;
        self.walk(
            walker,
            at,
            Destination { room, ground: Ground::Room, activity: Activity::Talk(session), until, is_streaming: false },
        )
    }

    fn mingle(
        &mut self,
        walker: &mut Walker,
        at: Moment,
        (room, ground): (usize, Ground),
        until: Moment,
        is_streaming: bool,
    ) -> Option<Moment> {
        let is_inside = ground == Ground::Room;
        let is_here = walker.visit().is_some_and(|visit| {
            visit.room == room && visit.activity == Activity::Mingle && (visit.is_inside || !is_inside)
        });
        if is_here && !is_streaming {
            return self.until(walker, at, until);
        }
        self.walk(walker, at, Destination { room, ground, activity: Activity::Mingle, until, is_streaming })
    }

    /// The room is full: second choice, the stream, the hallway, or out.
    pub(super) fn overflow(&mut self, walker: &mut Walker, at: Moment, session: usize) -> Option<Moment> {
        walker.avoid.push(session);
        walker.turned_away += 1;
        let ends = self.programme.sessions[session].ends;
        let next = self.next_start(at).min(ends);
        if happens(self.crowd.stream_share, self.random) {
            let place = self.a_lounge(walker);
            return self.mingle(walker, at, place, ends, true);
        }
        let share = between(0.0, 1.0, self.random);
        if share < SECOND_CHOICE_SHARE && walker.turned_away < TURNED_AWAY_MAX {
            return self.decide(walker, at);
        }
        if share < SECOND_CHOICE_SHARE + HALLWAY_SHARE {
            let place = self.a_lounge(walker);
            return self.mingle(walker, at, place, next, false);
        }
        if happens(GONE_SHARE, self.random) {
            walker.next = Next::GoHome;
            return Some(at);
        }
        self.go_out(walker, at, ends)
    }

    /// Nothing is on that they want: lunch, a lounge, or the seat that they have.
    fn idle(&mut self, walker: &mut Walker, at: Moment) -> Option<Moment> {
        let next = self.programme.sessions.get(self.first_later(at));
        let Some(next) = next.copied() else {
            let place = self.a_lounge(walker);
            return self.mingle(walker, at, place, walker.hours.goes, false);
        };
        let until = self.next_start(at);
        let is_lunch = next.starts - at >= LUNCH_MIN && (at - self.programme.noon).abs() <= LUNCH_NEAR_NOON;
        if is_lunch && happens(LUNCH_OUTSIDE_SHARE, self.random) {
            return self.go_out(walker, at, until);
        }
        let is_seated = walker.visit().is_some_and(|visit| visit.is_inside);
        if is_seated && (self.venue.lounges.is_empty() || happens(KEEP_SEAT_SHARE, self.random)) {
            walker.visiting(Activity::Mingle);
            return self.until(walker, at, until);
        }
        let place = if self.venue.lounges.is_empty() { (next.room, Ground::Room) } else { self.a_lounge(walker) };
        self.mingle(walker, at, place, until, false)
    }

    /// A lounge, by size, nearness and fullness, or else where they are: the hallway before the room they came from.
    fn a_lounge(&mut self, walker: &Walker) -> (usize, Ground) {
        let lounges = &self.venue.lounges;
        let mut weights: Vec<f64> = lounges.iter().map(|room| self.lounge_weight(walker, *room, 1.0)).collect();
        weights.push(HALLWAY_PLACES * self.venue.places(walker.near));
        let chosen = choose(&weights, self.random).and_then(|chosen| lounges.get(chosen));
        chosen.map_or((walker.near, Ground::Hallway), |room| (*room, Ground::Room))
    }

    /// The first session that begins too late to be chosen now.
    fn first_later(&self, at: Moment) -> usize {
        self.programme.sessions.partition_point(|session| session.starts <= at + LOOKAHEAD)
    }

    /// When to set out for the next sessions; the end of the day when there are none.
    fn next_start(&mut self, at: Moment) -> Moment {
        let lead = between(LEAD_MINUTES.0, LEAD_MINUTES.1, self.random);
        let next = self.programme.sessions.get(self.first_later(at));
        next.map_or(self.programme.close, |session| session.starts - (lead * MINUTE as f64) as Moment)
    }
}
