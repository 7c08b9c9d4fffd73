use super::*;

const AP_MAC: Mac = Mac([2, 0, 0x5e, 0, 0x53, 1]);

fn port(text: &str) -> PortRef {
    PortRef::parse(text).unwrap()
}

/// sw-1:1 - ap-1:eth0, sw-1:2 - ap-2:eth0, sw-1:24 - core:1; sw-1:3 has nothing.
fn planned() -> PlannedSite {
    let device = |ports: &[&str], last: u8, is_access_point| PlannedDevice {
        address: Some([192, 0, 2, last].into()),
        ports: ports.iter().map(|port| (*port).to_owned()).collect(),
        is_access_point,
        ..PlannedDevice::default()
    };
    let mut devices: BTreeMap<DeviceId, PlannedDevice> = [
        ("sw-1".into(), device(&["Gi1", "Gi2", "Gi3", "Gi24"], 1, false)),
        ("core".into(), device(&["Gi1", "Gi2"], 2, false)),
        ("ap-1".into(), device(&["eth0", "eth1"], 11, true)),
        ("ap-2".into(), device(&["eth0"], 12, true)),
    ]
    .into();
    devices.get_mut("ap-1").unwrap().mac = Some(AP_MAC);
    let links = [("sw-1:Gi1", "ap-1:eth0"), ("sw-1:Gi2", "ap-2:eth0"), ("sw-1:Gi24", "core:Gi1")];
    let both = links.iter().flat_map(|(a, b)| [(port(a), port(b)), (port(b), port(a))]);
    let powered = [port("sw-1:Gi1")].into();
    PlannedSite { devices, links: both.collect(), powered, ..PlannedSite::default() }
}

fn neighbour(at: &str, name: &str, remote: &str) -> Neighbour {
    Neighbour {
        port: at.to_owned(),
        system_name: name.to_owned(),
        remote_ports: vec![remote.to_owned()],
        is_gear: true,
        ..Neighbour::default()
    }
}

fn switch() -> Observed {
    let up = || ObservedPort { is_up: true, ..ObservedPort::default() };
    Observed {
        ports: ["Gi1", "Gi2", "Gi3", "Gi24", "Vlan1"].map(|name| (name.to_owned(), up())).into(),
        has_lldp: true,
        neighbours: vec![
            neighbour("Gi1", "ap-1", "eth0"),
            neighbour("Gi2", "ap-2.example.net", "eth0"),
            neighbour("Gi24", "CORE", "GigabitEthernet1"),
        ],
        ..Observed::default()
    }
}

fn check_with(planned: &PlannedSite, observed: &[(&str, Observed)], answering: &[&str], expected: &[(&str, &str)]) {
    let observed = observed.iter().map(|(device, seen)| ((*device).into(), seen.clone())).collect();
    let answering = answering.iter().map(|device| (*device).into()).collect();
    let watched = planned.devices.keys().cloned().collect();
    let found = drift(planned, &observed, &answering, &watched);
    let found: Vec<(&str, &str)> = found.iter().map(|one| (one.code, one.says.as_str())).collect();
    assert_eq!(found, expected);
}

fn check(change: impl FnOnce(&mut Observed), expected: &[(&str, &str)]) {
    let mut seen = switch();
    change(&mut seen);
    check_with(&planned(), &[("sw-1", seen)], &["sw-1", "core", "ap-1", "ap-2"], expected);
}

#[test]
fn cables_as_planned_are_no_drift() {
    check(|_| {}, &[]);
    // By its address or its MAC address, whatever it calls itself.
    check(
        |seen| {
            seen.neighbours[0].system_name = "AP00ab".to_owned();
            seen.neighbours[0].addresses = vec![[192, 0, 2, 11].into()];
        },
        &[],
    );
    check(|seen| (seen.neighbours[0].system_name, seen.neighbours[0].mac) = (String::new(), Some(AP_MAC)), &[]);
    // A port that tells its MAC address or a name of its own is not compared.
    check(|seen| seen.neighbours[0].remote_ports = vec!["wan".to_owned()], &[]);
    check(|seen| seen.neighbours[0].remote_ports.clear(), &[]);
    // Laptops that speak LLDP are no gear.
    check(|seen| seen.neighbours.push(Neighbour { is_gear: false, ..neighbour("Gi3", "laptop", "en0") }), &[]);
    check(|seen| *seen = Observed::default(), &[]);
}

