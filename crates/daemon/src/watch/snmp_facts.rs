//! How an agent's device stands: LLDP, bridge, VLAN, PoE and entity tables, and what vendors measure. Asked less often
//! than ports, because cables and boxes do not change each second.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use async_snmp::{Client, ErrorKind, Oid, UdpHandle, Value};
use model::Mac;
use watch::{
    LldpTables, LocalPortRow, Observed, ObservedPort, PORTS_MAX, PortPower, PortReport, RemoteRow, device_text,
};

use super::snmp_poll::PollError;

/// LLDP-MIB (IEEE 802.1AB-2005): columns of `lldpRemEntry`, `lldpRemManAddrIfSubtype`, columns of `lldpLocPortEntry`.
const LLDP_REMOTE: &[u32] = &[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1];
const LLDP_MANAGEMENT: &[u32] = &[1, 0, 8802, 1, 1, 2, 1, 4, 2, 1, 3];
const LLDP_LOCAL: &[u32] = &[1, 0, 8802, 1, 1, 2, 1, 3, 7, 1];
/// `dot1dBasePortIfIndex` and `dot1dTpFdbPort` (RFC 4188).
const BASE_PORT_IF_INDEX: &[u32] = &[1, 3, 6, 1, 2, 1, 17, 1, 4, 1, 2];
const BRIDGE_FDB_PORT: &[u32] = &[1, 3, 6, 1, 2, 1, 17, 4, 3, 1, 2];
/// `dot1qTpFdbPort`, `dot1qVlanStaticEgressPorts`, `dot1qVlanStaticUntaggedPorts`, `dot1qPvid` (RFC 4363).
const VLAN_FDB_PORT: &[u32] = &[1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 2];
const VLAN_EGRESS: &[u32] = &[1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 3, 1, 2];
const VLAN_UNTAGGED: &[u32] = &[1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 3, 1, 4];
const PVID: &[u32] = &[1, 3, 6, 1, 2, 1, 17, 7, 1, 4, 5, 1, 1];
/// `ifName` (RFC 2863).
const IF_NAME: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1];
/// `pethPsePortDetectionStatus`, `pethMainPsePower` and `pethMainPseConsumptionPower` in watts (RFC 3621).
const POE_STATUS: &[u32] = &[1, 3, 6, 1, 2, 1, 105, 1, 1, 1, 6];
const POE_POWER: &[u32] = &[1, 3, 6, 1, 2, 1, 105, 1, 3, 1, 1, 2];
const POE_CONSUMPTION: &[u32] = &[1, 3, 6, 1, 2, 1, 105, 1, 3, 1, 1, 4];
const POE_DELIVERING: u64 = 3;
const POE_FAULTS: [u64; 2] = [4, 6];
/// `entPhysicalClass`, `entPhysicalSerialNum`, `entPhysicalModelName` (RFC 6933); classes `chassis` and `stack`.
const ENTITY_CLASS: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 5];
const ENTITY_SERIAL: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 11];
const ENTITY_MODEL: &[u32] = &[1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, 13];
const CLASS_CHASSIS: u64 = 3;
/// Columns of `entPhySensorEntry` (RFC 3433).
const SENSOR_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 1];
const SENSOR_SCALE: &[u32] = &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 2];
const SENSOR_PRECISION: &[u32] = &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 3];
const SENSOR_VALUE: &[u32] = &[1, 3, 6, 1, 2, 1, 99, 1, 1, 1, 4];
const SENSOR_CELSIUS: u64 = 8;
/// `EntitySensorDataScale` of `units`; each step is a factor of a thousand.
const SCALE_UNITS: i32 = 9;
/// `hrProcessorLoad`, and of `hrStorageEntry` type, size and use; `hrStorageFixedDisk` (RFC 2790).
const PROCESSOR_LOAD: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2];
const STORAGE_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 2];
const STORAGE_SIZE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 5];
const STORAGE_USED: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 6];
const FIXED_DISK: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1, 4];
/// PICO-SMI of NEC: `picoCelsius`, `picoSchedRtUtl1Min`, `picoHeapUtil`, entries of the NAPT cache by interface.
const NEC: &[u32] = &[1, 3, 6, 1, 4, 1, 119, 2, 3, 84];
const NEC_CELSIUS: &[u32] = &[1, 3, 6, 1, 4, 1, 119, 2, 3, 84, 2, 1, 1];
const NEC_LOAD: &[u32] = &[1, 3, 6, 1, 4, 1, 119, 2, 3, 84, 2, 5, 3];
const NEC_HEAP: &[u32] = &[1, 3, 6, 1, 4, 1, 119, 2, 3, 84, 2, 6, 2];
const NEC_NAPT: &[u32] = &[1, 3, 6, 1, 4, 1, 119, 2, 3, 84, 15, 1, 1, 1, 2];
/// AIRESPACE-WIRELESS-MIB: `bsnAPName` by the access point's address; users and channel use by that and the radio.
const AIRESPACE: &[u32] = &[1, 3, 6, 1, 4, 1, 14179];
const AP_NAME: &[u32] = &[1, 3, 6, 1, 4, 1, 14179, 2, 2, 1, 1, 3];
const RADIO_USERS: &[u32] = &[1, 3, 6, 1, 4, 1, 14179, 2, 2, 2, 1, 15];
const RADIO_USE: &[u32] = &[1, 3, 6, 1, 4, 1, 14179, 2, 2, 13, 1, 3];

