//! `hotstage leases`.

use anyhow::{Context, Result};
use model::{Lease, LeaseState};
use serde::Serialize;

use crate::{Answer, args::Leases, output};

/// A lease as it is shown.
#[derive(Serialize)]
struct Row {
    address: String,
    state: LeaseState,
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

pub(crate) fn run(arguments: &Leases) -> Result<Answer> {
    let state = &arguments.records.state;
    let (leases, _) =
        store::read_leases(state).with_context(|| format!("the leases in `{}` cannot be read", state.display()))?;
    let rows: Vec<Row> = leases.iter().map(row).filter(|row| is_wanted(row, arguments)).collect();
    let columns = ["address", "state", "mac", "host_name", "circuit", "remote", "starts", "expires"];
    output::records(arguments.records.format, &rows, &columns, |row| {
        [
            &row.address,
            state_name(row.state),
            &row.mac,
            &row.host_name,
            &row.circuit,
            &row.remote,
            &row.starts,
            &row.expires,
        ]
        .map(ToOwned::to_owned)
        .to_vec()
    })?;
    Ok(Answer::Good)
}

fn is_wanted(row: &Row, arguments: &Leases) -> bool {
    let state = arguments.only.as_deref().is_none_or(|only| state_name(row.state) == only);
    let circuit =
        arguments.circuit.as_deref().is_none_or(|text| row.circuit.contains(text) || row.remote.contains(text));
    state && circuit
}

fn state_name(state: LeaseState) -> &'static str {
    match state {
        LeaseState::Bound => "bound",
        LeaseState::Released => "released",
        LeaseState::Declined => "declined",
    }
}

fn row(lease: &Lease) -> Row {
    Row {
        address: lease.address.to_string(),
        state: lease.state,
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

/// Octets as text when they are text, else in hexadecimal.
fn octets(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if text.chars().all(|character| !character.is_control()) => text.to_owned(),
        _ => octets.iter().map(|octet| format!("{octet:02x}")).collect(),
    }
}
