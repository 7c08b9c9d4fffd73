//! What `load` says about plans that are wrong: every problem, where it is, and what to do.

use plan::{Override, Plan, Problem, SourceFile, load};

/// A plan that loads: one page.
const EVENT: &str = include_str!("../../../examples/meetup/event.toml");

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.into(), bytes: text.as_bytes().to_vec() }
}

fn with(files: &[(&str, &str)]) -> Result<Plan, Vec<Problem>> {
    let mut all = vec![file("event.toml", EVENT)];
    all.extend(files.iter().map(|(name, text)| file(name, text)));
    load(&all, &[])
}

/// The problems of the one-page plan after some replacements, one per line.
fn check(replacements: &[(&str, &str)]) -> String {
    let mut text = EVENT.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "`{from}` is in the example");
        text = text.replacen(from, to, 1);
    }
    said(load(&[file("event.toml", &text)], &[]))
}

fn said(result: Result<Plan, Vec<Problem>>) -> String {
    match result {
        Ok(_) => String::new(),
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
    }
}

#[test]
fn the_example_loads() {
    let plan = with(&[]).unwrap();
    assert_eq!(plan.event.name, "Kamata meetup");
    assert_eq!(plan.links().len(), 3);
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
}

#[test]
fn all_problems_are_reported_at_once_with_their_place() {
    let said = check(&[
        ("people = 45", "poeple = 45"),
        ("seats = 40", "seats = \"forty\""),
        ("subnet = \"10.10.0.0/23\"", "subnet = \"10.10.0.1/23\""),
        ("vlan = \"guest\"", "vlan = \"gest\""),
        ("model = \"generic-ap-ax\"", "model = \"generic-ap-ay\""),
        ("date = \"2026-05-16\"", "date = \"2026-05-36\""),
        ("connects = \"edge:1\"", "connects = \"egde:1\""),
    ]);
    insta::assert_snapshot!(said);
}

#[test]
fn wrong_types_and_syntax() {
    insta::assert_snapshot!(check(&[("[event]", "[event"), ("people = 45", "people = [")]));
    insta::assert_snapshot!(check(&[("[uplink.fibre]", "[uplink]"), ("[services] ", "[[services]] ")]));
}

#[test]
fn duplicates_name_both_places() {
    insta::assert_snapshot!(check(&[("[ssid.guest]", "[[room]]\nid = \"hall\"\n[ssid.guest]")]));
    let said = said(with(&[(
        "network.toml",
        "[event]\nname = 'x'\n[vlan.guest]\nid = 1\n[vlan.other]\nid=2\nsubnet='10.0.0.0/24'\nkind='staff'",
    )]));
    insta::assert_snapshot!(said);
}

#[test]
fn the_version_must_be_known() {
    insta::assert_snapshot!(check(&[("version = 1", "version = 2")]));
    insta::assert_snapshot!(check(&[("version = 1", "")]));
}

#[test]
fn csv_problems_name_row_and_column() {
    let said = said(with(&[
        ("cables.csv", "label,kind,length_m,form,to\n# laid twice\nC-1,cat6,ten,edge:1,ap-1:eth0\nC-2,cat6,10,,x\n"),
        ("inventory.csv", "tag;kind;mac\nA;ap;02:00:5e:00:53:01\nB;ap;02:00\nC;ap;;;\nD;ap;;;;7\n"),
        ("roster.csv", "who,date,start,end\nHana,2026-05-16,22:00,02:00\nKen,,22:00,23:00\n"),
        (
            "timetable.csv",
            "id,title,room,day,start,end\n1,A,hall,1,19:00,18:00\n2,B,hall,2,19:00,20:00\n3,C,hall,1,7pm,20:00\n",
        ),
        ("inventry.csv", ""),
    ]));
    insta::assert_snapshot!(said);
}

#[test]
fn byte_order_mark_and_windows_line_ends_are_accepted() {
    let crlf = format!("\u{feff}{}", EVENT.replace('\n', "\r\n"));
    let cables = "\u{feff}label,length_m,from,to\r\nC-1,10,edge:1,ap-1:eth0\r\n";
    let plan = load(&[file("event.toml", &crlf), file("cables.csv", cables)], &[]).unwrap();
    assert_eq!(plan.cables.unwrap()[0].at.line, 2);
}

