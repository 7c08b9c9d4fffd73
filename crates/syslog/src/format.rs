use std::fmt::Write as _;

use jiff::tz::TimeZone;
use model::{Facility, LogSeverity, Mac, Timestamp};

/// A line to send, as a device (or a simulated one) would.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Facility of PRI, 0 to 23.
    pub facility: Facility,
    /// Severity of PRI.
    pub severity: LogSeverity,
    /// The device's time.
    pub time: Timestamp,
    /// HOSTNAME, printable, without spaces.
    pub host: String,
    /// TAG or APP-NAME, printable, without spaces.
    pub app: String,
    /// MSG.
    pub message: String,
}

impl Line {
    /// RFC 3164 section 4.1, without framing: `<30>Sep 16 10:00:00 ap-4f-1 hostapd: ...`, time in `zone`.
    pub fn rfc3164(&self, zone: &TimeZone) -> String {
        let local = zone.to_datetime(jiff_time(self.time));
        let time = local.strftime("%b %e %H:%M:%S");
        format!("<{}>{time} {} {}: {}", self.priority(), self.host, self.app, self.message)
    }

    /// RFC 5424 section 6, without framing: `<30>1 2019-09-16T01:00:00.5Z ap-4f-1 hostapd - - - ...`. Time in
    /// microseconds, the finest that section 6.2.3 allows.
    pub fn rfc5424(&self) -> String {
        let mut line = format!("<{}>1 ", self.priority());
        let time = Timestamp::from_nanos(self.time.as_nanos().div_euclid(1_000) * 1_000);
        // Writing to a String cannot fail.
        let _ = write!(line, "{time} {} {} - - - {}", nil(&self.host), nil(&self.app), self.message);
        line
    }

    fn priority(&self) -> u8 {
        (self.facility.0 % 24) * 8 + self.severity.number()
    }
}

/// `line` with its octet count in front (RFC 6587 section 3.4.1).
pub fn octet_counted(line: &str) -> Vec<u8> {
    let mut framed = format!("{} ", line.len()).into_bytes();
    framed.extend_from_slice(line.as_bytes());
    framed
}

/// What hostapd says when a station has joined.
pub fn hostapd_connected(ap: &str, mac: Mac, time: Timestamp) -> Line {
    hostapd(ap, time, format!("wlan0: AP-STA-CONNECTED {mac}"))
}

/// What hostapd says when a station has left.
pub fn hostapd_disconnected(ap: &str, mac: Mac, time: Timestamp) -> Line {
    hostapd(ap, time, format!("wlan0: AP-STA-DISCONNECTED {mac}"))
}

/// hostapd logs as facility daemon (3), severity informational.
fn hostapd(ap: &str, time: Timestamp, message: String) -> Line {
    Line {
        facility: Facility(3),
        severity: LogSeverity::Info,
        time,
        host: ap.to_owned(),
        app: "hostapd".to_owned(),
        message,
    }
}

fn nil(field: &str) -> &str {
    if field.is_empty() { "-" } else { field }
}

fn jiff_time(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(time.as_nanos())).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use model::{LogRecord, Transport};
    use proptest::prelude::*;

    use super::*;
    use crate::{Context, Framer, LineEvent, event, parse};

    fn read(raw: &[u8], received: Timestamp) -> LogRecord {
        let source = SocketAddr::from(([192, 0, 2, 1], 514));
        parse(received, source, Transport::Tcp, raw, &Context::new(TimeZone::get("Asia/Tokyo").unwrap()))
    }

    #[test]
    fn lines_of_simulated_access_points_are_understood() {
        let time = Timestamp::from_secs(1_568_595_600);
        let mac = Mac([0x02, 0, 0x5e, 0, 0x53, 0x01]);
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let line = hostapd_connected("ap-4f-1", mac, time);
        assert_eq!(
            line.rfc3164(&zone),
            "<30>Sep 16 10:00:00 ap-4f-1 hostapd: wlan0: AP-STA-CONNECTED 02:00:5e:00:53:01"
        );
        assert_eq!(
            octet_counted(&hostapd_disconnected("ap-4f-1", mac, time).rfc5424()),
            b"93 <30>1 2019-09-16T01:00:00Z ap-4f-1 hostapd - - - wlan0: AP-STA-DISCONNECTED 02:00:5e:00:53:01"
        );
        for text in [line.rfc3164(&zone), line.rfc5424()] {
            let record = read(text.as_bytes(), time);
            assert_eq!((record.host.as_str(), record.app.as_str()), ("ap-4f-1", "hostapd"));
            assert_eq!(record.device_time, Some(time));
            assert_eq!(event(&record), Some(LineEvent::StationAssociated { mac }));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            priority in 0_u8..192,
            nanos in 0_i64..7_000_000_000_000_000_000,
            host in "[a-z][a-z0-9-]{0,20}",
            app in "[a-zA-Z][a-zA-Z0-9_-]{0,20}",
            message in "[ -~あ-ん]{1,80}",
        ) {
            let line = Line {
                facility: Facility(priority / 8),
                severity: LogSeverity::from_number(priority),
                time: Timestamp::from_nanos(nanos / 1_000 * 1_000),
                host, app, message,
            };
            let mut framer = Framer::new();
            framer.push(&octet_counted(&line.rfc5424()));
            let record = read(framer.next_frame().unwrap().bytes, line.time);
            prop_assert_eq!(record.facility, Some(line.facility));
            prop_assert_eq!(record.severity, Some(line.severity));
            prop_assert_eq!(record.device_time, Some(line.time));
            prop_assert_eq!(&record.message, &line.message);
            prop_assert_eq!(&record.host, &line.host);
            prop_assert_eq!(&record.app, &line.app);
            let old = read(line.rfc3164(&TimeZone::get("Asia/Tokyo").unwrap()).as_bytes(), line.time);
            prop_assert_eq!(old.device_time.map(Timestamp::as_secs), Some(line.time.as_secs()));
            prop_assert_eq!(&old.host, &line.host);
            prop_assert_eq!(&old.app, &line.app);
            prop_assert_eq!(&old.message, line.message.trim_start_matches(' '));
        }
    }
}
