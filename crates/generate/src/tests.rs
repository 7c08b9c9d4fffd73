use std::fmt::Write as _;

use check::approve;
use plan::SourceFile;

use crate::{SecretSource, ServiceSettings, SnmpCredentials, service_settings};

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

/// The commented plan says everything that a plan can say, and the engine takes it.
#[test]
fn everything_that_a_plan_can_say_reaches_the_engine() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../etc/plan.example");
    let read = |name: &&str| {
        let bytes = std::fs::read(directory.join(name)).ok()?;
        Some(SourceFile { name: (*name).to_owned(), bytes })
    };
    let files: Vec<SourceFile> = plan::FILE_NAMES.iter().filter_map(read).collect();
    let plan = plan::load(&files, &[]).unwrap_or_else(|problems| panic!("{problems:?}"));
    let approved = approve(plan).unwrap_or_else(|findings| panic!("{findings:?}"));
    let settings = service_settings(&approved).unwrap();
    let mut text = shown(&settings.dhcp);
    for subnet in &settings.dhcp6.subnets {
        writeln!(
            text,
            "IPv6 {:?} {} {} {:?} pools {:?} excluded {:?} dns {:?} portal {:?} for {:?} and {:?}",
            subnet.id,
            subnet.name,
            subnet.prefix,
            subnet.mode,
            subnet.pools,
            subnet.excluded,
            subnet.name_servers,
            subnet.captive_portal,
            subnet.preferred,
            subnet.valid
        )
        .unwrap();
    }
    for link in &settings.links6 {
        let told = link.advertisement.as_ref();
        let flags = told.map(|told| (told.is_managed, told.has_other, told.prefixes[0].is_autonomous));
        writeln!(text, "link {:?} {:?} M, O, A {flags:?}", link.subnet, link.interface).unwrap();
    }
    insta::assert_snapshot!(text);
    dhcp::Engine::new(settings.dhcp, 1).unwrap_or_else(|error| panic!("{error}"));
    let duid = model::Duid::from_uuid([7; 16]).0.to_vec();
    let dhcp6 = dhcp6::Settings { server_duid: duid, ..settings.dhcp6 };
    dhcp6::Engine::new(dhcp6, 1).unwrap_or_else(|error| panic!("{error}"));
    let interface = |link: &crate::Link6| dhcp6::ra::RaInterface {
        advertisement: link.advertisement.clone(),
        ..dhcp6::ra::RaInterface::new(1)
    };
    let links = dhcp6::ra::RaSettings { interfaces: settings.links6.iter().map(interface).collect() };
    dhcp6::ra::RaEngine::new(links, 1, model::Timestamp::EPOCH).unwrap_or_else(|error| panic!("{error}"));
}

/// What is beyond pools and servers, one line for each thing that says it.
fn shown(settings: &dhcp::Settings) -> String {
    let options = |options: &[dhcp::OptionSetting]| -> String {
        let hex = |data: &[u8]| data.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let one = |option: &dhcp::OptionSetting| {
            format!(" {}={}{}", option.code, hex(&option.data), if option.always { "!" } else { "" })
        };
        options.iter().map(one).collect()
    };
    let mut text = String::new();
    for subnet in &settings.subnets {
        let pools: Vec<String> =
            subnet.pools.iter().map(|pool| format!("{}-{} {:?}", pool.first, pool.last, pool.class)).collect();
        writeln!(text, "subnet {:?} {} pools {pools:?}", subnet.id, subnet.name).unwrap();
        writeln!(
            text,
            "  lease {:?} pressed {:?} rapid {} wait {:?} portal {:?} link {:?} options{}",
            subnet.lease,
            subnet.lease_under_pressure,
            subnet.rapid_commit,
            subnet.ipv6_only_wait,
            subnet.captive_portal,
            subnet.shared_network,
            options(&subnet.options)
        )
        .unwrap();
        for own in &subnet.reservations {
            writeln!(text, "  {:?} {} {:?}{}", own.client, own.address, own.host_name, options(&own.options)).unwrap();
        }
    }
    for class in &settings.classes {
        writeln!(text, "class {} {:?} when {:?}{}", class.name, class.lease, class.when, options(&class.options))
            .unwrap();
    }
    writeln!(
        text,
        "limits {:?} {:?} {:?} {:?} {:?} leasequery {:?}",
        settings.limits.leases_per_circuit,
        settings.limits.offers_per_circuit,
        settings.limits.declines_per_circuit_per_hour,
        settings.limits.leases_per_relay,
        settings.limits.packets_per_source_per_second,
        settings.leasequery_from
    )
    .unwrap();
    text
}

