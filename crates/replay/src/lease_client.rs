//! The DHCP client of one simulated device (RFC 2131 section 4.4), sans-IO.
//!
//! ```text
//!             associate, no lease          OFFER               ACK
//!  Init ----------------------> Selecting -----> Requesting ---------> Bound <----+
//!    |                              ^  ^             | NAK, tries       | T1      | ACK
//!    | associate, lease still runs  |  +-------------+                  v         |
//!    +----------> Rebooting --------+ NAK, tries      NAK, expiry <- Renewing ----+
//!                     | ACK -> Bound                  -> Selecting
//!  Selecting, tries used up -> BackingOff -> Selecting;   leave: any -> Init
//! ```
//! RENEWING and REBINDING are one state: behind a relay agent both send the same message.
//! Leases run in event time, retransmission in wall time: the network is not faster because the event is.

use std::{net::Ipv4Addr, time::Duration};

use model::{TimeLine, Timestamp};
use rand::{Rng, RngExt};

/// Wall time waited for an answer after each try; as many tries as entries (RFC 2131 section 4.1, scaled to a
/// loopback network, each 10 % longer or shorter by chance).
const TRY_WAITS: [Duration; TRIES_MAX] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(2),
];
const TRIES_MAX: usize = 5;
/// A remembered address is asked for this often before the client starts afresh (RFC 2131 section 3.2 step 3).
const REBOOT_TRIES_MAX: usize = 3;
/// REQUESTs for one offer before the client starts afresh (RFC 2131 section 3.1 step 5).
const REQUEST_TRIES_MAX: usize = 4;
/// The shortest wall time waited for an answer to a renewal, however soon the lease ends.
const RENEWAL_WAIT_MIN: Duration = Duration::from_millis(50);
/// Wall time between a failed acquisition and the next.
const BACK_OFF: Duration = Duration::from_secs(1);
/// The shortest wall time between two exchanges of one client, whatever the lease time says.
const EXCHANGE_INTERVAL_MIN: Duration = Duration::from_millis(20);
/// NAKs in one acquisition after which it has failed; a server that refuses its own offers would be asked for ever.
const NAKS_MAX: u32 = 5;

/// What the client is told with each call: the time, and how wall time maps to event time.
pub(crate) struct Now<'a> {
    /// Wall time since the rehearsal began.
    pub(crate) elapsed: Duration,
    /// The map to event time.
    pub(crate) line: &'a TimeLine,
}

/// A message that the client wants sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outgoing {
    pub(crate) xid: u32,
    pub(crate) kind: OutgoingKind,
}

/// Which message, with the fields that RFC 2131 table 5 wants in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OutgoingKind {
    /// DHCPDISCOVER, with the address it had last as option 50.
    Discover { wanted: Option<Ipv4Addr> },
    /// DHCPREQUEST for an offer.
    Select { offered: Ipv4Addr, server: Ipv4Addr },
    /// DHCPREQUEST for a remembered address.
    Reboot { remembered: Ipv4Addr },
    /// DHCPREQUEST to extend.
    Renew { ciaddr: Ipv4Addr },
    /// DHCPRELEASE.
    Release { ciaddr: Ipv4Addr, server: Ipv4Addr },
}

/// A server's answer, read from the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) xid: u32,
    pub(crate) kind: AnswerKind,
}

/// What the answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AnswerKind {
    Offer { address: Ipv4Addr, server: Ipv4Addr },
    Ack { address: Ipv4Addr, server: Option<Ipv4Addr>, lease: Duration, renewal: Option<Duration> },
    Nak,
}

/// Something worth counting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Note {
    /// A lease was granted or extended.
    Granted(Grant),
    /// The server said NAK; what was held is held no longer.
    Refused,
    /// The lease ran out before anyone extended it.
    Lapsed,
    /// Every try of an acquisition went unanswered, or the last of too many NAKs came.
    Failed { refused: bool },
    /// The client gave its address back.
    Released,
    /// The client left before the acquisition had an end.
    Interrupted,
}

