//! Names of ports: the plan's, an agent's and an LLDP neighbour's are seldom spelled alike.

/// Beginnings of physical ports' names that a plan may leave out: a port `5` of the plan is `Gi5` or `port5`.
const PHYSICAL: [&str; 14] =
    ["e", "eth", "ethernet", "fa", "g", "ge", "gi", "gigabitethernet", "lan", "p", "port", "swp", "te", "xe"];
/// Never a physical port, though it begins like `port`.
const PORT_CHANNEL: &str = "po";

/// True when both name the same port: upper and lower case alike, and `Gi1/0/4` is `GigabitEthernet1/0/4`.
pub fn is_same_port(a: &str, b: &str) -> bool {
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    let ((letters_a, numbers_a), (letters_b, numbers_b)) = (split(a), split(b));
    if numbers_a.is_empty() || numbers_a != numbers_b {
        return false;
    }
    let (short, long) = if letters_a.len() < letters_b.len() { (letters_a, letters_b) } else { (letters_b, letters_a) };
    if short.is_empty() {
        return PHYSICAL.contains(&long.as_str());
    }
    short != PORT_CHANNEL && long.starts_with(&short)
}

/// The one of `names` that `name` is: spelled alike, or else the only one that may be meant.
pub fn find_port<'a>(names: impl Iterator<Item = &'a str> + Clone, name: &str) -> Option<&'a str> {
    let alike = names.clone().find(|one| one.eq_ignore_ascii_case(name));
    let mut meant = names.filter(|one| is_same_port(one, name));
    alike.or_else(|| meant.next().filter(|_| meant.next().is_none()))
}

/// Letters in lower case, and all from the first digit on.
fn split(name: &str) -> (String, &str) {
    let digits = name.find(|character: char| character.is_ascii_digit()).unwrap_or(name.len());
    let (letters, numbers) = name.split_at(digits);
    (letters.trim().to_ascii_lowercase(), numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_port() {
        for (a, b, is_same) in [
            ("Gi1/0/4", "gi1/0/4", true),
            ("Gi1/0/4", "GigabitEthernet1/0/4", true),
            ("Te1/0/1", "Gi1/0/1", false),
            ("Gi1/0/4", "Gi1/0/40", false),
            ("5", "port5", true),
            ("5", "Gi5", true),
            ("5", "Vlan5", false),
            ("port5", "Po5", false),
            ("uplink", "up", false),
            ("", "", true),
        ] {
            assert_eq!(is_same_port(a, b), is_same, "{a} {b}");
            assert_eq!(is_same_port(b, a), is_same, "{b} {a}");
        }
    }

    #[test]
    fn a_name_that_may_mean_two_ports_means_none() {
        let names = ["Gi5", "Te5", "Gi6"];
        assert_eq!(find_port(names.into_iter(), "gi5"), Some("Gi5"));
        assert_eq!(find_port(names.into_iter(), "6"), Some("Gi6"));
        assert_eq!(find_port(names.into_iter(), "5"), None);
        assert_eq!(find_port(names.into_iter(), "Gi7"), None);
    }
}
