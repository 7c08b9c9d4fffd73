//! How many DNS queries a shared cache answers, by formula.

/// Names that a conference asks for.
const NAMES: u32 = 20_000;
/// Popularity of names falls with their rank to this power (measured at one event over ranks 3 to 50).
const ZIPF: f64 = 0.84;
/// TTL of a typical answer, seconds.
const TTL_SECONDS: f64 = 300.0;

/// Share of queries answered from the cache when so many come each second.
///
/// A name asked for `r` times a second is fetched once for each time its answer has run out, so `r T` of `r T + 1`
/// queries find it (Che's characteristic time is the TTL itself, as the cache is larger than the catalogue).
pub(crate) fn hit_ratio(queries_per_second: f64) -> f64 {
    let weight = |rank: u32| f64::from(rank).powf(-ZIPF);
    let total: f64 = (1..=NAMES).map(weight).sum();
    let hits: f64 = (1..=NAMES)
        .map(|rank| {
            let share = weight(rank) / total;
            let asked = queries_per_second.max(0.0) * share * TTL_SECONDS;
            share * asked / (1.0 + asked)
        })
        .sum();
    hits.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_clients_share_more() {
        let ratios: Vec<f64> = [0.0, 0.1, 1.0, 10.0, 100.0, 10_000.0].into_iter().map(hit_ratio).collect();
        assert!(ratios.windows(2).all(|pair| pair[0] < pair[1]), "{ratios:?}");
        assert!(ratios[0] == 0.0 && ratios[5] > 0.98, "{ratios:?}");
        assert!((0.5..0.9).contains(&hit_ratio(150.0)));
    }
}
