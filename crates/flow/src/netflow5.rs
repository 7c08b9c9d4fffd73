//! NetFlow version 5: a header of 24 octets, then records of 48 (Cisco, NetFlow Export Datagram Format).

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    ExporterTotals,
    data_set::{Malformed, Reader},
    exporter::Stream,
    octets::Octets,
    record::FlowRecord,
};

const RECORD_OCTETS: usize = 48;
/// More do not fit into the datagram that Cisco defined.
const RECORDS_MAX: u16 = 30;
/// Sampling: two bits of mode, then the interval.
const INTERVAL: u16 = 0x3fff;

/// Reads a datagram behind its version.
pub(crate) fn netflow5(
    reader: &mut Reader<'_, impl FnMut(&FlowRecord)>,
    totals: &mut ExporterTotals,
    mut octets: Octets<'_>,
) -> Result<(), Malformed> {
    let count = octets.u16().filter(|count| (1..=RECORDS_MAX).contains(count)).ok_or(Malformed)?;
    octets.skip(4 + 4 + 4).ok_or(Malformed)?;
    let (sequence, engine) = octets.u32().zip(octets.u16()).ok_or(Malformed)?;
    let sampling = octets.u16().ok_or(Malformed)? & INTERVAL;
    if octets.len() != usize::from(count) * RECORD_OCTETS {
        return Err(Malformed);
    }
    while !octets.is_empty() {
        let record = record(&mut octets, u32::from(sampling.max(1))).ok_or(Malformed)?;
        (reader.each)(&record);
    }
    // It counts flows.
    totals.records_lost += reader.state.sequence(Stream::Netflow5(engine)).take(sequence, u32::from(count));
    Ok(())
}

fn record(octets: &mut Octets<'_>, sampling: u32) -> Option<FlowRecord> {
    let source = IpAddr::V4(Ipv4Addr::from(octets.array::<4>()?));
    let destination = IpAddr::V4(Ipv4Addr::from(octets.array::<4>()?));
    // Next hop, interfaces.
    octets.skip(4 + 2 + 2)?;
    let (packets, bytes) = (octets.u32()?, octets.u32()?);
    // First and last packet.
    octets.skip(4 + 4)?;
    let (source_port, destination_port) = (octets.u16()?, octets.u16()?);
    // Padding, TCP flags.
    octets.skip(2)?;
    let protocol = octets.u8()?;
    // Type of service, AS numbers, masks, padding.
    octets.skip(1 + 2 + 2 + 1 + 1 + 2)?;
    Some(FlowRecord {
        source: Some(source),
        destination: Some(destination),
        protocol,
        source_port,
        destination_port,
        bytes: u64::from(bytes),
        packets: u64::from(packets),
        sampling,
        ..FlowRecord::default()
    })
}
