//! What `/metrics` says of IPv6: DHCPv6 and router advertisements.

use model::{Metric, MetricKind};

use crate::{dhcp6_service::Dhcp6View, ipv6::Ipv6Seen, publisher::metric, ra_service::RaView};

/// Adds the metrics of what is served.
pub(crate) fn ipv6(seen: &Ipv6Seen, metrics: &mut Vec<Metric>) {
    if let Some(view) = &seen.dhcp {
        dhcp(view, metrics);
    }
    if let Some(view) = &seen.ra {
        router_advertisements(view, metrics);
    }
}

fn dhcp(view: &Dhcp6View, metrics: &mut Vec<Metric>) {
    let counters = &view.counters;
    let received = [
        ("solicit", counters.solicits),
        ("request", counters.requests),
        ("confirm", counters.confirms),
        ("renew", counters.renews),
        ("rebind", counters.rebinds),
        ("release", counters.releases),
        ("decline", counters.declines),
        ("information-request", counters.information_requests),
    ];
    let help = "DHCPv6 messages received by type";
    family(metrics, "hotstage_dhcp6_messages_received_total", help, "type", &received);
    let sent = [("advertise", counters.advertises), ("reply", counters.replies)];
    family(metrics, "hotstage_dhcp6_messages_sent_total", "DHCPv6 messages sent by type", "type", &sent);
    let dropped = [
        ("malformed", counters.dropped_malformed),
        ("invalid", counters.dropped_invalid),
        ("not-for-us", counters.dropped_not_for_us),
        ("unknown-link", counters.dropped_unknown_link),
        ("not-served", counters.dropped_not_served),
        ("unicast", counters.dropped_unicast),
        ("over-rate", counters.dropped_over_rate),
        ("nothing-to-say", counters.dropped_nothing_to_say),
    ];
    let help = "DHCPv6 messages not answered by reason";
    family(metrics, "hotstage_dhcp6_dropped_total", help, "reason", &dropped);
    let others = [
        ("hotstage_dhcp6_relayed_total", "DHCPv6 messages that came by a relay agent", counters.relayed),
        ("hotstage_dhcp6_no_addresses_total", "Associations that found no free address", counters.no_addresses),
        ("hotstage_dhcp6_over_limit_total", "Associations refused by a limit of leases", counters.over_limit),
        ("hotstage_dhcp6_leases_granted_total", "IPv6 leases granted or renewed", counters.leases_granted),
        ("hotstage_dhcp6_leases_expired_total", "IPv6 leases that ended without renewal", counters.leases_expired),
        ("hotstage_dhcp6_kernel_drops_total", "DHCPv6 datagrams that the kernel dropped", view.kernel_drops),
        ("hotstage_dhcp6_send_errors_total", "DHCPv6 replies that could not be sent", view.send_errors),
        ("hotstage_lease6_commits_total", "Batches of IPv6 leases synced to disk", view.commits),
        (
            "hotstage_lease6_commit_errors_total",
            "Batches of IPv6 leases that could not be synced; their replies were not sent",
            view.journal_errors,
        ),
    ];
    single(metrics, &others);
}

fn router_advertisements(view: &RaView, metrics: &mut Vec<Metric>) {
    let counters = &view.counters;
    let dropped = [
        ("unknown-interface", counters.dropped_unknown_interface),
        ("hop-limit", counters.dropped_hop_limit),
        ("other-type", counters.dropped_other_type),
        ("malformed", counters.dropped_malformed),
        ("not-a-router", counters.dropped_not_a_router),
    ];
    let help = "Router solicitations and advertisements not used by reason";
    family(metrics, "hotstage_ra_dropped_total", help, "reason", &dropped);
    let others = [
        ("hotstage_ra_solicitations_total", "Router solicitations received", counters.solicitations),
        ("hotstage_ra_advertisements_total", "Router advertisements sent", counters.advertisements),
        ("hotstage_ra_expected_total", "Advertisements heard of routers that belong here", counters.expected),
        ("hotstage_ra_foreign_total", "Advertisements heard of other routers", counters.foreign),
        ("hotstage_ra_send_errors_total", "Router advertisements that could not be sent", view.send_errors),
    ];
    single(metrics, &others);
}

fn family(metrics: &mut Vec<Metric>, name: &str, help: &str, label: &str, counts: &[(&str, u64)]) {
    let one = |(value, count): &(&str, u64)| metric(name, help, MetricKind::Counter, &[(label, value)], *count as f64);
    metrics.extend(counts.iter().map(one));
}

fn single(metrics: &mut Vec<Metric>, counts: &[(&str, &str, u64)]) {
    let one = |(name, help, count): &(&str, &str, u64)| metric(name, help, MetricKind::Counter, &[], *count as f64);
    metrics.extend(counts.iter().map(one));
}
