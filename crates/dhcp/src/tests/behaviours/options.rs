//! B13-B26: who a client is, how long replies are, and what their options look like.

use std::time::Duration;

use model::HostName;

use super::{discover_with, with};
use crate::{
    OptionSetting, SettingsError,
    client::{self, Sender},
    message::{MessageType, MessageView, code},
    tests::{Answer, Bench, GATEWAY, HOUR, attendee, example, kind, mac, sender},
};

/// RFC 2131 section 4.2, RFC 4361 section 6.1: option 61 is opaque and counts before the hardware address. A machine
/// that boots from the network and then says option 61 is two clients, of which both are known by one address.
#[test]
fn b13_client_identity() {
    let rfc4361 = [0xff, 1, 2, 3, 4, 0, 3, 0, 1, 2, 0, 0x5e, 0x10, 0, 9];
    let named = |number| Sender { client_identifier: Some(&rfc4361), ..sender(number) };
    let mut bench = Bench::example();
    let address = bench.bind(&named(1));
    assert_eq!(bench.bind(&named(2)), address, "another network card of the same client");
    assert_eq!(bench.engine.lease_of(address).unwrap().mac, Some(mac(2)));
    let by_hardware = bench.bind(&sender(2));
    assert_ne!(by_hardware, address);
    assert_eq!(bench.engine.lease_of(by_hardware).unwrap().mac, Some(mac(2)));
    assert_eq!(bench.used(), 2);
}

/// RFC 6842 section 3: option 61 comes back as it was, in every reply, if it was sent.
#[test]
fn b14_client_identifier_is_echoed() {
    for identifier in [None, Some(&b"\x00laptop"[..])] {
        let mut bench = Bench::example();
        let who = Sender { client_identifier: identifier, ..sender(1) };
        let offer = bench.discover(&who).unwrap();
        let ack = bench.select(&who, offer.yiaddr).unwrap();
        let nak = bench.reboot(&who, attendee(19)).unwrap();
        assert_eq!(nak.kind, MessageType::Nak);
        for answer in [offer, ack, nak] {
            assert_eq!(answer.option(code::CLIENT_IDENTIFIER).as_deref(), identifier, "{:?}", answer.kind);
        }
    }
}

/// RFC 3046 section 2.2: option 82 octet for octet and last in every reply, not in others; what it said is remembered
/// over renewals that lack it.
#[test]
fn b15_relay_agent_information_is_echoed() {
    // Out of order, repeated, empty and unknown sub-options.
    let information = [200, 0, 2, 2, b's', b'w', 1, 1, b'c', 1, 1, b'd', 9, 3, 0, 255, 0];
    let who = sender(1).relayed(attendee(1), &information);
    let mut bench = Bench::example();
    let offer = bench.discover(&who).unwrap();
    let ack = bench.select(&who, offer.yiaddr).unwrap();
    let nak = bench.reboot(&who, attendee(19)).unwrap();
    for answer in [offer, ack.clone(), nak] {
        let mut end = vec![code::RELAY_AGENT_INFORMATION, 17];
        end.extend(information);
        end.push(code::END);
        let bytes = &answer.reply.bytes;
        let last = bytes.iter().rposition(|&octet| octet != 0).unwrap() + 1;
        assert!(bytes[..last].ends_with(&end), "{:?}", answer.kind);
    }
    let renewal = bench.renew(&sender(1), ack.yiaddr).unwrap();
    assert_eq!(renewal.option(code::RELAY_AGENT_INFORMATION), None);
    let lease = bench.engine.lease_of(ack.yiaddr).unwrap();
    assert_eq!((&*lease.circuit_id, &*lease.remote_id), (&b"c"[..], &b"sw"[..]));
}

