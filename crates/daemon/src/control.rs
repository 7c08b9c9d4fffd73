//! The control socket: what an operator on the same machine asks of the services that run.
//!
//! A Unix socket in the state directory, which is for its owner alone. One request for each connection: a line of JSON
//! there, lines of JSON back. Nothing here is reachable from the network.

use std::{
    fs, io,
    net::IpAddr,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use model::{AlertAction, Lease, Lease6, LeaseChange, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener as AsyncListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, broadcast, mpsc, oneshot},
};

use watch::{Alert, AlertState};

use crate::{
    dhcp_service::{Command, DhcpCommand},
    dns::{self, DnsRequest, EngineHandle},
    reload::{AskedBy, Reloader},
    watch::AlertHands,
};

/// Name of the socket in the state directory.
const SOCKET: &str = "control";
/// What is said when nothing is wrong.
const NO_ALERT: &str = "no alert is open";
/// Longest request, octets.
const REQUEST_BYTES_MAX: u64 = 4_096;
/// Operators at one time.
const CONNECTIONS_MAX: usize = 16;
/// Further ones that are told so at one time; the rest is closed.
const REFUSALS_MAX: usize = 16;
const TOO_MANY: &str = "too many ask at one time; end a `hotstage leases --watch` and try again";
/// How long a request may take to arrive.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// Events that may wait for a watcher; a slower one is told how many it missed.
pub(crate) const EVENTS_MAX: usize = 4_096;

/// What can be asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Take a lease away from its client, e.g. because it is known to have left.
    ReleaseLease {
        /// The address.
        address: IpAddr,
    },
    /// Read the plan again and say what would change, or change it.
    Reload {
        /// False: only say.
        apply: bool,
    },
    /// Something about DNS.
    Dns(DnsRequest),
    /// List the alerts that are open.
    Alerts {
        /// One JSON object a line instead of words.
        json: bool,
    },
    /// Take an alert, or silence some.
    HandleAlert(AlertAction),
    /// Tell of every change of a lease from now on.
    WatchLeases,
}

/// What comes back, one or more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done; in words.
    Done {
        /// Lines for a person.
        says: Vec<String>,
    },
    /// It cannot be done; in words.
    Refused {
        /// Lines for a person.
        says: Vec<String>,
    },
    /// A lease has changed.
    Lease {
        /// How.
        change: LeaseChange,
        /// The lease, as saved.
        lease: Lease,
    },
    /// A lease of an IPv6 address has changed.
    Lease6 {
        /// How.
        change: LeaseChange,
        /// The lease, as saved.
        lease: Lease6,
    },
    /// So many changes could not be told because they were not read in time.
    Missed {
        /// How many.
        count: u64,
    },
}

/// A change, as it goes from the DHCP threads to whoever watches.
#[derive(Clone, Debug)]
pub(crate) enum LeaseEvent {
    V4(LeaseChange, Lease),
    V6(LeaseChange, Lease6),
}

/// Where the control socket of a state directory is.
pub fn control_path(state: &Path) -> PathBuf {
    state.join(SOCKET)
}

/// Serves requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) commands: mpsc::Sender<DhcpCommand>,
    /// `None` where DHCPv6 is not served.
    pub(crate) commands6: Option<mpsc::Sender<Command<dhcp6::Engine>>>,
    pub(crate) events: broadcast::Sender<LeaseEvent>,
    pub(crate) reloader: Option<Arc<Reloader>>,
    pub(crate) dns: EngineHandle,
    pub(crate) alerts: AlertHands,
}

