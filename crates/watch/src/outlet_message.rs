//! An alert as the body that each kind of receiver expects.

use std::fmt::Write as _;

use model::{Severity, Timestamp};
use serde_json::{Value, json};

use crate::{
    alert::{Alert, AlertState},
    roster::Addressee,
};

/// Discord refuses messages of more characters.
const DISCORD_CHARACTERS_MAX: usize = 2_000;
/// Slack cuts longer messages into several.
const SLACK_CHARACTERS_MAX: usize = 4_000;
/// A Matrix event is refused beyond 65,536 octets, its envelope and the escapes of JSON included.
const MATRIX_CHARACTERS_MAX: usize = 8_000;

/// Who receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutletKind {
    /// Anything that takes Prometheus Alertmanager's webhook, version 4.
    Webhook,
    /// A Slack incoming webhook, or what is compatible with it.
    Slack,
    /// A Discord webhook.
    Discord,
    /// A Matrix room, by the client-server API.
    Matrix,
    /// E-mail: the body is plain text.
    Mail,
}

/// The body, as JSON, or the text of an e-mail. `event` is the event's name; `duty` says whom it is for.
pub fn message_body(kind: OutletKind, alert: &Alert, event: &str, duty: &Addressee) -> String {
    let body = match kind {
        OutletKind::Webhook => alertmanager(alert, event, duty),
        OutletKind::Slack => json!({ "text": escape_slack(&cut(text(alert, event, duty), SLACK_CHARACTERS_MAX)) }),
        OutletKind::Discord => {
            let text = cut(text(alert, event, duty), DISCORD_CHARACTERS_MAX);
            // Nobody is pinged by a device that calls itself `@everyone`.
            json!({ "content": text, "allowed_mentions": { "parse": [] } })
        }
        OutletKind::Matrix => {
            let text = cut(text(alert, event, duty), MATRIX_CHARACTERS_MAX);
            // Without this, old servers look for names to ping in the text.
            json!({ "msgtype": "m.text", "body": text, "m.mentions": {} })
        }
        OutletKind::Mail => return text(alert, event, duty),
    };
    body.to_string()
}

fn cut(text: String, characters_max: usize) -> String {
    if text.len() <= characters_max {
        return text;
    }
    text.chars().take(characters_max).collect()
}

/// What a person reads: what, where, since when, why, what to do, who.
fn text(alert: &Alert, event: &str, duty: &Addressee) -> String {
    let word = match (alert.state, alert.severity) {
        (AlertState::Resolved, _) => "OVER",
        (AlertState::Held | AlertState::Firing, Severity::Error) => "ALERT",
        (AlertState::Held | AlertState::Firing, Severity::Warning) => "WARNING",
        (AlertState::Held | AlertState::Firing, Severity::Info) => "NOTE",
    };
    let mut text = format!("{word} #{} {event}: {}", alert.id.0, alert.says);
    // Writing into a string cannot fail.
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = write!(text, "\n{name}: {value}");
        }
    };
    line("where", &whereabouts(alert));
    line("since", &alert.since.to_string());
    line("ended", &alert.ended.map(|at| at.to_string()).unwrap_or_default());
    if alert.state != AlertState::Resolved {
        line("likely cause", &alert.cause);
        line("do", &alert.remedy);
        line("comes and goes", if alert.is_flapping { "kept open until it has been calm for a while" } else { "" });
        line("nobody has taken it", if alert.escalations > 0 { "`hotstage alerts ack` takes it" } else { "" });
        line("for", if alert.escalations > 0 { duty.to.as_deref().unwrap_or_default() } else { "" });
        line("told before", &duty.before.join("; "));
        line("on duty", &duty.on_duty.join("; "));
    }
    text
}

fn whereabouts(alert: &Alert) -> String {
    let subject = &alert.subject;
    let parts = [
        subject.device.as_ref().map(|device| format!("device {device}")),
        subject.room.as_ref().map(|room| format!("room {room}")),
        subject.port.as_ref().map(|port| format!("port {port}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Prometheus Alertmanager, webhook payload version 4.
fn alertmanager(alert: &Alert, event: &str, duty: &Addressee) -> Value {
    let status = if alert.state == AlertState::Resolved { "resolved" } else { "firing" };
    let subject = &alert.subject;
    let mut labels = json!({
        "alertname": alert.rule,
        "place": alert.place,
        "severity": alert.severity.to_string(),
        "event": event,
    });
    let places = [
        ("device", subject.device.as_ref().map(ToString::to_string)),
        ("room", subject.room.as_ref().map(ToString::to_string)),
        ("port", subject.port.as_ref().map(ToString::to_string)),
    ];
    for (name, value) in places {
        if let Some(value) = value {
            labels[name] = value.into();
        }
    }
    let annotations = json!({
        "summary": alert.says,
        "cause": alert.cause,
        "remedy": alert.remedy,
        "for": duty.to.as_deref().unwrap_or_default(),
        "on_duty": duty.on_duty.join("; "),
    });
    let group = json!({ "alertname": alert.rule });
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname=\"{}\"}}", alert.rule),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "hotstage",
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": alert.since.to_string(),
            "endsAt": alert.ended.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at: Timestamp| at.to_string()),
            "generatorURL": "",
            "fingerprint": fingerprint(&labels),
        }],
    })
}

