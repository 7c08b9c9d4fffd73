//! Who is served, and how much of it: the access list, and rates by address and by network.
//!
//! Rates are kept in two tables of fixed size, without addresses: every address has one place in each, and is over its
//! rate only when both places are. A flood of made-up addresses fills places thinly and evicts nobody.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use foldhash::quality::FixedState;
use ipnet::{IpNet, Ipv6Net};
use model::Timestamp;
use std::hash::BuildHasher as _;

/// Places in each table: 512 KiB for the two.
const PLACES: usize = 1 << 15;
/// How much may come at once: what the rate allows in this time.
const BURST: Duration = Duration::from_secs(1);

/// Queries per second that are served; `None`: as many as come.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rates {
    /// From one IPv4 address; from one IPv6 address of our own networks, else from one IPv6 /64, which is what one host has.
    pub client: Option<u32>,
    /// From one IPv4 /24; from one IPv6 /64 of our own networks, else from one IPv6 /48.
    pub prefix: Option<u32>,
}

/// What a client may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Serve,
    /// Not in the access list.
    Prohibited,
    /// Over its rate.
    TooMany,
}

/// See the module. Shared by all threads.
pub(crate) struct Gate {
    allow: Box<[IpNet]>,
    /// Of IPv6; a /64 is a VLAN there, not a host.
    own: Box<[Ipv6Net]>,
    client: Option<Rate>,
    prefix: Option<Rate>,
}

impl Gate {
    /// `allow` empty: everybody.
    pub(crate) fn new(allow: &[IpNet], own: &[Ipv6Net], rates: Rates, seeds: [u64; 2]) -> Self {
        let rate = |per_second: Option<u32>| per_second.map(|per_second| Rate::new(per_second, seeds));
        Self { allow: allow.into(), own: own.into(), client: rate(rates.client), prefix: rate(rates.prefix) }
    }

    pub(crate) fn admit(&self, now: Timestamp, address: IpAddr) -> Admission {
        let address = address.to_canonical();
        if !self.allow.is_empty() && !self.allow.iter().any(|network| network.contains(&address)) {
            return Admission::Prohibited;
        }
        let (client, prefix) = match address {
            IpAddr::V4(address) => {
                let bits = address.to_ipv6_mapped().to_bits();
                (bits, bits >> 8)
            }
            IpAddr::V6(address) => {
                let is_own =
                    address.is_unicast_link_local() || self.own.iter().any(|network| network.contains(&address));
                let bits = address.to_bits();
                if is_own { (bits, bits >> 64) } else { (bits >> 64, bits >> 80) }
            }
        };
        let is_served = self.client.as_ref().is_none_or(|rate| rate.take(now, client))
            && self.prefix.as_ref().is_none_or(|rate| rate.take(now, prefix));
        if is_served { Admission::Serve } else { Admission::TooMany }
    }
}

/// Generic cell rate algorithm (ITU-T I.371) over places: each holds the time, in nanoseconds, when its bucket is empty again.
struct Rate {
    places: [Box<[AtomicU64]>; 2],
    hashers: [FixedState; 2],
    cost_ns: u64,
}

