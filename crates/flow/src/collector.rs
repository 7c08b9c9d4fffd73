use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use ipnet::IpNet;
use model::Timestamp;

use crate::{
    CollectorSettings, Counters, ExporterTotals, Totals,
    data_set::{Malformed, Reader},
    exporter::{ExporterState, Room},
    ipfix::{ipfix, netflow9},
    netflow5::netflow5,
    networks::Networks,
    octets::Octets,
    sflow::sflow,
};

/// Exporters of `allow` that are remembered; then the one heard longest ago is forgotten.
const OTHERS_MAX: usize = 256;
/// Time between looks for what is too old.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);

/// Reads what exporters send and adds it up.
///
/// ```text
/// datagram -> exporter of the plan? -> version -> records -> sums by kind, direction, network, exporter
///                 | no                              | template missing
///                 v                                 v
///              counted                     waits at most a minute
/// ```
#[derive(Clone, Debug)]
pub struct Collector {
    exporters: BTreeMap<IpAddr, usize>,
    allow: Vec<IpNet>,
    networks: Networks,
    streamers: BTreeSet<IpAddr>,
    states: BTreeMap<IpAddr, ExporterState>,
    others: usize,
    room: Room,
    counters: Counters,
    totals: Totals,
    expiry: Option<Timestamp>,
}

impl Collector {
    /// Nothing heard yet.
    pub fn new(settings: &CollectorSettings) -> Self {
        let exporters = settings.exporters.iter().enumerate();
        Self {
            exporters: exporters.map(|(index, exporter)| (exporter.address.to_canonical(), index)).collect(),
            allow: settings.allow.clone(),
            networks: Networks::new(&settings.networks),
            streamers: settings.streamers.iter().copied().collect(),
            states: BTreeMap::new(),
            others: 0,
            room: Room::default(),
            counters: Counters::default(),
            totals: Totals::new(settings.networks.len(), settings.exporters.len()),
            expiry: None,
        }
    }

    /// Takes one datagram of UDP. Flows are counted when they are told of, not when they were.
    pub fn on_datagram(&mut self, now: Timestamp, source: IpAddr, octets: &[u8]) {
        let source = source.to_canonical();
        let Some(exporter) = self.exporter(source) else {
            self.counters.foreign += 1;
            return;
        };
        self.expiry.get_or_insert(now + EXPIRY_INTERVAL);
        let mut octets_left = Octets(octets);
        let (first, sflow_version) = (octets_left.u16(), octets.get(2..4));
        let is_sflow = first == Some(0) && sflow_version == Some(&[0, 5]);
        if !is_sflow && !matches!(first, Some(5 | 9 | 10)) {
            self.counters.unknown_version += 1;
            return;
        }
        let Self { networks, streamers, states, room, counters, totals, .. } = self;
        let state = states.entry(source).or_default();
        state.heard = now;
        let mut of_exporter = ExporterTotals { datagrams: 1, ..ExporterTotals::default() };
        let (mut records, mut implausible) = (0, 0);
        let each = |record: &crate::record::FlowRecord| {
            if !record.is_plausible() {
                implausible += 1;
                return;
            }
            records += 1;
            let mut ends = [record.source, record.destination].into_iter().flatten();
            let is_stream = !streamers.is_empty() && ends.any(|end| streamers.contains(&end));
            totals.add(exporter, record, networks, is_stream);
        };
        let mut reader = Reader { now, state, room, counters, each };
        let read = match first {
            Some(5) => netflow5(&mut reader, &mut of_exporter, octets_left),
            Some(9) => netflow9(&mut reader, &mut of_exporter, octets_left),
            Some(10) => ipfix(&mut reader, &mut of_exporter, octets_left, octets.len()),
            _ => sflow(&mut reader, &mut of_exporter, Octets(octets.get(4..).unwrap_or_default())),
        };
        counters.records += records;
        counters.implausible += implausible;
        match (read, first) {
            (Err(Malformed), _) => counters.malformed += 1,
            (Ok(()), Some(5)) => counters.netflow5 += 1,
            (Ok(()), Some(9)) => counters.netflow9 += 1,
            (Ok(()), Some(10)) => counters.ipfix += 1,
            (Ok(()), _) => counters.sflow += 1,
        }
        if let Some(totals) = totals.exporters.get_mut(exporter) {
            totals.datagrams += of_exporter.datagrams;
            totals.datagrams_lost += of_exporter.datagrams_lost;
            totals.records_lost += of_exporter.records_lost;
        }
    }

    /// The number of an exporter that is counted; all of `allow` have the one behind those of the plan.
    fn exporter(&mut self, source: IpAddr) -> Option<usize> {
        if let Some(index) = self.exporters.get(&source) {
            return Some(*index);
        }
        if !self.allow.iter().any(|net| net.contains(&source)) {
            return None;
        }
        if !self.states.contains_key(&source) {
            if self.others >= OTHERS_MAX {
                self.forget_other();
            }
            self.others += 1;
            self.states.insert(source, ExporterState::default());
        }
        Some(self.exporters.len())
    }

    fn forget_other(&mut self) {
        let others = self.states.iter().filter(|(address, _)| !self.exporters.contains_key(*address));
        let Some(oldest) = others.min_by_key(|(_, state)| state.heard).map(|(address, _)| *address) else { return };
        if let Some(state) = self.states.remove(&oldest) {
            state.leave(&mut self.room);
        }
        self.others -= 1;
        self.counters.exporters_dropped += 1;
    }

    /// Forgets templates and waiting data that are too old.
    pub fn on_deadline(&mut self, now: Timestamp) {
        if self.expiry.is_none_or(|expiry| now < expiry) {
            return;
        }
        self.expiry = Some(now + EXPIRY_INTERVAL);
        for state in self.states.values_mut() {
            state.expire(now, &mut self.room, &mut self.counters);
        }
    }

    /// When [`Self::on_deadline`] has something to do; never before anything was heard.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.expiry
    }

    /// All traffic so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What became of what was sent.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Templates known now.
    pub fn templates(&self) -> usize {
        self.states.values().map(ExporterState::templates).sum()
    }

    /// Octets that wait for a template now.
    pub fn waiting_octets(&self) -> usize {
        crate::exporter::WAITING_OCTETS_ALL_MAX - self.room.waiting_octets
    }
}