/// A lease as its client sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Grant {
    pub(crate) address: Ipv4Addr,
    /// Counted from the first try of the REQUEST that was acknowledged (RFC 2131 section 4.4.1), so never later than
    /// what the server counts.
    pub(crate) expires: Timestamp,
    /// Wall time from the first message of the exchange to the ACK.
    pub(crate) waited: Duration,
    pub(crate) is_renewal: bool,
}

/// What one call leads to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Step {
    pub(crate) send: Option<Outgoing>,
    /// True when `send` repeats a message that was not answered.
    pub(crate) is_retransmission: bool,
    pub(crate) note: Option<Note>,
}

/// The DHCP client of one device.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaseClient {
    state: State,
    held: Option<Held>,
    /// The address it had last, asked for again.
    last: Option<Ipv4Addr>,
    naks: u32,
}

/// Where the client is; see the picture above.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Init,
    Selecting(Exchange),
    Requesting(Exchange, Ipv4Addr, Ipv4Addr),
    Rebooting(Exchange),
    Bound,
    Renewing(Exchange),
    BackingOff {
        until: Duration,
    },
}

/// One question to the server and its tries. Times are wall time.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    xid: u32,
    /// First message of the acquisition or renewal.
    began: Duration,
    /// First try of this very message.
    asked: Duration,
    /// Tries made of this very message.
    tries: usize,
    next_try: Duration,
}

/// A lease held. Times are wall time.
#[derive(Clone, Copy, Debug)]
struct Held {
    address: Ipv4Addr,
    server: Option<Ipv4Addr>,
    renew_at: Duration,
    expires_at: Duration,
}

impl Exchange {
    fn begin(now: &Now<'_>, random: &mut impl Rng) -> Self {
        let next_try = now.elapsed + jittered(TRY_WAITS[0], random);
        Self { xid: random.random(), began: now.elapsed, asked: now.elapsed, tries: 1, next_try }
    }

    /// The next message of the same exchange, tries counted afresh.
    fn follow(self, now: &Now<'_>, random: &mut impl Rng) -> Self {
        Self { asked: now.elapsed, tries: 1, next_try: now.elapsed + jittered(TRY_WAITS[0], random), ..self }
    }

    fn again(&mut self, now: &Now<'_>, random: &mut impl Rng) {
        let wait = TRY_WAITS.get(self.tries).copied().unwrap_or(TRY_WAITS[TRIES_MAX - 1]);
        self.tries += 1;
        self.next_try = now.elapsed + jittered(wait, random);
    }

    /// A renewal is tried again while there is still time (RFC 2131 section 4.4.5): in compressed time a lease may end
    /// sooner than an ordinary client would wait.
    fn hurry(&mut self, now: &Now<'_>, expires_at: Duration) {
        let wait = (expires_at.saturating_sub(now.elapsed) / 3).max(RENEWAL_WAIT_MIN);
        self.next_try = self.next_try.min(now.elapsed + wait);
    }

    fn message(&self, kind: OutgoingKind) -> Outgoing {
        Outgoing { xid: self.xid, kind }
    }
}

impl LeaseClient {
    /// The device joined the network.
    pub(crate) fn on_associate(&mut self, now: &Now<'_>, random: &mut impl Rng) -> Step {
        self.naks = 0;
        match self.held {
            Some(held) if held.expires_at > now.elapsed => {
                let exchange = Exchange::begin(now, random);
                self.state = State::Rebooting(exchange);
                send(exchange.message(OutgoingKind::Reboot { remembered: held.address }))
            }
            _ => self.discover(now, random),
        }
    }

    /// The device left the network; `releases` when it is one of the few that say so.
    pub(crate) fn on_leave(&mut self, now: &Now<'_>, releases: bool, random: &mut impl Rng) -> Step {
        let state = std::mem::take(&mut self.state);
        let was_acquiring = matches!(state, State::Selecting(_) | State::Requesting(..) | State::Rebooting(_));
        let held = self.held.filter(|held| held.expires_at > now.elapsed);
        match held.and_then(|held| Some((held.address, held.server?))) {
            Some((ciaddr, server)) if releases && !was_acquiring => {
                self.held = None;
                let message = Outgoing { xid: random.random(), kind: OutgoingKind::Release { ciaddr, server } };
                Step { note: Some(Note::Released), ..send(message) }
            }
            _ => Step { note: was_acquiring.then_some(Note::Interrupted), ..Step::default() },
        }
    }

