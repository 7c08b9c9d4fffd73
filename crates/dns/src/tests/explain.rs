//! What an operator is told, and what flushing forgets.

use super::*;
use crate::{AskError, Flush, Shape, Source};

fn source(rig: &Rig, name: &str, qtype: &str) -> (Source, Option<Shape>) {
    let why = rig.engine.explain(rig.now, name, qtype).unwrap();
    (why.source, why.own)
}

#[test]
fn every_source_is_named() {
    let mut rig = Rig::new(settings());
    let host = model::HostName::sanitise(b"laptop").unwrap();
    let address = Ipv4Addr::new(192, 0, 2, 7).into();
    rig.engine.set_client_name(rig.now, &host, address, &NOBODY, rig.now + Duration::from_secs(600));
    let own = |origin: &str| Source::OwnZone(origin.to_owned());
    let said = |rcode, records| Some(Shape { rcode, records });
    let table = [
        ("NS.Event.Example", "A", own("event.example."), said(0, 1)),
        ("nowhere.event.example.", "A", own("event.example."), said(3, 0)),
        ("laptop.clients.event.example", "A", own("event.example."), said(0, 1)),
        ("7.2.0.192.in-addr.arpa", "PTR", Source::ClientName, said(0, 1)),
        ("localhost", "A", Source::SpecialName, said(0, 1)),
        ("printer.local", "A", Source::SpecialName, said(3, 0)),
        ("www.example.org", "ANY", Source::MinimalAny, said(0, 1)),
        ("www.example.org", "HTTPS", Source::Upstreams, None),
        ("www.example.org", "TYPE65280", Source::Upstreams, None),
    ];
    for (name, qtype, expected, shape) in table {
        assert_eq!(source(&rig, name, qtype), (expected, shape), "{name} {qtype}");
    }
    assert!(rig.asked.is_empty() && rig.engine.next_effect().is_none(), "explaining asks nobody");
}

#[test]
fn what_is_kept_is_shown_until_it_is_forgotten() {
    let mut rig = Rig::new(settings());
    for name in ["www.example.com", "mail.example.com", "www.example.net"] {
        rig.resolve(&plain(name, client::TYPE_A));
    }
    let kept = |rig: &Rig, name: &str| rig.engine.explain(rig.now, name, "A").unwrap().cached;
    let cached = kept(&rig, "WWW.example.com");
    assert_eq!((cached.len(), cached[0].dnssec_ok, cached[0].checking_disabled), (1, false, false));
    assert!(cached[0].fresh_for.is_some() && cached[0].recheck_in.is_zero());
    rig.wait(cached[0].fresh_for.unwrap() + ms(1));
    assert_eq!(kept(&rig, "www.example.com")[0].fresh_for, None, "past its end, and still there");

    assert_eq!(rig.engine.flush(&Flush::Name("www.example.com".to_owned())), Ok(1));
    assert_eq!(kept(&rig, "www.example.com"), []);
    assert_eq!(rig.engine.flush(&Flush::Suffix("COM.".to_owned())), Ok(1));
    assert_eq!(rig.engine.flush(&Flush::All), Ok(1));
    assert_eq!((rig.engine.flush(&Flush::All), rig.engine.cache_use().0), (Ok(0), 0));
}

#[test]
fn a_question_in_flight_is_said() {
    let mut rig = Rig::new(settings());
    rig.query(udp(5_000), &plain("www.example.com", client::TYPE_A));
    assert!(rig.engine.explain(rig.now, "www.example.com", "A").unwrap().is_waited_for);
    assert!(!rig.engine.explain(rig.now, "www.example.com", "AAAA").unwrap().is_waited_for);
}

#[test]
fn what_is_no_name_or_type_is_refused() {
    let mut rig = Rig::new(settings());
    let long = "x".repeat(64);
    for name in ["a..b", long.as_str(), ""] {
        assert_eq!(rig.engine.explain(rig.now, name, "A"), Err(AskError::Name(name.to_owned())), "{name}");
        assert_eq!(rig.engine.flush(&Flush::Name(name.to_owned())), Err(AskError::Name(name.to_owned())), "{name}");
    }
    assert_eq!(rig.engine.explain(rig.now, "a.b", "BOGUS"), Err(AskError::Type("BOGUS".to_owned())));
}
