use model::Place;

use crate::problem::Problems;

/// A file of the plan directory, as bytes. Who may open files reads them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// Name relative to the plan directory, e.g. `event.toml`.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// The files that a plan directory may hold, in the order they are read. `event.toml` is the only one that must be there.
pub const FILE_NAMES: &[&str] = &[
    "event.toml",
    "venue.toml",
    "network.toml",
    "inventory.csv",
    "cables.csv",
    "timetable.csv",
    "timetable.json",
    "schedule.json",
    "schedule.xml",
    "roster.csv",
];

/// Bytes that any file of a plan may have: 8 MiB. TOML files may have 1 MiB.
pub const FILE_BYTES_MAX: usize = 8 << 20;

/// Bytes that a TOML file may have.
pub(crate) const TOML_BYTES_MAX: usize = 1 << 20;

/// The text of a file: UTF-8 with or without byte-order mark; Shift_JIS too where `shift_jis` allows it, which is
/// told in `notes`. Files that are too large are refused before they are looked at.
pub(crate) fn text(
    name: &str,
    bytes: &[u8],
    shift_jis: bool,
    problems: &mut Problems,
    notes: &mut Problems,
) -> Option<String> {
    let at = Place::file(name);
    let limit = if name.ends_with(".toml") { TOML_BYTES_MAX } else { FILE_BYTES_MAX };
    if bytes.len() > limit {
        let says = format!("is {} bytes long, more than the {limit} allowed", bytes.len());
        problems.add(&at, says, "is it really a plan file? Keep large data elsewhere");
        return None;
    }
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(body) {
        Ok(text) if text.contains('\0') => {
            problems.add(&at, "holds NUL octets, so it is not a text file", "save it as UTF-8 text");
            None
        }
        Ok(text) => Some(text.to_owned()),
        Err(error) => {
            let sjis = encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(body);
            if let (true, Some(text)) = (shift_jis && !body.contains(&0), &sjis) {
                notes.add(&at, "is in Shift_JIS and was read as such", "save it as UTF-8 to be sure of every name");
                return Some(text.clone().into_owned());
            }
            let valid = std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default();
            let (line, column) = Lines::new(valid).position(valid, valid.len());
            let guess = if sjis.is_some() && !body.contains(&0) { "; it looks like Shift_JIS" } else { "" };
            let place = Place { file: name.into(), line, column };
            problems.add(&place, format!("is not UTF-8{guess}"), "save it as UTF-8 text");
            None
        }
    }
}

/// Byte offsets of a text's lines, to turn an offset into line and column.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1);
        Self(std::iter::once(0).chain(starts).collect())
    }

    /// Line and column in characters, both from 1, of byte `offset` of the `text` that the lines are of.
    pub(crate) fn position(&self, text: &str, offset: usize) -> (u32, u32) {
        let line = self.0.partition_point(|start| *start <= offset).max(1);
        let before = text.get(self.0[line - 1]..offset.min(text.len())).unwrap_or_default();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (number(line), number(before.chars().count() + 1))
    }
}
