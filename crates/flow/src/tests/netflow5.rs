use model::{TrafficDirection, TrafficKind};

use super::{
    all, collector,
    datagrams::{Flow5, netflow5},
    send,
};

const CLIENT: [u8; 4] = [10, 10, 3, 4];
const OUTSIDE: [u8; 4] = [203, 0, 113, 9];

#[test]
fn flows_count_by_direction_and_kind() {
    let mut collector = collector();
    let flows = [
        Flow5(OUTSIDE, CLIENT, 443, 50_000, 6, 1_500_000, 1_000),
        Flow5(CLIENT, OUTSIDE, 50_000, 443, 6, 40_000, 600),
        Flow5(CLIENT, [10, 11, 0, 9], 50_000, 22, 6, 7_000, 70),
        Flow5(CLIENT, [192, 0, 2, 53], 50_000, 53, 17, 80, 1),
        Flow5([192, 0, 2, 7], OUTSIDE, 123, 123, 17, 76, 1),
        Flow5(CLIENT, [224, 0, 0, 251], 5_353, 5_353, 17, 300, 2),
        Flow5(CLIENT, [10, 10, 255, 255], 137, 137, 17, 78, 1),
        Flow5([10, 11, 0, 5], OUTSIDE, 50_000, 443, 6, 9_000, 10),
    ];
    send(&mut collector, &netflow5(0, 0, &flows));
    use TrafficDirection::{Down, Other, Up, Within};
    assert_eq!(
        all(&collector),
        [
            (TrafficKind::Web, Up, 40_000, 600),
            (TrafficKind::Web, Down, 1_500_000, 1_000),
            (TrafficKind::Dns, Up, 80, 1),
            (TrafficKind::Ssh, Within, 7_000, 70),
            (TrafficKind::Stream, Up, 9_000, 10),
            (TrafficKind::Multicast, Within, 378, 3),
            (TrafficKind::Other, Other, 76, 1),
        ]
    );
    let of = |network, kind, direction| collector.totals().network(network, kind, direction).bytes;
    assert_eq!(of(0, TrafficKind::Web, Down), 1_500_000);
    assert_eq!((of(0, TrafficKind::Ssh, Up), of(1, TrafficKind::Ssh, Down)), (7_000, 7_000), "as each network sees it");
    assert_eq!((of(0, TrafficKind::Dns, Up), of(2, TrafficKind::Dns, Down)), (80, 80));
    assert_eq!(of(2, TrafficKind::Other, Up), 76);
    let edge = collector.totals().exporters[0];
    assert_eq!((edge.datagrams, edge.records_lost), (1, 0));
    assert_eq!(edge.volume.packets, 1_000 + 600 + 70 + 1 + 1 + 2 + 1 + 10);
    assert_eq!((collector.counters().netflow5, collector.counters().records), (1, 8));
}

#[test]
fn the_header_says_how_many_packets_were_looked_at() {
    let mut collector = collector();
    // Mode 1, one of a hundred.
    send(&mut collector, &netflow5(0, 0x4000 | 100, &[Flow5(CLIENT, OUTSIDE, 50_000, 443, 17, 1_000, 2)]));
    assert_eq!(all(&collector), [(TrafficKind::Quic, TrafficDirection::Up, 100_000, 200)]);
}

#[test]
fn missing_flows_are_counted() {
    let mut collector = collector();
    let flow = || [Flow5(CLIENT, OUTSIDE, 1, 2, 1, 100, 1), Flow5(CLIENT, OUTSIDE, 1, 2, 1, 100, 1)];
    for sequence in [100, 102, 110, 112] {
        send(&mut collector, &netflow5(sequence, 0, &flow()));
    }
    assert_eq!(collector.totals().exporters[0].records_lost, 6);
}

#[test]
fn counts_that_cannot_be_are_not_believed() {
    let mut collector = collector();
    send(&mut collector, &netflow5(0, 0x3fff, &[Flow5(CLIENT, OUTSIDE, 1, 2, 6, u32::MAX, 1)]));
    assert_eq!(all(&collector), []);
    assert_eq!(collector.counters().implausible, 1);
}

#[test]
fn lengths_must_fit() {
    let good = netflow5(0, 0, &[Flow5(CLIENT, OUTSIDE, 1, 2, 6, 100, 1), Flow5(CLIENT, OUTSIDE, 1, 2, 6, 100, 1)]);
    let mut longer = good.clone();
    longer.push(0);
    let mut none = good.clone();
    none[3] = 0;
    let mut more = good.clone();
    more[3] = 31;
    for octets in [&longer[..], &none, &more, &good[..24], &good[..good.len() - 48], &[0, 5]] {
        let mut collector = collector();
        send(&mut collector, octets);
        assert_eq!((all(&collector), collector.counters().malformed), (Vec::new(), 1));
    }
}
