//! LLDP neighbours (LLDP-MIB of IEEE 802.1AB-2005) from the tables of an agent, each at the port of ours that hears it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use model::Mac;

/// Neighbours of one agent beyond this are passed over.
pub const NEIGHBOURS_MAX: usize = 1_024;
/// Characters kept of a text that a device says.
const CHARACTERS_MAX: usize = 64;

/// `LldpChassisIdSubtype` `macAddress` and `networkAddress`.
const CHASSIS_MAC: u32 = 4;
const CHASSIS_ADDRESS: u32 = 5;
/// `LldpPortIdSubtype` `macAddress`, `interfaceName` and `local`.
const PORT_MAC: u32 = 3;
const PORT_INTERFACE_NAME: u32 = 5;
const PORT_LOCAL: u32 = 7;
/// `AddressFamilyNumbers` of IPv4 and IPv6.
const FAMILY_IPV4: u8 = 1;
const FAMILY_IPV6: u8 = 2;
/// Bits `bridge`, `wlanAccessPoint` and `router` of `LldpSystemCapabilitiesMap`; bit 0 is the highest.
const CAPABILITIES_GEAR: u8 = 0x20 | 0x10 | 0x08;

/// A row of `lldpRemTable`, with what `lldpRemManAddrTable` says of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RemoteRow {
    /// `lldpRemChassisIdSubtype`.
    pub chassis_subtype: u32,
    /// `lldpRemChassisId`: any octets.
    pub chassis: Vec<u8>,
    /// `lldpRemPortIdSubtype`.
    pub port_subtype: u32,
    /// `lldpRemPortId`: any octets.
    pub port: Vec<u8>,
    /// `lldpRemPortDesc`.
    pub port_description: Vec<u8>,
    /// `lldpRemSysName`.
    pub system_name: Vec<u8>,
    /// `lldpRemSysCapEnabled`.
    pub capabilities: Vec<u8>,
    /// Management addresses.
    pub addresses: Vec<IpAddr>,
}

/// A row of `lldpLocPortTable`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LocalPortRow {
    /// `lldpLocPortIdSubtype`.
    pub subtype: u32,
    /// `lldpLocPortId`: any octets.
    pub id: Vec<u8>,
    /// `lldpLocPortDesc`.
    pub description: Vec<u8>,
}

/// What an agent says of its neighbours, and what tells which port of its own is meant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LldpTables {
    /// By `lldpRemLocalPortNum` and `lldpRemIndex`.
    pub remote: BTreeMap<(u32, u32), RemoteRow>,
    /// By `lldpLocPortNum`.
    pub local: BTreeMap<u32, LocalPortRow>,
    /// `dot1dBasePortIfIndex`.
    pub base_ports: BTreeMap<u32, u32>,
    /// `ifName` by `ifIndex`.
    pub if_names: BTreeMap<u32, String>,
}

/// A device that a port hears by LLDP. Its texts are harmless to show.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Neighbour {
    /// `ifName` of our port; `LLDP port 7` when nothing tells which that is.
    pub port: String,
    /// What it calls itself, or empty.
    pub system_name: String,
    /// Its chassis, when that is told by a MAC address.
    pub mac: Option<Mac>,
    /// What its port may be called: identifier and description, as far as they are text.
    pub remote_ports: Vec<String>,
    /// Its management addresses.
    pub addresses: Vec<IpAddr>,
    /// It says that it bridges, routes or is an access point.
    pub is_gear: bool,
}

impl LldpTables {
    /// Neighbours by our ports' numbers.
    pub fn neighbours(&self) -> Vec<Neighbour> {
        let rows = self.remote.iter().take(NEIGHBOURS_MAX);
        rows.map(|((port, _), row)| neighbour(self.port_name(*port), row)).collect()
    }

