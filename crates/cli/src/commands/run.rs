//! `hotstage run`.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use daemon::{Clock, ReloadSource, Running, Settings};
use model::Severity;
use tokio::signal::unix::{SignalKind, signal};
use web::{LogDesk, LogRoom};

use crate::{
    Answer,
    args::{PlanArguments, Run},
    commands::{approved, check, logs, page_access},
    output, plan_dir,
};

const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);
const SNAPSHOTS_PER_SAMPLE: u32 = 10;

pub(crate) fn run(arguments: &Run) -> Result<Answer> {
    log_to_stderr(arguments.log_json);
    let Some(plan) = approved(&arguments.plan)? else { return Ok(Answer::Bad) };
    if let Some(site) = &arguments.site {
        let Some(known) = plan.sites.get(site.as_str()) else {
            let names: Vec<_> = plan.sites.keys().map(|site| site.as_str().to_owned()).collect();
            bail!("the plan has no site `{site}`; its sites are {}", names.join(", "));
        };
        if !known.services {
            bail!("no services run at site `{site}`; set `services = true` in `[site.{site}]` or choose another site");
        }
    }
    let services = generate::service_settings(&plan).context("no settings can be made of the plan")?;
    let services = services.in_directory(&arguments.plan.dir);
    let mut listen = services.listen.clone();
    for (default, given) in [
        (&mut listen.dhcp, &arguments.listen_dhcp),
        (&mut listen.dhcp6, &arguments.listen_dhcp6),
        (&mut listen.dns, &arguments.listen_dns),
        (&mut listen.dns_tls, &arguments.listen_dns_tls),
        (&mut listen.dns_https, &arguments.listen_dns_https),
        (&mut listen.syslog, &arguments.listen_syslog),
        (&mut listen.syslog_tls, &arguments.listen_syslog_tls),
        (&mut listen.flows, &arguments.listen_flows),
        (&mut listen.http, &arguments.listen_http),
    ] {
        if !given.is_empty() {
            default.clone_from(given);
        }
    }
    let settings = Settings {
        services,
        listen,
        state: arguments.state.clone(),
        clock: Clock::Wall,
        seed: entropy(),
        snapshot_interval: SNAPSHOT_INTERVAL,
        snapshots_per_sample: SNAPSHOTS_PER_SAMPLE,
        reload: Some(reload_source(arguments.plan.clone())),
    };
    let access = page_access::PageAccess::of(&arguments.state)?;
    let desk = LogDesk::new(arguments.state.clone(), access.key.clone(), rooms(&plan), logs::kind_of);
    let running = daemon::start(settings, |snapshots, hands| {
        let state = web::State::new(snapshots);
        let handle = Arc::new(move |action| hands.handle(action).map(|_| ()));
        web::router(match desk {
            Some(desk) => state.with_logs(desk).with_alerts(handle),
            None => state,
        })
    })?;
    access.save(&arguments.state, &running.addresses.http)?;
    tracing::info!(leases = running.recovered.leases, telemetry = running.recovered.telemetry_records, "recovered");
    let failed = wait_for_end(&running)?;
    let stopped = running.stop().context("the services did not end well")?;
    tracing::info!(log_lines = stopped.log_lines_stored, "stopped");
    if failed {
        bail!("a service has ended though nobody stopped it; the log above says why");
    }
    Ok(Answer::Good)
}

/// The plan directory again, with the same values overridden, if `check` has no error to say about it.
fn reload_source(arguments: PlanArguments) -> ReloadSource {
    Box::new(move || {
        let plan = plan_dir::load(&arguments).map_err(|error| vec![format!("{error:#}")])?;
        let approved = ::check::approve(plan).map_err(|findings| {
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            errors.map(check::sentence).collect::<Vec<_>>()
        })?;
        let services = generate::service_settings(&approved).map_err(|error| vec![error.to_string()])?;
        Ok(services.in_directory(&arguments.dir))
    })
}

/// Rooms with what stands in them; as at the start, a reload does not change them.
fn rooms(plan: &plan::Plan) -> Vec<LogRoom> {
    let devices = |room: &plan::Room| {
        let there = plan.devices.values().filter(|device| device.room.as_ref() == Some(&room.id));
        there.map(|device| device.id.as_str().to_owned()).collect()
    };
    let rooms = plan.rooms.iter();
    rooms
        .map(|room| LogRoom { id: room.id.as_str().to_owned(), name: room.name.clone(), devices: devices(room) })
        .collect()
}

/// A seed that differs at each start, from the operating system's randomness.
pub(crate) fn entropy() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Logs of hotstage itself go to stderr; `HOTSTAGE_LOG` chooses what is said (default `info`).
fn log_to_stderr(as_json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HOTSTAGE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if as_json { builder.json().init() } else { builder.with_ansi(false).init() }
}

/// `ready dhcp=A:P,... dns=... syslog=... http=...`, and `dhcp6=...` where the plan has IPv6.
fn ready_line(running: &Running) -> String {
    let addresses = &running.addresses;
    let join = |list: &[SocketAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut line = format!(
        "ready dhcp={} dns={} syslog={} http={}",
        join(&addresses.dhcp),
        join(&addresses.dns),
        join(&addresses.syslog),
        join(&addresses.http)
    );
    for (service, list) in [
        ("dhcp6", &addresses.dhcp6),
        ("dns_tls", &addresses.dns_tls),
        ("dns_https", &addresses.dns_https),
        ("syslog_tls", &addresses.syslog_tls),
        ("flows", &addresses.flows),
    ] {
        if !list.is_empty() {
            line.push_str(&format!(" {service}={}", join(list)));
        }
    }
    line
}

/// Tells systemd that the services are ready, if it asked to be told (sd_notify(3)).
fn tell_supervisor() {
    use std::os::unix::net::UnixDatagram;
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = UnixDatagram::unbound().and_then(|socket| socket.send_to(b"READY=1", &path));
    if let Err(error) = told {
        tracing::warn!(%error, "the supervisor could not be told that the services are ready");
    }
}

/// Says that the services are ready and waits until SIGTERM, SIGINT, or the end of a service; true for the last.
fn wait_for_end(running: &Running) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        // Said only now, so that a signal right after it finds its handler.
        output::line(&ready_line(running))?;
        tell_supervisor();
        let mut look = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(false),
                _ = interrupt.recv() => return Ok(false),
                _ = hangup.recv() => running.reload(),
                _ = look.tick() => if running.has_failed() { return Ok(true) },
            }
        }
    })
}