#[test]
fn shift_jis_is_accepted_in_timetables_only() {
    let table = "id,title,room,day,start,end\n1,基調講演,hall,1,19:00,20:00\n";
    let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode(table);
    let sjis = |name: &str| SourceFile { name: name.into(), bytes: bytes.to_vec() };
    let plan = load(&[file("event.toml", EVENT), sjis("timetable.csv")], &[]).unwrap();
    assert_eq!(plan.timetable.unwrap()[0].title, "基調講演");
    assert!(plan.notes[0].says.contains("Shift_JIS"));
    let refused = said(load(&[file("event.toml", EVENT), sjis("roster.csv")], &[]));
    assert!(refused.starts_with("roster.csv:2:3: is not UTF-8; it looks like Shift_JIS"), "{refused}");
}

#[test]
fn huge_and_deep_files_are_refused() {
    let huge = SourceFile { name: "cables.csv".into(), bytes: vec![b'x'; 100 << 20] };
    let refused = said(load(&[file("event.toml", EVENT), huge], &[]));
    assert!(refused.contains("is 104857600 bytes long, more than the 8388608 allowed"), "{refused}");
    let deep = format!("{EVENT}\n[deep]\na = {}1{}\n", "[".repeat(70), "]".repeat(70));
    let refused = said(load(&[file("event.toml", &deep)], &[]));
    assert!(refused.contains("nested"), "{refused}");
    let many = format!("{EVENT}\n[group.ap]\nmodel = \"generic-ap-ax\"\ncount = 999999999\n");
    let refused = said(load(&[file("event.toml", &many)], &[]));
    assert!(refused.contains("more than the 10000 allowed"), "{refused}");
}

#[test]
fn overrides_are_checked_like_the_rest() {
    let set = |texts: &[&str]| {
        let overrides: Vec<Override> = texts.iter().map(|text| Override::parse(text).unwrap()).collect();
        let cables = "label,length_m,from,to\nC-1,10,edge:1,ap-1:eth0\n";
        load(&[file("event.toml", EVENT), file("cables.csv", cables)], &overrides)
    };
    let plan = set(&[
        "event.people=300",
        "vlan.guest.dhcp.lease=\"30m\"",
        "services.listen.dns=[\"127.0.0.1:5353\"]",
        "room.hall.seats=80",
        "event.days.2026-05-16.doors=18:00",
        "cables.C-1.length_m=20",
        "event.motto=no quotes needed",
    ])
    .unwrap();
    assert_eq!(plan.event.people.likely, 300.0);
    assert_eq!(plan.vlans["guest"].dhcp.as_ref().unwrap().lease.as_secs(), 1_800);
    assert_eq!(plan.services.listen.dns, ["127.0.0.1:5353".parse().unwrap()]);
    assert_eq!(plan.rooms[0].seats, 80);
    assert_eq!(plan.days[0].doors.hour(), 18);
    assert_eq!(plan.cables.as_ref().unwrap()[0].length_m, 20.0);
    assert_eq!(plan.event.motto, "no quotes needed");
    insta::assert_snapshot!(said(set(&[
        "event.peple=300",
        "room.holl.seats=80",
        "vlan.guest.dhcp.lease=soon",
        "device.ap-2.room=hall",
        "cables.C-1.length=20",
        "cables.C-9.length_m=20",
        "cables.C-1.length_m=long",
    ])));
    assert!(Override::parse("no value").is_err());
    assert!(Override::parse("=1").is_err());
}

#[test]
fn groups_become_devices() {
    let group = "[group.ap-4f]\nmodel = 'generic-ap-ax'\ncount = 5\nrooms = ['hall', 'foyer']\n\
                 address_from = '10.10.0.20'\nchannels = { '5GHz' = [36, 40], '2.4GHz' = 1 }\n\
                 [device.ap-4f-2]\nclients_max = 33\nroom = 'foyer'\n";
    let venue = "[[room]]\nid = 'foyer'\nfloor = '2F'\nkind = 'lounge'\n";
    let plan = with(&[("network.toml", group), ("venue.toml", venue)]).unwrap();
    let shown: Vec<String> = plan
        .devices
        .values()
        .filter(|device| device.id.as_str().starts_with("ap-4f"))
        .map(|device| {
            let channels: Vec<u16> = device.channels.iter().map(|channel| channel.number).collect();
            let room = device.room.as_ref().unwrap();
            format!("{} {room} {} {channels:?} {}", device.id, device.address.unwrap(), device.clients_max)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "ap-4f-1 hall 10.10.0.20 [1, 36] 80",
            "ap-4f-2 foyer 10.10.0.21 [1, 40] 33",
            "ap-4f-3 hall 10.10.0.22 [1, 36] 80",
            "ap-4f-4 foyer 10.10.0.23 [1, 40] 80",
            "ap-4f-5 foyer 10.10.0.24 [1, 36] 80",
        ]
    );
}