/// Binds the socket; the state directory is locked, so what lies there is left from a server that died.
pub(crate) fn bind(state: &Path) -> io::Result<UnixListener> {
    let path = control_path(state);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Control {
    /// Serves until dropped.
    pub(crate) async fn serve(self, listener: UnixListener) -> io::Result<()> {
        let listener = AsyncListener::from_std(listener)?;
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                if let Ok(refusal) = Arc::clone(&refusals).try_acquire_owned() {
                    tokio::spawn(async move {
                        let _ = refuse(stream).await;
                        drop(refusal);
                    });
                }
                continue;
            };
            let control = self.clone();
            tokio::spawn(async move {
                if let Err(error) = control.answer(stream).await {
                    tracing::debug!(%error, "a control connection has ended");
                }
                drop(permit);
            });
        }
    }

    async fn answer(&self, stream: UnixStream) -> io::Result<()> {
        let (mut reader, mut writer) = stream.into_split();
        let line = request_line(&mut reader).await?;
        let answer = match serde_json::from_str(&line) {
            Ok(Request::ReleaseLease { address }) => self.release(address).await,
            Ok(Request::Reload { apply }) => self.reload(AskedBy::Operator, apply).await,
            Ok(Request::Dns(request)) => dns::answer(&self.dns, request).await,
            Ok(Request::Alerts { json }) => self.list_alerts(json),
            Ok(Request::HandleAlert(action)) => self.handle_alert(action),
            Ok(Request::WatchLeases) => return self.watch(reader, writer).await,
            Err(error) => Answer::Refused { says: vec![format!("the request is not understood: {error}")] },
        };
        write(&mut writer, &answer).await
    }

    fn list_alerts(&self, json: bool) -> Answer {
        let line = |alert: &Alert| if json { serde_json::to_string(alert).unwrap_or_default() } else { words(alert) };
        let alerts = self.alerts.desk.book();
        // What is too short yet is nothing to look after.
        let open = alerts.alerts().filter(|alert| alert.state == AlertState::Firing || alert.hidden_by.is_some());
        let mut says: Vec<String> = open.map(line).collect();
        // Nothing at all could be taken for an answer that was lost; a program wants no words among objects.
        if says.is_empty() && !json {
            says.push(NO_ALERT.to_owned());
        }
        Answer::Done { says }
    }

    fn handle_alert(&self, action: AlertAction) -> Answer {
        match self.alerts.handle(action) {
            Ok(says) => Answer::Done { says },
            Err(why) => Answer::Refused { says: vec![why] },
        }
    }

    async fn reload(&self, asked_by: AskedBy, apply: bool) -> Answer {
        match &self.reloader {
            Some(reloader) => reloader.reload(&self.commands, &self.dns, asked_by, apply).await,
            None => Answer::Refused { says: vec!["these services do not follow a plan directory".to_owned()] },
        }
    }

    /// As a signal asks; what comes of it is logged.
    pub(crate) async fn reload_and_log(&self) {
        match self.reload(AskedBy::Signal, true).await {
            Answer::Done { says } => says.iter().for_each(|line| tracing::info!("reload: {line}")),
            Answer::Refused { says } => says.iter().for_each(|line| tracing::error!("reload: {line}")),
            Answer::Lease { .. } | Answer::Lease6 { .. } | Answer::Missed { .. } => {}
        }
    }

    async fn release(&self, address: IpAddr) -> Answer {
        let outcome = match (address, &self.commands6) {
            (IpAddr::V4(address), _) => ask(&self.commands, move |engine, now| engine.release(address, now)).await,
            (IpAddr::V6(address), Some(commands)) => {
                ask(commands, move |engine, now| engine.release(address, now)).await
            }
            (IpAddr::V6(_), None) => Some(false),
        };
        match outcome {
            Some(true) => {
                Answer::Done { says: vec![format!("{address} is free; its client asks again when it renews")] }
            }
            Some(false) => Answer::Refused { says: vec![format!("{address} is not leased to anybody")] },
            None => stopped(),
        }
    }

    async fn watch(&self, mut reader: OwnedReadHalf, mut writer: OwnedWriteHalf) -> io::Result<()> {
        let mut events = self.events.subscribe();
        let mut more = [0; 64];
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                // A watcher that has gone is noticed when nothing happens, too.
                read = reader.read(&mut more) => match read {
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(_) => continue,
                },
            };
            let answer = match event {
                Ok(LeaseEvent::V4(change, lease)) => Answer::Lease { change, lease },
                Ok(LeaseEvent::V6(change, lease)) => Answer::Lease6 { change, lease },
                Err(broadcast::error::RecvError::Lagged(count)) => Answer::Missed { count },
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            };
            write(&mut writer, &answer).await?;
        }
    }
}

/// The request; what comes after its line is left unread.
async fn request_line(reader: &mut OwnedReadHalf) -> io::Result<String> {
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(REQUEST_BYTES_MAX));
    tokio::time::timeout(REQUEST_TIME_MAX, reader.read_line(&mut line)).await??;
    Ok(line)
}

