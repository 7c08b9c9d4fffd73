//! A subnet's settings, checked and made ready for the packet path.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use model::{HostName, Mac, SubnetId};

use crate::{ReservationKey, SettingsError, SubnetSettings, message::code, settings::LEASE_MIN_SECONDS};

/// A subnet, ready to serve.
#[derive(Debug)]
pub(crate) struct Subnet {
    pub(crate) id: SubnetId,
    pub(crate) name: String,
    pub(crate) prefix: Ipv4Net,
    /// Ranges to hand out, ascending, inclusive.
    pub(crate) pools: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// Seconds; `u32::MAX` = for ever.
    pub(crate) lease_seconds: u32,
    pub(crate) interfaces: Vec<u32>,
    /// Addresses that can be handed out to anybody.
    pub(crate) size: u64,
    never: BTreeSet<Ipv4Addr>,
    reservations: Vec<(Ipv4Addr, Option<HostName>)>,
    by_key: BTreeMap<ReservationKey, usize>,
    by_address: BTreeMap<Ipv4Addr, usize>,
    /// Options that do not depend on the client, encoded, in the order sent to a client that names none.
    options: Vec<(u8, Vec<u8>)>,
}

impl Subnet {
    pub(crate) fn new(settings: SubnetSettings, server_identifier: Ipv4Addr) -> Result<Self, SettingsError> {
        let pools = checked_pools(&settings)?;
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
            interfaces: settings.direct_interfaces.clone(),
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
        let left_out: BTreeSet<_> = subnet.never.iter().chain(subnet.by_address.keys()).collect();
        let left_out = left_out.into_iter().filter(|address| subnet.is_in_pool(**address)).count();
        let all: u64 =
            subnet.pools.iter().map(|&(first, last)| u64::from(u32::from(last) - u32::from(first)) + 1).sum();
        subnet.size = all - u64::try_from(left_out).unwrap_or(all);
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
            self.reservations.push((address, reservation.host_name.clone()));
        }
        Ok(())
    }

    fn is_in_pool(&self, address: Ipv4Addr) -> bool {
        let after = self.pools.partition_point(|&(first, _)| first <= address);
        after > 0 && address <= self.pools[after - 1].1
    }

    /// True when the address may go to any client: in a pool, and neither reserved nor somebody's own.
    pub(crate) fn is_dynamic(&self, address: Ipv4Addr) -> bool {
        self.is_in_pool(address) && !self.never.contains(&address) && !self.by_address.contains_key(&address)
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
        let circuit_id = Some(circuit_id).filter(|id| !id.is_empty())?;
        find(ReservationKey::CircuitId(circuit_id.to_vec())).map(|address| (address, false))
    }

    /// The name that goes with a reserved address.
    pub(crate) fn reserved_name(&self, address: Ipv4Addr) -> Option<&HostName> {
        self.by_address.get(&address).and_then(|&index| self.reservations[index].1.as_ref())
    }

    /// Options that do not depend on the client, in the order for a client that names none.
    pub(crate) fn options(&self) -> &[(u8, Vec<u8>)] {
        &self.options
    }

    /// The data of one of [`Self::options`].
    pub(crate) fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.iter().find(|option| option.0 == code).map(|option| option.1.as_slice())
    }
}

fn checked_pools(settings: &SubnetSettings) -> Result<Vec<(Ipv4Addr, Ipv4Addr)>, SettingsError> {
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
        None => Ok(pools),
    }
}

fn lease_seconds(settings: &SubnetSettings) -> Result<u32, SettingsError> {
    if settings.lease.as_secs() < LEASE_MIN_SECONDS {
        return Err(SettingsError::LeaseTooShort { subnet: settings.name.clone() });
    }
    Ok(u32::try_from(settings.lease.as_secs()).unwrap_or(u32::MAX))
}

fn encoded_options(settings: &SubnetSettings) -> Result<Vec<(u8, Vec<u8>)>, SettingsError> {
    let subnet = || settings.name.clone();
    let prefix = settings.prefix;
    if let Some(gateway) = settings.gateway.filter(|gateway| !prefix.contains(gateway)) {
        return Err(SettingsError::GatewayOutsidePrefix { subnet: subnet(), prefix, gateway });
    }
    let mut options = Vec::new();
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
        let wire = domain_on_the_wire(domain)
            .ok_or_else(|| SettingsError::Domain { subnet: subnet(), domain: domain.clone() })?;
        options.push((code::DOMAIN_NAME, domain.trim_end_matches('.').as_bytes().to_vec()));
        options.push((code::DOMAIN_SEARCH, wire));
    }
    if prefix.prefix_len() < 31 {
        options.push((code::BROADCAST_ADDRESS, prefix.broadcast().octets().to_vec()));
    }
    Ok(options)
}

/// A domain name as length-prefixed labels (RFC 1035 section 3.1); `None` when it is not one.
fn domain_on_the_wire(domain: &str) -> Option<Vec<u8>> {
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
