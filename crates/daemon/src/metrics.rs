//! Everything `/metrics` says. Labels come from the plan or from short closed lists; never a client's MAC or address.

use std::sync::{Arc, atomic::Ordering};

use model::{Metric, MetricKind, Snapshot};

use crate::{
    circuit_labels::CircuitUse,
    feeds::FeedView,
    flows::flow_metrics,
    metrics6,
    publisher::{Seen, metric},
    watch::{Figure, OutletCounters, planned_ports},
};

/// All metrics, those of one name together.
pub(crate) fn all(snapshot: &Snapshot, seen: &Seen) -> Vec<Metric> {
    let mut metrics = Vec::with_capacity(64);
    clients(snapshot, &mut metrics);
    dhcp(seen, &mut metrics);
    metrics6::ipv6(&seen.ipv6, &mut metrics);
    dns(seen, &mut metrics);
    log(seen, &mut metrics);
    watched(seen, &mut metrics);
    feeds(seen, &mut metrics);
    if let Some(flows) = &seen.flows {
        flow_metrics(flows, &mut metrics);
    }
    metrics
}

fn feeds(seen: &Seen, metrics: &mut Vec<Metric>) {
    other_feeds(&seen.feeds.others, metrics);
    let Some(view) = &seen.feeds.remote_write else { return };
    let results = [
        ("delivered", &view.delivered),
        ("retried", &view.retried),
        ("refused", &view.refused),
        ("dropped", &view.dropped),
    ];
    for (result, count) in results {
        let help = "Requests of remote-write and what became of them";
        let count = count.load(Ordering::Relaxed);
        metrics.push(counter("hotstage_remote_write_requests_total", help, &[("result", result)], count));
    }
    let waiting = view.waiting.load(Ordering::Relaxed) as f64;
    let help = "Requests of remote-write that wait on disk";
    metrics.push(metric("hotstage_remote_write_waiting_requests", help, MetricKind::Gauge, &[], waiting));
    let bytes = view.waiting_bytes.load(Ordering::Relaxed) as f64;
    let help = "Bytes of the requests of remote-write that wait on disk";
    metrics.push(metric("hotstage_remote_write_waiting_bytes", help, MetricKind::Gauge, &[], bytes));
}

/// All but remote-write, which came first and has names of its own.
fn other_feeds(feeds: &[(&str, Arc<FeedView>)], metrics: &mut Vec<Metric>) {
    for (feed, view) in feeds {
        let results = [("delivered", &view.delivered), ("refused", &view.refused), ("dropped", &view.dropped)];
        for (result, count) in results {
            let help = "Values and log lines given to others, and what became of them";
            let labels = [("feed", *feed), ("result", result)];
            metrics.push(counter("hotstage_feed_records_total", help, &labels, count.load(Ordering::Relaxed)));
        }
    }
    for (feed, view) in feeds {
        let help = "Tries to give values or log lines to others that failed and are made again";
        let retried = view.retried.load(Ordering::Relaxed);
        metrics.push(counter("hotstage_feed_failed_tries_total", help, &[("feed", *feed)], retried));
    }
    for (feed, view) in feeds {
        let help = "Values and log lines that were read and wait for the receiver";
        let waiting = view.waiting.load(Ordering::Relaxed) as f64;
        metrics.push(metric("hotstage_feed_waiting_records", help, MetricKind::Gauge, &[("feed", *feed)], waiting));
    }
}

/// What became of what people were told.
pub(crate) fn outlets(counters: &OutletCounters, metrics: &mut Vec<Metric>) {
    let results = [
        ("delivered", &counters.delivered),
        ("retried", &counters.retried),
        ("failed", &counters.failed),
        ("dropped", &counters.dropped),
    ];
    for (result, count) in results {
        let help = "Messages about alerts and what became of them";
        let count = count.load(Ordering::Relaxed);
        metrics.push(counter("hotstage_alert_messages_total", help, &[("result", result)], count));
    }
}

