//! The live rehearsal: services, crowd and a make-believe internet in one process, on loopback, time compressed.

mod ledger;
mod summary;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use check::ApprovedPlan;
use daemon::{Clock, Running, Settings};
use indicatif::{ProgressBar, ProgressStyle};
use model::{Snapshot, TimeLine};
use rehearse::course::Course;
use replay::{Endpoints, Progress, internet};
use report::RehearsalSummary;
use store::{Mode, StateDir};
use tokio::sync::watch;

use crate::{args::Rehearse, commands::report::SUMMARY, output};

/// Wall time of a rehearsal whose speed is not given.
const LENGTH_DEFAULT: Duration = Duration::from_secs(85);
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(250);
/// Upstreams of the make-believe internet: two, as an event should have.
const UPSTREAMS: usize = 2;
/// The crowd is over; what it sent last is still being taken for at most this long.
const SETTLE_MAX: Duration = Duration::from_secs(5);
/// Nothing new for so long means that everything was taken.
const SETTLED: Duration = Duration::from_millis(600);

/// What came of it.
pub(crate) struct Rehearsal {
    pub(crate) summary: RehearsalSummary,
    pub(crate) state: PathBuf,
    /// True when it was stopped before its end.
    pub(crate) interrupted: bool,
}

/// Plays the event with real packets; the state directory is left behind for the report.
pub(crate) fn run(plan: &ApprovedPlan, arguments: &Rehearse, state: &Path) -> Result<Rehearsal> {
    let options = rehearse::Options { seed: arguments.seed, ..rehearse::Options::default() };
    let course = rehearse::crowd::course(plan, &options);
    let line = time_line(&course, arguments.speed)?;
    let attendees =
        plan.attendee_vlans().next().context("the plan has no VLAN of kind `attendee` for the crowd to join")?;
    let (subnet, network_name) = (attendees.subnet.addr(), network_name(plan));
    let mut services = generate::service_settings(plan).context("no settings can be made of the plan")?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let upstreams =
        runtime.block_on(internet::start(UPSTREAMS)).context("the make-believe internet could not be started")?;
    services.dns.upstreams = upstreams;
    services.dns_serving = generate::DnsServing::default();
    let mut listen = services.listen.clone();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (listen.dhcp, listen.dns, listen.syslog) = (vec![loopback], vec![loopback], vec![loopback]);
    // The crowd speaks IPv4 only, and no link of this machine is the event's.
    listen.dhcp6.clear();
    services.links6.clear();
    (listen.dns_tls, listen.dns_https) = (Vec::new(), Vec::new());
    listen.syslog_tls.clear();
    // Nor does the crowd's gear export flows.
    listen.flows.clear();
    services.log_intake.certificate = None;
    listen.http = vec![arguments.listen_http.unwrap_or(loopback)];

    let clock = Clock::rehearsal(line.clone());
    let Clock::Rehearsal { started, .. } = clock else { bail!("a rehearsal has event time") };
    let settings = Settings {
        services,
        listen,
        state: state.to_owned(),
        clock,
        seed: arguments.seed,
        snapshot_interval: SNAPSHOT_INTERVAL,
        snapshots_per_sample: 1,
        reload: None,
    };
    let running = daemon::start(settings, |snapshots, _| web::router(web::State::new(snapshots)))?;
    say_what_begins(plan, &course, &line, &running);

    let (ledger, ledger_writer) = ledger::start(arguments.ledger.as_deref())?;
    let settings = replay::Settings {
        endpoints: endpoints(&running)?,
        time_line: line.clone(),
        started,
        seed: arguments.seed,
        subnet,
        network_name,
        domain: plan.event.domain.clone(),
        time_zone: plan.event.time_zone.clone(),
        switches: switches(plan),
        dns_queries_per_second_max: arguments.dns_rate_max,
        ledger,
    };
    let played = runtime.block_on(play(&course, settings))?;
    if let Some(writer) = ledger_writer {
        writer.join().unwrap_or_else(|_| bail!("the ledger could not be written"))?;
    }
    let last = runtime.block_on(settled(&running, &played));
    let interrupted = !played.complete;
    let stopped = running.stop().context("the services did not end well")?;
    let seen = summary::Seen {
        event: &plan.event.name,
        course: &course,
        line: &line,
        seed: arguments.seed,
        snapshot: &last,
        log_lines_stored: stopped.log_lines_stored,
    };
    let summary = summary::of(&seen, &played);
    keep(plan, state, &summary)?;
    Ok(Rehearsal { summary, state: state.to_owned(), interrupted })
}

