//! The examples are clean; each defect made in a copy of the model event gives exactly its findings.

mod defects;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use model::{Finding, Severity};
use plan::{FILE_NAMES, SourceFile};

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(name: &str) -> Vec<SourceFile> {
    let read = |file: &&str| {
        let bytes = std::fs::read(root().join("examples").join(name).join(file)).ok()?;
        Some(SourceFile { name: (*file).to_owned(), bytes })
    };
    FILE_NAMES.iter().filter_map(read).collect()
}

fn load(files: &[SourceFile]) -> Plan {
    plan::load(files, &[]).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

fn shown(findings: &[Finding]) -> String {
    let line = |found: &Finding| {
        format!("{}: {} [{}] {}: {}\n", found.at, found.severity, found.code, found.place, found.says)
    };
    findings.iter().map(line).collect()
}

fn codes(findings: &[Finding]) -> BTreeSet<&'static str> {
    findings.iter().map(|found| found.code).collect()
}

#[test]
fn the_examples_are_clean() {
    for name in ["pyconjp-2019", "meetup", "lab"] {
        let findings = check(&load(&example(name)));
        let bad: Vec<Finding> = findings.into_iter().filter(|found| found.severity != Severity::Info).collect();
        assert!(bad.is_empty(), "{name}:\n{}", shown(&bad));
    }
}

#[test]
fn the_commented_example_has_no_error() {
    let read = |file: &&str| {
        let bytes = std::fs::read(root().join("etc/plan.example").join(file)).ok()?;
        Some(SourceFile { name: (*file).to_owned(), bytes })
    };
    let files: Vec<SourceFile> = FILE_NAMES.iter().filter_map(read).collect();
    let findings = check(&load(&files));
    let bad: Vec<Finding> = findings.into_iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(bad.is_empty(), "{}", shown(&bad));
}

#[test]
fn what_is_imported_from_other_servers_has_no_error() {
    let read = |name: &str| {
        let path = root().join("crates/plan/tests/data").join(name);
        std::fs::read_to_string(path).expect("a configuration of another server")
    };
    let imported = [
        plan::import::from_kea(&read("kea-dhcp4.conf")),
        plan::import::from_dhcpd(&read("dhcpd.conf")),
        plan::import::from_dnsmasq(&read("dnsmasq.conf")),
    ];
    for imported in imported {
        let text = imported.expect("it is well formed").event_toml;
        let findings = check(&load(&[SourceFile { name: "event.toml".into(), bytes: text.into() }]));
        let bad: Vec<Finding> = findings.into_iter().filter(|found| found.severity == Severity::Error).collect();
        assert!(bad.is_empty(), "{}", shown(&bad));
    }
}

#[test]
fn the_lab_is_clean_with_the_values_of_its_readme() {
    let values = ["vlan.bench.dhcp.interface=va", "services.dns.upstreams=127.0.0.1:5301"];
    let overrides = values.map(|text| plan::Override::parse(text).expect("path=value"));
    let plan = plan::load(&example("lab"), &overrides).expect("a plan");
    assert!(check(&plan).iter().all(|found| found.severity == Severity::Info));
    let bench = &plan.vlans["bench"];
    let via = bench.dhcp.as_ref().map(|dhcp| dhcp.via.clone());
    assert_eq!(via, Some(plan::DhcpVia::Direct(Some("va".into()))));
    assert_eq!(plan.pool_size(bench), 131_070);
}

#[test]
fn the_model_event_has_the_gear_of_the_report() {
    let plan = load(&example("pyconjp-2019"));
    let of_model = |start: &str| plan.devices.values().filter(|device| device.model.name.starts_with(start)).count();
    assert_eq!([of_model("nec-ix2105"), of_model("cisco-c3"), of_model("netgear-")], [10, 8, 8]);
    let cables = plan.cables.as_ref().expect("has a cable list");
    assert_eq!((cables.len(), cables.iter().map(|cable| cable.length_m).sum::<f64>()), (58, 1161.0));
}

#[test]
fn notes_of_the_examples() {
    let notes = ["pyconjp-2019", "meetup", "lab"].map(|name| {
        let findings = check(&load(&example(name)));
        format!("{name}\n{}", shown(&findings))
    });
    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn findings_as_json() {
    let files = defects::changed(&[("network.toml", "address = \"10.10.0.16\"", "address = \"10.10.0.15\"")]);
    let findings = check(&load(&files));
    insta::assert_snapshot!(serde_json::to_string_pretty(&findings[0]).expect("findings are plain data"));
}

#[test]
fn the_worst_comes_first_and_approval_stops_at_errors() {
    let plan = load(&defects::changed(&[
        ("event.toml", "isolation = true", "isolation = false"),
        ("network.toml", "id = 3002", "id = 3001"),
    ]));
    let findings = check(&plan);
    assert!(findings.is_sorted_by_key(|found| (found.severity, found.at.clone())));
    assert_eq!(approve(plan).expect_err("has an error"), findings);
    let approved = approve(load(&example("pyconjp-2019"))).expect("is clean");
    assert!(approved.findings().iter().all(|found| found.severity == Severity::Info));
    assert_eq!(approved.event.name, "PyCon JP 2019");
}

#[test]
fn a_plan_that_says_next_to_nothing_gives_notes_only() {
    let text =
        "version = 1\n[event]\nname = \"T\"\ntimezone = \"UTC\"\npeople = 0\ndays = [{ date = \"2026-05-16\" }]\n";
    let files = [SourceFile { name: "event.toml".into(), bytes: text.into() }];
    let wanted = BTreeSet::from(["erase-date-missing", "list-missing", "ntp-missing", "uplink-missing"]);
    assert_eq!(codes(&check(&load(&files))), wanted);
}

#[test]
fn codes_are_unique_kebab_case() {
    let codes: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(codes.len(), RULES.len());
    for code in codes {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{code}");
    }
}

/// `HOTSTAGE_BLESS=1 cargo test -p check` writes the table anew.
#[test]
fn the_manual_lists_every_rule() {
    let path = root().join("docs/rules.md");
    let wanted = manual();
    if std::env::var_os("HOTSTAGE_BLESS").is_some() {
        std::fs::write(&path, &wanted).expect("docs can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/rules.md differs from RULES; run with HOTSTAGE_BLESS=1");
}

fn manual() -> String {
    let mut text = String::from(
        "# Rules of `hotstage check`\n\n\
         Codes are stable. An error means that it will not work, and stops `build`, `run` and `rehearse`; a warning that it may\n\
         hurt; info is good to know. Letters of the id: P cabling and power, S switching, R routing and services, W radio,\n\
         C capacity and process. A missing list (`inventory.csv`, `cables.csv`, a timetable, `roster.csv`) switches its rules\n\
         off, which `list-missing` says. This page is made from the table in the code.\n",
    );
    let mut family = None;
    for rule in RULES {
        if family.replace(rule.family) != Some(rule.family) {
            let title = match rule.family {
                Family::Physical => "Devices, inventory, cables and power",
                Family::Layer2 => "VLANs and loops",
                Family::Layer3 => "Addresses and subnets",
                Family::Services => "DHCP, DNS, time and logs",
                Family::Radio => "Networks on the air",
                Family::Capacity => "Capacity",
                Family::Process => "People, hours and papers",
            };
            text.push_str(&format!("\n## {title}\n| code | id | severity | finds | remedy |\n|---|---|---|---|---|\n"));
        }
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            rule.code, rule.id, rule.severity, rule.says, rule.remedy
        ));
    }
    text
}