/// Rows of one table that are taken, and learned addresses; the rest is passed over.
const ROWS_MAX: usize = 4_096;
const STATIONS_MAX: usize = 16_384;
/// Figures of one agent that are kept; one a line of access points and interfaces.
const FIGURES_MAX: usize = 512;
/// 802.1Q identifiers are 1 to 4094.
const VLAN_ID_MAX: u32 = 4_094;

/// A figure of the agent: its name in [`model::ALERT_METRICS`] or of a sample, what it is of (empty = the device
/// itself), and how much.
pub(crate) type Figure = (&'static str, String, f64);

/// What one look brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) observed: Observed,
    /// Hottest sensor.
    pub(crate) celsius_max: Option<f64>,
    /// Watts drawn and to be had.
    pub(crate) poe_watts: Option<(f64, f64)>,
    pub(crate) figures: Vec<Figure>,
}

/// Asks for everything. `ports` are those of the poll before. The caller sets the deadline.
pub(super) async fn facts(client: &Client<UdpHandle>, ports: &[PortReport]) -> Result<Facts, PollError> {
    let names = table(client, IF_NAME, PORTS_MAX).await?;
    let if_names: BTreeMap<u32, String> =
        names.into_iter().filter_map(|(at, name)| Some((last(&at)?, text(&name)))).collect();
    let base_ports = table(client, BASE_PORT_IF_INDEX, ROWS_MAX).await?;
    let base_ports: BTreeMap<u32, u32> =
        base_ports.into_iter().filter_map(|(at, index)| Some((last(&at)?, index.as_u32()?))).collect();
    let tables = lldp(client, if_names, base_ports).await?;
    let mut observed = Observed {
        ports: ports.iter().map(|port| (port.name.clone(), up(port.is_up))).collect(),
        has_lldp: !tables.local.is_empty() || !tables.remote.is_empty(),
        neighbours: tables.neighbours(),
        chassis: chassis(client).await?,
        stations: Arc::new(stations(client, &tables).await?),
    };
    vlans(client, &tables, &mut observed).await?;
    power(client, &tables, &mut observed).await?;
    let sum = |rows: Rows| rows.values().filter_map(Value::as_u64).map(|watts| watts as f64).sum::<f64>();
    let budget = sum(table(client, POE_POWER, ROWS_MAX).await?);
    let drawn = if budget > 0.0 { sum(table(client, POE_CONSUMPTION, ROWS_MAX).await?) } else { 0.0 };
    let mut celsius_max = hottest(client).await?;
    let mut figures = host(client).await?;
    if celsius_max.is_none() || figures.is_empty() {
        celsius_max = nec(client, &tables.if_names, &mut figures).await?.or(celsius_max);
    }
    figures.extend(controller(client).await?);
    figures.truncate(FIGURES_MAX);
    Ok(Facts { observed, celsius_max, poe_watts: (budget > 0.0).then_some((drawn, budget)), figures })
}

