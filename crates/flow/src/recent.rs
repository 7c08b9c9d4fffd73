use std::{collections::VecDeque, time::Duration};

use model::{KindTraffic, NetworkTraffic, Timestamp, Traffic, TrafficDirection, TrafficKind};

use crate::{Network, Totals};

/// What is shown is a mean over so long: exporters tell of a long flow once a minute or so, in one piece.
const SPAN: Duration = Duration::from_secs(300);
/// Time between looks that are kept.
const STEP: Duration = Duration::from_secs(30);
/// Pairs of network and kind that are told.
const TALKERS_MAX: usize = 8;

/// Traffic of the last minutes, from totals that only grow.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    looks: VecDeque<(Timestamp, Totals)>,
}

impl Recent {
    /// Looks at `totals` and tells what was added lately. `networks` are those of the settings.
    pub fn look(&mut self, now: Timestamp, totals: &Totals, networks: &[Network]) -> Traffic {
        if self.looks.back().is_some_and(|(last, _)| now < *last) {
            self.looks.clear();
        }
        if self.looks.back().is_none_or(|(last, _)| now.since(*last) >= STEP) {
            self.looks.push_back((now, totals.clone()));
        }
        // The oldest look is as old as the span, or a step older.
        while self.looks.get(1).is_some_and(|(second, _)| now.since(*second) >= SPAN) {
            self.looks.pop_front();
        }
        let Some((since, before)) = self.looks.front() else { return Traffic::default() };
        let seconds = now.since(*since).as_secs_f64().max(1.0);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Traffic {
            exporters_heard: totals.exporters.iter().filter(|exporter| exporter.datagrams > 0).count() as u64,
            span_seconds: now.since(*since).as_secs(),
            kinds: kinds(|kind, direction| {
                rate(totals.kind(kind, direction).bytes, before.kind(kind, direction).bytes)
            }),
            talkers: talkers(networks, |network, kind, direction| {
                rate(totals.network(network, kind, direction).bytes, before.network(network, kind, direction).bytes)
            }),
        }
    }
}

fn kinds(rate: impl Fn(TrafficKind, TrafficDirection) -> f64) -> Vec<KindTraffic> {
    let of = |kind| KindTraffic {
        kind,
        up: rate(kind, TrafficDirection::Up),
        down: rate(kind, TrafficDirection::Down),
        rest: rate(kind, TrafficDirection::Within) + rate(kind, TrafficDirection::Other),
    };
    let mut kinds: Vec<_> = TrafficKind::ALL.map(of).into_iter().filter(|kind| kind.bytes_per_second() > 0.0).collect();
    kinds.sort_by(|a, b| b.bytes_per_second().total_cmp(&a.bytes_per_second()));
    kinds
}

fn talkers(networks: &[Network], rate: impl Fn(usize, TrafficKind, TrafficDirection) -> f64) -> Vec<NetworkTraffic> {
    let mut talkers = Vec::new();
    for (index, network) in networks.iter().enumerate() {
        for kind in TrafficKind::ALL {
            let [up, down, within, _] = TrafficDirection::ALL.map(|direction| rate(index, kind, direction));
            if up + down + within > 0.0 {
                talkers.push(NetworkTraffic { network: network.name.clone(), kind, up, down, within });
            }
        }
    }
    talkers.sort_by(|a, b| b.bytes_per_second().total_cmp(&a.bytes_per_second()));
    talkers.truncate(TALKERS_MAX);
    talkers
}
