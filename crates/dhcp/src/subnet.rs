//! A subnet's settings, checked and made ready for the packet path.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use model::{HostName, Mac, SubnetId};

use crate::{
    ClassSettings, OptionSetting, PoolSettings, ReservationKey, SettingsError, SubnetSettings, message::code,
    options::wire_name, settings::LEASE_MIN_SECONDS,
};

/// A subnet, ready to serve.
#[derive(Debug)]
pub(crate) struct Subnet {
    pub(crate) id: SubnetId,
    pub(crate) name: String,
    pub(crate) prefix: Ipv4Net,
    /// Ranges to hand out, ascending, inclusive, with the index of the class that each is for.
    pools: Vec<Pool>,
    /// The classes that pools are for, `None` last: each with its ranges.
    pub(crate) groups: Vec<PoolGroup>,
    /// Seconds; `u32::MAX` = for ever.
    pub(crate) lease_seconds: u32,
    /// What it shrinks to when the pools are full.
    pub(crate) pressed_seconds: u32,
    pub(crate) rapid_commit: bool,
    pub(crate) is_ipv6_mostly: bool,
    pub(crate) shared_network: Option<String>,
    pub(crate) interfaces: Vec<u32>,
    /// Addresses that each of the groups can hand out.
    pub(crate) group_sizes: Vec<u64>,
    /// Addresses that can be handed out.
    pub(crate) size: u64,
    never: BTreeSet<Ipv4Addr>,
    reservations: Vec<(Ipv4Addr, Option<HostName>, Vec<OptionSetting>)>,
    by_key: BTreeMap<ReservationKey, usize>,
    by_address: BTreeMap<Ipv4Addr, usize>,
    /// Options that do not depend on the client, encoded, in the order sent to a client that names none.
    options: Vec<OptionSetting>,
}

/// The class that some pools are for, `None` = everybody, and their ranges, inclusive.
pub(crate) type PoolGroup = (Option<usize>, Vec<(Ipv4Addr, Ipv4Addr)>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pool {
    first: Ipv4Addr,
    last: Ipv4Addr,
    class: Option<usize>,
}

impl Subnet {
    /// `classes` are the names of the classes in order.
    pub(crate) fn new(
        settings: SubnetSettings,
        server_identifier: Ipv4Addr,
        classes: &[ClassSettings],
    ) -> Result<Self, SettingsError> {
        let pools = checked_pools(&settings, classes)?;
        let options = encoded_options(&settings)?;
        let mut never: BTreeSet<_> = settings.name_servers.iter().chain(&settings.ntp_servers).copied().collect();
        never.extend(settings.gateway.into_iter().chain([server_identifier]));
        if settings.prefix.prefix_len() < 31 {
            never.extend([settings.prefix.network(), settings.prefix.broadcast()]);
        }
        let mut subnet = Self {
            id: settings.id,
            prefix: settings.prefix,
            lease_seconds: lease_seconds(&settings)?,
            pressed_seconds: pressed_seconds(&settings),
            rapid_commit: settings.rapid_commit,
            is_ipv6_mostly: settings.ipv6_only_wait.is_some(),
            shared_network: settings.shared_network.clone(),
            groups: grouped(&pools),
            interfaces: settings.direct_interfaces.clone(),
            group_sizes: Vec::new(),
            size: 0,
            pools,
            never,
            reservations: Vec::new(),
            by_key: BTreeMap::new(),
            by_address: BTreeMap::new(),
            options,
            name: settings.name.clone(),
        };
        subnet.add_reservations(&settings)?;
        subnet.never.extend(settings.excluded);
        let left_out: BTreeSet<_> = subnet.never.iter().chain(subnet.by_address.keys()).copied().collect();
        subnet.group_sizes = subnet.groups.iter().map(|(_, ranges)| size_without(ranges, &left_out)).collect();
        subnet.size = subnet.group_sizes.iter().sum();
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
            let index = self.reservations.len();
            if self.by_address.insert(address, index).is_some() {
                return Err(SettingsError::DuplicateReservation { subnet, address });
            }
            if self.by_key.insert(reservation.client.clone(), index).is_some() {
                return Err(SettingsError::DuplicateReservationKey { subnet, address });
            }
            check_options(&reservation.options, || format!("the reservation of {address}"))?;
            self.reservations.push((address, reservation.host_name.clone(), reservation.options.clone()));
        }
        Ok(())
    }

    fn pool_of(&self, address: Ipv4Addr) -> Option<&Pool> {
        let after = self.pools.partition_point(|pool| pool.first <= address);
        self.pools.get(after.checked_sub(1)?).filter(|pool| address <= pool.last)
    }

    /// True when the address is in a pool, and neither reserved nor somebody's own.
    pub(crate) fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        self.group_of(address).is_some()
    }

    /// Index in [`Self::groups`] of the pool that hands out the address, unless it is reserved or somebody's own.
    pub(crate) fn group_of(&self, address: Ipv4Addr) -> Option<usize> {
        let class = self.pool_of(address)?.class;
        let is_free = !self.never.contains(&address) && !self.by_address.contains_key(&address);
        is_free.then(|| self.groups.iter().position(|group| group.0 == class)).flatten()
    }

    /// True when the address is set aside for some client.
    pub(crate) fn is_reserved(&self, address: Ipv4Addr) -> bool {
        self.by_address.contains_key(&address)
    }

    /// The client's reservation: its address, and whether it goes by the MAC.
    pub(crate) fn reservation(
        &self,
        client_id: Option<&[u8]>,
        mac: Option<Mac>,
        circuit_id: &[u8],
        remote_id: &[u8],
    ) -> Option<(Ipv4Addr, bool)> {
        if self.by_key.is_empty() {
            return None;
        }
        let find = |key: ReservationKey| self.by_key.get(&key).map(|&index| self.reservations[index].0);
        if let Some(address) = client_id.and_then(|id| find(ReservationKey::ClientId(id.to_vec()))) {
            return Some((address, false));
        }
        if let Some(address) = mac.and_then(|mac| find(ReservationKey::Mac(mac))) {
            return Some((address, true));
        }
        let circuit = Some(circuit_id).filter(|id| !id.is_empty());
        let remote = Some(remote_id).filter(|id| !id.is_empty());
        let by_circuit = circuit.and_then(|id| find(ReservationKey::CircuitId(id.to_vec())));
        let address = by_circuit.or_else(|| find(ReservationKey::RemoteId(remote?.to_vec())))?;
        Some((address, false))
    }

    /// The name that goes with a reserved address.
    pub(crate) fn reserved_name(&self, address: Ipv4Addr) -> Option<&HostName> {
        self.by_address.get(&address).and_then(|&index| self.reservations[index].1.as_ref())
    }

    /// The options that go with a reserved address.
    pub(crate) fn reserved_options(&self, address: Ipv4Addr) -> &[OptionSetting] {
        self.by_address.get(&address).map_or(&[], |&index| &self.reservations[index].2)
    }

    /// Options that do not depend on the client, in the order for a client that names none.
    pub(crate) fn options(&self) -> &[OptionSetting] {
        &self.options
    }
}

