//! Templates of NetFlow version 9 (RFC 3954 section 5.2) and IPFIX (RFC 7011 section 3.4): where in a record the few
//! elements are that are counted. All others are passed over, whoever defined them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::Timestamp;

use crate::{
    octets::{Octets, number},
    record::FlowRecord,
};

/// Fields of one template.
pub(crate) const FIELDS_MAX: usize = 256;
/// The length of a field that each record states itself (RFC 7011 section 7).
const VARIABLE: u16 = 65_535;
/// Elements of the reverse direction (RFC 5103 section 6.1).
const REVERSE_ENTERPRISE: u32 = 29_305;
/// Longest record that fits into a datagram.
const RECORD_OCTETS_MAX: usize = 65_507;

/// Whose rules a template follows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Format {
    Netflow9,
    Ipfix,
}

/// Templates are told apart by this, for each exporter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct TemplateKey {
    pub(crate) format: Format,
    /// Source id (version 9) or observation domain.
    pub(crate) domain: u32,
    pub(crate) id: u16,
}

/// A field as the exporter announces it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldSpecifier {
    pub(crate) id: u16,
    /// Private enterprise number, if the element is not IANA's.
    pub(crate) enterprise: Option<u32>,
    pub(crate) octets: u16,
    /// A scope of version 9: its id is from another list.
    pub(crate) is_scope: bool,
}

/// An element that is counted or needed to count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Element {
    Bytes,
    Packets,
    BytesOut,
    PacketsOut,
    BytesTotal,
    PacketsTotal,
    ReverseBytes,
    ReversePackets,
    Protocol,
    SourcePort,
    DestinationPort,
    Source,
    Destination,
    Vlan,
    Sampler,
    SamplingInterval,
    PacketInterval,
    PacketSpace,
    SampleSize,
    SamplePopulation,
    SampleProbability,
}

impl Element {
    /// By the numbers of IANA's registry of IPFIX information elements, which go on where RFC 3954 section 8 ended.
    fn of(field: FieldSpecifier) -> Option<Self> {
        if field.is_scope {
            return None;
        }
        match field.enterprise {
            None => {}
            Some(REVERSE_ENTERPRISE) => {
                return match field.id {
                    1 => Some(Self::ReverseBytes),
                    2 => Some(Self::ReversePackets),
                    _ => None,
                };
            }
            Some(_) => return None,
        }
        Some(match field.id {
            1 | 231 => Self::Bytes,
            2 | 298 => Self::Packets,
            4 => Self::Protocol,
            7 => Self::SourcePort,
            8 | 27 => Self::Source,
            11 => Self::DestinationPort,
            12 | 28 => Self::Destination,
            23 => Self::BytesOut,
            24 => Self::PacketsOut,
            34 | 50 => Self::SamplingInterval,
            48 | 302 => Self::Sampler,
            58 | 243 => Self::Vlan,
            85 => Self::BytesTotal,
            86 => Self::PacketsTotal,
            232 => Self::ReverseBytes,
            299 => Self::ReversePackets,
            305 => Self::PacketInterval,
            306 => Self::PacketSpace,
            309 => Self::SampleSize,
            310 => Self::SamplePopulation,
            311 => Self::SampleProbability,
            _ => return None,
        })
    }

    /// The field can hold it: numbers may be shorter than their type (RFC 7011 section 6.2).
    fn fits(self, field: FieldSpecifier) -> bool {
        match self {
            Self::Source | Self::Destination => field.octets == if matches!(field.id, 8 | 12) { 4 } else { 16 },
            Self::SampleProbability => matches!(field.octets, 4 | 8),
            Self::Bytes
            | Self::Packets
            | Self::BytesOut
            | Self::PacketsOut
            | Self::BytesTotal
            | Self::PacketsTotal
            | Self::ReverseBytes
            | Self::ReversePackets
            | Self::Protocol
            | Self::SourcePort
            | Self::DestinationPort
            | Self::Vlan
            | Self::Sampler
            | Self::SamplingInterval
            | Self::PacketInterval
            | Self::PacketSpace
            | Self::SampleSize
            | Self::SamplePopulation => (1..=8).contains(&field.octets),
        }
    }
}

/// Where to find what in a record.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Layout {
    Fixed {
        octets: usize,
        wanted: Box<[(usize, usize, Element)]>,
    },
    /// At least one field has a length of its own in each record. Fields of no octets are left out.
    Varying {
        octets_min: usize,
        fields: Box<[(u16, Option<Element>)]>,
    },
}

/// A template as it was last told.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// Its records tell of the exporter, not of flows.
    pub(crate) is_options: bool,
    pub(crate) refreshed: Timestamp,
    layout: Layout,
}

impl Template {
    /// `None` when its records would be empty or longer than any datagram.
    pub(crate) fn new(fields: &[FieldSpecifier], is_options: bool, now: Timestamp) -> Option<Self> {
        let length = |field: &FieldSpecifier| if field.octets == VARIABLE { 1 } else { usize::from(field.octets) };
        let octets: usize = fields.iter().map(length).sum();
        if !(1..=RECORD_OCTETS_MAX).contains(&octets) || fields.len() > FIELDS_MAX {
            return None;
        }
        let element = |field: &FieldSpecifier| Element::of(*field).filter(|element| element.fits(*field));
        let layout = if fields.iter().any(|field| field.octets == VARIABLE) {
            let fields = fields.iter().filter(|field| field.octets > 0);
            Layout::Varying { octets_min: octets, fields: fields.map(|field| (field.octets, element(field))).collect() }
        } else {
            let mut offset = 0;
            let mut wanted = Vec::new();
            for field in fields {
                wanted.extend(element(field).map(|element| (offset, usize::from(field.octets), element)));
                offset += usize::from(field.octets);
            }
            Layout::Fixed { octets, wanted: wanted.into() }
        };
        Some(Self { is_options, refreshed: now, layout })
    }

