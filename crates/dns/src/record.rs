//! One resource record of a message (RFC 1035 section 4.1.3), and its RDATA with compression undone.

use crate::{
    name::{NameBuf, read_name},
    wire::{rtype, u16_at, u32_at},
};

/// A record where it lies in its message; the owner is uncompressed, case as received.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) owner: NameBuf,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    /// As received: names inside may be compressed.
    pub(crate) rdata: &'a [u8],
    rdata_at: usize,
}

impl<'a> Record<'a> {
    /// The record at `at` and where the next one starts.
    pub(crate) fn read(message: &'a [u8], at: usize) -> Option<(Self, usize)> {
        let (owner, at) = read_name(message, at)?;
        let rdata_at = at + 10;
        let end = rdata_at + usize::from(u16_at(message, at + 8)?);
        let record = Self {
            owner,
            rtype: u16_at(message, at)?,
            class: u16_at(message, at + 2)?,
            ttl: u32_at(message, at + 4)?,
            rdata: message.get(rdata_at..end)?,
            rdata_at,
        };
        Some((record, end))
    }

    /// RDATA as [`Self::expanded_rdata`] gives it, where nothing in it can be compressed: for most records nothing is copied.
    pub(crate) fn plain_rdata(&self) -> Option<&'a [u8]> {
        let fixed = match layout(self.rtype) {
            [Field::Octets(count)] => Some(*count),
            [Field::Rest] => Some(self.rdata.len()),
            _ => None,
        };
        fixed.filter(|count| *count == self.rdata.len()).map(|_| self.rdata)
    }

    /// RDATA with every name written out, for the types in which names may be compressed (RFC 3597 section 4);
    /// a plain copy for all others. `None` when the RDATA does not have the shape of its type.
    pub(crate) fn expanded_rdata(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut expanded = Vec::with_capacity(self.rdata.len());
        let end = self.rdata_at + self.rdata.len();
        let mut at = self.rdata_at;
        for field in layout(self.rtype) {
            at = match field {
                Field::Octets(count) => copy(message, at, at + count, &mut expanded)?,
                Field::Text => copy(message, at, at + 1 + usize::from(*message.get(at)?), &mut expanded)?,
                Field::Name => {
                    let (name, next) = read_name(message, at)?;
                    expanded.extend_from_slice(name.as_slice());
                    next
                }
                Field::Rest => copy(message, at, end, &mut expanded)?,
            };
            if at > end {
                return None;
            }
        }
        (at == end).then_some(expanded)
    }
}

fn copy(message: &[u8], at: usize, end: usize, into: &mut Vec<u8>) -> Option<usize> {
    into.extend_from_slice(message.get(at..end)?);
    Some(end)
}

enum Field {
    Octets(usize),
    /// A length octet and as many octets.
    Text,
    Name,
    Rest,
}

fn layout(rtype: u16) -> &'static [Field] {
    use Field::{Name, Octets, Rest, Text};
    match rtype {
        rtype::A => &[Octets(4)],
        rtype::AAAA => &[Octets(16)],
        rtype::NS | rtype::MD | rtype::MF | rtype::CNAME | rtype::MB | rtype::MG | rtype::MR => &[Name],
        rtype::PTR | rtype::DNAME => &[Name],
        rtype::SOA => &[Name, Name, Octets(20)],
        rtype::MINFO | rtype::RP => &[Name, Name],
        rtype::MX | rtype::AFSDB | rtype::RT | rtype::KX => &[Octets(2), Name],
        rtype::PX => &[Octets(2), Name, Name],
        rtype::SRV => &[Octets(6), Name],
        rtype::NAPTR => &[Octets(4), Text, Text, Text, Name],
        rtype::SIG => &[Octets(18), Name, Rest],
        rtype::NXT => &[Name, Rest],
        _ => &[Rest],
    }
}
