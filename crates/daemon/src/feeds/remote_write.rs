//! A receiver of Prometheus remote-write 1.0.

use std::time::Duration;

use generate::RemoteWrite;
use model::{Metric, Timestamp};

use super::{figures::FigureReceiver, write_request::bodies};
use crate::{
    http_client::{Outcome, http_agent, outcome, retry_after},
    watch::read_secret,
};

/// Asked again after so long, at least, when nothing was heard.
const UNREACHED_WAIT: Duration = Duration::from_secs(1);

pub(super) struct RemoteWriteReceiver {
    url: String,
    token: Option<String>,
    labels: Vec<(String, String)>,
    agent: ureq::Agent,
    is_unreached: bool,
    is_refused: bool,
}

impl RemoteWriteReceiver {
    /// `None` when a secret is missing, which is said.
    pub(super) fn open(settings: &RemoteWrite) -> Option<Self> {
        let whose = "no figures are sent by `feeds.remote_write`";
        let url = read_secret(whose, &settings.url)?;
        let token = match &settings.token {
            None => None,
            Some(token) => Some(read_secret(whose, token)?),
        };
        let (labels, agent) = (settings.labels.clone(), http_agent());
        Some(Self { url, token, labels, agent, is_unreached: false, is_refused: false })
    }
}

impl FigureReceiver for RemoteWriteReceiver {
    fn messages(&self, metrics: &[Metric], at: Timestamp) -> Vec<Vec<u8>> {
        bodies(metrics, at, &self.labels)
    }

    fn send(&mut self, body: &[u8]) -> Outcome {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/x-protobuf")
            .header("Content-Encoding", "snappy")
            .header("User-Agent", concat!("hotstage/", env!("CARGO_PKG_VERSION")))
            .header("X-Prometheus-Remote-Write-Version", "0.1.0");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        match request.send(body) {
            Ok(response) => {
                self.is_unreached = false;
                let status = response.status().as_u16();
                let outcome = outcome(status, retry_after(response.headers()));
                match outcome {
                    Outcome::Delivered => self.is_refused = false,
                    Outcome::Refused if !std::mem::replace(&mut self.is_refused, true) => tracing::error!(
                        status,
                        "the receiver of `feeds.remote_write` refuses the figures; check its `url` and `token`"
                    ),
                    Outcome::Refused | Outcome::Later(_) => {}
                }
                outcome
            }
            Err(error) => {
                // A message or two for each outage, not one for each try.
                if !std::mem::replace(&mut self.is_unreached, true) {
                    tracing::warn!(%error, "the receiver of `feeds.remote_write` is not reached; figures wait on disk");
                }
                Outcome::Later(UNREACHED_WAIT)
            }
        }
    }
}
