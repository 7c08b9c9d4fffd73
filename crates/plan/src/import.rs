//! What other DHCP servers are configured with -> a plan to go on from; their lease files -> our leases.
//!
//! Pure: text in, values out. Nothing is dropped silently: what is not understood becomes a [`Note`] with its line.
//! It never opens a file that another one includes, and evaluates no expression beyond comparisons of a few fields.
//! Start at [`from_kea`], [`from_dhcpd`] and [`from_dnsmasq`], or at [`leases_from_kea`] and its like.

mod dhcpd;
mod dnsmasq;
mod jsonc;
mod kea;
mod leases;
mod network;
mod statements;
mod value;

use std::{error::Error, fmt};

pub use dhcpd::from_dhcpd;
pub use dnsmasq::from_dnsmasq;
pub use kea::from_kea;
pub use leases::{ImportedLeases, LEASES_MAX, leases_from_dhcpd, leases_from_dnsmasq, leases_from_kea};

/// Octets that a configuration may have.
pub const CONFIGURATION_BYTES_MAX: usize = 8 << 20;

/// Notes that are told one by one; what is beyond is counted.
const NOTES_MAX: usize = 1_000;

/// Characters of a note.
const NOTE_MAX: usize = 300;

/// A plan made from another server's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// Text of an `event.toml` that loads. What the other configuration does not say (people, days, rooms, VLAN
    /// identifiers) is a guess and marked so; the notes stand at its end as comments.
    pub event_toml: String,
    /// Subnets that were read.
    pub subnets: usize,
    /// What was not understood, or means something else here; by line.
    pub notes: Vec<Note>,
    /// Notes beyond the first thousand.
    pub notes_beyond: usize,
}

/// Something that was not taken over as it stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Note {
    /// Line of the file, from 1; 0 = the file as a whole.
    pub line: u32,
    /// What it is; one sentence without full stop.
    pub says: String,
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => formatter.write_str(&self.says),
            line => write!(formatter, "line {line}: {}", self.says),
        }
    }
}

/// Why nothing could be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportError {
    /// Line of the file, from 1; 0 = the file as a whole.
    pub line: u32,
    /// What is wrong; one sentence without full stop.
    pub says: String,
}

impl ImportError {
    fn new(line: u32, says: impl Into<String>) -> Self {
        Self { line, says: says.into() }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Note { line: self.line, says: self.says.clone() }.fmt(formatter)
    }
}

impl Error for ImportError {}

/// Collects notes.
#[derive(Default, Debug)]
struct Notes {
    found: Vec<Note>,
    beyond: usize,
}

impl Notes {
    fn add(&mut self, line: u32, says: impl AsRef<str>) {
        if self.found.len() >= NOTES_MAX {
            self.beyond += 1;
            return;
        }
        let says: String =
            says.as_ref().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(NOTE_MAX).collect();
        self.found.push(Note { line, says });
    }

    /// By line, each once.
    fn into_sorted(self) -> (Vec<Note>, usize) {
        let mut found = self.found;
        found.sort();
        found.dedup();
        (found, self.beyond)
    }
}

/// Refuses what no configuration is as large as.
fn refuse_huge(text: &str) -> Result<(), ImportError> {
    if text.len() > CONFIGURATION_BYTES_MAX {
        let says = format!("is {} bytes long, more than the {CONFIGURATION_BYTES_MAX} allowed", text.len());
        return Err(ImportError::new(0, says));
    }
    Ok(())
}
