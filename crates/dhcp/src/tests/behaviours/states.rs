//! B5-B12: what a server does with each message.

use std::{net::Ipv4Addr, time::Duration};

use super::{discover_with, hold, selecting};
use crate::{
    DhcpEvent, Effect, Settings,
    client::{self, Sender},
    message::{MessageType, code},
    tests::{Bench, HOUR, SERVER, attendee, example, kind, sender},
};

const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 250);

/// RFC 2131 section 3.1 step 4, section 4.3.2: another server was chosen: silence, and our offer is free again. We were
/// chosen, for another address than the one offered: NAK.
#[test]
fn b5_selecting() {
    let mut bench = Bench::example();
    let offer = bench.discover(&sender(1)).unwrap();
    assert!(bench.send(&selecting(&sender(1), offer.yiaddr, ELSEWHERE)).is_none());
    assert_eq!((bench.used(), bench.engine.counters().dropped_not_for_us), (0, 1));
    let next = bench.send(&client::discover(&sender(2), Some(offer.yiaddr))).unwrap();
    assert_eq!(next.yiaddr, offer.yiaddr, "free for the next");
    assert_eq!(kind(bench.select(&sender(2), attendee(15))), Some(MessageType::Nak));
    assert_eq!(kind(bench.select(&sender(2), offer.yiaddr)), Some(MessageType::Ack));
}

/// RFC 2131 section 4.3.2, INIT-REBOOT: wrong network NAK, another address than recorded NAK; without any record
/// silence, unless we alone serve the network.
#[test]
fn b6_init_reboot() {
    for (authoritative, want) in [(false, None), (true, Some(MessageType::Nak))] {
        let mut bench = Bench::new(Settings { authoritative, ..example() });
        let address = bench.bind(&sender(1));
        assert_eq!(kind(bench.reboot(&sender(1), address)), Some(MessageType::Ack));
        assert_eq!(kind(bench.reboot(&sender(1), attendee(15))), Some(MessageType::Nak), "known and different");
        assert_eq!(kind(bench.reboot(&sender(1), ELSEWHERE)), Some(MessageType::Nak), "wrong network");
        assert_eq!(kind(bench.reboot(&sender(2), ELSEWHERE)), Some(MessageType::Nak), "wrong network, unknown client");
        assert_eq!(kind(bench.reboot(&sender(2), attendee(15))), want, "no record");
        assert_eq!(kind(bench.reboot(&sender(2), address)), Some(MessageType::Nak), "somebody else's");
    }
}

/// RFC 2131 section 4.3.2, RENEWING and REBINDING: `ciaddr` and neither option 50 nor 54. Nobody gets what another
/// client holds.
#[test]
fn b7_renewing_and_rebinding() {
    for (authoritative, want) in [(false, None), (true, Some(MessageType::Nak))] {
        let mut bench = Bench::new(Settings { authoritative, ..example() });
        let address = bench.bind(&sender(1));
        bench.pass(HOUR / 2);
        let ack = bench.renew(&sender(1), address).unwrap();
        assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, address));
        assert_eq!(bench.saves()[0].expires, bench.now + HOUR);
        assert_eq!(kind(bench.renew(&sender(2), address)), Some(MessageType::Nak), "held by another client");
        assert_eq!(kind(bench.renew(&sender(2), attendee(17))), want, "no record");
        assert_eq!(bench.engine.lease_of(address).unwrap().mac, Some(sender(1).mac));
    }
}

/// RFC 2131 section 4.3.1: the address it has, the one it had, the one it asks for, the one free the longest.
#[test]
fn b8_discover_preference() {
    let mut bench = Bench::example();
    hold(&mut bench, &sender(1), attendee(15));
    let asking_another = client::discover(&sender(1), Some(attendee(19)));
    assert_eq!(bench.send(&asking_another).unwrap().yiaddr, attendee(15), "its own");
    bench.send(&client::release(&sender(1), attendee(15), SERVER));
    assert_eq!(bench.send(&asking_another).unwrap().yiaddr, attendee(15), "given back");
    bench.pass(HOUR * 3);
    assert_eq!(bench.send(&asking_another).unwrap().yiaddr, attendee(15), "ended");
    let asking = client::discover(&sender(2), Some(attendee(19)));
    assert_eq!(bench.send(&asking).unwrap().yiaddr, attendee(19), "the one asked for");
    let asking = client::discover(&sender(3), Some(attendee(19)));
    assert_eq!(bench.send(&asking).unwrap().yiaddr, attendee(10), "not free");
    let asking = client::discover(&sender(4), Some(attendee(200)));
    assert_eq!(bench.send(&asking).unwrap().yiaddr, attendee(11), "not in a pool");
    for number in 20..26 {
        bench.discover(&sender(number)).unwrap();
    }
    bench.pass(Duration::from_secs(61));
    for number in 30..39 {
        assert_ne!(bench.bind(&sender(number)), attendee(15), "the one last used is the last to go");
    }
    assert_eq!(bench.bind(&sender(39)), attendee(15));
}

