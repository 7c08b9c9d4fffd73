use std::time::Duration;

use model::{TrafficDirection, TrafficKind};

use super::{
    NOW, collector,
    datagrams::{ipfix, netflow9, set, usual, usual_template, words},
    send, send_at,
};
use crate::Collector;

const CLIENT: [u8; 4] = [10, 10, 3, 4];
const OUTSIDE: [u8; 4] = [203, 0, 113, 9];

fn web(bytes: u32, packets: u32) -> Vec<u8> {
    usual(OUTSIDE, CLIENT, [443, 50_000], 6, [bytes, packets])
}

fn web_down(collector: &Collector) -> (u64, u64) {
    let volume = collector.totals().kind(TrafficKind::Web, TrafficDirection::Down);
    (volume.bytes, volume.packets)
}

#[test]
fn data_is_read_by_its_template() {
    for (is_9, template_set) in [(true, 0), (false, 2)] {
        let message = |sequence, sets: &[Vec<u8>]| {
            if is_9 { netflow9(sequence, 7, sets) } else { ipfix(sequence, 7, sets) }
        };
        let mut collector = collector();
        let data = [web(3_000, 3), web(500, 1)].concat();
        send(&mut collector, &message(0, &[set(template_set, &usual_template(300)), set(300, &data)]));
        assert_eq!(web_down(&collector), (3_500, 4));
        // Next datagram: the template is still known.
        send(&mut collector, &message(if is_9 { 1 } else { 2 }, &[set(300, &web(1_000, 1))]));
        assert_eq!(web_down(&collector), (4_500, 5));
        let edge = collector.totals().exporters[0];
        assert_eq!((edge.datagrams, edge.datagrams_lost, edge.records_lost), (2, 0, 0));
        assert_eq!((collector.counters().malformed, collector.templates()), (0, 1));
    }
}

#[test]
fn templates_are_those_of_their_exporter_format_and_domain() {
    let mut collector = collector();
    send(&mut collector, &ipfix(0, 1, &[set(2, &usual_template(300))]));
    send(&mut collector, &ipfix(0, 2, &[set(300, &web(100, 1))]));
    send(&mut collector, &netflow9(0, 1, &[set(300, &web(100, 1))]));
    collector.on_datagram(NOW, "192.0.2.2".parse().unwrap(), &ipfix(0, 1, &[set(300, &web(100, 1))]));
    assert_eq!(web_down(&collector), (0, 0));
    send(&mut collector, &ipfix(0, 1, &[set(300, &web(100, 1))]));
    assert_eq!(web_down(&collector), (100, 1));
    assert!(collector.waiting_octets() > 0);
}

#[test]
fn data_waits_for_its_template_a_minute() {
    let mut collector = collector();
    send(&mut collector, &netflow9(0, 0, &[set(300, &web(1_000, 1)), set(301, &web(50, 1))]));
    assert_eq!(web_down(&collector), (0, 0));
    let later = NOW + Duration::from_secs(30);
    send_at(&mut collector, later, &netflow9(1, 0, &[set(0, &usual_template(300))]));
    assert_eq!((web_down(&collector), collector.counters().sets_waited), ((1_000, 1), 1));
    let too_late = NOW + Duration::from_secs(70);
    send_at(&mut collector, too_late, &[]);
    send_at(&mut collector, too_late, &netflow9(2, 0, &[set(0, &usual_template(301))]));
    assert_eq!(web_down(&collector), (1_000, 1));
    assert_eq!((collector.counters().sets_without_template, collector.waiting_octets()), (1, 0));
}

#[test]
fn what_waits_is_bounded_and_the_oldest_goes() {
    let mut collector = collector();
    let big = vec![7; 1_400];
    for sequence in 0..1_000 {
        send(&mut collector, &netflow9(sequence, 0, &[set(300, &big)]));
    }
    assert!(collector.waiting_octets() <= 64 << 10, "{}", collector.waiting_octets());
    assert!(collector.counters().sets_without_template > 900);
    // A set that is larger than all that may wait.
    send(&mut collector, &netflow9(1_000, 0, &[set(301, &vec![7; 65_400])]));
    assert!(collector.waiting_octets() <= 64 << 10, "{}", collector.waiting_octets());
}

