use std::{collections::BTreeSet, net::Ipv6Addr, time::Duration};

use ipnet::Ipv6Net;
use model::Mac;
use thiserror::Error;

use super::{Preference, RaOption, RouterAdvertisement, domain_names::write_name};

/// The links that are watched, and what is advertised on them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RaSettings {
    /// One for each interface.
    pub interfaces: Vec<RaInterface>,
}

/// One interface and its link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RaInterface {
    /// The interface's index.
    pub index: u32,
    /// Its Ethernet address; sent along, and by it we know our own advertisements.
    pub mac: Option<Mac>,
    /// Its link-local addresses: by them we know our own advertisements.
    pub own_addresses: Vec<Ipv6Addr>,
    /// Link-local addresses of the routers that belong here. All others are told of as foreign.
    pub routers_expected: Vec<Ipv6Addr>,
    /// What we advertise; `None` = we only listen.
    pub advertisement: Option<Advertisement>,
    /// Time between two advertisements that nobody asked for, at most: 4 to 1,800 s.
    pub interval_max: Duration,
    /// The same at least: 3 s to three quarters of `interval_max`.
    pub interval_min: Duration,
}

impl RaInterface {
    /// An interface on which we only listen; if we advertised, every 200 to 600 s (RFC 4861 section 6.2.1).
    pub fn new(index: u32) -> Self {
        Self {
            index,
            mac: None,
            own_addresses: Vec::new(),
            routers_expected: Vec::new(),
            advertisement: None,
            interval_max: Duration::from_secs(600),
            interval_min: Duration::from_secs(200),
        }
    }
}

/// What hosts of a link are told.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Advertisement {
    /// The link's prefixes.
    pub prefixes: Vec<PrefixSetting>,
    /// Flag M: addresses are leased by DHCPv6.
    pub is_managed: bool,
    /// Flag O: other parameters are told by DHCPv6.
    pub has_other: bool,
    /// Recursive name servers, at most 16 (RFC 8106). They hold for three times `interval_max`.
    pub name_servers: Vec<Ipv6Addr>,
    /// Search list: ASCII names (RFC 8106). Holds for three times `interval_max`.
    pub domains: Vec<String>,
    /// Prefix of the NAT64: a /96, /64, /56, /48, /40 or /32 (RFC 8781). Holds for three times `interval_max`.
    pub pref64: Option<Ipv6Net>,
    /// URI of the captive portal's API (RFC 8910).
    pub captive_portal: Option<String>,
    /// The link's MTU, at least 1,280.
    pub mtu: Option<u32>,
    /// How long we are a default router, at most 9,000 s. Zero unless we route.
    pub router_lifetime: Duration,
    /// How much we are preferred as default router (RFC 4191).
    pub preference: Preference,
    /// Routes through us (RFC 4191).
    pub routes: Vec<RouteSetting>,
    /// Hop limit for hosts to use, 0 = not told.
    pub hop_limit: u8,
}

/// A prefix of the link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixSetting {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Flag L: its addresses are on this link.
    pub is_on_link: bool,
    /// Flag A: hosts make addresses of it (RFC 4862).
    pub is_autonomous: bool,
    /// Valid lifetime; from 136 years on it is for ever.
    pub valid: Duration,
    /// Preferred lifetime, at most the valid one.
    pub preferred: Duration,
}

impl PrefixSetting {
    /// On link and for making addresses; valid for a day, preferred for four hours: short, as an event is, and long
    /// enough that hosts outlive a router that is exchanged.
    pub fn new(prefix: Ipv6Net) -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self { prefix, is_on_link: true, is_autonomous: true, valid: hours(24), preferred: hours(4) }
    }
}

/// A route through us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteSetting {
    /// The destination.
    pub prefix: Ipv6Net,
    /// How much it is preferred.
    pub preference: Preference,
    /// How long it holds.
    pub lifetime: Duration,
}

