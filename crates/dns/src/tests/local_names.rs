//! Event zones, clients' names, special names: RFC 1034, 2308, 6303, 6761, 8482.

use model::{Duid, HostName, Mac};

use super::*;

const SOA: &str = "~ event.example 60 ns.event.example. hostmaster.event.example. 1 3600 900 604800 60";

fn check(rig: &mut Rig, name: &str, qtype: u16, expected: &str) {
    let question = plain(name, qtype);
    assert_eq!(rig.resolve(&question), expected, "{name} {qtype}");
}

/// RFC 1034 section 4.3.2, RFC 2308 section 3.
#[test]
fn event_zones() {
    let rig = &mut Rig::new(settings());
    check(rig, "ns.event.example", 28, "NOERROR aa rd ra; ns.event.example AAAA; = ns.event.example 300 2001:db8::2");
    let www = "NOERROR aa rd ra; www.event.example A; = www.event.example 300 ns.event.example; = ns.event.example 300 10.0.0.2";
    check(rig, "www.event.example", 1, www);
    let cname = "NOERROR aa rd ra; www.event.example CNAME; = www.event.example 300 ns.event.example";
    check(rig, "www.event.example", 5, cname);
    check(rig, "none.event.example", 1, &format!("NXDOMAIN aa rd ra; none.event.example A; {SOA}"));
    check(rig, "sw-4f-1.event.example", 28, &format!("NOERROR aa rd ra; sw-4f-1.event.example AAAA; {SOA}"));
    check(rig, "er.event.example", 1, &format!("NOERROR aa rd ra; er.event.example A; {SOA}"));
    check(rig, "clients.event.example", 1, &format!("NOERROR aa rd ra; clients.event.example A; {SOA}"));
    let apex = "NOERROR aa rd ra; event.example NS; = event.example 300 ns.event.example";
    check(rig, "event.example", 2, apex);
    let reverse = "NOERROR aa rd ra; 2.0.0.10.in-addr.arpa PTR; = 2.0.0.10.in-addr.arpa 300 ns.event.example";
    check(rig, "2.0.0.10.in-addr.arpa", 12, reverse);
    assert!(rig.resolve(&plain("loop-a.event.example", 1)).starts_with("SERVFAIL"));
    let text = rig.resolve(&plain("note.event.example", 16));
    assert!(text.contains(&"x".repeat(255)) && text.contains(&"x".repeat(45)), "{text}");
    assert_eq!(rig.engine.counters().misses, 0);
}

/// RFC 8482 section 4.2, here and for names of the internet.
#[test]
fn any_is_minimal() {
    let rig = &mut Rig::new(settings());
    for name in ["ns.event.example", "www.example.com"] {
        let expected = format!("NOERROR rd ra; {name} ANY; = {name} 3600 \"RFC8482\" \"\"");
        let shown = rig.resolve(&plain(name, 255));
        assert!(shown == expected || shown == expected.replace("\"RFC8482\" \"\"", "RFC8482 "), "{shown}");
    }
    assert!(rig.resolve(&plain("none.event.example", 255)).starts_with("NXDOMAIN"));
    assert_eq!(rig.engine.counters().misses, 0);
}

