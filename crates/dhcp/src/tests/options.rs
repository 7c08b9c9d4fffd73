use std::time::Duration;

use model::HostName;

use super::{Bench, attendee, example, mac, sender};
use crate::{
    ClassSettings, Match, OptionSetting, Reservation, ReservationKey,
    client::{ClientReply, Sender},
    message::{MessageBuilder, MessageType, MessageView, code},
    options::{Value, by_code, encode},
};

fn codes_in_order(bytes: &[u8]) -> Vec<u8> {
    let mut codes = Vec::new();
    let mut left = &bytes[240..];
    while let [code, len, rest @ ..] = left {
        if *code == code::END {
            break;
        }
        codes.push(*code);
        left = &rest[usize::from(*len)..];
    }
    codes
}

/// RFC 2132 sections 3.3 and 9.8: mandatory ones first, the mask before the router, then the client's own order.
#[test]
fn the_parameter_list_orders_the_reply() {
    for (parameters, want) in [
        (&[6, 3, 15][..], &[53, 54, 51, 58, 59, 1, 6, 3, 15][..]),
        (&[3, 1, 3, 250, 0, 255, 51, 53, 54, 82], &[53, 54, 51, 58, 59, 1, 3]),
        (&[], &[53, 54, 51, 58, 59, 1, 3, 6, 42, 15, 119, 28]),
    ] {
        let mut bench = Bench::example();
        let offer = bench.discover(&Sender { parameters, ..sender(1) }).unwrap();
        assert_eq!(codes_in_order(&offer.reply.bytes), want, "{parameters:?}");
    }
    let all: Vec<u8> = (1..=255).collect();
    let offer = Bench::example().discover(&Sender { parameters: &all, ..sender(1) }).unwrap();
    assert_eq!(codes_in_order(&offer.reply.bytes), [53, 54, 51, 58, 59, 1, 3, 6, 15, 28, 42, 119]);
}

#[test]
fn the_values_are_the_subnets() {
    let offer = Bench::example().discover(&sender(1)).unwrap();
    for (code, want) in [
        (1, &[255, 255, 255, 0][..]),
        (3, &[198, 51, 100, 1]),
        (6, &[192, 0, 2, 53]),
        (15, b"event.example"),
        (28, &[198, 51, 100, 255]),
        (42, &[192, 0, 2, 123]),
        (54, &[192, 0, 2, 1]),
        (119, b"\x05event\x07example\0"),
    ] {
        assert_eq!(offer.option(code).as_deref(), Some(want), "option {code}");
    }
}

/// RFC 2131 section 4.4.5: T1 about half, T2 seven eighths, T1 < T2 < the lease; the same each time for a client.
#[test]
fn times() {
    for lease in [10, 61, 3600, 86_400, u64::from(u32::MAX) - 1] {
        let mut settings = example();
        settings.subnets[0].lease = Duration::from_secs(lease);
        let mut bench = Bench::new(settings);
        let offer = bench.discover(&sender(1)).unwrap();
        let ack = bench.select(&sender(1), offer.yiaddr).unwrap();
        let parsed = ClientReply::parse(&ack.reply.bytes).unwrap().unwrap();
        let (renewal, rebinding) =
            (parsed.renewal_time().unwrap().as_secs(), parsed.rebinding_time().unwrap().as_secs());
        assert_eq!(parsed.lease_time(), Some(Duration::from_secs(lease)));
        assert!(renewal <= lease / 2 && renewal >= lease / 2 - lease / 32, "{renewal} of {lease}");
        assert!(renewal < rebinding && rebinding == lease * 7 / 8, "{rebinding} of {lease}");
    }
}

/// RFC 2131 section 3.3: the number for "for ever" means it, and then there is nothing to renew.
#[test]
fn leases_for_ever() {
    let mut settings = example();
    settings.subnets[0].lease = Duration::MAX;
    let mut bench = Bench::new(settings);
    let address = bench.bind(&sender(1));
    let ack = bench.renew(&sender(1), address).unwrap();
    assert_eq!(ack.option(code::LEASE_TIME), Some(vec![255; 4]));
    assert_eq!((ack.option(code::RENEWAL_TIME), ack.option(code::REBINDING_TIME)), (None, None));
    bench.pass(Duration::from_secs(400 * 86_400));
    assert_eq!(bench.used(), 1);
}

