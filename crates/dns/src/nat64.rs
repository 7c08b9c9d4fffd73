//! IPv6 addresses for hosts that have IPv4 only, for clients behind a translator (DNS64, RFC 6147).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use crate::{
    name::from_text,
    settings::{Nat64, SettingsError},
};

/// Prefix lengths that an IPv4 address can follow (RFC 6052 section 2.2).
const LENGTHS: [u8; 6] = [32, 40, 48, 56, 64, 96];
/// The well-known prefix, which must not hold addresses that are not global (RFC 6052 section 3.1).
const WELL_KNOWN: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
/// Translators of one plan; a view of the cache each.
const PREFIXES_MAX: usize = 60;
const NIBBLES: usize = 32;

/// A translator's prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Prefix(Ipv6Net);

impl Prefix {
    /// The address by which a client reaches `address`; `None` where this prefix may not hold it.
    pub(crate) fn embed(self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        if self.0.network() == WELL_KNOWN && !is_global(address) {
            return None;
        }
        let mut octets = self.0.network().octets();
        for (place, octet) in octet_places(self.0.prefix_len()).zip(address.octets()) {
            octets[place] = octet;
        }
        Some(octets.into())
    }

    /// The address that was embedded.
    fn extract(self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let octets = address.octets();
        let mut places = octet_places(self.0.prefix_len()).map(|place| octets[place]);
        self.0.contains(&address).then(|| Ipv4Addr::from(std::array::from_fn(|_| places.next().unwrap_or(0))))
    }
}

/// Where the four octets lie: behind the prefix, octet 8 left out.
fn octet_places(prefix_len: u8) -> impl Iterator<Item = usize> {
    (usize::from(prefix_len / 8)..16).filter(move |place| *place != 8 || prefix_len == 96).take(4)
}

/// Who gets such addresses.
#[derive(Default)]
pub(crate) struct Views {
    /// The most specific network first.
    clients: Box<[(IpNet, u8)]>,
    prefixes: Box<[Prefix]>,
}

impl Views {
    pub(crate) fn new(translators: &[Nat64]) -> Result<Self, SettingsError> {
        let mut prefixes: Vec<Prefix> = Vec::new();
        let mut clients = Vec::new();
        for translator in translators {
            let prefix = Prefix(translator.prefix.trunc());
            if !LENGTHS.contains(&prefix.0.prefix_len()) {
                return Err(SettingsError::BadNat64Prefix { prefix: translator.prefix });
            }
            let at = prefixes.iter().position(|known| *known == prefix).unwrap_or(prefixes.len());
            if at == prefixes.len() {
                prefixes.push(prefix);
            }
            if at >= PREFIXES_MAX {
                return Err(SettingsError::BadNat64Prefix { prefix: translator.prefix });
            }
            clients.push((translator.clients, at as u8));
        }
        clients.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix_len()));
        Ok(Self { clients: clients.into(), prefixes: prefixes.into() })
    }

    /// The number of the client's view, from 1; 0 for most clients.
    pub(crate) fn of(&self, client: IpAddr) -> u8 {
        if self.clients.is_empty() {
            return 0;
        }
        let client = client.to_canonical();
        self.clients.iter().find(|(network, _)| network.contains(&client)).map_or(0, |(_, at)| at + 1)
    }

    /// The prefix of a view.
    pub(crate) fn prefix(&self, view: u8) -> Option<Prefix> {
        self.prefixes.get(usize::from(view.checked_sub(1)?)).copied()
    }

    /// The IPv4 reverse name that the reverse name of an address behind a translator stands for (RFC 6147 section 5.3.1).
    /// `name` is folded.
    pub(crate) fn reverse(&self, name: &[u8]) -> Option<Box<[u8]>> {
        if self.prefixes.is_empty() {
            return None;
        }
        let address = address_of(name)?;
        let [a, b, c, d] = self.prefixes.iter().find_map(|prefix| prefix.extract(address))?.octets();
        from_text(&format!("{d}.{c}.{b}.{a}.in-addr.arpa"))
    }
}

/// The address whose full reverse name this is (RFC 3596 section 2.5).
fn address_of(name: &[u8]) -> Option<Ipv6Addr> {
    let nibbles = name.strip_suffix(b"\x03ip6\x04arpa\0")?;
    if nibbles.len() != 2 * NIBBLES {
        return None;
    }
    let mut number: u128 = 0;
    for (at, label) in nibbles.chunks(2).enumerate() {
        let &[1, digit] = label else { return None };
        number |= u128::from(char::from(digit).to_digit(16)?) << (4 * at);
    }
    Some(number.into())
}

/// Addresses that a translator of the well-known prefix can reach.
fn is_global(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_broadcast()
        || is_shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6052 section 2.4.
    #[test]
    fn addresses_are_embedded_and_found_again() {
        let table = [
            ("2001:db8::/32", "2001:db8:c000:221::"),
            ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
            ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::/96", "2001:db8:122:344::c000:221"),
        ];
        for (prefix, address) in table {
            let prefix = Prefix(prefix.parse().unwrap());
            let ipv4 = Ipv4Addr::new(192, 0, 2, 33);
            assert_eq!(prefix.embed(ipv4), Some(address.parse().unwrap()), "{prefix:?}");
            assert_eq!(prefix.extract(address.parse().unwrap()), Some(ipv4), "{prefix:?}");
            assert_eq!(prefix.extract("2001:db9::1".parse().unwrap()), None);
        }
        let well_known = Prefix("64:ff9b::/96".parse().unwrap());
        assert_eq!(well_known.embed(Ipv4Addr::new(10, 0, 0, 1)), None, "RFC 6052 section 3.1");
        assert_eq!(well_known.embed(Ipv4Addr::new(9, 9, 9, 9)), Some("64:ff9b::909:909".parse().unwrap()));
    }

    #[test]
    fn views_go_by_the_most_specific_network() {
        let view =
            |clients: &str, prefix: &str| Nat64 { clients: clients.parse().unwrap(), prefix: prefix.parse().unwrap() };
        let translators = [view("2001:db8::/32", "64:ff9b::/96"), view("2001:db8:1::/48", "2001:db8:ff::/96")];
        let views = Views::new(&translators).unwrap();
        for (client, expected) in [("2001:db8::1", 1), ("2001:db8:1::1", 2), ("192.0.2.1", 0)] {
            assert_eq!(views.of(client.parse().unwrap()), expected, "{client}");
        }
        assert!(views.prefix(0).is_none() && views.prefix(2).is_some() && views.prefix(3).is_none());
        let bad = view("2001:db8::/32", "64:ff9b::/95");
        assert!(Views::new(&[bad]).is_err());
        let name = "1.2.2.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa";
        let reverse = views.reverse(&from_text(name).unwrap());
        assert_eq!(reverse, from_text("33.2.0.192.in-addr.arpa"));
        assert_eq!(views.reverse(&from_text("b.9.f.f.4.6.0.0.ip6.arpa").unwrap()), None);
    }
}
