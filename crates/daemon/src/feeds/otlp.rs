//! A receiver of OpenTelemetry logs: OTLP 1.x over HTTP, in its JSON form.
//!
//! Specification: "OTLP/HTTP" of the OpenTelemetry Protocol; the data model's appendix for the severities of syslog.

use std::{collections::BTreeMap, time::Duration};

use generate::OtlpLogs;
use model::{LogRecord, LogSeverity, Timestamp};
use serde_json::{Value, json};
use store::LogLine;

use super::lines::{LineReceiver, Sent};
use crate::{
    http_client::{Outcome, http_agent, outcome, retry_after},
    watch::read_secret,
};

/// The longest answer that is read.
const ANSWER_OCTETS_MAX: u64 = 64 << 10;
/// Asked again after so long, at least, when nothing was heard.
const UNREACHED_WAIT: Duration = Duration::from_secs(1);

pub(super) struct OtlpReceiver {
    url: String,
    token: Option<String>,
    namespace: String,
    agent: ureq::Agent,
    is_unreached: bool,
    is_refused: bool,
}

impl OtlpReceiver {
    /// `None` when a secret is missing, which is said.
    pub(super) fn open(settings: &OtlpLogs) -> Option<Self> {
        let whose = "no log lines are sent by `feeds.otlp`";
        let url = read_secret(whose, &settings.url)?;
        let token = match &settings.token {
            None => None,
            Some(token) => Some(read_secret(whose, token)?),
        };
        let (namespace, agent) = (settings.namespace.clone(), http_agent());
        Some(Self { url, token, namespace, agent, is_unreached: false, is_refused: false })
    }

    fn post(&self, body: &str) -> Result<(Outcome, u16, String), ureq::Error> {
        let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
        request = request.header("User-Agent", concat!("hotstage/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(body)?;
        let status = response.status().as_u16();
        let outcome = outcome(status, retry_after(response.headers()));
        // What cannot be read tells nothing; the status counts.
        let answer = response.body_mut().with_config().limit(ANSWER_OCTETS_MAX).read_to_string().unwrap_or_default();
        Ok((outcome, status, answer))
    }
}

impl LineReceiver for OtlpReceiver {
    const LINES_MAX: usize = 512;
    // A status confirms.
    const UNCONFIRMED: Duration = Duration::ZERO;
    const UNCONFIRMED_OCTETS_MAX: u64 = 0;

    fn send(&mut self, lines: &[LogLine]) -> Sent {
        let body = request(lines, &self.namespace).to_string();
        let octets = body.len() as u64;
        match self.post(&body) {
            Ok((outcome, status, answer)) => {
                self.is_unreached = false;
                let (refused, why) = if outcome == Outcome::Delivered { partial(&answer) } else { (0, String::new()) };
                let is_refused = outcome == Outcome::Refused || refused > 0;
                if is_refused && !self.is_refused {
                    tracing::error!(
                        status,
                        refused,
                        why,
                        "the receiver of `feeds.otlp` refuses log lines; check its `url` and `token`"
                    );
                }
                if !matches!(outcome, Outcome::Later(_)) {
                    self.is_refused = is_refused;
                }
                Sent { outcome, refused, octets }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_unreached, true) {
                    tracing::warn!(%error, "the receiver of `feeds.otlp` is not reached; lines wait in the log store");
                }
                Sent { outcome: Outcome::Later(UNREACHED_WAIT), refused: 0, octets }
            }
        }
    }

    fn is_there(&mut self) -> bool {
        true
    }

    fn close(&mut self) {}
}

/// How many lines of an accepted request were refused, and why: they are not to be sent again (OTLP, "Partial Success").
fn partial(answer: &str) -> (u64, String) {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let partial = &answer["partialSuccess"];
    // 64-bit numbers are strings in the JSON form of protobuf; readers take both.
    let refused = match &partial["rejectedLogRecords"] {
        Value::String(text) => text.parse().unwrap_or(0),
        number => number.as_u64().unwrap_or(0),
    };
    (refused, partial["errorMessage"].as_str().unwrap_or_default().chars().take(200).collect())
}

/// `ExportLogsServiceRequest`: lines by originator, in their order.
fn request(lines: &[LogLine], namespace: &str) -> Value {
    let mut by_host: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for line in lines {
        by_host.entry(&line.log.host).or_default().push(record(&line.log));
    }
    let resources = by_host.into_iter().map(|(host, records)| {
        let mut attributes = vec![text("service.name", "hotstage"), text("service.namespace", namespace)];
        if !host.is_empty() {
            attributes.push(text("host.name", host));
        }
        let scope = json!({ "name": "hotstage.syslog", "version": env!("CARGO_PKG_VERSION") });
        json!({
            "resource": { "attributes": attributes },
            "scopeLogs": [{ "scope": scope, "logRecords": records }],
        })
    });
    json!({ "resourceLogs": resources.collect::<Vec<_>>() })
}

fn record(log: &LogRecord) -> Value {
    let mut attributes = vec![
        text("source.address", &log.source.ip().to_canonical().to_string()),
        text("log.record.original", &String::from_utf8_lossy(&log.raw)),
    ];
    if !log.app.is_empty() {
        attributes.push(text("syslog.appname", &log.app));
    }
    if let Some(facility) = log.facility {
        attributes.push(json!({ "key": "syslog.facility", "value": { "intValue": facility.0.to_string() } }));
    }
    if let Some(event) = syslog::event(log) {
        attributes.push(text("event.kind", event.kind()));
    }
    let mut record = json!({
        "observedTimeUnixNano": nanos(log.received),
        "body": { "stringValue": log.message },
        "attributes": attributes,
    });
    if let Some(time) = log.device_time {
        record["timeUnixNano"] = nanos(time).into();
    }
    if let Some(severity) = log.severity {
        record["severityNumber"] = severity_number(severity).into();
        record["severityText"] = severity.name().into();
    }
    record
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// A `fixed64`: a string in the JSON form of protobuf, and nothing before 1970.
fn nanos(at: Timestamp) -> String {
    at.as_nanos().max(0).to_string()
}

fn severity_number(severity: LogSeverity) -> u8 {
    match severity {
        LogSeverity::Emergency => 21,
        LogSeverity::Alert => 19,
        LogSeverity::Critical => 18,
        LogSeverity::Error => 17,
        LogSeverity::Warning => 13,
        LogSeverity::Notice => 10,
        LogSeverity::Info => 9,
        LogSeverity::Debug => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_were_refused_are_counted_in_either_spelling() {
        for (answer, expected) in [
            ("", 0),
            ("{}", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedLogRecords":4}}"#, 4),
            ("<html>", 0),
        ] {
            assert_eq!(partial(answer).0, expected, "{answer}");
        }
    }
}
