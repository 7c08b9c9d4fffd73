//! Who is given the figures and the log of the event.

use std::{fmt, path::PathBuf, time::Duration};

use crate::Secret;

/// Every feed that the plan asks for; `None` = there is no such.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Feeds {
    /// A receiver of Prometheus remote-write.
    pub remote_write: Option<RemoteWrite>,
    /// A Zabbix server or proxy that is sent figures.
    pub zabbix: Option<ZabbixFeed>,
    /// A syslog collector that is sent every line.
    pub syslog: Option<SyslogFeed>,
    /// A receiver of OpenTelemetry logs.
    pub otlp: Option<OtlpFeed>,
}

/// A receiver of Prometheus remote-write 1.0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteWrite {
    /// Where.
    pub url: Secret,
    /// Bearer token.
    pub token: Option<Secret>,
    /// Time between requests.
    pub interval: Duration,
}

/// A Zabbix server or proxy, told by the sender protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZabbixFeed {
    /// Its trapper; default port 10051.
    pub server: HostPort,
    /// Name of the host in Zabbix that has the template.
    pub host: String,
    /// Time between values.
    pub interval: Duration,
}

/// A syslog collector, told over TCP or TLS (RFC 6587 and RFC 5425, octet counting).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyslogFeed {
    /// Where; default port 6514, 601 without TLS.
    pub to: HostPort,
    /// `None` = clear text.
    pub tls: Option<SyslogFeedTls>,
}

/// How a syslog collector proves itself, and we to it. Files in PEM form, relative to the plan's directory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyslogFeedTls {
    /// Authorities besides the system's.
    pub authority: Option<PathBuf>,
    /// Our certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// A receiver of OTLP 1.x logs over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtlpFeed {
    /// Where, e.g. `http://192.0.2.9:4318/v1/logs`.
    pub url: Secret,
    /// Bearer token.
    pub token: Option<Secret>,
}

/// A name or address and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPort {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl HostPort {
    /// `host`, `host:port`, `192.0.2.9:514`, `[2001:db8::9]:514`; `None` for what is none of them.
    pub(crate) fn parse(text: &str, port: u16) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if rest.is_empty() { port } else { rest.strip_prefix(':')?.parse().ok()? })
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (text, port),
            },
        };
        let is_name = !host.is_empty() && host.len() <= 253;
        let is_name = is_name && host.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._:".contains(letter));
        (is_name && port > 0).then(|| Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_ports() {
        for (text, expected) in [
            ("log.example", Some("log.example:6514")),
            ("log.example:1514", Some("log.example:1514")),
            ("192.0.2.9:514", Some("192.0.2.9:514")),
            ("[2001:db8::9]", Some("[2001:db8::9]:6514")),
            ("[2001:db8::9]:514", Some("[2001:db8::9]:514")),
            ("2001:db8::9", None),
            ("", None),
            (":514", None),
            ("a b", None),
            ("host:0", None),
            ("host:70000", None),
            ("[host]:1", None),
            ("user@host", None),
        ] {
            assert_eq!(HostPort::parse(text, 6_514).map(|found| found.to_string()).as_deref(), expected, "{text}");
        }
    }
}
