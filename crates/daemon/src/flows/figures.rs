//! What `/metrics` and samples say of flows: sums by kind, direction, network and exporter; never a client's address.

use model::{Metric, MetricKind, Sample, Timestamp, TrafficDirection, TrafficKind};

use super::FlowSeen;
use crate::publisher::metric;

/// The name of exporters that the plan allows and does not name, in labels.
const OTHERS: &str = "other";

/// Adds the metrics of flows; every kind and direction is there from the start.
pub(crate) fn flow_metrics(seen: &FlowSeen, metrics: &mut Vec<Metric>) {
    let mut add = |name: &str, help: &str, labels: &[(&str, &str)], value: u64| {
        metrics.push(metric(name, help, MetricKind::Counter, labels, value as f64));
    };
    for (kind, direction) in ways() {
        let labels = [("kind", kind.as_str()), ("direction", direction.as_str())];
        let help = "Bytes of IP that exporters of flows told of, by kind of traffic and direction seen from clients";
        add("hotstage_flow_bytes_total", help, &labels, seen.totals.kind(kind, direction).bytes);
    }
    for (kind, direction) in ways() {
        let labels = [("kind", kind.as_str()), ("direction", direction.as_str())];
        let help = "Packets that exporters of flows told of, by kind of traffic and direction seen from clients";
        add("hotstage_flow_packets_total", help, &labels, seen.totals.kind(kind, direction).packets);
    }
    for (network, name) in networks(seen) {
        for direction in SEEN_FROM_NETWORK {
            let labels = [("network", name), ("direction", direction.as_str())];
            let help = "Bytes of IP that exporters of flows told of, by network and direction seen from it";
            add("hotstage_flow_network_bytes_total", help, &labels, network_bytes(seen, network, direction));
        }
    }
    for (device, totals) in exporters(seen) {
        let help = "Bytes of IP that an exporter of flows told of";
        add("hotstage_flow_exporter_bytes_total", help, &[("device", device)], totals.volume.bytes);
    }
    for (device, totals) in exporters(seen) {
        let help = "Datagrams of an exporter of flows";
        add("hotstage_flow_exporter_datagrams_total", help, &[("device", device)], totals.datagrams);
    }
    for (device, totals) in exporters(seen) {
        for (what, lost) in [("datagrams", totals.datagrams_lost), ("flows", totals.records_lost)] {
            let help = "Datagrams or flows that are missing in an exporter's sequence, as its format counts them";
            add("hotstage_flow_lost_total", help, &[("device", device), ("of", what)], lost);
        }
    }
    received(seen, metrics);
}

/// What became of what was received.
fn received(seen: &FlowSeen, metrics: &mut Vec<Metric>) {
    let counters = &seen.counters;
    let mut family = |name: &str, help: &str, label: &str, counts: &[(&str, u64)]| {
        for (value, count) in counts {
            metrics.push(metric(name, help, MetricKind::Counter, &[(label, *value)], *count as f64));
        }
    };
    let formats = [
        ("netflow5", counters.netflow5),
        ("netflow9", counters.netflow9),
        ("ipfix", counters.ipfix),
        ("sflow", counters.sflow),
    ];
    family("hotstage_flow_datagrams_total", "Datagrams of flows by format", "format", &formats);
    let dropped = [
        ("not-an-exporter", counters.foreign),
        ("unknown-version", counters.unknown_version),
        ("malformed", counters.malformed),
    ];
    family(
        "hotstage_flow_datagrams_dropped_total",
        "Datagrams of flows not read, or not to their end",
        "reason",
        &dropped,
    );
    let records = [("counted", counters.records), ("implausible", counters.implausible)];
    family("hotstage_flow_records_total", "Flows and sampled packets and what became of them", "result", &records);
    let sets = [("read-late", counters.sets_waited), ("given-up", counters.sets_without_template)];
    family("hotstage_flow_sets_total", "Sets of flows whose template was missing", "result", &sets);
    let templates = [("changed", counters.templates_changed), ("dropped", counters.templates_dropped)];
    family("hotstage_flow_template_changes_total", "Templates that were replaced or forgotten", "change", &templates);
    let mut one = |name: &str, help: &str, kind, value: u64| metrics.push(metric(name, help, kind, &[], value as f64));
    one("hotstage_flow_templates", "Templates known", MetricKind::Gauge, seen.templates as u64);
    let help = "Bytes of flows that wait for their template";
    one("hotstage_flow_waiting_bytes", help, MetricKind::Gauge, seen.waiting_octets as u64);
    let help = "Datagrams of flows that the kernel dropped because the socket's buffer was full";
    one("hotstage_flow_kernel_drops_total", help, MetricKind::Counter, seen.kernel_drops);
    let help = "Receive buffer for flows that the kernel granted, the smallest";
    one("hotstage_flow_receive_buffer_bytes", help, MetricKind::Gauge, seen.receive_buffer_octets);
}

/// Sums for the store; what has never been is left out.
pub(crate) fn flow_samples(seen: &FlowSeen, at: Timestamp, samples: &mut Vec<Sample>) {
    let mut add = |metric: String, subject: String, value: u64| {
        if value > 0 {
            samples.push(Sample { at, metric, subject, value: value as f64 });
        }
    };
    let name = |direction: TrafficDirection| format!("flow_{}_bytes_total", direction.as_str());
    for (kind, direction) in ways() {
        let bytes = seen.totals.kind(kind, direction).bytes;
        add(name(direction), format!("kind:{}", kind.as_str()), bytes);
    }
    for (network, subject) in networks(seen) {
        for direction in SEEN_FROM_NETWORK {
            add(name(direction), format!("network:{subject}"), network_bytes(seen, network, direction));
        }
    }
    for (device, totals) in exporters(seen) {
        add("flow_bytes_total".to_owned(), format!("device:{device}"), totals.volume.bytes);
        add("flow_lost_total".to_owned(), format!("device:{device}"), totals.datagrams_lost + totals.records_lost);
    }
}

/// A network is always at one end.
const SEEN_FROM_NETWORK: [TrafficDirection; 3] =
    [TrafficDirection::Up, TrafficDirection::Down, TrafficDirection::Within];

fn ways() -> impl Iterator<Item = (TrafficKind, TrafficDirection)> {
    TrafficKind::ALL.into_iter().flat_map(|kind| TrafficDirection::ALL.map(|direction| (kind, direction)))
}

fn networks(seen: &FlowSeen) -> impl Iterator<Item = (usize, &str)> {
    seen.settings.networks.iter().map(|network| network.name.as_str()).enumerate()
}

fn network_bytes(seen: &FlowSeen, network: usize, direction: TrafficDirection) -> u64 {
    let bytes = TrafficKind::ALL.map(|kind| seen.totals.network(network, kind, direction).bytes);
    bytes.into_iter().fold(0, u64::saturating_add)
}

/// Exporters that were heard.
fn exporters(seen: &FlowSeen) -> impl Iterator<Item = (&str, &flow::ExporterTotals)> {
    let named = seen.settings.exporters.iter().map(|exporter| exporter.device.as_str());
    named.chain([OTHERS]).zip(&seen.totals.exporters).filter(|(_, totals)| totals.datagrams > 0)
}