#[test]
fn a_mistake_in_a_group_is_said_once() {
    let group = "[group.ap-4f]\nmodel = 'generic-ap-az'\ncount = 5\nroom = 'hal'\nclients = 4\n";
    insta::assert_snapshot!(said(with(&[("network.toml", group)])));
}

/// Files of a directory of the repository.
fn directory(path: &str) -> Vec<SourceFile> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let read = |name: &&str| {
        let bytes = std::fs::read(dir.join(name)).ok()?;
        Some(SourceFile { name: (*name).to_owned(), bytes })
    };
    plan::FILE_NAMES.iter().filter_map(read).collect()
}

#[test]
fn the_commented_example_loads_and_names_every_key() {
    let files = directory("etc/plan.example");
    assert_eq!(files.len(), 7);
    let plan = load(&files, &[]).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(plan.notes, []);
    assert_eq!(plan.timetable.as_ref().map(Vec::len), Some(4));
    let text: String = files.iter().map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).collect();
    let (_, schema) = plan::schema::all().remove(0);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let tables = schema["$defs"].as_object().unwrap().values();
    for key in tables.flat_map(|table| table["properties"].as_object().unwrap().keys()) {
        // `days` and the plural of `connects` are other forms of what is there.
        assert!(
            key == "days"
                || text.contains(&format!("{key} ="))
                || text.contains(&format!("{key}]]"))
                || text.contains(&format!(".{key}]"))
                || text.contains(&format!("{key}.")),
            "`{key}` is explained"
        );
    }
}

#[test]
fn what_was_understood_is_shown() {
    let plan = load(&directory("etc/plan.example"), &[]).unwrap();
    insta::assert_snapshot!(plan::summary::show(&plan).to_string());
}

/// The one-page plan with a second file that holds `text`.
fn network(text: &str) -> Result<Plan, Vec<Problem>> {
    with(&[("network.toml", text)])
}

#[test]
fn dhcp_problems_name_place_value_and_remedy() {
    let text = r#"
[vlan.lab]
id = 30
subnet = "10.30.0.0/24"
kind = "staff"
pool = ["10.30.0.10-10.30.0.20", { range = "10.30.0.30-10.30.0.40", class = "app" }, { range = "10.30.0.9-10.30.0.1" }]
reservations = [
    { mac = "02:00:5e:00:53:01", client_id = "hex:01", address = "10.30.0.50" },
    { address = "10.30.0.51" },
    { client_id = "hex:0", address = "10.30.0.52" },
    { asset = "S-01", address = "10.30.0.53" },
]
[vlan.lab.dhcp]
lease_under_pressure = "1s"
[vlan.lab.dhcp.options]
boot-fiel = "sw.cfg"
lease-time = 3600
captive-portal = "https://portal.example/"
interface-mtu = 70000
ntp-servers = ["192.0.2.1", "ntp.example"]
routes = ["198.51.100.1/24 via 10.30.0.1"]
domain-search = ["not a name"]
default-ip-ttl = "64"
150 = { value = ["10.30.0.2"], allways = true }
tftp-servers = "10.30.0.3"
43 = { 300 = "hex:01" }
224 = 7
225 = ""
[vlan.lab.ipv6]
prefix = "2001:db8::1/64"
mode = "stateles"
pool = "2001:db8::1"
[dhcp]
leasequery_from = "10.0.0.1/8"
[dhcp.class.ap]
mac_prefix = "02:00:5e:00:53:01:02"
vendor-class = "Cisco AP"
lease = "5s"
"#;
    insta::assert_snapshot!(said(network(text)));
}

#[test]
fn a_reservation_by_asset_has_the_mac_of_the_inventory() {
    let text = "[vlan.lab]\nid = 30\nsubnet = '10.30.0.0/24'\nkind = 'staff'\n\
                reservations = [{ asset = 's-01', address = '10.30.0.5' }]\n";
    let with_inventory =
        |rows: &str| with(&[("network.toml", text), ("inventory.csv", &format!("tag,kind,mac\n{rows}"))]);
    let plan = with_inventory("S-01,switch,02:00:5e:00:53:07\n").unwrap();
    let own = &plan.vlans["lab"].dhcp.as_ref().unwrap().reservations[0];
    assert_eq!(own.mac().map(|mac| mac.to_string()).as_deref(), Some("02:00:5e:00:53:07"));
    assert_eq!(own.asset.as_deref(), Some("s-01"));
    insta::assert_snapshot!(
        [
            said(with_inventory("S-02,switch,02:00:5e:00:53:07\n")),
            said(with_inventory("S-01,switch,\n")),
            // The unreadable address is the one problem.
            said(with_inventory("S-01,switch,02:00\n")),
        ]
        .concat()
    );
}