    /// An answer came for this device. Answers to other questions than the one asked are of no interest.
    pub(crate) fn on_answer(&mut self, now: &Now<'_>, answer: &Answer, random: &mut impl Rng) -> Step {
        let Some(exchange) = self.exchange().copied().filter(|exchange| exchange.xid == answer.xid) else {
            return Step::default();
        };
        match (self.state, answer.kind) {
            (State::Selecting(_), AnswerKind::Offer { address, server }) => {
                let exchange = exchange.follow(now, random);
                self.state = State::Requesting(exchange, address, server);
                send(exchange.message(OutgoingKind::Select { offered: address, server }))
            }
            (
                State::Requesting(..) | State::Rebooting(_) | State::Renewing(_),
                AnswerKind::Ack { address, server, lease, renewal },
            ) => self.bind(now, &exchange, address, server, lease, renewal, random),
            (State::Requesting(..) | State::Rebooting(_) | State::Renewing(_), AnswerKind::Nak) => {
                self.refused(now, &exchange, random)
            }
            _ => Step::default(),
        }
    }

    /// Does what is due; harmless when nothing is.
    pub(crate) fn on_deadline(&mut self, now: &Now<'_>, random: &mut impl Rng) -> Step {
        if self.deadline().is_none_or(|deadline| deadline > now.elapsed) {
            return Step::default();
        }
        match self.state {
            State::Init => Step::default(),
            State::Selecting(exchange) if exchange.tries >= TRIES_MAX => self.fail(now, false, random),
            State::Requesting(exchange, ..) if exchange.tries >= REQUEST_TRIES_MAX => {
                self.restart(now, &exchange, random)
            }
            State::Rebooting(exchange) if exchange.tries >= REBOOT_TRIES_MAX => self.restart(now, &exchange, random),
            State::Renewing(_) | State::Bound if self.held.is_none_or(|held| held.expires_at <= now.elapsed) => {
                self.held = None;
                Step { note: Some(Note::Lapsed), ..self.discover(now, random) }
            }
            State::Selecting(_) | State::Requesting(..) | State::Rebooting(_) | State::Renewing(_) => {
                self.retransmit(now, random)
            }
            State::Bound => self.renew(now, random),
            State::BackingOff { .. } => self.discover(now, random),
        }
    }