/// RFC 6761, 6303, 7686, 7793, 8375, 8880, 9462, 9476: answered here, never forwarded.
#[test]
fn special_names() {
    let rig = &mut Rig::new(settings());
    let zeros = "0.".repeat(31);
    let localhost6 = format!("1.{zeros}ip6.arpa");
    let data = [
        ("localhost", 1, "127.0.0.1"),
        ("a.localhost", 28, "::1"),
        ("1.0.0.127.in-addr.arpa", 12, "localhost"),
        (localhost6.as_str(), 12, "localhost"),
        ("ipv4only.arpa", 1, "192.0.0.170"),
    ];
    for (name, qtype, value) in data {
        let shown = rig.resolve(&plain(name, qtype));
        assert!(
            shown.starts_with("NOERROR aa rd ra;") && shown.contains(&format!("= {name} 10800 {value}")),
            "{shown}"
        );
    }
    for name in [
        "x.invalid",
        "x.test",
        "x.onion",
        "x.alt",
        "printer.local",
        "x.home.arpa",
        "x.resolver.arpa",
        "9.9.9.10.in-addr.arpa",
        "1.1.31.172.in-addr.arpa",
        "1.1.168.192.in-addr.arpa",
        "1.1.64.100.in-addr.arpa",
        "1.254.169.in-addr.arpa",
        "1.d.f.ip6.arpa",
    ] {
        assert!(rig.resolve(&plain(name, 12)).starts_with("NXDOMAIN aa rd ra"), "{name}");
    }
    for (name, qtype) in [("_dns.resolver.arpa", 64), ("localhost", 65), ("home.arpa", 1), ("ipv4only.arpa", 28)] {
        let shown = rig.resolve(&plain(name, qtype));
        assert!(shown.starts_with("NOERROR aa rd ra") && shown.contains("; ~ "), "{shown}");
    }
    assert_eq!(rig.engine.counters().misses, 0);
    // The event's own reverse zone comes first; neighbours of special ranges are ordinary names.
    assert!(rig.resolve(&plain("2.0.0.10.in-addr.arpa", 12)).contains("ns.event.example"));
    rig.resolve(&plain("1.1.32.172.in-addr.arpa", 12));
    rig.resolve(&plain("localhost.example", 1));
    assert_eq!(rig.engine.counters().misses, 2);
}

/// DHCP names: at once, never over planned ones, first come first served, gone with the lease.
#[test]
fn client_names() {
    let rig = &mut Rig::new(settings());
    let name = |text: &str| HostName::sanitise(text.as_bytes()).unwrap();
    let address = |host| Ipv4Addr::new(10, 0, 1, host);
    let expires = START + Duration::from_secs(100);
    for host in 1..=10 {
        rig.engine.set_client_name(START, &name("iphone"), address(host).into(), &NOBODY, expires);
    }
    rig.engine.set_client_name(START, &name("wpad"), address(20).into(), &NOBODY, expires);
    assert_eq!((rig.engine.counters().client_names, rig.engine.counters().client_names_refused), (9, 2));
    let forward = |host: &str, value: &str, ttl: u32| {
        format!("NOERROR aa rd ra; {host}.clients.event.example A; = {host}.clients.event.example {ttl} {value}")
    };
    check(rig, "iphone.clients.event.example", 1, &forward("iphone", "10.0.1.1", 60));
    check(rig, "iphone-9.clients.event.example", 1, &forward("iphone-9", "10.0.1.9", 60));
    let reverse =
        "NOERROR aa rd ra; 2.1.0.10.in-addr.arpa PTR; = 2.1.0.10.in-addr.arpa 60 iphone-2.clients.event.example";
    check(rig, "2.1.0.10.in-addr.arpa", 12, reverse);
    // RFC 8020: names above an existing one exist.
    assert!(rig.resolve(&plain("1.0.10.in-addr.arpa", 12)).starts_with("NOERROR aa rd ra"));
    check(
        rig,
        "iphone.clients.event.example",
        28,
        &format!("NOERROR aa rd ra; iphone.clients.event.example AAAA; {SOA}"),
    );

    rig.engine.set_client_name(START, &name("iphone"), address(2).into(), &NOBODY, expires + Duration::from_secs(100));
    rig.engine.set_client_name(START, &name("laptop"), address(1).into(), &NOBODY, expires);
    check(rig, "laptop.clients.event.example", 1, &forward("laptop", "10.0.1.1", 60));
    assert!(rig.resolve(&plain("iphone.clients.event.example", 1)).starts_with("NXDOMAIN"));
    rig.now = expires - Duration::from_secs(7);
    check(rig, "laptop.clients.event.example", 1, &forward("laptop", "10.0.1.1", 7));
    rig.now = expires;
    assert!(rig.resolve(&plain("laptop.clients.event.example", 1)).starts_with("NXDOMAIN"));
    assert_eq!(rig.engine.deadline(), Some(expires));
    rig.engine.on_deadline(expires);
    assert_eq!(rig.engine.counters().client_names, 1);
    check(rig, "iphone-2.clients.event.example", 1, &forward("iphone-2", "10.0.1.2", 60));
    rig.engine.remove_client_name(address(2).into());
    assert!(rig.resolve(&plain("2.1.0.10.in-addr.arpa", 12)).starts_with("NXDOMAIN"));
}

