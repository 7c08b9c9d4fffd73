//! Values of DHCP options as the octets that clients get.

use std::net::Ipv4Addr;

use dhcp::options::{self, Value};
use ipnet::Ipv4Net;
use plan::OptionValue;

/// The octets of option `code`, without code and length.
pub(crate) fn octets(code: u8, value: &OptionValue) -> Vec<u8> {
    let kind = options::by_code(code).filter(|kind| !kind.name.is_empty());
    // Codes without a name have no type: their value is written as what it looks like.
    kind.and_then(|kind| options::encode(kind, &typed(value)).ok()).unwrap_or_else(|| raw(value))
}

fn typed(value: &OptionValue) -> Value {
    match value {
        OptionValue::Addresses(addresses) => Value::Addresses(addresses.clone()),
        OptionValue::Text(text) => Value::Text(text.clone()),
        OptionValue::Uint8(number) => Value::Number(i64::from(*number)),
        OptionValue::Uint16(number) => Value::Number(i64::from(*number)),
        OptionValue::Uint32(number) => Value::Number(i64::from(*number)),
        OptionValue::Int32(number) => Value::Number(i64::from(*number)),
        OptionValue::Flag(claim) => Value::Flag(*claim),
        OptionValue::Domains(names) => Value::Domains(names.clone()),
        OptionValue::Routes(routes) => Value::Routes(routes.clone()),
        OptionValue::SubOptions(options) => Value::SubOptions(options.clone()),
        OptionValue::Octets(octets) => Value::Octets(octets.clone()),
    }
}

fn raw(value: &OptionValue) -> Vec<u8> {
    match value {
        OptionValue::Addresses(addresses) => addresses.iter().flat_map(Ipv4Addr::octets).collect(),
        OptionValue::Text(text) => text.as_bytes().to_vec(),
        OptionValue::Uint8(number) => vec![*number],
        OptionValue::Uint16(number) => number.to_be_bytes().to_vec(),
        OptionValue::Uint32(number) => number.to_be_bytes().to_vec(),
        OptionValue::Int32(number) => number.to_be_bytes().to_vec(),
        OptionValue::Flag(claim) => vec![u8::from(*claim)],
        OptionValue::Domains(names) => names.iter().flat_map(|name| domain(name)).collect(),
        OptionValue::Routes(routes) => routes.iter().flat_map(|(net, router)| route(*net, *router)).collect(),
        OptionValue::SubOptions(options) => {
            options.iter().flat_map(|(code, octets)| sub_option(*code, octets)).collect()
        }
        OptionValue::Octets(octets) => octets.clone(),
    }
}

/// Labels with their lengths and the root's 0 (RFC 1035 section 3.1, RFC 3397); names are not compressed.
fn domain(name: &str) -> Vec<u8> {
    let label = |label: &str| {
        let length = u8::try_from(label.len()).unwrap_or(63);
        std::iter::once(length).chain(label.bytes().take(usize::from(length))).collect::<Vec<u8>>()
    };
    name.split('.').flat_map(label).chain([0]).collect()
}

/// Prefix length, the octets of the prefix that count, the router (RFC 3442).
fn route(net: Ipv4Net, router: Ipv4Addr) -> Vec<u8> {
    let counted = usize::from(net.prefix_len().div_ceil(8));
    let prefix = net.network().octets();
    std::iter::once(net.prefix_len()).chain(prefix.into_iter().take(counted)).chain(router.octets()).collect()
}

/// Code, length, octets (RFC 2132 section 8.4).
fn sub_option(code: u8, octets: &[u8]) -> Vec<u8> {
    let length = u8::try_from(octets.len()).unwrap_or(u8::MAX);
    [code, length].into_iter().chain(octets.iter().copied().take(usize::from(length))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_of_options_agree() {
        for code in 1..=254 {
            let of_plan = plan::options::by_code(code).map(|kind| (kind.names[0], format!("{:?}", kind.of)));
            let of_server = options::by_code(code).filter(|kind| !kind.name.is_empty());
            let of_server = of_server.map(|kind| (kind.name, format!("{:?}", kind.value_type)));
            assert_eq!(of_plan, of_server, "option {code}");
        }
    }

    #[test]
    fn values_become_octets() {
        let net = |text: &str| text.parse::<Ipv4Net>().unwrap();
        let router = Ipv4Addr::new(192, 0, 2, 1);
        let table: [(u8, OptionValue, &[u8]); 13] = [
            (42, OptionValue::Addresses(vec![router, Ipv4Addr::LOCALHOST]), &[192, 0, 2, 1, 127, 0, 0, 1]),
            (67, OptionValue::Text("sw.cfg".into()), b"sw.cfg"),
            (15, OptionValue::Text("example.net".into()), b"example.net"),
            (26, OptionValue::Uint16(1_400), &[5, 120]),
            (2, OptionValue::Int32(-2), &[255, 255, 255, 254]),
            (19, OptionValue::Flag(true), &[1]),
            (119, OptionValue::Domains(vec!["a.example".into(), "b".into()]), b"\x01a\x07example\x00\x01b\x00"),
            (
                121,
                OptionValue::Routes(vec![(net("0.0.0.0/0"), router), (net("198.51.100.128/25"), router)]),
                &[0, 192, 0, 2, 1, 25, 198, 51, 100, 128, 192, 0, 2, 1],
            ),
            (
                43,
                OptionValue::SubOptions(vec![(1, b"x".to_vec()), (241, vec![192, 0, 2, 1])]),
                b"\x01\x01x\xf1\x04\xc0\x00\x02\x01",
            ),
            (120, OptionValue::Addresses(vec![router]), &[1, 192, 0, 2, 1]),
            (67, OptionValue::Octets(vec![0, 1]), &[0, 1]),
            (224, OptionValue::Addresses(vec![router]), &[192, 0, 2, 1]),
            (225, OptionValue::SubOptions(vec![(1, vec![7])]), &[1, 1, 7]),
        ];
        for (code, value, wanted) in table {
            assert_eq!(octets(code, &value), wanted, "{code} {value:?}");
        }
    }
}
