use std::net::Ipv4Addr;

use dhcproto::{
    Decodable, Encodable,
    v4::{DhcpOption, HType, Message, Opcode, OptionCode},
};
use proptest::prelude::*;

use super::{Bench, mac, sender};
use crate::{
    client::{self, ClientReply, Request},
    message::{MessageBuilder, MessageType, MessageView, ParseError, RelayAgentInformation, RelayAgentView, code},
};

/// A message with these octets after the cookie.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut bytes = MessageBuilder::request(MessageType::Discover, 1, mac(1)).finish(None);
    bytes.truncate(240);
    bytes.extend(options);
    bytes
}

/// RFC 3396 section 7: pieces are joined in their order, adjacent or not, also of length zero.
#[test]
fn options_in_pieces_are_joined() {
    for (options, want) in [
        (&[61, 2, 1, 2, 61, 1, 3, 255][..], &[1, 2, 3][..]),
        (&[61, 2, 1, 2, 12, 1, b'h', 0, 0, 61, 1, 3, 53, 1, 1, 61, 1, 4, 255], &[1, 2, 3, 4]),
        (&[61, 0, 53, 1, 1, 61, 2, 7, 8, 255], &[7, 8]),
        (&[61, 2, 7, 8, 61, 0, 255], &[7, 8]),
        (&[53, 1, 1, 61, 0], &[]),
        (&[61, 1, 5, 255, 61, 1, 6], &[5]),
    ] {
        let bytes = with_options(options);
        let view = MessageView::parse(&bytes).unwrap();
        assert_eq!(view.option(61), Some(want), "{options:?}");
    }
}

/// RFC 2132 section 9.3, RFC 3396 section 5: options, then `file`, then `sname`, as far as option 52 says.
#[test]
fn overload() {
    for (value, want) in [(1, &b"op-file"[..]), (2, b"op-sname"), (3, b"op-file-sname")] {
        let mut bytes = with_options(&[52, 1, value, 12, 2, b'o', b'p', 255]);
        bytes[44..44 + 9].copy_from_slice(b"\x0c\x06-sname\xff");
        bytes[108..108 + 8].copy_from_slice(b"\x0c\x05-file\xff");
        assert_eq!(MessageView::parse(&bytes).unwrap().option(12), Some(want));
        // Without END, up to the very edge of the field.
        bytes[44..108].fill(0);
        bytes[108..236].fill(0);
        bytes[106..108].copy_from_slice(&[77, 0]);
        bytes[234..236].copy_from_slice(&[77, 0]);
        assert_eq!(MessageView::parse(&bytes).unwrap().option(77), Some(&[][..]));
        bytes[107] = 1;
        bytes[235] = 1;
        assert_eq!(MessageView::parse(&bytes).unwrap_err(), ParseError::OptionOverrun(77));
    }
    for options in [&[52, 1, 0, 255][..], &[52, 1, 4, 255], &[52, 0, 255], &[52, 1, 1, 52, 1, 1, 255]] {
        assert_eq!(MessageView::parse(&with_options(options)).unwrap_err(), ParseError::Overload, "{options:?}");
    }
}

#[test]
fn what_is_no_message() {
    for (bytes, want) in [
        (vec![0; 239], ParseError::TooShort(239)),
        (vec![0; 9_217], ParseError::TooLong(9_217)),
        (vec![0; 240], ParseError::NoCookie),
        (with_options(&[12]), ParseError::OptionOverrun(12)),
        (with_options(&[12, 3, 1, 2]), ParseError::OptionOverrun(12)),
    ] {
        assert_eq!(MessageView::parse(&bytes).unwrap_err(), want);
    }
    assert!(MessageView::parse(&with_options(&[])).is_ok(), "no options at all");
    assert!(MessageView::parse(&with_options(&[0; 1000])).is_ok(), "only PAD");
}

/// Regression: an empty option 52 as the last two octets made the parser look one octet past the end.
#[test]
fn empty_options_at_the_very_end() {
    assert_eq!(MessageView::parse(&with_options(&[52, 0])).unwrap_err(), ParseError::Overload);
    for code in (1..255).filter(|code| *code != code::OVERLOAD) {
        for (options, want) in [(&[code, 0][..], &[][..]), (&[code, 1, 9, code, 0], &[9])] {
            let bytes = with_options(options);
            let view = MessageView::parse(&bytes).unwrap();
            assert_eq!(view.option(code), Some(want));
            let mut bench = Bench::example();
            bench.send(&bytes);
            let mut typed = with_options(&[53, 1, 1]);
            typed.extend(options);
            bench.send(&typed);
            assert_eq!(bench.engine.counters().packets, 2);
        }
    }
}

/// RFC 3396 section 6: longer than 255 octets is split; what does not fit is left out whole.
#[test]
fn long_options_are_split() {
    let mut builder = MessageBuilder::request(MessageType::Discover, 1, mac(1));
    let data: Vec<u8> = (0..=255).cycle().take(700).collect();
    assert!(builder.option(43, &data));
    assert!(!builder.option(44, &[0; 9_000]));
    let bytes = builder.finish(Some(&data));
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!((view.option(43), view.option(44), view.option(82)), (Some(&data[..]), None, Some(&data[..])));
}