/// RFC 2131 section 4.3.1: a client may ask for less time than the subnet gives, not for more, nor for next to none.
#[test]
fn the_lease_time_a_client_wants() {
    for (wanted, want) in [(u32::MAX, 3600), (7200, 3600), (1200, 1200), (5, 300), (0, 300)] {
        let mut builder = MessageBuilder::request(MessageType::Discover, 1, mac(1));
        builder.option(code::LEASE_TIME, &u32::to_be_bytes(wanted));
        let offer = Bench::example().send(&builder.finish(None)).unwrap();
        let parsed = ClientReply::parse(&offer.reply.bytes).unwrap().unwrap();
        assert_eq!(parsed.lease_time(), Some(Duration::from_secs(want)), "{wanted}");
    }
}

/// RFC 6842 section 3: option 61 comes back in OFFER, ACK and NAK if it was sent, else not.
#[test]
fn the_client_identifier_is_echoed() {
    let who = Sender { client_identifier: Some(b"\x00laptop"), ..sender(1) };
    let mut bench = Bench::example();
    let offer = bench.discover(&who).unwrap();
    let ack = bench.select(&who, offer.yiaddr).unwrap();
    let nak = bench.reboot(&who, attendee(18)).unwrap();
    for answer in [&offer, &ack, &nak] {
        assert_eq!(answer.option(code::CLIENT_IDENTIFIER).as_deref(), Some(&b"\x00laptop"[..]), "{:?}", answer.kind);
    }
    assert_eq!(nak.kind, MessageType::Nak);
    assert_eq!(bench.discover(&sender(2)).unwrap().option(code::CLIENT_IDENTIFIER), None);
}

/// RFC 1542 section 2.1: at least 300 octets. RFC 2132 section 9.10: no more than the client takes, never less than
/// 576 with headers; what does not fit is left out whole.
#[test]
fn reply_sizes() {
    let mut settings = example();
    settings.subnets[0].name_servers = (101..=160).map(attendee).collect();
    settings.subnets[0].ntp_servers = (164..=226).map(attendee).collect();
    let whole = 240 + 3 + 6 + 3 * 6 + 6 + 1;
    for (size, information, most, has_both) in [
        (None, 0, 548, false),
        (Some(0_u16), 0, 548, false),
        (Some(1), 0, 548, false),
        (Some(576), 0, 548, false),
        (Some(1500), 0, 1472, true),
        (Some(65_535), 255, 1472, true),
        (None, 255, 548 + 257, false),
    ] {
        let mut bench = Bench::new(settings.clone());
        let mut builder = MessageBuilder::request(MessageType::Discover, 1, mac(1));
        builder.giaddr(attendee(1)).option(code::PARAMETER_LIST, &[15, 6, 42, 3]);
        if let Some(size) = size {
            builder.option(code::MESSAGE_SIZE, &size.to_be_bytes());
        }
        let mut data = vec![1, 253];
        data.resize(information, b'x');
        let offer = bench.send(&builder.finish((information > 0).then_some(&data))).unwrap();
        assert!(offer.reply.bytes.len() <= most && offer.reply.bytes.len() >= whole, "{size:?}");
        assert!(MessageView::parse(&offer.reply.bytes).is_ok());
        assert!(offer.option(6).is_some() && offer.option(3).is_some(), "{size:?}");
        assert_eq!(offer.option(42).is_some(), has_both, "{size:?}");
    }
    let nak = Bench::example().reboot(&sender(1), "10.0.0.1".parse().unwrap()).unwrap();
    assert_eq!(nak.reply.bytes.len(), 300);
}

/// RFC 2132 section 3.14: a reserved name is told to the client that asks for it.
#[test]
fn reserved_names_are_told() {
    let mut settings = example();
    settings.subnets[0].reservations = vec![Reservation {
        client: ReservationKey::Mac(mac(1)),
        address: attendee(5),
        host_name: HostName::sanitise(b"printer"),
        options: Vec::new(),
    }];
    let mut bench = Bench::new(settings);
    let who = Sender { parameters: &[12, 3], host_name: Some("something"), ..sender(1) };
    bench.bind(&who);
    let ack = bench.renew(&who, attendee(5)).unwrap();
    assert_eq!(ack.option(12).as_deref(), Some(&b"printer"[..]));
    assert_eq!(bench.saves()[0].host_name, HostName::sanitise(b"printer"));
    assert_eq!(bench.discover(&Sender { parameters: &[12], ..sender(2) }).unwrap().option(12), None);
}

