//! What an operator asks of DNS.

use std::fmt::Write as _;

use dns::{Engine, UpstreamHealth};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::inbox::{EngineHandle, Inbound};
use crate::control::{Answer, stopped};

/// What can be asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsRequest {
    /// How each upstream does.
    Upstreams,
}

/// Asks the engine and words its answer.
pub(crate) async fn answer(engine: &EngineHandle, request: DnsRequest) -> Answer {
    match request {
        DnsRequest::Upstreams => {
            match ask(engine, |engine, _| engine.upstreams().collect::<Vec<UpstreamHealth>>()).await {
                Some(upstreams) => Answer::Done { says: words(&upstreams) },
                None => stopped(),
            }
        }
    }
}

/// Runs `action` in the engine's thread; `None` when that has ended.
async fn ask<T: Send + 'static>(
    engine: &EngineHandle,
    action: impl FnOnce(&mut Engine, Timestamp) -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    let command = Inbound::Command(Box::new(move |engine, now| {
        // Whoever asked may have gone away.
        let _ = sender.send(action(engine, now));
    }));
    engine.send(command).ok()?;
    receiver.await.ok()
}

fn words(upstreams: &[UpstreamHealth]) -> Vec<String> {
    if upstreams.is_empty() {
        return vec!["no upstreams: only the event's own names are answered".to_owned()];
    }
    let one = |upstream: &UpstreamHealth| {
        let mut line = format!("{:<24} {}", upstream.address, if upstream.healthy { "answers" } else { "is silent" });
        if let Some(time) = upstream.srtt {
            let _ = write!(line, ", in {:.1} ms", time.as_secs_f64() * 1_000.0);
        }
        if upstream.failures > 0 {
            let _ = write!(line, ", {} failures in a row", upstream.failures);
        }
        line
    };
    upstreams.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn upstreams_are_worded() {
        let good = UpstreamHealth {
            address: "192.0.2.53:53".parse().unwrap(),
            healthy: true,
            srtt: Some(Duration::from_micros(12_340)),
            failures: 0,
        };
        let bad = UpstreamHealth { healthy: false, srtt: None, failures: 7, ..good };
        let says = words(&[good, bad]);
        assert_eq!(says[0], "192.0.2.53:53            answers, in 12.3 ms");
        assert_eq!(says[1], "192.0.2.53:53            is silent, 7 failures in a row");
        assert_eq!(words(&[]).len(), 1);
    }
}
