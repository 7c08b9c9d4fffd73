//! A Zabbix server or proxy, told by the sender protocol: all figures as the value of one trapper item, from which the
//! template takes the rest.
//!
//! Zabbix manual 6.0, "Zabbix protocols": header `ZBXD`, flags 0x01, the length of what follows as 32 bits, little endian,
//! and 32 reserved bits. The answer says `processed` and `failed` separately: a `success` alone means nothing.

use std::{
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use generate::{HostPort, ZabbixFeed};
use model::{Metric, Timestamp};
use serde_json::{Value, json};

use super::figures::FigureReceiver;
use crate::http_client::Outcome;

/// The item that takes the figures; so called in the template.
const KEY: &str = "hotstage.raw";
const MARK: &[u8; 5] = b"ZBXD\x01";
const HEADER_OCTETS: usize = 13;
/// How long the server may take for each step.
const STEP_TIME_MAX: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const ANSWER_OCTETS_MAX: u64 = 64 << 10;
/// Asked again after so long, at least, when nothing was heard.
const UNREACHED_WAIT: Duration = Duration::from_secs(1);

pub(super) struct ZabbixReceiver {
    server: HostPort,
    host: String,
    is_unreached: bool,
    is_refused: bool,
}

impl ZabbixReceiver {
    pub(super) fn new(settings: &ZabbixFeed) -> Self {
        let (server, host) = (settings.server.clone(), settings.host.clone());
        Self { server, host, is_unreached: false, is_refused: false }
    }

    fn ask(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        let addresses = (self.server.host.as_str(), self.server.port).to_socket_addrs()?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match TcpStream::connect_timeout(&address, STEP_TIME_MAX) {
                Ok(stream) => return exchange(stream, message),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl FigureReceiver for ZabbixReceiver {
    fn messages(&self, metrics: &[Metric], at: Timestamp) -> Vec<Vec<u8>> {
        vec![message(&self.host, metrics, at)]
    }

    fn send(&mut self, message: &[u8]) -> Outcome {
        let answer = self.ask(message).and_then(|answer| outcome_of(&answer));
        match answer {
            Ok(outcome) => {
                self.is_unreached = false;
                let is_refused = outcome == Outcome::Refused;
                if is_refused && !std::mem::replace(&mut self.is_refused, is_refused) {
                    tracing::error!(
                        host = self.host,
                        "Zabbix does not take the figures: it has no such host, or the host has not the template `hotstage-sender`, or its item does not allow our address"
                    );
                }
                self.is_refused = is_refused;
                outcome
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_unreached, true) {
                    tracing::warn!(server = %self.server, %error, "the Zabbix server of `feeds.zabbix` is not reached; figures wait on disk");
                }
                Outcome::Later(UNREACHED_WAIT)
            }
        }
    }
}

fn exchange(mut stream: TcpStream, message: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(STEP_TIME_MAX))?;
    stream.set_write_timeout(Some(STEP_TIME_MAX))?;
    stream.write_all(message)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_OCTETS_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// A whole message: header and JSON.
fn message(host: &str, metrics: &[Metric], at: Timestamp) -> Vec<u8> {
    let (clock, ns) = (at.as_nanos().div_euclid(1_000_000_000), at.as_nanos().rem_euclid(1_000_000_000));
    let value = figures(metrics);
    let data = json!([{ "host": host, "key": KEY, "value": value, "clock": clock, "ns": ns }]);
    framed(&json!({ "request": "sender data", "data": data, "clock": clock, "ns": ns }))
}

fn framed(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let mut message = Vec::with_capacity(HEADER_OCTETS + body.len());
    message.extend_from_slice(MARK);
    message.extend_from_slice(&(body.len() as u64).to_le_bytes());
    message.extend_from_slice(body.as_bytes());
    message
}

/// As `/metrics` says them, without help and types: what Zabbix' preprocessing of Prometheus text reads.
fn figures(metrics: &[Metric]) -> String {
    let mut text = String::with_capacity(metrics.len() * 64);
    for metric in metrics {
        text.push_str(&metric.name);
        for (position, (name, value)) in metric.labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            // Writing into a string cannot fail.
            let _ = write!(text, "{}{name}=\"{value}\"", if position == 0 { '{' } else { ',' });
        }
        let _ = writeln!(text, "{} {}", if metric.labels.is_empty() { "" } else { "}" }, metric.value);
    }
    text
}

/// `{"response":"success","info":"processed: 1; failed: 0; total: 1; seconds spent: 0.000055"}`.
fn outcome_of(answer: &[u8]) -> io::Result<Outcome> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the answer {what}"));
    let body = answer.strip_prefix(MARK).ok_or_else(|| wrong("does not begin with `ZBXD`"))?;
    let (length, body) = body.split_first_chunk::<8>().ok_or_else(|| wrong("ends in its header"))?;
    // The upper half is reserved.
    let length = (u64::from_le_bytes(*length) & 0xffff_ffff) as usize;
    let body = body.get(..length).ok_or_else(|| wrong("is shorter than it says"))?;
    let answer: Value = serde_json::from_slice(body).map_err(|_| wrong("is no JSON"))?;
    if answer["response"] != "success" {
        return Err(wrong(&format!("is `{}`", answer["response"].as_str().unwrap_or_default())));
    }
    let info = answer["info"].as_str().ok_or_else(|| wrong("has no `info`"))?;
    let count = |name: &str| -> Option<u64> {
        info.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
    };
    match (count("processed"), count("failed")) {
        (Some(1..), Some(0)) => Ok(Outcome::Delivered),
        (_, Some(1..)) => Ok(Outcome::Refused),
        _ => Err(wrong(&format!("says `{info}`"))),
    }
}

#[cfg(test)]
mod tests {
    use model::MetricKind;

    use super::*;

    #[test]
    fn a_message_has_a_header_and_every_figure_in_one_value() {
        let metric = |name: &str, labels: &[(&str, &str)], value| Metric {
            name: name.to_owned(),
            help: String::new(),
            kind: MetricKind::Gauge,
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            value,
        };
        let metrics = [metric("a", &[], 1.5), metric("b", &[("x", "q\"\\\n"), ("y", "z")], 2.0)];
        let message = message("noc", &metrics, Timestamp::from_nanos(1_700_000_000_000_000_007));
        assert_eq!(message[..5], *MARK);
        let body = &message[HEADER_OCTETS..];
        assert_eq!(message[5..HEADER_OCTETS], (body.len() as u64).to_le_bytes());
        let body: Value = serde_json::from_slice(body).unwrap();
        let data = &body["data"][0];
        assert_eq!((&data["host"], &data["key"]), (&json!("noc"), &json!("hotstage.raw")));
        assert_eq!((&data["clock"], &data["ns"]), (&json!(1_700_000_000), &json!(7)));
        assert_eq!(data["value"], "a 1.5\nb{x=\"q\\\"\\\\\\n\",y=\"z\"} 2\n");
    }

    #[test]
    fn success_alone_means_nothing() {
        let of = |body: Value| outcome_of(&framed(&body)).map_err(|error| error.to_string());
        let info = |processed, failed| json!({ "response": "success", "info": format!("processed: {processed}; failed: {failed}; total: 1; seconds spent: 0.000055") });
        assert_eq!(of(info(1, 0)), Ok(Outcome::Delivered));
        assert_eq!(of(info(0, 1)), Ok(Outcome::Refused));
        assert_eq!(of(json!({ "response": "failed" })), Err("the answer is `failed`".to_owned()));
        assert!(of(json!({ "response": "success", "info": "thanks" })).is_err());
        for answer in [&b""[..], b"ZBXD", b"ZBXD\x01", b"HTTP/1.1 400", b"ZBXD\x01\xff\xff\xff\x7f\0\0\0\0{}"] {
            assert!(outcome_of(answer).is_err(), "{answer:?}");
        }
    }
}