fn checked_pools(settings: &SubnetSettings, classes: &[ClassSettings]) -> Result<Vec<Pool>, SettingsError> {
    let subnet = || settings.name.clone();
    let mut pools = Vec::with_capacity(settings.pools.len());
    for &PoolSettings { first, last, ref class } in &settings.pools {
        if first > last {
            return Err(SettingsError::PoolReversed { subnet: subnet(), first, last });
        }
        let prefix = settings.prefix;
        if !prefix.contains(&first) || !prefix.contains(&last) {
            return Err(SettingsError::PoolOutsidePrefix { subnet: subnet(), prefix, first, last });
        }
        let index = |name: &String| {
            let found = classes.iter().position(|class| class.name == *name);
            found.ok_or_else(|| SettingsError::UnknownClass { subnet: subnet(), first, last, class: name.clone() })
        };
        pools.push(Pool { first, last, class: class.as_ref().map(index).transpose()? });
    }
    pools.sort_unstable_by_key(|pool| (pool.first, pool.last));
    match pools.windows(2).find(|pair| pair[1].first <= pair[0].last) {
        Some(pair) => Err(SettingsError::OverlappingPools { subnet: subnet(), address: pair[1].first }),
        None => Ok(pools),
    }
}

/// Addresses of the ranges, which do not overlap, that are not left out.
fn size_without(ranges: &[(Ipv4Addr, Ipv4Addr)], left_out: &BTreeSet<Ipv4Addr>) -> u64 {
    let sizes = ranges.iter().map(|&(first, last)| {
        let all = u64::from(u32::from(last) - u32::from(first)) + 1;
        all - left_out.range(first..=last).map(|_| 1).sum::<u64>()
    });
    sizes.sum()
}

/// By class, those of classes first.
fn grouped(pools: &[Pool]) -> Vec<PoolGroup> {
    let mut groups: BTreeMap<(bool, Option<usize>), Vec<_>> = BTreeMap::new();
    for pool in pools {
        groups.entry((pool.class.is_none(), pool.class)).or_default().push((pool.first, pool.last));
    }
    groups.into_iter().map(|((_, class), ranges)| (class, ranges)).collect()
}

