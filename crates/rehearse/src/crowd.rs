//! The crowd: from a plan and a seed to what everybody's devices do.
//!
//! People come on the days of the plan, choose talks and lounges, walk, fill rooms, stand, are turned away, watch the
//! stream, go for lunch, leave; then each of their devices is told what that means for it. The numbers and where
//! they are from: `docs/crowd.md`. Start at [`course`].

mod choice;
mod day;
mod decide;
mod devices;
mod people;
mod programme;
pub(crate) mod random;
mod rooms;
#[cfg(test)]
mod tests;
mod venue;
mod walker;

use std::time::Duration;

use check::ApprovedPlan;
use model::Timestamp;
use plan::{Day, Plan};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use self::{
    day::{DayCourse, OCCUPANCY_STEP},
    people::{Hours, People},
    programme::Programme,
    random::{Purpose, Seed},
    venue::Venue,
    walker::Visit,
};
use crate::{
    Options,
    course::{Action, Course, Occupancy},
};

/// Time between two points of [`Course::occupancy`].
pub const OCCUPANCY_INTERVAL: Duration = Duration::from_millis(OCCUPANCY_STEP as u64);

/// The course of the first run: the plan's likely numbers of people and devices, the rest by the seed.
/// The same plan and seed give the same course.
pub fn course(plan: &ApprovedPlan, options: &Options) -> Course {
    play(plan, Seed { seed: options.seed, run: 0 }).course
}

/// A course, and what only a rehearsal in virtual time needs to know of it.
pub(crate) struct Play {
    pub(crate) course: Course,
    /// Spans in which somebody watches the stream over the Wi-Fi.
    pub(crate) streams: Vec<(Timestamp, Timestamp)>,
    /// Most people at one time in each room of the plan.
    pub(crate) room_peaks: Vec<u32>,
    /// People turned away from each room of the plan.
    pub(crate) room_turned_away: Vec<u32>,
    /// Most people at one time at the venue.
    pub(crate) people_peak: u32,
}

/// Plays the whole event.
pub(crate) fn play(plan: &Plan, seed: Seed) -> Play {
    let mut play = Play {
        course: Course {
            access_points: Vec::new(),
            devices: Vec::new(),
            actions: Vec::new(),
            spans: Vec::new(),
            occupancy: Vec::new(),
            people: 0,
            turned_away: 0,
            streams_opened: 0,
        },
        streams: Vec::new(),
        room_peaks: vec![0; plan.rooms.len()],
        room_turned_away: vec![0; plan.rooms.len()],
        people_peak: 0,
    };
    if plan.rooms.is_empty() {
        return play;
    }
    let venue = Venue::of(plan, seed);
    let people = People::draw(plan, seed);
    let mut draws = Draws::new(seed);
    for (day, present) in plan.days.iter().zip(&people.days) {
        let last_end = play.course.spans.last().map(|span| span.1);
        let Some(programme) = Programme::of(plan, day, &venue, &mut draws.popularity) else { continue };
        if present.is_empty() || last_end.is_some_and(|end| programme.doors < end) {
            continue;
        }
        play_day(&mut play, plan, day, (&venue, &programme), (&people, present), &mut draws);
    }
    play.course.people = people.belongings.len() as u32;
    play.course.devices = people.devices;
    play.course.access_points = venue.access_points;
    play.course.actions.sort_by_key(|action| (action.at, action.device));
    play
}

/// One generator for each thing that is drawn day by day.
struct Draws {
    popularity: ChaCha8Rng,
    hours: ChaCha8Rng,
    choice: ChaCha8Rng,
    stays: ChaCha8Rng,
}

impl Draws {
    fn new(seed: Seed) -> Self {
        Self {
            popularity: seed.generator(Purpose::Popularity),
            hours: seed.generator(Purpose::Hours),
            choice: seed.generator(Purpose::Choice),
            stays: seed.generator(Purpose::Stays),
        }
    }
}

fn play_day(
    play: &mut Play,
    plan: &Plan,
    day: &Day,
    (venue, programme): (&Venue, &Programme),
    (people, present): (&People, &[u32]),
    draws: &mut Draws,
) {
    let mut hours: Vec<Hours> = people::hours(programme, day.kind, present.len(), &mut draws.hours);
    shuffle(&mut hours, &mut draws.hours);
    let outcome = day::play(venue, programme, &plan.crowd, &hours, &mut draws.choice);
    for (person, visits) in present.iter().zip(&outcome.visits) {
        act(&mut play.course.actions, people, *person, visits, (venue, programme), &mut draws.stays);
    }
    play.add(&outcome, programme);
}

fn act(
    actions: &mut Vec<Action>,
    people: &People,
    person: u32,
    visits: &[Visit],
    place: (&Venue, &Programme),
    random: &mut ChaCha8Rng,
) {
    for device in people.belongings[person as usize].clone() {
        let kind = people.devices[device as usize].kind;
        devices::act(device, kind, visits, place, random, actions);
    }
}

impl Play {
    fn add(&mut self, day: &DayCourse, programme: &Programme) {
        let at = |moment| programme.timestamp(moment);
        self.course.spans.push((at(0), at(programme.close)));
        for (point, rooms) in (0_i64..).zip(&day.points) {
            let at = at(point * OCCUPANCY_STEP);
            let points = (0_u32..).zip(rooms).map(|(room, people)| Occupancy { at, room, people: *people });
            self.course.occupancy.extend(points);
        }
        for (peak, of_day) in self.room_peaks.iter_mut().zip(day.occupancies.peaks()) {
            *peak = (*peak).max(*of_day);
        }
        for (count, of_day) in self.room_turned_away.iter_mut().zip(day.occupancies.turned_away()) {
            *count += of_day;
            self.course.turned_away += of_day;
        }
        self.people_peak = self.people_peak.max(day.occupancies.at_venue_peak());
        self.course.streams_opened += day.streams.len() as u32;
        self.streams.extend(day.streams.iter().map(|(from, to)| (at(*from), at(*to))));
    }
}

/// Any order as likely as any other (Fisher and Yates).
fn shuffle<T>(items: &mut [T], random: &mut impl Rng) {
    for index in (1..items.len()).rev() {
        items.swap(index, random.random_range(0..=index));
    }
}
