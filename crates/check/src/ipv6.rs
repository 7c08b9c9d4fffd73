//! Prefixes of IPv6, and who tells clients of them.

use std::net::Ipv6Addr;

use plan::{DhcpVia, Ipv6Mode, Ipv6Plan, Plan, VlanPlan};

use crate::{findings::Findings, wiring::Wiring};

/// Lengths of a NAT64 prefix (RFC 6052 section 2.2, RFC 8781 section 4).
const PREF64_LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];

/// Prefixes in which clients cannot make addresses of their own (RFC 4862 section 5.5.3).
pub(crate) fn ipv6_prefix_not_64(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, ipv6) in ipv6(plan) {
        let makes_own = match ipv6.mode {
            Ipv6Mode::Slaac | Ipv6Mode::Stateless => true,
            Ipv6Mode::Stateful => false,
        };
        if makes_own && ipv6.prefix.prefix_len() != 64 {
            let says = format!("clients of VLAN {} are to make their own addresses in {}", vlan.name, ipv6.prefix);
            findings.add(format!("vlan {}", vlan.name), &ipv6.at, says);
        }
    }
}

/// Two VLANs whose prefixes share addresses.
pub(crate) fn ipv6_prefixes_overlap(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let mut all: Vec<(&VlanPlan, &Ipv6Plan)> = ipv6(plan).collect();
    all.sort_by_key(|(_, ipv6)| (ipv6.prefix.network(), ipv6.prefix.prefix_len()));
    let mut widest: Option<(&VlanPlan, &Ipv6Plan)> = None;
    for (vlan, own) in all {
        match widest {
            Some((other, there)) if there.prefix.broadcast() >= own.prefix.network() => {
                let says =
                    format!("{} of VLAN {} overlaps {} of VLAN {}", own.prefix, vlan.name, there.prefix, other.name);
                findings.add(format!("vlan {}", vlan.name), &own.at, says);
            }
            _ => widest = Some((vlan, own)),
        }
    }
}

/// Ranges of DHCPv6 beyond their prefix, or over a router's addresses: the anycast one or its own.
pub(crate) fn ipv6_pool_wrong(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, own) in ipv6(plan) {
        for (first, last) in &own.pools {
            let holds = |address: Ipv6Addr| (*first..=*last).contains(&address);
            let why = if !own.prefix.contains(first) || !own.prefix.contains(last) {
                format!("is not in {}", own.prefix)
            } else if holds(own.prefix.network()) {
                "holds the routers' anycast address".to_owned()
            } else if let Some(router) = own.router.filter(|router| holds(*router)) {
                format!("holds the router's address {router}")
            } else {
                continue;
            };
            let says = format!("the pool {first}-{last} of VLAN {} {why}", vlan.name);
            findings.add(format!("vlan {}", vlan.name), &own.at, says);
        }
    }
}

/// Two ranges of one VLAN that share addresses.
pub(crate) fn ipv6_pools_overlap(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, own) in ipv6(plan) {
        let mut pools = own.pools.clone();
        pools.sort_unstable();
        let mut widest: Option<(Ipv6Addr, Ipv6Addr)> = None;
        for (first, last) in pools {
            if let Some((from, to)) = widest.filter(|(_, to)| *to >= first) {
                let says = format!("the ranges {from}-{to} and {first}-{last} share addresses");
                findings.add(format!("vlan {}", vlan.name), &own.at, says);
            }
            if widest.is_none_or(|(_, to)| to < last) {
                widest = Some((first, last));
            }
        }
    }
}

/// Fixed addresses that cannot be given: of another link, somebody's own, or reserved twice.
pub(crate) fn ipv6_reservation_wrong(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, own) in ipv6(plan) {
        for (index, one) in own.reservations.iter().enumerate() {
            let before = own.reservations.get(..index).unwrap_or_default();
            let address = one.address;
            let why = if !own.prefix.contains(&address) {
                format!("is not in {}", own.prefix)
            } else if address == own.prefix.network() {
                "is the routers' anycast address".to_owned()
            } else if own.router == Some(address) || own.name_servers.contains(&address) {
                "is the router's or a name server's".to_owned()
            } else if let Some(first) = before.iter().find(|first| first.address == address) {
                format!("is reserved already, at {}", first.at)
            } else if let Some(first) = before.iter().find(|first| first.client == one.client) {
                format!("is a second one for a client; the first is at {}", first.at)
            } else {
                continue;
            };
            let says = format!("the reserved address {address} of VLAN {} {why}", vlan.name);
            findings.add(format!("vlan {}", vlan.name), &one.at, says);
        }
    }
}

/// VLANs whose addresses are to come from DHCPv6, which has none.
pub(crate) fn ipv6_pool_missing(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, own) in ipv6(plan).filter(|(_, own)| own.mode == Ipv6Mode::Stateful && own.pools.is_empty()) {
        let says = format!("addresses of VLAN {} are to come from DHCPv6, but it has no pool", vlan.name);
        findings.add(format!("vlan {}", vlan.name), &own.at, says);
    }
}

/// Prefixes of a NAT64 that no client can use.
pub(crate) fn pref64_length(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, own) in ipv6(plan) {
        let Some(prefix) = own.pref64.filter(|prefix| !PREF64_LENGTHS.contains(&prefix.prefix_len())) else { continue };
        let says = format!("{prefix} of VLAN {} is no prefix of a NAT64", vlan.name);
        findings.add(format!("vlan {}", vlan.name), &own.at, says);
    }
}

/// Router advertisements that hotstage is to send on a link which it is not on.
pub(crate) fn advertised_off_link(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, own) in ipv6(plan).filter(|(_, own)| own.advertise) {
        if !matches!(vlan.dhcp.as_ref().map(|dhcp| &dhcp.via), Some(DhcpVia::Direct(_))) {
            let says =
                format!("hotstage is to send router advertisements on VLAN {}, but is not on its link", vlan.name);
            findings.add(format!("vlan {}", vlan.name), &own.at, says);
        }
    }
}

/// Prefixes that nobody is said to tell clients of.
pub(crate) fn advertiser_missing(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, own) in ipv6(plan).filter(|(_, own)| !own.advertise && own.router.is_none()) {
        let says = format!("it is not stated who sends router advertisements on VLAN {}", vlan.name);
        findings.add(format!("vlan {}", vlan.name), &own.at, says);
    }
}

/// Routers that clients of the link cannot see.
pub(crate) fn ipv6_router_off_link(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for (vlan, own) in ipv6(plan) {
        let is_off = |router: &Ipv6Addr| !own.prefix.contains(router) && !router.is_unicast_link_local();
        if let Some(router) = own.router.filter(is_off) {
            let says = format!("the router {router} of VLAN {} is neither link-local nor in {}", vlan.name, own.prefix);
            findings.add(format!("vlan {}", vlan.name), &own.at, says);
        }
    }
}

fn ipv6(plan: &Plan) -> impl Iterator<Item = (&VlanPlan, &Ipv6Plan)> {
    plan.vlans.values().filter_map(|vlan| Some((vlan, vlan.ipv6.as_ref()?)))
}
