//! Configurations and lease files of other servers: what is taken over, and that nothing is lost without a word.

use std::{fmt::Write as _, net::Ipv4Addr};

use model::{Lease, SubnetId};
use plan::{
    Plan, SourceFile,
    import::{
        Imported, ImportedLeases, from_dhcpd, from_dnsmasq, from_kea, leases_from_dhcpd, leases_from_dnsmasq,
        leases_from_kea,
    },
    load,
};
use proptest::prelude::*;

const KEA: &str = include_str!("data/kea-dhcp4.conf");
const DHCPD: &str = include_str!("data/dhcpd.conf");
const DNSMASQ: &str = include_str!("data/dnsmasq.conf");
const KEA_LEASES: &str = include_str!("data/kea-leases4.csv");
const DHCPD_LEASES: &str = include_str!("data/dhcpd.leases");
const DNSMASQ_LEASES: &str = include_str!("data/dnsmasq.leases");

/// The plan that was made; every text that an import gives loads.
fn plan(imported: &Imported) -> Plan {
    let file = SourceFile { name: "event.toml".into(), bytes: imported.event_toml.clone().into_bytes() };
    load(&[file], &[]).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}\n{}", lines.join("\n"), imported.event_toml)
    })
}

#[test]
fn kea_becomes_a_plan() {
    let imported = from_kea(KEA).unwrap();
    let plan = plan(&imported);
    assert_eq!((plan.vlans.len(), plan.dhcp.classes.len(), imported.subnets), (3, 3, 3));
    insta::assert_snapshot!(imported.event_toml);
}

#[test]
fn dhcpd_becomes_a_plan() {
    let imported = from_dhcpd(DHCPD).unwrap();
    let plan = plan(&imported);
    assert_eq!((plan.vlans.len(), imported.subnets), (3, 3));
    insta::assert_snapshot!(imported.event_toml);
}

#[test]
fn dnsmasq_becomes_a_plan() {
    let imported = from_dnsmasq(DNSMASQ).unwrap();
    let plan = plan(&imported);
    assert_eq!((plan.vlans.len(), imported.subnets), (3, 3));
    insta::assert_snapshot!(imported.event_toml);
}

#[test]
fn a_domain_that_the_event_cannot_have_is_said_and_left_out() {
    for domain in ["_venue.example", "-venue.example", "venue.example-", "a..b"] {
        let text = DNSMASQ.replace("domain=venue.example", &format!("domain={domain}"));
        let imported = from_dnsmasq(&text).unwrap();
        plan(&imported);
        assert!(imported.notes.iter().any(|note| note.says.contains(domain)), "{domain}: {:?}", imported.notes);
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_line() {
    assert_eq!(from_kea("{\n \"Dhcp4\": [1 2] }").unwrap_err().to_string(), "line 2: a `,` or a `]` is missing");
    assert_eq!(from_kea("{}").unwrap_err().to_string(), "line 1: there is no `Dhcp4` in it");
    assert_eq!(from_dhcpd("subnet {\n").unwrap_err().to_string(), "line 2: a block is not closed by `}`");
    assert!(from_dnsmasq(&"#".repeat(9 << 20)).is_err());
    plan(&from_kea("{\"Dhcp4\": {}}").unwrap());
    plan(&from_dhcpd("").unwrap());
    plan(&from_dnsmasq("").unwrap());
}

fn subnet_of(address: Ipv4Addr) -> Option<SubnetId> {
    (address.octets()[..3] == [198, 51, 100]).then_some(SubnetId(30))
}

fn shown(imported: &ImportedLeases) -> String {
    let mut text = String::new();
    for lease in &imported.leases {
        let Lease { subnet, address, client, mac, state, starts, expires, host_name, circuit_id, remote_id } = lease;
        let name = host_name.as_ref().map_or("-", |name| name.as_str());
        let mac = mac.map_or_else(|| "-".to_owned(), |mac| mac.to_string());
        let (circuit, remote) = (String::from_utf8_lossy(circuit_id), String::from_utf8_lossy(remote_id));
        writeln!(
            text,
            "{} {address} {client:?} {mac} {state:?} {} to {} {name} circuit {circuit:?} remote {remote:?}",
            subnet.0,
            starts.as_secs(),
            expires.as_secs()
        )
        .expect("text grows");
    }
    for note in &imported.notes {
        writeln!(text, "{note}").expect("text grows");
    }
    writeln!(text, "{} skipped", imported.skipped).expect("text grows");
    text
}

#[test]
fn leases_of_kea() {
    insta::assert_snapshot!(shown(&leases_from_kea(KEA_LEASES.as_bytes(), &subnet_of)));
}

#[test]
fn leases_of_dhcpd() {
    insta::assert_snapshot!(shown(&leases_from_dhcpd(DHCPD_LEASES.as_bytes(), &subnet_of)));
}

#[test]
fn leases_of_dnsmasq() {
    insta::assert_snapshot!(shown(&leases_from_dnsmasq(DNSMASQ_LEASES.as_bytes(), &subnet_of)));
}

#[test]
fn a_lease_file_of_another_server_gives_notes_only() {
    for import in [leases_from_kea, leases_from_dhcpd, leases_from_dnsmasq] {
        let found = import(b"\xff\xfe\0{{{\n;;}\n,,,\n\"", &subnet_of);
        assert!(found.leases.is_empty() && !found.notes.is_empty(), "{found:?}");
        assert_eq!(import(b"", &subnet_of), ImportedLeases::default());
    }
}

/// Every renewal is a record; the last one counts.
#[test]
fn a_long_history_is_one_lease() {
    let mut text = KEA_LEASES.lines().next().unwrap_or_default().to_owned();
    for second in 0..20_000 {
        write!(text, "\n198.51.100.9,02:00:5e:00:53:09,,3600,{},1,0,0,,0,,0", 1_747_000_000 + second)
            .expect("text grows");
    }
    let found = leases_from_kea(text.as_bytes(), &subnet_of);
    assert_eq!((found.leases.len(), found.skipped), (1, 0));
    assert_eq!(found.leases[0].expires.as_secs(), 1_747_019_999);
}

/// `text` with some parts replaced by other bytes.
fn mutated(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (0..text.len(), "[ -~]{0,6}", 0_usize..12);
    proptest::collection::vec(change, 0..12).prop_map(move |changes| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, with, cut) in changes {
            let at = at.min(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, with.into_bytes());
        }
        bytes
    })
}

fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for imported in [from_kea(&text), from_dhcpd(&text), from_dnsmasq(&text)].into_iter().flatten() {
        plan(&imported);
    }
    for import in [leases_from_kea, leases_from_dhcpd, leases_from_dnsmasq] {
        let found = import(bytes, &subnet_of);
        assert!(found.leases.is_sorted_by(|one, other| one.address < other.address));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn mutated_kea_loads_or_is_refused(bytes in mutated(KEA)) {
        check(&bytes);
    }

    #[test]
    fn mutated_dhcpd_loads_or_is_refused(bytes in mutated(DHCPD)) {
        check(&bytes);
    }

    #[test]
    fn mutated_dnsmasq_loads_or_is_refused(bytes in mutated(DNSMASQ)) {
        check(&bytes);
    }

    #[test]
    fn mutated_leases_never_panic(kea in mutated(KEA_LEASES), dhcpd in mutated(DHCPD_LEASES), dnsmasq in mutated(DNSMASQ_LEASES)) {
        check(&kea);
        check(&dhcpd);
        check(&dnsmasq);
    }
}
