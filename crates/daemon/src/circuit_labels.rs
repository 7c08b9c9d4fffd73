//! Circuits as labels of metrics (RFC 3046 sections 3.1 and 3.2): the busiest, by names that are no hardware address.

use std::{cmp::Reverse, collections::BTreeMap};

/// Circuits that are told one by one; the rest is summed up in one row.
pub(crate) const CIRCUITS_SHOWN_MAX: usize = 50;
/// Octets of an identifier that become a label; longer ones are not told.
const IDENTIFIER_BYTES_MAX: usize = 64;
/// Hexadecimal digits in a row, separators aside, that may be a hardware address.
const HARDWARE_DIGITS: usize = 12;
/// What stands for all that are not told one by one.
const OTHER: &str = "other";

/// What one circuit holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CircuitUse {
    /// Remote id, empty when it has none or is a hardware address.
    pub(crate) remote: String,
    /// Circuit id, `other` for the sum of the rest.
    pub(crate) circuit: String,
    pub(crate) leases: u64,
    pub(crate) offers: u64,
}

/// The circuits with the most leases, at most [`CIRCUITS_SHOWN_MAX`], and one row for the rest. `found`: remote id,
/// circuit id, leases, offers. Circuits of the same labels are one row. Linear, as the DHCP thread asks often.
pub(crate) fn busiest<'a>(found: impl Iterator<Item = (&'a [u8], &'a [u8], u32, u32)>) -> Vec<CircuitUse> {
    let mut found: Vec<_> = found.collect();
    if found.len() > CIRCUITS_SHOWN_MAX {
        found.select_nth_unstable_by_key(CIRCUITS_SHOWN_MAX, |&(remote, circuit, leases, offers)| {
            (Reverse((leases, offers)), remote, circuit)
        });
    }
    let mut named: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    let mut rest = (0, 0);
    for (index, (remote, circuit, leases, offers)) in found.into_iter().enumerate() {
        let circuit = if index < CIRCUITS_SHOWN_MAX { label(circuit) } else { None };
        let sum = match circuit {
            Some(circuit) => named.entry((label(remote).unwrap_or_default(), circuit)).or_default(),
            None => &mut rest,
        };
        *sum = (sum.0 + u64::from(leases), sum.1 + u64::from(offers));
    }
    let mut named: Vec<_> = named.into_iter().collect();
    named.sort_by_key(|&(_, held)| Reverse(held));
    if rest != (0, 0) {
        named.push(((String::new(), OTHER.to_owned()), rest));
    }
    let row = |((remote, circuit), (leases, offers))| CircuitUse { remote, circuit, leases, offers };
    named.into_iter().map(row).collect()
}

/// Text as it is, a few octets in hexadecimal; `None` for what may be somebody's hardware address or is no name.
fn label(identifier: &[u8]) -> Option<String> {
    if identifier.is_empty() || identifier.len() > IDENTIFIER_BYTES_MAX {
        return None;
    }
    if identifier.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ') {
        let text = String::from_utf8_lossy(identifier).into_owned();
        return (text != OTHER && !may_be_hardware(&text)).then_some(text);
    }
    // Most switches write type 0, length 4, VLAN, module and port.
    let is_port = identifier.len() == 6 && identifier.starts_with(&[0, 4]);
    (is_port || identifier.len() < 6).then(|| identifier.iter().map(|octet| format!("{octet:02x}")).collect())
}

/// A port for operators, whatever its switch calls it; `None` when the relay agent said nothing.
pub(crate) fn port_text(remote_id: &[u8], circuit_id: &[u8]) -> Option<String> {
    let text = |identifier: &[u8]| {
        let shown = identifier.get(..IDENTIFIER_BYTES_MAX).unwrap_or(identifier);
        match shown.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ') {
            true => String::from_utf8_lossy(shown).into_owned(),
            false => shown.iter().map(|octet| format!("{octet:02x}")).collect(),
        }
    };
    match (remote_id.is_empty(), circuit_id.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!("port `{}`", text(circuit_id))),
        (false, true) => Some(format!("switch `{}`", text(remote_id))),
        (false, false) => Some(format!("port `{}` of `{}`", text(circuit_id), text(remote_id))),
    }
}

fn may_be_hardware(text: &str) -> bool {
    let mut digits = 0;
    text.chars().any(|letter| {
        digits = match letter {
            ':' | '-' | '.' => digits,
            _ if letter.is_ascii_hexdigit() => digits + 1,
            _ => 0,
        };
        digits >= HARDWARE_DIGITS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_named() {
        let table: [(&[u8], &[u8], Option<&str>); 4] = [
            (b"", b"", None),
            (b"", b"Gi1/0/24", Some("port `Gi1/0/24`")),
            (&[0, 6, 2, 0, 0x5e, 0x10, 0, 1], &[0, 4, 0, 10, 1, 24], Some("port `0004000a0118` of `000602005e100001`")),
            (b"sw-1", b"", Some("switch `sw-1`")),
        ];
        for (remote_id, circuit_id, want) in table {
            assert_eq!(port_text(remote_id, circuit_id).as_deref(), want);
        }
        assert!(port_text(&[], &[b'x'; 255]).unwrap().len() < 80);
    }

    #[test]
    fn labels() {
        for (identifier, want) in [
            (&b"ge-0/0/1.0:hall"[..], Some("ge-0/0/1.0:hall")),
            (b"Gi1/0/24", Some("Gi1/0/24")),
            (&[0, 4, 0, 10, 1, 24], Some("0004000a0118")),
            (&[0x10, 1], Some("1001")),
            (b"", None),
            (b"other", None),
            (&[0, 0, 0x5e, 0, 0x53, 1], None),
            (&[0, 6, 0, 0, 0x5e, 0, 0x53, 1], None),
            (b"00:00:5e:00:53:01", None),
            (b"guest;0000.5E00.5301", None),
            (b"00-00-5e-00-53-01:ssid", None),
            (&[b'x'; 65], None),
            (b"port\n1 and more", None),
        ] {
            assert_eq!(label(identifier).as_deref(), want, "{identifier:02x?}");
        }
    }

    #[test]
    fn the_busiest_are_told_and_the_rest_is_summed_up() {
        let names: Vec<String> = (0..60).map(|number| format!("port {number:02}")).collect();
        let ports = names.iter().zip(1..).map(|(name, leases)| (&b"sw-1"[..], name.as_bytes(), leases, 1));
        let hidden =
            [(&b""[..], &b"0000.5e00.5301"[..], 1_000, 0), (b"", b"port 59", 5, 0), (b"sw-1", b"port 59", 7, 0)];
        let rows = busiest(ports.chain(hidden));
        let row = |remote: &str, circuit: &str, leases, offers| CircuitUse {
            remote: remote.to_owned(),
            circuit: circuit.to_owned(),
            leases,
            offers,
        };
        // The one without a name and those with 60 to 12 leases are the busiest.
        assert_eq!(rows.len(), CIRCUITS_SHOWN_MAX);
        assert_eq!(rows[0], row("sw-1", "port 59", 60, 1));
        assert_eq!(rows[CIRCUITS_SHOWN_MAX - 2], row("sw-1", "port 11", 12, 1));
        assert_eq!(rows[CIRCUITS_SHOWN_MAX - 1], row("", "other", 1_000 + 66 + 5 + 7, 11));
        let twice = [(&b"sw-1"[..], &b"a"[..], 1, 0), (b"sw-1", b"a", 2, 1)];
        assert_eq!(busiest(twice.into_iter()), [row("sw-1", "a", 3, 1)]);
        assert_eq!(busiest(std::iter::empty()), []);
    }
}
