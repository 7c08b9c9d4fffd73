//! Simple tests of Kea's client classes: comparisons of a few fields, joined by `and`, or by `or` of one kind.

use std::collections::BTreeMap;

use crate::{
    import::{network::Class, value::hex_word},
    options,
};

/// Parentheses and comparisons that a test may have.
const TERMS_MAX: usize = 200;

/// What a test comes down to.
#[derive(Default, Debug)]
pub(super) struct Understood {
    pub(super) when: BTreeMap<&'static str, Vec<Vec<u8>>>,
    /// Where the meaning differs a little.
    pub(super) notes: Vec<&'static str>,
}

/// The conditions of a test; `Err` says what of it is not known. `classes` are those that `member('...')` may name.
pub(super) fn conditions(test: &str, classes: &[Class]) -> Result<Understood, String> {
    let mut left = TERMS_MAX;
    any(test.trim(), classes, &mut left)
}

/// Alternatives, which must all look at the same field.
fn any(test: &str, classes: &[Class], left: &mut usize) -> Result<Understood, String> {
    let test = without_parentheses(test);
    let parts = split(test, "or");
    if parts.len() == 1 {
        return all(parts[0], classes, left);
    }
    let mut found = Understood::default();
    for part in parts {
        let other = all(part, classes, left)?;
        let [(key, values)] = other
            .when
            .into_iter()
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| "alternatives of several conditions".to_owned())?;
        if found.when.keys().any(|known| *known != key) {
            return Err("alternatives that look at different fields".into());
        }
        found.when.entry(key).or_default().extend(values);
        found.notes.extend(other.notes);
    }
    Ok(found)
}

/// Conditions that must all hold.
fn all(test: &str, classes: &[Class], left: &mut usize) -> Result<Understood, String> {
    let test = without_parentheses(test);
    let parts = split(test, "and");
    if let [one] = parts.as_slice() {
        if split(one, "or").len() > 1 {
            return any(one, classes, left);
        }
        *left = left.checked_sub(1).ok_or("it is too long")?;
        return term(one, classes);
    }
    let mut found = Understood::default();
    for part in parts {
        let other = any(part, classes, left)?;
        for (key, values) in other.when {
            if found.when.insert(key, values).is_some() {
                return Err("two conditions on one field".into());
            }
        }
        found.notes.extend(other.notes);
    }
    Ok(found)
}

/// One comparison, or `member('NAME')`.
fn term(test: &str, classes: &[Class]) -> Result<Understood, String> {
    let unknown = || format!("`{test}`");
    if let Some(name) = test.strip_prefix("member(").and_then(|rest| rest.strip_suffix(')')) {
        let name = name.trim().trim_matches('\'');
        let class = classes.iter().find(|class| class.name == name).filter(|class| !class.when.is_empty());
        return match class {
            Some(class) => Ok(Understood { when: class.when.clone(), notes: Vec::new() }),
            None => Err(format!("class `{name}` is not one that was taken over before")),
        };
    }
    let (field, wanted) = test.split_once("==").ok_or_else(unknown)?;
    let wanted = literal(wanted.trim()).ok_or_else(unknown)?;
    let (field, length) = match field.trim().strip_prefix("substring(").and_then(|rest| rest.strip_suffix(')')) {
        Some(inside) => {
            let parts: Vec<&str> = inside.rsplitn(3, ',').map(str::trim).collect();
            let [length, "0", field] = parts.as_slice() else { return Err(unknown()) };
            (*field, if *length == "all" { None } else { Some(length.parse::<usize>().map_err(|_| unknown())?) })
        }
        None => (field.trim(), None),
    };
    if length.is_some_and(|length| length != wanted.len()) {
        return Err(format!("`{test}` can never hold: the lengths differ"));
    }
    let key = key_of(field).ok_or_else(unknown)?;
    let mut notes = Vec::new();
    let is_exact_here = matches!(key, "user_class" | "parameter_list") || (key == "mac_prefix" && wanted.len() == 6);
    if length.is_none() && !is_exact_here {
        notes.push("the whole field was compared; here its start is");
    }
    if length.is_some() && is_exact_here && key != "mac_prefix" {
        notes.push("the start of the field was compared; here all of it is");
    }
    Ok(Understood { when: BTreeMap::from([(key, vec![wanted])]), notes })
}

