//! Bodies of Prometheus remote-write 1.0: a protobuf `WriteRequest`, a Snappy block (not the framed form).
//!
//! Specification: <https://prometheus.io/docs/specs/prw/remote_write_spec/>, section Protocol.

use model::{Metric, Timestamp};

/// Series of one request; more go into further ones.
const SERIES_MAX: usize = 2_000;

/// Fields with a length (protobuf wire type 2), of 64 bits (1) and of variable length (0).
const LENGTH_DELIMITED: u8 = 2;
const FIXED_64: u8 = 1;
const VARINT: u8 = 0;

/// The bodies for all metrics at `at`; `labels` are added to each series.
pub(super) fn bodies(metrics: &[Metric], at: Timestamp, labels: &[(String, String)]) -> Vec<Vec<u8>> {
    metrics.chunks(SERIES_MAX).map(|metrics| compressed(&write_request(metrics, at, labels))).collect()
}

fn compressed(request: &[u8]) -> Vec<u8> {
    let compressed = snap::raw::Encoder::new().compress_vec(request);
    compressed.expect("2,000 series are far from the 4 GiB that a block can hold")
}

/// `WriteRequest { repeated TimeSeries timeseries = 1; }`
fn write_request(metrics: &[Metric], at: Timestamp, labels: &[(String, String)]) -> Vec<u8> {
    let mut request = Vec::with_capacity(metrics.len() * 128);
    for metric in metrics {
        message(&mut request, 1, &time_series(metric, at, labels));
    }
    request
}

/// `TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }`
fn time_series(metric: &Metric, at: Timestamp, others: &[(String, String)]) -> Vec<u8> {
    let mut labels = vec![("__name__", metric.name.as_str())];
    labels.extend(metric.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    for (name, value) in others {
        // What a series says of itself counts.
        if labels.iter().all(|(known, _)| known != name) {
            labels.push((name, value));
        }
    }
    // Labels must be sorted by name, and an empty value is a label that is not there.
    labels.sort_unstable();
    labels.retain(|(_, value)| !value.is_empty());
    let mut series = Vec::with_capacity(128);
    for (name, value) in labels {
        let mut label = Vec::with_capacity(name.len() + value.len() + 8);
        message(&mut label, 1, name.as_bytes());
        message(&mut label, 2, value.as_bytes());
        message(&mut series, 1, &label);
    }
    let mut sample = Vec::with_capacity(20);
    tag(&mut sample, 1, FIXED_64);
    sample.extend_from_slice(&metric.value.to_le_bytes());
    tag(&mut sample, 2, VARINT);
    // Milliseconds since 1970; an `int64`, whose negative values take ten octets.
    varint(&mut sample, at.as_nanos().div_euclid(1_000_000) as u64);
    message(&mut series, 2, &sample);
    series
}

fn message(to: &mut Vec<u8>, field: u8, octets: &[u8]) {
    tag(to, field, LENGTH_DELIMITED);
    varint(to, octets.len() as u64);
    to.extend_from_slice(octets);
}

/// Fields up to 15 have tags of one octet.
fn tag(to: &mut Vec<u8>, field: u8, wire_type: u8) {
    to.push(field << 3 | wire_type);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use model::MetricKind;

    use super::*;

    fn metric(name: &str, labels: &[(&str, &str)]) -> Metric {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Metric { name: name.to_owned(), help: String::new(), kind: MetricKind::Gauge, labels, value: 1.5 }
    }

    /// The names and values of a series, in the order of its octets.
    fn labels(mut series: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        while let [0x0a, length, rest @ ..] = series {
            let (label, rest) = rest.split_at(usize::from(*length));
            let name = &label[2..2 + usize::from(label[1])];
            let value = &label[4 + name.len()..];
            found.push(format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
            series = rest;
        }
        found
    }

    #[test]
    fn the_octets_of_a_small_request() {
        // Field by field from the specification's `prompb` messages and the encoding of protobuf.
        let expected = [
            &[0x0a, 0x21][..],
            &[0x0a, 0x0d, 0x0a, 0x08],
            b"__name__",
            &[0x12, 0x01],
            b"m",
            &[0x12, 0x10, 0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x10, 0xe8, 0x87, 0x99, 0xac, 0xd3, 0x31],
        ];
        let at = Timestamp::from_nanos(1_706_000_008_168_999_999);
        let found = write_request(&[metric("m", &[])], at, &[]);
        assert_eq!(found[..19], expected.concat()[..19]);
        assert_eq!(found, expected.concat());
    }

    #[test]
    fn labels_are_sorted_whole_and_never_twice() {
        let others = [("job", "hotstage"), ("instance", "one")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let of = |labels_: &[(&str, &str)]| labels(&time_series(&metric("m", labels_), Timestamp::EPOCH, &others));
        assert_eq!(of(&[]), ["__name__=m", "instance=one", "job=hotstage"]);
        assert_eq!(of(&[("port", "2"), ("device", "sw")])[1..3], ["device=sw", "instance=one"]);
        assert_eq!(of(&[("job", "own"), ("empty", "")]), ["__name__=m", "instance=one", "job=own"]);
    }

    #[test]
    fn numbers_of_every_size() {
        for (value, expected) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ] {
            let mut octets = Vec::new();
            varint(&mut octets, value);
            assert_eq!(octets, expected);
        }
    }

    #[test]
    fn many_series_go_in_several_requests() {
        let metrics = vec![metric("m", &[]); SERIES_MAX * 2 + 1];
        let bodies = bodies(&metrics, Timestamp::EPOCH, &[]);
        assert_eq!(bodies.len(), 3);
        let last = snap::raw::Decoder::new().decompress_vec(&bodies[2]).unwrap();
        assert_eq!(last, write_request(&metrics[..1], Timestamp::EPOCH, &[]));
    }
}
