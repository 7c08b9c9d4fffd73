//! An independent codec as an oracle, where it is right: `dhcproto` keeps unknown options as octets and joins adjacent
//! pieces; it does not join others, does not read `sname` and `file`, and gives up at a typed option that it dislikes.

use std::collections::BTreeMap;

use dhcproto::{
    Decodable, Encodable,
    v4::{DhcpOption, Flags, Message, Opcode, OptionCode, UnknownOption},
};
use proptest::prelude::*;

use super::mac;
use crate::message::{MessageBuilder, MessageType, MessageView, code};

/// Codes that neither codec gives a meaning.
const UNKNOWN: std::ops::Range<u8> = 224..255;

fn options() -> impl Strategy<Value = BTreeMap<u8, Vec<u8>>> {
    proptest::collection::btree_map(UNKNOWN, proptest::collection::vec(any::<u8>(), 0..300), 0..12)
}

fn octets(message: &Message, code: u8) -> Option<Vec<u8>> {
    match message.opts().get(OptionCode::from(code))? {
        DhcpOption::Unknown(option) => Some(option.data().to_vec()),
        other => panic!("{code} is known: {other:?}"),
    }
}

proptest! {
    /// What we write it reads the same, long options included.
    #[test]
    fn it_reads_what_we_write(
        options in options(),
        xid in any::<u32>(),
        secs in any::<u16>(),
        addresses in any::<[std::net::Ipv4Addr; 3]>(),
        is_broadcast in any::<bool>(),
    ) {
        let mut builder = MessageBuilder::request(MessageType::Inform, xid, mac(3));
        builder.secs(secs).hops(2).ciaddr(addresses[0]).yiaddr(addresses[1]).giaddr(addresses[2]);
        if is_broadcast {
            builder.broadcast();
        }
        for (code, data) in &options {
            prop_assert!(builder.option(*code, data));
        }
        let theirs = Message::from_bytes(&builder.finish(None)).unwrap();
        prop_assert_eq!((theirs.xid(), theirs.secs(), theirs.hops()), (xid, secs, 2));
        prop_assert_eq!([theirs.ciaddr(), theirs.yiaddr(), theirs.giaddr()], addresses);
        prop_assert_eq!((theirs.flags().broadcast(), theirs.chaddr()), (is_broadcast, &mac(3).0[..]));
        for code in UNKNOWN {
            prop_assert_eq!(octets(&theirs, code), options.get(&code).cloned(), "option {}", code);
        }
    }

    /// What it writes we read the same.
    #[test]
    fn we_read_what_it_writes(options in options(), xid in any::<u32>(), is_broadcast in any::<bool>()) {
        let mut message = Message::default();
        let flags = if is_broadcast { Flags::default().set_broadcast() } else { Flags::default() };
        message.set_opcode(Opcode::BootRequest).set_xid(xid).set_chaddr(&mac(3).0).set_flags(flags);
        message.opts_mut().insert(DhcpOption::MessageType(dhcproto::v4::MessageType::Discover));
        for (code, data) in options.iter().filter(|(_, data)| !data.is_empty()) {
            message.opts_mut().insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(*code), data.clone())));
        }
        let bytes = message.to_vec().unwrap();
        let view = MessageView::parse(&bytes).unwrap();
        prop_assert_eq!((view.xid(), view.is_broadcast(), view.mac()), (xid, is_broadcast, Some(mac(3))));
        prop_assert_eq!(view.option(code::MESSAGE_TYPE), Some(&[1][..]));
        for code in UNKNOWN {
            let want = options.get(&code).filter(|data| !data.is_empty());
            prop_assert_eq!(view.option(code), want.map(Vec::as_slice), "option {}", code);
        }
    }

    /// Of any octets that we take for a message, it reads the same header, and every option that stands there once,
    /// as long as nothing before it is typed.
    #[test]
    fn it_agrees_on_headers(
        header in proptest::collection::vec(any::<u8>(), 236),
        options in options(),
    ) {
        let mut bytes = header;
        bytes[0] = 1 + (bytes[0] & 1);
        bytes[2] = 6;
        bytes.extend([99, 130, 83, 99]);
        for (code, data) in options.iter().filter(|(_, data)| data.len() < 256) {
            bytes.extend([*code, u8::try_from(data.len()).unwrap()]);
            bytes.extend(data);
        }
        bytes.push(255);
        let ours = MessageView::parse(&bytes).unwrap();
        let theirs = Message::from_bytes(&bytes).unwrap();
        prop_assert_eq!((theirs.xid(), theirs.secs(), theirs.hops()), (ours.xid(), ours.secs(), ours.hops()));
        let addresses = [theirs.ciaddr(), theirs.yiaddr(), theirs.siaddr(), theirs.giaddr()];
        prop_assert_eq!(addresses, [ours.ciaddr(), ours.yiaddr(), ours.siaddr(), ours.giaddr()]);
        prop_assert_eq!((theirs.chaddr(), theirs.flags().broadcast()), (ours.chaddr(), ours.is_broadcast()));
        for code in UNKNOWN {
            prop_assert_eq!(octets(&theirs, code), ours.option(code).map(<[u8]>::to_vec), "option {}", code);
        }
    }
}
