//! Traps and informs that devices send: whoever says that a link has changed is asked at once.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_snmp::{
    AuthProtocol, AuthoritativeEngine, Community, Notification, NotificationAcceptance, NotificationReceiver,
    PrivProtocol, SecurityLevel,
};
use model::{DeviceId, Timestamp};
use tokio::{sync::Notify, time::sleep};

use crate::clock::Clock;

/// Generic traps (RFC 3418, RFC 2863) are numbered below `snmpTraps`.
const SNMP_TRAPS: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5];
/// After a message that is no trap, or an error of the socket.
const PAUSE: Duration = Duration::from_millis(1);
/// Octets of one message.
const MESSAGE_BYTES_MAX: usize = 8_192;

/// What a trap says, as far as we act on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum TrapKind {
    /// `coldStart` and `warmStart`.
    Start,
    LinkDown,
    LinkUp,
    AuthenticationFailure,
    Other,
}

impl TrapKind {
    /// As a metric label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::LinkDown => "link-down",
            Self::LinkUp => "link-up",
            Self::AuthenticationFailure => "authentication-failure",
            Self::Other => "other",
        }
    }
}

/// What came.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrapView {
    pub(crate) counts: BTreeMap<TrapKind, u64>,
    /// Of senders that the plan does not know.
    pub(crate) foreign: u64,
    /// No trap, or without the right community or user.
    pub(crate) refused: u64,
    /// When each device last said so; as many as there are agents and kinds.
    pub(crate) last: BTreeMap<(DeviceId, TrapKind), Timestamp>,
}

/// What the publisher sees.
pub(crate) type SharedTraps = Arc<Mutex<TrapView>>;

/// Who may send.
#[derive(Clone)]
pub(super) enum TrapSecrets {
    Community(String),
    User { name: String, auth: String, privacy: String },
}

/// Takes traps for as long as the runtime runs.
pub(super) struct TrapIntake {
    pub(super) address: SocketAddr,
    pub(super) secrets: TrapSecrets,
    pub(super) agents: BTreeMap<IpAddr, (DeviceId, Arc<Notify>)>,
    pub(super) clock: Clock,
    pub(super) view: SharedTraps,
}

impl TrapIntake {
    pub(super) async fn open(&self) -> io::Result<NotificationReceiver> {
        let builder =
            NotificationReceiver::builder().bind(self.address.to_string()).max_message_size(MESSAGE_BYTES_MAX);
        let view = Arc::clone(&self.view);
        let builder = match &self.secrets {
            TrapSecrets::Community(community) => {
                let wanted = community.clone();
                builder.acceptance_policy(move |envelope| {
                    let community = community_of(envelope.notification());
                    judge(&view, community.is_some_and(|community| community.matches(&wanted)))
                })
            }
            TrapSecrets::User { name, auth, privacy } => {
                // Informs are answered under an engine of our own. Its clock begins anew with each start, so it is a
                // new engine each time (RFC 3414 section 2.2).
                let started = self.clock.now().as_nanos().to_be_bytes();
                let id = [&[0x80, 0, 0, 0, 5][..], &started[started.len() - 8..]].concat();
                let engine = AuthoritativeEngine::install(id, |_| Ok::<(), Infallible>(()));
                let user =
                    builder.authoritative_engine(engine.map_err(io::Error::other)?).usm_user(name.clone(), |user| {
                        user.auth_priv(AuthProtocol::Sha256, auth.as_bytes(), PrivProtocol::Aes128, privacy.as_bytes())
                    });
                user.map_err(io::Error::other)?.acceptance_policy(move |envelope| {
                    judge(&view, envelope.notification().security_level() >= Some(SecurityLevel::AuthPriv))
                })
            }
        };
        builder.build().await.map_err(io::Error::other)
    }

    pub(super) async fn run(self, receiver: NotificationReceiver) {
        loop {
            match receiver.recv().await {
                Ok(received) => self.take(received.source.ip(), &received.notification),
                Err(_) => {
                    self.view.lock().unwrap_or_else(PoisonError::into_inner).refused += 1;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn take(&self, source: IpAddr, notification: &Notification) {
        let kind = notification.trap_oid().map_or(TrapKind::Other, |oid| kind(oid.arcs()));
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((device, ask)) = self.agents.get(&source) else {
            view.foreign += 1;
            return;
        };
        *view.counts.entry(kind).or_default() += 1;
        view.last.insert((device.clone(), kind), self.clock.now());
        match kind {
            TrapKind::LinkDown | TrapKind::LinkUp | TrapKind::Start => ask.notify_one(),
            TrapKind::AuthenticationFailure | TrapKind::Other => {}
        }
    }
}

fn judge(view: &SharedTraps, is_right: bool) -> NotificationAcceptance {
    if is_right {
        return NotificationAcceptance::Accept;
    }
    view.lock().unwrap_or_else(PoisonError::into_inner).refused += 1;
    NotificationAcceptance::Reject
}

fn community_of(notification: &Notification) -> Option<&Community> {
    match notification {
        Notification::TrapV1 { community, .. }
        | Notification::TrapV2c { community, .. }
        | Notification::InformV2c { community, .. } => Some(community),
        _ => None,
    }
}

fn kind(oid: &[u32]) -> TrapKind {
    match oid.strip_prefix(SNMP_TRAPS) {
        Some([1 | 2]) => TrapKind::Start,
        Some([3]) => TrapKind::LinkDown,
        Some([4]) => TrapKind::LinkUp,
        Some([5]) => TrapKind::AuthenticationFailure,
        Some(_) | None => TrapKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_traps_are_known_by_their_number() {
        let of = |rest: &[u32]| kind(&[SNMP_TRAPS, rest].concat());
        assert_eq!(
            (of(&[1]), of(&[2]), of(&[3]), of(&[4])),
            (TrapKind::Start, TrapKind::Start, TrapKind::LinkDown, TrapKind::LinkUp)
        );
        assert_eq!(
            (of(&[5]), of(&[]), of(&[3, 0])),
            (TrapKind::AuthenticationFailure, TrapKind::Other, TrapKind::Other)
        );
        assert_eq!(kind(&[]), TrapKind::Other);
    }
}
