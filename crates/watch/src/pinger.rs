//! An echo to every planned address, evenly spread over the interval, and who is up.
//!
//! ```text
//!            reply            losses in a row = down_after
//!  Unseen -----------> Up --------------------------------> Down
//!                       ^                                     |
//!                       +-------- replies in a row = up_after +
//! ```
//!
//! A target that never answered is `Unseen`, not `Down`: gear that is still in its box is no outage.
//!
//! A target that has long been silent is asked less often: each address that is asked and does not answer takes a place
//! in the kernel's neighbour table for seconds, and a full table makes devices that are well seem down.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use model::{DeviceId, Timestamp};

use crate::{
    echo::{ECHO_BYTES, EchoReply, Family, ParseEchoError, encode_request, parse_reply},
    window::{Window, WindowSummary},
};

/// Targets beyond this are not watched; [`PingCounters::targets_refused`] counts them.
const TARGETS_MAX: usize = 16_384;

/// Echoes that are due within so much of each other leave together, so that a thousand targets cost a hundred
/// wake-ups a second and not a thousand.
const BATCH_WINDOW: Duration = Duration::from_millis(10);

/// Losses in a row after which a target that is down, or was never seen, is asked less often.
const DOWN_LOSSES_MAX: u32 = 60;
const UNSEEN_LOSSES_MAX: u32 = 10;
/// A silent target is asked in one of so many rounds at least.
const SILENT_ROUNDS_MIN: usize = 10;
/// Silent targets asked in one round at most; the more there are, the longer each waits.
const SILENT_PER_ROUND_MAX: usize = 100;

/// An address that is watched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Whose it is.
    pub device: DeviceId,
    /// Where echoes go.
    pub address: IpAddr,
    /// It answered in an earlier run: if it no longer does, it is down.
    pub was_seen: bool,
}

/// How targets are watched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PingSettings {
    /// The addresses.
    pub targets: Vec<Target>,
    /// Time between echoes to one target; an echo without a reply by then is lost.
    pub interval: Duration,
    /// Losses in a row after which a target is down.
    pub down_after: u32,
    /// Replies in a row after which it is up again.
    pub up_after: u32,
}

impl Default for PingSettings {
    fn default() -> Self {
        Self { targets: Vec::new(), interval: Duration::from_secs(1), down_after: 3, up_after: 3 }
    }
}

/// Whether a target answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reachability {
    /// It has not answered yet.
    Unseen,
    /// It answers, since then.
    Up(Timestamp),
    /// It answered once and no longer does; since the first echo that was lost.
    Down(Timestamp),
}

/// What the driver does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send an ICMP message.
    Send {
        /// Position of the target, for [`Pinger::on_sent`].
        target: u32,
        /// To whom.
        to: IpAddr,
        /// The whole message.
        bytes: [u8; ECHO_BYTES],
    },
}

/// What has happened so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PingCounters {
    /// Echoes sent.
    pub sent: u64,
    /// Replies that came in time.
    pub replies: u64,
    /// Echoes without a reply in time.
    pub lost: u64,
    /// Replies that came after the next echo, or twice.
    pub late: u64,
    /// Messages that are no reply to us.
    pub foreign: u64,
    /// Planned addresses beyond the bound.
    pub targets_refused: u64,
}

/// What is known of a target.
#[derive(Clone, PartialEq, Debug)]
pub struct TargetReport {
    /// The target.
    pub target: Target,
    /// Whether it answers.
    pub reachability: Reachability,
    /// Its last echoes.
    pub window: WindowSummary,
}

struct Watched {
    target: Target,
    reachability: Reachability,
    window: Window,
    sequence: u32,
    /// When the echo that is on its way was sent.
    sent: Option<Timestamp>,
    /// Losses or replies in a row that speak against `reachability`.
    against: u32,
    /// Losses since the last reply.
    losses: u32,
    first_loss: Timestamp,
}

/// Sends echoes and judges the replies. See the module for its states.
pub struct Pinger {
    settings: PingSettings,
    token: u64,
    watched: Vec<Watched>,
    /// Position of the next target.
    next: usize,
    /// When the round began in which `next` is.
    round_began: Timestamp,
    /// Counts rounds.
    round: usize,
    /// A silent target is asked in one of so many rounds.
    silent_rounds: usize,
    effects: VecDeque<Effect>,
    counters: PingCounters,
}

impl Pinger {
    /// Begins at `now`. `token` is a secret of this run: whoever does not know it cannot answer for a device.
    pub fn new(mut settings: PingSettings, token: u64, now: Timestamp) -> Self {
        let targets = std::mem::take(&mut settings.targets);
        let targets_refused = targets.len().saturating_sub(TARGETS_MAX) as u64;
        let watched = targets.into_iter().take(TARGETS_MAX).map(|target| Watched::new(target, now)).collect();
        let counters = PingCounters { targets_refused, ..PingCounters::default() };
        let (round, silent_rounds) = (0, SILENT_ROUNDS_MIN);
        let effects = VecDeque::new();
        Self { settings, token, watched, next: 0, round_began: now, round, silent_rounds, effects, counters }
    }

    /// When to call [`Self::on_deadline`] next; `None` = there is nothing to watch.
    pub fn deadline(&self) -> Option<Timestamp> {
        (!self.watched.is_empty()).then(|| self.due(self.next))
    }