fn up(is_up: bool) -> ObservedPort {
    ObservedPort { is_up, ..ObservedPort::default() }
}

async fn lldp(
    client: &Client<UdpHandle>,
    if_names: BTreeMap<u32, String>,
    base_ports: BTreeMap<u32, u32>,
) -> Result<LldpTables, PollError> {
    let mut tables = LldpTables { if_names, base_ports, ..LldpTables::default() };
    let local: [(u32, Setter<LocalPortRow>); 3] = [
        (2, |row, value| row.subtype = value.as_u32().unwrap_or(0)),
        (3, |row, value| row.id = octets(value)),
        (4, |row, value| row.description = octets(value)),
    ];
    for (number, set) in local {
        for (at, value) in table(client, &column(LLDP_LOCAL, number), ROWS_MAX).await? {
            if let Some(port) = last(&at) {
                set(tables.local.entry(port).or_default(), &value);
            }
        }
    }
    let remote: [(u32, Setter<RemoteRow>); 7] = [
        (4, |row, value| row.chassis_subtype = value.as_u32().unwrap_or(0)),
        (5, |row, value| row.chassis = octets(value)),
        (6, |row, value| row.port_subtype = value.as_u32().unwrap_or(0)),
        (7, |row, value| row.port = octets(value)),
        (8, |row, value| row.port_description = octets(value)),
        (9, |row, value| row.system_name = octets(value)),
        (12, |row, value| row.capabilities = octets(value)),
    ];
    for (number, set) in remote {
        for (at, value) in table(client, &column(LLDP_REMOTE, number), ROWS_MAX).await? {
            // `lldpRemTimeMark` in front tells nothing that is needed.
            if let [_, port, index] = at[..] {
                set(tables.remote.entry((port, index)).or_default(), &value);
            }
        }
        // Nobody is heard: the other columns are as empty.
        if tables.remote.is_empty() {
            return Ok(tables);
        }
    }
    for (at, _) in table(client, LLDP_MANAGEMENT, ROWS_MAX).await? {
        if let [_, port, index, family, _, ref address @ ..] = at[..]
            && let Some(address) = address_of(family, address)
            && let Some(row) = tables.remote.get_mut(&(port, index))
        {
            row.addresses.push(address);
        }
    }
    Ok(tables)
}