#[test]
fn a_port_that_the_plan_does_not_name_is_not_judged() {
    let mut planned = planned();
    planned.guessed = [port("core:Gi1")].into();
    let mut seen = switch();
    seen.neighbours[2].remote_ports = vec!["Gi2".to_owned()];
    let core = Observed { neighbours: vec![neighbour("Gi2", "sw-1", "Gi24")], ..switch() };
    check_with(&planned, &[("sw-1", seen), ("core", core)], &["sw-1", "core", "ap-1", "ap-2"], &[]);
}

#[test]
fn wrong_port_wrong_box_missing_and_unexpected() {
    check(
        |seen| seen.neighbours[0].remote_ports = vec!["eth1".to_owned()],
        &[("cable-wrong-port", "the cable of sw-1:Gi1 ends in ap-1:eth1, planned ap-1:eth0")],
    );
    check(
        |seen| {
            seen.neighbours[0].port = "Gi2".to_owned();
            seen.neighbours[1].port = "Gi1".to_owned();
        },
        &[
            ("cable-wrong-box", "sw-1:Gi1 leads to ap-2, planned ap-1:eth0"),
            ("cable-wrong-box", "sw-1:Gi2 leads to ap-1, planned ap-2:eth0"),
        ],
    );
    check(
        |seen| {
            seen.neighbours[0].port = "Gi3".to_owned();
            seen.ports.get_mut("Gi1").unwrap().is_up = false;
        },
        &[("cable-wrong-port", "ap-1 is plugged into sw-1:Gi3, planned sw-1:Gi1")],
    );
    check(
        |seen| seen.neighbours[0] = neighbour("Gi1", "own-router", "lan1"),
        &[("cable-wrong-box", "sw-1:Gi1 leads to \"own-router\", planned ap-1:eth0")],
    );
    check(
        |seen| seen.neighbours.push(neighbour("Gi3", "", "lan1")),
        &[("neighbour-unexpected", "a device without a name is plugged into sw-1:Gi3, where the plan has nothing")],
    );
    check(|seen| seen.ports.get_mut("Gi24").unwrap().is_up = false, &[]);
    check(
        |seen| {
            seen.neighbours.pop();
            seen.ports.get_mut("Gi24").unwrap().is_up = false;
        },
        &[("link-missing", "sw-1:Gi24 has no link; core:Gi1 is planned there")],
    );
}

#[test]
fn a_neighbour_is_missed_only_where_both_ends_speak_lldp() {
    let mut seen = switch();
    seen.neighbours.pop();
    let all = ["sw-1", "core", "ap-1", "ap-2"];
    check_with(&planned(), &[("sw-1", seen.clone())], &all, &[]);
    let core = Observed { has_lldp: true, ..Observed::default() };
    let missing = ("neighbour-missing", "sw-1:Gi24 has a link and does not hear core:Gi1, which is planned there");
    check_with(&planned(), &[("sw-1", seen.clone()), ("core", core.clone())], &all, &[missing]);
    check_with(&planned(), &[("sw-1", seen), ("core", core)], &["sw-1", "ap-1", "ap-2"], &[]);
}

#[test]
fn an_access_point_without_its_cable_is_on_the_air() {
    let quiet = |seen: &mut Observed| {
        seen.neighbours.remove(0);
    };
    let dark = |seen: &mut Observed| seen.ports.get_mut("Gi1").unwrap().is_up = false;
    let says = "ap-1 answers, but not through sw-1:Gi1, where it is planned: it seems to be linked by radio";
    let wireless = ("access-point-wireless-uplink", says);
    check(|seen| (quiet(seen), dark(seen)).0, &[wireless]);
    let over = format!("{says} over ap-2");
    let learned = |at: &str| Arc::new([(AP_MAC, at.to_owned())].into());
    check(|seen| (quiet(seen), seen.stations = learned("Gi2")).0, &[("access-point-wireless-uplink", over.as_str())]);
    check(|seen| (quiet(seen), seen.stations = learned("Gi1")).0, &[]);
    check(
        |seen| (quiet(seen), seen.stations = learned("Gi3")).0,
        &[("cable-wrong-port", "ap-1 is plugged into sw-1:Gi3, planned sw-1:Gi1")],
    );
    // It does not answer: that is told by the one who asks it.
    let mut seen = switch();
    quiet(&mut seen);
    dark(&mut seen);
    check_with(&planned(), &[("sw-1", seen)], &["sw-1", "core", "ap-2"], &[]);
}