fn watched(seen: &Seen, metrics: &mut Vec<Metric>) {
    let mut gauges = |name: &str, help: &str, value: fn(&watch::TargetReport) -> f64| {
        for report in &seen.watch.targets {
            let labels = [("device", report.target.device.as_str())];
            metrics.push(metric(name, help, MetricKind::Gauge, &labels, value(report)));
        }
    };
    gauges("hotstage_device_up", "1 when the device answers echoes", |report| {
        f64::from(u8::from(matches!(report.reachability, watch::Reachability::Up(_))))
    });
    gauges("hotstage_device_loss_ratio", "Share of the last 60 echoes without a reply", |report| {
        report.window.loss_percent() / 100.0
    });
    gauges("hotstage_device_rtt_seconds", "Mean round trip of the last 60 echoes", |report| {
        report.window.rtt_mean.as_secs_f64()
    });
    agents(seen, metrics);
    let counters = &seen.watch.counters;
    for (result, count) in [
        ("reply", counters.replies),
        ("lost", counters.lost),
        ("late", counters.late),
        ("foreign", counters.foreign),
        ("not-sent", seen.watch.send_errors),
    ] {
        let help = "ICMP echoes and what became of them";
        metrics.push(counter("hotstage_echoes_total", help, &[("result", result)], count));
    }
}

/// What SNMP agents say of themselves and of planned links.
fn agents(seen: &Seen, metrics: &mut Vec<Metric>) {
    let mut outcomes = [("answered", 0), ("timeout", 0), ("refused", 0)];
    let (mut rates, mut others) = (Vec::new(), Vec::new());
    let traps = &seen.traps;
    for (kind, count) in &traps.counts {
        let help = "SNMP traps and informs of planned devices";
        metrics.push(counter("hotstage_snmp_traps_total", help, &[("kind", kind.name())], *count));
    }
    let is_any = !traps.counts.is_empty() || traps.foreign + traps.refused > 0;
    for (reason, count) in [("foreign", traps.foreign), ("refused", traps.refused)].into_iter().filter(|_| is_any) {
        let help = "SNMP messages at the trap address of senders not in the plan, or without the right secret";
        metrics.push(counter("hotstage_snmp_traps_dropped_total", help, &[("reason", reason)], count));
    }
    for (device, view) in &seen.agents {
        outcomes[0].1 += view.polls - view.timeouts - view.refused;
        outcomes[1].1 += view.timeouts;
        outcomes[2].1 += view.refused;
        for (reference, port) in planned_ports(&seen.planned, device, view) {
            for (direction, bps) in [("in", port.in_bps), ("out", port.out_bps)] {
                let labels = [("device", device.as_str()), ("port", reference.port.as_str()), ("direction", direction)];
                let (name, help) = ("hotstage_port_bytes_per_second", "Bytes per second of ports of planned links");
                rates.extend(bps.map(|bps| metric(name, help, MetricKind::Gauge, &labels, bps / 8.0)));
            }
        }
        let mut add = |name, help, value: Option<f64>| {
            let labels = [("device", device.as_str())];
            others.extend(value.map(|value| metric(name, help, MetricKind::Gauge, &labels, value)));
        };
        add(
            "hotstage_device_poll_seconds",
            "Time that the last SNMP poll took",
            view.answered.map(|_| view.took.as_secs_f64()),
        );
        add("hotstage_device_celsius", "Hottest sensor of the device", view.celsius_max);
        let own = |name: &str| {
            let is_it = |(metric, of, _): &&Figure| *metric == name && of.is_empty();
            view.figures.iter().find(is_it).map(|(.., value)| value / 100.0)
        };
        add("hotstage_device_cpu_ratio", "Share of the device's processor that is in use", own("cpu_used_percent"));
        add("hotstage_device_storage_ratio", "Share of the device's fullest disk", own("storage_used_percent"));
        let napt = view.figures.iter().filter(|(metric, ..)| *metric == "napt_entries");
        add(
            "hotstage_device_napt_entries",
            "Entries of the router's NAPT tables",
            napt.map(|(.., value)| *value).reduce(|a, b| a + b),
        );
        add(
            "hotstage_device_poe_watts",
            "Watts that the device gives over PoE",
            view.poe_watts.map(|(drawn, _)| drawn),
        );
    }
    if seen.agents.is_empty() {
        return;
    }
    for (result, count) in outcomes {
        let help = "SNMP polls of devices and what became of them";
        metrics.push(counter("hotstage_snmp_polls_total", help, &[("result", result)], count));
    }
    metrics.extend(rates);
    // All metrics of one name together.
    others.sort_by(|a, b| a.name.cmp(&b.name));
    metrics.extend(others);
}

