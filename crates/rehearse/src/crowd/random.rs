//! Random numbers by purpose: a change in how one thing is drawn leaves the others as they were.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What numbers are drawn for; one stream of the generator each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Values that the plan only estimates.
    Estimates = 1,
    /// Who comes on which day, and with what.
    People = 2,
    /// When they come and go.
    Hours = 3,
    /// How well talks are liked.
    Popularity = 4,
    /// Where they go next.
    Choice = 5,
    /// How attractive access points are.
    AccessPoints = 6,
    /// What devices they have.
    Devices = 7,
    /// When and where their devices are on the network.
    Stays = 8,
}

/// Streams kept free for each run.
const STREAMS: u64 = 16;

/// Where the numbers of one run come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed {
    pub(crate) seed: u64,
    /// From 0. Run 0 plays the likely values of the plan's estimates, the others draw them.
    pub(crate) run: u32,
}

impl Seed {
    /// The generator of a purpose. The same for the same seed, run and purpose.
    pub(crate) fn generator(self, purpose: Purpose) -> ChaCha8Rng {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(u64::from(self.run) * STREAMS + purpose as u64);
        generator
    }
}

/// True with probability `share`; never for NaN and what is below 0, always from 1 on.
pub(crate) fn happens(share: f64, random: &mut impl Rng) -> bool {
    random.random::<f64>() < share
}

/// A number from `low` to below `high`; `low` when they are in the wrong order.
pub(crate) fn between(low: f64, high: f64, random: &mut impl Rng) -> f64 {
    low + (high - low).max(0.0) * random.random::<f64>()
}

/// A waiting time with that mean, no longer than ten of them.
pub(crate) fn waiting(mean: f64, random: &mut impl Rng) -> f64 {
    (-(1.0 - random.random::<f64>()).ln()).min(10.0) * mean
}

/// A standard normal number, cut at four standard deviations (Box-Muller; the second of the pair is not used).
pub(crate) fn normal(random: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * random.random::<f64>()).cos()).clamp(-4.0, 4.0)
}

/// A log-normal number of that median.
pub(crate) fn log_normal(median: f64, sigma: f64, random: &mut impl Rng) -> f64 {
    median * (sigma * normal(random)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_and_repeat() {
        let draw = |seed, run, purpose| Seed { seed, run }.generator(purpose).random::<u64>();
        let first = draw(1, 0, Purpose::People);
        assert_eq!(first, draw(1, 0, Purpose::People));
        for other in [draw(2, 0, Purpose::People), draw(1, 1, Purpose::People), draw(1, 0, Purpose::Hours)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut random = Seed { seed: 1, run: 0 }.generator(Purpose::Choice);
        let numbers: Vec<f64> = (0..20_000).map(|_| normal(&mut random)).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
