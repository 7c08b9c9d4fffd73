//! Whole datagrams through the collector, as an exporter would send them.

mod datagrams;
mod hostile;
mod netflow5;
mod sflow;
mod sums;
mod templates;

use std::net::IpAddr;

use model::{Timestamp, TrafficDirection, TrafficKind};

use crate::{Collector, CollectorSettings, Exporter, Network, Volume};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn settings() -> CollectorSettings {
    let network = |name: &str, vlan, prefixes: &[&str], has_clients| Network {
        name: name.to_owned(),
        vlan,
        prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
        has_clients,
    };
    CollectorSettings {
        exporters: vec![
            Exporter { device: "edge".into(), address: address("192.0.2.1") },
            Exporter { device: "core".into(), address: address("192.0.2.2") },
        ],
        allow: vec!["198.51.100.0/24".parse().unwrap()],
        networks: vec![
            network("attendee", 100, &["10.10.0.0/16", "2001:db8:10::/64"], true),
            network("staff", 110, &["10.11.0.0/24"], true),
            network("management", 120, &["192.0.2.0/24"], false),
        ],
        streamers: vec![address("10.11.0.5")],
    }
}

fn collector() -> Collector {
    Collector::new(&settings())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// From the edge router.
fn send(collector: &mut Collector, octets: &[u8]) {
    send_at(collector, NOW, octets);
}

fn send_at(collector: &mut Collector, now: Timestamp, octets: &[u8]) {
    collector.on_datagram(now, address("192.0.2.1"), octets);
    collector.on_deadline(now);
}

/// What of a kind went where, octets and packets; nothing is left out.
fn all(collector: &Collector) -> Vec<(TrafficKind, TrafficDirection, u64, u64)> {
    let mut found = Vec::new();
    for kind in TrafficKind::ALL {
        for direction in TrafficDirection::ALL {
            let Volume { bytes, packets } = collector.totals().kind(kind, direction);
            if bytes > 0 || packets > 0 {
                found.push((kind, direction, bytes, packets));
            }
        }
    }
    found
}