/// What a plan refuses to state is what the server sets itself.
#[test]
fn every_option_that_a_plan_takes_is_one_that_the_engine_takes() {
    let mut refused = Vec::new();
    for code in 1..=254_u8 {
        let options = format!("options = {{ {code} = \"hex:01020304\" }}\n");
        let text =
            PLAN.replace("dhcp = { lease = \"30m\", ", &format!("dhcp = {{ {}, lease = \"30m\", ", options.trim()));
        let files = [SourceFile { name: "event.toml".to_owned(), bytes: text.into_bytes() }];
        match plan::load(&files, &[]) {
            Ok(plan) => {
                let approved = approve(plan).unwrap_or_else(|findings| panic!("{findings:?}"));
                let settings = service_settings(&approved).unwrap();
                assert!(dhcp::Engine::new(settings.dhcp, 1).is_ok(), "option {code}");
            }
            Err(_) => refused.push(code),
        }
    }
    assert_eq!(refused, [1, 12, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 80, 81, 82, 90, 108, 114, 118]);
}

#[test]
fn addresses_are_probed_when_the_plan_says_so() {
    assert!(settings(PLAN).dhcp.probe.wait.is_zero());
    assert!(!settings(&format!("{PLAN}[dhcp]\nconflict_probe = true\n")).dhcp.probe.wait.is_zero());
}

const IPV6: &str = r#"
[vlan.attendee.ipv6]
prefix = "2001:db8:20::/64"
mode = "stateful"
pool = "2001:db8:20::100-2001:db8:20::1ff"
advertise = true
[[vlan.attendee.ipv6.reservations]]
duid = "hex:000102"
address = "2001:db8:20::60"
name = "recorder"
[[vlan.attendee.ipv6.reservations]]
mac = "02:00:5e:00:53:01"
address = "2001:db8:20::61"
[dhcp]
leases_per_circuit = 4
packets_per_source_per_second = 10
"#;

#[test]
fn what_a_plan_says_of_ipv6_reaches_its_engines() {
    let four = settings(PLAN);
    assert_eq!((four.listen.dhcp6.len(), four.links6.len()), (0, 0), "no IPv6, no socket");
    let six = settings(&format!("{PLAN}{IPV6}"));
    assert_eq!(six.listen.dhcp6, ["[::]:547".parse().unwrap()]);
    assert_eq!(six.links6[0].interface.as_deref(), Some("eth0"));
    assert!(six.links6[0].advertisement.as_ref().is_some_and(|told| told.is_managed));
    let subnet = &six.dhcp6.subnets[0];
    let reserved: Vec<_> = subnet.reservations.iter().map(|own| (&own.client, own.address.to_string())).collect();
    let (by_duid, by_mac) = (
        dhcp6::ReservationKey::Duid(vec![0, 1, 2]),
        dhcp6::ReservationKey::Mac(model::Mac([0x02, 0, 0x5e, 0, 0x53, 1])),
    );
    assert_eq!(reserved, [(&by_duid, "2001:db8:20::60".to_owned()), (&by_mac, "2001:db8:20::61".to_owned())]);
    assert_eq!(subnet.reservations[0].host_name.as_ref().map(model::HostName::as_str), Some("recorder"));
    let limits = six.dhcp6.limits;
    assert_eq!((limits.leases_per_circuit, limits.leases_per_relay), (Some(4), None));
    assert_eq!(limits.packets_per_source_per_second, Some(10));
    let pool = six.snapshot.pools.iter().find(|pool| pool.name == "attendee IPv6").expect("shown on the page");
    assert_eq!(pool.size, 256);
    assert!(dhcp6::Engine::new(dhcp6::Settings { server_duid: vec![0, 4, 1], ..six.dhcp6 }, 1).is_ok());
    let restart: Vec<_> = crate::needs_restart(&four, &settings(&format!("{PLAN}{IPV6}")))
        .into_iter()
        .map(|found| format!("{} {} -> {}", found.path, found.was, found.becomes))
        .collect();
    assert_eq!(restart, ["services.listen.dhcp6 none -> [::]:547"]);
}

#[test]
fn a_reload_tells_what_needs_a_restart() {
    let running = settings(PLAN);
    let changed = |from: &str, to: &str| -> Vec<String> {
        assert!(PLAN.contains(from), "{from}");
        let found = crate::needs_restart(&running, &settings(&PLAN.replacen(from, to, 1)));
        found.into_iter().map(|found| format!("{} {} -> {}", found.path, found.was, found.becomes)).collect()
    };
    assert!(changed("lease = \"30m\"", "lease = \"20m\"").is_empty());
    assert!(
        changed(
            "[vlan.management]",
            "[vlan.annex]\nid = 5\nsubnet = \"10.5.0.0/24\"\nkind = \"staff\"\n[vlan.management]"
        )
        .is_empty()
    );
    assert_eq!(changed("id = 20", "id = 21"), ["vlan.attendee.id 20 -> 21"]);
    assert_eq!(changed("interface = \"eth0\"", "interface = \"eth1\""), ["vlan.attendee.dhcp.interface eth0 -> eth1"]);
    assert_eq!(changed("name = \"Small event\"", "name = \"Other event\""), ["event.name Small event -> Other event"]);
    assert_eq!(
        changed("at = \"edge:2\"", "at = \"edge:2\"\nlisten = { dns = \"127.0.0.1:5353\" }"),
        ["services.listen.dns 0.0.0.0:53 -> 127.0.0.1:5353"]
    );
}

