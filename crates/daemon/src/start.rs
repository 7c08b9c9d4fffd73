//! Starting and stopping: everything is bound and recovered before anything is served, and what was accepted is
//! finished before the process ends.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use ::watch::{LineSigns, Roster};
use generate::{Listen, ServiceSettings, WatchSettings};
use model::{Lease, Snapshot, SubnetId};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use store::{Incidents, LeaseJournal, Limits, Mode, StateDir, Telemetry};
use tokio::{
    runtime::Runtime,
    sync::{broadcast, mpsc, watch},
};

use crate::{
    clock::Clock,
    control::{self, Control},
    dhcp_service::{COMMANDS_MAX, DhcpChannels, DhcpService},
    dns::{
        CertificateError, ClientTls, DnsService, DnsSockets, DnsView, ServerTls, TeamFileError, TrustAnchorError,
        load_team_files, raise_descriptor_limit, restore, thread_count, trust_anchors,
    },
    feeds::{self, FeedError},
    flows::{FlowService, bind_flows},
    http_service,
    incidents::{IncidentBook, PlannedWatch},
    ipv6::Ipv6,
    lease_names::recovered_names,
    log::{
        Batch, Intake, IntakeCounters, LogTls, LogView, LogWriter, Places, QUEUE_BATCHES_MAX, StreamIntake,
        bind_datagrams, bind_stream, stream_threads,
    },
    page_reload::{PlannedPage, WantedPage},
    probe::{ProbeService, ProbeSockets},
    publisher::{Publisher, Views},
    reload::{Adjustment, ReloadSource, Reloader},
    rogue_watch::RogueWatch,
    udp::BatchSocket,
    watch::{
        AlertDesk, AlertHands, DeviceConditions, Outlets, PingService, PlannedPorts, SharedTraps, SnmpService,
        SnmpView, WatchView,
    },
};

/// Names of clients that may wait for DNS.
const NAMES_MAX: usize = 8_192;

/// How this run behaves; what the event needs is in `services`.
pub struct Settings {
    /// What the plan says.
    pub services: ServiceSettings,
    /// Where to listen.
    pub listen: Listen,
    /// The state directory.
    pub state: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Seed of the engines' random generators.
    pub seed: u64,
    /// Wall time between snapshots.
    pub snapshot_interval: Duration,
    /// A sample is stored with every n-th snapshot.
    pub snapshots_per_sample: u32,
    /// Where a changed plan comes from; `None` = these services are never reloaded.
    pub reload: Option<ReloadSource>,
}