/// Why the settings cannot be carried out.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RaSettingsError {
    #[error("interface {interface} is listed twice")]
    DuplicateInterface { interface: u32 },
    #[error("interface {interface}: advertisements every {min} to {max} s, not within 3 s, 3/4 of the longer, 1800 s")]
    Interval { interface: u32, min: u64, max: u64 },
    #[error("interface {interface}: {prefix} is preferred for longer than it is valid")]
    PreferredLongerThanValid { interface: u32, prefix: Ipv6Net },
    #[error("interface {interface}: hosts cannot make addresses of {prefix}, only of a /64")]
    NotAutonomous { interface: u32, prefix: Ipv6Net },
    #[error("interface {interface}: {prefix} is link-local or multicast, no prefix to advertise")]
    Prefix { interface: u32, prefix: Ipv6Net },
    #[error("interface {interface}: {count} prefixes, routes, name servers or domains, more than {LIST_MAX}")]
    ListTooLong { interface: u32, count: usize },
    #[error("interface {interface}: `{domain}` is not a domain name of ASCII letters, digits and hyphens")]
    Domain { interface: u32, domain: String },
    #[error("interface {interface}: NAT64 prefix {prefix} is not a /96, /64, /56, /48, /40 or /32")]
    Pref64 { interface: u32, prefix: Ipv6Net },
    #[error("interface {interface}: captive portal `{uri}` is not a URI of at most 255 printable ASCII characters")]
    CaptivePortal { interface: u32, uri: String },
    #[error("interface {interface}: MTU {mtu} is below 1280")]
    Mtu { interface: u32, mtu: u32 },
    #[error("interface {interface}: router lifetime {seconds} s is above 9000 s")]
    RouterLifetime { interface: u32, seconds: u64 },
    #[error("interface {interface}: the advertisement has {len} octets, more than fit any link ({SIZE_MAX})")]
    TooLong { interface: u32, len: usize },
}

/// Prefixes, routes, name servers or domains, at most.
const LIST_MAX: usize = 16;
/// What fits every link: the least MTU of IPv6 without its header.
const SIZE_MAX: usize = 1_240;
const URI_MAX: usize = 255;
/// RFC 4861 section 6.2.1: `AdvDefaultLifetime`.
const ROUTER_LIFETIME_MAX: u64 = 9_000;
/// RFC 8781 section 4: 13 bits of eight seconds.
const PREF64_LIFETIME_MAX: u64 = 65_528;

impl RaSettings {
    /// Checks everything; the advertisement of each interface, in order.
    pub(super) fn check(&self) -> Result<Vec<Option<RouterAdvertisement>>, RaSettingsError> {
        let mut seen = BTreeSet::new();
        self.interfaces
            .iter()
            .map(|interface| {
                let index = interface.index;
                seen.insert(index).then_some(()).ok_or(RaSettingsError::DuplicateInterface { interface: index })?;
                interface.check_intervals()?;
                interface.advertisement.as_ref().map(|told| interface.message(told)).transpose()
            })
            .collect()
    }
}

impl RaInterface {
    fn check_intervals(&self) -> Result<(), RaSettingsError> {
        let (min, max) = (self.interval_min, self.interval_max);
        let is_fine = min >= Duration::from_secs(3)
            && min <= max * 3 / 4
            && (Duration::from_secs(4)..=Duration::from_secs(1_800)).contains(&max);
        let error = RaSettingsError::Interval { interface: self.index, min: min.as_secs(), max: max.as_secs() };
        is_fine.then_some(()).ok_or(error)
    }