/// `lldpRemManAddr` in the index of its row.
fn address_of(family: u32, arcs: &[u32]) -> Option<IpAddr> {
    let octets: Vec<u8> = arcs.iter().map(|arc| u8::try_from(*arc).ok()).collect::<Option<_>>()?;
    match family {
        1 => <[u8; 4]>::try_from(octets).ok().map(|octets| Ipv4Addr::from(octets).into()),
        2 => <[u8; 16]>::try_from(octets).ok().map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

/// The port of a bridge port's number; where the agent lists none, the number is taken for an `ifIndex`.
fn bridge_port(tables: &LldpTables, number: u32) -> Option<&String> {
    let index = if tables.base_ports.is_empty() { number } else { *tables.base_ports.get(&number)? };
    tables.if_names.get(&index)
}

async fn stations(client: &Client<UdpHandle>, tables: &LldpTables) -> Result<BTreeMap<Mac, String>, PollError> {
    let mut rows = table(client, VLAN_FDB_PORT, STATIONS_MAX).await?;
    if rows.is_empty() {
        rows = table(client, BRIDGE_FDB_PORT, STATIONS_MAX).await?;
    }
    let station = |(at, port): (Vec<u32>, Value)| {
        let name = bridge_port(tables, port.as_u32().filter(|port| *port > 0)?)?;
        Some((mac_of(at.get(at.len().checked_sub(6)?..)?)?, name.clone()))
    };
    Ok(rows.into_iter().filter_map(station).collect())
}

fn mac_of(arcs: &[u32]) -> Option<Mac> {
    let octets: Vec<u8> = arcs.iter().map(|arc| u8::try_from(*arc).ok()).collect::<Option<_>>()?;
    octets.try_into().ok().map(Mac)
}

async fn vlans(client: &Client<UdpHandle>, tables: &LldpTables, observed: &mut Observed) -> Result<(), PollError> {
    for (at, vlan) in table(client, PVID, ROWS_MAX).await? {
        let name = last(&at).and_then(|number| bridge_port(tables, number));
        if let Some(port) = name.and_then(|name| observed.ports.get_mut(name)) {
            port.untagged = vlan.as_u32().and_then(|vlan| u16::try_from(vlan).ok());
        }
    }
    let egress = table(client, VLAN_EGRESS, ROWS_MAX).await?;
    if egress.is_empty() {
        return Ok(());
    }
    let mut untagged = table(client, VLAN_UNTAGGED, ROWS_MAX).await?;
    let mut tagged: BTreeMap<u32, BTreeSet<u16>> = BTreeMap::new();
    for (at, members) in egress {
        let Some(vlan) = last(&at).filter(|vlan| (1..=VLAN_ID_MAX).contains(vlan)) else { continue };
        let without = untagged.remove(&at).map(|list| members_of(&list)).unwrap_or_default();
        for port in members_of(&members).difference(&without) {
            tagged.entry(*port).or_default().extend(u16::try_from(vlan));
        }
    }
    let numbers: Vec<u32> = tables.base_ports.keys().copied().collect();
    for number in numbers {
        let name = bridge_port(tables, number);
        if let Some(port) = name.and_then(|name| observed.ports.get_mut(name)) {
            port.tagged = Some(tagged.remove(&number).unwrap_or_default());
        }
    }
    Ok(())
}

/// `PortList` of RFC 4363: the highest bit of the first octet is port 1.
fn members_of(list: &Value) -> BTreeSet<u32> {
    let bits = octets(list).into_iter().take(PORTS_MAX / 8).enumerate();
    let ports = bits.flat_map(|(octet, bits)| {
        (0..8).filter(move |bit| bits & (0x80 >> bit) != 0).map(move |bit| octet as u32 * 8 + bit + 1)
    });
    ports.collect()
}

async fn power(client: &Client<UdpHandle>, tables: &LldpTables, observed: &mut Observed) -> Result<(), PollError> {
    for (at, status) in table(client, POE_STATUS, ROWS_MAX).await? {
        let name = last(&at).and_then(|number| bridge_port(tables, number));
        if let Some(port) = name.and_then(|name| observed.ports.get_mut(name)) {
            port.power = status.as_u64().map(|status| match status {
                POE_DELIVERING => PortPower::Delivering,
                status if POE_FAULTS.contains(&status) => PortPower::Fault,
                _ => PortPower::Off,
            });
        }
    }
    Ok(())
}

async fn chassis(client: &Client<UdpHandle>) -> Result<Vec<(String, String)>, PollError> {
    let classes = table(client, ENTITY_CLASS, ROWS_MAX).await?;
    if classes.is_empty() {
        return Ok(Vec::new());
    }
    let (serials, models) =
        (table(client, ENTITY_SERIAL, ROWS_MAX).await?, table(client, ENTITY_MODEL, ROWS_MAX).await?);
    let chassis = classes.iter().filter(|(_, class)| class.as_u64() == Some(CLASS_CHASSIS));
    let of = |rows: &Rows, at: &Vec<u32>| rows.get(at).map(text).unwrap_or_default();
    Ok(chassis.map(|(at, _)| (of(&serials, at), of(&models, at))).collect())
}

/// The hottest sensor.
async fn hottest(client: &Client<UdpHandle>) -> Result<Option<f64>, PollError> {
    let types = table(client, SENSOR_TYPE, ROWS_MAX).await?;
    if !types.values().any(|kind| kind.as_u64() == Some(SENSOR_CELSIUS)) {
        return Ok(None);
    }
    let scales = table(client, SENSOR_SCALE, ROWS_MAX).await?;
    let precisions = table(client, SENSOR_PRECISION, ROWS_MAX).await?;
    let values = table(client, SENSOR_VALUE, ROWS_MAX).await?;
    let sensors = types.iter().filter(|(_, kind)| kind.as_u64() == Some(SENSOR_CELSIUS));
    let celsius = sensors.filter_map(|(at, _)| {
        celsius(values.get(at)?.as_i32()?, scales.get(at)?.as_i32()?, precisions.get(at)?.as_i32()?)
    });
    Ok(celsius.reduce(f64::max))
}

/// RFC 3433 section 3: the value times its scale, with `precision` decimal places.
fn celsius(value: i32, scale: i32, precision: i32) -> Option<f64> {
    let exponent = scale.checked_sub(SCALE_UNITS)?.checked_mul(3)?.checked_sub(precision)?;
    plausible(f64::from(value) * 10_f64.powi(exponent))
}

/// A sensor without a reading often says nonsense.
fn plausible(celsius: f64) -> Option<f64> {
    (-100.0..=300.0).contains(&celsius).then_some(celsius)
}

/// Processors and disks of hosts (HOST-RESOURCES-MIB).
async fn host(client: &Client<UdpHandle>) -> Result<Vec<Figure>, PollError> {
    let mut figures = Vec::new();
    let loads = table(client, PROCESSOR_LOAD, ROWS_MAX).await?;
    let loads: Vec<f64> = loads.values().filter_map(percent).collect();
    if !loads.is_empty() {
        figures.push(("cpu_used_percent", String::new(), loads.iter().sum::<f64>() / loads.len() as f64));
    }
    let disk = Oid::from_slice(FIXED_DISK);
    let types = table(client, STORAGE_TYPE, ROWS_MAX).await?;
    if types.values().any(|kind| kind.as_oid() == Some(&disk)) {
        let (sizes, used) =
            (table(client, STORAGE_SIZE, ROWS_MAX).await?, table(client, STORAGE_USED, ROWS_MAX).await?);
        let disks = types.iter().filter(|(_, kind)| kind.as_oid() == Some(&disk)).filter_map(|(at, _)| {
            let size = sizes.get(at)?.as_u64().filter(|size| *size > 0)?;
            Some(used.get(at)?.as_u64()? as f64 * 100.0 / size as f64)
        });
        figures.extend(disks.reduce(f64::max).map(|fullest| ("storage_used_percent", String::new(), fullest)));
    }
    Ok(figures)
}

/// NEC UNIVERGE IX; its temperature.
async fn nec(
    client: &Client<UdpHandle>,
    if_names: &BTreeMap<u32, String>,
    figures: &mut Vec<Figure>,
) -> Result<Option<f64>, PollError> {
    if !has(client, NEC).await? {
        return Ok(None);
    }
    let celsius = table(client, NEC_CELSIUS, ROWS_MAX).await?;
    let celsius = celsius.values().filter_map(Value::as_i32).filter_map(|value| plausible(f64::from(value)));
    for (metric, oid) in [("cpu_used_percent", NEC_LOAD), ("memory_used_percent", NEC_HEAP)] {
        let most = table(client, oid, ROWS_MAX).await?.values().filter_map(percent).reduce(f64::max);
        figures.extend(most.map(|most| (metric, String::new(), most)));
    }
    for (at, entries) in table(client, NEC_NAPT, ROWS_MAX).await? {
        let name = last(&at).and_then(|index| if_names.get(&index));
        figures
            .extend(name.zip(entries.as_u64()).map(|(name, entries)| ("napt_entries", name.clone(), entries as f64)));
    }
    Ok(celsius.reduce(f64::max))
}

/// Access points of a Cisco controller, by the names that it has for them: the busiest radio, and stations of all.
async fn controller(client: &Client<UdpHandle>) -> Result<Vec<Figure>, PollError> {
    if !has(client, AIRESPACE).await? {
        return Ok(Vec::new());
    }
    let names = table(client, AP_NAME, ROWS_MAX).await?;
    let (users, uses) = (table(client, RADIO_USERS, ROWS_MAX).await?, table(client, RADIO_USE, ROWS_MAX).await?);
    let mut figures = Vec::new();
    for (address, name) in &names {
        let radios = |rows: &Rows| -> Vec<f64> {
            let of_this = rows.iter().filter(|(at, _)| at.len() == address.len() + 1 && at.starts_with(address));
            of_this.filter_map(|(_, value)| value.as_u64()).map(|value| value as f64).collect()
        };
        let (users, uses) = (radios(&users), radios(&uses));
        if !users.is_empty() {
            figures.push(("radio_stations", text(name), users.iter().sum()));
        }
        let busiest = uses.into_iter().filter(|percent| *percent <= 100.0).reduce(f64::max);
        figures.extend(busiest.map(|percent| ("airtime_used_percent", text(name), percent)));
    }
    Ok(figures)
}

fn percent(value: &Value) -> Option<f64> {
    value.as_u64().filter(|percent| *percent <= 100).map(|percent| percent as f64)
}

/// Where the values of a column go.
type Setter<Row> = fn(&mut Row, &Value);

/// Rows by the rest of their identifier.
type Rows = BTreeMap<Vec<u32>, Value>;

fn column(entry: &[u32], number: u32) -> Vec<u32> {
    [entry, &[number]].concat()
}

fn last(at: &[u32]) -> Option<u32> {
    at.last().copied()
}

fn octets(value: &Value) -> Vec<u8> {
    value.as_bytes().unwrap_or_default().to_vec()
}

fn text(value: &Value) -> String {
    device_text(value.as_bytes().unwrap_or_default())
}

/// True when the agent has anything below `oid`.
async fn has(client: &Client<UdpHandle>, oid: &[u32]) -> Result<bool, PollError> {
    Ok(!table(client, oid, 1).await?.is_empty())
}

/// At most `rows_max` rows below `oid`; none where the agent has no such table. A table that goes round in circles or is
/// broken is as far as it went: it must not hide the others.
async fn table(client: &Client<UdpHandle>, oid: &[u32], rows_max: usize) -> Result<Rows, PollError> {
    let base = Oid::from_slice(oid);
    let mut rows = Rows::new();
    let Ok(mut walk) = client.walk(base) else { return Ok(rows) };
    while rows.len() < rows_max {
        match walk.next().await {
            Some(Ok(row)) => {
                let Some(at) = row.oid.arcs().strip_prefix(oid) else { break };
                rows.insert(at.to_vec(), row.value);
            }
            Some(Err(error)) if error.kind() == ErrorKind::Timeout => return Err(PollError::Timeout),
            Some(Err(_)) | None => break,
        }
    }
    Ok(rows)
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
    fn lists_of_ports_and_indexes_of_any_length() {
        let list =
            |octets: &[u8]| members_of(&Value::OctetString(octets.to_vec().into())).into_iter().collect::<Vec<_>>();
        assert_eq!(list(&[0x81, 0x40]), [1, 8, 10]);
        assert!(list(&[]).is_empty() && members_of(&Value::Integer(1)).is_empty());
        assert_eq!(list(&[0xff; 9_000]).len(), PORTS_MAX);
        assert_eq!(mac_of(&[2, 0, 94, 0, 83, 1]), Some(Mac([2, 0, 0x5e, 0, 0x53, 1])));
        assert_eq!((mac_of(&[2, 0, 94, 0, 83]), mac_of(&[256, 0, 94, 0, 83, 1])), (None, None));
        assert_eq!(address_of(1, &[192, 0, 2, 1]), Some([192, 0, 2, 1].into()));
        assert_eq!((address_of(1, &[192, 0, 2]), address_of(6, &[1, 2])), (None, None));
    }
}