#[test]
fn a_template_may_change() {
    let mut collector = collector();
    send(&mut collector, &netflow9(0, 0, &[set(0, &usual_template(300)), set(300, &web(1_000, 1))]));
    send(&mut collector, &netflow9(1, 0, &[set(0, &usual_template(300)), set(300, &web(1_000, 1))]));
    assert_eq!(collector.counters().templates_changed, 0, "told again");
    // Octets first, of eight, then the rest.
    let template = words(&[300, 7, 1, 8, 2, 8, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1]);
    let mut record = [5_000_u64.to_be_bytes(), 4_u64.to_be_bytes()].concat();
    record.extend(&web(0, 0)[..13]);
    send(&mut collector, &netflow9(2, 0, &[set(0, &template), set(300, &record)]));
    assert_eq!((web_down(&collector), collector.counters().templates_changed), ((7_000, 6), 1));
}

#[test]
fn a_template_that_is_not_told_again_is_forgotten() {
    let mut collector = collector();
    send(&mut collector, &netflow9(0, 0, &[set(0, &usual_template(300))]));
    send_at(&mut collector, NOW + Duration::from_secs(5_399), &[]);
    assert_eq!(collector.templates(), 1);
    send_at(&mut collector, NOW + Duration::from_secs(5_410), &[]);
    assert_eq!((collector.templates(), collector.counters().templates_dropped), (0, 1));
}

#[test]
fn templates_are_bounded() {
    let mut collector = collector();
    for domain in 0..40 {
        let templates: Vec<u8> = (256..306).flat_map(usual_template).collect();
        send(&mut collector, &netflow9(0, domain, &[set(0, &templates)]));
    }
    assert_eq!((collector.templates(), collector.counters().templates_dropped), (1_024, 2_000 - 1_024));
    // Of many exporters together as well.
    for exporter in 0..40 {
        for domain in 0..30 {
            let templates: Vec<u8> = (256..306).flat_map(usual_template).collect();
            let source = format!("198.51.100.{exporter}").parse().unwrap();
            collector.on_datagram(NOW, source, &netflow9(0, domain, &[set(0, &templates)]));
        }
    }
    assert_eq!(collector.templates(), 16_384);
}

#[test]
fn exporters_beside_the_plan_are_bounded_and_those_of_nowhere_are_not_read() {
    let mut collector = collector();
    let message = netflow9(0, 0, &[set(0, &usual_template(300)), set(300, &web(1_000, 1))]);
    collector.on_datagram(NOW, "203.0.113.5".parse().unwrap(), &message);
    assert_eq!((web_down(&collector), collector.counters().foreign), ((0, 0), 1));
    collector.on_datagram(NOW, "::ffff:198.51.100.7".parse().unwrap(), &message);
    assert_eq!(web_down(&collector), (1_000, 1));
    assert_eq!(collector.totals().exporters[2].datagrams, 1);
    let mut settings = super::settings();
    settings.allow = vec!["198.18.0.0/15".parse().unwrap()];
    let mut collector = Collector::new(&settings);
    for host in 0..600_u32 {
        let source = std::net::Ipv4Addr::from_bits(0xc612_0000 + host);
        collector.on_datagram(NOW + Duration::from_secs(u64::from(host)), source.into(), &message);
    }
    assert_eq!((collector.templates(), collector.counters().exporters_dropped), (256, 344));
}

#[test]
fn sampling_is_told_by_options() {
    // Version 9: scope system (1), then sampler id, mode, interval.
    let options = words(&[400, 4, 12, 1, 4, 48, 1, 49, 1, 50, 4]);
    let sampler = [&[0, 0, 0, 1, 3, 2][..], &1_000_u32.to_be_bytes()].concat();
    let mut collector = collector();
    send(&mut collector, &netflow9(0, 0, &[set(1, &options), set(400, &sampler)]));
    let template = words(&[300, 4, 8, 4, 12, 4, 1, 4, 48, 1]);
    let record = |id| [&OUTSIDE[..], &CLIENT, &500_u32.to_be_bytes(), &[id]].concat();
    send(&mut collector, &netflow9(1, 0, &[set(0, &template), set(300, &record(3))]));
    let other = |collector: &Collector| collector.totals().kind(TrafficKind::Other, TrafficDirection::Down).bytes;
    assert_eq!(other(&collector), 500_000);
    // A sampler that nobody told of.
    send(&mut collector, &netflow9(2, 0, &[set(300, &record(4))]));
    assert_eq!(other(&collector), 500_500);
    // Records that name none have the only one.
    send(&mut collector, &netflow9(3, 0, &[set(0, &usual_template(301)), set(301, &web(10, 1))]));
    assert_eq!(web_down(&collector), (10_000, 1_000));
}

