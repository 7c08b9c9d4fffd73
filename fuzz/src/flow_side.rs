use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use flow::{Collector, CollectorSettings, Exporter, Network, Recent};
use model::{Timestamp, TrafficDirection, TrafficKind};

use crate::Script;

/// Sums beyond this may have stopped growing, and then no longer agree.
const SUM_MAX: u64 = u64::MAX / 4;

/// Datagrams from two exporters of the plan and others, with time passing in between: memory stays within its bounds,
/// and what is counted by kind is what is counted by exporter.
///
/// A message's way: the lower two bits choose the exporter, the others let so many times ten seconds pass.
pub fn flows(data: &[u8]) {
    let settings = settings();
    let (mut collector, mut recent) = (Collector::new(&settings), Recent::default());
    let mut now = Timestamp::from_secs(1_700_000_000);
    for (way, octets) in Script::read(data) {
        now = now + Duration::from_secs(10) * u32::from(way >> 2);
        let source = Ipv4Addr::new(192, 0, 2, way & 3);
        collector.on_datagram(now, IpAddr::V4(source), octets);
        collector.on_deadline(now);
        check(&collector);
    }
    let traffic = recent.look(now, collector.totals(), &settings.networks);
    assert!(traffic.kinds.iter().all(|kind| kind.bytes_per_second().is_finite()));
}

fn check(collector: &Collector) {
    assert!(collector.templates() <= 3 * 1_024 && collector.waiting_octets() <= 3 * (64 << 10));
    let totals = collector.totals();
    let by_exporter = totals.exporters.iter().map(|exporter| exporter.volume);
    let (mut bytes, mut packets) = (0_u128, 0_u128);
    for kind in TrafficKind::ALL {
        for direction in TrafficDirection::ALL {
            let volume = totals.kind(kind, direction);
            (bytes, packets) = (bytes + u128::from(volume.bytes), packets + u128::from(volume.packets));
        }
    }
    let mut of_exporters = (0_u128, 0_u128);
    for volume in by_exporter {
        of_exporters.0 += u128::from(volume.bytes);
        of_exporters.1 += u128::from(volume.packets);
    }
    if bytes < u128::from(SUM_MAX) && of_exporters.0 < u128::from(SUM_MAX) {
        assert_eq!(bytes, of_exporters.0);
    }
    if packets < u128::from(SUM_MAX) && of_exporters.1 < u128::from(SUM_MAX) {
        assert_eq!(packets, of_exporters.1);
    }
}

fn settings() -> CollectorSettings {
    let network = |name: &str, vlan, prefix: &str| Network {
        name: name.to_owned(),
        vlan,
        prefixes: prefix.parse().into_iter().collect(),
        has_clients: vlan < 120,
    };
    CollectorSettings {
        exporters: [("edge", 0), ("core", 1)]
            .map(|(name, last)| Exporter { device: name.into(), address: Ipv4Addr::new(192, 0, 2, last).into() })
            .into(),
        allow: "192.0.2.2/32".parse().into_iter().collect(),
        networks: vec![network("attendee", 100, "10.10.0.0/16"), network("management", 120, "192.0.2.0/24")],
        streamers: vec![Ipv4Addr::new(10, 10, 0, 5).into()],
    }
}