fn clients(snapshot: &Snapshot, metrics: &mut Vec<Metric>) {
    let mut gauge = |name: &str, help: &str, labels: &[(&str, &str)], value: u64| {
        metrics.push(metric(name, help, MetricKind::Gauge, labels, value as f64));
    };
    gauge("hotstage_clients", "Stations on the network now", &[], snapshot.clients);
    gauge("hotstage_clients_peak", "Most stations at one time so far", &[], snapshot.clients_peak);
    gauge("hotstage_clients_unique", "Different clients that got a lease so far", &[], snapshot.clients_unique);
    for room in &snapshot.rooms {
        gauge("hotstage_room_clients", "Stations by room", &[("room", room.room.as_str())], room.clients);
    }
    for access_point in &snapshot.access_points {
        let labels = [("access_point", access_point.device.as_str())];
        gauge("hotstage_access_point_clients", "Stations by access point", &labels, access_point.clients);
    }
    for pool in &snapshot.pools {
        gauge("hotstage_pool_addresses_used", "Addresses taken by pool", &[("pool", &pool.name)], pool.used);
    }
    for pool in &snapshot.pools {
        gauge("hotstage_pool_addresses", "Addresses in all by pool", &[("pool", &pool.name)], pool.size);
    }
}

fn dhcp(seen: &Seen, metrics: &mut Vec<Metric>) {
    let counters = &seen.dhcp.counters;
    let received = [
        ("discover", counters.discovers),
        ("request", counters.requests),
        ("release", counters.releases),
        ("decline", counters.declines),
        ("inform", counters.informs),
    ];
    for (kind, count) in received {
        let help = "DHCP messages received by type";
        metrics.push(counter("hotstage_dhcp_messages_received_total", help, &[("type", kind)], count));
    }
    for (kind, count) in [("offer", counters.offers), ("ack", counters.acks), ("nak", counters.naks)] {
        metrics.push(counter(
            "hotstage_dhcp_messages_sent_total",
            "DHCP messages sent by type",
            &[("type", kind)],
            count,
        ));
    }
    let dropped = [
        ("malformed", counters.dropped_malformed),
        ("not-a-request", counters.dropped_not_a_request),
        ("bad-relay", counters.dropped_bad_relay),
        ("unknown-subnet", counters.dropped_unknown_subnet),
        ("not-for-us", counters.dropped_not_for_us),
        ("no-record", counters.dropped_no_record),
        ("not-the-owner", counters.dropped_not_the_owner),
        ("pool-exhausted", counters.dropped_pool_exhausted),
        ("over-limit", counters.dropped_over_limit),
        ("over-rate", counters.dropped_over_rate),
        ("over-circuit-rate", counters.dropped_over_circuit_rate),
        ("over-ingress-rate", counters.dropped_over_ingress_rate),
        ("not-permitted", counters.dropped_not_permitted),
    ];
    for (reason, count) in dropped {
        let help = "DHCP messages not answered by reason";
        metrics.push(counter("hotstage_dhcp_dropped_total", help, &[("reason", reason)], count));
    }
    let others = [
        ("hotstage_dhcp_rapid_commits_total", "DISCOVER answered with an ACK at once", counters.rapid_commits),
        ("hotstage_dhcp_leasequeries_total", "DHCPLEASEQUERY answered", counters.leasequeries),
        ("hotstage_dhcp_reloads_total", "Times that the settings were replaced while running", counters.reloads),
        ("hotstage_dhcp_foreign_messages_total", "Messages for or of other DHCP servers", counters.foreign_servers),
    ];
    for (name, help, count) in others {
        metrics.push(counter(name, help, &[], count));
    }
    let probe = &seen.probe;
    for (kind, count) in [("arp", probe.sent_arp), ("icmp", probe.sent_icmp)] {
        let help = "Conflict probes sent; each address is asked several times";
        metrics.push(counter("hotstage_dhcp_probes_sent_total", help, &[("kind", kind)], count));
    }
    for (reason, count) in [("too-many", counters.probes_skipped + probe.overflowed), ("unsendable", probe.unsent)] {
        let help = "Addresses offered without a conflict probe, by reason";
        metrics.push(counter("hotstage_dhcp_probes_skipped_total", help, &[("reason", reason)], count));
    }
    let rogue = &seen.rogue.counts;
    for (outcome, count) in [("sent", rogue.asked), ("failed", rogue.unsent)] {
        let help = "DISCOVERs sent so that other DHCP servers speak up";
        metrics.push(counter("hotstage_dhcp_server_probes_total", help, &[("outcome", outcome)], count));
    }
    let help = "Messages of other DHCP servers overheard on direct links";
    metrics.push(counter("hotstage_dhcp_foreign_overheard_total", help, &[], rogue.heard));
    let help = "Messages of other DHCP servers that the server was too busy to look at";
    metrics.push(counter("hotstage_dhcp_foreign_overheard_dropped_total", help, &[], rogue.untold));
    let help = "Addresses at which a conflict probe found somebody";
    metrics.push(counter("hotstage_dhcp_conflicts_total", help, &[], counters.conflicts));
    for (kind, count) in seen.dhcp.kinds.iter() {
        let help = "New leases by kind of device, as far as its parameter list tells";
        metrics.push(counter("hotstage_dhcp_devices_total", help, &[("kind", kind)], count));
    }
    for (pool, change, count) in seen.lease_changes() {
        let help = "Leases granted, renewed, released, expired and declined, by pool";
        let labels = [("pool", pool.as_str()), ("change", change.as_str())];
        metrics.push(counter("hotstage_lease_changes_total", help, &labels, *count));
    }
    for (subnet, class, used) in &seen.dhcp.classes {
        let help = "Addresses taken of the pools of a class";
        let labels = [("pool", subnet.as_str()), ("class", class.as_str())];
        let name = "hotstage_dhcp_class_addresses_used";
        metrics.push(metric(name, help, MetricKind::Gauge, &labels, *used as f64));
    }
    circuits(seen, metrics);
    let help = "DHCP datagrams that the kernel dropped because the socket's buffer was full";
    metrics.push(counter("hotstage_dhcp_kernel_drops_total", help, &[], seen.dhcp.kernel_drops));
    metrics.push(counter("hotstage_lease_commits_total", "Batches of leases synced to disk", &[], seen.dhcp.commits));
    let help = "Batches of leases that could not be synced; their ACKs were not sent";
    metrics.push(counter("hotstage_lease_commit_errors_total", help, &[], seen.dhcp.journal_errors));
    metrics.push(counter(
        "hotstage_dhcp_send_errors_total",
        "DHCP replies that could not be sent",
        &[],
        seen.dhcp.send_errors,
    ));
}

