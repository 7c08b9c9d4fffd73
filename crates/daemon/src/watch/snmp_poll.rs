//! One poll of an SNMP agent: which tables are walked, and what their columns mean.

use std::collections::BTreeMap;

use async_snmp::{Client, ErrorKind, Oid, UdpHandle, Value};
use watch::{AgentPoll, PORTS_MAX, PortRow};

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
/// `pethMainPsePower` and `pethMainPseConsumptionPower` in watts (RFC 3621).
const POE_POWER: &[u32] = &[1, 3, 6, 1, 2, 1, 105, 1, 3, 1, 1, 2];
const POE_CONSUMPTION: &[u32] = &[1, 3, 6, 1, 2, 1, 105, 1, 3, 1, 1, 4];
/// Columns of `entPhySensorEntry` (RFC 3433).
const SENSOR_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 1];
const SENSOR_SCALE: &[u32] = &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 2];
const SENSOR_PRECISION: &[u32] = &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 3];
const SENSOR_VALUE: &[u32] = &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 4];

const OPER_STATUS_UP: u64 = 1;
const DUPLEX_HALF: u64 = 2;
const SENSOR_CELSIUS: u64 = 8;
/// `EntitySensorDataScale` of `units`; each step is a factor of a thousand.
const SCALE_UNITS: i32 = 9;

/// Characters kept of a name.
const NAME_CHARACTERS_MAX: usize = 64;

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
        ports.insert(index, PortRow { name: text(&name), ..PortRow::default() });
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
    let sum = |column: Column| column.values().filter_map(Value::as_u64).map(|watts| watts as f64).sum::<f64>();
    let power = sum(column(client, POE_POWER).await?);
    let poe_watts = if power > 0.0 { Some((sum(column(client, POE_CONSUMPTION).await?), power)) } else { None };
    Ok(AgentPoll { up_ticks, ports, celsius_max: hottest(client).await?, poe_watts })
}

/// The hottest sensor.
async fn hottest(client: &Client<UdpHandle>) -> Result<Option<f64>, PollError> {
    let types = column(client, SENSOR_TYPE).await?;
    if !types.values().any(|kind| kind.as_u64() == Some(SENSOR_CELSIUS)) {
        return Ok(None);
    }
    let (scales, precisions) = (column(client, SENSOR_SCALE).await?, column(client, SENSOR_PRECISION).await?);
    let values = column(client, SENSOR_VALUE).await?;
    let sensors = types.iter().filter(|(_, kind)| kind.as_u64() == Some(SENSOR_CELSIUS));
    let celsius = sensors.filter_map(|(index, _)| {
        celsius(values.get(index)?.as_i32()?, scales.get(index)?.as_i32()?, precisions.get(index)?.as_i32()?)
    });
    Ok(celsius.reduce(f64::max))
}

/// RFC 3433 section 3: the value times its scale, with `precision` decimal places.
fn celsius(value: i32, scale: i32, precision: i32) -> Option<f64> {
    let exponent = scale.checked_sub(SCALE_UNITS)?.checked_mul(3)?.checked_sub(precision)?;
    let celsius = f64::from(value) * 10_f64.powi(exponent);
    // A sensor without a reading often says nonsense.
    (-100.0..=300.0).contains(&celsius).then_some(celsius)
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

/// A name for people: what is no text is replaced, what is no character is left out.
fn text(value: &Value) -> String {
    let octets = value.as_bytes().unwrap_or_default();
    let text = String::from_utf8_lossy(octets);
    text.chars().filter(|character| !character.is_control()).take(NAME_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensors_in_every_scale() {
        for (value, scale, precision, expected) in [
            (45, 9, 0, Some(45.0)),
            (453, 9, 1, Some(45.3)),
            (45_300, 8, 0, Some(45.3)),
            (-5, 9, 0, Some(-5.0)),
            (i32::MAX, 9, 0, None),
            (1, i32::MIN, 0, None),
            (1, 17, i32::MIN, None),
        ] {
            let found = celsius(value, scale, precision);
            assert_eq!(found.map(|celsius| (celsius * 10.0).round() / 10.0), expected, "{value} {scale} {precision}");
        }
    }

    #[test]
    fn names_are_harmless() {
        for (octets, expected) in
            [(&b"Gi1/0/1"[..], "Gi1/0/1"), (b"\x1b[2Jeth0\0\n", "[2Jeth0"), (b"\xff\xfe", "\u{fffd}\u{fffd}")]
        {
            assert_eq!(text(&Value::OctetString(octets.to_vec().into())), expected);
        }
        assert_eq!(text(&Value::Integer(1)), "");
        assert_eq!(text(&Value::OctetString(vec![b'x'; 9_000].into())).len(), NAME_CHARACTERS_MAX);
    }
}
