//! `dhcproto` writes for clients and reads for them, so that both sides of our codec are held against another one.
//!
//! Where it is not right it is not asked: it reads relay messages only inside relay messages, and knows options 31, 39
//! and from 57 on as octets.

use dhcproto::{
    Decodable as _, Decoder, Encodable as _,
    v6::{self, DhcpOption, DhcpOptions, OptionCode},
};
use proptest::prelude::*;

use super::*;
use crate::message::{Packet, Writer};

fn association(iaid: u32, address: Option<Ipv6Addr>) -> DhcpOption {
    let mut opts = DhcpOptions::new();
    if let Some(addr) = address {
        let ia_address = v6::IAAddr { addr, preferred_life: 0, valid_life: 0, opts: DhcpOptions::new() };
        opts.insert(DhcpOption::IAAddr(ia_address));
    }
    DhcpOption::IANA(v6::IANA { id: iaid, t1: 0, t2: 0, opts })
}

fn written(kind: v6::MessageType, options: impl IntoIterator<Item = DhcpOption>) -> Vec<u8> {
    let mut message = v6::Message::new_with_id(kind, [1, 2, 3]);
    message.opts_mut().insert(DhcpOption::ClientId(duid(1).0.to_vec()));
    message.opts_mut().insert(DhcpOption::ElapsedTime(0));
    let wanted = [OptionCode::DomainNameServers, OptionCode::DomainSearchList, OptionCode::NtpServer];
    message.opts_mut().insert(DhcpOption::ORO(v6::ORO { opts: wanted.into() }));
    options.into_iter().for_each(|option| message.opts_mut().insert(option));
    message.to_vec().unwrap()
}

/// The server's answer as `dhcproto` reads it; every octet of it must be understood.
fn answered(bench: &mut Bench, bytes: &[u8]) -> v6::Message {
    let answer = bench.send_bytes(bytes).expect("an answer").reply.bytes;
    let message = v6::Message::decode(&mut Decoder::new(&answer)).unwrap();
    assert_eq!(message.to_vec().unwrap().len(), answer.len(), "nothing is left over");
    assert_eq!(message.xid(), [1, 2, 3]);
    assert_eq!(message.opts().get(OptionCode::ClientId), Some(&DhcpOption::ClientId(duid(1).0.to_vec())));
    assert_eq!(message.opts().get(OptionCode::ServerId), Some(&server_id()));
    message
}

fn server_id() -> DhcpOption {
    DhcpOption::ServerId(server().0.to_vec())
}

/// IAID, T1, T2 and addresses with their lifetimes.
type Granted<A> = Vec<(u32, u32, u32, Vec<(A, u32, u32)>)>;

fn granted(message: &v6::Message) -> Granted<Ipv6Addr> {
    let associations = message.opts().get_all(OptionCode::IANA).unwrap_or_default().iter();
    let read = |option: &DhcpOption| {
        let DhcpOption::IANA(ia) = option else { panic!("an IA_NA") };
        let addresses = ia.opts.get_all(OptionCode::IAAddr).unwrap_or_default().iter().map(|option| {
            let DhcpOption::IAAddr(address) = option else { panic!("an IA Address") };
            (address.addr, address.preferred_life, address.valid_life)
        });
        (ia.id, ia.t1, ia.t2, addresses.collect())
    };
    associations.map(read).collect()
}