/// RFC 2131 section 4.3.1: one client has one address, however many messages it sends, by whichever relay.
#[test]
fn b9_retransmissions() {
    let mut bench = Bench::example();
    let address = bench.discover(&sender(1)).unwrap().yiaddr;
    for xid in 0..5 {
        assert_eq!(bench.discover(&Sender { xid, ..sender(1) }).unwrap().yiaddr, address);
    }
    let first = bench.select(&sender(1), address).unwrap();
    let second = bench.select(&sender(1), address).unwrap();
    assert_eq!(first.reply.bytes, second.reply.bytes);
    for relay in [attendee(1), attendee(2)] {
        let who = sender(2).relayed(relay, b"");
        let offer = bench.discover(&who).unwrap();
        assert_eq!(kind(bench.select(&who, offer.yiaddr)), Some(MessageType::Ack));
    }
    assert_eq!(bench.used(), 2);
}

/// RFC 2131 sections 4.3.3 and 4.3.4: only the holder gives back or declines, nothing is answered. What was given back
/// is kept for its client; what was declined is given to nobody for a while.
#[test]
fn b10_release_and_decline() {
    let mut bench = Bench::example();
    let address = bench.bind(&sender(1));
    assert!(bench.send(&client::release(&sender(2), address, SERVER)).is_none());
    assert!(bench.send(&client::decline(&sender(2), address, SERVER)).is_none());
    assert_eq!((bench.used(), bench.engine.counters().dropped_not_the_owner), (1, 2), "somebody else's");
    assert!(bench.send(&client::release(&sender(1), address, SERVER)).is_none());
    assert!(matches!(bench.events()[..], [DhcpEvent::Released { .. }]));
    bench.bind(&sender(3));
    assert_eq!(bench.bind(&sender(1)), address, "kept for its client");
    assert!(bench.send(&client::decline(&sender(1), address, SERVER)).is_none());
    assert!(matches!(bench.effects[..], [Effect::Save(_), Effect::Event(DhcpEvent::Declined { .. })]));
    assert_ne!(bench.send(&client::discover(&sender(4), Some(address))).unwrap().yiaddr, address, "quarantine");
    assert_ne!(bench.bind(&sender(1)), address);
}

/// RFC 2131 section 4.3.5: to `ciaddr`, without address and times, without a lease; for hosts outside the pools too.
#[test]
fn b11_inform() {
    for address in [attendee(10), attendee(200)] {
        let mut bench = Bench::example();
        let ack = bench.send(&client::inform(&sender(1), address)).unwrap();
        assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, Ipv4Addr::UNSPECIFIED));
        let to_host = crate::Destination::Unicast(std::net::SocketAddrV4::new(address, 68));
        assert_eq!((ack.reply.destination, ack.reply.needs_save), (to_host, false));
        for code in [code::LEASE_TIME, code::RENEWAL_TIME, code::REBINDING_TIME] {
            assert_eq!(ack.option(code), None, "{code}");
        }
        assert!(ack.option(code::ROUTER).is_some());
        assert_eq!((bench.effects.len(), bench.used()), (1, 0));
    }
}

/// RFC 4039 section 3.1: an ACK at once, if asked for and allowed; on disk first like every ACK, and with option 80.
/// A client that may leave IPv4 (RFC 8925) is not bound before it has decided.
#[test]
fn b12_rapid_commit() {
    let mut settings = example();
    settings.subnets[0].rapid_commit = true;
    settings.subnets[0].ipv6_only_wait = Some(HOUR);
    let rapid = (code::RAPID_COMMIT, &b""[..]);
    let mut bench = Bench::new(settings);
    assert_eq!(kind(bench.discover(&sender(1))), Some(MessageType::Offer), "not asked for");
    let ack = bench.send(&discover_with(&sender(2), &[rapid])).unwrap();
    assert_eq!(
        (ack.kind, ack.reply.needs_save, ack.option(code::RAPID_COMMIT)),
        (MessageType::Ack, true, Some(vec![]))
    );
    assert!(matches!(bench.effects[..], [Effect::Save(_), Effect::Send(_), Effect::Event(DhcpEvent::Bound { .. })]));
    assert_eq!(kind(bench.renew(&sender(2), ack.yiaddr)), Some(MessageType::Ack), "it is bound");
    let leaving = Sender { parameters: &[1, 3, 6, 108], ..sender(3) };
    assert_eq!(kind(bench.send(&discover_with(&leaving, &[rapid]))), Some(MessageType::Offer));
    let mut bench = Bench::example();
    let offer = bench.send(&discover_with(&sender(1), &[rapid])).unwrap();
    assert_eq!((offer.kind, offer.option(code::RAPID_COMMIT)), (MessageType::Offer, None), "not allowed");
}