/// RFC 3396 sections 5 and 7: pieces are joined wherever they stand, `file` before `sname`; what is long is split.
#[test]
fn b16_long_options() {
    let name = discover_with(&sender(1), &[(12, b"lap"), (77, b""), (12, b"top")]);
    let mut bytes = with(name, &[(52, &[3])]);
    bytes[44..49].copy_from_slice(b"\x0c\x02-b\xff");
    bytes[108..113].copy_from_slice(b"\x0c\x02-a\xff");
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!(view.option(12), Some(&b"laptop-a-b"[..]));
    let long: Vec<u8> = (0..=255).cycle().take(600).collect();
    let mut settings = example();
    settings.subnets[0].options = vec![OptionSetting { code: 43, data: long.clone(), always: true }];
    let mut bench = Bench::new(settings);
    let offer = bench.send(&discover_with(&sender(1), &[(code::MESSAGE_SIZE, &1_400_u16.to_be_bytes())])).unwrap();
    assert_eq!(offer.option(43), Some(long));
    assert!(!offer.reply.bytes.windows(2).any(|pair| pair == [43, 0]), "no empty piece");
}

/// RFC 2132 sections 9.3 and 9.10: 576 octets with headers unless the client takes more; what does not fit goes into
/// `file` and `sname`, and what does not fit there is left out whole, the least wanted first.
#[test]
fn b17_reply_sizes() {
    let mut settings = example();
    let long = |code: u8, len: usize| OptionSetting { code, data: vec![code; len], always: true };
    settings.subnets[0].options =
        vec![long(224, 120), long(225, 120), long(226, 100), long(227, 50), long(228, 120), long(229, 120)];
    let list = [1, 3, 6, 224, 225, 226, 227, 228, 229];
    for (size, most, all) in
        [(None, 548, false), (Some(0_u16), 548, false), (Some(548), 548, false), (Some(1_400), 1_372, true)]
    {
        let mut bench = Bench::new(settings.clone());
        let size = size.map(u16::to_be_bytes);
        let options: Vec<_> = size.iter().map(|size| (code::MESSAGE_SIZE, &size[..])).collect();
        let who = Sender { parameters: &list, ..sender(1) };
        let offer = bench.send(&discover_with(&who, &options)).unwrap();
        assert!(offer.reply.bytes.len() <= most, "{} for {size:?}", offer.reply.bytes.len());
        let given: Vec<u8> = list.into_iter().filter(|&code| offer.option(code).is_some()).collect();
        for code in given.iter().filter(|code| **code >= 224) {
            let len = offer.option(*code).unwrap().len();
            assert_eq!(len, settings.subnets[0].options[usize::from(code - 224)].data.len(), "whole");
        }
        assert!(given.starts_with(&[1, 3, 6, 224, 225]), "the most wanted: {given:?}");
        assert_eq!(given.len() == list.len(), all, "{given:?}");
        assert_eq!(offer.option(code::OVERLOAD).is_some(), !all, "{size:?}");
    }
}

/// RFC 1542 section 2.1: some relay agents pass nothing shorter than 300 octets.
#[test]
fn b18_shortest_reply() {
    let mut bench = Bench::example();
    let who = Sender { parameters: &[1], ..sender(1) };
    let offer = bench.discover(&who).unwrap();
    let nak = bench.reboot(&who, attendee(200)).unwrap();
    let inform = bench.send(&client::inform(&who, attendee(200))).unwrap();
    for answer in [offer, nak, inform] {
        assert_eq!(answer.reply.bytes.len(), 300, "{:?}", answer.kind);
    }
}

fn codes(answer: &Answer) -> Vec<u8> {
    let mut left = &answer.reply.bytes[240..];
    let mut codes = Vec::new();
    while let [code, len, rest @ ..] = left {
        if *code == code::END {
            break;
        }
        codes.push(*code);
        left = &rest[usize::from(*len)..];
    }
    codes
}

/// RFC 2132 sections 3.3 and 9.8: what must be there, then what was asked for in that order, and nothing else; the mask
/// before the router.
#[test]
fn b19_parameter_list() {
    for (parameters, want) in [
        (&[42, 6, 3][..], &[53, 54, 51, 58, 59, 1, 42, 6, 3][..]),
        (&[3, 1], &[53, 54, 51, 58, 59, 1, 3]),
        (&[3, 3, 99, 0, 255], &[53, 54, 51, 58, 59, 1, 3]),
    ] {
        let offer = Bench::example().discover(&Sender { parameters, ..sender(1) }).unwrap();
        assert_eq!(codes(&offer), want);
    }
    let all: Vec<u8> = (0..=255).collect();
    let offer = Bench::example().discover(&Sender { parameters: &all[..255], ..sender(1) }).unwrap();
    assert_eq!(codes(&offer), [53, 54, 51, 58, 59, 1, 3, 6, 15, 28, 42, 119], "a list of 255 codes");
}

