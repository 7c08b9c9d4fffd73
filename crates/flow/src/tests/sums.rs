use std::time::Duration;

use model::{TrafficDirection, TrafficKind};

use super::{
    NOW, collector,
    datagrams::{Flow5, ipfix, netflow5, set, words},
    send, settings,
};
use crate::Recent;

const CLIENT: [u8; 4] = [10, 10, 3, 4];
const STAFF: [u8; 4] = [10, 11, 0, 4];
const OUTSIDE: [u8; 4] = [203, 0, 113, 9];

#[test]
fn sums_stay_at_their_most() {
    let mut collector = collector();
    // One of four billion, with counts as large as are believed.
    let template = words(&[300, 5, 8, 4, 12, 4, 1, 8, 2, 8, 34, 4]);
    let mut record = [&OUTSIDE[..], &CLIENT, &(1_u64 << 18).to_be_bytes(), &(1_u64 << 62).to_be_bytes()].concat();
    record.extend(u32::MAX.to_be_bytes());
    let sets = [set(2, &template), set(300, &[record.clone(), record].concat())];
    send(&mut collector, &ipfix(0, 0, &sets));
    let volume = collector.totals().kind(TrafficKind::Other, TrafficDirection::Down);
    assert_eq!((volume.packets, volume.bytes >> 18), (u64::MAX, 2 * u64::from(u32::MAX)));
}

#[test]
fn what_was_lately_is_a_mean_over_minutes_and_the_most_comes_first() {
    let settings = settings();
    let (mut collector, mut recent) = (collector(), Recent::default());
    let at = |seconds| NOW + Duration::from_secs(seconds);
    let nothing = recent.look(at(0), collector.totals(), &settings.networks);
    assert_eq!((nothing.kinds.len(), nothing.exporters_heard), (0, 0));
    let flows = [
        Flow5(OUTSIDE, CLIENT, 443, 50_000, 6, 60_000, 60),
        Flow5(CLIENT, OUTSIDE, 50_000, 443, 6, 6_000, 60),
        Flow5(OUTSIDE, STAFF, 443, 50_000, 17, 120_000, 100),
        Flow5(STAFF, CLIENT, 22, 50_000, 6, 600, 6),
    ];
    send(&mut collector, &netflow5(0, 0, &flows));
    let traffic = recent.look(at(60), collector.totals(), &settings.networks);
    assert_eq!((traffic.span_seconds, traffic.exporters_heard), (60, 1));
    let kinds: Vec<_> = traffic.kinds.iter().map(|kind| (kind.kind, kind.up, kind.down, kind.rest)).collect();
    assert_eq!(
        kinds,
        [
            (TrafficKind::Quic, 0.0, 2_000.0, 0.0),
            (TrafficKind::Web, 100.0, 1_000.0, 0.0),
            (TrafficKind::Ssh, 0.0, 0.0, 10.0)
        ]
    );
    let talkers: Vec<_> = traffic.talkers.iter().map(|talker| (talker.network.as_str(), talker.kind)).collect();
    assert_eq!(talkers[..2], [("staff", TrafficKind::Quic), ("attendee", TrafficKind::Web)]);
    assert_eq!(talkers.len(), 4);
    // Later it is over, and the window has moved on.
    for seconds in (60..700).step_by(10) {
        recent.look(at(seconds), collector.totals(), &settings.networks);
    }
    let traffic = recent.look(at(700), collector.totals(), &settings.networks);
    assert_eq!(traffic.kinds, []);
    assert!((300..340).contains(&traffic.span_seconds), "{}", traffic.span_seconds);
    // A clock that was set back begins anew.
    assert_eq!(recent.look(at(5), collector.totals(), &settings.networks).span_seconds, 0);
}
