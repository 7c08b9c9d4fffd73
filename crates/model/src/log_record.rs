use std::{fmt, net::SocketAddr};

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