fn status(message: &v6::Message) -> Option<v6::Status> {
    message.opts().get(OptionCode::StatusCode).map(|option| match option {
        DhcpOption::StatusCode(status) => status.status,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_client_by_dhcproto_lives_its_whole_life() {
    let mut bench = Bench::example();
    let advertise = answered(&mut bench, &written(v6::MessageType::Solicit, [association(5, None)]));
    assert_eq!(advertise.msg_type(), v6::MessageType::Advertise);
    let (iaid, t1, t2, addresses) = granted(&advertise).remove(0);
    assert_eq!((iaid, t1, t2, addresses.len()), (5, 1800, 2880, 1));
    let (address, preferred, valid) = addresses[0];
    assert_eq!((preferred, valid), (3600, 7200));

    let held = || [association(5, Some(address)), server_id()];
    let reply = answered(&mut bench, &written(v6::MessageType::Request, held()));
    assert_eq!((reply.msg_type(), granted(&reply)), (v6::MessageType::Reply, granted(&advertise)));
    let servers = DhcpOption::DomainNameServers(vec!["2001:db8::53".parse().unwrap()]);
    assert_eq!(reply.opts().get(OptionCode::DomainNameServers), Some(&servers));
    let time = DhcpOption::NtpServer(vec![v6::NtpSuboption::ServerAddress("2001:db8::123".parse().unwrap())]);
    assert_eq!(reply.opts().get(OptionCode::NtpServer), Some(&time));
    let Some(DhcpOption::DomainSearchList(names)) = reply.opts().get(OptionCode::DomainSearchList) else {
        panic!("a search list")
    };
    assert_eq!(names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["event.example."]);

    let renewed = answered(&mut bench, &written(v6::MessageType::Renew, held()));
    assert_eq!(granted(&renewed), granted(&advertise));
    let rebound = answered(&mut bench, &written(v6::MessageType::Rebind, [association(5, Some(address))]));
    assert_eq!(granted(&rebound), granted(&advertise));
    let confirmed = answered(&mut bench, &written(v6::MessageType::Confirm, [association(5, Some(address))]));
    assert_eq!(status(&confirmed), Some(v6::Status::Success));
    let moved = answered(&mut bench, &written(v6::MessageType::Confirm, [association(5, Some(crew(1)))]));
    assert_eq!(status(&moved), Some(v6::Status::NotOnLink));
    let told = answered(&mut bench, &written(v6::MessageType::InformationRequest, []));
    assert_eq!((told.opts().get(OptionCode::DomainNameServers), granted(&told).len()), (Some(&servers), 0));
    let released = answered(&mut bench, &written(v6::MessageType::Release, held()));
    assert_eq!(status(&released), Some(v6::Status::Success));
    assert_eq!(bench.engine.leases_in_force().count(), 0);

    answered(&mut bench, &written(v6::MessageType::Request, held()));
    let declined = answered(&mut bench, &written(v6::MessageType::Decline, held()));
    assert_eq!(status(&declined), Some(v6::Status::Success));
    assert_eq!(bench.engine.lease_of(address).map(|lease| lease.state), Some(model::LeaseState::Declined));
}

fn associations() -> impl Strategy<Value = Granted<u128>> {
    let addresses = proptest::collection::vec((any::<u128>(), any::<u32>(), any::<u32>()), 0..8);
    proptest::collection::vec((any::<u32>(), any::<u32>(), any::<u32>(), addresses), 0..8)
}

/// In the order of `dhcproto`, which sorts options by code and keeps those of one code as they came.
fn as_options(associations: &Granted<u128>) -> DhcpOptions {
    let mut options = DhcpOptions::new();
    for (id, t1, t2, addresses) in associations {
        let inner = addresses.iter().map(|&(addr, preferred_life, valid_life)| {
            DhcpOption::IAAddr(v6::IAAddr { addr: addr.into(), preferred_life, valid_life, opts: DhcpOptions::new() })
        });
        let opts = inner.collect();
        options.insert(DhcpOption::IANA(v6::IANA { id: *id, t1: *t1, t2: *t2, opts }));
    }
    options
}

fn sorted(mut associations: Granted<u128>) -> Granted<u128> {
    associations.iter_mut().for_each(|association| association.3.sort_unstable());
    associations.sort_unstable();
    associations
}

proptest! {
    #[test]
    fn what_dhcproto_writes_is_read(kind in 1..12_u8, id: [u8; 3], associations in associations()) {
        let mut message = v6::Message::new_with_id(kind.into(), id);
        message.set_opts(as_options(&associations));
        let bytes = message.to_vec().unwrap();
        let packet = Packet::parse(&bytes).unwrap();
        prop_assert_eq!(packet.message.message_type.number(), kind);
        prop_assert_eq!(packet.message.transaction_id, message.xid_num());
        let read = packet.message.associations().map(|ia| {
            let addresses = ia.addresses().map(|(address, preferred, valid)| (u128::from(address), preferred, valid));
            (ia.iaid, ia.t1, ia.t2, addresses.collect())
        });
        prop_assert_eq!(sorted(read.collect()), sorted(associations));
    }

    #[test]
    fn what_we_write_dhcproto_reads(kind in 1..12_u8, id in 0..0x0100_0000_u32, associations in associations()) {
        let mut writer = Writer::message(MessageType::from_number(kind).unwrap(), id);
        for (iaid, t1, t2, addresses) in &associations {
            writer.association(*iaid, *t1, *t2, |inner| {
                addresses.iter().for_each(|(address, preferred, valid)| inner.address((*address).into(), *preferred, *valid));
            });
        }
        let message = v6::Message::decode(&mut Decoder::new(&writer.finish())).unwrap();
        prop_assert_eq!((message.msg_type(), message.xid_num()), (kind.into(), id));
        let read = granted(&message).into_iter().map(|(iaid, t1, t2, addresses)| {
            let addresses = addresses.into_iter().map(|(address, preferred, valid)| (u128::from(address), preferred, valid));
            (iaid, t1, t2, addresses.collect())
        });
        prop_assert_eq!(sorted(read.collect()), sorted(associations));
    }
}
