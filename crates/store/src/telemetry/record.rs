use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use model::{Facility, LogRecord, LogRef, LogSeverity, Sample, Timestamp, Transport};

use crate::octets::{Fields, put_long, put_short};

const LOG: u8 = 1;
const SAMPLE: u8 = 2;
/// Message or raw line are cut here in the ring; `LogRecord` allows 64 KiB of raw, a lossy message may be thrice that.
const TEXT_OCTETS_MAX: u32 = 256 << 10;
const NONE: u8 = u8::MAX;

/// One record of the ring.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Record {
    Log(LogRecord),
    Sample(Sample),
}

/// Appends a log line as octets. The message is mostly the end of the raw line, and then written as its length only.
pub(super) fn encode_log(log: &LogRef<'_>, buffer: &mut Vec<u8>) {
    buffer.push(LOG);
    buffer.extend_from_slice(&log.received.as_nanos().to_le_bytes());
    match log.source.ip() {
        IpAddr::V4(address) => {
            buffer.push(4);
            buffer.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            buffer.push(6);
            buffer.extend_from_slice(&address.octets());
        }
    }
    buffer.extend_from_slice(&log.source.port().to_le_bytes());
    buffer.push(match log.transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
        Transport::Internal => 2,
        Transport::Tls => 3,
    });
    buffer.push(log.facility.map_or(NONE, |facility| facility.0));
    buffer.push(log.severity.map_or(NONE, LogSeverity::number));
    buffer.push(u8::from(log.device_time.is_some()));
    buffer.extend_from_slice(&log.device_time.unwrap_or_default().as_nanos().to_le_bytes());
    put_short(buffer, log.host.as_bytes());
    put_short(buffer, log.app.as_bytes());
    put_long(buffer, log.raw, TEXT_OCTETS_MAX);
    let is_end_of_raw = log.raw.len() <= TEXT_OCTETS_MAX as usize && log.raw.ends_with(log.message.as_bytes());
    buffer.push(u8::from(is_end_of_raw));
    if is_end_of_raw {
        buffer.extend_from_slice(&u32::try_from(log.message.len()).unwrap_or(u32::MAX).to_le_bytes());
    } else {
        put_long(buffer, log.message.as_bytes(), TEXT_OCTETS_MAX);
    }
}

/// Appends a sample as octets.
pub(super) fn encode_sample(sample: &Sample, buffer: &mut Vec<u8>) {
    buffer.push(SAMPLE);
    buffer.extend_from_slice(&sample.at.as_nanos().to_le_bytes());
    buffer.extend_from_slice(&sample.value.to_le_bytes());
    put_short(buffer, sample.metric.as_bytes());
    put_short(buffer, sample.subject.as_bytes());
}

/// The record in a payload; `None` for one of another format.
pub(super) fn decode(payload: &[u8]) -> Option<Record> {
    let mut fields = Fields(payload);
    match fields.u8()? {
        LOG => decode_log(fields).map(|line| Record::Log(line.into())),
        SAMPLE => Some(Record::Sample(Sample {
            at: Timestamp::from_nanos(fields.i64()?),
            value: fields.f64()?,
            metric: text(fields.short()?).into_owned(),
            subject: text(fields.short()?).into_owned(),
        })),
        _ => None,
    }
}

/// The log line in a payload; `None` for anything else.
pub(super) fn decode_line(payload: &[u8]) -> Option<LogRef<'_>> {
    let mut fields = Fields(payload);
    if fields.u8()? == LOG { decode_log(fields) } else { None }
}

/// When the log line in a payload of ours was received.
pub(super) fn time_of_log(payload: &[u8]) -> Timestamp {
    let nanos = Fields(payload.get(1..).unwrap_or_default()).i64();
    Timestamp::from_nanos(nanos.unwrap_or(0))
}

/// True for a log line, false for a sample, without decoding it.
pub(super) fn is_log(payload: &[u8]) -> Option<bool> {
    match *payload.first()? {
        LOG => Some(true),
        SAMPLE => Some(false),
        _ => None,
    }
}

fn decode_log(mut fields: Fields<'_>) -> Option<LogRef<'_>> {
    let received = Timestamp::from_nanos(fields.i64()?);
    let address = match fields.u8()? {
        4 => IpAddr::from(fields.array::<4>()?),
        6 => IpAddr::from(fields.array::<16>()?),
        _ => return None,
    };
    let source = SocketAddr::new(address, fields.u16()?);
    let transport = match fields.u8()? {
        0 => Transport::Udp,
        1 => Transport::Tcp,
        2 => Transport::Internal,
        3 => Transport::Tls,
        _ => return None,
    };
    let facility = Some(fields.u8()?).filter(|&number| number != NONE).map(Facility);
    let severity = Some(fields.u8()?).filter(|&number| number != NONE).map(LogSeverity::from_number);
    let is_dated = fields.u8()? != 0;
    let device_time = Timestamp::from_nanos(fields.i64()?);
    let host = text(fields.short()?);
    let app = text(fields.short()?);
    let raw = fields.long()?;
    let message = match fields.u8()? {
        0 => text(fields.long()?),
        _ => text(&raw[raw.len().checked_sub(usize::try_from(fields.u32()?).ok()?)?..]),
    };
    let device_time = is_dated.then_some(device_time);
    Some(LogRef { received, source, transport, facility, severity, host, app, device_time, message, raw })
}

fn text(octets: &[u8]) -> Cow<'_, str> {
    // Checking whole is far faster than looking for what is wrong.
    str::from_utf8(octets).map_or_else(|_| String::from_utf8_lossy(octets), Cow::Borrowed)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn any_log() -> impl Strategy<Value = LogRecord> {
        (
            (0_i64..4_000_000_000_000_000_000, any::<IpAddr>(), any::<u16>(), 0_usize..4),
            (any::<Option<u8>>(), any::<Option<u8>>(), any::<Option<i64>>(), "[a-z0-9é]{0,9}", "[a-z]{0,4}"),
            ("[a-cé<\"]{0,40}", any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)),
        )
            .prop_map(
                |(
                    (received, address, port, transport),
                    (facility, severity, time, host, app),
                    (message, ends, mut raw),
                )| {
                    if ends {
                        raw.extend_from_slice(message.as_bytes());
                    }
                    LogRecord {
                        received: Timestamp::from_nanos(received),
                        source: SocketAddr::new(address, port),
                        transport: [Transport::Udp, Transport::Tcp, Transport::Internal, Transport::Tls][transport],
                        facility: facility.map(|number| Facility(number % 24)),
                        severity: severity.map(LogSeverity::from_number),
                        host,
                        app,
                        device_time: time.map(Timestamp::from_nanos),
                        message,
                        raw,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn logs_are_read_back(log in any_log()) {
            let mut buffer = Vec::new();
            encode_log(&LogRef::from(&log), &mut buffer);
            prop_assert_eq!(is_log(&buffer), Some(true));
            prop_assert_eq!(decode(&buffer), Some(Record::Log(log)));
        }

        #[test]
        fn samples_are_read_back(at in any::<i64>(), metric in "[a-z]{0,9}", subject in ".{0,9}", value in -1e300..1e300) {
            let sample = Sample { at: Timestamp::from_nanos(at), metric, subject, value };
            let mut buffer = Vec::new();
            encode_sample(&sample, &mut buffer);
            prop_assert_eq!(is_log(&buffer), Some(false));
            prop_assert_eq!(decode(&buffer), Some(Record::Sample(sample)));
        }

        #[test]
        fn any_octets_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            decode(&bytes);
        }
    }
}
