//! The thread that polls SNMP agents. Each has a task of its own: one that does not answer delays nobody.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_snmp::{Auth, AuthProtocol, Client, PrivProtocol, Retry, UdpTransport, UsmConfig, WalkOptions};
use generate::{SnmpCredentials, SnmpSettings};
use model::{DeviceId, Timestamp};
use tokio::{
    select,
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use watch::{Agent, Observed, PortReport};

use super::{
    secret::read_secret,
    snmp_facts::{Facts, Figure, facts},
    snmp_poll::{PollError, poll},
    snmp_traps::{SharedTraps, TrapIntake, TrapSecrets},
};
use crate::clock::{Clock, instant};

const SNMP_PORT: u16 = 161;
/// Time for one request, and how often it is sent again.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(1);
const RETRIES: u32 = 1;
/// Rows asked for at once, and rows of one table that are taken at most.
const ROWS_AT_ONCE: u32 = 32;
const ROWS_MAX: usize = 4_096;
/// How a device stands is asked so often, or at each poll when those are rarer.
const FACTS_INTERVAL: Duration = Duration::from_secs(30);
/// Traps of one device that come at once make one poll.
const TRAP_PAUSE: Duration = Duration::from_millis(500);
/// How often the thread looks whether the services stop.
const STOP_LOOK: Duration = Duration::from_millis(200);

/// What is known of one agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentView {
    /// When it last answered a whole poll.
    pub(crate) answered: Option<Timestamp>,
    /// How long that took.
    pub(crate) took: Duration,
    pub(crate) ports: Vec<PortReport>,
    pub(crate) celsius_max: Option<f64>,
    /// Watts drawn and to be had.
    pub(crate) poe_watts: Option<(f64, f64)>,
    /// How it stands; `None` before the first look.
    pub(crate) observed: Option<Observed>,
    /// What else it measures.
    pub(crate) figures: Vec<Figure>,
    /// Polls by outcome.
    pub(crate) polls: u64,
    pub(crate) timeouts: u64,
    pub(crate) refused: u64,
}

/// What the publisher sees, by device.
pub(crate) type SnmpView = Arc<Mutex<BTreeMap<DeviceId, Arc<AgentView>>>>;

pub(crate) struct SnmpService {
    settings: SnmpSettings,
    auth: Auth,
    trap_secrets: TrapSecrets,
    traps: SharedTraps,
    clock: Clock,
    view: SnmpView,
    stop: Arc<AtomicBool>,
}

impl SnmpService {
    /// `None` when nobody is to be asked, or a secret is missing; the latter is said. A rehearsal's gear does not exist.
    pub(crate) fn open(
        settings: Option<SnmpSettings>,
        clock: &Clock,
        view: SnmpView,
        traps: SharedTraps,
        stop: Arc<AtomicBool>,
    ) -> Option<Self> {
        let settings = settings.filter(|settings| !settings.agents.is_empty())?;
        if matches!(clock, Clock::Rehearsal { .. }) {
            return None;
        }
        let (auth, trap_secrets) = auth(&settings.credentials)?;
        Some(Self { settings, auth, trap_secrets, traps, clock: clock.clone(), view, stop })
    }

    pub(crate) fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let transport = Arc::new(UdpTransport::bind("0.0.0.0:0").await.map_err(io::Error::other)?);
            let count = self.settings.agents.len() as u32;
            let mut asked = BTreeMap::new();
            for (position, (device, address)) in (0..).zip(&self.settings.agents) {
                let ask = Arc::new(Notify::new());
                asked.insert(*address, (device.clone(), Arc::clone(&ask)));
                let poller = Poller {
                    ask,
                    device: device.clone(),
                    address: *address,
                    auth: self.auth.clone(),
                    interval: self.settings.interval,
                    // Spread, so that not all are asked at once.
                    begins_after: self.settings.interval * position / count,
                    clock: self.clock.clone(),
                    view: Arc::clone(&self.view),
                };
                tokio::spawn(poller.run(Arc::clone(&transport)));
            }
            if let Some(address) = self.settings.traps {
                self.take_traps(address, asked).await;
            }
            while !self.stop.load(Ordering::Relaxed) {
                sleep(STOP_LOOK).await;
            }
            Ok(())
        })
    }

    /// Traps are an extra: without them devices are asked all the same.
    async fn take_traps(&self, address: SocketAddr, agents: BTreeMap<IpAddr, (DeviceId, Arc<Notify>)>) {
        let (secrets, view) = (self.trap_secrets.clone(), Arc::clone(&self.traps));
        let intake = TrapIntake { address, secrets, agents, clock: self.clock.clone(), view };
        match intake.open().await {
            Ok(receiver) => {
                tokio::spawn(intake.run(receiver));
            }
            Err(error) => {
                tracing::error!(%address, %error, "no SNMP traps are taken: the address cannot be listened at")
            }
        }
    }
}