/// RFC 4703 section 5.2, RFC 3596: one client has one name for both families, told by its hardware address or DUID, and
/// others who ask for it get another. Of each family the newest address counts; what is left is still there when it ends.
#[test]
fn a_client_has_one_name_for_both_families() {
    let rig = &mut Rig::new(settings());
    let laptop = HostName::sanitise(b"laptop").unwrap();
    let duid = |last| Some(Duid([0, 4, last].into()));
    let mac = |last| Some(Mac([2, 0, 0x5e, 0x10, 0, last]));
    let by_mac = ClientIdentity { mac: mac(1), duid: None };
    let by_both = ClientIdentity { mac: mac(1), duid: duid(1) };
    let other = ClientIdentity { mac: mac(2), duid: duid(2) };
    let (v4, moved) = (|last| Ipv4Addr::new(10, 0, 1, last).into(), Ipv4Addr::new(10, 0, 2, 1).into());
    let v6 = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last).into();
    let expires = START + Duration::from_secs(1_000);
    let soon = START + Duration::from_secs(300);
    for (address, client) in [(v4(1), &by_mac), (v6(1), &by_both), (v4(2), &other), (v6(2), &other)] {
        rig.engine.set_client_name(START, &laptop, address, client, expires);
    }
    let says = |name: &str, qtype: &str, value: &str| {
        format!("NOERROR aa rd ra; {name}.clients.event.example {qtype}; = {name}.clients.event.example 60 {value}")
    };
    check(rig, "laptop.clients.event.example", 1, &says("laptop", "A", "10.0.1.1"));
    check(rig, "laptop.clients.event.example", 28, &says("laptop", "AAAA", "2001:db8:0:1::1"));
    check(rig, "laptop-2.clients.event.example", 1, &says("laptop-2", "A", "10.0.1.2"));
    check(rig, "laptop-2.clients.event.example", 28, &says("laptop-2", "AAAA", "2001:db8:0:1::2"));
    let pointer = format!("2.{}1.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "0.".repeat(15));
    let expected = format!("NOERROR aa rd ra; {pointer} PTR; = {pointer} 60 laptop-2.clients.event.example");
    check(rig, &pointer, 12, &expected);
    // It moves to another VLAN, and the old lease is still its own there.
    rig.engine.set_client_name(START, &laptop, moved, &by_mac, soon);
    check(rig, "laptop.clients.event.example", 1, &says("laptop", "A", "10.0.2.1"));
    rig.now = soon;
    rig.engine.on_deadline(soon);
    check(rig, "laptop.clients.event.example", 1, &says("laptop", "A", "10.0.1.1"));
    // Without its IPv4 address the name is there, and has none (RFC 2308 section 2.2).
    rig.engine.remove_client_name(v4(1));
    check(rig, "laptop.clients.event.example", 1, &format!("NOERROR aa rd ra; laptop.clients.event.example A; {SOA}"));
    rig.engine.remove_client_name(v6(1));
    assert!(rig.resolve(&plain("laptop.clients.event.example", 28)).starts_with("NXDOMAIN"));
    // An address that goes from one client to the next of the same name takes nothing along.
    rig.engine.set_client_name(soon, &laptop, v4(2), &by_both, expires);
    check(rig, "laptop.clients.event.example", 1, &says("laptop", "A", "10.0.1.2"));
    check(rig, "laptop-2.clients.event.example", 28, &says("laptop-2", "AAAA", "2001:db8:0:1::2"));
    assert_eq!(rig.engine.counters().client_names_refused, 0);
}

/// However many addresses somebody has, a name has a bound.
#[test]
fn addresses_of_a_name_are_bounded() {
    let rig = &mut Rig::new(settings());
    let laptop = HostName::sanitise(b"laptop").unwrap();
    let client = ClientIdentity { mac: Some(Mac([2, 0, 0x5e, 0x10, 0, 1])), duid: None };
    for last in 0..200 {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last).into();
        rig.engine.set_client_name(START, &laptop, address, &client, START + Duration::from_secs(1_000));
    }
    assert_eq!(
        (rig.engine.counters().client_names, rig.engine.counters().client_names_refused),
        (9 * 16, 200 - 9 * 16)
    );
}

