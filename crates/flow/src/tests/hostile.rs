//! Whatever comes in: no panic, no memory beyond the bounds, and what is not whole is not counted as if it were.

use proptest::prelude::*;

use super::{
    NOW, collector,
    datagrams::{
        Flow5, ethernet, flow_sample, ipfix, ipv4, netflow5, netflow9, raw_header, set, sflow, usual, usual_template,
        words,
    },
    send,
};
use crate::Collector;

const CLIENT: [u8; 4] = [10, 10, 3, 4];
const OUTSIDE: [u8; 4] = [203, 0, 113, 9];

/// One of each format, with templates, options and data.
fn ordinary() -> Vec<Vec<u8>> {
    let record = usual(OUTSIDE, CLIENT, [443, 50_000], 6, [1_000, 1]);
    let mut varying = words(&[310, 3, 371, 0xffff, 0x8000 | 1, 4]);
    varying.extend(29_305_u32.to_be_bytes());
    varying.extend(words(&[1, 4]));
    let options9 = words(&[400, 4, 12, 1, 4, 48, 1, 49, 1, 50, 4]);
    let options = words(&[401, 2, 1, 302, 8, 305, 4]);
    let frame = [ethernet([2, 0, 0, 0, 0, 1], &[100], 0x0800), ipv4(OUTSIDE, CLIENT, 6, [443, 50_000], 1_500)].concat();
    vec![
        netflow5(0, 10, &[Flow5(CLIENT, OUTSIDE, 1, 443, 6, 100, 1), Flow5(OUTSIDE, CLIENT, 443, 1, 6, 100, 1)]),
        netflow9(0, 0, &[set(0, &usual_template(300)), set(1, &options9), set(300, &record), set(400, &[7; 10])]),
        ipfix(
            0,
            0,
            &[set(2, &varying), set(3, &options), set(310, b"\x03abc\0\0\0\x09\0\0\0\x05"), set(401, &[1; 12])],
        ),
        sflow(0, &[(1, flow_sample(100, &[raw_header(1_518, &frame)])), (2, vec![0; 20])]),
    ]
}

fn sums(collector: &Collector) -> u64 {
    collector.counters().records
}

#[test]
fn truncated_at_every_length() {
    for whole in ordinary() {
        let mut collector = collector();
        send(&mut collector, &whole);
        let of_whole = sums(&collector);
        assert!(of_whole > 0 && collector.counters().malformed == 0, "{:?}", collector.counters());
        for end in 0..whole.len() {
            let mut collector = super::collector();
            send(&mut collector, &whole[..end]);
            let counters = collector.counters();
            let read = counters.netflow5 + counters.netflow9 + counters.ipfix + counters.sflow;
            assert_eq!(read + counters.malformed + counters.unknown_version, 1, "{end}: {counters:?}");
            assert!(sums(&collector) <= of_whole);
            // Version 9 states no length of its own; cut between sets it is a shorter message.
            assert!(read == 0 || counters.netflow9 == 1, "{end}: {counters:?}");
        }
    }
}

#[test]
fn any_octet_changed() {
    for whole in ordinary() {
        let mut collector = collector();
        for index in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[index] = value;
                send(&mut collector, &changed);
            }
        }
        check_bounds(&collector);
    }
}

#[test]
fn templates_that_make_no_record_are_refused() {
    for template in [
        words(&[300, 1, 96, 0]),
        words(&[300, 2, 8, 0, 12, 0]),
        words(&[300, 2, 96, 60_000, 97, 60_000]),
        words(&[255, 1, 8, 4]),
        words(&[300, 9, 8, 4]),
        words(&[300, 60_000, 8, 4]),
    ] {
        let mut collector = collector();
        send(&mut collector, &ipfix(0, 0, &[set(2, &template)]));
        assert_eq!((collector.counters().malformed, collector.templates()), (1, 0), "{template:?}");
    }
    // Version 9 has no fields of variable length.
    let mut collector = collector();
    send(&mut collector, &netflow9(0, 0, &[set(0, &words(&[300, 1, 371, 0xffff]))]));
    assert_eq!(collector.counters().malformed, 1);
    // Withdrawals are for TCP; the template stays.
    let mut collector = super::collector();
    send(&mut collector, &ipfix(0, 0, &[set(2, &usual_template(300))]));
    send(&mut collector, &ipfix(0, 0, &[set(2, &words(&[300, 0]))]));
    assert_eq!((collector.counters().malformed, collector.templates()), (0, 1));
}

#[test]
fn a_field_that_states_too_much_ends_its_set() {
    let mut collector = collector();
    let template = words(&[310, 2, 1, 4, 371, 0xffff]);
    let data = [&[0, 0, 0, 9, 2, b'o', b'k'][..], &[0, 0, 0, 9, 200, b'n', b'o']].concat();
    send(&mut collector, &ipfix(0, 0, &[set(2, &template), set(310, &data)]));
    assert_eq!((sums(&collector), collector.counters().malformed), (1, 1));
}

#[test]
fn many_tiny_records_are_only_records() {
    let mut collector = collector();
    let template = words(&[300, 1, 4, 1]);
    send(&mut collector, &netflow9(0, 0, &[set(0, &template), set(300, &vec![6; 65_000])]));
    assert_eq!(sums(&collector), 65_000);
}

fn check_bounds(collector: &Collector) {
    assert!(collector.templates() <= 1_024);
    assert!(collector.waiting_octets() <= 64 << 10);
}

proptest! {
    #[test]
    fn any_octets(version in 0_usize..5, octets in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut collector = collector();
        for start in ordinary() {
            send(&mut collector, &start);
        }
        let heads: [&[u8]; 5] = [&[0, 5], &[0, 9], &[0, 10], &[0, 0, 0, 5], &[]];
        let mut datagram = heads[version].to_vec();
        datagram.extend(&octets);
        if version == 2 && datagram.len() > 4 {
            let length = datagram.len() as u16;
            datagram[2..4].copy_from_slice(&length.to_be_bytes());
        }
        send(&mut collector, &datagram);
        collector.on_datagram(NOW, "192.0.2.2".parse().unwrap(), &datagram);
        check_bounds(&collector);
    }
}