/// One name after the other, as the text format wants it.
fn circuits(seen: &Seen, metrics: &mut Vec<Metric>) {
    let rows = &seen.dhcp.circuits;
    let mut gauge = |name: &str, help: &str, of: fn(&CircuitUse) -> u64| {
        metrics.extend(rows.iter().map(|row| {
            let labels = [("remote", row.remote.as_str()), ("circuit", row.circuit.as_str())];
            metric(name, help, MetricKind::Gauge, &labels, of(row) as f64)
        }));
    };
    let help = "Addresses leased by circuit, the busiest 50 and `other`";
    gauge("hotstage_dhcp_circuit_leases", help, |row| row.leases);
    let help = "Offers in hold by circuit, the busiest 50 and `other`";
    gauge("hotstage_dhcp_circuit_offers", help, |row| row.offers);
}

fn waits(waits: &dns::Waits, metrics: &mut Vec<Metric>) {
    let help = "Time that clients waited for upstreams";
    let mut count = 0;
    for (bound, up_to) in waits.up_to() {
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
        let labels = [("le", bound.as_str())];
        let (name, value) = ("hotstage_dns_wait_seconds_bucket", up_to as f64);
        metrics.push(metric(name, help, MetricKind::Histogram, &labels, value));
        count = up_to;
    }
    let mut rest = |name, value| metrics.push(metric(name, help, MetricKind::Histogram, &[], value));
    rest("hotstage_dns_wait_seconds_sum", waits.sum().as_secs_f64());
    rest("hotstage_dns_wait_seconds_count", count as f64);
}