    /// `lldpRemLocalPortNum` is the number of a bridge port on bridges and an `ifIndex` elsewhere; vendors differ. The
    /// identifier of the port decides where it is the name of an interface; what else is text and names an interface
    /// comes next, then the numbers.
    fn port_name(&self, number: u32) -> String {
        let row = self.local.get(&number);
        let named = |octets: &[u8]| {
            let text = device_text(octets);
            self.if_names.values().find(|name| !text.is_empty() && name.eq_ignore_ascii_case(&text))
        };
        let by_id = row.filter(|row| matches!(row.subtype, PORT_INTERFACE_NAME | PORT_LOCAL));
        let by_id = by_id.and_then(|row| named(&row.id));
        // Some write the `ifIndex` there; one that only repeats the number says nothing.
        let by_number = || {
            let row = row.filter(|row| row.subtype == PORT_LOCAL)?;
            let index = device_text(&row.id).parse::<u32>().ok().filter(|index| *index != number)?;
            self.if_names.get(&index)
        };
        let by_description = || named(&row?.description);
        let by_base_port = || self.if_names.get(self.base_ports.get(&number)?);
        let found = by_id.or_else(by_number).or_else(by_description).or_else(by_base_port);
        // A bridge that lists its ports has no port of a number that it does not list.
        let by_index = || self.if_names.get(&number).filter(|_| self.base_ports.is_empty());
        found.or_else(by_index).cloned().unwrap_or_else(|| format!("LLDP port {number}"))
    }
}

fn neighbour(port: String, row: &RemoteRow) -> Neighbour {
    let mut addresses = row.addresses.clone();
    if row.chassis_subtype == CHASSIS_ADDRESS {
        addresses.extend(network_address(&row.chassis));
    }
    let mut remote_ports = Vec::new();
    // A MAC address is no name; it might look like one.
    if row.port_subtype != PORT_MAC {
        remote_ports.push(device_text(&row.port));
    }
    remote_ports.push(device_text(&row.port_description));
    remote_ports.retain(|name| !name.is_empty());
    Neighbour {
        port,
        system_name: device_text(&row.system_name),
        mac: mac(&row.chassis).filter(|_| row.chassis_subtype == CHASSIS_MAC),
        remote_ports,
        addresses,
        is_gear: row.capabilities.first().is_some_and(|bits| bits & CAPABILITIES_GEAR != 0),
    }
}

/// Octets of a MAC address; others are none.
fn mac(octets: &[u8]) -> Option<Mac> {
    octets.try_into().ok().map(Mac)
}