/// RFC 3442: routes of a class get the default route too, that of the class when it has one.
#[test]
fn routes_of_a_class_have_the_default_route() {
    let option = |code: u8, data: &[u8]| OptionSetting { code, data: data.to_vec(), always: true };
    let route = [8, 10, 198, 51, 100, 9];
    for (of_class, router) in [
        (vec![option(121, &route)], [198, 51, 100, 1]),
        (vec![option(3, &[198, 51, 100, 7]), option(121, &route)], [198, 51, 100, 7]),
    ] {
        let when = vec![vec![Match::MacPrefix(mac(1).0.to_vec())]];
        let mut settings = example();
        settings.classes = vec![ClassSettings { name: "ap".into(), when, options: of_class, lease: None }];
        let mut bench = Bench::new(settings);
        let offer = bench.discover(&Sender { parameters: &[3], ..sender(1) }).unwrap();
        assert_eq!(offer.option(code::ROUTER), Some(router.to_vec()));
        assert_eq!(offer.option(121), Some([&route[..], &[0], &router].concat()), "{router:?}");
        assert_eq!(bench.discover(&sender(2)).unwrap().option(121), None, "not of the class");
    }
}

/// An option of several layers is there once, with the value of the most particular, also when only another layer
/// sends it unasked; one that the server makes itself cannot be doubled.
#[test]
fn layers_never_double_an_option() {
    let option = |code: u8, data: &[u8], always| OptionSetting { code, data: data.to_vec(), always };
    let mut settings = example();
    let when = vec![vec![Match::MacPrefix(mac(1).0.to_vec())]];
    let options = vec![option(17, b"class", false), option(58, &[0, 0, 0, 1], true)];
    settings.classes = vec![ClassSettings { name: "ap".into(), when, options, lease: None }];
    settings.subnets[0].options = vec![option(17, b"subnet", true)];
    let mut bench = Bench::new(settings);
    let offer = bench.discover(&Sender { parameters: &[1, 17, 58, 59], ..sender(1) }).unwrap();
    let unasked = bench.discover(&Sender { parameters: &[1], ..sender(1) }).unwrap();
    for answer in [&offer, &unasked] {
        assert_eq!(answer.option(17).as_deref(), Some(&b"class"[..]));
        assert_eq!(answer.option(code::RENEWAL_TIME).map(|data| data.len()), Some(4));
        assert_eq!(codes_in_order(&answer.reply.bytes), [53, 54, 51, 58, 59, 1, 17]);
    }
    let other = bench.discover(&Sender { parameters: &[1], ..sender(2) }).unwrap();
    assert_eq!(other.option(17).as_deref(), Some(&b"subnet"[..]));
}

/// RFC 3396 section 6: a search list of more than 255 octets is told in pieces.
#[test]
fn long_search_lists_are_told_in_pieces() {
    let domains = (0..20).map(|number| format!("hall-{number:03}.example")).collect();
    let data = encode(by_code(code::DOMAIN_SEARCH).unwrap(), &Value::Domains(domains)).unwrap();
    let mut settings = example();
    settings.subnets[0].options = vec![OptionSetting { code: code::DOMAIN_SEARCH, data: data.clone(), always: false }];
    let mut builder = MessageBuilder::request(MessageType::Discover, 1, mac(1));
    builder.option(code::PARAMETER_LIST, &[119]);
    builder.option(code::MESSAGE_SIZE, &1500_u16.to_be_bytes());
    let offer = Bench::new(settings.clone()).send(&builder.finish(None)).unwrap();
    assert_eq!((data.len(), offer.option(code::DOMAIN_SEARCH)), (360, Some(data)));
    let small = Bench::new(settings).discover(&sender(1)).unwrap();
    assert_eq!(small.option(code::DOMAIN_SEARCH), None, "no room for it: left out whole");
}