/// Event time of the course, as fast as wished or so that it takes [`LENGTH_DEFAULT`].
fn time_line(course: &Course, speed: Option<f64>) -> Result<TimeLine> {
    let event: Duration = course.spans.iter().map(|(first, last)| last.since(*first)).sum();
    let speed = speed.unwrap_or_else(|| (event.as_secs_f64() / LENGTH_DEFAULT.as_secs_f64()).max(1.0));
    TimeLine::new(course.spans.clone(), speed).with_context(|| {
        format!("`--speed {speed}` is not a factor above 0, or the plan has no day on which anybody comes")
    })
}

fn network_name(plan: &ApprovedPlan) -> String {
    plan.ssids.values().next().map(|ssid| ssid.name.clone()).unwrap_or_default()
}

fn switches(plan: &ApprovedPlan) -> Vec<model::DeviceId> {
    let roles = [plan::Role::Core, plan::Role::Access];
    plan.devices.values().filter(|device| roles.contains(&device.role)).map(|device| device.id.clone()).collect()
}

fn endpoints(running: &Running) -> Result<Endpoints> {
    let addresses = &running.addresses;
    let first = |list: &[SocketAddr]| list.first().copied().context("a service listens nowhere");
    let SocketAddr::V4(dhcp) = first(&addresses.dhcp)? else { bail!("DHCP listens on IPv6 only") };
    let dhcp = SocketAddrV4::new(*dhcp.ip(), dhcp.port());
    let syslog = first(&addresses.syslog)?;
    Ok(Endpoints { dhcp, dns: first(&addresses.dns)?, syslog_udp: syslog, syslog_tcp: syslog })
}

fn say_what_begins(plan: &ApprovedPlan, course: &Course, line: &TimeLine, running: &Running) {
    let page =
        running.addresses.http.first().map(|address| format!("; live page http://{address}/")).unwrap_or_default();
    output::note(&format!(
        "rehearsing {}: {} people with {} devices, {} days at {:.0} times the speed in {:.0} s{page}",
        plan.event.name,
        course.people,
        course.devices.len(),
        line.spans().len(),
        line.speed(),
        line.length().as_secs_f64()
    ));
}

/// Plays the course with a progress bar, until its end or Ctrl-C.
async fn play(course: &Course, settings: replay::Settings) -> Result<replay::Summary> {
    let (progress, mut seen) = watch::channel(Progress::default());
    let (stop, stopped) = watch::channel(false);
    let bar = ProgressBar::new(1_000).with_style(style());
    let show = async {
        while seen.changed().await.is_ok() {
            let now = *seen.borrow_and_update();
            bar.set_position((now.played * 1_000.0) as u64);
            bar.set_message(format!(
                "{} clients, {} so far, {} DHCP exchanges, {} DNS queries, {} log lines",
                now.clients, now.clients_unique, now.exchanges, now.dns_queries, now.log_lines
            ));
        }
        std::future::pending::<()>().await
    };
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.send_replace(true);
        }
        std::future::pending::<()>().await
    };
    let played = tokio::select! {
        played = replay::play(course, settings, progress, stopped) => played?,
        () = show => bail!("the progress bar ended before the rehearsal"),
        () = interrupt => bail!("the rehearsal could not be stopped"),
    };
    bar.finish_and_clear();
    Ok(played)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {percent:>3} % {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Waits until the services have taken everything that was sent, and gives the last snapshot.
async fn settled(running: &Running, played: &replay::Summary) -> Snapshot {
    let sent = played.log_lines_sent_udp + played.log_lines_sent_tcp;
    let mut snapshots = running.snapshots.clone();
    let wait = async {
        let mut before = u64::MAX;
        loop {
            let stored = snapshots.borrow_and_update().rates.log_lines_total;
            if stored >= sent || stored == before {
                return;
            }
            before = stored;
            // Several snapshots without a new line: nothing more will come.
            let quiet = async {
                loop {
                    if snapshots.changed().await.is_err()
                        || snapshots.borrow_and_update().rates.log_lines_total != before
                    {
                        return;
                    }
                }
            };
            if tokio::time::timeout(SETTLED, quiet).await.is_err() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(SETTLE_MAX, wait).await;
    Snapshot::clone(&running.snapshots.borrow())
}

/// Puts the summary beside the state, so that `hotstage report` knows that it was a rehearsal.
fn keep(plan: &ApprovedPlan, state: &Path, summary: &RehearsalSummary) -> Result<()> {
    let dir = StateDir::open(state, &plan.event.name, Mode::Serve)?;
    let json = serde_json::to_vec_pretty(summary)?;
    dir.write_document(SUMMARY, &json).with_context(|| format!("`{}` cannot be written", state.join(SUMMARY).display()))
}

/// Makes the folder of a file or report.
pub(crate) fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("`{}` cannot be made", dir.display()))
}
