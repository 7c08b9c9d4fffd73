//! The event's own zone, its reverse zones, and where everything else is asked.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use dns::{Designated, Forward, Nat64, Rates, Record, RecordData, Settings, Zone};
use ipnet::IpNet;
use plan::{DnsCertificate, DnsUpstream, Plan};

use crate::reverse;

/// TTL of planned names, seconds: long enough to be cached, short enough that a moved device is found the same day.
const PLANNED_TTL: u32 = 300;
/// TTL of clients' names, seconds (they come and go).
const CLIENT_TTL: u32 = 60;
/// Loopback, link-local, private use and shared address space (RFC 6890).
const USUAL_NETWORKS: [&str; 9] = [
    "127.0.0.0/8",
    "169.254.0.0/16",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fe80::/10",
    "fc00::/7",
];
const PENDING_MAX: usize = 4_096;
const WAITERS_MAX: usize = 256;

/// What DNS needs beside its engine's settings: files, and how upstreams are spoken to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DnsServing {
    /// Upstreams with their protocols.
    pub upstreams: Vec<DnsUpstream>,
    /// PEM file of certificates that upstreams may prove themselves with, besides the system's.
    pub trust: Option<PathBuf>,
    /// Our certificate, for DNS over TLS and HTTPS.
    pub certificate: Option<DnsCertificate>,
    /// Answers are validated.
    pub validate: bool,
    /// File of DS or DNSKEY records; without one, those of the real root.
    pub trust_anchors: Option<PathBuf>,
    /// Files of zones that are answered here.
    pub zones: Vec<PathBuf>,
    /// Files of names that are not answered.
    pub block: Vec<PathBuf>,
    /// Names that are answered though a file has them.
    pub unblock: Vec<String>,
}

impl DnsServing {
    /// Lets relative paths start at `directory`, where the plan is.
    pub fn in_directory(mut self, directory: &Path) -> Self {
        if let Some(trust) = &mut self.trust {
            *trust = directory.join(&*trust);
        }
        if let Some(anchors) = &mut self.trust_anchors {
            *anchors = directory.join(&*anchors);
        }
        for file in self.zones.iter_mut().chain(&mut self.block) {
            *file = directory.join(&*file);
        }
        if let Some(DnsCertificate { certificate, key }) = &mut self.certificate {
            (*certificate, *key) = (directory.join(&*certificate), directory.join(&*key));
        }
        self
    }
}

pub(crate) fn dns_serving(plan: &Plan) -> DnsServing {
    let dns = &plan.services.dns;
    DnsServing {
        upstreams: dns
            .upstreams
            .iter()
            .chain(dns.forwards.iter().flat_map(|forward| &forward.upstreams))
            .cloned()
            .collect(),
        trust: dns.trust.clone(),
        certificate: dns.certificate.clone(),
        validate: dns.validate,
        trust_anchors: dns.trust_anchors.clone(),
        zones: dns.zones.clone(),
        block: dns.block.clone(),
        unblock: dns.unblock.clone(),
    }
}