fn dns(seen: &Seen, metrics: &mut Vec<Metric>) {
    let counters = &seen.dns.counters;
    for (transport, count) in [
        ("udp", counters.queries_udp),
        ("tcp", counters.queries_tcp),
        ("tls", counters.queries_tls),
        ("https", counters.queries_https),
    ] {
        let help = "DNS queries by transport";
        metrics.push(counter("hotstage_dns_queries_total", help, &[("transport", transport)], count));
    }
    for (qtype, count) in [
        ("A", counters.type_a),
        ("AAAA", counters.type_aaaa),
        ("HTTPS", counters.type_https),
        ("PTR", counters.type_ptr),
        ("other", counters.type_other),
    ] {
        metrics.push(counter("hotstage_dns_types_total", "DNS questions by type", &[("type", qtype)], count));
    }
    let answered = [
        ("cache", counters.cache_hits),
        ("negative-cache", counters.negative_hits),
        ("local", counters.local_answers),
        ("upstream", counters.misses),
        ("joined", counters.joined),
        ("stale", counters.stale_answers),
        ("translated", counters.translated),
    ];
    for (source, count) in answered {
        metrics.push(counter(
            "hotstage_dns_answers_total",
            "DNS answers by where they came from; negative, stale and translated ones are among the others as well",
            &[("source", source)],
            count,
        ));
    }
    let help = "Questions asked again before their answers ended, because they were wanted";
    metrics.push(counter("hotstage_dns_prefetches_total", help, &[], counters.prefetches));
    for (rcode, count) in
        [("servfail", counters.servfail), ("nxdomain", counters.nxdomain), ("refused", counters.refused)]
    {
        metrics.push(counter("hotstage_dns_rcodes_total", "DNS answers by rcode", &[("rcode", rcode)], count));
    }
    for (reason, count) in [
        ("malformed", counters.dropped_malformed),
        ("not-a-query", counters.dropped_not_query),
        ("queue-full", seen.dns.queue_full),
        ("kernel-buffer-full", seen.dns.kernel_drops),
        ("over-its-rate", counters.rate_dropped),
    ] {
        metrics.push(counter(
            "hotstage_dns_dropped_total",
            "DNS messages dropped by reason",
            &[("reason", reason)],
            count,
        ));
    }
    let help = "DNS queries of clients that are not allowed, refused";
    metrics.push(counter("hotstage_dns_prohibited_total", help, &[], counters.prohibited));
    let help = "DNS queries over their rate, answered with a call to come over TCP";
    metrics.push(counter("hotstage_dns_rate_truncated_total", help, &[], counters.rate_truncated));
    let help = "DNS queries whose cookie proved their sender's address";
    metrics.push(counter("hotstage_dns_cookies_good_total", help, &[], counters.cookies_good));
    waits(&seen.dns.waits, metrics);
    let upstream = [
        ("asked", counters.upstream_asks),
        ("hedged", counters.upstream_hedges),
        ("answered", counters.upstream_answers),
        ("timed-out", counters.upstream_timeouts),
        ("refused", counters.upstream_refusals),
        ("failed", counters.upstream_failures),
        ("mismatched", counters.upstream_mismatched),
        ("malformed", counters.upstream_malformed),
        ("late", counters.upstream_late),
        ("unexpected", seen.dns.upstream_unexpected),
    ];
    for (outcome, count) in upstream {
        metrics.push(counter(
            "hotstage_dns_upstream_total",
            "Questions to upstreams by outcome",
            &[("outcome", outcome)],
            count,
        ));
    }
    for upstream in &seen.dns.upstreams {
        let address = upstream.address.to_string();
        let labels = [("upstream", address.as_str())];
        let value = if upstream.healthy { 1.0 } else { 0.0 };
        metrics.push(metric(
            "hotstage_dns_upstream_healthy",
            "1 when the upstream answers",
            MetricKind::Gauge,
            &labels,
            value,
        ));
    }
    // Those of one name stand together, as the text format wants it.
    for upstream in &seen.dns.upstreams {
        let Some(time) = upstream.srtt else { continue };
        let address = upstream.address.to_string();
        let labels = [("upstream", address.as_str())];
        metrics.push(metric(
            "hotstage_dns_upstream_rtt_seconds",
            "Smoothed time until the upstream answers",
            MetricKind::Gauge,
            &labels,
            time.as_secs_f64(),
        ));
    }
    let gauge = |name, help, value: u64| metric(name, help, MetricKind::Gauge, &[], value as f64);
    metrics.push(gauge(
        "hotstage_dns_upstream_sockets",
        "Sockets towards upstreams over UDP",
        seen.dns.upstream_sockets,
    ));
    metrics.push(gauge("hotstage_dns_cache_entries", "Answers in the cache", seen.dns.cache_entries));
    metrics.push(gauge("hotstage_dns_cache_bytes", "Bytes of the cache", seen.dns.cache_bytes));
    metrics.push(gauge("hotstage_dns_connections", "Connections of DNS clients", seen.dns.connections_open));
    let help = "DNS connections turned away because there were too many";
    metrics.push(counter("hotstage_dns_connections_refused_total", help, &[], seen.dns.connections_refused));
    metrics.push(counter(
        "hotstage_dns_send_errors_total",
        "DNS answers that could not be sent",
        &[],
        seen.dns.send_errors,
    ));
}

