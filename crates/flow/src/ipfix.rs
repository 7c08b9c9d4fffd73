//! Messages of NetFlow version 9 (RFC 3954 section 5.1) and IPFIX (RFC 7011 section 3.1), one a datagram.

use crate::{
    ExporterTotals,
    data_set::{Malformed, Reader},
    exporter::Stream,
    octets::Octets,
    record::FlowRecord,
    template::Format,
};

/// Reads a message of version 9 behind its version.
pub(crate) fn netflow9(
    reader: &mut Reader<'_, impl FnMut(&FlowRecord)>,
    totals: &mut ExporterTotals,
    mut octets: Octets<'_>,
) -> Result<(), Malformed> {
    // The count of records is not looked at: many exporters count sets or something else.
    octets.skip(2 + 4 + 4).ok_or(Malformed)?;
    let (sequence, source_id) = octets.u32().zip(octets.u32()).ok_or(Malformed)?;
    reader.sets(Format::Netflow9, source_id, octets)?;
    // It counts datagrams.
    let stream = Stream::Templates(Format::Netflow9, source_id);
    totals.datagrams_lost += reader.state.sequence(stream).take(sequence, 1);
    Ok(())
}

/// Reads an IPFIX message behind its version; `length` is that of the whole datagram.
pub(crate) fn ipfix(
    reader: &mut Reader<'_, impl FnMut(&FlowRecord)>,
    totals: &mut ExporterTotals,
    mut octets: Octets<'_>,
    length: usize,
) -> Result<(), Malformed> {
    if octets.u16().map(usize::from) != Some(length) {
        return Err(Malformed);
    }
    octets.skip(4).ok_or(Malformed)?;
    let (sequence, domain) = octets.u32().zip(octets.u32()).ok_or(Malformed)?;
    let records = reader.sets(Format::Ipfix, domain, octets)?;
    // It counts data records; how many there are in sets without a template is not known.
    let expected = reader.state.sequence(Stream::Templates(Format::Ipfix, domain));
    totals.records_lost += expected.take(sequence, records.unwrap_or(0));
    if records.is_none() {
        expected.forget();
    }
    Ok(())
}