impl Rate {
    fn new(per_second: u32, seeds: [u64; 2]) -> Self {
        let places = || (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self {
            places: [places(), places()],
            hashers: seeds.map(FixedState::with_seed),
            cost_ns: 1_000_000_000 / u64::from(per_second.max(1)),
        }
    }

    /// True when one more may be served; it is then counted in both places.
    ///
    /// Two threads at one place may count one for two: a rate is not a ledger, and nobody waits for anybody.
    fn take(&self, now: Timestamp, who: u128) -> bool {
        let now_ns = u64::try_from(now.as_nanos()).unwrap_or(0);
        let full_ns = now_ns.saturating_add(u64::try_from(BURST.as_nanos()).unwrap_or(u64::MAX));
        let at: [&AtomicU64; 2] =
            std::array::from_fn(|row| &self.places[row][self.hashers[row].hash_one(who) as usize % PLACES]);
        let empty_ns = at.map(|place| place.load(Ordering::Relaxed).max(now_ns) + self.cost_ns);
        if empty_ns.iter().all(|empty_ns| *empty_ns > full_ns) {
            return false;
        }
        for (place, empty_ns) in at.into_iter().zip(empty_ns) {
            // The other owner of a place that is full must not be charged beyond it.
            place.store(empty_ns.min(full_ns), Ordering::Relaxed);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(gate: &Gate, now: Timestamp, address: &str, count: u32) -> u32 {
        let address = address.parse().unwrap();
        (0..count).filter(|_| gate.admit(now, address) == Admission::Serve).count() as u32
    }

    #[test]
    fn only_who_is_listed_is_served() {
        let allow = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let gate = Gate::new(&allow, &[], Rates::default(), [1, 2]);
        let table = [
            ("10.1.2.3", Admission::Serve),
            ("::ffff:10.1.2.3", Admission::Serve),
            ("192.0.2.1", Admission::Prohibited),
            ("2001:db8::1", Admission::Serve),
            ("fd00::1", Admission::Prohibited),
        ];
        for (address, expected) in table {
            assert_eq!(gate.admit(Timestamp::from_secs(1), address.parse().unwrap()), expected, "{address}");
        }
        assert_eq!(
            served(&Gate::new(&[], &[], Rates::default(), [1, 2]), Timestamp::from_secs(1), "192.0.2.1", 9_999),
            9_999
        );
    }

    #[test]
    fn one_address_has_its_rate_and_a_second_of_burst() {
        let gate = Gate::new(&[], &[], Rates { client: Some(100), prefix: None }, [1, 2]);
        let start = Timestamp::from_secs(1_000);
        assert_eq!(served(&gate, start, "192.0.2.1", 1_000), 100);
        assert_eq!(served(&gate, start, "192.0.2.2", 50), 50, "a neighbour has its own");
        assert_eq!(served(&gate, start + Duration::from_millis(100), "192.0.2.1", 1_000), 10);
        assert_eq!(served(&gate, start + Duration::from_secs(60), "192.0.2.1", 1_000), 100, "no more than a burst");
        assert_eq!(served(&gate, start, "2001:db8::1", 1_000), 100);
        assert_eq!(served(&gate, start, "2001:db8::2", 1_000), 0, "a host has a /64");
        let own = ["2001:db8::/64".parse().unwrap()];
        let gate = Gate::new(&[], &own, Rates { client: Some(100), prefix: Some(250) }, [1, 2]);
        assert_eq!(served(&gate, start, "2001:db8::1", 1_000), 100);
        assert_eq!(served(&gate, start, "2001:db8::2", 1_000), 100, "a VLAN of ours is a /64");
        assert_eq!(served(&gate, start, "2001:db8::3", 1_000), 50, "and has the rate of a network");
        assert_eq!(served(&gate, start, "fe80::1", 100) + served(&gate, start, "fe80::2", 100), 200);
    }

    #[test]
    fn a_network_has_its_rate() {
        let gate = Gate::new(&[], &[], Rates { client: Some(100), prefix: Some(250) }, [1, 2]);
        let start = Timestamp::from_secs(1_000);
        let of = |host: u8| served(&gate, start, &format!("192.0.2.{host}"), 100);
        assert_eq!((of(1), of(2), of(3), of(4)), (100, 100, 50, 0));
        assert_eq!(served(&gate, start, "198.51.100.1", 100), 100);
    }

    /// A million addresses that nobody has, within a second: 99 of 100 real clients are still served in full.
    #[test]
    fn a_flood_of_addresses_does_not_use_up_those_of_others() {
        let gate = Gate::new(&[], &[], Rates { client: Some(100), prefix: None }, [1, 2]);
        let start = Timestamp::from_secs(1_000);
        for number in 0..1_000_000_u32 {
            let now = start + Duration::from_micros(u64::from(number));
            gate.admit(now, IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0b00_0000 + number)));
        }
        let after = start + Duration::from_secs(1);
        let full = (0..100).filter(|host| served(&gate, after, &format!("192.0.2.{host}"), 20) == 20).count();
        assert!(full >= 99, "{full} of 100");
    }
}
