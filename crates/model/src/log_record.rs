use std::{borrow::Cow, fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Syslog severity, 0 (emergency) to 7 (debug) (RFC 5424 section 6.2.1, table 2). Lower is worse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are RFC 5424's own")]
pub enum LogSeverity {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl LogSeverity {
    /// All of them, worst first; the index is the number on the wire.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// From the number on the wire, modulo 8 (the low three bits of PRI).
    pub fn from_number(number: u8) -> Self {
        Self::ALL[usize::from(number & 7)]
    }

    /// The number on the wire.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The name in lower case; also what `--severity` takes.
    pub fn name(self) -> &'static str {
        ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"][usize::from(self.number())]
    }
}

impl fmt::Display for LogSeverity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Syslog facility, 0 (kernel) to 23 (local7) (RFC 5424 section 6.2.1, table 1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facility(pub u8);

/// How a log line came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// One datagram, one line (RFC 5426).
    Udp,
    /// A TCP stream with either framing of RFC 6587.
    Tcp,
    /// A TLS stream (RFC 5425).
    Tls,
    /// Written by hotstage itself.
    Internal,
}

/// One log line, kept whole. What could not be parsed is still here: `raw`, `source` and `received` always are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogRecord {
    /// When the collector received it; lines are ordered by this.
    pub received: Timestamp,
    /// Who sent it.
    pub source: SocketAddr,
    /// How it came.
    pub transport: Transport,
    /// From PRI; `None` when there was no PRI.
    pub facility: Option<Facility>,
    /// From PRI; `None` when there was no PRI.
    pub severity: Option<LogSeverity>,
    /// The originator: a device of the plan if known, else the HOSTNAME of the line, else empty.
    pub host: String,
    /// APP-NAME or TAG, without process id, else empty.
    pub app: String,
    /// The originator's own time, if it could be read.
    pub device_time: Option<Timestamp>,
    /// MSG without header. Lossy UTF-8.
    pub message: String,
    /// The bytes as received, framing removed. At most 64 KiB.
    pub raw: Vec<u8>,
}

/// A log line whose texts lie elsewhere: in what was received, or in what is stored. The fields are [`LogRecord`]'s.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are LogRecord's, and documented there")]
pub struct LogRef<'a> {
    pub received: Timestamp,
    pub source: SocketAddr,
    pub transport: Transport,
    pub facility: Option<Facility>,
    pub severity: Option<LogSeverity>,
    pub host: Cow<'a, str>,
    pub app: Cow<'a, str>,
    pub device_time: Option<Timestamp>,
    pub message: Cow<'a, str>,
    pub raw: &'a [u8],
}

impl<'a> From<&'a LogRecord> for LogRef<'a> {
    fn from(log: &'a LogRecord) -> Self {
        Self {
            received: log.received,
            source: log.source,
            transport: log.transport,
            facility: log.facility,
            severity: log.severity,
            host: Cow::Borrowed(&log.host),
            app: Cow::Borrowed(&log.app),
            device_time: log.device_time,
            message: Cow::Borrowed(&log.message),
            raw: &log.raw,
        }
    }
}

impl From<LogRef<'_>> for LogRecord {
    fn from(log: LogRef<'_>) -> Self {
        Self {
            received: log.received,
            source: log.source,
            transport: log.transport,
            facility: log.facility,
            severity: log.severity,
            host: log.host.into_owned(),
            app: log.app.into_owned(),
            device_time: log.device_time,
            message: log.message.into_owned(),
            raw: log.raw.to_vec(),
        }
    }
}