#[test]
fn routers_switches_and_access_points_are_asked_by_snmp() {
    assert_eq!(settings(PLAN).watch.snmp, None);
    let asked = |snmp: &str| PLAN.replace("[services]", &format!("[services.watch]\nsnmp = {snmp}\n[services]"));
    let snmp = settings(&asked("{ community = \"env:SNMP\", interval = \"30s\" }")).watch.snmp.unwrap();
    let agents: Vec<&str> = snmp.agents.iter().map(|(device, _)| device.as_str()).collect();
    assert!(agents.contains(&"edge") && agents.contains(&"ap-1") && !agents.contains(&"server"), "{agents:?}");
    assert_eq!(snmp.interval, std::time::Duration::from_secs(30));
    assert_eq!(snmp.credentials, SnmpCredentials::Community(SecretSource::Environment("SNMP".to_owned())));
    assert!(snmp.speeds_mbps.values().all(|mbps| *mbps > 0) && !snmp.speeds_mbps.is_empty());
    // The injector between does not speak: what the access point hangs on is the switch or router behind it.
    let (_, end) = snmp.site.links.iter().find(|(port, _)| port.device.as_str() == "ap-1").unwrap();
    assert_eq!(end.device.as_str(), "edge");
    assert!(snmp.site.devices["ap-1"].is_access_point && !snmp.site.devices.contains_key("poe-1"));
}

#[test]
fn flows_are_those_of_the_plans_devices_in_the_plans_networks() {
    let flows = settings(PLAN).flows;
    let exporters: Vec<_> =
        flows.exporters.iter().map(|exporter| (exporter.device.as_str(), exporter.address.to_string())).collect();
    assert_eq!(exporters, [("ap-1", "10.10.0.11".to_owned()), ("edge", "10.10.0.1".to_owned())]);
    let networks: Vec<_> =
        flows.networks.iter().map(|network| (network.name.as_str(), network.vlan, network.has_clients)).collect();
    assert_eq!(networks, [("attendee", 20, true), ("management", 10, false)]);
    assert_eq!(flows.networks[0].prefixes, ["10.20.0.0/23".parse().unwrap()]);
    assert_eq!(
        (settings(PLAN).listen.flows.len(), flows.allow.len()),
        (0, 0),
        "nobody listens unless the plan says so"
    );

    let stated =
        "[services.flows]\nexporters = \"edge\"\nallow = [\"10.99.0.0/16\"]\nstreamers = [\"ap-1\"]\n[services]";
    let flows = settings(&PLAN.replace("[services]", stated)).flows;
    assert_eq!((flows.exporters.len(), flows.exporters[0].device.as_str()), (1, "edge"));
    assert_eq!(flows.streamers, ["10.10.0.11".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(flows.allow.len(), 1);
    let listening = PLAN.replace("[services]", "[services.listen]\nflows = \"0.0.0.0:2055\"\n[services]");
    let restart = crate::needs_restart(&settings(PLAN), &settings(&listening));
    assert_eq!(restart.iter().map(|found| found.path.as_str()).collect::<Vec<_>>(), ["services.listen.flows"]);
}

#[test]
fn every_planned_address_is_watched_and_knows_its_way_here() {
    let watch = settings(PLAN).watch;
    let targets: Vec<_> =
        watch.ping.targets.iter().map(|target| (target.device.as_str(), target.address.to_string())).collect();
    assert_eq!(targets, [("ap-1", "10.10.0.11".to_owned()), ("edge", "10.10.0.1".to_owned())]);
    let place = &watch.places["ap-1"];
    assert_eq!(place.room.as_ref().map(|room| room.as_str()), Some("hall"));
    assert_eq!(place.port.as_ref().map(ToString::to_string).as_deref(), Some("poe-1:out"));
    let access_point = "ap-1".into();
    let cause = watch.topology.cause(&access_point, |device| device.as_str() == "edge");
    assert_eq!(cause.map(|device| device.as_str()), Some("edge"), "through an injector that has no address");

    let off = PLAN.replace("[services]", "[services.watch]\nping = false\n[services]");
    assert_eq!(settings(&off).watch.ping.targets, []);
}