pub(crate) fn dns_settings(plan: &Plan) -> Settings {
    let domain = plan.event.domain.as_str();
    let primary = format!("ns.{domain}");
    let names = planned_names(plan);
    let mut zones = vec![Zone {
        origin: domain.to_owned(),
        primary: primary.clone(),
        records: names
            .iter()
            .map(|(label, address)| Record { name: format!("{label}.{domain}"), data: RecordData::A(*address) })
            .collect(),
        ttl: PLANNED_TTL,
    }];
    let pointers = pointers(plan);
    for origin in reverse::zones(plan.vlans.values().map(|vlan| vlan.subnet)) {
        let suffix = format!(".{origin}");
        let records = pointers.iter().filter_map(|(address, label)| {
            let name = reverse::name(*address);
            let data = RecordData::Ptr(format!("{label}.{domain}"));
            name.ends_with(&suffix).then_some(Record { name, data })
        });
        zones.push(Zone { records: records.collect(), primary: primary.clone(), ttl: PLANNED_TTL, origin });
    }
    // Names of devices have IPv4 addresses only; these are for clients, and so that nobody else is asked of them.
    let prefixes = plan.vlans.values().filter_map(|vlan| Some(vlan.ipv6.as_ref()?.prefix));
    zones.extend(reverse::zones_v6(prefixes).into_iter().map(|origin| Zone {
        records: Vec::new(),
        primary: primary.clone(),
        ttl: PLANNED_TTL,
        origin,
    }));
    Settings {
        zones,
        upstreams: plan.services.dns.upstreams.iter().map(|upstream| upstream.address).collect(),
        cache_bytes_max: usize::try_from(plan.services.dns.cache_bytes_max).unwrap_or(usize::MAX),
        pending_max: PENDING_MAX,
        waiters_max: WAITERS_MAX,
        own_addresses: plan.services.listen.dns.clone(),
        // Clients are named in the event's own zone, so that their names are as short as a person expects; planned
        // names go first.
        client_names_zone: Some(domain.to_owned()),
        client_names_ttl: CLIENT_TTL,
        patience_factor: 1,
        validate: plan.services.dns.validate,
        // Read from a file by whoever runs the engine.
        trust_anchors: String::new(),
        negative_trust_anchors: plan.services.dns.insecure.clone(),
        allow: served_networks(plan),
        own_ipv6: plan.vlans.values().filter_map(|vlan| vlan.ipv6.as_ref()).map(|ipv6| ipv6.prefix).collect(),
        rates: Rates { client: plan.services.dns.client_rate, prefix: plan.services.dns.network_rate },
        forwards: plan
            .services
            .dns
            .forwards
            .iter()
            .map(|forward| Forward {
                zone: forward.zone.clone(),
                upstreams: forward.upstreams.iter().map(|upstream| upstream.address).collect(),
            })
            .collect(),
        nat64: translators(plan),
        designated: designated(plan),
        counts_top: plan.services.dns.top,
        ..Settings::default()
    }
}

/// The name that clients are told to ask encrypted; its ports are known once they are bound.
fn designated(plan: &Plan) -> Option<Designated> {
    plan.services.dns.certificate.as_ref()?;
    let name = format!("ns.{}", plan.event.domain);
    Some(Designated { name, ipv4: plan.server_address().into_iter().collect(), ..Designated::default() })
}

/// VLANs whose routers announce a translator's prefix (RFC 8781) get addresses in it from us too, for clients that do not
/// hear of it.
fn translators(plan: &Plan) -> Vec<Nat64> {
    let of_vlan = |ipv6: &plan::Ipv6Plan| Some(Nat64 { clients: IpNet::V6(ipv6.prefix), prefix: ipv6.pref64? });
    plan.vlans.values().filter_map(|vlan| of_vlan(vlan.ipv6.as_ref()?)).collect()
}

/// Not the whole world: a forwarder open to it is a weapon (RFC 5358).
fn served_networks(plan: &Plan) -> Vec<IpNet> {
    if !plan.services.dns.allow.is_empty() {
        return plan.services.dns.allow.clone();
    }
    let planned = plan.vlans.values().flat_map(|vlan| {
        let v6 = vlan.ipv6.as_ref().map(|ipv6| IpNet::V6(ipv6.prefix));
        [Some(IpNet::V4(vlan.subnet)), v6].into_iter().flatten()
    });
    let usual = USUAL_NETWORKS.iter().filter_map(|text| text.parse().ok());
    IpNet::aggregate(&usual.chain(planned).collect())
}

/// Labels in the event's zone with their addresses: devices, gateways, hotstage's own.
fn planned_names(plan: &Plan) -> BTreeMap<String, Ipv4Addr> {
    let mut names = BTreeMap::new();
    for vlan in plan.vlans.values() {
        names.insert(format!("gateway-{}", vlan.name), vlan.gateway);
    }
    if let Some(address) = plan.server_address() {
        for label in ["ns", "noc", "syslog"] {
            names.insert(label.to_owned(), address);
        }
    }
    // A device's own name goes before what was derived.
    for device in plan.devices.values() {
        if let Some(address) = device.address {
            names.insert(device.id.as_str().to_ascii_lowercase(), address);
        }
    }
    names
}

/// One name for each address: a device's before a derived one.
fn pointers(plan: &Plan) -> BTreeMap<Ipv4Addr, String> {
    let mut pointers = BTreeMap::new();
    for vlan in plan.vlans.values() {
        pointers.insert(vlan.gateway, format!("gateway-{}", vlan.name));
    }
    if let Some(address) = plan.server_address() {
        pointers.insert(address, "noc".to_owned());
    }
    for device in plan.devices.values() {
        if let Some(address) = device.address {
            pointers.insert(address, device.id.as_str().to_ascii_lowercase());
        }
    }
    pointers
}
