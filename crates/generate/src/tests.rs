use std::fmt::Write as _;

use check::approve;
use plan::SourceFile;

use crate::{ServiceSettings, service_settings};

const PLAN: &str = r#"
version = 1
[event]
name = "Small event"
timezone = "Asia/Tokyo"
domain = "small.example"
people = 40
days = [{ date = "2026-05-16", doors = "10:00", close = "18:00" }]
[[room]]
id = "hall"
name = "Hall"
floor = "1F"
seats = 40
[ssid.guest]
name = "SmallEvent"
passphrase = "env:PSK"
vlan = "attendee"
[vlan.attendee]
id = 20
subnet = "10.20.0.0/23"
kind = "attendee"
dhcp = { lease = "30m", via = "direct", interface = "eth0" }
[vlan.management]
id = 10
subnet = "10.10.0.0/24"
kind = "management"
pool = ["10.10.0.100-10.10.0.199"]
dhcp = { via = "other:venue" }
[device.edge]
model = "generic-router"
room = "hall"
address = "10.10.0.1"
vlan = "management"
[device.poe-1]
model = "poe-injector-at"
room = "hall"
connects = "edge:1"
[device.ap-1]
model = "generic-ap-ax"
room = "hall"
address = "10.10.0.11"
vlan = "management"
ssids = ["guest"]
connects = "poe-1:out"
channels = { "5GHz" = 36 }
[services]
at = "edge:2"
address = "10.10.0.2"
dns.upstreams = ["192.0.2.53", "198.51.100.53:5353"]
ntp = ["192.0.2.123"]
"#;

fn settings(text: &str) -> ServiceSettings {
    let files = [SourceFile { name: "event.toml".to_owned(), bytes: text.as_bytes().to_vec() }];
    let plan = plan::load(&files, &[]).unwrap_or_else(|problems| panic!("{problems:?}"));
    let approved = approve(plan).unwrap_or_else(|findings| panic!("{findings:?}"));
    service_settings(&approved).unwrap()
}

#[test]
fn settings_of_a_small_event() {
    let settings = settings(PLAN);
    let mut text = String::new();
    for subnet in &settings.dhcp.subnets {
        writeln!(
            text,
            "subnet {} {} pools {:?} gateway {:?} dns {:?} ntp {:?} lease {:?} excluded {:?}",
            subnet.name,
            subnet.prefix,
            subnet.pools,
            subnet.gateway,
            subnet.name_servers,
            subnet.ntp_servers,
            subnet.lease,
            subnet.excluded
        )
        .unwrap();
    }
    writeln!(text, "direct {:?}", settings.direct_interfaces).unwrap();
    for zone in &settings.dns.zones {
        writeln!(text, "zone {} by {}", zone.origin, zone.primary).unwrap();
        for record in &zone.records {
            writeln!(text, "  {} {:?}", record.name, record.data).unwrap();
        }
    }
    writeln!(text, "upstreams {:?}", settings.dns.upstreams).unwrap();
    writeln!(text, "rooms {:?}", settings.snapshot.rooms).unwrap();
    writeln!(text, "access points {:?}", settings.snapshot.access_points).unwrap();
    writeln!(text, "pools {:?}", settings.snapshot.pools).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn the_engines_accept_what_is_generated() {
    let settings = settings(PLAN);
    assert!(dhcp::Engine::new(settings.dhcp, 1).is_ok());
    assert!(dns::Engine::new(settings.dns, 1).is_ok());
}

#[test]
fn the_same_plan_gives_the_same_settings() {
    assert_eq!(format!("{:?}", settings(PLAN).dns), format!("{:?}", settings(PLAN).dns));
    assert_eq!(settings(PLAN).dhcp, settings(PLAN).dhcp);
}
