//! `hotstage leases`: list, watch, take away.

mod filter;

use std::io::{self, Write as _};

use anyhow::{Context, Result};
use daemon::{Clock, ControlAnswer, ControlRequest};
use model::{Lease, Lease6, LeaseChange, LeaseState};
use serde::Serialize;

use crate::{
    Answer,
    args::{Leases, TableFormat},
    commands::{ask_services, hear_services},
    output,
};
use filter::Filter;

/// A lease as it is shown.
#[derive(Serialize)]
struct Row {
    address: String,
    state: LeaseState,
    is_active: bool,
    mac: String,
    client: String,
    host_name: String,
    circuit: String,
    remote: String,
    starts: String,
    expires: String,
    starts_seconds: i64,
    expires_seconds: i64,
}

const COLUMNS: [&str; 8] = ["address", "state", "mac", "host_name", "circuit", "remote", "starts", "expires"];

pub(crate) fn run(arguments: &Leases) -> Result<Answer> {
    if let Some(address) = arguments.release {
        return ask_services(&arguments.records.state, &ControlRequest::ReleaseLease { address });
    }
    let filter = Filter::new(arguments)?;
    if arguments.watch {
        return watch(arguments, &filter);
    }
    let state = &arguments.records.state;
    let unreadable = || format!("the leases in `{}` cannot be read", state.display());
    let (leases, _) = store::read_leases(state).with_context(unreadable)?;
    let (leases6, _) = store::read_leases6(state).with_context(unreadable)?;
    let of_v4 = leases.iter().filter(|lease| !arguments.v6 && filter.wants(lease)).map(row);
    let of_v6 = leases6.iter().filter(|lease| filter.wants6(lease)).map(row6);
    let rows: Vec<Row> = of_v4.chain(of_v6).collect();
    output::records(arguments.records.format, &rows, &COLUMNS, cells)?;
    Ok(Answer::Good)
}

/// One line for each change, JSON lines or CSV rows for programs.
fn watch(arguments: &Leases, filter: &Filter) -> Result<Answer> {
    let format = arguments.records.format;
    if format == TableFormat::Csv {
        output::line(&format!("change,{}", COLUMNS.join(",")))?;
    }
    let mut outcome = Ok(());
    hear_services(&arguments.records.state, &ControlRequest::WatchLeases, |answer| {
        outcome = match answer {
            ControlAnswer::Lease { change, lease } if !arguments.v6 && filter.wants(&lease) => {
                show(format, change, row(&lease))
            }
            ControlAnswer::Lease6 { change, lease } if filter.wants6(&lease) => show(format, change, row6(&lease)),
            ControlAnswer::Lease { .. } | ControlAnswer::Lease6 { .. } => Ok(()),
            ControlAnswer::Missed { count } => {
                output::note(&format!("{count} changes were missed: they came faster than they could be shown"));
                Ok(())
            }
            ControlAnswer::Done { says } | ControlAnswer::Refused { says } => {
                says.iter().for_each(|line| output::note(line));
                Ok(())
            }
        };
        outcome.is_ok()
    })?;
    outcome?;
    output::note("the services have ended");
    Ok(Answer::Good)
}

fn show(format: TableFormat, change: LeaseChange, row: Row) -> Result<()> {
    #[derive(Serialize)]
    struct Changed {
        change: LeaseChange,
        #[serde(flatten)]
        row: Row,
    }
    let name = change.as_str();
    let mut out = io::stdout().lock();
    let written = match format {
        TableFormat::Json => serde_json::to_writer(&mut out, &Changed { change, row })
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
        TableFormat::Csv => {
            let mut writer = csv::WriterBuilder::new().from_writer(vec![]);
            let record = [name.to_owned()].into_iter().chain(cells(&row));
            writer.write_record(record)?;
            out.write_all(&writer.into_inner()?)
        }
        TableFormat::Table => {
            let cells: Vec<String> = cells(&row).iter().map(|cell| output::printable(cell)).collect();
            let [address, state, mac, name_of_host, circuit, remote, starts, expires] = cells.as_slice() else {
                return Ok(());
            };
            let _ = (state, starts);
            writeln!(out, "{name:9} {address:15} {mac:17} until {expires}  {name_of_host} {circuit} {remote}")
        }
    };
    written.and_then(|()| out.flush()).context("stdout cannot be written")
}

fn cells(row: &Row) -> Vec<String> {
    let state = match row.state {
        LeaseState::Bound if !row.is_active => "expired",
        LeaseState::Bound => "bound",
        LeaseState::Released => "released",
        LeaseState::Declined => "declined",
    };
    [&row.address, state, &row.mac, &row.host_name, &row.circuit, &row.remote, &row.starts, &row.expires]
        .map(ToOwned::to_owned)
        .to_vec()
}

fn row(lease: &Lease) -> Row {
    Row {
        address: lease.address.to_string(),
        state: lease.state,
        is_active: lease.is_active(Clock::Wall.now()),
        mac: lease.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        client: format!("{:?}", lease.client),
        host_name: lease.host_name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        circuit: octets(&lease.circuit_id),
        remote: octets(&lease.remote_id),
        starts: lease.starts.to_string(),
        expires: lease.expires.to_string(),
        starts_seconds: lease.starts.as_secs(),
        expires_seconds: lease.expires.as_secs(),
    }
}

/// The same columns for IPv6: the client is its DUID and IAID, circuit and remote are options 18 and 37.
fn row6(lease: &Lease6) -> Row {
    Row {
        address: lease.address.to_string(),
        state: lease.state,
        is_active: lease.is_active(Clock::Wall.now()),
        mac: lease.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        client: format!("{}-{:08x}", lease.duid, lease.iaid),
        host_name: lease.host_name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        circuit: octets(&lease.interface_id),
        remote: octets(&lease.remote_id),
        starts: lease.starts.to_string(),
        expires: lease.expires.to_string(),
        starts_seconds: lease.starts.as_secs(),
        expires_seconds: lease.expires.as_secs(),
    }
}

/// Octets as text when they are text, else in hexadecimal.
fn octets(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if text.chars().all(|character| !character.is_control()) => text.to_owned(),
        _ => octets.iter().map(|octet| format!("{octet:02x}")).collect(),
    }
}