/// Says that there is no place, once the request has been read: closing with unread octets would lose the answer.
async fn refuse(stream: UnixStream) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    request_line(&mut reader).await?;
    write(&mut writer, &Answer::Refused { says: vec![TOO_MANY.to_owned()] }).await
}

/// An alert in one line for a person.
fn words(alert: &Alert) -> String {
    let mut line = format!("#{} {} since {}: {}", alert.id.0, alert.severity, alert.since, alert.says);
    let mut add = |text: String| {
        line.push_str("; ");
        line.push_str(&text);
    };
    if let Some(room) = &alert.subject.room {
        add(format!("room {room}"));
    }
    if let Some(port) = &alert.subject.port {
        add(format!("port {port}"));
    }
    if !alert.cause.is_empty() {
        add(format!("likely {}", alert.cause));
    }
    add(format!("do: {}", alert.remedy));
    if let Some(device) = &alert.hidden_by {
        add(format!("held back, {device} explains it"));
    }
    if let Some(by) = &alert.acknowledged_by {
        add(format!("taken by {by}"));
    }
    if let Some(until) = alert.silenced_until {
        add(format!("silenced until {until}"));
    }
    if alert.is_flapping {
        add("comes and goes".to_owned());
    }
    line
}

/// Runs `action` in the thread that has the engine and answers what it returns; `None` when the thread is gone.
pub(crate) async fn ask<E: 'static, T: Send + 'static>(
    commands: &mpsc::Sender<Command<E>>,
    action: impl FnOnce(&mut E, Timestamp) -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    let command: Command<E> = Box::new(move |engine, now| {
        // Whoever asked may have gone away.
        let _ = sender.send(action(engine, now));
    });
    commands.send(command).await.ok()?;
    receiver.await.ok()
}

pub(crate) fn stopped() -> Answer {
    Answer::Refused { says: vec!["the services are stopping".to_owned()] }
}

async fn write(writer: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Asks the services that run on `state`, and hands each answer to `each` until it says stop or they end.
///
/// Errors: [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`] when no services run there.
pub fn request(state: &Path, request: &Request, mut each: impl FnMut(Answer) -> bool) -> io::Result<()> {
    use io::{BufRead as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(control_path(state))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in io::BufReader::new(stream).lines() {
        if !each(serde_json::from_str(&line?)?) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use store::{Mode, StateDir};

    use super::*;
    use crate::{clock::Clock, watch::AlertDesk};

    async fn ask(path: &Path, request: &Request) -> UnixStream {
        let mut stream = UnixStream::connect(control_path(path)).await.unwrap();
        let mut line = serde_json::to_vec(request).unwrap();
        line.push(b'\n');
        stream.write_all(&line).await.unwrap();
        stream
    }

    async fn answer(stream: UnixStream) -> Answer {
        let mut line = String::new();
        let read = BufReader::new(stream).read_line(&mut line).await;
        assert!(read.is_ok_and(|count| count > 0), "an answer");
        serde_json::from_str(&line).unwrap()
    }

    /// Watchers hold places while they are there, also when no lease changes; who finds none is told so.
    #[tokio::test]
    async fn watchers_that_have_gone_hold_no_place() {
        let directory = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(directory.path(), "e", Mode::Serve).unwrap());
        let control = Control {
            commands: mpsc::channel(1).0,
            commands6: None,
            events: broadcast::channel(EVENTS_MAX).0,
            reloader: None,
            dns: EngineHandle::unheard(),
            alerts: AlertHands {
                desk: Arc::new(AlertDesk::open(state, Timestamp::from_secs(1_568_595_600))),
                clock: Clock::Wall,
            },
        };
        let events = control.events.clone();
        let serving = tokio::spawn(control.serve(bind(directory.path()).unwrap()));
        let mut watchers = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            watchers.push(ask(directory.path(), &Request::WatchLeases).await);
        }
        while events.receiver_count() < CONNECTIONS_MAX {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let list = Request::Alerts { json: false };
        let Answer::Refused { says } = answer(ask(directory.path(), &list).await).await else { panic!("no place") };
        assert_eq!(says, [TOO_MANY]);
        watchers.clear();
        while events.receiver_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let answered = answer(ask(directory.path(), &list).await).await;
        assert_eq!(answered, Answer::Done { says: vec![NO_ALERT.to_owned()] });
        serving.abort();
    }
}
