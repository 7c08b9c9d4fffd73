//! A subnet's settings, checked and made ready for the packet path.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
    time::Duration,
};

use ipnet::Ipv6Net;
use model::{HostName, Mac, SubnetId};

use crate::{
    Mode, ReservationKey, SettingsError, SubnetSettings,
    message::code,
    settings::{CAPTIVE_PORTAL_MAX, LIFETIME_MIN_SECONDS},
};

/// Servers of one kind that are sent at most.
const SERVERS_MAX: usize = 63;

/// A subnet, ready to serve.
#[derive(Debug)]
pub(crate) struct Subnet {
    pub(crate) id: SubnetId,
    pub(crate) name: String,
    pub(crate) prefix: Ipv6Net,
    pub(crate) mode: Mode,
    pub(crate) interfaces: Vec<u32>,
    /// Preferred and valid lifetime, seconds; `u32::MAX` = for ever.
    pub(crate) preferred: u32,
    pub(crate) valid: u32,
    pub(crate) information_refresh: u32,
    /// Addresses that can be handed out to anybody.
    pub(crate) size: u128,
    /// Ranges to hand out, ascending, inclusive.
    pools: Vec<(Ipv6Addr, Ipv6Addr)>,
    /// Addresses in the pools, those that are left out too.
    total: u128,
    never: BTreeSet<Ipv6Addr>,
    by_key: BTreeMap<ReservationKey, Ipv6Addr>,
    by_address: BTreeMap<Ipv6Addr, Option<HostName>>,
    /// Options that do not depend on the client, encoded.
    options: Vec<(u16, Vec<u8>)>,
}

impl Subnet {
    pub(crate) fn new(settings: SubnetSettings) -> Result<Self, SettingsError> {
        let pools = checked_pools(&settings)?;
        let (preferred, valid) = lifetimes(&settings)?;
        let mut never: BTreeSet<_> = settings.name_servers.iter().chain(&settings.ntp_servers).copied().collect();
        if settings.prefix.prefix_len() < 127 {
            never.insert(settings.prefix.network());
        }
        let total = pools.iter().fold(0, |sum: u128, pool| sum.saturating_add(len(*pool)));
        let mut subnet = Self {
            id: settings.id,
            prefix: settings.prefix,
            mode: settings.mode,
            interfaces: settings.direct_interfaces.clone(),
            preferred,
            valid,
            information_refresh: seconds(settings.information_refresh).max(600),
            size: total,
            pools,
            total,
            never,
            by_key: BTreeMap::new(),
            by_address: BTreeMap::new(),
            options: encoded_options(&settings)?,
            name: settings.name.clone(),
        };
        subnet.add_reservations(&settings)?;
        subnet.never.extend(settings.excluded);
        let left_out: BTreeSet<_> = subnet.never.iter().chain(subnet.by_address.keys()).copied().collect();
        let left_out = left_out.into_iter().filter(|address| subnet.is_in_pool(*address)).count();
        subnet.size = total.saturating_sub(u128::try_from(left_out).unwrap_or(total));
        Ok(subnet)
    }

    fn add_reservations(&mut self, settings: &SubnetSettings) -> Result<(), SettingsError> {
        for reservation in &settings.reservations {
            let (subnet, address) = (settings.name.clone(), reservation.address);
            if !self.prefix.contains(&address) {
                return Err(SettingsError::ReservationOutsidePrefix { subnet, prefix: self.prefix, address });
            }
            if self.never.contains(&address) {
                return Err(SettingsError::ReservationUnusable { subnet, address });
            }
            if self.by_address.insert(address, reservation.host_name.clone()).is_some() {
                return Err(SettingsError::DuplicateReservation { subnet, address });
            }
            if self.by_key.insert(reservation.client.clone(), address).is_some() {
                return Err(SettingsError::DuplicateReservationKey { subnet, address });
            }
        }
        Ok(())
    }

    fn is_in_pool(&self, address: Ipv6Addr) -> bool {
        let after = self.pools.partition_point(|&(first, _)| first <= address);
        after > 0 && address <= self.pools[after - 1].1
    }

    /// True when the address may go to any client: in a pool, and neither reserved nor somebody's own.
    pub(crate) fn is_dynamic(&self, address: Ipv6Addr) -> bool {
        self.is_in_pool(address) && !self.never.contains(&address) && !self.by_address.contains_key(&address)
    }

    /// Addresses in the pools, those that are left out too.
    pub(crate) fn total(&self) -> u128 {
        self.total
    }

    /// Addresses in the pools that are never handed out to just anybody.
    pub(crate) fn left_out(&self) -> u128 {
        self.total - self.size
    }

    /// The address number `index` of the pools together; `None` from `total` on.
    pub(crate) fn nth(&self, mut index: u128) -> Option<Ipv6Addr> {
        for &pool in &self.pools {
            match index.checked_sub(len(pool)) {
                Some(rest) => index = rest,
                None => return u128::from(pool.0).checked_add(index).map(Ipv6Addr::from),
            }
        }
        None
    }

