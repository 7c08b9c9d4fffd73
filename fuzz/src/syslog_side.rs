use std::net::{IpAddr, SocketAddr};

use model::{Timestamp, Transport};
use syslog::{Context, Framer, LINE_BYTES_MAX, event, parse};

/// Any line becomes a record that keeps its octets; its event, if any, can be told.
pub fn syslog_line(data: &[u8]) {
    let source = SocketAddr::from(([10, 0, 0, 41], 514));
    let mut context = Context::new(jiff::tz::TimeZone::UTC);
    context.add_device("sw-4f-1", [IpAddr::from([10, 0, 0, 41])]);
    let record = parse(Timestamp::from_secs(1_700_000_000), source, Transport::Udp, data, &context);
    assert_eq!(record.raw, data, "the raw line is kept");
    let _ = event(&record);
}

/// A stream gives the same lines however it is cut into pieces.
pub fn syslog_stream(data: &[u8]) {
    let Some((&size, stream)) = data.split_first() else { return };
    assert_eq!(lines(stream, stream.len().max(1)), lines(stream, usize::from(size).max(1)));
}

fn lines(stream: &[u8], piece: usize) -> (Vec<(Vec<u8>, bool)>, Option<Vec<u8>>) {
    let mut framer = Framer::new();
    let mut lines = Vec::new();
    for octets in stream.chunks(piece) {
        framer.push(octets);
        while let Some(frame) = framer.next_frame() {
            assert!(!frame.bytes.is_empty() && frame.bytes.len() <= LINE_BYTES_MAX);
            lines.push((frame.bytes.to_vec(), frame.is_cut));
        }
    }
    (lines, framer.finish())
}
