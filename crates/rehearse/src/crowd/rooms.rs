//! How many people are where, and who is turned away.

use super::venue::Venue;

/// People in each room now, and the most at one time so far.
pub(crate) struct Occupancies {
    inside: Vec<u32>,
    peaks: Vec<u32>,
    turned_away: Vec<u32>,
    at_venue: u32,
    at_venue_peak: u32,
}

impl Occupancies {
    pub(crate) fn new(rooms: usize) -> Self {
        Self {
            inside: vec![0; rooms],
            peaks: vec![0; rooms],
            turned_away: vec![0; rooms],
            at_venue: 0,
            at_venue_peak: 0,
        }
    }

    /// One more person in the room; false, and nobody more, when every seat and every standing place is taken.
    pub(crate) fn enter(&mut self, venue: &Venue, room: usize) -> bool {
        if venue.rooms[room].capacity.is_some_and(|capacity| self.inside[room] >= capacity) {
            return false;
        }
        self.inside[room] += 1;
        self.peaks[room] = self.peaks[room].max(self.inside[room]);
        true
    }

    /// Somebody who came for a talk found no place.
    pub(crate) fn turn_away(&mut self, room: usize) {
        self.turned_away[room] += 1;
    }

    pub(crate) fn leave(&mut self, room: usize) {
        debug_assert!(self.inside[room] > 0, "somebody leaves an empty room");
        self.inside[room] = self.inside[room].saturating_sub(1);
    }

    pub(crate) fn come(&mut self) {
        self.at_venue += 1;
        self.at_venue_peak = self.at_venue_peak.max(self.at_venue);
    }

    pub(crate) fn go(&mut self) {
        self.at_venue = self.at_venue.saturating_sub(1);
    }

    /// People for each place where it is comfortable; 0 where none are stated.
    pub(crate) fn fullness(&self, venue: &Venue, room: usize) -> f64 {
        let places = venue.rooms[room].comfortable;
        if places == 0 { 0.0 } else { f64::from(self.inside[room]) / f64::from(places) }
    }

    pub(crate) fn inside(&self) -> &[u32] {
        &self.inside
    }

    pub(crate) fn peaks(&self) -> &[u32] {
        &self.peaks
    }

    pub(crate) fn turned_away(&self) -> &[u32] {
        &self.turned_away
    }

    pub(crate) fn at_venue_peak(&self) -> u32 {
        self.at_venue_peak
    }
}
