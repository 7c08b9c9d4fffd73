//! Whatever the bytes, `load` answers with a plan or with problems.

use plan::{FILE_NAMES, Override, SourceFile, load};
use proptest::prelude::*;

const EVENT: &str = include_str!("../../../examples/meetup/event.toml");

const NETWORK: &str = include_str!("../../../etc/plan.example/network.toml");

const TIMETABLE: &str = include_str!("data/schedule.xml");

fn event() -> SourceFile {
    SourceFile { name: "event.toml".into(), bytes: EVENT.as_bytes().to_vec() }
}

/// `text` with some bytes replaced by others.
fn mutated(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (0..text.len(), any::<u8>(), 0_usize..8);
    proptest::collection::vec(change, 0..12).prop_map(move |changes| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte, cut) in changes {
            let at = at.min(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, [byte]);
        }
        bytes
    })
}

/// Problems always say where and what.
fn check(files: &[SourceFile], overrides: &[Override]) {
    if let Err(problems) = load(files, overrides) {
        assert!(!problems.is_empty());
        for problem in problems {
            assert!(!problem.says.is_empty() && problem.says.len() < 2_000, "{problem}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(name in 0..FILE_NAMES.len(), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&[event(), SourceFile { name: FILE_NAMES[name].into(), bytes: bytes.clone() }], &[]);
        check(&[SourceFile { name: "event.toml".into(), bytes }], &[]);
    }

    #[test]
    fn mutated_plans_never_panic(bytes in mutated(EVENT)) {
        check(&[SourceFile { name: "event.toml".into(), bytes }], &[]);
    }

    #[test]
    fn mutated_networks_never_panic(bytes in mutated(NETWORK)) {
        check(&[event(), SourceFile { name: "network.toml".into(), bytes }], &[]);
    }

    #[test]
    fn mutated_timetables_never_panic(bytes in mutated(TIMETABLE)) {
        check(&[event(), SourceFile { name: "schedule.xml".into(), bytes }], &[]);
    }

    #[test]
    fn random_tables_never_panic(text in "(label|from|to|length_m|tag|kind|id|room|start|end|who|[,\n\"#:; 0-9a-z-]){0,60}", name in 0..FILE_NAMES.len()) {
        check(&[event(), SourceFile { name: FILE_NAMES[name].into(), bytes: text.into_bytes() }], &[]);
    }

    #[test]
    fn random_overrides_never_panic(text in "(event|room|vlan|device|group|hall|guest|people|days|[.=0-9\"\\[\\]{}a-z]){0,12}=.{0,20}") {
        if let Ok(value) = Override::parse(&text) {
            check(&[event()], &[value]);
        }
    }
}