#[test]
fn an_address_is_where_no_further_switch_learns_it() {
    let core = Observed { stations: Arc::new([(AP_MAC, "Gi1".to_owned())].into()), ..Observed::default() };
    let access = Observed { stations: Arc::new([(AP_MAC, "Gi3".to_owned())].into()), ..switch() };
    let at = |observed: &[(&str, &Observed)]| {
        let observed = observed.iter().map(|(device, seen)| ((*device).into(), (*seen).clone())).collect();
        locate(&planned(), &observed, AP_MAC)
    };
    assert_eq!(at(&[("core", &core), ("sw-1", &access)]), Some(port("sw-1:Gi3")));
    assert_eq!(at(&[("core", &core), ("sw-1", &switch())]), Some(port("core:Gi1")), "sw-1 learns nothing");
    let twice = Observed { stations: Arc::new([(AP_MAC, "Gi2".to_owned())].into()), ..Observed::default() };
    assert_eq!(at(&[("core", &twice), ("sw-1", &access)]), None, "two places are none");
    assert_eq!(at(&[]), None);
}

#[test]
fn serials_models_vlans_and_power() {
    let mut planned = planned();
    let device = planned.devices.get_mut("sw-1").unwrap();
    (device.serial, device.model) = ("FOC1".to_owned(), "WS-C3560CX".to_owned());
    planned.vlans.insert(port("sw-1:Gi1"), PlannedVlans { untagged: Some(20), tagged: Some([30, 40].into()) });
    let all = ["sw-1", "core", "ap-1", "ap-2"];
    let check = |change: &dyn Fn(&mut Observed), expected: &[(&str, &str)]| {
        let mut seen = switch();
        change(&mut seen);
        check_with(&planned, &[("sw-1", seen)], &all, expected);
    };
    let chassis = |serial: &str, model: &str| vec![(serial.to_owned(), model.to_owned())];
    check(&|seen| seen.chassis = chassis("foc1", "anything"), &[]);
    check(&|seen| seen.chassis = chassis("", "ws c3560cx-8PC-S"), &[]);
    check(
        &|seen| seen.chassis = chassis("FOC2", "WS-C3560CX"),
        &[("device-wrong-serial", "sw-1 has serial number FOC2, the inventory says FOC1")],
    );
    check(
        &|seen| seen.chassis = chassis("", "GS108"),
        &[("device-wrong-model", "sw-1 is a GS108, the inventory says WS-C3560CX")],
    );
    let vlans = |seen: &mut Observed, untagged, tagged: &[u16]| {
        let port = seen.ports.get_mut("Gi1").unwrap();
        (port.untagged, port.tagged) = (Some(untagged), Some(tagged.iter().copied().collect()));
    };
    check(&|seen| vlans(seen, 20, &[30, 40]), &[]);
    check(&|seen| vlans(seen, 1, &[30, 40]), &[("port-wrong-vlan", "sw-1:Gi1 is in VLAN 1, planned 20")]);
    let both =
        "sw-1:Gi1 does not carry the tagged VLANs 40 and carries the tagged VLANs 50, which are not planned there";
    check(&|seen| vlans(seen, 20, &[30, 50]), &[("port-wrong-vlan", both)]);
    let power = |seen: &mut Observed, power| {
        for port in seen.ports.values_mut() {
            port.power = Some(power);
        }
    };
    check(&|seen| power(seen, PortPower::Delivering), &[]);
    check(
        &|seen| power(seen, PortPower::Off),
        &[("poe-missing", "sw-1:Gi1 gives no PoE; ap-1 is planned to live on it")],
    );
    check(
        &|seen| power(seen, PortPower::Fault),
        &[("poe-missing", "sw-1:Gi1 reports a PoE fault; ap-1 is planned to live on it")],
    );
}

#[test]
fn hardware_addresses_are_for_operators_and_findings_are_bounded() {
    let mut seen = switch();
    for number in 0..2_000 {
        let stranger = neighbour(&format!("Gi{}", 100 + number), "", "x");
        seen.neighbours.push(Neighbour { mac: Some(Mac([2, 0, 0, 0, 0, 9])), ..stranger });
    }
    let (observed, none) = ([("sw-1".into(), seen)].into(), BTreeSet::new());
    let found = drift(&planned(), &observed, &none, &none);
    assert_eq!(found.len(), DRIFTS_MAX);
    let one = found.iter().find(|one| one.code == "neighbour-unexpected").unwrap();
    let mac = "02:00:00:00:00:09";
    assert!(!one.says.contains(mac) && !one.remedy.contains(mac) && !one.about.contains(mac));
    assert!(one.remedy_for_operators.as_ref().unwrap().contains(mac));
}
