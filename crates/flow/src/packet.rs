//! The beginning of a sampled packet: Ethernet, VLAN tags, IPv4 or IPv6, ports. It may be cut anywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{octets::Octets, record::FlowRecord};

const ETHERNET_OCTETS: u64 = 14;
const TAG_OCTETS: u64 = 4;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// IEEE 802.1Q and 802.1ad.
const TAGS: [u16; 2] = [0x8100, 0x88a8];
const TAGS_MAX: usize = 2;
const VLAN: u16 = 0x0fff;
const IPV6_HEADER_OCTETS: u64 = 40;
const FRAGMENT: u8 = 44;
/// Hop-by-hop options, routing, destination options: their second octet is their length (RFC 8200 section 4).
const EXTENSIONS: [u8; 3] = [0, 43, 60];
const EXTENSIONS_MAX: usize = 8;

/// A frame of `frame_octets` on the wire without its check sequence, of which `header` was sampled. What cannot be told stays
/// empty; the octets counted are those of IP, as NetFlow counts them.
pub(crate) fn ethernet(header: &[u8], frame_octets: u64) -> FlowRecord {
    let mut record = FlowRecord { packets: 1, sampling: 1, ..FlowRecord::default() };
    let mut octets = Octets(header);
    record.bytes = frame_octets.saturating_sub(ETHERNET_OCTETS);
    let Some(destination) = octets.array::<6>() else { return record };
    record.is_group = destination[0] & 1 == 1;
    let Some(mut kind) = octets.skip(6).and_then(|()| octets.u16()) else { return record };
    for _ in 0..TAGS_MAX {
        if !TAGS.contains(&kind) {
            break;
        }
        let Some((tag, inner)) = octets.u16().zip(octets.u16()) else { return record };
        record.vlan = Some(tag & VLAN).filter(|vlan| *vlan > 0);
        record.bytes = record.bytes.saturating_sub(TAG_OCTETS);
        kind = inner;
    }
    match kind {
        IPV4 => ipv4(octets, &mut record),
        IPV6 => ipv6(octets, &mut record),
        _ => None,
    };
    record
}

/// The same for a packet without a link layer; the version is its first four bits.
pub(crate) fn ip(header: &[u8], packet_octets: u64) -> FlowRecord {
    let mut record = FlowRecord { packets: 1, sampling: 1, bytes: packet_octets, ..FlowRecord::default() };
    match header.first().map(|first| first >> 4) {
        Some(4) => ipv4(Octets(header), &mut record),
        Some(6) => ipv6(Octets(header), &mut record),
        _ => None,
    };
    record
}

/// RFC 791 section 3.1.
fn ipv4(mut octets: Octets<'_>, record: &mut FlowRecord) -> Option<()> {
    let first = octets.u8()?;
    octets.skip(1)?;
    let total = octets.u16()?;
    octets.skip(2)?;
    let fragment = octets.u16()? & 0x1fff;
    octets.skip(1)?;
    let protocol = octets.u8()?;
    octets.skip(2)?;
    let (source, destination) = octets.array::<4>().zip(octets.array::<4>())?;
    let header_octets = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header_octets < 20 {
        return None;
    }
    set_length(record, u64::from(total));
    record.source = Some(IpAddr::V4(Ipv4Addr::from(source)));
    record.destination = Some(IpAddr::V4(Ipv4Addr::from(destination)));
    record.protocol = protocol;
    octets.skip(header_octets - 20)?;
    if fragment == 0 { ports(octets, record) } else { None }
}

/// RFC 8200 section 3.
fn ipv6(mut octets: Octets<'_>, record: &mut FlowRecord) -> Option<()> {
    let first = octets.u32()?;
    let payload = octets.u16()?;
    let mut next = octets.u8()?;
    octets.skip(1)?;
    let (source, destination) = octets.array::<16>().zip(octets.array::<16>())?;
    if first >> 28 != 6 {
        return None;
    }
    set_length(record, u64::from(payload) + IPV6_HEADER_OCTETS);
    record.source = Some(IpAddr::V6(Ipv6Addr::from(source)));
    record.destination = Some(IpAddr::V6(Ipv6Addr::from(destination)));
    record.protocol = next;
    for _ in 0..EXTENSIONS_MAX {
        if EXTENSIONS.contains(&next) {
            let (following, length) = octets.u8().zip(octets.u8())?;
            octets.skip(usize::from(length) * 8 + 6)?;
            next = following;
        } else if next == FRAGMENT {
            let following = octets.u8()?;
            octets.skip(1)?;
            let offset = octets.u16()? >> 3;
            octets.skip(4)?;
            record.protocol = following;
            if offset != 0 {
                return None;
            }
            next = following;
        } else {
            break;
        }
    }
    record.protocol = next;
    ports(octets, record)
}

/// The packet's own length, unless it is more than was on the wire: what is below the shortest frame is padding.
fn set_length(record: &mut FlowRecord, octets: u64) {
    if octets > 0 && octets <= record.bytes {
        record.bytes = octets;
    }
}

fn ports(mut octets: Octets<'_>, record: &mut FlowRecord) -> Option<()> {
    // TCP, UDP, SCTP.
    if matches!(record.protocol, 6 | 17 | 132) {
        (record.source_port, record.destination_port) = octets.u16().zip(octets.u16())?;
    }
    Some(())
}
