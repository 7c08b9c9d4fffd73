//! Giving the figures of `/metrics` and the lines of the log to those who do not fetch them.
//!
//! ```text
//!  snapshots -> figures (a thread each) -> spool on disk -> remote_write | zabbix
//!  log store -> lines   (a thread each), from where it was ----> syslog  | otlp
//! ```
//! What a receiver does not take waits on disk: figures in a spool, lines in the log store itself, whose retention
//! bounds both. A receiver that is slow or away delays nothing else.

mod figures;
mod lines;
mod otlp;
mod remote_write;
mod syslog_format;
mod syslog_stream;
mod view;
mod write_request;
mod zabbix;

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

use generate::FeedSettings;
use model::Snapshot;
use store::StateDir;
use tokio::sync::watch::Receiver;

pub(crate) use self::view::{FeedView, FeedViews};
use self::{
    figures::FigureFeed, lines::LineFeed, otlp::OtlpReceiver, remote_write::RemoteWriteReceiver,
    syslog_stream::SyslogReceiver, zabbix::ZabbixReceiver,
};
use crate::dns::CertificateError;

/// A thread to run: its name and its work.
pub(crate) type FeedThread = (&'static str, Box<dyn FnOnce() + Send>);

/// The threads of all feeds of the plan, and what is known of each. A feed whose secret is missing says so and is left
/// out. Errors: the spool's, a certificate's.
pub(crate) fn open(
    settings: &FeedSettings,
    state: &Arc<StateDir>,
    snapshots: &Receiver<Arc<Snapshot>>,
    stop: &Arc<AtomicBool>,
) -> Result<(FeedViews, Vec<FeedThread>), FeedError> {
    let mut views = FeedViews::default();
    let mut threads: Vec<FeedThread> = Vec::new();
    if let Some(settings) = &settings.remote_write
        && let Some(receiver) = RemoteWriteReceiver::open(settings)
    {
        let feed = FigureFeed::open("remote-write", settings.interval, receiver, state, snapshots.clone(), stop)?;
        views.remote_write = Some(feed.view());
        threads.push(("feed-remote-write", Box::new(move || feed.run())));
    }
    if let Some(settings) = &settings.zabbix {
        let receiver = ZabbixReceiver::new(settings);
        let feed = FigureFeed::open("zabbix", settings.interval, receiver, state, snapshots.clone(), stop)?;
        views.others.push(("zabbix", feed.view()));
        threads.push(("feed-zabbix", Box::new(move || feed.run())));
    }
    if let Some(settings) = &settings.syslog {
        let receiver = SyslogReceiver::open(settings)?;
        let feed = LineFeed::open("syslog", receiver, state, stop);
        views.others.push(("syslog", feed.view()));
        threads.push(("feed-syslog", Box::new(move || feed.run())));
    }
    if let Some(settings) = &settings.otlp
        && let Some(receiver) = OtlpReceiver::open(settings)
    {
        let feed = LineFeed::open("otlp", receiver, state, stop);
        views.others.push(("otlp", feed.view()));
        threads.push(("feed-otlp", Box::new(move || feed.run())));
    }
    Ok((views, threads))
}

/// Why a feed cannot be.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The spool cannot be opened.
    #[error("`spool/` of the state directory cannot be used")]
    Spool(#[from] io::Error),
    /// A certificate of the feed cannot be used.
    #[error("the certificates of `services.feeds.syslog` cannot be used")]
    Certificate(#[from] CertificateError),
}
