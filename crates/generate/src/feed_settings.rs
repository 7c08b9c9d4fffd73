//! Who is given the figures of the event.

use std::time::Duration;

use plan::Plan;

use crate::{SecretSource, watch_settings::secret};

/// A receiver of Prometheus remote-write 1.0. Where secrets lie is not looked up here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteWrite {
    /// Where.
    pub url: SecretSource,
    /// Bearer token.
    pub token: Option<SecretSource>,
    /// Time between requests.
    pub interval: Duration,
    /// Labels of every series, besides its own: `job` and `instance`, as a Prometheus that scrapes has them.
    pub labels: Vec<(String, String)>,
}

pub(crate) fn remote_write(plan: &Plan) -> Option<RemoteWrite> {
    let feed = plan.services.remote_write.as_ref()?;
    Some(RemoteWrite {
        url: secret(&feed.url),
        token: feed.token.as_ref().map(secret),
        interval: feed.interval,
        labels: vec![("job".to_owned(), "hotstage".to_owned()), ("instance".to_owned(), plan.event.domain.clone())],
    })
}