    /// Sends what is due. After a gap longer than an interval (sleep, clock set) it goes on from `now`: what was not
    /// sent is not sent at once, and the echoes on their way are judged by nobody.
    pub fn on_deadline(&mut self, now: Timestamp) {
        let interval = self.settings.interval;
        let is_behind = now.since(self.round_began) > interval * 2;
        let is_ahead = self.round_began.since(now) > interval;
        if is_behind || is_ahead {
            self.round_began = now;
            self.next = 0;
            self.watched.iter_mut().for_each(|watched| watched.sent = None);
        }
        // At most one whole round, so that no clock can keep us here.
        for _ in 0..self.watched.len() {
            if self.due(self.next) > now + BATCH_WINDOW {
                break;
            }
            self.turn(now);
        }
    }

    /// The echo to a target has left only now. Without this call it counts as sent when it was due.
    pub fn on_sent(&mut self, now: Timestamp, target: u32) {
        if let Some(sent) = self.watched.get_mut(target as usize).and_then(|watched| watched.sent.as_mut()) {
            *sent = now;
        }
    }

    /// What arrived on a socket. `has_ip_header` as in [`parse_reply`].
    pub fn on_message(&mut self, now: Timestamp, from: IpAddr, has_ip_header: bool, bytes: &[u8]) {
        let family = if from.is_ipv4() { Family::V4 } else { Family::V6 };
        let echo = match parse_reply(family, has_ip_header, bytes) {
            Ok(echo) if echo.token == self.token => echo,
            Ok(_) | Err(ParseEchoError::Truncated | ParseEchoError::NotEchoReply) => {
                self.counters.foreign += 1;
                return;
            }
        };
        let watched = self.watched.get_mut(echo.target as usize).filter(|watched| watched.target.address == from);
        let Some(watched) = watched else {
            self.counters.foreign += 1;
            return;
        };
        let Some(sent) = watched.sent.take_if(|_| watched.sequence == echo.sequence) else {
            self.counters.late += 1;
            return;
        };
        self.counters.replies += 1;
        watched.replied(now, now.since(sent), &self.settings);
    }

    /// What to do next.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What is known of every target, in the order given. O(targets x window).
    pub fn report(&self) -> Vec<TargetReport> {
        let report = |watched: &Watched| TargetReport {
            target: watched.target.clone(),
            reachability: watched.reachability,
            window: watched.window.summary(),
        };
        self.watched.iter().map(report).collect()
    }

    /// What has happened so far.
    pub fn counters(&self) -> PingCounters {
        self.counters
    }

    /// When the target at `position` is due in this round.
    fn due(&self, position: usize) -> Timestamp {
        let nanos = self.settings.interval.as_nanos() * position as u128 / self.watched.len().max(1) as u128;
        self.round_began + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The next target's turn: its last echo is judged, and unless it is long silent another is sent.
    fn turn(&mut self, now: Timestamp) {
        let watched = &mut self.watched[self.next];
        if let Some(sent) = watched.sent.take() {
            self.counters.lost += 1;
            watched.lost(sent, &self.settings);
        }
        if !watched.is_silent() || (self.next + self.round).is_multiple_of(self.silent_rounds) {
            self.ask(now);
        }
        self.next += 1;
        if self.next == self.watched.len() {
            self.begin_round();
        }
    }

    fn begin_round(&mut self) {
        self.next = 0;
        self.round = self.round.wrapping_add(1);
        self.round_began = self.round_began + self.settings.interval;
        let silent = self.watched.iter().filter(|watched| watched.is_silent()).count();
        self.silent_rounds = silent.div_ceil(SILENT_PER_ROUND_MAX).max(SILENT_ROUNDS_MIN);
    }

    fn ask(&mut self, now: Timestamp) {
        let watched = &mut self.watched[self.next];
        watched.sequence = watched.sequence.wrapping_add(1);
        watched.sent = Some(now);
        let to = watched.target.address;
        let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
        let echo = EchoReply { token: self.token, target: self.next as u32, sequence: watched.sequence };
        // The token's low bits tell our requests apart in a capture.
        let bytes = encode_request(family, self.token as u16, echo);
        self.effects.push_back(Effect::Send { target: self.next as u32, to, bytes });
        self.counters.sent += 1;
    }
}

impl Watched {
    fn new(target: Target, now: Timestamp) -> Self {
        let window = Window::default();
        let reachability = if target.was_seen { Reachability::Up(now) } else { Reachability::Unseen };
        Self { target, reachability, window, sequence: 0, sent: None, against: 0, losses: 0, first_loss: now }
    }

    /// It has not answered for so long that it need not be asked in each round.
    fn is_silent(&self) -> bool {
        match self.reachability {
            Reachability::Up(_) => false,
            Reachability::Unseen => self.losses >= UNSEEN_LOSSES_MAX,
            Reachability::Down(_) => self.losses >= DOWN_LOSSES_MAX,
        }
    }

    fn replied(&mut self, now: Timestamp, rtt: Duration, settings: &PingSettings) {
        self.window.push(Some(rtt));
        self.losses = 0;
        match self.reachability {
            Reachability::Unseen => self.reachability = Reachability::Up(now),
            Reachability::Up(_) => self.against = 0,
            Reachability::Down(_) => {
                self.against += 1;
                if self.against >= settings.up_after {
                    (self.reachability, self.against) = (Reachability::Up(now), 0);
                    // The outage had an alert of its own; it is no loss of the link that is back.
                    self.window = Window::default();
                }
            }
        }
    }

    fn lost(&mut self, sent: Timestamp, settings: &PingSettings) {
        self.window.push(None);
        self.losses = self.losses.saturating_add(1);
        match self.reachability {
            Reachability::Unseen => {}
            Reachability::Down(_) => self.against = 0,
            Reachability::Up(_) => {
                if self.against == 0 {
                    self.first_loss = sent;
                }
                self.against += 1;
                if self.against >= settings.down_after {
                    (self.reachability, self.against) = (Reachability::Down(self.first_loss), 0);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "pinger/tests.rs"]
mod tests;
