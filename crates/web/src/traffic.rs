//! The card of traffic by kind.

use model::{Traffic, TrafficKind};

use crate::words::Words;

/// Kinds shown; the others are little by then.
const KINDS_SHOWN: usize = 6;
/// Pairs of network and kind shown.
const TALKERS_SHOWN: usize = 3;

/// Traffic by kind, and the networks and kinds with most of it.
pub(crate) struct TrafficCard<'a> {
    pub(crate) minutes: u64,
    pub(crate) kinds: Vec<KindBar>,
    pub(crate) talkers: Vec<Talker<'a>>,
}

/// A kind and its share of all traffic.
pub(crate) struct KindBar {
    pub(crate) name: &'static str,
    pub(crate) rate: String,
    pub(crate) percent: u32,
    pub(crate) down: String,
    pub(crate) up: String,
}

/// A network and a kind.
pub(crate) struct Talker<'a> {
    pub(crate) network: &'a str,
    pub(crate) name: &'static str,
    pub(crate) rate: String,
}

impl<'a> TrafficCard<'a> {
    pub(crate) fn of(traffic: &'a Traffic, words: &Words) -> Self {
        let name = |kind: TrafficKind| words.traffic_kinds[kind as usize];
        let all: f64 = traffic.kinds.iter().map(model::KindTraffic::bytes_per_second).sum();
        let kinds = traffic.kinds.iter().take(KINDS_SHOWN).map(|kind| KindBar {
            name: name(kind.kind),
            rate: bits(kind.bytes_per_second()),
            percent: (kind.bytes_per_second() / all * 100.0).round() as u32,
            down: bits(kind.down),
            up: bits(kind.up),
        });
        let talkers = traffic.talkers.iter().take(TALKERS_SHOWN).map(|talker| Talker {
            network: &talker.network,
            name: name(talker.kind),
            rate: bits(talker.bytes_per_second()),
        });
        Self { minutes: traffic.span_seconds.div_ceil(60), kinds: kinds.collect(), talkers: talkers.collect() }
    }
}

/// Bits per second, as lines are sold: `12.3 Mb/s`.
fn bits(bytes_per_second: f64) -> String {
    let bits = bytes_per_second * 8.0;
    let (value, unit) = match bits {
        1e9.. => (bits / 1e9, "Gb/s"),
        1e6.. => (bits / 1e6, "Mb/s"),
        _ => (bits / 1e3, "kb/s"),
    };
    if value < 100.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_unit_that_fits() {
        for (bytes_per_second, wanted) in [
            (0.0, "0.0 kb/s"),
            (1_000.0, "8.0 kb/s"),
            (124_999.0, "1000 kb/s"),
            (2.5e6, "20.0 Mb/s"),
            (1.25e8, "1.0 Gb/s"),
        ] {
            assert_eq!(bits(bytes_per_second), wanted);
        }
    }
}
