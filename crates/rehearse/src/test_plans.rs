//! Plans that tests share.

use std::{fmt::Write as _, fs, path::Path};

use check::{ApprovedPlan, approve};
use plan::{Plan, SourceFile};

/// Reads a plan from the text of its `event.toml`.
pub(crate) fn plan_of(event: &str) -> Plan {
    load(&[SourceFile { name: "event.toml".to_owned(), bytes: event.as_bytes().to_vec() }])
}

/// The model event, `examples/pyconjp-2019`.
pub(crate) fn model_event() -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pyconjp-2019");
    let file = |name: &&str| {
        let bytes = fs::read(folder.join(name)).ok()?;
        Some(SourceFile { name: (*name).to_owned(), bytes })
    };
    load(&plan::FILE_NAMES.iter().filter_map(file).collect::<Vec<_>>())
}

pub(crate) fn approved(plan: Plan) -> ApprovedPlan {
    approve(plan).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

fn load(files: &[SourceFile]) -> Plan {
    plan::load(files, &[]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// One room, one access point, one day from 10 to 18 h, no timetable.
pub(crate) fn one_room(people: u32, seats: u32, standing: u32, devices_per_person: f64) -> String {
    one_room_with(people, (seats, standing), devices_per_person, "lease = \"30m\", via = \"relay\"")
}

/// The same with what `dhcp` of the attendees' VLAN says.
pub(crate) fn one_room_with(people: u32, (seats, standing): (u32, u32), devices_per_person: f64, dhcp: &str) -> String {
    let mut text = String::from(EVENT);
    writeln!(text, "people = {people}\ndevices_per_person = {devices_per_person:.3}").unwrap();
    writeln!(text, "{ROOM}seats = {seats}\nstanding = {standing}").unwrap();
    writeln!(text, "{NETWORK}dhcp = {{ {dhcp} }}\n{DEVICES}").unwrap();
    text
}

const EVENT: &str = r#"
version = 1
[event]
name = "Small event"
timezone = "Asia/Tokyo"
domain = "small.example"
days = [{ date = "2026-05-16", doors = "10:00", close = "18:00" }]
"#;

const ROOM: &str = r#"
[[room]]
id = "hall"
name = "Hall"
floor = "1F"
"#;

const NETWORK: &str = r#"
[ssid.guest]
name = "SmallEvent"
passphrase = "env:PSK"
vlan = "attendee"
[vlan.attendee]
id = 20
subnet = "10.20.0.0/20"
kind = "attendee"
"#;

const DEVICES: &str = r#"
[uplink.fibre]
device = "edge"
down_mbps = 1000
up_mbps = 300
[device.edge]
model = "generic-router"
room = "hall"
address = "10.20.0.1"
ports = { "1" = { untagged = "attendee" }, "2" = { untagged = "attendee" } }
[device.poe-1]
model = "poe-injector-at"
room = "hall"
connects = "edge:1"
[device.ap-1]
model = "generic-ap-ax"
room = "hall"
address = "10.20.0.3"
connects = "poe-1:out"
channels = { "5GHz" = 36 }
[device.laptop]
model = "generic-server"
room = "hall"
address = "10.20.0.2"
[services]
at = "edge:2"
device = "laptop"
dns.upstreams = ["192.0.2.53"]
"#;
