//! What the team adds: zone files, block lists, and where to ask encrypted.

use super::*;
use crate::{Blocked, Designated, ZoneFile};

const HTTPS: u16 = 65;
const SVCB: u16 = 64;

fn check(rig: &mut Rig, name: &str, qtype: u16, expected: &str) {
    let text = rig.resolve(&plain(name, qtype));
    assert!(text.starts_with(expected), "{name} {qtype}: {text}");
}

const CORP: &str = "$ORIGIN corp.example.\n$TTL 120\n@ SOA ns hostmaster 7 3600 900 604800 60\n@ NS ns\n\
    ns A 192.0.2.53\nwww 30 A 192.0.2.80\nwww HTTPS 1 . alpn=h2\n*.apps A 192.0.2.81\nreal.apps TXT here\n\
    go CNAME www.example.com.\n@ MX 10 mail.corp.example.\n";

/// RFC 1035 section 5, RFC 2308 section 4 (negative answers), RFC 4592 (wildcards), RFC 9460 (HTTPS records unchanged).
#[test]
fn zone_files_are_served() {
    let file = ZoneFile::read(CORP.as_bytes()).unwrap();
    let more = ZoneFile::read(b"$ORIGIN event.example.\n@ 60 SOA a a 1 2 3 4 5\nprinter 60 A 10.0.0.77\n").unwrap();
    let rig = &mut Rig::new(Settings { zone_files: vec![file, more], ..settings() });
    check(rig, "www.corp.example", 1, "NOERROR aa rd ra; www.corp.example A; = www.corp.example 30 192.0.2.80");
    check(
        rig,
        "www.corp.example",
        HTTPS,
        "NOERROR aa rd ra; www.corp.example HTTPS; = www.corp.example 120 1 . alpn=h2",
    );
    check(rig, "corp.example", 15, "NOERROR aa rd ra; corp.example MX; = corp.example 120 10 mail.corp.example");
    check(rig, "none.corp.example", 1, "NXDOMAIN aa rd ra; none.corp.example A; ~ corp.example 60 ns.corp.example");
    // RFC 4592 section 2.2.1: the asterisk stands for what does not exist, at any depth, and for nothing that does.
    check(
        rig,
        "any.apps.corp.example",
        1,
        "NOERROR aa rd ra; any.apps.corp.example A; = any.apps.corp.example 120 192.0.2.81",
    );
    check(rig, "a.b.apps.corp.example", 1, "NOERROR aa rd ra; a.b.apps.corp.example A; = a.b.apps.corp.example 120");
    check(rig, "any.apps.corp.example", 28, "NOERROR aa rd ra; any.apps.corp.example AAAA; ~ corp.example 60");
    check(rig, "real.apps.corp.example", 1, "NOERROR aa rd ra; real.apps.corp.example A; ~ corp.example 60");
    check(rig, "x.real.apps.corp.example", 1, "NXDOMAIN");
    // An alias out of it is followed; a file named like the event adds to the event's own names.
    check(
        rig,
        "go.corp.example",
        1,
        "NOERROR rd ra; go.corp.example A; = go.corp.example 120 www.example.com; = www.ex",
    );
    check(
        rig,
        "printer.event.example",
        1,
        "NOERROR aa rd ra; printer.event.example A; = printer.event.example 60 10.0.0.77",
    );
    check(rig, "ns.event.example", 1, "NOERROR aa rd ra; ns.event.example A; = ns.event.example 300 10.0.0.2");
}

/// RFC 8914 section 4.16. Every type, HTTPS too, or browsers would go around the list.
#[test]
fn blocked_names_do_not_exist() {
    let mut blocked = Blocked::default();
    assert_eq!(blocked.add_list(b"ads.example\n0.0.0.0 www.event.example\n").names, 2);
    let mut rig = Rig::new(settings());
    let kept = rig.resolve(&plain("x.ads.example", 1));
    assert!(kept.starts_with("NOERROR"), "{kept}");
    rig.engine.set_zones(&Settings { blocked, ..settings() }).unwrap();
    for qtype in [1, 28, HTTPS, 16] {
        let text = rig.resolve(&client::query(1, "x.ADS.example", qtype, true));
        assert!(text.starts_with("NXDOMAIN rd ra; x.ADS.example"), "{text}");
        assert!(text.contains("~ ADS.example 60") && text.ends_with("ede 15"), "{text}");
    }
    // What is ours is not for lists to take away; names beside are not meant.
    check(&mut rig, "www.event.example", 1, "NOERROR aa");
    check(&mut rig, "myads.example", 1, "NOERROR rd ra");
    assert_eq!(rig.engine.counters().blocked, 4);
}

/// RFC 9462 sections 4 and 5: by address at `_dns.resolver.arpa`, by name below our own.
#[test]
fn clients_learn_where_to_ask_encrypted() {
    let designated = Designated {
        name: "ns.event.example".to_owned(),
        ipv4: vec![Ipv4Addr::new(10, 0, 0, 2)],
        ipv6: vec!["2001:db8::2".parse().unwrap()],
        tls_port: Some(853),
        https_port: Some(443),
    };
    let mut rig = Rig::new(Settings { designated: Some(designated.clone()), ..settings() });
    // Zones that are set anew keep it.
    rig.engine.set_zones(&settings()).unwrap();
    for name in ["_dns.resolver.arpa", "_dns.ns.event.example"] {
        let text = rig.resolve(&plain(name, SVCB));
        let dot = format!("= {name} 300 1 ns.event.example. alpn=dot port=853 ipv4hint=10.0.0.2 ipv6hint=2001:db8::2");
        let doh = format!("= {name} 300 2 ns.event.example. alpn=h2 port=443 ipv4hint=10.0.0.2 ipv6hint=2001:db8::2");
        assert!(text.starts_with(&format!("NOERROR aa rd ra; {name} SVCB; {dot}; {doh}")), "{text}");
        assert!(text.ends_with("dohpath=/dns-query{?dns}"), "{text}");
    }
    check(&mut rig, "_dns.resolver.arpa", 1, "NOERROR aa rd ra; _dns.resolver.arpa A; ~ resolver.arpa");
    // Without encrypted service there is nothing to say, and nobody else is asked (section 6.1).
    let mut rig = Rig::new(Settings {
        designated: Some(Designated { tls_port: None, https_port: None, ..designated }),
        ..settings()
    });
    check(&mut rig, "_dns.resolver.arpa", SVCB, "NOERROR aa rd ra; _dns.resolver.arpa SVCB; ~ resolver.arpa");
    check(&mut rig, "_dns.ns.event.example", SVCB, "NXDOMAIN");
}
