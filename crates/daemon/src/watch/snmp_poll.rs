//! One poll of an SNMP agent: which tables are walked, and what their columns mean.

use std::collections::BTreeMap;

use async_snmp::{Client, ErrorKind, Oid, UdpHandle, Value};
use watch::{AgentPoll, PORTS_MAX, PortRow, device_text};

/// `sysUpTime.0` (RFC 3418).
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
/// `ifOperStatus` and `ifInErrors` of `ifEntry` (RFC 2863).
const IF_OPER_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 8];
const IF_IN_ERRORS: &[u32] = &[1, 3, 6, 1, 2, 1, 2, 2, 1, 14];
/// Columns of `ifXEntry` (RFC 2863).
const IF_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];
const IF_HC_IN_OCTETS: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6];
const IF_HC_OUT_OCTETS: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 10];
const IF_HIGH_SPEED: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 15];
const IF_DISCONTINUITY: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 19];
/// `dot3StatsDuplexStatus` (RFC 3635).
const DUPLEX: &[u32] = &[1, 3, 6, 1, 2, 1, 10, 7, 2, 1, 19];
const OPER_STATUS_UP: u64 = 1;
const DUPLEX_HALF: u64 = 2;
/// Why there is no poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PollError {
    /// Nobody answered in time.
    Timeout,
    /// What came is no use: wrong credentials, an endless or looping table, another protocol.
    Refused,
}

/// A column of a table, by its identifier, and where its values go.
type Setter = (&'static [u32], fn(&mut PortRow, u64));

type Column = BTreeMap<u32, Value>;

/// Asks for everything. The caller sets the deadline.
pub(super) async fn poll(client: &Client<UdpHandle>) -> Result<AgentPoll, PollError> {
    let up_time = client.get(&Oid::from_slice(SYS_UP_TIME)).await.map_err(|error| kind(error.kind()))?;
    let up_ticks = up_time.single().and_then(|varbind| varbind.value.as_u64()).ok_or(PollError::Refused)?;
    let mut ports: BTreeMap<u32, PortRow> = BTreeMap::new();
    for (index, name) in column(client, IF_NAME).await?.into_iter().take(PORTS_MAX) {
        ports.insert(index, PortRow { name: device_text(name.as_bytes().unwrap_or_default()), ..PortRow::default() });
    }
    let columns: [Setter; 7] = [
        (IF_OPER_STATUS, |port, value| port.is_up = value == OPER_STATUS_UP),
        (IF_HIGH_SPEED, |port, value| port.speed_mbps = u32::try_from(value).unwrap_or(u32::MAX)),
        (IF_HC_IN_OCTETS, |port, value| port.in_octets = Some(value)),
        (IF_HC_OUT_OCTETS, |port, value| port.out_octets = Some(value)),
        (IF_IN_ERRORS, |port, value| port.in_errors = Some(value)),
        (IF_DISCONTINUITY, |port, value| port.discontinuity = value),
        (DUPLEX, |port, value| port.is_half_duplex = value == DUPLEX_HALF),
    ];
    for (oid, set) in columns {
        for (index, value) in column(client, oid).await? {
            // Of another type than the MIB says: as if it were not there.
            if let (Some(port), Some(value)) = (ports.get_mut(&index), value.as_u64()) {
                set(port, value);
            }
        }
    }
    Ok(AgentPoll { up_ticks, ports })
}

/// A column by the last number of its index; empty where the agent has no such table.
async fn column(client: &Client<UdpHandle>, oid: &[u32]) -> Result<Column, PollError> {
    let walk = client.walk(Oid::from_slice(oid)).map_err(|error| kind(error.kind()))?;
    let rows = walk.collect().await.map_err(|error| kind(error.kind()))?;
    Ok(rows.into_iter().filter_map(|row| Some((*row.oid.arcs().last()?, row.value))).collect())
}

fn kind(kind: ErrorKind) -> PollError {
    if kind == ErrorKind::Timeout { PollError::Timeout } else { PollError::Refused }
}