    /// The advertisement as a message.
    fn message(&self, told: &Advertisement) -> Result<RouterAdvertisement, RaSettingsError> {
        self.check_lists(told)?;
        let lifetime = seconds(self.interval_max * 3);
        let mut options: Vec<_> = self.mac.map(RaOption::SourceLinkLayer).into_iter().collect();
        options.extend(told.mtu.map(RaOption::Mtu));
        options.extend(told.prefixes.iter().map(|setting| RaOption::Prefix {
            prefix: setting.prefix.trunc(),
            is_on_link: setting.is_on_link,
            is_autonomous: setting.is_autonomous,
            valid: seconds(setting.valid),
            preferred: seconds(setting.preferred),
        }));
        options.extend(told.routes.iter().map(|route| RaOption::Route {
            prefix: route.prefix.trunc(),
            preference: route.preference,
            lifetime: seconds(route.lifetime),
        }));
        if !told.name_servers.is_empty() {
            options.push(RaOption::NameServers { lifetime, servers: told.name_servers.clone() });
        }
        if !told.domains.is_empty() {
            options.push(RaOption::SearchList { lifetime, domains: told.domains.clone() });
        }
        // Rounded up, so that it never runs out before the next advertisement (RFC 8781 section 4.1).
        let eights = u64::from(lifetime).next_multiple_of(8).min(PREF64_LIFETIME_MAX);
        let pref64_lifetime = u16::try_from(eights).unwrap_or(u16::MAX);
        options
            .extend(told.pref64.map(|prefix| RaOption::Pref64 { prefix: prefix.trunc(), lifetime: pref64_lifetime }));
        options.extend(told.captive_portal.clone().map(RaOption::CaptivePortal));
        let message = RouterAdvertisement {
            hop_limit: told.hop_limit,
            is_managed: told.is_managed,
            has_other: told.has_other,
            // RFC 4191 section 2.2: medium from whoever is no default router.
            preference: if told.router_lifetime.is_zero() { Preference::Medium } else { told.preference },
            router_lifetime: u16::try_from(told.router_lifetime.as_secs()).unwrap_or(u16::MAX),
            reachable_time: 0,
            retransmission_timer: 0,
            options,
        };
        let len = message.to_bytes().len();
        if len > SIZE_MAX {
            return Err(RaSettingsError::TooLong { interface: self.index, len });
        }
        Ok(message)
    }

    fn check_lists(&self, told: &Advertisement) -> Result<(), RaSettingsError> {
        let interface = self.index;
        for count in [told.prefixes.len(), told.routes.len(), told.name_servers.len(), told.domains.len()] {
            if count > LIST_MAX {
                return Err(RaSettingsError::ListTooLong { interface, count });
            }
        }
        told.prefixes.iter().try_for_each(|setting| check_prefix(interface, setting))?;
        if let Some(domain) = told.domains.iter().find(|domain| write_name(&mut Vec::new(), domain).is_none()) {
            return Err(RaSettingsError::Domain { interface, domain: domain.clone() });
        }
        if let Some(prefix) = told.pref64.filter(|prefix| ![96, 64, 56, 48, 40, 32].contains(&prefix.prefix_len())) {
            return Err(RaSettingsError::Pref64 { interface, prefix });
        }
        let is_uri =
            |uri: &&String| uri.len() <= URI_MAX && uri.contains(':') && uri.bytes().all(|o| o.is_ascii_graphic());
        if let Some(uri) = told.captive_portal.as_ref().filter(|uri| !is_uri(uri)) {
            return Err(RaSettingsError::CaptivePortal { interface, uri: uri.clone() });
        }
        if let Some(mtu) = told.mtu.filter(|&mtu| mtu < 1_280) {
            return Err(RaSettingsError::Mtu { interface, mtu });
        }
        match told.router_lifetime.as_secs() {
            0..=ROUTER_LIFETIME_MAX => Ok(()),
            seconds => Err(RaSettingsError::RouterLifetime { interface, seconds }),
        }
    }
}

fn check_prefix(interface: u32, setting: &PrefixSetting) -> Result<(), RaSettingsError> {
    let (prefix, address) = (setting.prefix, setting.prefix.network());
    if address.is_unicast_link_local() || address.is_multicast() {
        return Err(RaSettingsError::Prefix { interface, prefix });
    }
    if setting.preferred > setting.valid {
        return Err(RaSettingsError::PreferredLongerThanValid { interface, prefix });
    }
    // RFC 4862 section 5.5.3 d: hosts ignore it, as interface identifiers have 64 bits.
    if setting.is_autonomous && prefix.prefix_len() != 64 {
        return Err(RaSettingsError::NotAutonomous { interface, prefix });
    }
    Ok(())
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
