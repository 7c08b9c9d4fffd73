//! Which short pieces of text occur in a row group, so that a search for rare text reads only the groups that may have
//! it.
//!
//! ```text
//! line, lower case    ... every GRAM_OCTETS octets, hashed --> the least of each WINDOW neighbours --> a bit
//! text searched for   ... the same; a group without one of its bits does not have it
//! ```
//! Any text of [`TEXT_OCTETS_MIN`] octets or more has such a least piece in common with every line that holds it. Pieces
//! of nothing but digits and colons (counters, times of day) are left out: they are new in each line and would fill the
//! bits. The bits lie in the body of the Parquet file, where other readers do not look; the file's metadata say where.

use std::{fs::File, os::unix::fs::FileExt as _};

const GRAM_OCTETS: usize = 6;
const WINDOW: usize = 3;
/// Shorter text has no piece for certain.
pub(super) const TEXT_OCTETS_MIN: usize = GRAM_OCTETS + WINDOW - 1;
/// Bits while a row group is filled; fewer are written when few are set.
const BITS: usize = 1 << 21;
const BITS_MIN: usize = 1 << 10;
/// Bits are halved as long as one in so many is set at most.
const SPARSE: usize = 6;
/// Pieces of a text that are asked for at most.
const ASKED_MAX: usize = 24;
/// The key of the file's metadata.
const KEY: &str = "hotstage.grams";
/// How the pieces are made; of another version nothing is known.
const VERSION: &str = "1";
/// A piece that is left out.
const NONE: u32 = u32::MAX;

/// The pieces in the lines of the row group that is being written.
pub(super) struct Grams {
    words: Vec<u64>,
    lower: Vec<u8>,
    least: Vec<u32>,
}

impl Grams {
    pub(super) fn new() -> Self {
        Self { words: vec![0; BITS / 64], lower: Vec::new(), least: Vec::new() }
    }

