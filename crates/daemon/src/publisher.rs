//! Puts the views of the services together: the snapshot for the page and `/metrics`, samples for the store,
//! incidents for the book.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
};

use model::{HistoryPoint, LeaseChange, Metric, Sample, Snapshot, SnapshotTalk, Timestamp};
use tokio::sync::watch;

use crate::{
    clock::Clock,
    dhcp_service::DhcpView,
    dns::DnsView,
    feeds::FeedViews,
    flows::{FlowSeen, FlowViews, flow_samples},
    incidents::IncidentBook,
    ipv6::{Ipv6Seen, Ipv6Views},
    lease_news::LeaseNewsBook,
    log::{Batch, IntakeCounters, LogView, Places},
    metrics,
    page_reload::{PlannedPage, WantedPage, replace_plan},
    probe::ProbeView,
    rogue_watch::{RogueSeen, RogueView},
    watch::{AgentViews, Outlets, PlannedPorts, SharedTraps, SnmpView, TrapView, WatchView, planned_ports},
};

/// Points of history kept; when full, every other one is dropped.
const HISTORY_MAX: usize = 720;
/// Next talks shown.
const TALKS_NEXT_MAX: usize = 12;

/// What the publisher looks at.
pub(crate) struct Views {
    pub(crate) dhcp: Arc<Mutex<DhcpView>>,
    pub(crate) dns: Arc<Mutex<DnsView>>,
    pub(crate) log: Arc<Mutex<LogView>>,
    pub(crate) intake: Arc<IntakeCounters>,
    pub(crate) log_places: Arc<Places>,
    pub(crate) ipv6: Ipv6Views,
    pub(crate) probe: Arc<Mutex<ProbeView>>,
    pub(crate) rogue: RogueView,
    pub(crate) watch: Arc<Mutex<WatchView>>,
    pub(crate) agents: SnmpView,
    pub(crate) traps: SharedTraps,
    pub(crate) planned: Arc<PlannedPorts>,
    pub(crate) feeds: FeedViews,
    pub(crate) flows: FlowViews,
}

/// All views at one moment.
pub(crate) struct Seen {
    pub(crate) dhcp: DhcpView,
    pub(crate) dns: DnsView,
    pub(crate) log: LogView,
    pub(crate) intake: Arc<IntakeCounters>,
    pub(crate) log_places: Arc<Places>,
    pub(crate) ipv6: Ipv6Seen,
    pub(crate) probe: ProbeView,
    pub(crate) rogue: RogueSeen,
    pub(crate) watch: WatchView,
    pub(crate) agents: AgentViews,
    pub(crate) traps: TrapView,
    pub(crate) planned: Arc<PlannedPorts>,
    pub(crate) feeds: FeedViews,
    /// `None` = nobody listens for flows.
    pub(crate) flows: Option<FlowSeen>,
}

