//! Who is given the figures and the log of the event.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use plan::{Plan, SyslogFeed, ZabbixFeed};

use crate::{SecretSource, watch_settings::secret};

/// Every feed; `None` = there is no such. Where secrets lie is not looked up here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeedSettings {
    /// A receiver of Prometheus remote-write 1.0.
    pub remote_write: Option<RemoteWrite>,
    /// A Zabbix server or proxy.
    pub zabbix: Option<ZabbixFeed>,
    /// A syslog collector.
    pub syslog: Option<SyslogFeed>,
    /// A receiver of OTLP logs.
    pub otlp: Option<OtlpLogs>,
}

impl FeedSettings {
    /// Lets relative paths of files start at `directory`.
    pub(crate) fn in_directory(mut self, directory: &Path) -> Self {
        if let Some(SyslogFeed { tls: Some(tls), .. }) = &mut self.syslog {
            let certificate = tls.certificate.iter_mut().flat_map(|(certificate, key)| [certificate, key]);
            let begin = |path: &mut PathBuf| *path = directory.join(&*path);
            tls.authority.iter_mut().chain(certificate).for_each(begin);
        }
        self
    }
}

/// A receiver of Prometheus remote-write 1.0.
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

/// A receiver of OTLP logs over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtlpLogs {
    /// Where.
    pub url: SecretSource,
    /// Bearer token.
    pub token: Option<SecretSource>,
    /// What `service.namespace` says: the event's domain.
    pub namespace: String,
}

pub(crate) fn feed_settings(plan: &Plan) -> FeedSettings {
    let feeds = &plan.services.feeds;
    let domain = &plan.event.domain;
    let labels = || vec![("job".to_owned(), "hotstage".to_owned()), ("instance".to_owned(), domain.clone())];
    FeedSettings {
        remote_write: feeds.remote_write.as_ref().map(|feed| RemoteWrite {
            url: secret(&feed.url),
            token: feed.token.as_ref().map(secret),
            interval: feed.interval,
            labels: labels(),
        }),
        zabbix: feeds.zabbix.clone(),
        syslog: feeds.syslog.clone(),
        otlp: feeds.otlp.as_ref().map(|feed| OtlpLogs {
            url: secret(&feed.url),
            token: feed.token.as_ref().map(secret),
            namespace: domain.clone(),
        }),
    }
}