#[test]
fn planned_names_win_and_domains_outside_zones_become_zones() {
    let expires = START + Duration::from_secs(100);
    let name = HostName::sanitise(b"sw-4f-1").unwrap();
    let mut shared = Rig::new(Settings { client_names_zone: Some("event.example".into()), ..settings() });
    shared.engine.set_client_name(START, &name, Ipv4Addr::new(10, 0, 1, 1).into(), &NOBODY, expires);
    assert!(shared.resolve(&plain("sw-4f-1.event.example", 1)).ends_with("300 10.0.0.41"));
    assert_eq!(shared.engine.counters().client_names_refused, 1);

    let mut apart = Rig::new(Settings { client_names_zone: Some("guests.example".into()), ..settings() });
    assert!(apart.resolve(&plain("sw-4f-1.guests.example", 1)).starts_with("NXDOMAIN aa"));
    // An address outside our reverse zones: what an upstream said about it before must not hide the name.
    let query = plain("1.9.0.203.in-addr.arpa", 12);
    assert!(apart.resolve(&query).starts_with("NOERROR rd ra; 1.9.0.203.in-addr.arpa PTR; ~"));
    apart.engine.set_client_name(START, &name, Ipv4Addr::new(203, 0, 9, 1).into(), &NOBODY, expires);
    assert!(apart.resolve(&plain("sw-4f-1.guests.example", 1)).ends_with("60 203.0.9.1"));
    assert!(apart.resolve(&query).ends_with("60 sw-4f-1.guests.example"));
}

#[test]
fn settings_are_checked() {
    use crate::SettingsError;
    let check = |change: fn(&mut Settings), expected: SettingsError| {
        let mut settings = settings();
        change(&mut settings);
        assert_eq!(Engine::new(settings, 1).err(), Some(expected));
    };
    let own: SocketAddr = "10.0.0.2:53".parse().unwrap();
    check(
        |settings| settings.upstreams.push("10.0.0.2:53".parse().unwrap()),
        SettingsError::UpstreamIsOurself { upstream: own },
    );
    check(
        |settings| {
            settings.own_addresses = vec!["[::]:53".parse().unwrap()];
            settings.upstreams = vec!["127.0.0.53:53".parse().unwrap()];
        },
        SettingsError::UpstreamIsOurself { upstream: "127.0.0.53:53".parse().unwrap() },
    );
    check(
        |settings| settings.zones.push(settings.zones[0].clone()),
        SettingsError::DuplicateZone { origin: "event.example".into() },
    );
    check(
        |settings| settings.upstreams = (1..=17).map(upstream).collect(),
        SettingsError::TooManyUpstreams { count: 17 },
    );
    check(|settings| settings.client_names_zone = Some("a..b".into()), SettingsError::BadName { name: "a..b".into() });
}

/// A changed plan: its names are there at once, what an upstream said of them is forgotten, clients keep theirs.
#[test]
fn zones_can_be_replaced() {
    let mut rig = Rig::new(settings());
    let host = HostName::sanitise(b"laptop").unwrap();
    let address = Ipv4Addr::new(10, 0, 0, 77);
    rig.engine.set_client_name(rig.now, &host, address.into(), &NOBODY, rig.now + Duration::from_secs(600));
    let before = rig.resolve(&plain("www.example.com", client::TYPE_A));
    let mut changed = settings();
    changed.zones[0].records.retain(|record| record.name != "sw-4f-1.event.example");
    changed.zones.push(Zone {
        origin: "example.com".into(),
        primary: "ns.event.example".into(),
        records: vec![Record { name: "www.example.com".into(), data: RecordData::A(Ipv4Addr::new(10, 0, 0, 80)) }],
        ttl: 60,
    });
    rig.engine.set_zones(&changed).unwrap();
    let after = rig.resolve(&plain("www.example.com", client::TYPE_A));
    assert!(after.contains("10.0.0.80") && !before.contains("10.0.0.80"), "{before}\n{after}");
    assert!(rig.resolve(&plain("sw-4f-1.event.example", client::TYPE_A)).starts_with("NXDOMAIN"));
    assert!(rig.resolve(&plain("laptop.clients.event.example", client::TYPE_A)).contains("10.0.0.77"));
    changed.zones.push(changed.zones[0].clone());
    assert!(rig.engine.set_zones(&changed).is_err(), "the same zone twice");
    assert!(rig.resolve(&plain("www.example.com", client::TYPE_A)).contains("10.0.0.80"), "nothing has changed");
}
