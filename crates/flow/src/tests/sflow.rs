use model::{TrafficDirection, TrafficKind};

use super::{
    all, collector,
    datagrams::{ethernet, flow_sample, ipv4, item, longs, raw_header, sflow, words},
    send,
};

const CLIENT: [u8; 4] = [10, 10, 3, 4];
const OUTSIDE: [u8; 4] = [203, 0, 113, 9];
const STATION: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn down(ports: [u16; 2], protocol: u8, total: u16) -> Vec<u8> {
    [ethernet(STATION, &[], 0x0800), ipv4(OUTSIDE, CLIENT, protocol, ports, total)].concat()
}

#[test]
fn sampled_headers_stand_for_many_packets() {
    let mut collector = collector();
    let sample = flow_sample(512, &[raw_header(1_518, &down([443, 50_000], 6, 1_500))]);
    let expanded = {
        let records = [raw_header(82, &down([53, 50_000], 17, 64))];
        [longs(&[1, 0, 3, 256, 9, 0, 0, 3, 0, 4, records.len() as u32]), records.concat()].concat()
    };
    let counters = vec![0xff; 88];
    send(&mut collector, &sflow(1, &[(1, sample), (2, counters), (3, expanded), (0x0000_9001, vec![1, 2, 3])]));
    assert_eq!(
        all(&collector),
        [
            (TrafficKind::Web, TrafficDirection::Down, 1_500 * 512, 512),
            (TrafficKind::Dns, TrafficDirection::Down, 64 * 256, 256),
        ]
    );
    assert_eq!((collector.counters().sflow, collector.counters().records, collector.counters().malformed), (1, 2, 0));
}

#[test]
fn tags_padding_fragments_and_extension_headers() {
    let mut collector = collector();
    // Two tags; the shortest frame, padded: 60 octets on the wire for 46 of IP.
    let tagged = [ethernet(STATION, &[100, 7], 0x0800), ipv4(OUTSIDE, CLIENT, 6, [22, 50_000], 40)].concat();
    send(&mut collector, &sflow(1, &[(1, flow_sample(1, &[raw_header(72, &tagged)]))]));
    // The second fragment has no ports.
    let mut fragment = down([443, 50_000], 17, 1_500);
    fragment[14 + 7] = 100;
    send(&mut collector, &sflow(2, &[(1, flow_sample(1, &[raw_header(1_518, &fragment)]))]));
    // IPv6 with hop-by-hop options.
    let mut six = ethernet(STATION, &[], 0x86dd);
    six.extend([0x60, 0, 0, 0, 0, 28, 0, 64]);
    six.extend("2001:db8:10::5".parse::<std::net::Ipv6Addr>().unwrap().octets());
    six.extend("2001:db8:ffff::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    six.extend([17, 0, 0, 0, 0, 0, 0, 0]);
    six.extend(words(&[50_000, 443, 20, 0]));
    send(&mut collector, &sflow(3, &[(1, flow_sample(1, &[raw_header(86, &six)]))]));
    assert_eq!(
        all(&collector),
        [
            (TrafficKind::Quic, TrafficDirection::Up, 68, 1),
            (TrafficKind::Ssh, TrafficDirection::Down, 40, 1),
            (TrafficKind::Other, TrafficDirection::Down, 1_500, 1),
        ]
    );
}

#[test]
fn what_goes_to_all_and_what_is_no_ip() {
    let mut collector = collector();
    let arp = [ethernet([0xff; 6], &[100], 0x0806), vec![0; 28]].concat();
    send(&mut collector, &sflow(1, &[(1, flow_sample(10, &[raw_header(68, &arp)]))]));
    assert_eq!(all(&collector), [(TrafficKind::Multicast, TrafficDirection::Within, 460, 10)]);
    let attendee = collector.totals().network(0, TrafficKind::Multicast, TrafficDirection::Within);
    assert_eq!(attendee.bytes, 460, "by its VLAN");
    // Its VLAN told beside the header (extended switch data).
    let plain = [ethernet([0xff; 6], &[], 0x0806), vec![0; 28]].concat();
    let records = [item(1_001, &longs(&[110, 0, 110, 0])), raw_header(64, &plain)];
    send(&mut collector, &sflow(2, &[(1, flow_sample(10, &records))]));
    assert_eq!(collector.totals().network(1, TrafficKind::Multicast, TrafficDirection::Within).bytes, 460);
}

#[test]
fn addresses_may_be_told_without_a_header() {
    let mut collector = collector();
    let told = longs(&[900, 6, u32::from_be_bytes(OUTSIDE), u32::from_be_bytes(CLIENT), 993, 50_000, 0, 0]);
    send(&mut collector, &sflow(1, &[(1, flow_sample(4, &[item(3, &told)]))]));
    assert_eq!(all(&collector), [(TrafficKind::Mail, TrafficDirection::Down, 3_600, 4)]);
    // Both: counted once, by the header.
    let both = [item(3, &told), raw_header(118, &down([993, 50_000], 6, 100))];
    send(&mut collector, &sflow(2, &[(1, flow_sample(1, &both))]));
    assert_eq!(all(&collector), [(TrafficKind::Mail, TrafficDirection::Down, 3_700, 5)]);
}

#[test]
fn lengths_must_fit_and_missing_datagrams_are_counted() {
    let good = sflow(1, &[(1, flow_sample(1, &[raw_header(1_518, &down([443, 50_000], 6, 1_500))]))]);
    for index in (24..good.len()).step_by(4).filter(|index| *index < 72 || *index == 84) {
        let mut lie = good.clone();
        lie[index..index + 4].copy_from_slice(&0x7fff_fff1_u32.to_be_bytes());
        let mut collector = collector();
        send(&mut collector, &lie);
        // Some of these fields are no lengths; whatever they say, nothing else is read.
        assert!(collector.counters().malformed + collector.counters().sflow == 1);
    }
    let mut collector = collector();
    let mut longer = good.clone();
    longer.extend([0; 4]);
    send(&mut collector, &longer);
    assert_eq!((collector.counters().malformed, all(&collector)), (1, Vec::new()));
    for sequence in [1, 2, 5, 6] {
        send(&mut collector, &sflow(sequence, &[]));
    }
    assert_eq!(collector.totals().exporters[0].datagrams_lost, 2);
}