/// RFC 3442: a client that takes option 121 ignores option 3, so the default route is in both.
#[test]
fn b20_classless_routes() {
    let gateway = GATEWAY.octets();
    let route = [16, 10, 9, 198, 51, 100, 9];
    let default = [0, 198, 51, 100, 9];
    for (data, want) in [
        (route.to_vec(), [&route[..], &[0], &gateway].concat()),
        ([&route[..], &default].concat(), [&route[..], &default].concat()),
    ] {
        let mut settings = example();
        settings.subnets[0].options = vec![OptionSetting { code: 121, data, always: false }];
        let mut bench = Bench::new(settings);
        let offer = bench.discover(&Sender { parameters: &[1, 121, 3], ..sender(1) }).unwrap();
        assert_eq!(offer.option(121), Some(want));
        assert_eq!(offer.option(3), Some(gateway.to_vec()));
        assert_eq!(bench.discover(&sender(2)).unwrap().option(121), None, "not asked for");
    }
}

/// RFC 3397 section 2: names as labels, which need not be compressed; a name is never cut.
#[test]
fn b21_domain_search() {
    let offer = Bench::example().discover(&sender(1)).unwrap();
    assert_eq!(offer.option(119).as_deref(), Some(&b"\x05event\x07example\x00"[..]));
    assert_eq!(offer.option(15).as_deref(), Some(&b"event.example"[..]), "as text, without NUL");
}

/// RFC 8910 section 2.1: an https URI, not terminated by NUL.
#[test]
fn b22_captive_portal() {
    let portal = |uri: &str| {
        let mut settings = example();
        settings.subnets[0].captive_portal = Some(uri.into());
        settings
    };
    let uri = "https://portal.event.example/api";
    let offer = Bench::new(portal(uri)).discover(&Sender { parameters: &[1, 114], ..sender(1) }).unwrap();
    assert_eq!(offer.option(114).as_deref(), Some(uri.as_bytes()));
    for uri in ["http://portal.event.example", "https://portal.example/\0", "", &format!("https://{}", "a".repeat(250))]
    {
        let refused = crate::Engine::new(portal(uri), 1).unwrap_err();
        assert!(matches!(refused, SettingsError::CaptivePortal { .. }), "{uri}");
    }
}

/// RFC 8925 sections 3.1 and 3.3: four octets, only to clients that ask for it on a subnet that has it; they get an
/// address all the same.
#[test]
fn b23_ipv6_only_preferred() {
    let mut settings = example();
    settings.subnets[0].ipv6_only_wait = Some(Duration::from_secs(1_800));
    let mut bench = Bench::new(settings);
    let leaving = Sender { parameters: &[1, 3, 108], ..sender(1) };
    let offer = bench.discover(&leaving).unwrap();
    assert_eq!((offer.option(108), offer.yiaddr), (Some(vec![0, 0, 7, 8]), attendee(10)));
    for parameters in [&[1, 3][..], &[]] {
        assert_eq!(bench.discover(&Sender { parameters, ..sender(2) }).unwrap().option(108), None, "{parameters:?}");
    }
    assert_eq!(Bench::example().discover(&leaving).unwrap().option(108), None, "not that kind of subnet");
}

