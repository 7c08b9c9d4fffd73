//! How many flows a second one core reads and adds up: `cargo run --release -p flow --example flow_speed`.
//!
//! Datagrams as exporters fill them: 30 flows of NetFlow version 5, 28 of version 9 and IPFIX with eleven fields, 7 samples of sFlow;
//! half of the addresses in one of 30 networks. No socket is measured.
#![expect(clippy::print_stdout, reason = "it says what it measured")]
#![expect(clippy::disallowed_methods, reason = "it measures wall time")]

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use flow::{Collector, CollectorSettings, Exporter, Network};
use model::Timestamp;

const NETWORKS: u16 = 30;
const RUN: Duration = Duration::from_secs(2);

fn main() {
    for (name, datagrams) in [
        ("NetFlow 5", vec![netflow5()]),
        ("NetFlow 9", messages(true)),
        ("IPFIX", messages(false)),
        ("sFlow", vec![sflow()]),
    ] {
        let mut collector = Collector::new(&settings());
        let source = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let now = Timestamp::from_secs(1_700_000_000);
        let (first, rest) = datagrams.split_first().map_or((&[][..], &[][..]), |(first, rest)| (&first[..], rest));
        collector.on_datagram(now, source, first);
        let rest = if rest.is_empty() { &datagrams[..] } else { rest };
        let before = collector.counters().records;
        let began = Instant::now();
        let mut datagrams = 0_u64;
        while began.elapsed() < RUN {
            for _ in 0..256 {
                for datagram in rest {
                    collector.on_datagram(now, source, datagram);
                    datagrams += 1;
                }
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        let flows = collector.counters().records - before;
        println!("{name}: {:.0} flows/s in {:.0} datagrams/s", flows as f64 / seconds, datagrams as f64 / seconds);
    }
}

fn settings() -> CollectorSettings {
    let network = |number: u16| Network {
        name: format!("vlan-{number}"),
        vlan: 100 + number,
        prefixes: format!("10.{number}.0.0/16").parse().into_iter().collect(),
        has_clients: true,
    };
    CollectorSettings {
        exporters: vec![Exporter { device: "edge".into(), address: Ipv4Addr::new(192, 0, 2, 1).into() }],
        networks: (0..NETWORKS).map(network).collect(),
        ..CollectorSettings::default()
    }
}

fn addresses(number: u8) -> [[u8; 4]; 2] {
    let (client, outside) = ([10, number % 40, number, 7], [203, 0, 113, number]);
    if number.is_multiple_of(2) { [client, outside] } else { [outside, client] }
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn longs(longs: &[u32]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_be_bytes()).collect()
}

fn netflow5() -> Vec<u8> {
    let mut out = [words(&[5, 30]), longs(&[1, 1_700_000_000, 0, 0]), words(&[0, 100])].concat();
    for number in 0..30 {
        let [source, destination] = addresses(number);
        out.extend([&source[..], &destination, &[0; 8], &longs(&[10, 9_000, 1, 2]), &words(&[443, 50_000])].concat());
        out.extend([0, 16, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    out
}

/// A message with the template, then one with data.
fn messages(is_9: bool) -> Vec<Vec<u8>> {
    let fields = [8, 4, 12, 4, 15, 4, 10, 4, 14, 4, 2, 4, 1, 4, 7, 2, 11, 2, 6, 1, 4, 1];
    let template = words(&[&[if is_9 { 0 } else { 2 }, 52, 300, 11][..], &fields].concat());
    let mut data = Vec::new();
    for number in 0..28 {
        let [source, destination] = addresses(number);
        data.extend(
            [&source[..], &destination, &[0; 12], &longs(&[10, 9_000]), &words(&[443, 50_000]), &[16, 6]].concat(),
        );
    }
    data.resize(data.len().next_multiple_of(4), 0);
    let data = [words(&[300, data.len() as u16 + 4]), data].concat();
    let message = |set: &[u8]| {
        let head = if is_9 {
            [words(&[9, 1]), longs(&[1, 1_700_000_000, 0, 0])].concat()
        } else {
            [words(&[10, set.len() as u16 + 16]), longs(&[1_700_000_000, 0, 0])].concat()
        };
        [&head, set].concat()
    };
    vec![message(&template), message(&data)]
}

fn sflow() -> Vec<u8> {
    let mut out = longs(&[5, 1, 0xc000_0201, 0, 0, 1, 7]);
    for number in 0..7 {
        let [source, destination] = addresses(number);
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 100, 8, 0];
        frame.extend([&[0x45, 0, 5, 220, 0, 1, 0, 0, 64, 6, 0, 0][..], &source, &destination].concat());
        frame.extend(words(&[443, 50_000]));
        frame.resize(128, 0);
        let header = [longs(&[1, 1_522, 4, 128]), frame].concat();
        let sample = [longs(&[0, 3, 512, 0, 0, 3, 4, 1, 1, header.len() as u32]), header].concat();
        out.extend([longs(&[1, sample.len() as u32]), sample].concat());
    }
    out
}
