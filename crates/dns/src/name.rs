//! Domain names in wire form: reading with every limit of RFC 1035, folding case, walking towards the root.
//!
//! "Folded" means ASCII lower case (RFC 4343). Length octets are at most 63, below `A`, so folding a whole wire
//! name octet by octet never touches them.

use std::str::FromStr;

use domain::base::Name as DomainName;

use crate::wire::{HEADER_LEN, NAME_LEN_MAX};

/// A name in uncompressed wire form on the stack, at most 255 octets with the root label.
#[derive(Clone, Copy)]
pub(crate) struct NameBuf {
    bytes: [u8; NAME_LEN_MAX],
    len: u8,
}

impl NameBuf {
    /// The wire form, root label included.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// A folded copy of `name`; `None` when it is longer than a name may be.
    pub(crate) fn folded(name: &[u8]) -> Option<Self> {
        let mut copy = Self { bytes: [0; NAME_LEN_MAX], len: 0 };
        copy.push(name)?;
        copy.bytes.make_ascii_lowercase();
        Some(copy)
    }

    fn push(&mut self, octets: &[u8]) -> Option<()> {
        let start = usize::from(self.len);
        let end = start + octets.len();
        self.bytes.get_mut(start..end)?.copy_from_slice(octets);
        self.len = u8::try_from(end).ok()?;
        Some(())
    }
}

/// Reads the name at `at`, following compression pointers, and says where the octets after it start.
///
/// A pointer must lead to before the labels that hold it and not into the header, so reading always ends
/// (RFC 1035 section 4.1.4 "prior occurrence"); more than 255 octets in all is an error.
pub(crate) fn read_name(message: &[u8], at: usize) -> Option<(NameBuf, usize)> {
    let mut name = NameBuf { bytes: [0; NAME_LEN_MAX], len: 0 };
    let mut end = None;
    let mut run_start = at;
    let mut at = at;
    loop {
        let length = *message.get(at)?;
        match length >> 6 {
            0 => {
                let next = at + 1 + usize::from(length);
                name.push(message.get(at..next)?)?;
                at = next;
                if length == 0 {
                    return Some((name, end.unwrap_or(at)));
                }
            }
            3 => {
                let target = usize::from(u16::from_be_bytes([length & 0x3f, *message.get(at + 1)?]));
                end.get_or_insert(at + 2);
                if target < HEADER_LEN || target >= run_start {
                    return None;
                }
                run_start = target;
                at = target;
            }
            // 0b01 and 0b10 were never assigned for use (RFC 6891 section 5).
            _ => return None,
        }
    }
}

/// The end of the uncompressed name at `at`; `None` when it is compressed, too long or cut off.
pub(crate) fn end_of_plain_name(message: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    loop {
        let length = *message.get(end)?;
        if length > 63 {
            return None;
        }
        end += 1 + usize::from(length);
        if end - at > NAME_LEN_MAX {
            return None;
        }
        if length == 0 {
            return Some(end);
        }
    }
}

/// The name, its parent, and so on up to the root.
pub(crate) fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| parent(name))
}

/// The name without its first label; `None` for the root.
pub(crate) fn parent(name: &[u8]) -> Option<&[u8]> {
    let length = usize::from(*name.first()?);
    if length == 0 { None } else { name.get(1 + length..) }
}

/// True when folded `name` is folded `zone` or below it.
pub(crate) fn is_at_or_below(name: &[u8], zone: &[u8]) -> bool {
    name.len() >= zone.len() && suffixes(name).any(|suffix| suffix == zone)
}

/// Folded wire form of a name as people write it (final dot optional); `None` when it is none.
pub(crate) fn from_text(text: &str) -> Option<Box<[u8]>> {
    let name = DomainName::<Vec<u8>>::from_str(text).ok()?;
    let mut wire = name.as_slice().to_vec();
    wire.make_ascii_lowercase();
    Some(wire.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(tail: &[u8], at: usize, expected: Option<(&[u8], usize)>) {
        let mut message = vec![0; HEADER_LEN];
        message.extend_from_slice(tail);
        let read = read_name(&message, at);
        assert_eq!(read.as_ref().map(|(name, end)| (name.as_slice(), *end)), expected, "{tail:?} at {at}");
    }

    /// RFC 1035 sections 3.1 and 4.1.4.
    #[test]
    fn reads_names_and_refuses_bad_pointers() {
        check(b"\x01a\x00", 12, Some((b"\x01a\x00", 15)));
        check(b"\x01a\x00\x01b\xc0\x0c", 15, Some((b"\x01b\x01a\x00", 19)));
        check(b"\xc0\x0c", 12, None);
        check(b"\x01a\xc0\x0c", 12, None);
        check(b"\xc0\x0e\x00", 12, None);
        check(b"\xc0\x00", 12, None);
        check(b"\x40a\x00", 12, None);
        check(b"\x80a\x00", 12, None);
        check(b"\x05ab", 12, None);
        check(b"", 12, None);
        check(b"\xc0", 12, None);
        let longest: Vec<u8> = [b"\x3f".as_slice(), &[b'x'; 63]].concat().repeat(3);
        let mut fits = longest.clone();
        fits.extend_from_slice(&[b"\x3d".as_slice(), &[b'x'; 61], b"\0"].concat());
        check(&fits, 12, Some((&fits, 12 + 255)));
        let mut over = longest;
        over.extend_from_slice(&[b"\x3e".as_slice(), &[b'x'; 62], b"\0"].concat());
        check(&over, 12, None);
    }

    #[test]
    fn walks_towards_the_root() {
        let name = from_text("a.b.example").unwrap();
        assert_eq!(suffixes(&name).count(), 4);
        assert!(is_at_or_below(&name, &from_text("EXAMPLE.").unwrap()));
        assert!(is_at_or_below(&name, b"\0"));
        assert!(!is_at_or_below(&name, &from_text("xb.example").unwrap()));
        assert!(!is_at_or_below(b"\0", &name));
    }

    proptest! {
        #[test]
        fn any_bytes_end(message in proptest::collection::vec(any::<u8>(), 0..600), at in 0_usize..620) {
            if let Some((name, end)) = read_name(&message, at) {
                prop_assert!(end <= message.len());
                prop_assert_eq!(end_of_plain_name(name.as_slice(), 0), Some(name.as_slice().len()));
            }
            let _ = end_of_plain_name(&message, at);
        }
    }
}
