//! Router advertisements: to Linux, to `rdisc6`, and those of a router that nobody planned.

use std::fs;

use e2e::{Hotstage, ready};

use super::{Link, shell};
use crate::event::{PLAN, run_command};

const TOOLS: [&str; 6] = ["ip", "bash", "tcpdump", "tshark", "nft", "rdisc6"];

/// What the plan says of the link; NAT64, portal and all.
const FULL: &str = "mode = \"stateless\"\npref64 = \"64:ff9b::/96\"\n";

#[test]
fn linux_makes_its_address_of_our_advertisement() {
    if !ready(true, &TOOLS) {
        return;
    }
    let link = Link::direct(FULL);
    shell(&link.client, "echo 1 > /proc/sys/net/ipv6/conf/cli0/accept_ra");
    let found = shell(&link.client, "rdisc6 -1 cli0");
    for line in ["2001:db8:77::/64", "2001:db8:77::53", "e2e.example", "Stateful other conf.      :          Yes"] {
        assert!(found.contains(line), "no `{line}` in:\n{found}");
    }
    link.wait_for_ip(&["addr", "show", "dev", "cli0"], |text| {
        text.contains("2001:db8:77:0:") || text.contains("2001:db8:77::")
    });
    let routes = link.wait_for_ip(&["route", "show", "dev", "cli0"], |text| text.contains("2001:db8:77::/64"));
    assert!(!routes.contains("default"), "we are no default router: {routes}");
    link.wait_for_metric("hotstage_ra_solicitations_total", 1);

    // From another link a solicitation cannot be: whatever was forwarded has a hop limit below 255 (RFC 4861 6.1.1).
    shell(
        &link.client,
        "nft add table ip6 far; nft 'add chain ip6 far out { type filter hook output priority 0; }'; \
         nft add rule ip6 far out icmpv6 type nd-router-solicit ip6 hoplimit set 64; rdisc6 -1 -r 1 -w 100 cli0 || true",
    );
    link.wait_for_metric("hotstage_ra_dropped_total{reason=\"hop-limit\"}", 1);
    let said = link.finish();
    for told in ["64:ff9b::", "PREF64", "Recursive DNS Server", "DNS Search List"] {
        assert!(said.contains(told), "tshark finds no {told}:\n{said}");
    }
}

/// A laptop that shares its connection: another prefix on our link. The plan does not name the router of the link.
#[test]
fn a_router_that_nobody_planned_is_an_incident() {
    if !ready(true, &TOOLS) {
        return;
    }
    let link = Link::direct("mode = \"stateless\"\n");
    // The rival is hotstage itself with another event's plan.
    let text = "\n[vlan.direct.ipv6]\nprefix = \"2001:db8:666::/64\"\nadvertise = true\nmode = \"slaac\"\n";
    let rival = link.file("rival");
    fs::create_dir(&rival).unwrap();
    fs::write(rival.join("event.toml"), format!("{PLAN}{text}").replace("srv0", "cli0")).unwrap();
    let rival =
        Hotstage::start(&mut run_command(&link.client, &rival.display().to_string(), &link.file("rival-state")));
    link.wait_for_metric("hotstage_ra_foreign_total", 1);
    let found = (0..super::LOOKS_MAX / 3).any(|_| link.hotstage(&["incidents"]).contains("ra-foreign-router"));
    assert!(found, "no incident: {}", link.hotstage(&["incidents"]));
    assert!(!link.metrics().contains("fe80"), "no address is in a metric");
    drop(rival);
    link.finish();
}
