//! Names of addresses under in-addr.arpa (RFC 1035 section 3.5) and ip6.arpa (RFC 3596 section 2.5).

use std::{collections::BTreeSet, net::Ipv4Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// `4.3.2.1.in-addr.arpa` for 1.2.3.4.
pub(crate) fn name(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

/// The zones that cover `prefixes` and no more than needed: a prefix that does not end on an octet becomes several
/// zones of the next octet; one longer than /24 its whole /24. A zone inside another is left out.
pub(crate) fn zones(prefixes: impl Iterator<Item = Ipv4Net>) -> Vec<String> {
    let mut blocks = BTreeSet::new();
    for prefix in prefixes {
        let length = prefix.prefix_len().div_ceil(8).clamp(1, 3) * 8;
        let first = Ipv4Net::new(prefix.network(), length).map_or(prefix, |block| block.trunc());
        if length <= prefix.prefix_len() {
            blocks.insert(first);
        } else {
            blocks.extend(prefix.subnets(length).into_iter().flatten());
        }
    }
    let covered = |block: &Ipv4Net| blocks.iter().any(|other| other != block && other.contains(block));
    blocks.iter().filter(|block| !covered(block)).map(origin).collect()
}

/// The same for IPv6, where labels are hexadecimal digits: up to eight zones for a prefix that ends within one.
pub(crate) fn zones_v6(prefixes: impl Iterator<Item = Ipv6Net>) -> Vec<String> {
    let mut blocks = BTreeSet::new();
    for prefix in prefixes {
        let length = prefix.prefix_len().div_ceil(4).clamp(1, 31) * 4;
        if length <= prefix.prefix_len() {
            blocks.insert(Ipv6Net::new(prefix.network(), length).map_or(prefix, |block| block.trunc()));
        } else {
            blocks.extend(prefix.subnets(length).into_iter().flatten());
        }
    }
    let covered = |block: &Ipv6Net| blocks.iter().any(|other| other != block && other.contains(block));
    blocks.iter().filter(|block| !covered(block)).map(origin_v6).collect()
}

fn origin_v6(block: &Ipv6Net) -> String {
    let digits = format!("{:032x}", block.network().to_bits());
    let count = usize::from(block.prefix_len() / 4);
    let digits = digits.chars().take(count).collect::<Vec<_>>();
    let labels: Vec<String> = digits.iter().rev().map(ToString::to_string).collect();
    format!("{}.ip6.arpa", labels.join("."))
}

fn origin(block: &Ipv4Net) -> String {
    let octets = block.network().octets();
    let count = usize::from(block.prefix_len() / 8);
    let labels: Vec<String> = octets.iter().take(count).rev().map(ToString::to_string).collect();
    format!("{}.in-addr.arpa", labels.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_cover_prefixes_of_any_length() {
        let table: [(&[&str], &[&str]); 6] = [
            (&["10.0.0.0/8"], &["10.in-addr.arpa"]),
            (&["10.10.0.0/24"], &["0.10.10.in-addr.arpa"]),
            (&["192.0.2.128/25"], &["2.0.192.in-addr.arpa"]),
            (&["10.10.0.0/23"], &["0.10.10.in-addr.arpa", "1.10.10.in-addr.arpa"]),
            (&["10.11.0.0/16", "10.11.3.0/24"], &["11.10.in-addr.arpa"]),
            (&[], &[]),
        ];
        for (prefixes, want) in table {
            assert_eq!(zones(prefixes.iter().map(|text| text.parse().unwrap())), want, "{prefixes:?}");
        }
        assert_eq!(zones(["10.11.0.0/20".parse().unwrap()].into_iter()).len(), 16);
    }

    #[test]
    fn zones_cover_ipv6_prefixes_of_any_length() {
        let table: [(&[&str], &[&str]); 5] = [
            (&["2001:db8:77::/64"], &["0.0.0.0.7.7.0.0.8.b.d.0.1.0.0.2.ip6.arpa"]),
            (&["2001:db8::/32", "2001:db8:1::/48"], &["8.b.d.0.1.0.0.2.ip6.arpa"]),
            (&["2001:db8::/31"], &["8.b.d.0.1.0.0.2.ip6.arpa", "9.b.d.0.1.0.0.2.ip6.arpa"]),
            (&["fd00::/8"], &["d.f.ip6.arpa"]),
            (&[], &[]),
        ];
        for (prefixes, want) in table {
            assert_eq!(zones_v6(prefixes.iter().map(|text| text.parse().unwrap())), want, "{prefixes:?}");
        }
        let longest = zones_v6(["2001:db8::1/128".parse().unwrap()].into_iter());
        assert_eq!(longest.iter().map(|zone| zone.split('.').count()).collect::<Vec<_>>(), [31 + 2]);
    }
}