/// The key of a plan's class for a field of Kea's.
fn key_of(field: &str) -> Option<&'static str> {
    let field: String = field.chars().filter(|c| !c.is_whitespace()).collect();
    match field.as_str() {
        "pkt4.mac" => return Some("mac_prefix"),
        "relay4[1].hex" | "option[82].option[1].hex" => return Some("circuit_id"),
        "relay4[2].hex" | "option[82].option[2].hex" => return Some("remote_id"),
        _ => {}
    }
    let name = field.strip_prefix("option[")?;
    let name = name.strip_suffix("].hex").or_else(|| name.strip_suffix("].text"))?;
    match options::find(name).map(|kind| kind.code).or_else(|| (name == "user-class").then_some(77))? {
        60 => Some("vendor_class"),
        77 => Some("user_class"),
        55 => Some("parameter_list"),
        _ => None,
    }
}

fn literal(text: &str) -> Option<Vec<u8>> {
    let octets = match text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(text) => text.as_bytes().to_vec(),
        None => hex_word(text.strip_prefix("0x").map(|_| text)?)?,
    };
    (1..=255).contains(&octets.len()).then_some(octets)
}

/// Without parentheses around all of it.
fn without_parentheses(mut test: &str) -> &str {
    loop {
        test = test.trim();
        let Some(inside) = test.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { return test };
        let mut depth = 0_usize;
        let mut quoted = false;
        for c in inside.chars() {
            match c {
                '\'' => quoted = !quoted,
                '(' if !quoted => depth += 1,
                ')' if !quoted => match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    // The first closes before the last opens: `(a) and (b)`.
                    None => return test,
                },
                _ => {}
            }
        }
        test = inside;
    }
}

/// At the word, outside parentheses and quotes.
fn split<'a>(test: &'a str, word: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quoted) = (0, 0_usize, false);
    let bytes = test.as_bytes();
    let ends =
        |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'));
    for (index, c) in test.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth = depth.saturating_sub(1),
            _ if !quoted && depth == 0 && test[index..].starts_with(word) => {
                let before = index.checked_sub(1).and_then(|before| bytes.get(before));
                if ends(before) && ends(bytes.get(index + word.len())) && index >= start {
                    parts.push(test[start..index].trim());
                    start = index + word.len();
                }
            }
            _ => {}
        }
    }
    parts.push(test[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_tests_become_conditions() {
        let known = Class {
            name: "phones".into(),
            when: BTreeMap::from([("user_class", vec![b"voip".to_vec()])]),
            ..Class::default()
        };
        type Wanted<'a> = &'a [(&'a str, &'a [&'a [u8]])];
        let table: [(&str, Result<Wanted<'_>, ()>); 12] = [
            ("substring(option[60].hex,0,8) == 'Cisco AP'", Ok(&[("vendor_class", &[b"Cisco AP"])])),
            ("option[vendor-class-identifier].text == 'x'", Ok(&[("vendor_class", &[b"x"])])),
            ("substring(pkt4.mac, 0, 3) == 0x00005e", Ok(&[("mac_prefix", &[&[0, 0, 0x5e]])])),
            (
                "(substring(option[60].hex,0,1) == 'a') or (substring(option[60].hex,0,1) == 'b')",
                Ok(&[("vendor_class", &[b"a", b"b"])]),
            ),
            (
                "((relay4[1].hex == 'sw-1') and option[77].hex == 'noc')",
                Ok(&[("circuit_id", &[b"sw-1"]), ("user_class", &[b"noc"])]),
            ),
            ("member('phones')", Ok(&[("user_class", &[b"voip"])])),
            ("option[60].text == 'this and that or (so'", Ok(&[("vendor_class", &[b"this and that or (so"])])),
            ("member('others')", Err(())),
            ("not member('phones')", Err(())),
            ("option[60].exists", Err(())),
            ("substring(option[60].hex,0,3) == 'Cisco'", Err(())),
            ("option[60].hex == 'a' or pkt4.mac == 0x00005e005301", Err(())),
        ];
        for (test, wanted) in table {
            let found = conditions(test, std::slice::from_ref(&known));
            match wanted {
                Ok(wanted) => {
                    let wanted: BTreeMap<&str, Vec<Vec<u8>>> = wanted
                        .iter()
                        .map(|(key, values)| (*key, values.iter().map(|value| value.to_vec()).collect()))
                        .collect();
                    let found = found.map(|understood| understood.when).unwrap_or_default();
                    let found: BTreeMap<&str, Vec<Vec<u8>>> = found.into_iter().collect();
                    assert_eq!(found, wanted, "{test}");
                }
                Err(()) => assert!(found.is_err(), "{test}: {found:?}"),
            }
        }
        assert!(conditions(&"(".repeat(100_000), &[]).is_err());
    }
}