/// RFC 2131 sections 3.3, 4.3.1 and 4.4.5: never more than the subnet gives, not less than makes sense; T1 about half,
/// T2 seven eighths. 0xffffffff is for ever.
#[test]
fn b24_times() {
    let seconds = |answer: &Answer, code| answer.option(code).map(|data| u32::from_be_bytes(data.try_into().unwrap()));
    for (lease, wanted, want) in [
        (HOUR, None, 3_600),
        (HOUR, Some(600_u32), 600),
        (HOUR, Some(u32::MAX), 3_600),
        (HOUR, Some(0), 300),
        (Duration::from_secs(60), Some(1), 60),
        (Duration::MAX, None, u32::MAX),
        (Duration::MAX, Some(7_200), 7_200),
    ] {
        let mut settings = example();
        settings.subnets[0].lease = lease;
        let wanted = wanted.map(u32::to_be_bytes);
        let options: Vec<_> = wanted.iter().map(|wanted| (code::LEASE_TIME, &wanted[..])).collect();
        let offer = Bench::new(settings).send(&discover_with(&sender(1), &options)).unwrap();
        assert_eq!(seconds(&offer, code::LEASE_TIME), Some(want));
        let (renewal, rebinding) = (seconds(&offer, code::RENEWAL_TIME), seconds(&offer, code::REBINDING_TIME));
        if want == u32::MAX {
            assert_eq!((renewal, rebinding), (None, None));
            continue;
        }
        let (renewal, rebinding) = (renewal.unwrap(), rebinding.unwrap());
        assert!(renewal <= want / 2 && renewal >= want / 2 - want / 32, "T1 {renewal} of {want}");
        assert_eq!(u64::from(rebinding), u64::from(want) * 7 / 8);
    }
}

/// RFC 4702 sections 2.1 and 4: the name in text and in wire form; the answer says in the same form that the server
/// names the client (S, and O where the client wanted to do it itself), and echoes nothing else.
#[test]
fn b25_client_fqdn() {
    for (sent, want) in [
        (&b"\x00\0\0laptop"[..], &b"\x03\xff\xfflaptop.event.example"[..]),
        (b"\x01\0\0Laptop.elsewhere.example", b"\x01\xff\xfflaptop.event.example"),
        (b"\x05\0\0\x06laptop\x03lan\x00", b"\x05\xff\xff\x06laptop\x05event\x07example\0"),
        (b"\x04\0\0\x06laptop", b"\x07\xff\xff\x06laptop\x05event\x07example\0"),
        (b"\xfa\0\0laptop", b"\x03\xff\xfflaptop.event.example"),
    ] {
        let mut bench = Bench::example();
        let offer = bench.send(&discover_with(&sender(1), &[(81, sent)])).unwrap();
        let ack =
            bench.send(&with(super::selecting(&sender(1), offer.yiaddr, crate::tests::SERVER), &[(81, sent)])).unwrap();
        assert_eq!(bench.saves()[0].host_name, HostName::sanitise(b"laptop"), "{sent:?}");
        assert_eq!(ack.option(81).as_deref(), Some(want), "{sent:?}");
    }
    for sent in [&b"\x04\0\0\x3flaptop"[..], b"\x04\0\0\xc0\x00", b"\x00\0\0", b"\x00", b""] {
        let mut bench = Bench::example();
        let offer = bench.send(&discover_with(&sender(1), &[(81, sent)])).unwrap();
        assert_eq!(offer.option(81), None, "no name in {sent:?}");
    }
    assert_eq!(Bench::example().discover(&sender(1)).unwrap().option(81), None, "not sent");
}

/// RFC 1123 section 2.1: what goes into names is letters, digits and hyphens, whatever the client says.
#[test]
fn b26_host_names() {
    for (sent, want) in [
        (&b"Taro-no-iPhone"[..], Some("taro-no-iphone")),
        (b"a.b.c", Some("a")),
        (b"$(reboot)", Some("reboot")),
        (b"../../etc/passwd", None),
        (b"\"'<\0\xff\xfe", None),
        (b"", None),
        (&[b'x'; 255], Some("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
    ] {
        let mut bench = Bench::example();
        let offer = bench.send(&discover_with(&sender(1), &[(12, sent)])).unwrap();
        let request = super::selecting(&sender(1), offer.yiaddr, crate::tests::SERVER);
        assert_eq!(kind(bench.send(&with(request, &[(12, sent)]))), Some(MessageType::Ack), "{sent:?}");
        assert_eq!(bench.saves()[0].host_name.as_ref().map(HostName::as_str), want, "{sent:?}");
        assert_eq!(offer.option(12), None, "never told to others");
    }
}