/// Options that the server sets by itself, and that a plan must not touch.
pub(crate) fn check_options(options: &[OptionSetting], place: impl Fn() -> String) -> Result<(), SettingsError> {
    let own = [
        0,
        code::REQUESTED_ADDRESS,
        code::LEASE_TIME,
        code::OVERLOAD,
        code::MESSAGE_TYPE,
        code::SERVER_IDENTIFIER,
        code::PARAMETER_LIST,
        code::CLIENT_IDENTIFIER,
        code::RELAY_AGENT_INFORMATION,
        code::RAPID_COMMIT,
        code::IPV6_ONLY_PREFERRED,
        255,
    ];
    match options.iter().find(|option| own.contains(&option.code)) {
        Some(option) => Err(SettingsError::OptionNotSettable { place: place(), code: option.code }),
        None => Ok(()),
    }
}

fn lease_seconds(settings: &SubnetSettings) -> Result<u32, SettingsError> {
    if settings.lease.as_secs() < LEASE_MIN_SECONDS {
        return Err(SettingsError::LeaseTooShort { subnet: settings.name.clone() });
    }
    Ok(u32::try_from(settings.lease.as_secs()).unwrap_or(u32::MAX))
}

/// Shortest lease that a full pool makes by itself, seconds.
const PRESSED_MIN_SECONDS: u64 = 300;

fn pressed_seconds(settings: &SubnetSettings) -> u32 {
    let lease = settings.lease.as_secs();
    let pressed = settings.lease_under_pressure.map_or(lease / 2, |pressed| pressed.as_secs());
    u32::try_from(pressed.max(PRESSED_MIN_SECONDS).min(lease)).unwrap_or(u32::MAX)
}

fn encoded_options(settings: &SubnetSettings) -> Result<Vec<OptionSetting>, SettingsError> {
    let subnet = || settings.name.clone();
    let prefix = settings.prefix;
    if let Some(gateway) = settings.gateway.filter(|gateway| !prefix.contains(gateway)) {
        return Err(SettingsError::GatewayOutsidePrefix { subnet: subnet(), prefix, gateway });
    }
    check_options(&settings.options, || format!("subnet `{}`", settings.name))?;
    let mut options: Vec<(u8, Vec<u8>)> = Vec::new();
    // The mask comes before the router (RFC 2132 section 3.3).
    options.push((code::SUBNET_MASK, prefix.netmask().octets().to_vec()));
    let gateway: Vec<_> = settings.gateway.into_iter().collect();
    let lists = [
        (code::ROUTER, &gateway),
        (code::NAME_SERVERS, &settings.name_servers),
        (code::NTP_SERVERS, &settings.ntp_servers),
    ];
    for (code, addresses) in lists {
        if addresses.len() > 63 {
            return Err(SettingsError::TooManyServers { subnet: subnet(), count: addresses.len() });
        }
        if !addresses.is_empty() {
            options.push((code, addresses.iter().flat_map(Ipv4Addr::octets).collect()));
        }
    }
    if let Some(domain) = &settings.domain {
        let wire = wire_name(domain).map_err(|_| SettingsError::Domain { subnet: subnet(), domain: domain.clone() })?;
        options.push((code::DOMAIN_NAME, domain.trim_end_matches('.').as_bytes().to_vec()));
        options.push((code::DOMAIN_SEARCH, wire));
    }
    if prefix.prefix_len() < 31 {
        options.push((code::BROADCAST_ADDRESS, prefix.broadcast().octets().to_vec()));
    }
    if let Some(uri) = &settings.captive_portal {
        let is_fine =
            uri.starts_with("https://") && uri.len() <= 255 && uri.bytes().all(|octet| octet.is_ascii_graphic());
        if !is_fine {
            return Err(SettingsError::CaptivePortal { subnet: subnet(), uri: uri.clone() });
        }
        options.push((code::CAPTIVE_PORTAL, uri.as_bytes().to_vec()));
    }
    let mut options: Vec<_> =
        options.into_iter().map(|(code, data)| OptionSetting { code, data, always: false }).collect();
    for given in &settings.options {
        options.retain(|option| option.code != given.code);
        options.push(given.clone());
    }
    if let Some(wait) = settings.ipv6_only_wait {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        options.push(OptionSetting {
            code: code::IPV6_ONLY_PREFERRED,
            data: seconds.to_be_bytes().to_vec(),
            always: false,
        });
    }
    Ok(options)
}
