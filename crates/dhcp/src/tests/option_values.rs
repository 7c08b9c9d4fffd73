use std::net::Ipv4Addr;

use proptest::prelude::*;

use crate::options::{KINDS, OPTION_DATA_MAX, OptionError, Value, ValueType, by_code, by_name, encode};

fn check(name: &str, value: Value, want: Result<&[u8], OptionError>) {
    let kind = by_name(name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(encode(kind, &value), want.map(<[u8]>::to_vec), "{name}: {value:?}");
}

fn addresses(list: &[[u8; 4]]) -> Value {
    Value::Addresses(list.iter().copied().map(Ipv4Addr::from).collect())
}

fn domains(list: &[&str]) -> Value {
    Value::Domains(list.iter().map(|name| (*name).into()).collect())
}

fn route(route: &str, router: [u8; 4]) -> Value {
    Value::Routes(vec![(route.parse().unwrap(), router.into())])
}

/// RFC 2132: (option, value, octets).
#[test]
fn values_of_rfc_2132() {
    let text = |text: &str| Value::Text(text.into());
    check("time-offset", Value::Number(-3600), Ok(&[255, 255, 241, 240]));
    check("time-servers", addresses(&[[192, 0, 2, 1], [192, 0, 2, 2]]), Ok(&[192, 0, 2, 1, 192, 0, 2, 2]));
    check("log-servers", addresses(&[[192, 0, 2, 9]]), Ok(&[192, 0, 2, 9]));
    check("domain-name", text("event.example."), Ok(b"event.example"));
    check("root-path", text("192.0.2.1:/srv"), Ok(b"192.0.2.1:/srv"));
    check("ip-forwarding", Value::Flag(true), Ok(&[1]));
    check("interface-mtu", Value::Number(1500), Ok(&[5, 220]));
    check("broadcast-address", addresses(&[[192, 0, 2, 255]]), Ok(&[192, 0, 2, 255]));
    check("static-routes", addresses(&[[10, 0, 0, 0], [192, 0, 2, 1]]), Ok(&[10, 0, 0, 0, 192, 0, 2, 1]));
    check("netbios-node-type", Value::Number(8), Ok(&[8]));
    check("tftp-server-name", text("tftp.event.example"), Ok(b"tftp.event.example"));
    check("boot-file", text("sw.cfg"), Ok(b"sw.cfg"));
    check("smtp-servers", addresses(&[[192, 0, 2, 25]]), Ok(&[192, 0, 2, 25]));
    let controllers = Value::SubOptions(vec![(241, vec![192, 0, 2, 1])]);
    check("vendor-specific", controllers, Ok(&[241, 4, 192, 0, 2, 1]));
    check("43", Value::Octets(vec![1, 4, 192, 0, 2, 1]), Ok(&[1, 4, 192, 0, 2, 1]));
}

/// RFC 4833, 8925, 8910, 3361, 5417, 5859.
#[test]
fn values_of_later_rfcs() {
    check("posix-timezone", Value::Text("JST-9".into()), Ok(b"JST-9"));
    check("tzdb-timezone", Value::Text("Asia/Tokyo".into()), Ok(b"Asia/Tokyo"));
    check("ipv6-only-preferred", Value::Number(1800), Ok(&[0, 0, 7, 8]));
    check(
        "captive-portal",
        Value::Text("https://portal.event.example/api".into()),
        Ok(b"https://portal.event.example/api"),
    );
    check("sip-servers", addresses(&[[192, 0, 2, 5]]), Ok(&[1, 192, 0, 2, 5]));
    check("sip-servers", domains(&["sip.example"]), Ok(b"\0\x03sip\x07example\0"));
    check("capwap-controllers", addresses(&[[192, 0, 2, 7]]), Ok(&[192, 0, 2, 7]));
    check("tftp-servers", addresses(&[[192, 0, 2, 8]]), Ok(&[192, 0, 2, 8]));
    check("128", Value::Octets(vec![1, 2, 3]), Ok(&[1, 2, 3]));
    check("80", Value::Octets(Vec::new()), Ok(&[]));
}

/// RFC 3442, "Classless Route Option Format": the table of subnets and how each is written.
#[test]
fn compact_routes() {
    let router = [192, 0, 2, 1];
    for (subnet, want) in [
        ("0.0.0.0/0", &[0][..]),
        ("10.0.0.0/8", &[8, 10]),
        ("10.0.0.0/24", &[24, 10, 0, 0]),
        ("10.17.0.0/16", &[16, 10, 17]),
        ("10.27.129.0/24", &[24, 10, 27, 129]),
        ("10.229.0.128/25", &[25, 10, 229, 0, 128]),
        ("10.198.122.47/32", &[32, 10, 198, 122, 47]),
    ] {
        let want = [want, &router].concat();
        check("routes", route(subnet, router), Ok(&want));
        check("microsoft-routes", route(subnet, router), Ok(&want));
    }
    let route = "10.0.0.1/8".parse().unwrap();
    check("routes", Value::Routes(vec![(route, router.into())]), Err(OptionError::Route { route }));
}

/// RFC 3397 section 2, RFC 1035 section 3.1.
#[test]
fn domain_names() {
    check("domain-search", domains(&["eng.example", "example."]), Ok(b"\x03eng\x07example\0\x07example\0"));
    let long = "a".repeat(64);
    let longer = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(62)].join(".");
    for domain in ["", ".", "a..b", ".a", "a b", "b\u{fc}cher.example", &long, &longer] {
        check("domain-search", domains(&[domain]), Err(OptionError::Domain { domain: domain.into() }));
    }
    let most = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    assert_eq!(encode(by_code(119).unwrap(), &domains(&[&most])).unwrap().len(), 255);
    let many = vec!["hall.event.example".to_owned(); 20];
    assert_eq!(encode(by_code(119).unwrap(), &Value::Domains(many)).unwrap().len(), 400, "sent in two pieces");
}