fn auth(credentials: &SnmpCredentials) -> Option<(Auth, TrapSecrets)> {
    let whose = "no device is asked by SNMP";
    match credentials {
        SnmpCredentials::Community(community) => {
            let community = read_secret(whose, community)?;
            Some((Auth::v2c(community.clone()), TrapSecrets::Community(community)))
        }
        SnmpCredentials::User { name, auth, privacy } => {
            let (auth, privacy) = (read_secret(whose, auth)?, read_secret(whose, privacy)?);
            let secrets = TrapSecrets::User { name: name.clone(), auth: auth.clone(), privacy: privacy.clone() };
            let user =
                UsmConfig::new(name.clone()).auth_priv(AuthProtocol::Sha256, auth, PrivProtocol::Aes128, privacy);
            let said = |error: &_| tracing::error!(%error, "{whose}: the passwords cannot be used");
            user.inspect_err(said).ok().map(|user| (Auth::from(user), secrets))
        }
    }
}

/// Polls one agent for as long as the runtime runs.
struct Poller {
    device: DeviceId,
    address: IpAddr,
    auth: Auth,
    interval: Duration,
    begins_after: Duration,
    /// A trap of the device has come.
    ask: Arc<Notify>,
    clock: Clock,
    view: SnmpView,
}

impl Poller {
    async fn run(self, transport: Arc<UdpTransport>) {
        let retry = Retry::fixed(RETRIES, Duration::ZERO).unwrap_or_default();
        let walk =
            WalkOptions { max_repetitions: ROWS_AT_ONCE, result_limit: Some(ROWS_MAX), ..WalkOptions::default() };
        let builder = Client::builder(SocketAddr::new(self.address, SNMP_PORT), self.auth.clone())
            .request_timeout(REQUEST_TIME_MAX)
            .retry(retry)
            .walk_options(walk);
        let client = match builder.build_with(&transport).await {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(device = %self.device, %error, "the device cannot be asked by SNMP");
                return;
            }
        };
        sleep(self.begins_after).await;
        let mut agent = Agent::default();
        let mut looked = None;
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            select! {
                _ = ticks.tick() => {}
                () = self.ask.notified() => sleep(TRAP_PAUSE).await,
            }
            let began = instant();
            let answer = timeout(self.interval, poll(&client)).await.unwrap_or(Err(PollError::Timeout));
            let is_answered = answer.is_ok();
            self.show(&mut agent, answer, began.elapsed());
            let is_due = looked.is_none_or(|at| instant().duration_since(at) >= FACTS_INTERVAL);
            if is_answered && is_due {
                looked = Some(began);
                let answer = timeout(self.interval, facts(&client, agent.ports())).await;
                self.show_facts(answer.unwrap_or(Err(PollError::Timeout)));
            }
        }
    }

    fn show(&self, agent: &mut Agent, answer: Result<watch::AgentPoll, PollError>, took: Duration) {
        let now = self.clock.now();
        let mut views = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let view = Arc::make_mut(views.entry(self.device.clone()).or_default());
        view.polls += 1;
        match answer {
            Ok(poll) => {
                agent.observe(now, poll);
                view.ports = agent.ports().to_vec();
                if let Some(observed) = &mut view.observed {
                    for port in &view.ports {
                        if let Some(seen) = observed.ports.get_mut(&port.name) {
                            seen.is_up = port.is_up;
                        }
                    }
                }
                (view.answered, view.took) = (Some(now), took);
            }
            Err(PollError::Timeout) => view.timeouts += 1,
            Err(PollError::Refused) => view.refused += 1,
        }
    }

    /// What could not be asked stays as it was.
    fn show_facts(&self, answer: Result<Facts, PollError>) {
        let mut views = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let view = Arc::make_mut(views.entry(self.device.clone()).or_default());
        match answer {
            Ok(facts) => {
                (view.celsius_max, view.poe_watts) = (facts.celsius_max, facts.poe_watts);
                (view.observed, view.figures) = (Some(facts.observed), facts.figures);
            }
            Err(PollError::Timeout) => view.timeouts += 1,
            Err(PollError::Refused) => view.refused += 1,
        }
    }
}