    /// Its records are read as those of `other`.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.is_options == other.is_options && self.layout == other.layout
    }

    /// Octets of its shortest record.
    pub(crate) fn octets_min(&self) -> usize {
        match &self.layout {
            Layout::Fixed { octets, .. } => *octets,
            Layout::Varying { octets_min, .. } => *octets_min,
        }
    }

    /// The next record; `None` when it is longer than what is left.
    pub(crate) fn read(&self, rest: &mut Octets<'_>) -> Option<Values> {
        let mut values = Values::default();
        match &self.layout {
            Layout::Fixed { octets, wanted } => {
                let record = rest.take(*octets)?;
                for (offset, length, element) in wanted {
                    values.set(*element, record.get(*offset..offset + length)?);
                }
            }
            Layout::Varying { fields, .. } => {
                for (octets, element) in fields {
                    let length = match *octets {
                        VARIABLE => match rest.u8()? {
                            255 => usize::from(rest.u16()?),
                            short => usize::from(short),
                        },
                        fixed => usize::from(fixed),
                    };
                    let field = rest.take(length)?;
                    if let Some(element) = element {
                        values.set(*element, field);
                    }
                }
            }
        }
        Some(values)
    }
}

/// What a record says, as far as it matters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Values {
    record: FlowRecord,
    has_bytes: bool,
    has_packets: bool,
    bytes_total: u64,
    packets_total: u64,
    /// Which sampler looked, when told.
    pub(crate) sampler: Option<u64>,
    interval: u64,
    packet_interval: u64,
    packet_space: Option<u64>,
    sample_size: u64,
    sample_population: u64,
    probability: f64,
}

impl Values {
    fn set(&mut self, element: Element, octets: &[u8]) {
        let value = number(octets);
        let port = || u16::try_from(value).unwrap_or(0);
        match element {
            Element::Bytes => (self.record.bytes, self.has_bytes) = (value, true),
            Element::Packets => (self.record.packets, self.has_packets) = (value, true),
            // What left the exporter, or the sum over the flow's life: counted only where nothing else is told.
            Element::BytesOut | Element::BytesTotal => self.bytes_total = value,
            Element::PacketsOut | Element::PacketsTotal => self.packets_total = value,
            Element::ReverseBytes => self.record.reverse_bytes = value,
            Element::ReversePackets => self.record.reverse_packets = value,
            Element::Protocol => self.record.protocol = u8::try_from(value).unwrap_or(0),
            Element::SourcePort => self.record.source_port = port(),
            Element::DestinationPort => self.record.destination_port = port(),
            Element::Source => set_address(&mut self.record.source, octets),
            Element::Destination => set_address(&mut self.record.destination, octets),
            Element::Vlan => self.record.vlan = u16::try_from(value).ok().filter(|vlan| *vlan > 0),
            Element::Sampler => self.sampler = Some(value),
            Element::SamplingInterval => self.interval = value,
            Element::PacketInterval => self.packet_interval = value,
            Element::PacketSpace => self.packet_space = Some(value),
            Element::SampleSize => self.sample_size = value,
            Element::SamplePopulation => self.sample_population = value,
            Element::SampleProbability => {
                self.probability = match (<[u8; 4]>::try_from(octets), <[u8; 8]>::try_from(octets)) {
                    (Ok(short), _) => f64::from(f32::from_be_bytes(short)),
                    (_, Ok(long)) => f64::from_be_bytes(long),
                    (Err(_), Err(_)) => 0.0,
                };
            }
        }
    }

    /// One of how many packets is looked at, if the record says so (RFC 3954 section 8, RFC 5477 section 8.2).
    pub(crate) fn sampling(&self) -> Option<u32> {
        let rate = if self.interval > 0 {
            self.interval
        } else if self.packet_interval > 0 {
            // Some tell the rate as the interval, without a space.
            let of = |space: u64| self.packet_interval.saturating_add(space) / self.packet_interval;
            self.packet_space.map_or(self.packet_interval, of)
        } else if self.sample_size > 0 && self.sample_population > 0 {
            self.sample_population / self.sample_size
        } else if self.probability > 0.0 && self.probability <= 1.0 {
            // Saturates: a probability next to nothing is beyond any rate.
            (1.0 / self.probability).round() as u64
        } else {
            return None;
        };
        Some(u32::try_from(rate).unwrap_or(u32::MAX).max(1))
    }

    /// The flow that it tells of.
    pub(crate) fn record(&self, sampling: u32) -> FlowRecord {
        let mut record = FlowRecord { sampling: sampling.max(1), ..self.record };
        if !self.has_bytes {
            record.bytes = self.bytes_total;
        }
        if !self.has_packets {
            record.packets = self.packets_total;
        }
        record
    }
}

/// Some exporters tell both families in one record and leave one of them empty.
fn set_address(address: &mut Option<IpAddr>, octets: &[u8]) {
    let told = match (<[u8; 4]>::try_from(octets), <[u8; 16]>::try_from(octets)) {
        (Ok(v4), _) => IpAddr::V4(Ipv4Addr::from(v4)),
        (_, Ok(v6)) => IpAddr::V6(Ipv6Addr::from(v6)),
        (Err(_), Err(_)) => return,
    };
    if address.is_none_or(|known| known.is_unspecified()) {
        *address = Some(told);
    }
}