/// Why the services did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error("the state directory cannot be used")]
    State(#[from] store::OpenError),
    /// Leases could not be recovered.
    #[error("the leases in `{path}` could not be read")]
    Journal {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: store::JournalError,
    },
    /// Telemetry could not be opened.
    #[error("the telemetry in `{path}` could not be opened")]
    Telemetry {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: store::TelemetryError,
    },
    /// Incidents could not be opened.
    #[error("the incidents in `{path}` could not be opened")]
    Incidents {
        /// The state directory.
        path: PathBuf,
        /// Why.
        source: store::IncidentsError,
    },
    /// Something else listens there already.
    #[error(
        "{service} cannot listen on {address}: another program does already; stop it or choose another address with `--listen-{flag}`"
    )]
    PortTaken {
        /// Which service.
        service: &'static str,
        /// Its option.
        flag: &'static str,
        /// Where.
        address: SocketAddr,
    },
    /// The operating system refused the address.
    #[error(
        "{service} cannot listen on {address}; ports below 1024 need `CAP_NET_BIND_SERVICE`, an interface needs `CAP_NET_RAW`, and the address must be this machine's; choose another with `--listen-{flag}`"
    )]
    Listen {
        /// Which service.
        service: &'static str,
        /// Its option.
        flag: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The plan names an interface that this machine lacks.
    #[error("there is no network interface `{name}` on this machine; see `ip link` and set `vlan.NAME.dhcp.interface`")]
    NoInterface {
        /// The interface.
        name: String,
    },
    /// DHCPv6 was to listen on an IPv4 address.
    #[error("DHCPv6 cannot listen on {address}; give an IPv6 address, e.g. `--listen-dhcp6 [::]:547`")]
    NotIpv6 {
        /// Where.
        address: SocketAddr,
    },
    /// Clients on a link cannot be heard.
    #[error(
        "DHCPv6 cannot join the group of servers on `{interface}`; is IPv6 on there (`sysctl net.ipv6.conf.{interface}.disable_ipv6=0`) and the interface up?"
    )]
    JoinGroup {
        /// The interface.
        interface: String,
        /// Why.
        source: io::Error,
    },
    /// Router advertisements cannot be sent and heard.
    #[error("router advertisements cannot be sent; is IPv6 on at the interfaces of direct VLANs?")]
    RouterAdvertisements {
        /// Why.
        source: io::Error,
    },
    /// The server's identity cannot be read or kept.
    #[error(
        "the DHCPv6 server's identity in `{path}` cannot be used; restore it, or remove it and clients meet a new server"
    )]
    ServerDuid {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The DHCP settings contradict themselves.
    #[error("the DHCP settings are wrong")]
    Dhcp(#[from] dhcp::SettingsError),
    /// The DHCPv6 settings contradict themselves.
    #[error("the DHCPv6 settings are wrong")]
    Dhcp6(#[from] dhcp6::SettingsError),
    /// The settings of router advertisements contradict themselves.
    #[error("the settings of router advertisements are wrong")]
    Ra(#[from] dhcp6::ra::RaSettingsError),
    /// The DNS settings contradict themselves.
    #[error("the DNS settings are wrong")]
    Dns(#[from] dns::SettingsError),
    /// No trust anchors to check signatures with.
    #[error("DNS cannot check signatures")]
    TrustAnchors(#[from] TrustAnchorError),
    /// A zone file or a list of names cannot be used.
    #[error("a file that DNS answers from cannot be used")]
    TeamFile(#[from] TeamFileError),
    /// A certificate cannot be used.
    #[error("the certificates of DNS cannot be used")]
    Certificate(#[from] CertificateError),
    /// A certificate of syslog over TLS cannot be used.
    #[error("the certificates of syslog cannot be used; see `services.log`")]
    LogCertificate(#[source] CertificateError),
    /// What is given to others cannot be.
    #[error("a feed cannot be started; see `services.feeds`")]
    Feed(#[from] FeedError),
    /// A thread or the runtime could not be made.
    #[error("the services could not be started")]
    Runtime(#[from] io::Error),
}

/// Where the services listen, ports filled in.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// DHCP.
    pub dhcp: Vec<SocketAddr>,
    /// DHCPv6; empty when the plan has no IPv6.
    pub dhcp6: Vec<SocketAddr>,
    /// DNS.
    pub dns: Vec<SocketAddr>,
    /// DNS over TLS.
    pub dns_tls: Vec<SocketAddr>,
    /// DNS over HTTPS.
    pub dns_https: Vec<SocketAddr>,
    /// Syslog.
    pub syslog: Vec<SocketAddr>,
    /// Syslog over TLS.
    pub syslog_tls: Vec<SocketAddr>,
    /// NetFlow, IPFIX and sFlow.
    pub flows: Vec<SocketAddr>,
    /// The page and `/metrics`.
    pub http: Vec<SocketAddr>,
}

/// What was found in the state directory at start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recovered {
    /// Leases.
    pub leases: usize,
    /// Log lines and samples that were not sealed yet.
    pub telemetry_records: u64,
}

/// What was done when the services stopped.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    /// Log lines stored in this run.
    pub log_lines_stored: u64,
}

/// The services, running. Stop them with [`Running::stop`].
pub struct Running {
    /// Where they listen.
    pub addresses: Addresses,
    /// What was found at start.
    pub recovered: Recovered,
    /// The state of the event, renewed at each snapshot interval.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    control: Control,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    runtime: Runtime,
    threads: Vec<(&'static str, JoinHandle<io::Result<()>>)>,
    writer: JoinHandle<io::Result<u64>>,
    _state: Arc<StateDir>,
}

impl Running {
    /// True when a service has ended though nobody stopped it.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Reads the plan again and takes what can be taken while running; what comes of it is logged.
    pub fn reload(&self) {
        let control = self.control.clone();
        self.runtime.spawn(async move { control.reload_and_log().await });
    }

    /// Finishes what was accepted, seals the log, and ends.
    pub fn stop(self) -> io::Result<Stopped> {
        self.stop.store(true, Ordering::Relaxed);
        self.runtime.shutdown_timeout(Duration::from_secs(2));
        let mut result = Ok(());
        for (name, thread) in self.threads {
            result = result.and(join(name, thread));
        }
        let log_lines_stored = join("log writer", self.writer)?;
        result.map(|()| Stopped { log_lines_stored })
    }
}

fn join<T>(name: &str, thread: JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other(format!("the {name} thread ended by a defect"))))
}

/// Binds every socket, recovers the state, and serves. `routes` makes the HTTP routes from the stream of snapshots and the
/// hands that take alerts.
pub fn start(
    settings: Settings,
    routes: impl FnOnce(watch::Receiver<Arc<Snapshot>>, AlertHands) -> axum::Router,
) -> Result<Running, StartError> {
    let Settings { mut services, listen, state: path, clock, seed, snapshot_interval, snapshots_per_sample, reload } =
        settings;
    load_team_files(&services.dns_serving, &mut services.dns)?;
    let state = Arc::new(StateDir::open(&path, &services.event_name, Mode::Serve)?);
    let (journal, leases, _) =
        LeaseJournal::<Lease>::open(&state).map_err(|source| StartError::Journal { path: path.clone(), source })?;
    let limits = telemetry_limits(services.telemetry_bytes_max, services.telemetry_files_max).fitted_to(&state);
    let (telemetry, recovery) =
        Telemetry::open(&state, limits).map_err(|source| StartError::Telemetry { path: path.clone(), source })?;
    if recovery.segments_aside > 0 {
        tracing::error!(
            segments = recovery.segments_aside,
            "telemetry could not be read and was set aside as `telemetry/ring/damaged-*`; look at the disk"
        );
    }
    let book = Incidents::open(&state).map_err(|source| StartError::Incidents { path: path.clone(), source })?;

    raise_descriptor_limit();
    let counters = Arc::new(IntakeCounters::default());
    let log_tls = services.log_intake.certificate.clone().map(LogTls::load).transpose();
    let log_tls = log_tls.map_err(StartError::LogCertificate)?.map(Arc::new);
    let sockets = Sockets::bind(&listen, &services, &counters)?;
    let mut addresses = sockets.addresses()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Arc::new(AtomicBool::new(false));
    let failed = Arc::new(AtomicBool::new(false));
    let now = clock.now();

    let probe_sockets = ProbeSockets::open();
    say_what_is_not_served(&services, &probe_sockets);
    let (events, _) = broadcast::channel(control::EVENTS_MAX);
    let (names, names_receiver) = mpsc::channel(NAMES_MAX);
    let tell = (&names, &events);
    let ipv6 = Ipv6::start(&services, &listen.dhcp6, &state, &clock, seed.wrapping_add(2), tell, &stop)?;
    let commands6 = ipv6.reload.dhcp.clone();
    addresses.dhcp6.clone_from(&ipv6.addresses);
    let adjust = adjustment(&clock, &sockets.direct, probe_sockets.can_probe());
    let page = WantedPage::default();
    let reloader =
        reload.map(|source| Reloader::new(source, services.clone(), adjust.clone(), ipv6.reload, page.clone()));
    let mut dhcp_settings = services.dhcp;
    adjust.apply(&mut dhcp_settings);
    let mut dhcp_engine = dhcp::Engine::new(dhcp_settings, seed)?;
    let recovered =
        Recovered { leases: leases.len() + ipv6.leases, telemetry_records: recovery.logs + recovery.samples };
    let mut dns_settings = services.dns;
    dns_settings.own_addresses = [&addresses.dns[..], &addresses.dns_tls, &addresses.dns_https].concat();
    if let Some(designated) = &mut dns_settings.designated {
        designated.tls_port = addresses.dns_tls.first().map(SocketAddr::port);
        designated.https_port = addresses.dns_https.first().map(SocketAddr::port);
    }
    dns_settings.patience_factor = clock.speed().ceil() as u32;
    let anchors = match services.dns_serving.validate {
        true => Some(trust_anchors(services.dns_serving.trust_anchors.as_deref())?),
        false => None,
    };
    dns_settings.trust_anchors = anchors.as_ref().map(|anchors| anchors.as_str().to_owned()).unwrap_or_default();
    let mut dns_engine = dns::Engine::new(dns_settings, seed.wrapping_add(1))?;
    restore(&mut dns_engine, &state, now);
    for name in recovered_names(&leases, now).into_iter().chain(ipv6.names) {
        name.apply(&mut dns_engine, now);
    }
    dhcp_engine.restore_all(leases, now);

    let (commands, commands_receiver) = mpsc::channel(COMMANDS_MAX);
    let mut random = ChaCha12Rng::seed_from_u64(seed.wrapping_add(3));
    let (probe, probes) =
        ProbeService::new(probe_sockets, commands.clone(), clock.clone(), Arc::clone(&stop), &mut random)?;
    let links = sockets.direct.iter().map(|&(_, interface)| interface).collect();
    let rogue = RogueWatch::new(links, commands.clone(), clock.clone(), Arc::clone(&stop), random);
    let channels = DhcpChannels { names, commands: commands_receiver, events: events.clone(), probes };
    let desk = Arc::new(AlertDesk::open(Arc::clone(&state), now));
    let dhcp = DhcpService::new(dhcp_engine, journal, sockets.dhcp, clock.clone(), channels, Arc::clone(&stop))?;
    let dns_view = Arc::new(Mutex::new(DnsView::default()));
    let dns = DnsService {
        engine: dns_engine,
        sockets: sockets.dns,
        certificate: services.dns_serving.certificate.clone().map(ServerTls::load).transpose()?.map(Arc::new),
        trust: ClientTls::load(services.dns_serving.trust.as_deref())?,
        anchors,
        upstreams: services.dns_serving.upstreams.clone(),
        clock: clock.clone(),
        names: names_receiver,
        view: Arc::clone(&dns_view),
        state: Arc::clone(&state),
        stop: Arc::clone(&stop),
    };
    let (dns_threads, dns_engine) = dns.threads()?;
    let hands = AlertHands { desk: Arc::clone(&desk), clock: clock.clone() };
    let control = Control {
        commands,
        commands6,
        events,
        reloader: reloader.map(Arc::new),
        dns: dns_engine,
        alerts: hands.clone(),
    };
    let (queue, batches) = sync_channel::<Batch>(QUEUE_BATCHES_MAX);
    let log_view = Arc::new(Mutex::new(LogView::default()));
    let watched = services.watch.places.keys().cloned();
    let signs = Arc::new(Mutex::new(LineSigns::new(watched, services.watch.links.iter().cloned())));
    let writer = LogWriter::new(
        telemetry,
        seed.wrapping_add(4),
        batches,
        clock.clone(),
        Arc::clone(&signs),
        Arc::clone(&log_view),
    );
    let log_places = Arc::new(Places::new(services.log_intake.connections_max as usize));
    let intake = Intake {
        clock: clock.clone(),
        context: Arc::new(services.syslog),
        queue: queue.clone(),
        counters,
        stop: Arc::clone(&stop),
    };
    let watch_view = Arc::new(Mutex::new(WatchView::default()));
    let mut echoes = services.watch.ping.clone();
    for target in &mut echoes.targets {
        target.was_seen = desk.beside().devices_seen.contains(&target.device);
    }
    let agent_views = SnmpView::default();
    let traps = SharedTraps::default();
    let snmp = SnmpService::open(
        services.watch.snmp.clone(),
        &clock,
        Arc::clone(&agent_views),
        Arc::clone(&traps),
        Arc::clone(&stop),
    );
    let site = services.watch.snmp.as_ref().map(|snmp| snmp.site.clone()).unwrap_or_default();
    let planned = services.watch.snmp.as_ref().map_or_else(PlannedPorts::default, |snmp| PlannedPorts {
        speeds_mbps: snmp.speeds_mbps.clone(),
        interval: snmp.interval,
    });
    let ping = PingService::open(echoes, &clock, seed, Arc::clone(&watch_view), Arc::clone(&stop));
    let (sender, snapshots) = watch::channel(Arc::new(services.snapshot.clone()));
    // A rehearsal's figures and lines are nobody else's.
    let fed = if matches!(clock, Clock::Wall) { services.feeds } else { generate::FeedSettings::default() };
    let (feed_views, feed_threads) = feeds::open(&fed, &state, &snapshots, &stop)?;
    let flows = FlowService::new(services.flows, sockets.flows, &clock, &stop)?;
    let views = Views {
        dhcp: Arc::clone(&dhcp.view),
        dns: dns_view,
        log: log_view,
        intake: Arc::clone(&intake.counters),
        log_places: Arc::clone(&log_places),
        ipv6: ipv6.views,
        probe: Arc::clone(&probe.view),
        rogue: rogue.view.clone(),
        watch: watch_view,
        agents: agent_views,
        traps,
        planned: Arc::new(planned.clone()),
        feeds: feed_views,
        flows: flows.as_ref().map(FlowService::view),
    };
    let WatchSettings { topology, places, rules, outlets, duties, tunnels, .. } = services.watch;
    let roster = Roster::new(duties);
    let devices = DeviceConditions { topology, places, tunnels };
    let watched = PlannedWatch { rules, devices, ports: planned, roster: roster.clone(), site };
    let incidents = IncidentBook::new(Some(book), desk, watched, signs);
    // A rehearsal's alerts wake nobody.
    let is_rehearsal = matches!(clock, Clock::Rehearsal { .. });
    let outlets = if is_rehearsal { Vec::new() } else { outlets };
    let (outlets, outlet_threads) = Outlets::open(&outlets, &services.event_name, roster, &stop);
    let shown = PlannedPage { skeleton: services.snapshot, talks: services.talks };
    let mut publisher = Publisher::new(views, clock, shown, queue, incidents, outlets, sender, page);
    publisher.tick(false);

    let mut threads = Vec::new();
    let mut spawn = |name: &'static str, work: Box<dyn FnOnce() -> io::Result<()> + Send>| -> io::Result<()> {
        let (failed, stop) = (Arc::clone(&failed), Arc::clone(&stop));
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let result = work();
            if let Err(error) = &result {
                tracing::error!(%error, service = name, "a service has ended");
            }
            if !stop.load(Ordering::Relaxed) {
                failed.store(true, Ordering::Relaxed);
            }
            result
        })?;
        threads.push((name, thread));
        Ok(())
    };
    spawn("dhcp", Box::new(move || dhcp.run()))?;
    spawn("dhcp-probe", Box::new(move || probe.run()))?;
    spawn("dhcp-rogue", Box::new(move || rogue.run()))?;
    if let Some(dhcp6) = ipv6.dhcp {
        spawn("dhcp6", Box::new(move || dhcp6.run()))?;
    }
    if let Some(ra) = ipv6.ra {
        spawn("ra", Box::new(move || ra.run()))?;
    }
    for (name, work) in dns_threads {
        spawn(name, work)?;
    }
    for socket in sockets.syslog_udp {
        let intake = intake.clone();
        spawn("syslog-udp", Box::new(move || intake.run_udp(socket)))?;
    }
    for thread in 0..stream_threads() {
        let streams = StreamIntake {
            intake: intake.clone(),
            tcp: sockets.syslog_tcp.iter().map(TcpListener::try_clone).collect::<io::Result<_>>()?,
            tls: sockets.syslog_tls.iter().map(TcpListener::try_clone).collect::<io::Result<_>>()?,
            certificate: log_tls.clone(),
            renews: thread == 0,
            places: Arc::clone(&log_places),
        };
        spawn("syslog-streams", Box::new(move || streams.run()))?;
    }
    drop(intake);
    for outlet in outlet_threads {
        spawn(
            "outlet",
            Box::new(move || {
                outlet.run();
                Ok(())
            }),
        )?;
    }
    for (name, run) in feed_threads {
        spawn(
            name,
            Box::new(move || {
                run();
                Ok(())
            }),
        )?;
    }
    if let Some(flows) = flows {
        spawn("flows", Box::new(move || flows.run()))?;
    }
    if let Some(ping) = ping {
        spawn("watch-ping", Box::new(move || ping.run()))?;
    }
    if let Some(snmp) = snmp {
        spawn("watch-snmp", Box::new(move || snmp.run()))?;
    }
    let publisher_stop = Arc::clone(&stop);
    spawn(
        "publisher",
        Box::new(move || {
            let mut ticks: u32 = 0;
            while !publisher_stop.load(Ordering::Relaxed) {
                thread::park_timeout(snapshot_interval);
                ticks = ticks.wrapping_add(1);
                publisher.tick(ticks.is_multiple_of(snapshots_per_sample.max(1)));
            }
            publisher.tick(true);
            Ok(())
        }),
    )?;
    let writer = thread::Builder::new().name("log-writer".to_owned()).spawn(move || writer.run())?;

    let routes = routes(snapshots.clone(), hands);
    let connections = http_service::connections();
    for listener in sockets.http {
        listener.set_nonblocking(true)?;
        let (routes, connections) = (routes.clone(), Arc::clone(&connections));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            http_service::serve(listener, routes, connections).await;
            io::Result::Ok(())
        });
    }
    let control_socket = control::bind(&path)?;
    let serving = control.clone();
    runtime.spawn(async move { serving.serve(control_socket).await });
    Ok(Running { addresses, recovered, control, snapshots, stop, failed, runtime, threads, writer, _state: state })
}

/// What a plan may ask for, and these services cannot do.
fn say_what_is_not_served(services: &ServiceSettings, probes: &ProbeSockets) {
    if !services.dhcp.probe.wait.is_zero() && !probes.can_probe() {
        tracing::warn!("`dhcp.conflict_probe` has no effect: ARP and ICMP need `CAP_NET_RAW`");
    }
}

/// An offer waits for a client on the other side of a socket, so it waits in wall time. A rehearsal's nights are skipped
/// on purpose; only a real clock is set by somebody.
fn adjustment(clock: &Clock, direct: &[(SubnetId, u32)], can_probe: bool) -> Adjustment {
    let mut interfaces: BTreeMap<SubnetId, Vec<u32>> = BTreeMap::new();
    for &(subnet, interface) in direct {
        interfaces.entry(subnet).or_default().push(interface);
    }
    let is_clock_steady = matches!(clock, Clock::Rehearsal { .. });
    Adjustment { interfaces, speed: clock.speed(), is_clock_steady, can_probe }
}

/// What telemetry ever has on disk, files being written included, stays below `bytes_max` and `files_max`; of a small
/// budget the ring gets less.
fn telemetry_limits(bytes_max: u64, files_max: u64) -> Limits {
    let mut limits = Limits { sealed_bytes_max: 0, sealed_files_max: 0, ..Limits::default() };
    limits.segment_bytes = (bytes_max / 32).clamp(1 << 20, limits.segment_bytes);
    while limits.segments_max > 2 && limits.bytes_max() > bytes_max / 4 {
        limits.segments_max -= 1;
    }
    limits.sealed_bytes_max = bytes_max.saturating_sub(limits.bytes_max());
    limits.sealed_files_max = usize::try_from(files_max.saturating_sub(limits.files_max())).unwrap_or(usize::MAX);
    limits
}

/// Every socket, bound.
struct Sockets {
    dhcp: Vec<BatchSocket>,
    dns: DnsSockets,
    syslog_udp: Vec<BatchSocket>,
    syslog_tcp: Vec<TcpListener>,
    syslog_tls: Vec<TcpListener>,
    flows: Vec<BatchSocket>,
    http: Vec<TcpListener>,
    /// Which interface serves which subnet directly.
    direct: Vec<(SubnetId, u32)>,
}

impl Sockets {
    fn bind(listen: &Listen, services: &ServiceSettings, counters: &IntakeCounters) -> Result<Self, StartError> {
        let mut direct = Vec::new();
        let mut interfaces = BTreeMap::new();
        for (subnet, name) in &services.direct_interfaces {
            let Some(name) = name else { continue };
            let index = nix::net::if_::if_nametoindex(name.as_str())
                .map_err(|_| StartError::NoInterface { name: name.clone() })?;
            interfaces.insert(name.clone(), index);
            direct.push((*subnet, index));
        }
        let mut sockets = Self {
            dhcp: Vec::new(),
            dns: DnsSockets::new(thread_count()),
            syslog_udp: Vec::new(),
            syslog_tcp: Vec::new(),
            syslog_tls: Vec::new(),
            flows: Vec::new(),
            http: Vec::new(),
            direct,
        };
        for &address in &listen.dhcp {
            let socket = BatchSocket::bind(address, None)
                .map_err(|error| StartError::refused("DHCP", "dhcp", address, error))?;
            sockets.dhcp.push(socket);
        }
        for &address in &listen.dns {
            sockets.dns.bind(address).map_err(|error| StartError::refused("DNS", "dns", address, error))?;
        }
        for &address in &listen.dns_tls {
            sockets
                .dns
                .bind_tls(address)
                .map_err(|error| StartError::refused("DNS over TLS", "dns-tls", address, error))?;
        }
        for &address in &listen.dns_https {
            sockets
                .dns
                .bind_https(address)
                .map_err(|error| StartError::refused("DNS over HTTPS", "dns-https", address, error))?;
        }
        for &address in &listen.syslog {
            let refuse = |error| StartError::refused("syslog", "syslog", address, error);
            let tcp = bind_stream(address).map_err(refuse)?;
            let same = tcp.local_addr()?;
            sockets.syslog_udp.push(bind_datagrams(same, counters).map_err(refuse)?);
            sockets.syslog_tcp.push(tcp);
        }
        for &address in &listen.syslog_tls {
            let refuse = |error| StartError::refused("syslog over TLS", "syslog-tls", address, error);
            sockets.syslog_tls.push(bind_stream(address).map_err(refuse)?);
        }
        for &address in &listen.flows {
            let refuse = |error| StartError::refused("the receiver of flows", "flows", address, error);
            sockets.flows.push(bind_flows(address).map_err(refuse)?);
        }
        for &address in &listen.http {
            sockets.http.push(bind_tcp(address).map_err(|error| StartError::refused("HTTP", "http", address, error))?);
        }
        Ok(sockets)
    }

    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses {
            dhcp: self.dhcp.iter().map(|socket| socket.socket.local_addr()).collect::<io::Result<_>>()?,
            dhcp6: Vec::new(),
            dns: self.dns.addresses.clone(),
            dns_tls: self.dns.tls_addresses.clone(),
            dns_https: self.dns.https_addresses.clone(),
            syslog: self.syslog_tcp.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?,
            syslog_tls: self.syslog_tls.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?,
            flows: self.flows.iter().map(|socket| socket.socket.local_addr()).collect::<io::Result<_>>()?,
            http: self.http.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?,
        })
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}

impl StartError {
    /// Why `address` could not be bound.
    pub(crate) fn refused(service: &'static str, flag: &'static str, address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortTaken { service, flag, address },
            _ => Self::Listen { service, flag, address, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_never_takes_more_than_the_plan_says() {
        for bytes_max in [16 << 20, 17 << 20, 100 << 20, 1 << 30, 4 << 30, 1 << 40] {
            let limits = telemetry_limits(bytes_max, 2_048);
            assert!(limits.bytes_max() <= bytes_max, "{bytes_max}: {limits:?}");
            assert!(limits.sealed_bytes_max >= bytes_max / 4, "{bytes_max}: {limits:?}");
            assert_eq!(limits.files_max(), 2_048);
        }
    }
}
