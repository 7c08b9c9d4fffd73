//! What a crowd asks DNS: few names often, many names seldom (Zipf), some of the event's own, some that do not exist.

use dns::client::{TYPE_A, TYPE_AAAA, TYPE_HTTPS};
use rand::{Rng, RngExt};

/// Names of the outside world that the crowd knows.
const CATALOGUE_NAMES: usize = 5_000;
/// Exponent of Zipf's law; traces of stub resolvers lie between 0.84 and 1.0.
const ZIPF_EXPONENT: f64 = 0.9;
/// Share of questions for the event's own names, and of questions for names that do not exist.
const OWN_SHARE: f64 = 0.06;
const MISSING_SHARE: f64 = 0.03;
/// Labels that programs ask for in whatever domain DHCP told them, and hardly anyone has.
const MISSING_LABELS: [&str; 4] = ["wpad", "isatap", "printer", "_ldap._tcp"];
/// Names of the outside world that do not exist: the made-up internet knows none that starts with `nx`.
const MISSING_OUTSIDE: usize = 40;
/// Of a hundred questions so many are for A, then AAAA; the rest is for HTTPS (RFC 9460).
const A_PERCENT: u32 = 55;
const AAAA_PERCENT: u32 = 30;

/// Chooses what is asked next. The same generator state gives the same question.
#[derive(Debug)]
pub(crate) struct NameChooser {
    /// Of each rank the share of it and all better ones, 0 to 1.
    cumulative: Vec<f64>,
    own_names: Vec<String>,
    missing_names: Vec<String>,
}

impl NameChooser {
    /// For an event whose zone is `domain`, with hosts of its own such as `ap-4f-1`.
    pub(crate) fn new<'a>(domain: &str, hosts: impl Iterator<Item = &'a str>) -> Self {
        let domain = domain.trim_matches('.').to_ascii_lowercase();
        let within = |label: &str| if domain.is_empty() { label.to_owned() } else { format!("{label}.{domain}") };
        Self {
            cumulative: cumulative_shares(),
            own_names: hosts.map(|host| within(&host.to_ascii_lowercase())).collect(),
            missing_names: MISSING_LABELS
                .iter()
                .map(|label| within(label))
                .chain((0..MISSING_OUTSIDE).map(|number| format!("nx-{number}.example.net")))
                .collect(),
        }
    }

    /// A name and a type.
    pub(crate) fn choose(&self, random: &mut impl Rng) -> (String, u16) {
        let dice: f64 = random.random();
        let name = if dice < MISSING_SHARE {
            pick(&self.missing_names, random)
        } else if dice < MISSING_SHARE + OWN_SHARE {
            pick(&self.own_names, random)
        } else {
            None
        };
        (name.unwrap_or_else(|| catalogue_name(self.rank(random))), choose_type(random))
    }

    /// 0 is asked most.
    fn rank(&self, random: &mut impl Rng) -> usize {
        let dice: f64 = random.random();
        self.cumulative.partition_point(|share| *share < dice).min(CATALOGUE_NAMES - 1)
    }
}

fn pick(names: &[String], random: &mut impl Rng) -> Option<String> {
    (!names.is_empty()).then(|| names[random.random_range(0..names.len())].clone())
}

fn choose_type(random: &mut impl Rng) -> u16 {
    match random.random_range(0..100) {
        dice if dice < A_PERCENT => TYPE_A,
        dice if dice < A_PERCENT + AAAA_PERCENT => TYPE_AAAA,
        _ => TYPE_HTTPS,
    }
}

/// A made-up name in a domain kept for examples (RFC 2606 section 3).
fn catalogue_name(rank: usize) -> String {
    let host = ["www", "api", "cdn", "img", "push"][rank % 5];
    let parent = ["example.net", "example.com", "example.org"][rank % 3];
    format!("{host}.site-{rank:04}.{parent}")
}

#[expect(clippy::cast_precision_loss, reason = "ranks are small")]
fn cumulative_shares() -> Vec<f64> {
    let weights = (1..=CATALOGUE_NAMES).map(|rank| (rank as f64).powf(-ZIPF_EXPONENT));
    let total: f64 = weights.clone().sum();
    weights
        .scan(0.0, |sum, weight| {
            *sum += weight / total;
            Some(*sum)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn questions(seed: u64, count: usize) -> Vec<(String, u16)> {
        let chooser = NameChooser::new("event.example", ["ap-1", "AP-2"].into_iter());
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| chooser.choose(&mut random)).collect()
    }

    #[test]
    fn the_same_seed_asks_the_same() {
        assert_eq!(questions(7, 200), questions(7, 200));
        assert_ne!(questions(7, 200), questions(8, 200));
    }

    #[test]
    fn few_names_are_asked_often() {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for (name, _) in questions(1, 20_000) {
            *counts.entry(name).or_default() += 1;
        }
        let own: usize =
            counts.iter().filter(|(name, _)| name.ends_with("event.example")).map(|(_, count)| count).sum();
        assert!((1_000..1_500).contains(&own), "{own}");
        let first = counts["www.site-0000.example.net"];
        let second = counts["api.site-0001.example.com"];
        assert!(first > second && first > 20_000 / 20, "{first} {second}");
        assert!(counts.len() > 2_500, "{} names", counts.len());
    }

    #[test]
    fn every_type_is_asked() {
        let asked = questions(3, 1_000);
        for (record_type, range) in [(TYPE_A, 480..620), (TYPE_AAAA, 240..360), (TYPE_HTTPS, 90..210)] {
            let count = asked.iter().filter(|question| question.1 == record_type).count();
            assert!(range.contains(&count), "{record_type}: {count}");
        }
    }
}