#[test]
fn what_cannot_be_said() {
    let number = |code, number| Err(OptionError::Number { code, number });
    check("default-ip-ttl", Value::Number(256), number(23, 256));
    check("interface-mtu", Value::Number(-1), number(26, -1));
    check("arp-cache-timeout", Value::Number(1 << 32), number(35, 1 << 32));
    check("routers", addresses(&[]), Err(OptionError::Empty { code: 3 }));
    check("root-path", Value::Text(String::new()), Err(OptionError::Empty { code: 17 }));
    check("root-path", Value::Text("a\0".into()), Err(OptionError::Text { code: 17 }));
    check("static-routes", addresses(&[[10, 0, 0, 0]]), Err(OptionError::Pairs { code: 33 }));
    let wrong = OptionError::WrongType { code: 28, wanted: ValueType::Address };
    check("broadcast-address", addresses(&[[10, 0, 0, 0]; 2]), Err(wrong.clone()));
    check("broadcast-address", Value::Flag(true), Err(wrong));
    for (sub, len) in [(0, 1), (255, 1), (7, 256)] {
        let value = Value::SubOptions(vec![(sub, vec![0; len])]);
        check("vendor-specific", value, Err(OptionError::SubOption { code: 43, sub }));
    }
    let len = OPTION_DATA_MAX + 1;
    check("200", Value::Octets(vec![0; len]), Err(OptionError::TooLong { code: 200, len }));
}

#[test]
fn kinds_are_found_by_name_and_code() {
    assert!(KINDS.is_sorted_by(|one, other| one.code < other.code));
    for kind in KINDS {
        assert_eq!((by_name(kind.name), by_code(kind.code)), (Some(*kind), Some(*kind)));
    }
    assert_eq!(by_code(224).unwrap().value_type, ValueType::Octets);
    for name in ["0", "255", "256", "", "boot-fiel"] {
        assert_eq!(by_name(name), None, "{name}");
    }
}

proptest! {
    /// An encoded route list can be read back: no octet is left over.
    #[test]
    fn routes_are_self_delimiting(list in proptest::collection::vec((any::<u32>(), 0..=32_u8, any::<u32>()), 1..20)) {
        let routes = list.iter().map(|&(address, len, router)| {
            (ipnet::Ipv4Net::new(address.into(), len).unwrap().trunc(), Ipv4Addr::from(router))
        });
        let routes: Vec<_> = routes.collect();
        let data = encode(by_code(121).unwrap(), &Value::Routes(routes.clone())).unwrap();
        let mut left = &data[..];
        for (route, router) in routes {
            let significant = usize::from(left[0]).div_ceil(8);
            let mut network = [0; 4];
            network[..significant].copy_from_slice(&left[1..1 + significant]);
            prop_assert_eq!((left[0], Ipv4Addr::from(network)), (route.prefix_len(), route.network()));
            prop_assert_eq!(&left[1 + significant..5 + significant], router.octets());
            left = &left[5 + significant..];
        }
        prop_assert!(left.is_empty());
    }
}
