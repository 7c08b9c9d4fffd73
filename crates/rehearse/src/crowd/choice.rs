//! Where somebody goes next: a multinomial logit over talks and lounges.

use rand::{Rng, RngExt};

/// Liking of a talk, standard deviation of its logarithm.
pub(crate) const POPULARITY_SIGMA: f64 = 0.75;
/// How far the programme committee foresees it: liking grows with the seats of the room to this power.
pub(crate) const POPULARITY_SEATS_POWER: f64 = 0.5;
/// Bonus for not having to get up.
const STAY: f64 = 0.8;
/// Penalty for each minute of walking.
const WALK_MINUTE: f64 = 0.15;
/// Penalty for each full room's worth of people above [`FULL_FROM`].
const FULL: f64 = 4.0;
/// From here on a room looks full, people for each seat.
const FULL_FROM: f64 = 0.8;
/// Penalty for each minute of the talk that is over.
const MISSED_MINUTE: f64 = 0.1;
/// Who would rather be in a lounge while one talk is given, of all; and while several are.
const LOUNGE_SHARES: (f64, f64) = (0.10, 0.28);

/// Somewhere to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alternative {
    /// How much it is liked; above 0.
    pub(crate) popularity: f64,
    pub(crate) is_here: bool,
    pub(crate) walk_minutes: f64,
    /// People for each seat.
    pub(crate) fullness: f64,
    pub(crate) missed_minutes: f64,
}

impl Alternative {
    /// Its weight among the others: `exp` of its utility.
    pub(crate) fn weight(&self) -> f64 {
        let stay = if self.is_here { STAY } else { 0.0 };
        let full = FULL * (self.fullness - FULL_FROM).max(0.0);
        let penalty = WALK_MINUTE * self.walk_minutes + full + MISSED_MINUTE * self.missed_minutes;
        self.popularity * (stay - penalty).exp()
    }
}

/// One of the weights' indexes, each as likely as its weight says; `None` when none is above 0.
pub(crate) fn choose(weights: &[f64], random: &mut impl Rng) -> Option<usize> {
    let total: f64 = weights.iter().sum();
    if !(total > 0.0 && total.is_finite()) {
        return None;
    }
    let mut left = total * random.random::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return Some(index);
        }
    }
    weights.iter().rposition(|weight| *weight > 0.0)
}

/// How much the lounges are liked together, beside talks that are liked so much.
pub(crate) fn lounge_popularity(talks: &[f64]) -> f64 {
    let share = if talks.len() > 1 { LOUNGE_SHARES.1 } else { LOUNGE_SHARES.0 };
    talks.iter().sum::<f64>() * share / (1.0 - share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crowd::random::{Purpose, Seed};

    #[test]
    fn choices_follow_their_weights() {
        let mut random = Seed { seed: 7, run: 0 }.generator(Purpose::Choice);
        let mut counts = [0_u32; 3];
        for _ in 0..40_000 {
            counts[choose(&[1.0, 0.0, 3.0], &mut random).unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        let share = f64::from(counts[2]) / 40_000.0;
        assert!((share - 0.75).abs() < 0.01, "{share}");
        for weights in [&[][..], &[0.0], &[f64::NAN], &[f64::INFINITY]] {
            assert_eq!(choose(weights, &mut random), None, "{weights:?}");
        }
    }

    #[test]
    fn full_far_and_begun_are_liked_less_and_here_more() {
        let plain =
            Alternative { popularity: 1.0, is_here: false, walk_minutes: 1.0, fullness: 0.5, missed_minutes: 0.0 };
        assert!(Alternative { is_here: true, ..plain }.weight() > plain.weight());
        assert!(Alternative { walk_minutes: 5.0, ..plain }.weight() < plain.weight());
        assert!(Alternative { fullness: 1.2, ..plain }.weight() < plain.weight());
        assert!(Alternative { missed_minutes: 9.0, ..plain }.weight() < plain.weight());
        assert!((Alternative { fullness: 0.8, ..plain }.weight() - plain.weight()).abs() < 1e-12);
    }
}