/// FNV-1a of the labels: the same alert has the same fingerprint in every run.
fn fingerprint(labels: &Value) -> String {
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = labels.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{hash:016x}")
}

/// Slack reads `<...>` as links and mentions.
fn escape_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AlertId, Subject};

    fn alert() -> Alert {
        Alert {
            id: AlertId(7),
            rule: "device-down".to_owned(),
            place: "device sw-1".to_owned(),
            severity: Severity::Error,
            subject: Subject {
                device: Some("sw-1".into()),
                room: Some("hall".into()),
                port: Some(model::PortRef { device: "core".into(), port: "3".to_owned() }),
            },
            says: "sw-1 <!everyone> does not answer & blinks".to_owned(),
            cause: "no power".to_owned(),
            remedy: "look at its port".to_owned(),
            remedy_public: String::new(),
            state: AlertState::Firing,
            since: Timestamp::from_secs(1_700_000_000),
            ended: None,
            acknowledged_by: None,
            silenced_until: None,
            is_flapping: false,
            hidden_by: None,
            escalations: 0,
        }
    }

    fn body(kind: OutletKind, alert: &Alert) -> Value {
        let duty = Addressee {
            to: Some("Ben".to_owned()),
            before: if alert.escalations > 0 { vec!["Aki".to_owned()] } else { Vec::new() },
            on_duty: vec!["ops (@ops)".to_owned()],
        };
        serde_json::from_str(&message_body(kind, alert, "Small", &duty)).unwrap()
    }

    #[test]
    fn what_nobody_takes_goes_to_the_next() {
        let again = Alert { escalations: 1, ..alert() };
        let text = body(OutletKind::Matrix, &again)["body"].as_str().unwrap().to_owned();
        assert!(
            text.contains("`hotstage alerts ack` takes it\nfor: Ben\ntold before: Aki\non duty: ops (@ops)"),
            "{text}"
        );
    }

    #[test]
    fn no_message_is_longer_than_its_receiver_takes() {
        let long = Alert { says: "&".repeat(100_000), ..alert() };
        let slack = body(OutletKind::Slack, &long)["text"].as_str().unwrap().to_owned();
        assert!(slack.ends_with("&amp;") && slack.len() <= 40_000, "cut before escapes are made");
        let says = "\u{1}会".repeat(100_000);
        let matrix = message_body(OutletKind::Matrix, &Alert { says, ..alert() }, "Small", &Addressee::default());
        assert!(matrix.len() < 60_000, "{}", matrix.len());
    }

    #[test]
    fn a_person_reads_what_where_since_why_and_what_to_do() {
        let says = "ALERT #7 Small: sw-1 &lt;!everyone&gt; does not answer &amp; blinks\nwhere: device sw-1, room hall, port core:3\nsince: 2023-11-14T22:13:20Z\nlikely cause: no power\ndo: look at its port\non duty: ops (@ops)";
        assert_eq!(body(OutletKind::Slack, &alert())["text"], says);
        let over = Alert { state: AlertState::Resolved, ended: Some(Timestamp::from_secs(1_700_000_060)), ..alert() };
        let text = body(OutletKind::Matrix, &over)["body"].to_string();
        assert!(text.starts_with("\"OVER #7") && text.contains("ended: 2023-11-14T22:14:20Z"), "{text}");
        assert!(!text.contains("do:"), "{text}");
    }

    #[test]
    fn discord_is_never_sent_too_much_nor_pings() {
        let long = Alert { says: "長".repeat(5_000), ..alert() };
        let body = body(OutletKind::Discord, &long);
        assert_eq!(body["content"].as_str().unwrap().chars().count(), DISCORD_CHARACTERS_MAX);
        assert_eq!(body["allowed_mentions"]["parse"], json!([]));
    }

    #[test]
    fn a_webhook_gets_version_four() {
        let firing = body(OutletKind::Webhook, &alert());
        assert_eq!((&firing["version"], &firing["status"]), (&json!("4"), &json!("firing")));
        let one = &firing["alerts"][0];
        assert_eq!(
            (&one["endsAt"], &one["startsAt"]),
            (&json!("0001-01-01T00:00:00Z"), &json!("2023-11-14T22:13:20Z"))
        );
        assert_eq!((&one["labels"]["port"], &one["labels"]["alertname"]), (&json!("core:3"), &json!("device-down")));
        let over = Alert { state: AlertState::Resolved, ended: Some(Timestamp::from_secs(1_700_000_060)), ..alert() };
        let over = body(OutletKind::Webhook, &over);
        assert_eq!(
            (&over["status"], &over["alerts"][0]["endsAt"]),
            (&json!("resolved"), &json!("2023-11-14T22:14:20Z"))
        );
        assert_eq!(over["alerts"][0]["fingerprint"], one["fingerprint"], "the same alert has the same fingerprint");
    }
}