    /// Adds what can be searched of a line.
    pub(super) fn add(&mut self, text: &[u8]) {
        let Self { words, lower, least } = self;
        each_least(text, lower, least);
        for gram in least.iter() {
            let bit = *gram as usize & (BITS - 1);
            words[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// The bits as they are written, a power of two; begins the next row group.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut bits = BITS;
        let set = |words: &[u64]| words.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        // Halving lays one half over the other, so at most as many are set as before.
        while bits > BITS_MIN && set(&self.words[..bits / 64]) <= bits / 2 / SPARSE {
            bits /= 2;
            let (low, high) = self.words.split_at_mut(bits / 64);
            low.iter_mut().zip(high).for_each(|(low, high)| *low |= *high);
        }
        let octets = self.words[..bits / 64].iter().flat_map(|word| word.to_le_bytes()).collect();
        self.words.fill(0);
        octets
    }
}

/// Fills `least` with the least piece of each window of `text`, without repeats in a row.
fn each_least(text: &[u8], lower: &mut Vec<u8>, least: &mut Vec<u32>) {
    least.clear();
    if text.len() < TEXT_OCTETS_MIN {
        return;
    }
    lower.clear();
    lower.extend_from_slice(text);
    lower.make_ascii_lowercase();
    // Pieces are read as words of eight octets.
    lower.extend_from_slice(&[0; 8 - GRAM_OCTETS]);
    let (mut before, mut last, mut last_least) = (NONE, NONE, NONE);
    least.resize(text.len(), 0);
    let mut count = 0;
    let grams = lower.array_windows::<8>().map(|octets| hash(u64::from_le_bytes(*octets)));
    for (at, gram) in grams.enumerate() {
        let window = before.min(last).min(gram);
        (before, last) = (last, gram);
        // Without a branch: whether it is new cannot be foretold.
        least[count] = window;
        count += usize::from(window != last_least && window != NONE && at + 1 >= WINDOW);
        last_least = if at + 1 >= WINDOW { window } else { NONE };
    }
    least.truncate(count);
}

fn hash(octets: u64) -> u32 {
    const MASK: u64 = (1 << (8 * GRAM_OCTETS)) - 1;
    let gram = octets & MASK;
    // 0x30 to 0x3f: digits, colons and few others.
    if gram & (0xf0f0_f0f0_f0f0_f0f0 & MASK) == 0x3030_3030_3030_3030 & MASK {
        return NONE;
    }
    (gram.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32
}

/// Where the bits of the row groups of a file are, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct GramIndex(Vec<(u64, u64)>);

impl GramIndex {
    /// The bits of the next row group are the `octets` at `offset`.
    pub(super) fn push(&mut self, offset: u64, octets: u64) {
        self.0.push((offset, octets));
    }

    /// Key and value for the file's metadata.
    pub(super) fn to_metadata(&self) -> (String, String) {
        let places = self.0.iter().map(|(offset, octets)| format!(" {offset}+{octets}"));
        (KEY.to_owned(), VERSION.to_owned() + &places.collect::<String>())
    }

    /// `None` when the file has none, or of another version.
    pub(super) fn of<'m>(metadata: impl IntoIterator<Item = (&'m str, &'m str)>) -> Option<Self> {
        let value = metadata.into_iter().find_map(|(key, value)| (key == KEY).then_some(value))?;
        let mut words = value.split(' ');
        if words.next() != Some(VERSION) {
            return None;
        }
        let place = |word: &str| {
            let (offset, octets) = word.split_once('+')?;
            let (offset, octets): (u64, u64) = (offset.parse().ok()?, octets.parse().ok()?);
            octets.is_power_of_two().then_some((offset, octets))
        };
        words.map(place).collect::<Option<_>>().map(Self)
    }
}

/// The pieces of a text that is searched for.
#[derive(Debug)]
pub(super) struct Asked(Vec<u32>);

impl Asked {
    /// `None` for a text of which no piece is certain.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut grams = Vec::new();
        each_least(text.as_bytes(), &mut Vec::new(), &mut grams);
        grams.truncate(ASKED_MAX);
        (!grams.is_empty()).then_some(Self(grams))
    }

    /// False when a row group does not have the text for certain.
    pub(super) fn may_be_in(&self, file: &File, index: &GramIndex, group: usize) -> bool {
        let Some((offset, octets)) = index.0.get(group) else { return true };
        self.0.iter().all(|gram| {
            let bit = u64::from(*gram) & (octets * 8 - 1);
            let mut octet = [0];
            // What cannot be read is searched, and says so then.
            file.read_exact_at(&mut octet, offset + bit / 8).is_err() || octet[0] & (1 << (bit % 8)) != 0
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// One row group, written behind some octets of another kind.
    fn written(lines: &[&[u8]]) -> (File, GramIndex, usize) {
        let mut grams = Grams::new();
        lines.iter().for_each(|line| grams.add(line));
        let octets = grams.finish();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PAR1..").unwrap();
        file.write_all(&octets).unwrap();
        let mut index = GramIndex::default();
        index.push(6, octets.len() as u64);
        (file, index, octets.len())
    }

    #[test]
    fn what_is_not_there_is_seen_and_costs_little() {
        let lines: Vec<String> = (0..5_000)
            .map(|number| {
                format!(
                    "<30>Sep 16 10:00:00 ap-{} hostapd: wlan0: STA 02:00:5e:00:53:{:02x} n={number:09}",
                    number % 40,
                    number % 256
                )
            })
            .collect();
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let (file, index, octets) = written(&lines);
        assert!(octets <= 4_096, "{octets} octets");
        for (text, is_there) in [
            ("hostapd: WLAN0", true),
            ("5E:00:53:fe", true),
            ("no such text", false),
            ("02:00:5e:00:54:01 n=", false),
            ("kernel panic", false),
        ] {
            assert_eq!(Asked::of(text).unwrap().may_be_in(&file, &index, 0), is_there, "{text}");
        }
        for text in ["", "panic", "seven77", "10:00:00 12:00:00 4711"] {
            let is_certain = Asked::of(text).is_some();
            assert_eq!(is_certain, text.contains(" 12"), "{text}");
        }
        assert!(Asked::of("000123456789").is_none());
        // A group that nothing is known of is searched.
        assert!(Asked::of("no such text").unwrap().may_be_in(&file, &index, 1));
    }

    #[test]
    fn the_place_is_read_back_and_what_is_odd_ignored() {
        let mut index = GramIndex::default();
        index.push(4, 1_024);
        index.push(999_999_999_999, 128);
        let (key, value) = index.to_metadata();
        assert_eq!(GramIndex::of([("other", "x"), (&key, &value)]), Some(index));
        for value in ["", "2 4+1024", "1 4+1000", "1 4", "1 x+8", "1 4+8  "] {
            assert_eq!(GramIndex::of([(KEY, value)]), None, "{value}");
        }
        assert_eq!(GramIndex::of([("other", "1 4+8")]), None);
    }

    proptest! {
        #[test]
        fn no_line_that_has_the_text_is_missed(
            lines in prop::collection::vec("[a-cA-C0-9:é ]{0,60}", 1..6),
            which in any::<prop::sample::Index>(), from in 0_usize..60, length in 0_usize..40,
        ) {
            let octets: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            let (file, index, _) = written(&octets);
            let line = which.get(&lines);
            let begin = line.ceil_char_boundary(from.min(line.len()));
            let text = &line[begin..line.ceil_char_boundary((begin + length).min(line.len()))];
            for text in [text.to_owned(), text.to_ascii_uppercase()] {
                if let Some(asked) = Asked::of(&text) {
                    prop_assert!(asked.may_be_in(&file, &index, 0), "{text}");
                }
            }
        }
    }
}