impl Views {
    pub(crate) fn read(&self) -> Seen {
        Seen {
            traps: self.traps.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            dhcp: self.dhcp.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            dns: self.dns.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            log: self.log.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            intake: Arc::clone(&self.intake),
            log_places: Arc::clone(&self.log_places),
            ipv6: self.ipv6.read(),
            rogue: self.rogue.read(),
            probe: self.probe.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            watch: self.watch.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            agents: self.agents.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            planned: Arc::clone(&self.planned),
            feeds: self.feeds.clone(),
            flows: self.flows.as_ref().map(|view| view.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }
}

impl Seen {
    /// Leases changed so far, of both versions of IP.
    pub(crate) fn lease_changes(&self) -> impl Iterator<Item = &(String, LeaseChange, u64)> {
        self.dhcp.changes.iter().chain(self.ipv6.dhcp.iter().flat_map(|view| &view.changes))
    }
}

pub(crate) struct Publisher {
    pub(crate) views: Views,
    pub(crate) clock: Clock,
    pub(crate) skeleton: Snapshot,
    /// The whole timetable, by start.
    pub(crate) talks: Vec<SnapshotTalk>,
    pub(crate) samples: SyncSender<Batch>,
    pub(crate) incidents: IncidentBook,
    pub(crate) outlets: Outlets,
    pub(crate) sender: watch::Sender<Arc<Snapshot>>,
    wanted: WantedPage,
    last: Option<Totals>,
    lease_news: LeaseNewsBook,
    traffic: flow::Recent,
    history_step: usize,
    history_skipped: usize,
}

/// Totals at the last look, for rates.
#[derive(Clone, Copy)]
struct Totals {
    at: Timestamp,
    acks: u64,
    queries: u64,
    hits: u64,
    failed: u64,
    waits: dns::Waits,
    lines: u64,
}

impl Totals {
    fn of(at: Timestamp, seen: &Seen) -> Self {
        let dns = &seen.dns.counters;
        Self {
            at,
            acks: seen.dhcp.counters.acks,
            queries: dns.queries_udp + dns.queries_tcp + dns.queries_tls + dns.queries_https,
            hits: dns.cache_hits + dns.local_answers,
            failed: dns.servfail,
            waits: seen.dns.waits,
            lines: seen.log.lines_stored,
        }
    }
}

impl Publisher {
    #[expect(clippy::too_many_arguments, reason = "the parts of the publisher, once")]
    pub(crate) fn new(
        views: Views,
        clock: Clock,
        page: PlannedPage,
        samples: SyncSender<Batch>,
        incidents: IncidentBook,
        outlets: Outlets,
        sender: watch::Sender<Arc<Snapshot>>,
        wanted: WantedPage,
    ) -> Self {
        Self {
            views,
            clock,
            skeleton: page.skeleton,
            talks: page.talks,
            samples,
            incidents,
            outlets,
            sender,
            wanted,
            last: None,
            lease_news: LeaseNewsBook::default(),
            traffic: flow::Recent::default(),
            history_step: 1,
            history_skipped: 0,
        }
    }

    /// Looks once and publishes; with `sample`, also stores what it saw.
    pub(crate) fn tick(&mut self, sample: bool) {
        if let Some(wanted) = self.wanted.take() {
            replace_plan(&mut self.skeleton, wanted.skeleton);
            self.talks = wanted.talks;
        }
        let now = self.clock.now();
        let seen = self.views.read();
        self.update(now, &seen);
        if self.lease_news.observe(now, seen.lease_changes().cloned().collect()) {
            self.skeleton.lease_news = self.lease_news.news();
        }
        let told = self.incidents.observe(now, &self.skeleton, &seen);
        told.iter().for_each(|alert| self.outlets.tell(now, alert));
        self.skeleton.incidents_open = self.incidents.open_sentences();
        (self.skeleton.alerts, self.skeleton.alerts_open) = self.incidents.shown();
        self.skeleton.metrics = metrics::all(&self.skeleton, &seen);
        metrics::outlets(&self.outlets.counters, &mut self.skeleton.metrics);
        if sample {
            // A full queue means that the disk is behind; a sample less is better than a page that stands still.
            let _ = self.samples.try_send(Batch::Samples(samples(&self.skeleton, &seen)));
        }
        self.sender.send_replace(Arc::new(self.skeleton.clone()));
    }

    fn update(&mut self, now: Timestamp, seen: &Seen) {
        let snapshot = &mut self.skeleton;
        snapshot.at = now;
        snapshot.speed = self.clock.speed();
        let stations: BTreeMap<&str, u64> =
            seen.log.stations.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let mut by_room = BTreeMap::new();
        for access_point in &mut snapshot.access_points {
            access_point.clients = stations.get(access_point.device.as_str()).copied().unwrap_or(0);
            access_point.clients_peak = access_point.clients_peak.max(access_point.clients);
            *by_room.entry(access_point.room.clone()).or_insert(0) += access_point.clients;
        }
        for room in &mut snapshot.rooms {
            room.clients = by_room.get(&room.room).copied().unwrap_or(0);
            room.clients_peak = room.clients_peak.max(room.clients);
        }
        for pool in &mut snapshot.pools {
            let of_v6 = seen.ipv6.dhcp.iter().flat_map(|view| &view.pools);
            let found = seen.dhcp.pools.iter().chain(of_v6).find(|(name, ..)| *name == pool.name);
            if let Some((_, used, size)) = found {
                (pool.used, pool.size) = (*used, *size);
                pool.used_peak = pool.used_peak.max(pool.used);
            }
        }
        let reporting = seen.log.stations_total > 0;
        snapshot.clients = if reporting { seen.log.stations_total } else { seen.dhcp.leases_active };
        snapshot.clients_peak = snapshot.clients_peak.max(snapshot.clients);
        snapshot.clients_unique = seen.dhcp.clients_unique;
        snapshot.traffic =
            seen.flows.as_ref().map(|flows| self.traffic.look(now, &flows.totals, &flows.settings.networks));
        self.update_rates(now, seen);
        self.update_talks(now);
        self.update_history(now);
    }

    fn update_rates(&mut self, now: Timestamp, seen: &Seen) {
        let totals = Totals::of(now, seen);
        let rates = &mut self.skeleton.rates;
        if let Some(last) = self.last {
            let seconds = now.since(last.at).as_secs_f64();
            if seconds > 0.0 {
                let rate = |total: u64, before: u64| total.saturating_sub(before) as f64 / seconds;
                rates.dhcp_acks = rate(totals.acks, last.acks);
                rates.dns_queries = rate(totals.queries, last.queries);
                rates.log_lines = rate(totals.lines, last.lines);
                let queries = totals.queries.saturating_sub(last.queries);
                if queries > 0 {
                    rates.dns_hit_ratio = totals.hits.saturating_sub(last.hits) as f64 / queries as f64;
                    rates.dns_failed_ratio = totals.failed.saturating_sub(last.failed) as f64 / queries as f64;
                }
            }
        }
        let waits = self.last.map_or(totals.waits, |last| totals.waits.since(&last.waits));
        rates.dns_wait_p99_ms = waits.percentile(99).and_then(|wait| u32::try_from(wait.as_millis()).ok());
        rates.dns_upstreams = seen.dns.upstreams.len() as u32;
        rates.dns_upstreams_answering = seen.dns.upstreams.iter().filter(|upstream| upstream.healthy).count() as u32;
        if totals.queries > 0 {
            rates.dns_hit_ratio_total = totals.hits as f64 / totals.queries as f64;
        }
        rates.dhcp_acks_total = totals.acks;
        rates.dns_queries_total = totals.queries;
        rates.log_lines_total = totals.lines;
        self.last = Some(totals);
    }

    fn update_talks(&mut self, now: Timestamp) {
        self.skeleton.talks_now =
            self.talks.iter().filter(|talk| talk.starts <= now && now < talk.ends).cloned().collect();
        let mut rooms = Vec::new();
        self.skeleton.talks_next = self
            .talks
            .iter()
            .filter(|talk| talk.starts > now)
            .filter(|talk| {
                let first = !rooms.contains(&talk.room.as_str());
                if first {
                    rooms.push(talk.room.as_str());
                }
                first
            })
            .take(TALKS_NEXT_MAX)
            .cloned()
            .collect();
    }

    fn update_history(&mut self, now: Timestamp) {
        self.history_skipped += 1;
        if self.history_skipped < self.history_step {
            return;
        }
        self.history_skipped = 0;
        let snapshot = &mut self.skeleton;
        snapshot.history.push(HistoryPoint {
            at: now,
            clients: snapshot.clients,
            dhcp_acks: snapshot.rates.dhcp_acks,
            dns_queries: snapshot.rates.dns_queries,
            log_lines: snapshot.rates.log_lines,
        });
        if snapshot.history.len() >= HISTORY_MAX {
            let mut keep = false;
            snapshot.history.retain(|_| {
                keep = !keep;
                keep
            });
            self.history_step *= 2;
        }
    }
}

/// What the store keeps of a moment: the series that the report is drawn from.
fn samples(snapshot: &Snapshot, seen: &Seen) -> Vec<Sample> {
    let dns = &seen.dns.counters;
    let hits = dns.cache_hits + dns.local_answers;
    let mut samples = Vec::new();
    let mut add = |metric: &str, subject: String, value: f64| {
        samples.push(Sample { at: snapshot.at, metric: metric.to_owned(), subject, value });
    };
    add("clients", String::new(), snapshot.clients as f64);
    add("clients_unique", String::new(), snapshot.clients_unique as f64);
    add("dhcp_acks_total", String::new(), snapshot.rates.dhcp_acks_total as f64);
    add("dns_queries_total", String::new(), snapshot.rates.dns_queries_total as f64);
    add("dns_hits_total", String::new(), hits as f64);
    add("log_lines_total", String::new(), snapshot.rates.log_lines_total as f64);
    for access_point in &snapshot.access_points {
        add("clients", format!("ap:{}", access_point.device), access_point.clients as f64);
    }
    for room in &snapshot.rooms {
        add("clients", format!("room:{}", room.room), room.clients as f64);
    }
    for pool in &snapshot.pools {
        add("pool_used", pool.name.clone(), pool.used as f64);
    }
    for report in &seen.watch.targets {
        let subject = format!("device:{}", report.target.device);
        add("ping_loss_percent", subject.clone(), report.window.loss_percent());
        add("ping_rtt_mean_seconds", subject, report.window.rtt_mean.as_secs_f64());
    }
    for (device, view) in &seen.agents {
        for (reference, port) in planned_ports(&seen.planned, device, view) {
            for (name, value) in [("port_in_bps", port.in_bps), ("port_out_bps", port.out_bps)] {
                if let Some(value) = value {
                    add(name, format!("port:{reference}"), value);
                }
            }
        }
        for (metric, of, value) in &view.figures {
            // Of what the plan does not name, nothing is kept: the number of series is the plan's.
            let subject = match *metric {
                "napt_entries" => format!("port:{device}:{of}"),
                _ if of.is_empty() => format!("device:{device}"),
                _ => match snapshot.access_points.iter().find(|known| known.device.as_str().eq_ignore_ascii_case(of)) {
                    Some(known) => format!("ap:{}", known.device),
                    None => continue,
                },
            };
            add(metric, subject, *value);
        }
        let subject = format!("device:{device}");
        for (name, value) in
            [("temperature_celsius", view.celsius_max), ("poe_watts", view.poe_watts.map(|(drawn, _)| drawn))]
        {
            if let Some(value) = value {
                add(name, subject.clone(), value);
            }
        }
    }
    if let Some(flows) = &seen.flows {
        flow_samples(flows, snapshot.at, &mut samples);
    }
    samples
}

/// One line of `/metrics`.
pub(crate) fn metric(name: &str, help: &str, kind: model::MetricKind, labels: &[(&str, &str)], value: f64) -> Metric {
    Metric {
        name: name.to_owned(),
        help: help.to_owned(),
        kind,
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        value,
    }
}