fn log(seen: &Seen, metrics: &mut Vec<Metric>) {
    let intake = &seen.intake;
    for (transport, count) in [("udp", &intake.lines_udp), ("tcp", &intake.lines_tcp), ("tls", &intake.lines_tls)] {
        metrics.push(counter(
            "hotstage_log_lines_received_total",
            "Log lines by transport",
            &[("transport", transport)],
            count.load(Ordering::Relaxed),
        ));
    }
    metrics.push(counter(
        "hotstage_log_lines_stored_total",
        "Log lines handed to the store",
        &[],
        seen.log.lines_stored,
    ));
    let help = "Log lines that the store refused for want of space";
    metrics.push(counter("hotstage_log_lines_refused_total", help, &[], seen.log.lines_refused));
    let help = "Log lines that repeated and are told of by a count";
    metrics.push(counter("hotstage_log_lines_folded_total", help, &[], seen.log.lines_folded));
    let help = "Log lines and samples that were taken and lost because the disk failed";
    metrics.push(counter("hotstage_telemetry_records_lost_total", help, &[], seen.log.records_lost));
    let others = [
        (
            "hotstage_log_lines_redelivered_total",
            "Log lines of streams stored at a later try",
            &intake.lines_redelivered,
        ),
        (
            "hotstage_log_lines_given_up_total",
            "Log lines of streams not stored when the services stopped; their senders know",
            &intake.lines_given_up,
        ),
        ("hotstage_log_handshakes_failed_total", "TLS handshakes of syslog that failed", &intake.handshakes_failed),
        (
            "hotstage_log_connections_cut_total",
            "Syslog connections ended because unfinished lines took too much memory",
            &intake.streams_cut,
        ),
    ];
    for (name, help, count) in others {
        metrics.push(counter(name, help, &[], count.load(Ordering::Relaxed)));
    }
    let without_pri = intake.lines_without_pri.load(Ordering::Relaxed);
    metrics.push(counter(
        "hotstage_log_lines_without_pri_total",
        "Log lines stored raw because they had no PRI",
        &[],
        without_pri,
    ));
    let cut = intake.lines_cut.load(Ordering::Relaxed);
    metrics.push(counter("hotstage_log_lines_cut_total", "Log lines longer than the limit", &[], cut));
    let help = "Log datagrams that the kernel dropped because the socket's buffer was full";
    metrics.push(counter("hotstage_log_kernel_drops_total", help, &[], intake.kernel_drops.load(Ordering::Relaxed)));
    let octets = intake.receive_buffer_octets.load(Ordering::Relaxed) as f64;
    let help = "Receive buffer that the kernel granted to syslog over UDP, the smallest of all sockets";
    metrics.push(metric("hotstage_log_receive_buffer_bytes", help, MetricKind::Gauge, &[], octets));
    let refused = seen.log_places.refused();
    let help = "Syslog connections turned away because there were too many";
    metrics.push(counter("hotstage_log_connections_refused_total", help, &[], refused));
    let connections = seen.log_places.open() as f64;
    metrics.push(metric("hotstage_log_connections", "Syslog connections now", MetricKind::Gauge, &[], connections));
    let max = seen.log_places.max() as f64;
    let help = "Syslog connections that are taken at one time";
    metrics.push(metric("hotstage_log_connections_max", help, MetricKind::Gauge, &[], max));
    metrics.push(counter("hotstage_log_syncs_total", "Syncs of the log", &[], seen.log.syncs));
    metrics.push(counter("hotstage_log_sync_errors_total", "Syncs of the log that failed", &[], seen.log.sync_errors));
    let help = "Sealed telemetry files dropped, the oldest first, because the ceiling was reached";
    metrics.push(counter("hotstage_telemetry_files_dropped_total", help, &[], seen.log.dropped_files));
    let gauge = |name, help, value: u64| metric(name, help, MetricKind::Gauge, &[], value as f64);
    let help = "Small sealed telemetry files joined into others";
    metrics.push(counter("hotstage_telemetry_files_joined_total", help, &[], seen.log.joined_files));
    metrics.push(gauge("hotstage_telemetry_files", "Sealed telemetry files", seen.log.telemetry_files));
    metrics.push(gauge("hotstage_telemetry_bytes", "Bytes of sealed telemetry", seen.log.telemetry_bytes));
    metrics.push(gauge("hotstage_state_free_bytes", "Free bytes of the state's file system", seen.log.free_bytes));
    metrics.push(gauge("hotstage_state_free_files", "Free inodes of the state's file system", seen.log.free_files));
}

fn counter(name: &str, help: &str, labels: &[(&str, &str)], value: u64) -> Metric {
    metric(name, help, MetricKind::Counter, labels, value as f64)
}
