//! Walks the course by the clock and drives the three sides of the crowd's network.

use std::{future::poll_fn, task::Poll, time::Duration};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rehearse::course::{Act, Action, Course};
use tokio::sync::watch;

use crate::{
    Progress, ReplayError, Settings, Summary, clock::Clock, dhcp_side::DhcpSide, dns_side::DnsSide, log_side::LogSide,
    stations::Stations,
};

/// Actions and timers done at one time; the rest follows a [`BATCH_INTERVAL`] later, so that a burst does not
/// overrun the server's socket buffer merely because we were late.
const BATCH_MAX: usize = 48;
const BATCH_INTERVAL: Duration = Duration::from_millis(1);
/// After the last action answers are waited for at most this long, in wall time: longer than every retransmission.
const DRAIN_MAX: Duration = Duration::from_secs(6);
/// Lines that access points have yet to send may take so long.
const DRAIN_LINES_MAX: Duration = Duration::from_secs(30);
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// Without anything to do the player looks around this often.
const IDLE_MAX: Duration = Duration::from_millis(100);

/// Plays `course` against the services at `settings.endpoints`, as real packets, until its last span of event time is
/// over or `stop` becomes true. Survives servers that vanish and come back: what was not answered is asked again.
///
/// Tells `progress` ten times a second of wall time. Must run inside a tokio runtime with I/O and time enabled.
/// Errors: the course names devices or access points that it does not have; no socket can be had.
pub async fn play(
    course: &Course,
    settings: Settings,
    progress: watch::Sender<Progress>,
    mut stop: watch::Receiver<bool>,
) -> Result<Summary, ReplayError> {
    check(course)?;
    let mut player = Player::bind(course, settings)?;
    let complete = player.run(&progress, &mut stop).await;
    progress.send_replace(player.progress(player.clock.elapsed()));
    Ok(player.finish(complete).await)
}

fn check(course: &Course) -> Result<(), ReplayError> {
    let fits = |action: &Action| {
        let access_point = match action.act {
            Act::Associate(access_point) | Act::Roam(access_point) => Some(access_point),
            Act::Leave => None,
        };
        (action.device as usize) < course.devices.len()
            && access_point.is_none_or(|access_point| (access_point as usize) < course.access_points.len())
    };
    match course.actions.iter().position(|action| !fits(action)) {
        Some(action) => Err(ReplayError::Course { action }),
        None => Ok(()),
    }
}

struct Player<'a> {
    course: &'a Course,
    settings: Settings,
    clock: Clock,
    dhcp: DhcpSide<'a>,
    dns: DnsSide,
    logs: LogSide,
    stations: Stations,
    /// Index of the next action.
    next: usize,
    next_batch: Duration,
    next_progress: Duration,
    late_max: Duration,
}

impl<'a> Player<'a> {
    fn bind(course: &'a Course, settings: Settings) -> Result<Self, ReplayError> {
        let clock = Clock::new(settings.started);
        let random = |stream| {
            let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
            random.set_stream(stream);
            random
        };
        Ok(Self {
            course,
            clock,
            dhcp: DhcpSide::bind(course, &settings, random(1))?,
            dns: DnsSide::bind(course, &settings, clock, random(2))?,
            logs: LogSide::bind(course, &settings, random(3))?,
            stations: Stations::new(course),
            next: 0,
            next_batch: Duration::ZERO,
            next_progress: Duration::ZERO,
            late_max: Duration::ZERO,
            settings,
        })
    }

    /// True when the course was played to its end.
    async fn run(&mut self, progress: &watch::Sender<Progress>, stop: &mut watch::Receiver<bool>) -> bool {
        let mut drain_since = None;
        loop {
            let elapsed = self.clock.elapsed();
            self.do_due(elapsed, drain_since.is_some());
            if elapsed >= self.next_progress {
                self.next_progress = elapsed + PROGRESS_INTERVAL;
                progress.send_replace(self.progress(elapsed));
            }
            if self.next >= self.course.actions.len() && elapsed >= self.settings.time_line.length() {
                let drained = elapsed - *drain_since.get_or_insert(elapsed);
                let is_waiting = drained < DRAIN_MAX && (self.dhcp.is_asking() || self.dns.is_waiting());
                if !is_waiting && (drained >= DRAIN_LINES_MAX || !self.logs.is_sending()) {
                    return true;
                }
            }
            let wake = self.clock.instant_at(self.wake_at(elapsed));
            tokio::select! {
                biased;
                () = stopped(stop) => return false,
                () = poll_fn(|context| {
                    let (dhcp, dns) = (self.dhcp.poll_readable(context), self.dns.poll_readable(context));
                    if dhcp.is_ready() || dns.is_ready() { Poll::Ready(()) } else { Poll::Pending }
                }) => {}
                () = tokio::time::sleep_until(wake) => {}
            }
            self.receive();
        }
    }

