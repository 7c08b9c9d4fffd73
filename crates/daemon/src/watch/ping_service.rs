//! The thread that sends echoes and reads replies.

use std::{
    io,
    net::IpAddr,
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use watch::{Effect, PingCounters, PingSettings, Pinger, TargetReport};

use super::{icmp_socket::IcmpSocket, neighbours::warn_of_neighbours};
use crate::clock::Clock;

/// Longest wait, so that a stop is seen.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// Time between looks at the whole for the page.
const VIEW_INTERVAL: Duration = Duration::from_secs(1);
/// Messages read before the next echoes are looked after.
const MESSAGES_BATCH_MAX: usize = 1_024;

/// What the publisher sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchView {
    pub(crate) targets: Vec<TargetReport>,
    pub(crate) counters: PingCounters,
    /// Echoes that the kernel did not take, e.g. for want of a route.
    pub(crate) send_errors: u64,
}

pub(crate) struct PingService {
    pinger: Pinger,
    v4: Option<IcmpSocket>,
    v6: Option<IcmpSocket>,
    clock: Clock,
    view: Arc<Mutex<WatchView>>,
    send_errors: u64,
    stop: Arc<AtomicBool>,
}

impl PingService {
    /// `None` when there is nothing to watch or no socket to watch with; the latter is said. A rehearsal's gear does not
    /// exist, so it is not watched.
    pub(crate) fn open(
        settings: PingSettings,
        clock: &Clock,
        seed: u64,
        view: Arc<Mutex<WatchView>>,
        stop: Arc<AtomicBool>,
    ) -> Option<Self> {
        if settings.targets.is_empty() || matches!(clock, Clock::Rehearsal { .. }) {
            return None;
        }
        warn_of_neighbours(&settings);
        let wanted = |is_v4: bool| settings.targets.iter().any(|target| target.address.is_ipv4() == is_v4);
        let v4 = wanted(true).then(IcmpSocket::open_v4).and_then(said);
        let v6 = wanted(false).then(IcmpSocket::open_v6).and_then(said);
        if v4.is_none() && v6.is_none() {
            return None;
        }
        // Spread, so that the low bits that go into the header differ between runs as well.
        let token = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) ^ seed;
        let pinger = Pinger::new(settings, token, clock.now());
        Some(Self { pinger, v4, v6, clock: clock.clone(), view, send_errors: 0, stop })
    }

    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut shown = self.clock.now();
        while !self.stop.load(Ordering::Relaxed) {
            self.wait()?;
            self.receive();
            let now = self.clock.now();
            self.pinger.on_deadline(now);
            self.send();
            if now.since(shown) >= VIEW_INTERVAL || now < shown {
                shown = now;
                self.show();
            }
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        let wait = self.pinger.deadline().map_or(WAIT_MAX, |deadline| self.clock.wall_until(deadline).min(WAIT_MAX));
        // Rounded up: poll counts milliseconds, and waking early would be waking twice.
        let millis = u16::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX);
        let sockets = [&self.v4, &self.v6];
        let mut polled: Vec<PollFd<'_>> =
            sockets.into_iter().flatten().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut polled, PollTimeout::from(millis)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self) {
        let mut buffer = [0; 2_048];
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            for _ in 0..MESSAGES_BATCH_MAX {
                let Some((length, from, at)) = socket.receive(&mut buffer, self.clock.now()) else { break };
                self.pinger.on_message(at, from, socket.has_ip_header, &buffer[..length]);
            }
        }
    }

    fn send(&mut self) {
        while let Some(Effect::Send { target, to, bytes }) = self.pinger.next_effect() {
            // One of many that leave together: those before it took their time.
            self.pinger.on_sent(self.clock.now(), target);
            let socket = match to {
                IpAddr::V4(_) => &self.v4,
                IpAddr::V6(_) => &self.v6,
            };
            let is_sent = socket.as_ref().is_some_and(|socket| socket.send(to, &bytes).is_ok());
            self.send_errors += u64::from(!is_sent);
        }
    }

    fn show(&self) {
        let view = WatchView {
            targets: self.pinger.report(),
            counters: self.pinger.counters(),
            send_errors: self.send_errors,
        };
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }
}

fn said(socket: io::Result<IcmpSocket>) -> Option<IcmpSocket> {
    let refused = |error: &io::Error| {
        tracing::warn!(
            %error,
            "devices are not watched: no ICMP socket; give the service `CAP_NET_RAW` or set `net.ipv4.ping_group_range`"
        );
    };
    socket.inspect_err(refused).ok()
}
