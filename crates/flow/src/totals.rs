use model::{TrafficDirection, TrafficKind};

use crate::{
    kind::kind_of,
    networks::{Networks, Spot},
    record::FlowRecord,
};

const KINDS: usize = TrafficKind::ALL.len();
const DIRECTIONS: usize = TrafficDirection::ALL.len();

/// Octets and packets, as they were before sampling. Saturating: a sum stays at its most and never starts anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Volume {
    /// Octets, IP header included, link layer left out.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

impl Volume {
    fn add(&mut self, more: Self) {
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.packets = self.packets.saturating_add(more.packets);
    }

    fn sampled(bytes: u64, packets: u64, sampling: u32) -> Self {
        let rate = u64::from(sampling.max(1));
        Self { bytes: bytes.saturating_mul(rate), packets: packets.saturating_mul(rate) }
    }
}

/// What one exporter told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExporterTotals {
    /// Datagrams heard.
    pub datagrams: u64,
    /// Traffic in all.
    pub volume: Volume,
    /// Datagrams missing in its sequence (NetFlow version 9, sFlow).
    pub datagrams_lost: u64,
    /// Flows missing in its sequence (NetFlow version 5, IPFIX).
    pub records_lost: u64,
}

/// All traffic since the start, by when it was told of: an exporter tells of a flow when it ends or at an interval of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Totals {
    kinds: [[Volume; DIRECTIONS]; KINDS],
    /// By network of the settings; directions as seen from that network.
    networks: Vec<[[Volume; DIRECTIONS]; KINDS]>,
    /// By exporter of the settings; the last is all others together.
    pub exporters: Vec<ExporterTotals>,
}

impl Totals {
    /// Nothing yet, for so many networks and exporters.
    pub(crate) fn new(networks: usize, exporters: usize) -> Self {
        Self {
            kinds: Default::default(),
            networks: vec![Default::default(); networks],
            exporters: vec![ExporterTotals::default(); exporters + 1],
        }
    }

    /// Traffic of a kind in a direction.
    pub fn kind(&self, kind: TrafficKind, direction: TrafficDirection) -> Volume {
        self.kinds[kind as usize][direction as usize]
    }

    /// Traffic of a kind of the network with this number in the settings, as seen from it: from it, to it, within it.
    pub fn network(&self, network: usize, kind: TrafficKind, direction: TrafficDirection) -> Volume {
        self.networks.get(network).map_or_else(Volume::default, |kinds| kinds[kind as usize][direction as usize])
    }

    /// Networks there are.
    pub fn networks(&self) -> usize {
        self.networks.len()
    }

    /// Adds both directions of a record.
    pub(crate) fn add(&mut self, exporter: usize, record: &FlowRecord, networks: &Networks, is_stream: bool) {
        let mut from = record.source.map(|address| networks.spot(address)).unwrap_or_default();
        let mut to = record.destination.map(|address| networks.spot(address)).unwrap_or_default();
        let is_told = |address: Option<_>, spot: Spot| address.is_some() && !spot.is_on_link && !spot.is_group;
        // Where addresses say nothing of networks, the VLAN does: such traffic stays in it.
        if !is_told(record.source, from)
            && (!is_told(record.destination, to))
            && let Some(network) = record.vlan.and_then(|vlan| networks.of_vlan(vlan))
        {
            (from.network, to.network) = (Some(network), Some(network));
        }
        let is_group = to.is_group || record.is_group;
        if is_group {
            to.network = from.network;
        }
        let kind = match (is_group, is_stream) {
            (true, _) => TrafficKind::Multicast,
            (false, true) => TrafficKind::Stream,
            (false, false) => kind_of(record.protocol, record.source_port, record.destination_port),
        };
        let ways = [
            (record.bytes, record.packets, from.network, to.network),
            (record.reverse_bytes, record.reverse_packets, to.network, from.network),
        ];
        for (bytes, packets, from, to) in ways.into_iter().filter(|(bytes, packets, ..)| *bytes > 0 || *packets > 0) {
            let volume = Volume::sampled(bytes, packets, record.sampling);
            if let Some(totals) = self.exporters.get_mut(exporter) {
                totals.volume.add(volume);
            }
            self.add_way(kind, from, to, networks, volume);
        }
    }

    fn add_way(
        &mut self,
        kind: TrafficKind,
        from: Option<usize>,
        to: Option<usize>,
        networks: &Networks,
        volume: Volume,
    ) {
        let has_clients = |network: Option<usize>| network.is_some_and(|network| networks.has_clients(network));
        let direction = match (has_clients(from), has_clients(to)) {
            (true, true) => TrafficDirection::Within,
            (true, false) => TrafficDirection::Up,
            (false, true) => TrafficDirection::Down,
            (false, false) => TrafficDirection::Other,
        };
        self.kinds[kind as usize][direction as usize].add(volume);
        let mut of_network = |network: Option<usize>, direction: TrafficDirection| {
            if let Some(kinds) = network.and_then(|network| self.networks.get_mut(network)) {
                kinds[kind as usize][direction as usize].add(volume);
            }
        };
        if from == to {
            of_network(from, TrafficDirection::Within);
        } else {
            of_network(from, TrafficDirection::Up);
            of_network(to, TrafficDirection::Down);
        }
    }
}