/// RFC 2132 sections 9.3 and 9.10: a reply never grows beyond its size; what has no room among the options goes to
/// `file`, then `sname`; what fits nowhere is left out whole and counted. Options written, who is left out, option 52.
#[test]
fn replies_end_at_their_size() {
    let asked = client::discover(&sender(1), None);
    let asked = MessageView::parse(&asked).unwrap();
    for (sizes, missing, overload) in [
        (&[297][..], &[][..], None),
        (&[298], &[0], None),
        (&[297, 125], &[], Some(1)),
        (&[297, 126], &[1], None),
        (&[297, 61], &[], Some(1)),
        (&[297, 125, 61], &[], Some(3)),
        (&[297, 125, 62, 0], &[2], Some(3)),
        (&[297, 62, 61, 61, 61, 0], &[4, 5], Some(3)),
        (&[200, 125, 80, 20], &[], Some(3)),
    ] {
        let mut builder = MessageBuilder::reply(MessageType::Offer, &asked, 548);
        let code = |index: usize| 200 + u8::try_from(index).unwrap();
        let lost: Vec<_> =
            (0..sizes.len()).filter(|&index| !builder.option(code(index), &vec![7; sizes[index]])).collect();
        assert_eq!((&lost[..], builder.left_out()), (missing, u32::try_from(missing.len()).unwrap()), "{sizes:?}");
        let bytes = builder.finish(None);
        assert!((300..=548).contains(&bytes.len()), "{sizes:?}");
        let view = MessageView::parse(&bytes).unwrap();
        assert_eq!(view.option(code::OVERLOAD).map(|data| data[0]), overload, "{sizes:?}");
        for (index, len) in sizes.iter().enumerate() {
            let want = (!missing.contains(&index)).then(|| vec![7; *len]);
            assert_eq!(view.option(code(index)), want.as_deref(), "{index} of {sizes:?}");
        }
    }
}

/// dhcproto reads what we write and agrees on every field and option that it gets right.
#[test]
fn an_independent_codec_reads_our_replies() {
    let information = client::unprivileged_relay(b"ge-0/0/1", b"sw-1", super::attendee(1));
    let who = sender(1).relayed(super::attendee(1), &information);
    let mut bench = Bench::example();
    let offer = bench.discover(&who).unwrap();
    let ack = bench.select(&who, offer.yiaddr).unwrap();
    let nak = bench.reboot(&who, Ipv4Addr::new(10, 0, 0, 1)).unwrap();
    for answer in [offer, ack, nak] {
        let ours = ClientReply::parse(&answer.reply.bytes).unwrap().unwrap();
        let theirs = Message::from_bytes(&answer.reply.bytes).unwrap();
        assert_eq!((theirs.xid(), theirs.yiaddr(), theirs.giaddr()), (ours.xid(), ours.yiaddr(), ours.giaddr()));
        assert_eq!((theirs.opcode(), theirs.htype(), theirs.chaddr()), (Opcode::BootReply, HType::Eth, &who.mac.0[..]));
        assert_eq!(theirs.opts().msg_type().map(u8::from), Some(answer.kind.number()));
        let server = theirs.opts().get(OptionCode::ServerIdentifier);
        assert_eq!(server, Some(&DhcpOption::ServerIdentifier(ours.server_identifier().unwrap())));
        let lease = theirs.opts().get(OptionCode::AddressLeaseTime);
        let time = ours.lease_time().map(|time| DhcpOption::AddressLeaseTime(u32::try_from(time.as_secs()).unwrap()));
        assert_eq!(lease, time.as_ref());
        assert_eq!(ours.relay_agent_information(), Some(&information[..]));
        assert_eq!(ours.giaddr(), super::attendee(1));
    }
}

/// We read what dhcproto writes.
#[test]
fn we_read_an_independent_codecs_messages() {
    let mut message = Message::default();
    message.set_opcode(Opcode::BootRequest).set_xid(77).set_chaddr(&mac(3).0).set_secs(9);
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(dhcproto::v4::MessageType::Request));
    options.insert(DhcpOption::RequestedIpAddress(super::attendee(3)));
    options.insert(DhcpOption::Hostname("laptop".into()));
    options.insert(DhcpOption::ParameterRequestList(vec![OptionCode::Router, OptionCode::SubnetMask]));
    let bytes = message.to_vec().unwrap();
    let view = MessageView::parse(&bytes).unwrap();
    assert_eq!((view.op(), view.xid(), view.secs(), view.mac()), (1, 77, 9, Some(mac(3))));
    assert_eq!(view.message_type(), Some(MessageType::Request));
    assert_eq!(view.address_option(code::REQUESTED_ADDRESS), Some(super::attendee(3)));
    let options: Vec<_> = view.options().collect();
    assert_eq!(options[0], (12, &b"laptop"[..]));
    assert_eq!(view.option(code::PARAMETER_LIST), Some(&[3, 1][..]));
}