    async fn finish(self, complete: bool) -> Summary {
        let (access_points, rooms) = self.stations.peaks(self.course);
        let mut summary = Summary {
            complete,
            clients_peak: self.stations.associated_peak().into(),
            access_points,
            rooms,
            late_max_ms: self.late_max.as_secs_f64() * 1_000.0,
            ..Summary::default()
        };
        self.dhcp.finish(&mut summary);
        self.dns.finish(&mut summary);
        self.logs.finish(!complete, &mut summary).await;
        summary
    }

    fn receive(&mut self) {
        let elapsed = self.clock.elapsed();
        let stations = &self.stations;
        self.dhcp.receive(elapsed, |device| stations.access_point_of(device));
        self.dns.receive(elapsed);
    }

    /// Does what is due, a batch at most.
    fn do_due(&mut self, elapsed: Duration, is_draining: bool) {
        self.logs.on_deadlines(elapsed);
        if elapsed < self.next_batch {
            return;
        }
        let mut budget = BATCH_MAX;
        while budget > 0
            && let Some(action) = self.course.actions.get(self.next)
            && let due = self.settings.time_line.elapsed_at(action.at)
            && due <= elapsed
        {
            budget -= 1;
            self.next += 1;
            self.late_max = self.late_max.max(elapsed - due);
            self.act(elapsed, action);
        }
        let stations = &self.stations;
        let budget = self.dhcp.on_deadlines(elapsed, budget, |device| stations.access_point_of(device));
        // DNS has a budget of its own: a crowd that renews must not keep another from asking.
        self.dns.set_rate(elapsed, if is_draining { 0 } else { self.dhcp.milliqueries_per_minute() });
        let dns_budget = self.dns.on_deadlines(elapsed, BATCH_MAX);
        if is_draining {
            self.logs.quieten();
        }
        if budget == 0 || dns_budget == 0 {
            self.next_batch = elapsed + BATCH_INTERVAL;
        }
    }

    fn act(&mut self, elapsed: Duration, action: &Action) {
        let from = self.stations.apply(action.device, action.act);
        let at = match action.act {
            Act::Associate(access_point) | Act::Roam(access_point) => access_point,
            Act::Leave => from.unwrap_or_default(),
        };
        self.dhcp.on_action(elapsed, action.device, action.act, at);
        if let Some(device) = self.course.devices.get(action.device as usize) {
            self.logs.on_action(action.at, device.mac, action.act, from);
        }
    }

    fn wake_at(&self, elapsed: Duration) -> Duration {
        let action = self.course.actions.get(self.next).map(|action| self.settings.time_line.elapsed_at(action.at));
        let sides = [action, self.dhcp.deadline(), self.dns.deadline()].into_iter().flatten().min();
        let batch = sides.map(|at| at.max(self.next_batch));
        [batch, self.logs.deadline()].into_iter().flatten().min().unwrap_or(Duration::MAX).min(elapsed + IDLE_MAX)
    }

    fn progress(&self, elapsed: Duration) -> Progress {
        let length = self.settings.time_line.length().as_secs_f64();
        let (clients_unique, exchanges, leases_failed) = self.dhcp.progress();
        Progress {
            at: self.settings.time_line.event_time(elapsed),
            played: if length > 0.0 { (elapsed.as_secs_f64() / length).min(1.0) } else { 1.0 },
            clients: self.stations.associated().into(),
            clients_unique,
            exchanges,
            leases_failed,
            dns_queries: self.dns.queries(),
            log_lines: self.logs.lines(),
        }
    }
}

/// Ends when told to stop; never when whoever could tell is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}
