//! One person on one day.

use super::{people::Hours, programme::Moment};

/// Where a person stood, sat or walked about for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Visit {
    pub(crate) room: usize,
    /// False: in the hallway before the room.
    pub(crate) is_inside: bool,
    pub(crate) activity: Activity,
    pub(crate) from: Moment,
    pub(crate) to: Moment,
}

/// What people do somewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Activity {
    /// Attend that session of the programme.
    Talk(usize),
    /// Talk to each other, wait, drink coffee.
    Mingle,
}

/// Inside a room, or before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ground {
    /// Inside, if there is a place.
    Room,
    /// In the hallway before it.
    Hallway,
}

/// Where a person is going.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination {
    pub(crate) room: usize,
    pub(crate) ground: Ground,
    pub(crate) activity: Activity,
    /// When they will think about what comes next, if mingling.
    pub(crate) until: Moment,
    /// To watch there what there was no room for.
    pub(crate) is_streaming: bool,
}

/// What a person does next.
///
/// ```text
/// Decide -> Enter -> Decide (after the stay)
///    |        \-> Decide (turned away: second choice)
///    \-> GoHome
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// Think about where to go.
    Decide,
    /// Arrive at the door of a room.
    Enter(Destination),
    /// Leave for the day.
    GoHome,
}

/// One person on one day.
pub(crate) struct Walker {
    pub(crate) hours: Hours,
    pub(crate) next: Next,
    /// The room where they are or were last.
    pub(crate) near: usize,
    pub(crate) is_at_venue: bool,
    /// Times turned away since they last found a place.
    pub(crate) turned_away: u32,
    /// Sessions they will not go to: full, or left early.
    pub(crate) avoid: Vec<usize>,
    pub(crate) visits: Vec<Visit>,
    staying: bool,
}

impl Walker {
    pub(crate) fn new(hours: Hours, entrance: usize) -> Self {
        Self {
            hours,
            next: Next::Decide,
            near: entrance,
            is_at_venue: false,
            turned_away: 0,
            avoid: Vec::new(),
            visits: Vec::new(),
            staying: false,
        }
    }

    /// Begins a visit.
    pub(crate) fn stay(&mut self, from: Moment, room: usize, is_inside: bool, activity: Activity) {
        self.staying = true;
        self.visits.push(Visit { room, is_inside, activity, from, to: from });
    }

    /// Ends the visit that goes on, if one does.
    pub(crate) fn end_visit(&mut self, at: Moment) -> Option<Visit> {
        if !std::mem::take(&mut self.staying) {
            return None;
        }
        let visit = self.visits.last_mut()?;
        visit.to = at;
        Some(*visit)
    }

    /// The visit that goes on.
    pub(crate) fn visit(&self) -> Option<&Visit> {
        self.visits.last().filter(|_| self.staying)
    }

    /// Goes on with something else without leaving the place.
    pub(crate) fn visiting(&mut self, activity: Activity) {
        if let Some(visit) = self.visits.last_mut().filter(|_| self.staying) {
            visit.activity = activity;
        }
    }
}