fn any_sub_options() -> impl Strategy<Value = RelayAgentInformation> {
    let octets = || proptest::collection::vec(any::<u8>(), 0..255);
    (octets(), octets(), any::<Option<Ipv4Addr>>(), any::<Option<Ipv4Addr>>(), any::<bool>()).prop_map(
        |(circuit_id, remote_id, link_selection, server_override, source_port)| RelayAgentInformation {
            circuit_id,
            remote_id,
            link_selection,
            server_override,
            source_port,
        },
    )
}

proptest! {
    /// Any bytes: no panic, neither in the parser nor in the engine, and every look at the result is fine.
    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut bench = Bench::example();
        bench.send(&bytes);
        let _ = (ClientReply::parse(&bytes), RelayAgentView::parse(&bytes));
    }

    /// The same behind a good header, where options are reached.
    #[test]
    fn random_options_do_no_harm(
        header in proptest::collection::vec((0..236_usize, any::<u8>()), 0..40),
        kind in 1..9_u8,
        overload in 0..4_u8,
        options in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..30),
        tail in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = with_options(&[53, 1, kind]);
        if overload > 0 {
            bytes.extend([52, 1, overload]);
        }
        for (at, octet) in header {
            // Most changes are to stay behind the fields that decide whether it is read at all.
            if at > 28 || octet < 8 {
                bytes[at] = octet;
            }
        }
        for (code, data) in options {
            bytes.push(code);
            bytes.push(u8::try_from(data.len()).unwrap());
            bytes.extend(data);
        }
        bytes.extend(tail);
        if let Ok(view) = MessageView::parse(&bytes) {
            let total: usize = view.options().map(|(_, data)| data.len()).sum();
            prop_assert!(total <= bytes.len());
        }
        let mut bench = Bench::example();
        if let Some(answer) = bench.send(&bytes) {
            prop_assert!(answer.reply.bytes.len() >= 300);
        }
        prop_assert_eq!(bench.engine.counters().packets, 1);
    }

    /// parse(print(options)) = options, with the pieces of one code joined.
    #[test]
    fn options_survive_a_round_trip(
        options in proptest::collection::vec((1..255_u8, proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
    ) {
        let mut builder = MessageBuilder::request(MessageType::Discover, 1, mac(1));
        let mut want = std::collections::BTreeMap::from([(code::MESSAGE_TYPE, vec![1])]);
        for (code, data) in options.iter().filter(|(code, _)| *code != code::OVERLOAD) {
            prop_assert!(builder.option(*code, data));
            want.entry(*code).or_default().extend(data);
        }
        let bytes = builder.finish(None);
        let view = MessageView::parse(&bytes).unwrap();
        let got: std::collections::BTreeMap<u8, Vec<u8>> =
            view.options().map(|(code, data)| (code, data.to_vec())).collect();
        prop_assert_eq!(got, want);
    }

    #[test]
    fn relay_agent_information_survives_a_round_trip(wanted in any_sub_options()) {
        let data = wanted.encode();
        let view = RelayAgentView::parse(&data).unwrap();
        let got = RelayAgentInformation {
            circuit_id: view.circuit_id.to_vec(),
            remote_id: view.remote_id.to_vec(),
            link_selection: view.link_selection,
            server_override: view.server_override,
            source_port: view.has_source_port,
        };
        prop_assert_eq!(got, wanted);
    }
}

/// The client side says what RFC 2131 table 5 wants of each message.
#[test]
fn client_messages() {
    let who = sender(5);
    let (address, server) = (super::attendee(10), super::SERVER);
    for (bytes, kind, ciaddr, requested, to) in [
        (client::discover(&who, Some(address)), MessageType::Discover, None, Some(address), None),
        (
            client::request(&who, Request::Selecting { address, server }),
            MessageType::Request,
            None,
            Some(address),
            Some(server),
        ),
        (client::request(&who, Request::Rebooting { address }), MessageType::Request, None, Some(address), None),
        (client::request(&who, Request::Extending { address }), MessageType::Request, Some(address), None, None),
        (client::release(&who, address, server), MessageType::Release, Some(address), None, Some(server)),
        (client::decline(&who, address, server), MessageType::Decline, None, Some(address), Some(server)),
        (client::inform(&who, address), MessageType::Inform, Some(address), None, None),
    ] {
        let view = MessageView::parse(&bytes).unwrap();
        assert_eq!(view.message_type(), Some(kind));
        assert_eq!(view.ciaddr(), ciaddr.unwrap_or(Ipv4Addr::UNSPECIFIED), "{kind:?}");
        assert_eq!(view.address_option(code::REQUESTED_ADDRESS), requested, "{kind:?}");
        assert_eq!(view.address_option(code::SERVER_IDENTIFIER), to, "{kind:?}");
        assert!(ClientReply::parse(&bytes).unwrap().is_none(), "not a server's");
    }
}