/// An address with its IANA family number in front (`LldpChassisId`, RFC 3232).
fn network_address(octets: &[u8]) -> Option<IpAddr> {
    let (family, address) = octets.split_first()?;
    match *family {
        FAMILY_IPV4 => <[u8; 4]>::try_from(address).ok().map(|octets| Ipv4Addr::from(octets).into()),
        FAMILY_IPV6 => <[u8; 16]>::try_from(address).ok().map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

/// What a device says, for people: what is no text is replaced; what would move the cursor, turn the direction of
/// writing or show nothing is left out; at most 64 characters.
pub fn device_text(octets: &[u8]) -> String {
    // A character is at most four octets.
    let octets = octets.get(..CHARACTERS_MAX * 4).unwrap_or(octets);
    let text = String::from_utf8_lossy(octets);
    let is_shown = |character: &char| {
        let is_direction =
            matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
        !character.is_control() && !is_direction && *character != '\u{feff}'
    };
    text.chars().filter(is_shown).take(CHARACTERS_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(local: Option<(u32, &[u8], &[u8])>, base_ports: &[(u32, u32)]) -> LldpTables {
        let row = |(subtype, id, description): (u32, &[u8], &[u8])| LocalPortRow {
            subtype,
            id: id.to_vec(),
            description: description.to_vec(),
        };
        LldpTables {
            remote: [((7, 1), RemoteRow::default())].into(),
            local: local.map(|local| (7, row(local))).into_iter().collect(),
            base_ports: base_ports.iter().copied().collect(),
            if_names: [(7, "Vlan7"), (10_107, "Gi1/0/7"), (512, "ge-0/0/7.0")].map(|(i, n)| (i, n.to_owned())).into(),
        }
    }

    #[test]
    fn which_port_hears_depends_on_the_vendor() {
        for (local, base_ports, expected) in [
            // The name of the interface decides.
            (Some((PORT_INTERFACE_NAME, &b"gi1/0/7"[..], &b""[..])), &[(7, 7)][..], "Gi1/0/7"),
            // A local identifier that is a name, the `ifIndex`, or only the number again.
            (Some((PORT_LOCAL, b"Gi1/0/7", b"")), &[], "Gi1/0/7"),
            (Some((PORT_LOCAL, b"512", b"")), &[], "ge-0/0/7.0"),
            (Some((PORT_LOCAL, b"7", b"Gi1/0/7")), &[], "Gi1/0/7"),
            (Some((PORT_LOCAL, b"7", b"")), &[(7, 10_107)], "Gi1/0/7"),
            // A MAC address as identifier says nothing.
            (Some((PORT_MAC, b"\x02\0\x5e\0\x53\x07", b"")), &[(7, 10_107)], "Gi1/0/7"),
            // No table of local ports: the number of a bridge port, else the `ifIndex`.
            (None, &[(7, 10_107)], "Gi1/0/7"),
            (None, &[], "Vlan7"),
            (None, &[(1, 10_101)], "LLDP port 7"),
            (None, &[(7, 99)], "LLDP port 7"),
        ] {
            let found = tables(local, base_ports).neighbours();
            assert_eq!(found[0].port, expected, "{local:?} {base_ports:?}");
        }
    }

    #[test]
    fn identifiers_of_any_octets_are_harmless() {
        let row = RemoteRow {
            chassis_subtype: CHASSIS_MAC,
            chassis: vec![2, 0, 0x5e, 0, 0x53, 1],
            port_subtype: PORT_MAC,
            port: b"Gi1/0/".to_vec(),
            port_description: b"<b>\x1b[2J\xff\xfe\0".to_vec(),
            system_name: "ap\u{202e}-1\u{200b}".as_bytes().to_vec(),
            capabilities: vec![0x20],
            addresses: Vec::new(),
        };
        let found = neighbour("1".to_owned(), &row);
        assert_eq!(found.mac, Some(Mac([2, 0, 0x5e, 0, 0x53, 1])));
        assert_eq!(found.remote_ports, ["<b>[2J\u{fffd}\u{fffd}"]);
        assert_eq!((found.system_name.as_str(), found.is_gear), ("ap-1", true));
        let of = |chassis_subtype, chassis: &[u8]| {
            let row = RemoteRow { chassis_subtype, chassis: chassis.to_vec(), ..RemoteRow::default() };
            let found = neighbour(String::new(), &row);
            (found.mac, found.addresses)
        };
        assert_eq!(of(CHASSIS_MAC, b"12345"), (None, Vec::new()));
        assert_eq!(of(7, b"123456"), (None, Vec::new()), "six octets of another kind are no MAC address");
        assert_eq!(of(CHASSIS_ADDRESS, &[1, 192, 0, 2, 7]), (None, vec![[192, 0, 2, 7].into()]));
        assert_eq!(of(CHASSIS_ADDRESS, &[1, 192, 0, 2]), (None, Vec::new()));
        assert_eq!(of(CHASSIS_ADDRESS, &[]), (None, Vec::new()));
        assert_eq!(device_text(&[b'x'; 9_000]).len(), CHARACTERS_MAX);
        assert_eq!(device_text(&[0xff; 9_000]).chars().count(), CHARACTERS_MAX);
    }

    #[test]
    fn neighbours_are_bounded() {
        let remote = (0..5_000).map(|index| ((1, index), RemoteRow::default())).collect();
        assert_eq!(LldpTables { remote, ..LldpTables::default() }.neighbours().len(), NEIGHBOURS_MAX);
    }
}
