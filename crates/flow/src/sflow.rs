//! sFlow version 5 (sflow.org, "sFlow Version 5", 2004): flow samples are read, counter samples passed over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    ExporterTotals,
    data_set::{Malformed, Reader},
    exporter::Stream,
    octets::Octets,
    packet,
    record::FlowRecord,
};

/// Kinds of samples (section 5.3); the enterprise in the upper 20 bits is 0, sFlow's own.
const FLOW_SAMPLE: u32 = 1;
const EXPANDED_FLOW_SAMPLE: u32 = 3;
/// Kinds of records in a flow sample.
const RAW_HEADER: u32 = 1;
const SAMPLED_IPV4: u32 = 3;
const SAMPLED_IPV6: u32 = 4;
const EXTENDED_SWITCH: u32 = 1_001;
/// Protocols of a raw header.
const ETHERNET: u32 = 1;
const HEADER_IPV4: u32 = 11;
const HEADER_IPV6: u32 = 12;

/// Reads a datagram behind its version.
pub(crate) fn sflow(
    reader: &mut Reader<'_, impl FnMut(&FlowRecord)>,
    totals: &mut ExporterTotals,
    mut octets: Octets<'_>,
) -> Result<(), Malformed> {
    let agent_octets = match octets.u32() {
        Some(1) => 4,
        Some(2) => 16,
        _ => return Err(Malformed),
    };
    octets.skip(agent_octets).ok_or(Malformed)?;
    let (sub_agent, sequence) = octets.u32().zip(octets.u32()).ok_or(Malformed)?;
    octets.skip(4).ok_or(Malformed)?;
    let samples = octets.u32().ok_or(Malformed)?;
    // Lengths that do not add up make the whole datagram untrustworthy, so they are looked at first.
    each_item(octets, samples, |_, _| Ok(()))?;
    each_item(octets, samples, |kind, sample| match kind {
        FLOW_SAMPLE | EXPANDED_FLOW_SAMPLE => flow_sample(reader, sample, kind == EXPANDED_FLOW_SAMPLE),
        _ => Ok(()),
    })?;
    totals.datagrams_lost += reader.state.sequence(Stream::Sflow(sub_agent)).take(sequence, 1);
    Ok(())
}

fn flow_sample(
    reader: &mut Reader<'_, impl FnMut(&FlowRecord)>,
    mut sample: Octets<'_>,
    is_expanded: bool,
) -> Result<(), Malformed> {
    // Sequence number, source (in the expanded form class and index).
    sample.skip(if is_expanded { 12 } else { 8 }).ok_or(Malformed)?;
    let sampling = sample.u32().ok_or(Malformed)?.max(1);
    // Pool, drops, interfaces in and out.
    sample.skip(4 + 4 + if is_expanded { 16 } else { 8 }).ok_or(Malformed)?;
    let records = sample.u32().ok_or(Malformed)?;
    let (mut found, mut vlan): (Option<FlowRecord>, _) = (None, None);
    each_item(sample, records, |kind, record| {
        match kind {
            RAW_HEADER => found = Some(raw_header(record).ok_or(Malformed)?),
            // Only where there is no header to look at.
            SAMPLED_IPV4 => found = found.or(Some(sampled_ip::<4>(record).ok_or(Malformed)?)),
            SAMPLED_IPV6 => found = found.or(Some(sampled_ip::<16>(record).ok_or(Malformed)?)),
            EXTENDED_SWITCH => {
                vlan = { record }.u32().and_then(|vlan| u16::try_from(vlan).ok()).filter(|vlan| *vlan > 0)
            }
            _ => {}
        }
        Ok(())
    })?;
    if let Some(mut record) = found {
        record.vlan = record.vlan.or(vlan);
        record.sampling = sampling;
        (reader.each)(&record);
    }
    Ok(())
}

fn raw_header(mut record: Octets<'_>) -> Option<FlowRecord> {
    let (protocol, frame_octets) = record.u32().zip(record.u32())?;
    let stripped = u64::from(record.u32()?);
    let header = opaque(&mut record)?;
    let frame_octets = u64::from(frame_octets);
    Some(match protocol {
        // What was stripped is the check sequence at the end, or tags that are not in the header either.
        ETHERNET => packet::ethernet(header, frame_octets.saturating_sub(stripped)),
        HEADER_IPV4 | HEADER_IPV6 => packet::ip(header, frame_octets),
        _ => FlowRecord { packets: 1, bytes: frame_octets, ..FlowRecord::default() },
    })
}

/// Length, protocol, addresses, ports; flags and priority follow.
fn sampled_ip<const N: usize>(mut record: Octets<'_>) -> Option<FlowRecord> {
    let (bytes, protocol) = record.u32().zip(record.u32())?;
    let (source, destination) = record.array::<N>().zip(record.array::<N>())?;
    let (source_port, destination_port) = record.u32().zip(record.u32())?;
    let address = |octets: &[u8]| match (<[u8; 4]>::try_from(octets), <[u8; 16]>::try_from(octets)) {
        (Ok(v4), _) => Some(IpAddr::V4(Ipv4Addr::from(v4))),
        (_, Ok(v6)) => Some(IpAddr::V6(Ipv6Addr::from(v6))),
        (Err(_), Err(_)) => None,
    };
    Some(FlowRecord {
        source: address(&source),
        destination: address(&destination),
        protocol: u8::try_from(protocol).unwrap_or(0),
        source_port: u16::try_from(source_port).unwrap_or(0),
        destination_port: u16::try_from(destination_port).unwrap_or(0),
        bytes: u64::from(bytes),
        packets: 1,
        ..FlowRecord::default()
    })
}

/// Octets with their length before them, filled up to four (RFC 4506 section 4.10).
fn opaque<'a>(octets: &mut Octets<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(octets.u32()?).ok()?;
    let data = octets.take(length)?;
    octets.skip(length.next_multiple_of(4) - length)?;
    Some(data)
}

/// Goes through `count` items of a kind and a length each; nothing may be left over.
fn each_item<'a>(
    mut octets: Octets<'a>,
    count: u32,
    mut each: impl FnMut(u32, Octets<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    for _ in 0..count {
        let kind = octets.u32().ok_or(Malformed)?;
        each(kind, Octets(opaque(&mut octets).ok_or(Malformed)?))?;
    }
    if octets.is_empty() { Ok(()) } else { Err(Malformed) }
}