#[test]
fn sampling_is_told_by_options_of_ipfix_and_by_records() {
    // Scope selectorId (302), then samplingPacketInterval (305) and samplingPacketSpace (306).
    let options = words(&[400, 3, 1, 302, 8, 305, 4, 306, 4]);
    let selector = [&9_u64.to_be_bytes()[..], &2_u32.to_be_bytes(), &198_u32.to_be_bytes()].concat();
    let mut collector = collector();
    send(&mut collector, &ipfix(0, 0, &[set(3, &options), set(400, &selector)]));
    send(&mut collector, &ipfix(1, 0, &[set(2, &usual_template(300)), set(300, &web(10, 1))]));
    assert_eq!(web_down(&collector), (1_000, 100));
    assert_eq!(collector.totals().exporters[0].records_lost, 0, "records of options are counted too");
    for (fields, value, rate) in [
        (&[34, 4][..], vec![0, 0, 0, 5], 5),
        (&[309, 2, 310, 2], vec![0, 3, 0, 21], 7),
        (&[311, 8], 0.125_f64.to_be_bytes().to_vec(), 8),
        (&[305, 4], vec![0, 0, 0, 9], 9),
        (&[305, 2, 306, 2], vec![0, 5, 0, 0], 1),
        (&[311, 8], f64::NAN.to_be_bytes().to_vec(), 1),
        (&[309, 2, 310, 2], vec![0, 0, 0, 21], 1),
    ] {
        let mut collector = super::collector();
        let template = words(&[&[301, 3 + fields.len() as u16 / 2, 8, 4, 12, 4, 1, 4][..], fields].concat());
        let record = [&OUTSIDE[..], &CLIENT, &500_u32.to_be_bytes(), &value].concat();
        send(&mut collector, &ipfix(0, 0, &[set(2, &template), set(301, &record)]));
        let volume = collector.totals().kind(TrafficKind::Other, TrafficDirection::Down);
        assert_eq!(volume.bytes, 500 * rate, "{fields:?}");
    }
}

#[test]
fn fields_may_be_of_others_of_any_length_or_of_none() {
    // An enterprise's field, one that states its length, one of no octets, both families, reverse counts.
    let mut template = words(&[310, 11, 0x8000 | 99, 4]);
    template.extend(8_888_u32.to_be_bytes());
    template.extend(words(&[371, 0xffff, 96, 0, 8, 4, 12, 4, 28, 16, 1, 3, 2, 2, 4, 1]));
    for id in [1_u16, 2] {
        template.extend(words(&[0x8000 | id, 4]));
        template.extend(29_305_u32.to_be_bytes());
    }
    let record = |name: &[u8]| {
        let mut out = vec![1, 2, 3, 4];
        match u8::try_from(name.len()) {
            Ok(length) if length < 255 => out.push(length),
            _ => out.extend([&[255][..], &(name.len() as u16).to_be_bytes()].concat()),
        }
        out.extend(name);
        out.extend(CLIENT);
        out.extend(OUTSIDE);
        out.extend([0; 16]);
        out.extend([0, 3, 0xe8, 0, 2, 50]);
        out.extend(9_000_u32.to_be_bytes());
        out.extend(8_u32.to_be_bytes());
        out
    };
    let mut collector = collector();
    let data = [record(b"user"), record(&[b'x'; 300]), record(b"")].concat();
    send(&mut collector, &ipfix(0, 0, &[set(2, &template), set(310, &data)]));
    let of = |direction| collector.totals().kind(TrafficKind::Vpn, direction);
    assert_eq!((of(TrafficDirection::Up).bytes, of(TrafficDirection::Up).packets), (3_000, 6));
    assert_eq!((of(TrafficDirection::Down).bytes, of(TrafficDirection::Down).packets), (27_000, 24));
    assert_eq!(collector.counters().malformed, 0);
}

#[test]
fn missing_messages_are_counted() {
    let mut collector = collector();
    for sequence in [5, 6, 9] {
        send(&mut collector, &netflow9(sequence, 0, &[set(0, &usual_template(300))]));
    }
    assert_eq!(collector.totals().exporters[0].datagrams_lost, 2);
    send(&mut collector, &ipfix(0, 0, &[set(2, &usual_template(300)), set(300, &web(1, 1))]));
    send(&mut collector, &ipfix(4, 0, &[set(300, &web(1, 1))]));
    assert_eq!(collector.totals().exporters[0].records_lost, 3);
    // How many records a set without template has is not known: no loss is made of it.
    send(&mut collector, &ipfix(5, 0, &[set(301, &[web(1, 1), web(1, 1)].concat())]));
    send(&mut collector, &ipfix(7, 0, &[set(300, &web(1, 1))]));
    assert_eq!(collector.totals().exporters[0].records_lost, 3);
}
