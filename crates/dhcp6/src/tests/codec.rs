//! Reading and writing messages: any bytes, and what we write ourselves.

use proptest::prelude::*;

use super::*;
use crate::message::{MESSAGE_SIZE_MAX, Options, Packet, ParseError, Writer, code};

fn check(options: &[u8], expected: Result<usize, ParseError>) {
    let bytes = [&[1, 0, 0, 1], options].concat();
    assert_eq!(Packet::parse(&bytes).map(|packet| packet.message.options().count()), expected, "{options:02x?}");
}

#[test]
fn options_are_checked() {
    check(&[], Ok(0));
    check(&[0, 14, 0, 0], Ok(1));
    check(&[0], Err(ParseError::OptionOverrun(0)));
    check(&[0, 14, 0], Err(ParseError::OptionOverrun(14)));
    check(&[0, 14, 0, 1], Err(ParseError::OptionOverrun(14)));
    check(&[0, 14, 0, 1, 0], Err(ParseError::OptionLength(14)));
    check(&[0, 14, 0, 0, 0, 14, 0, 0], Err(ParseError::OptionTwice(14)));
    check(&[0, 1, 0, 2, 0, 3], Err(ParseError::OptionLength(1)));
    check(&[0, 6, 0, 3, 0, 23, 0], Err(ParseError::OptionLength(6)));
    check(&[0, 3, 0, 4, 0, 0, 0, 1], Err(ParseError::OptionLength(3)));
    check(&[0, 8, 0, 1, 0], Err(ParseError::OptionLength(8)));
    check(&[0, 23, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Err(ParseError::OptionLength(23)));
    // IA_NA with an IA Address too short inside, and with an option that runs past it.
    check(&[0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0], Err(ParseError::OptionLength(5)));
    check(&[0, 3, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0, 9], Err(ParseError::OptionOverrun(13)));
    // Unknown options are kept.
    check(&[0xff, 0xff, 0, 1, 7], Ok(1));
}

#[test]
fn headers_are_checked() {
    let relay = |rest: &[u8]| [&[12, 0], &[0; 32][..], rest].concat();
    let table = [
        (vec![], ParseError::TooShort(0)),
        (vec![1, 2, 3], ParseError::TooShort(3)),
        (vec![0; 8], ParseError::UnknownType(0)),
        (vec![14; 8], ParseError::UnknownType(14)),
        (vec![12; 33], ParseError::TooShort(33)),
        (relay(&[]), ParseError::EmptyRelay),
        (relay(&[0, 9, 0, 0]), ParseError::TooShort(0)),
        (relay(&[0, 9, 0, 4, 1, 0, 0, 1, 0, 9, 0, 4, 1, 0, 0, 1]), ParseError::OptionTwice(9)),
        (vec![1; MESSAGE_SIZE_MAX + 1], ParseError::TooLong(MESSAGE_SIZE_MAX + 1)),
    ];
    for (bytes, error) in table {
        assert_eq!(Packet::parse(&bytes).map(|_| ()), Err(error));
    }
    let mixed = Writer::relay_forward(0, RELAY, CLIENT, &Writer::relay_reply(0, RELAY, CLIENT, &[7, 0, 0, 1]).finish());
    assert_eq!(Packet::parse(&mixed.finish()).map(|_| ()), Err(ParseError::Nesting));
}

#[test]
fn rfc_4704_names_are_read_and_sanitised() {
    let table: [(&[u8], Option<&str>); 6] = [
        (b"\0\x06laptop\x05event\x07example\0", Some("laptop")),
        (b"\x01\x06LAPTOP", Some("laptop")),
        (b"\0\x09laptop", None),
        (b"\0\x00", None),
        (b"\0", None),
        (b"\0\xc0\x0c", None),
    ];
    for (data, name) in table {
        let mut writer = Writer::message(MessageType::Solicit, 1);
        writer.option(code::CLIENT_FQDN, data);
        let bytes = writer.finish();
        let host_name = Packet::parse(&bytes).unwrap().message.host_name();
        assert_eq!(host_name.as_ref().map(model::HostName::as_str), name, "{data:02x?}");
    }
}

#[test]
fn time_to_read_is_linear() {
    // Deep nesting of IA options costs nothing: they are not followed into each other.
    let mut inner = Vec::new();
    while inner.len() + 16 < MESSAGE_SIZE_MAX - 4 {
        let len = u16::try_from(inner.len() + 12).unwrap().to_be_bytes();
        inner = [&[0, 3, len[0], len[1]], &[0; 12][..], &inner].concat();
    }
    check(&inner, Ok(1));
}

fn collect<'a>(options: Options<'a>) -> Vec<(u16, Vec<u8>)> {
    options.map(|(code, data)| (code, data.to_vec())).collect()
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..16_u8) {
        let mut bench = Bench::example();
        for first in [None, Some(kind)] {
            let mut bytes = bytes.clone();
            if let (Some(first), Some(octet)) = (first, bytes.first_mut()) {
                *octet = first;
            }
            bench.send_bytes(&bytes);
        }
        prop_assert_eq!(bench.engine.leases().count(), 0);
    }

    /// Options with the right shape around bytes of any kind, so that the engine is reached.
    #[test]
    fn any_options_do_no_harm(
        kind in 1..12_u8,
        options in proptest::collection::vec((0..140_u16, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
        relays in 0..3_usize,
    ) {
        let mut writer = Writer::message(MessageType::from_number(kind).unwrap(), 1);
        writer.option(code::CLIENT_ID, &duid(1).0);
        for (code, data) in &options {
            writer.option(*code, data);
        }
        let message = (0..relays).fold(writer.finish(), |inner, _| crate::client::relayed(RELAY, CLIENT, b"x", &inner));
        let mut bench = Bench::new(Settings { rapid_commit: true, ..example() });
        if let Some(answer) = bench.send_bytes(&message) {
            prop_assert!(answer.reply.bytes.len() < MESSAGE_SIZE_MAX);
        }
    }

    #[test]
    fn what_is_written_is_read(
        kind in 1..12_u8,
        transaction_id in 0..0x0100_0000_u32,
        // Codes without a definition here may hold anything.
        options in proptest::collection::vec((200..u16::MAX, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
        associations in proptest::collection::vec((any::<u32>(), any::<u32>(), any::<u32>(), proptest::collection::vec((any::<u128>(), any::<u32>(), any::<u32>()), 0..8)), 0..8),
        hops in proptest::collection::vec((any::<u8>(), any::<u128>(), any::<u128>()), 0..8),
    ) {
        let message_type = MessageType::from_number(kind).unwrap();
        let mut writer = Writer::message(message_type, transaction_id);
        for (iaid, t1, t2, addresses) in &associations {
            writer.association(*iaid, *t1, *t2, |inner| {
                addresses.iter().for_each(|(address, preferred, valid)| inner.address((*address).into(), *preferred, *valid));
            });
        }
        options.iter().for_each(|(code, data)| writer.option(*code, data));
        let bytes = hops.iter().rev().fold(writer.finish(), |inner, (hop, link, peer)| {
            Writer::relay_forward(*hop, (*link).into(), (*peer).into(), &inner).finish()
        });
        let packet = Packet::parse(&bytes).unwrap();
        let relays: Vec<_> = packet.relays.iter()
            .map(|relay| (relay.hop_count, u128::from(relay.link_address), u128::from(relay.peer_address)))
            .collect();
        prop_assert_eq!(relays, hops);
        let message = packet.message;
        prop_assert_eq!((message.message_type, message.transaction_id), (message_type, transaction_id));
        let read: Vec<_> = message.associations().map(|ia| {
            let addresses: Vec<_> = ia.addresses().map(|(address, preferred, valid)| (u128::from(address), preferred, valid)).collect();
            (ia.iaid, ia.t1, ia.t2, addresses)
        }).collect();
        prop_assert_eq!(read, associations.clone());
        let mut others = collect(message.options());
        others.retain(|option| option.0 != code::IA_NA);
        prop_assert_eq!(others, options);
    }
}
