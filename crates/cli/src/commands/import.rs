//! `hotstage import`: another server's configuration as a plan, its leases as ours.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use model::Lease;
use plan::import;
use store::{LeaseJournal, Mode, StateDir};

use crate::{
    Answer,
    args::{Import, ImportSource, PlanArguments},
    commands::{approved, init::refuse_used},
    output,
};

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// Leases made durable together.
const BATCH: usize = 4_096;

pub(crate) fn run(arguments: &Import) -> Result<Answer> {
    match (&arguments.config, &arguments.out, &arguments.leases, &arguments.plan, &arguments.state) {
        (Some(config), Some(out), None, _, _) => configuration(arguments.source, config, out),
        (None, _, Some(leases), Some(plan), Some(state)) => take_leases(arguments.source, leases, plan, state),
        _ => bail!("say what to import: `--config FILE -o DIR`, or `--leases FILE --plan DIR --state DIR`"),
    }
}

fn configuration(source: ImportSource, config: &Path, out: &Path) -> Result<Answer> {
    refuse_used(out)?;
    let text = String::from_utf8(read(config)?).with_context(|| format!("`{}` is not UTF-8", config.display()))?;
    let imported = match source {
        ImportSource::Kea => import::from_kea(&text),
        ImportSource::Dhcpd => import::from_dhcpd(&text),
        ImportSource::Dnsmasq => import::from_dnsmasq(&text),
    };
    let imported = match imported {
        Ok(imported) => imported,
        Err(error) => bail!("`{}` cannot be read: {error}", config.display()),
    };
    fs::create_dir_all(out).with_context(|| format!("`{}` cannot be made", out.display()))?;
    let file = out.join("event.toml");
    fs::write(&file, &imported.event_toml).with_context(|| format!("`{}` cannot be written", file.display()))?;
    tell(&imported.notes, imported.notes_beyond, config);
    output::line(&format!(
        "wrote `{}` with {} subnets; look through it, then run `hotstage check {}`",
        file.display(),
        imported.subnets,
        out.display()
    ))?;
    Ok(Answer::Good)
}

fn take_leases(source: ImportSource, file: &Path, plan: &Path, state: &Path) -> Result<Answer> {
    let Some(plan) = approved(&PlanArguments { dir: plan.to_owned(), set: Vec::new() })? else {
        return Ok(Answer::Bad);
    };
    let bytes = read(file)?;
    let subnet_of = |address| plan.vlan_of(address).map(|vlan| plan.subnet_id(vlan));
    let found = match source {
        ImportSource::Kea => import::leases_from_kea(&bytes, &subnet_of),
        ImportSource::Dhcpd => import::leases_from_dhcpd(&bytes, &subnet_of),
        ImportSource::Dnsmasq => import::leases_from_dnsmasq(&bytes, &subnet_of),
    };
    let dir = StateDir::open(state, &plan.event.name, Mode::Serve)
        .with_context(|| format!("the state directory `{}` cannot be used", state.display()))?;
    let (mut journal, there, _) = LeaseJournal::<Lease>::open(&dir)?;
    let known: std::collections::BTreeSet<_> = there.iter().map(|lease| lease.address).collect();
    // What this server gave itself is newer than anything that another one wrote before.
    let (kept, wanted): (Vec<_>, Vec<_>) = found.leases.iter().partition(|lease| known.contains(&lease.address));
    for batch in wanted.chunks(BATCH) {
        batch.iter().for_each(|lease| journal.append(lease));
        journal.commit().with_context(|| format!("the leases cannot be written to `{}`", state.display()))?;
    }
    tell(&found.notes, found.notes_beyond, file);
    output::line(&format!(
        "took over {} leases, kept {} that are there already, left out {}",
        wanted.len(),
        kept.len(),
        found.skipped
    ))?;
    Ok(Answer::Good)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let length = fs::metadata(path).with_context(|| format!("`{shown}` cannot be read"))?.len();
    if length > FILE_BYTES_MAX {
        bail!("`{shown}` has {length} octets; at most {FILE_BYTES_MAX} are read");
    }
    fs::read(path).with_context(|| format!("`{shown}` cannot be read"))
}

fn tell(notes: &[import::Note], beyond: usize, file: &Path) {
    for note in notes {
        output::note(&format!("{}: {note}", file.display()));
    }
    if beyond > 0 {
        output::note(&format!("{}: {beyond} more notes are not shown", file.display()));
    }
}