#[test]
fn dhcp_options_have_the_type_of_their_code() {
    use plan::OptionValue as Value;
    let text = r#"
[vlan.lab]
id = 30
subnet = "10.30.0.0/24"
kind = "staff"
[vlan.lab.dhcp.options]
tftp-server-name = "10.30.0.2"
150 = { value = "10.30.0.2", always = true }
interface-mtu = 1400
time-offset = -3600
ip-forwarding = false
domain-search = ["Example.NET.", "example.org"]
routes = ["198.51.100.0/24 via 10.30.0.1", "default via 10.30.0.1"]
43 = { 241 = ["10.30.0.2", "10.30.0.3"], 1 = "x" }
125 = "hex:00 00 0d:e9"
224 = ["10.30.0.9"]
225 = "as it is"
"#;
    let plan = network(text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let address = |text: &str| text.parse().unwrap();
    let route = |net: &str| (net.parse().unwrap(), "10.30.0.1".parse().unwrap());
    let wanted = [
        (2, Value::Int32(-3600), false),
        (19, Value::Flag(false), false),
        (26, Value::Uint16(1400), false),
        (43, Value::SubOptions(vec![(1, b"x".to_vec()), (241, vec![10, 30, 0, 2, 10, 30, 0, 3])]), false),
        (66, Value::Text("10.30.0.2".into()), false),
        (119, Value::Domains(vec!["example.net".into(), "example.org".into()]), false),
        (121, Value::Routes(vec![route("198.51.100.0/24"), route("0.0.0.0/0")]), false),
        (125, Value::Octets(vec![0, 0, 13, 233]), false),
        (150, Value::Addresses(vec![address("10.30.0.2")]), true),
        (224, Value::Addresses(vec![address("10.30.0.9")]), false),
        (225, Value::Octets(b"as it is".to_vec()), false),
    ];
    let found: Vec<(u8, Value, bool)> = plan.vlans["lab"]
        .dhcp
        .iter()
        .flat_map(|dhcp| dhcp.options.clone())
        .map(|option| (option.code, option.value, option.always))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn classes_keep_the_order_of_the_file() {
    let plan =
        network("[dhcp.class.zebra]\nuser_class = 'a'\n[dhcp.class.ap]\nvendor_class = ['b', 'hex:00']\n").unwrap();
    let names: Vec<&str> = plan.dhcp.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["zebra", "ap"]);
    assert_eq!(plan.dhcp.classes[1].vendor_class, [b"b".to_vec(), vec![0]]);
}

#[test]
fn subnet_ids_do_not_move_when_vlans_come() {
    let vlan = |name: &str, id: u16| {
        format!("[vlan.{name}]\nid = {id}\nsubnet = '10.{id}.{}.0/24'\nkind = 'staff'\n", name.len())
    };
    let ids = |text: &str| -> Vec<(String, u32)> {
        let plan = network(text).unwrap();
        plan.vlans.values().map(|vlan| (vlan.name.to_string(), plan.subnet_id(vlan).0)).collect()
    };
    let before = ids(&vlan("lab", 30));
    let after = ids(&[vlan("lab", 30), vlan("annex", 31)].concat());
    assert!(before.iter().all(|known| after.contains(known)), "{before:?} {after:?}");
    let shared = ids(&[vlan("lab", 30), vlan("lab-more", 30)].concat());
    assert!(shared.contains(&("lab".into(), 30)) && shared.contains(&("lab-more".into(), 4_126)));
}

#[test]
fn devices_whose_flows_count_exist_and_have_an_address() {
    let services = |flows: &str| check(&[("[services] ", &format!("[services.flows]\n{flows}\n[services] "))]);
    let said = services("exporters = [\"egde\"]");
    assert!(said.contains("`exporters`: there is no device `egde`") && said.contains("edge"), "{said}");
    let said = services("allow = [\"10.0.0.1/8\"]\nstreamer = \"edge\"");
    assert!(said.contains("streamer") && said.contains("10.0.0.1/8"), "{said}");
}
