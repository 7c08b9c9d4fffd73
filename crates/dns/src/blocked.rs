//! Names that are not answered because the team says so: lists of advertisers, malware and the like.

use std::{collections::HashSet, sync::Arc};

use foldhash::quality::RandomState;

use crate::{
    name::{from_text, suffixes},
    wire::{EDE_BLOCKED, NAME_LEN_MAX, rcode, rtype},
    writer::{Answer, Section, Writer},
    zone::soa_rdata,
};

/// Names in all lists together.
pub const BLOCKED_MAX: usize = 4_000_000;
/// How long a refusal is kept by clients, seconds: short, so that a mistake is soon mended.
const TTL: u32 = 60;
/// Names that lists of hosts have for the machine itself.
const OWN_NAMES: [&str; 6] =
    ["localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback"];

/// A set of names; everything below them is meant too.
#[derive(Clone, Default)]
pub struct Blocked {
    names: Arc<HashSet<Box<[u8]>, RandomState>>,
}

impl PartialEq for Blocked {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for Blocked {}

impl std::fmt::Debug for Blocked {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Blocked({})", self.names.len())
    }
}

/// What a list held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListRead {
    /// Names taken.
    pub names: usize,
    /// Lines that hold none.
    pub skipped: usize,
    /// The first of them, from 1.
    pub first_skipped: Option<usize>,
    /// There were more than [`BLOCKED_MAX`] names in all.
    pub is_cut: bool,
}

impl Blocked {
    /// Adds the names of a list: one name a line, or `0.0.0.0 NAME...` as in a file of hosts, or `||NAME^`; what follows
    /// `#` or `!` is a comment.
    pub fn add_list(&mut self, list: &[u8]) -> ListRead {
        let mut read = ListRead::default();
        let names = Arc::make_mut(&mut self.names);
        for (number, line) in list.split(|octet| *octet == b'\n').enumerate() {
            let line = String::from_utf8_lossy(line);
            let line = line.split(['#', '!']).next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            match names_of(line) {
                Some(found) => {
                    for name in found {
                        if names.len() >= BLOCKED_MAX {
                            read.is_cut = true;
                            return read;
                        }
                        read.names += usize::from(names.insert(name));
                    }
                }
                None => {
                    read.skipped += 1;
                    read.first_skipped = read.first_skipped.or(Some(number + 1));
                }
            }
        }
        read
    }

    /// Takes names out again, with all below them.
    pub fn except(&mut self, exceptions: &[String]) {
        let exceptions: Vec<_> = exceptions.iter().filter_map(|name| from_text(name)).collect();
        if !exceptions.is_empty() {
            let is_excepted = |name: &[u8]| exceptions.iter().any(|above| suffixes(name).any(|at| *at == **above));
            Arc::make_mut(&mut self.names).retain(|name| !is_excepted(name));
        }
    }

    /// How many names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when nothing is blocked.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name on a list that this one is at or below. `name` is folded.
    pub(crate) fn find<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        if self.names.is_empty() {
            return None;
        }
        suffixes(name).find(|suffix| self.names.contains(*suffix))
    }

    /// Says that the name does not exist, and that it is blocked (RFC 8914 section 4.16), whatever the type asked for.
    pub(crate) fn answer(apex: &[u8], question: &[u8]) -> Option<Answer> {
        let mut writer = Writer::new(question);
        let soa = soa_rdata(apex, b"\x07invalid\x00", TTL);
        writer.record(Section::Authority, apex, rtype::SOA, TTL, &soa).ok()?;
        Some(Answer { extended_error: Some(EDE_BLOCKED), ..writer.finish(rcode::NXDOMAIN) })
    }
}

/// The names that one line is about; `None` when it makes no sense as any.
fn names_of(line: &str) -> Option<Vec<Box<[u8]>>> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let words: Vec<&str> = match first.parse::<std::net::IpAddr>() {
        Ok(_) => words.collect(),
        Err(_) => vec![first.strip_prefix("||").map_or(first, |rest| rest.strip_suffix('^').unwrap_or(rest))],
    };
    let is_own = |word: &&str| OWN_NAMES.iter().any(|own| own.eq_ignore_ascii_case(word));
    let names = words.into_iter().filter(|word| !is_own(word)).map(wire).collect::<Option<Vec<_>>>()?;
    Some(names)
}

/// A name of at least two labels: a list that blocks a whole top-level domain is more likely a mistake.
fn wire(text: &str) -> Option<Box<[u8]>> {
    let text = text.strip_prefix("*.").unwrap_or(text);
    let is_plain = text.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'));
    let name = from_text(text).filter(|name| is_plain && name.len() <= NAME_LEN_MAX)?;
    let is_address = text.parse::<std::net::IpAddr>().is_ok();
    (suffixes(&name).count() > 2 && !is_address).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_three_kinds_are_read() {
        let list = b"# comment\n0.0.0.0 ads.example tracker.example # both\n127.0.0.1 localhost\r\n||evil.example^\n\
            *.wild.example\nPLAIN.example\ncom\nhttp://x/\n\n\xff\xfe\n";
        let mut blocked = Blocked::default();
        let read = blocked.add_list(list);
        assert_eq!(read, ListRead { names: 5, skipped: 3, first_skipped: Some(7), is_cut: false });
        let name = |text: &str| from_text(text).unwrap();
        for (text, is_blocked) in [
            ("ads.example", true),
            ("a.b.ads.example", true),
            ("plain.example", true),
            ("wild.example", true),
            ("xads.example", false),
            ("example", false),
        ] {
            assert_eq!(blocked.find(&name(text)).is_some(), is_blocked, "{text}");
        }
        blocked.except(&["ads.example".to_owned()]);
        assert_eq!((blocked.len(), blocked.find(&name("ads.example"))), (4, None));
    }
}