    /// When [`LeaseClient::on_deadline`] wants to be called, in wall time.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Init => None,
            State::Selecting(exchange) | State::Requesting(exchange, ..) | State::Rebooting(exchange) => {
                Some(exchange.next_try)
            }
            State::Bound => self.held.map(|held| held.renew_at.min(held.expires_at)),
            State::Renewing(exchange) => {
                Some(self.held.map_or(exchange.next_try, |held| held.expires_at.min(exchange.next_try)))
            }
            State::BackingOff { until } => Some(until),
        }
    }

    /// True while the device has an address that it may use.
    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.state, State::Bound | State::Renewing(_))
    }

    /// True while a question of this client is open.
    pub(crate) fn is_asking(&self) -> bool {
        self.exchange().is_some()
    }

    fn exchange(&self) -> Option<&Exchange> {
        match &self.state {
            State::Selecting(exchange)
            | State::Requesting(exchange, ..)
            | State::Rebooting(exchange)
            | State::Renewing(exchange) => Some(exchange),
            State::Init | State::Bound | State::BackingOff { .. } => None,
        }
    }

    fn discover(&mut self, now: &Now<'_>, random: &mut impl Rng) -> Step {
        let exchange = Exchange::begin(now, random);
        self.state = State::Selecting(exchange);
        send(exchange.message(OutgoingKind::Discover { wanted: self.last }))
    }

    /// Starts afresh within the same acquisition, so that the time it took is counted from its true beginning.
    fn restart(&mut self, now: &Now<'_>, before: &Exchange, random: &mut impl Rng) -> Step {
        let exchange = Exchange { began: before.began, ..Exchange::begin(now, random) };
        self.state = State::Selecting(exchange);
        send(exchange.message(OutgoingKind::Discover { wanted: self.last }))
    }

    fn renew(&mut self, now: &Now<'_>, random: &mut impl Rng) -> Step {
        let Some(held) = self.held else { return self.discover(now, random) };
        let mut exchange = Exchange::begin(now, random);
        exchange.hurry(now, held.expires_at);
        self.state = State::Renewing(exchange);
        send(exchange.message(OutgoingKind::Renew { ciaddr: held.address }))
    }

    fn retransmit(&mut self, now: &Now<'_>, random: &mut impl Rng) -> Step {
        let held = self.held.map(|held| held.address);
        let wanted = self.last;
        let (exchange, kind) = match &mut self.state {
            State::Selecting(exchange) => (exchange, OutgoingKind::Discover { wanted }),
            State::Requesting(exchange, offered, server) => {
                (exchange, OutgoingKind::Select { offered: *offered, server: *server })
            }
            State::Rebooting(exchange) => match held {
                Some(remembered) => (exchange, OutgoingKind::Reboot { remembered }),
                None => return self.discover(now, random),
            },
            State::Renewing(exchange) => match held {
                Some(ciaddr) => (exchange, OutgoingKind::Renew { ciaddr }),
                None => return self.discover(now, random),
            },
            State::Init | State::Bound | State::BackingOff { .. } => return Step::default(),
        };
        exchange.again(now, random);
        if let (OutgoingKind::Renew { .. }, Some(held)) = (kind, self.held) {
            exchange.hurry(now, held.expires_at);
        }
        Step { is_retransmission: true, ..send(exchange.message(kind)) }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one ACK, used once")]
    fn bind(
        &mut self,
        now: &Now<'_>,
        exchange: &Exchange,
        address: Ipv4Addr,
        server: Option<Ipv4Addr>,
        lease: Duration,
        renewal: Option<Duration>,
        random: &mut impl Rng,
    ) -> Step {
        let is_renewal = matches!(self.state, State::Renewing(_));
        let requested_at = now.line.event_time(exchange.asked);
        let expires = requested_at + lease;
        let renewal = renewal.filter(|renewal| *renewal < lease).unwrap_or(lease / 2);
        // RFC 2131 section 4.4.5 wants some fuzz around T1; early only, so that it never comes near the expiry.
        let renewal = renewal.mul_f64(random.random_range(0.9..1.0));
        let earliest = now.elapsed + EXCHANGE_INTERVAL_MIN;
        self.held = Some(Held {
            address,
            server: server.or_else(|| self.held.and_then(|held| held.server)),
            renew_at: now.line.elapsed_at(requested_at + renewal).max(earliest),
            expires_at: now.line.elapsed_at(expires).max(earliest),
        });
        self.last = Some(address);
        self.naks = 0;
        self.state = State::Bound;
        let waited = now.elapsed.saturating_sub(exchange.began);
        let grant = Grant { address, expires, waited, is_renewal };
        Step { note: Some(Note::Granted(grant)), ..Step::default() }
    }

    fn refused(&mut self, now: &Now<'_>, exchange: &Exchange, random: &mut impl Rng) -> Step {
        self.held = None;
        self.last = None;
        self.naks += 1;
        if self.naks >= NAKS_MAX {
            return self.fail(now, true, random);
        }
        Step { note: Some(Note::Refused), ..self.restart(now, exchange, random) }
    }

    fn fail(&mut self, now: &Now<'_>, refused: bool, random: &mut impl Rng) -> Step {
        self.naks = 0;
        self.state = State::BackingOff { until: now.elapsed + jittered(BACK_OFF, random) };
        Step { note: Some(Note::Failed { refused }), ..Step::default() }
    }
}

fn send(message: Outgoing) -> Step {
    Step { send: Some(message), ..Step::default() }
}

/// 10 % longer or shorter, by chance.
fn jittered(wait: Duration, random: &mut impl Rng) -> Duration {
    wait.mul_f64(random.random_range(0.9..1.1))
}

#[cfg(test)]
mod tests;
