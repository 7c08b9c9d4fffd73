//! A list of domain names as length-prefixed labels, padded with zeros (RFC 8106 section 5.2).

/// Longest name on the wire (RFC 1035 section 3.1).
const NAME_MAX: usize = 255;
const LABEL_MAX: usize = 63;

/// Appends `name` with the root label at its end; `None`, and `bytes` in any state, when it is not a name of ASCII
/// letters, digits, hyphens and underscores. A dot at the end changes nothing.
pub(super) fn write_name(bytes: &mut Vec<u8>, name: &str) -> Option<()> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    let start = bytes.len();
    for label in name.split('.') {
        let len = u8::try_from(label.len()).ok().filter(|&len| len > 0 && usize::from(len) <= LABEL_MAX)?;
        label.bytes().all(is_fine).then_some(())?;
        bytes.push(len);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    (bytes.len() - start <= NAME_MAX).then_some(())
}

/// The names of a list, as [`write_name`] writes them; `None` when there is anything else in it.
pub(super) fn read_names(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while bytes.first().is_some_and(|&len| len != 0) {
        let (name, rest) = read_name(bytes)?;
        names.push(name);
        bytes = rest;
    }
    bytes.iter().all(|&octet| octet == 0).then_some(names)
}

fn read_name(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (mut name, mut rest) = (String::new(), bytes);
    loop {
        let (&len, after) = rest.split_first()?;
        if len == 0 {
            return Some((name, after));
        }
        if usize::from(len) > LABEL_MAX || name.len() + usize::from(len) + 3 > NAME_MAX {
            return None;
        }
        let (label, after) = after.split_at_checked(len.into())?;
        let is_fine = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-' || *octet == b'_';
        label.iter().all(is_fine).then_some(())?;
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().copied().map(char::from));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_and_read() {
        let (long, longer) = (format!("{}.example", "a".repeat(64)), ["a"; 128].join("."));
        let table: [(&str, Option<&[u8]>); 7] = [
            ("event.example", Some(b"\x05event\x07example\0")),
            ("event.example.", Some(b"\x05event\x07example\0")),
            ("", None),
            ("a..b", None),
            ("a b", None),
            (&long, None),
            (&longer, None),
        ];
        for (name, wire) in table {
            let mut bytes = Vec::new();
            let written = write_name(&mut bytes, name).map(|()| bytes);
            assert_eq!(written.as_deref(), wire, "{name}");
        }
        let longest = ["a"; 127].join(".");
        let mut bytes = Vec::new();
        write_name(&mut bytes, &longest).unwrap();
        bytes.extend([0; 5]);
        assert_eq!(read_names(&bytes), Some(vec![longest]));
        assert_eq!(read_names(&[]), Some(Vec::new()));
        for bad in [&b"\x05even"[..], b"\xc0\x00", b"\x01.\0", b"\x01a", b"\x01a\0\0\x01", b"\x40"] {
            assert_eq!(read_names(bad), None, "{bad:?}");
        }
    }
}
