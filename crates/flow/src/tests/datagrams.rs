//! Encoders of what exporters send, written from the same documents as the readers but apart from them.

/// A flow of version 5 from `source` to `destination`: addresses, ports, protocol, octets, packets.
pub(super) struct Flow5(pub [u8; 4], pub [u8; 4], pub u16, pub u16, pub u8, pub u32, pub u32);

pub(super) fn netflow5(sequence: u32, sampling: u16, flows: &[Flow5]) -> Vec<u8> {
    let mut out = [&5_u16.to_be_bytes()[..], &(flows.len() as u16).to_be_bytes()].concat();
    out.extend([0; 12]);
    out.extend(sequence.to_be_bytes());
    out.extend([0, 7]);
    out.extend(sampling.to_be_bytes());
    for Flow5(source, destination, from, to, protocol, bytes, packets) in flows {
        out.extend(source);
        out.extend(destination);
        out.extend([192, 0, 2, 99, 0, 1, 0, 2]);
        out.extend(packets.to_be_bytes());
        out.extend(bytes.to_be_bytes());
        out.extend([0; 8]);
        out.extend(from.to_be_bytes());
        out.extend(to.to_be_bytes());
        out.extend([0, 0x10, *protocol, 0]);
        out.extend([0; 8]);
    }
    out
}

/// A message of version 9.
pub(super) fn netflow9(sequence: u32, source_id: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = [&9_u16.to_be_bytes()[..], &(sets.len() as u16).to_be_bytes(), &[0; 8]].concat();
    out.extend(sequence.to_be_bytes());
    out.extend(source_id.to_be_bytes());
    out.extend(sets.concat());
    out
}

/// An IPFIX message.
pub(super) fn ipfix(sequence: u32, domain: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let mut out = [&10_u16.to_be_bytes()[..], &((16 + sets.len()) as u16).to_be_bytes(), &[0; 4]].concat();
    out.extend(sequence.to_be_bytes());
    out.extend(domain.to_be_bytes());
    out.extend(sets);
    out
}

/// A set; filled up to four octets.
pub(super) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    while !body.len().is_multiple_of(4) {
        body.push(0);
    }
    [&id.to_be_bytes()[..], &((body.len() + 4) as u16).to_be_bytes(), &body].concat()
}

/// Numbers of two octets, one after the other: templates.
pub(super) fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// IPv4 addresses, ports, protocol, octets and packets of four octets each.
pub(super) const USUAL_FIELDS: [u16; 14] = [8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 4, 2, 4];

/// A template of the usual fields, as version 9 and IPFIX write it.
pub(super) fn usual_template(id: u16) -> Vec<u8> {
    words(&[&[id, 7][..], &USUAL_FIELDS].concat())
}

/// A record of it.
pub(super) fn usual(source: [u8; 4], destination: [u8; 4], ports: [u16; 2], protocol: u8, counts: [u32; 2]) -> Vec<u8> {
    [
        &source[..],
        &destination,
        &ports[0].to_be_bytes(),
        &ports[1].to_be_bytes(),
        &[protocol],
        &counts[0].to_be_bytes(),
        &counts[1].to_be_bytes(),
    ]
    .concat()
}

/// A datagram of sFlow of `samples`, each a kind and its octets.
pub(super) fn sflow(sequence: u32, samples: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = longs(&[5, 1, 0xc000_0201, 0, sequence, 1_000, samples.len() as u32]);
    samples.iter().for_each(|(kind, octets)| out.extend(item(*kind, octets)));
    out
}

/// Numbers of four octets.
pub(super) fn longs(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A kind, a length and octets.
pub(super) fn item(kind: u32, octets: &[u8]) -> Vec<u8> {
    let mut out = longs(&[kind, octets.len() as u32]);
    out.extend(octets);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// A flow sample at one of `rate`.
pub(super) fn flow_sample(rate: u32, records: &[Vec<u8>]) -> Vec<u8> {
    [longs(&[9, 3, rate, 100_000, 0, 3, 4, records.len() as u32]), records.concat()].concat()
}

/// The beginning of a frame of `frame` octets, check sequence included.
pub(super) fn raw_header(frame: u32, header: &[u8]) -> Vec<u8> {
    let mut body = longs(&[1, frame, 4, header.len() as u32]);
    body.extend(header);
    body.resize(body.len().next_multiple_of(4), 0);
    item(1, &body)
}

/// Ethernet with tags, up to the type of what is in it.
pub(super) fn ethernet(destination: [u8; 6], tags: &[u16], kind: u16) -> Vec<u8> {
    let mut out = [&destination[..], &[2, 0, 0, 0, 0, 9]].concat();
    for tag in tags {
        out.extend(words(&[0x8100, *tag]));
    }
    out.extend(kind.to_be_bytes());
    out
}

/// IPv4 with the first octets of TCP or UDP.
pub(super) fn ipv4(source: [u8; 4], destination: [u8; 4], protocol: u8, ports: [u16; 2], total: u16) -> Vec<u8> {
    let mut out = [&[0x45, 0][..], &total.to_be_bytes(), &[0, 1, 0, 0, 64, protocol, 0, 0]].concat();
    out.extend(source);
    out.extend(destination);
    out.extend(words(&ports));
    out.extend([0; 8]);
    out
}
