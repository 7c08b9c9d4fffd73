//! Builds answers: records with compressed names, and where each TTL lies so that it can be aged in place.

use crate::{
    name::{end_of_plain_name, read_name, suffixes},
    wire::{CLASS_IN, HEADER_LEN, MESSAGE_LEN_MAX, rtype},
};

/// Names remembered as targets of compression pointers, per message.
const TARGETS_MAX: usize = 64;
/// Comparisons spent on compressing one message; after them names are written out, so that a hostile answer
/// cannot buy unbounded work (the class of CVE-2024-8508).
const COMPARISONS_MAX: u32 = 1 << 16;
/// The furthest offset a 14-bit pointer reaches (RFC 1035 section 4.1.4).
const POINTER_MAX: u16 = 0x3fff;

/// An answer as it is kept and sent: header, question and records, without OPT. The header's id is 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) wire: Box<[u8]>,
    /// Where the TTLs are in `wire`.
    pub(crate) ttl_offsets: Box<[u16]>,
    /// How long it may be kept: the least TTL in it, or what RFC 2308 and RFC 9520 say for negative answers and failures.
    pub(crate) lifetime_s: u32,
    /// Extended DNS error to send with it (RFC 8914).
    pub(crate) extended_error: Option<u16>,
}

/// A section that records can be added to, in the order of the message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Section {
    Answer,
    Authority,
}

/// The message would be longer than 65,535 octets.
#[derive(Debug)]
pub(crate) struct TooLong;

/// A message under construction.
pub(crate) struct Writer {
    wire: Vec<u8>,
    targets: Vec<(u32, u16)>,
    comparisons_left: u32,
    counts: [u16; 2],
    ttl_offsets: Vec<u16>,
    least_ttl: Option<u32>,
}

impl Writer {
    /// Starts a message with this question (name, type and class in wire form).
    pub(crate) fn new(question: &[u8]) -> Self {
        let mut writer = Self {
            wire: Vec::with_capacity(HEADER_LEN + question.len() + 128),
            targets: Vec::with_capacity(16),
            comparisons_left: COMPARISONS_MAX,
            counts: [0; 2],
            ttl_offsets: Vec::with_capacity(8),
            least_ttl: None,
        };
        writer.wire.extend_from_slice(&[0; HEADER_LEN]);
        writer.wire[5] = 1;
        writer.name(&question[..question.len().saturating_sub(4)]);
        writer.wire.extend_from_slice(&question[question.len().saturating_sub(4)..]);
        writer
    }

    /// Appends a record of class IN. `rdata` is uncompressed. Sections come in order: no answer after an authority record.
    pub(crate) fn record(
        &mut self,
        section: Section,
        owner: &[u8],
        rtype: u16,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), TooLong> {
        debug_assert!(section == Section::Authority || self.counts[1] == 0, "sections come in order");
        self.name(owner);
        self.wire.extend_from_slice(&rtype.to_be_bytes());
        self.wire.extend_from_slice(&CLASS_IN.to_be_bytes());
        self.ttl_offsets.push(u16::try_from(self.wire.len()).map_err(|_| TooLong)?);
        self.wire.extend_from_slice(&ttl.to_be_bytes());
        let length_at = self.wire.len();
        self.wire.extend_from_slice(&[0; 2]);
        self.rdata(rtype, rdata);
        let length = u16::try_from(self.wire.len() - length_at - 2).map_err(|_| TooLong)?;
        self.wire[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        self.counts[section as usize] += 1;
        self.least_ttl = Some(self.least_ttl.map_or(ttl, |least| least.min(ttl)));
        if self.wire.len() > MESSAGE_LEN_MAX { Err(TooLong) } else { Ok(()) }
    }

    /// The answer, kept as long as its least TTL allows. `flags` may hold AA and the response code.
    pub(crate) fn finish(mut self, flags: u16) -> Answer {
        self.wire[2..4].copy_from_slice(&flags.to_be_bytes());
        self.wire[6..8].copy_from_slice(&self.counts[0].to_be_bytes());
        self.wire[8..10].copy_from_slice(&self.counts[1].to_be_bytes());
        Answer {
            // Copied: cutting an allocation to size leaves scraps that the allocator has to gather again.
            wire: self.wire.as_slice().into(),
            ttl_offsets: self.ttl_offsets.as_slice().into(),
            lifetime_s: self.least_ttl.unwrap_or(0),
            extended_error: None,
        }
    }

    /// Names inside RDATA are compressed for the types of RFC 1035 only (RFC 3597 section 4).
    fn rdata(&mut self, rtype: u16, rdata: &[u8]) {
        let (fixed, names) = match rtype {
            rtype::NS | rtype::CNAME | rtype::PTR => (0, 1),
            rtype::MX => (2, 1),
            rtype::SOA => (0, 2),
            _ => (rdata.len(), 0),
        };
        let (head, mut rest) = rdata.split_at(fixed.min(rdata.len()));
        self.wire.extend_from_slice(head);
        for _ in 0..names {
            let end = end_of_plain_name(rest, 0).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            self.name(name);
            rest = after;
        }
        self.wire.extend_from_slice(rest);
    }

    /// Writes a name, its longest known suffix as a pointer, and remembers its other suffixes.
    fn name(&mut self, name: &[u8]) {
        let begin = self.wire.len();
        for suffix in suffixes(name).take_while(|suffix| suffix.len() > 1) {
            let written = name.len() - suffix.len();
            let hash = folded_hash(suffix);
            if let Some(target) = self.find_target(hash, suffix) {
                self.wire.extend_from_slice(&name[..written]);
                self.wire.extend_from_slice(&(0xc000 | target).to_be_bytes());
                return;
            }
            if self.targets.len() < TARGETS_MAX
                && let Ok(at @ ..=POINTER_MAX) = u16::try_from(begin + written)
            {
                self.targets.push((hash, at));
            }
        }
        self.wire.extend_from_slice(name);
    }

    fn find_target(&mut self, hash: u32, suffix: &[u8]) -> Option<u16> {
        for &(target_hash, target) in &self.targets {
            self.comparisons_left = self.comparisons_left.checked_sub(1)?;
            if target_hash == hash
                && read_name(&self.wire, usize::from(target))
                    .is_some_and(|(name, _)| name.as_slice().eq_ignore_ascii_case(suffix))
            {
                return Some(target);
            }
        }
        None
    }
}

/// FNV-1a over the folded name; collisions cost one comparison, nothing else.
fn folded_hash(name: &[u8]) -> u32 {
    name.iter()
        .fold(0x811c_9dc5, |hash: u32, octet| (hash ^ u32::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0193))
}