    /// The address reserved for a client.
    pub(crate) fn reservation(&self, duid: &[u8], mac: Option<Mac>) -> Option<Ipv6Addr> {
        if self.by_key.is_empty() || self.mode != Mode::Stateful {
            return None;
        }
        let by_duid = self.by_key.get(&ReservationKey::Duid(duid.to_vec()));
        by_duid.or_else(|| self.by_key.get(&ReservationKey::Mac(mac?))).copied()
    }

    /// The name that goes with a reserved address.
    pub(crate) fn reserved_name(&self, address: Ipv6Addr) -> Option<&HostName> {
        self.by_address.get(&address)?.as_ref()
    }

    /// Options that do not depend on the client, for those that ask for them.
    pub(crate) fn options(&self) -> &[(u16, Vec<u8>)] {
        &self.options
    }
}

fn len((first, last): (Ipv6Addr, Ipv6Addr)) -> u128 {
    (u128::from(last) - u128::from(first)).saturating_add(1)
}

/// Whole seconds; `u32::MAX` = for ever (RFC 8415 section 7.7).
pub(crate) fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn lifetimes(settings: &SubnetSettings) -> Result<(u32, u32), SettingsError> {
    let subnet = || settings.name.clone();
    if settings.preferred.as_secs() < LIFETIME_MIN_SECONDS {
        return Err(SettingsError::LifetimeTooShort { subnet: subnet() });
    }
    if settings.preferred > settings.valid {
        return Err(SettingsError::PreferredLongerThanValid { subnet: subnet() });
    }
    Ok((seconds(settings.preferred), seconds(settings.valid)))
}

fn checked_pools(settings: &SubnetSettings) -> Result<Vec<(Ipv6Addr, Ipv6Addr)>, SettingsError> {
    let subnet = || settings.name.clone();
    let mut pools = settings.pools.clone();
    pools.sort_unstable();
    for &(first, last) in &pools {
        if first > last {
            return Err(SettingsError::PoolReversed { subnet: subnet(), first, last });
        }
        let prefix = settings.prefix;
        if !prefix.contains(&first) || !prefix.contains(&last) {
            return Err(SettingsError::PoolOutsidePrefix { subnet: subnet(), prefix, first, last });
        }
    }
    match pools.windows(2).find(|pair| pair[1].0 <= pair[0].1) {
        Some(pair) => Err(SettingsError::OverlappingPools { subnet: subnet(), address: pair[1].0 }),
        None if settings.mode == Mode::Stateful => Ok(pools),
        None => Ok(Vec::new()),
    }
}

fn encoded_options(settings: &SubnetSettings) -> Result<Vec<(u16, Vec<u8>)>, SettingsError> {
    let subnet = || settings.name.clone();
    let mut options = Vec::new();
    for servers in [&settings.name_servers, &settings.ntp_servers] {
        if servers.len() > SERVERS_MAX {
            return Err(SettingsError::TooManyServers { subnet: subnet(), count: servers.len() });
        }
    }
    let addresses = |servers: &[Ipv6Addr]| -> Vec<u8> { servers.iter().flat_map(Ipv6Addr::octets).collect() };
    if !settings.name_servers.is_empty() {
        options.push((code::NAME_SERVERS, addresses(&settings.name_servers)));
    }
    if let Some(domain) = &settings.domain {
        let wire = domain_on_the_wire(domain)
            .ok_or_else(|| SettingsError::Domain { subnet: subnet(), domain: domain.clone() })?;
        options.push((code::DOMAIN_SEARCH, wire));
    }
    if !settings.ntp_servers.is_empty() {
        // One option for each server, with sub-option 1, its address (RFC 5908 section 4).
        let one = |server: &Ipv6Addr| [&[0, 1, 0, 16], &server.octets()[..]].concat();
        options.extend(settings.ntp_servers.iter().map(|server| (code::NTP_SERVER, one(server))));
        options.push((code::SNTP_SERVERS, addresses(&settings.ntp_servers)));
    }
    if let Some(portal) = &settings.captive_portal {
        // RFC 8910 section 2: a URI, not ended by NUL.
        let is_uri = portal.contains(':') && portal.bytes().all(|octet| octet.is_ascii_graphic());
        if !is_uri || portal.len() > CAPTIVE_PORTAL_MAX {
            return Err(SettingsError::CaptivePortal { subnet: subnet(), uri: portal.clone() });
        }
        options.push((code::CAPTIVE_PORTAL, portal.as_bytes().to_vec()));
    }
    Ok(options)
}

/// A domain name as length-prefixed labels (RFC 1035 section 3.1); `None` when it is not one.
pub(crate) fn domain_on_the_wire(domain: &str) -> Option<Vec<u8>> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    let mut wire = Vec::with_capacity(domain.len() + 2);
    for label in domain.split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len))?;
        label.bytes().all(is_fine).then_some(())?;
        wire.push(len);
        wire.extend(label.bytes());
    }
    wire.push(0);
    (wire.len() <= 255).then_some(wire)
}
