//! Timetables in every form.

use jiff::civil::date;
use plan::{Plan, SourceFile, load, timetable};

const EVENT: &str = include_str!("../../../examples/meetup/event.toml");

fn with(name: &str, text: &str) -> Plan {
    let file = |name: &str, text: &str| SourceFile { name: name.into(), bytes: text.as_bytes().to_vec() };
    load(&[file("event.toml", EVENT), file(name, text)], &[]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Talks and notes as lines.
fn check(name: &str, text: &str) -> String {
    let plan = with(name, text);
    let talks = plan.timetable.iter().flatten().map(|talk| {
        let (id, title, kind) = (&talk.id, &talk.title, &talk.kind);
        format!(
            "{} - {} {} {id} {title} ({kind}, {}, {}) at {}\n",
            talk.starts, talk.ends, talk.room, talk.track, talk.language, talk.at
        )
    });
    talks.chain(plan.notes.iter().map(|note| format!("{note}\n"))).collect()
}

#[test]
fn our_own_csv() {
    insta::assert_snapshot!(check(
        "timetable.csv",
        "id,title,room,day,start,end,kind,track,language\n\
         1,Keynote,hall,1,19:00,19:45,keynote,main,ja\n\
         2,\"Talk, with comma\",KAMATA  Hall,2026-05-16,19:30,20:00,talk,,en\n\
         3,Elsewhere,attic,1,19:00,20:00,,,\n\
         4,No hours,hall,1,,,,,\n",
    ));
}

#[test]
fn frab_json() {
    insta::assert_snapshot!(check(
        "schedule.json",
        r#"{"schedule":{"conference":{"title":"Kamata","days":[{"index":1,"date":"2026-05-16","rooms":{
            "Kamata hall":[{"id":1,"date":"2026-05-16T19:00:00+09:00","start":"19:00","duration":"00:45","title":"Keynote","type":"talk","track":"main","language":"ja"},
                           {"guid":"g-2","start":"20:00","duration":"1:00","title":{"ja":"ログ"},"track":null}],
            "Foyer":[{"id":3,"start":"18:30","duration":"03:00","title":"Tea"}]}}]}}}"#,
    ));
}

#[test]
fn schedule_xml_expands_no_entities() {
    insta::assert_snapshot!(check("schedule.xml", include_str!("data/schedule.xml")));
}

#[test]
fn plain_list() {
    insta::assert_snapshot!(check(
        "timetable.json",
        r#"[{"id":"1","day":1,"room":"hall","start":"19:00","end":"19:45","kind":"talk_45min"},
            {"id":"2","day":null,"room":null,"start":null,"end":null,"kind":"poster"},
            {"id":"3","day":1,"room":"hall","start":null,"end":null,"kind":"lightning_talk"}]"#,
    ));
}

#[test]
fn broken_timetables_are_refused() {
    let refused = |name: &str, text: &str| {
        let problems = timetable::skeleton(name, text.as_bytes(), date(2026, 5, 16)).unwrap_err();
        problems.iter().map(|problem| format!("{problem}\n")).collect::<String>()
    };
    insta::assert_snapshot!(
        [
            refused("schedule.xml", "<schedule><day></schedule>"),
            refused("schedule.xml", "plain text"),
            refused("schedule.json", "{\"schedule\": "),
            refused("schedule.json", "{}"),
            refused("schedule.json", &"[".repeat(5_000)),
            refused("timetable.csv", "room,start\n"),
        ]
        .concat()
    );
}

#[test]
fn rooms_and_days_can_be_derived_from_a_timetable() {
    let found = timetable::skeleton("schedule.xml", include_bytes!("data/schedule.xml"), date(2026, 1, 1)).unwrap();
    assert_eq!(found.time_zone.as_deref(), Some("Asia/Tokyo"));
    let unnamed = include_str!("data/schedule.xml").replace("<time_zone_name>Asia/Tokyo</time_zone_name>", "");
    let by_offset = timetable::skeleton("schedule.xml", unnamed.as_bytes(), date(2026, 1, 1)).unwrap();
    assert_eq!(by_offset.time_zone.as_deref(), Some("Etc/GMT-9"));
    assert_eq!(by_offset.days, found.days);
    assert_eq!(found.rooms.iter().map(|room| room.id.as_str()).collect::<Vec<_>>(), ["kamata-hall", "foyer"]);
    assert_eq!(found.days.len(), 1);
    assert_eq!((found.days[0].first.hour(), found.days[0].last.hour()), (18, 21));
    assert_eq!(found.talks, 3);
}

/// Real exports, when `HOTSTAGE_REAL_TIMETABLES` names a directory of them; they are not part of the repository.
#[test]
fn real_timetables_give_plans_that_hold_them() {
    let Some(dir) = std::env::var_os("HOTSTAGE_REAL_TIMETABLES") else {
        eprintln!("skipped: HOTSTAGE_REAL_TIMETABLES does not name a directory");
        return;
    };
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() || name.contains("schema") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let found = timetable::skeleton(&name, &bytes, date(2019, 9, 16)).unwrap();
        let files = plan::skeleton::from_timetable(&name, &bytes).unwrap();
        let plan = load(&files, &[]).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
        let talks = plan.timetable.as_ref().map_or(0, Vec::len);
        eprintln!(
            "{name}: {} rooms, {} days, {} talks, {} notes",
            found.rooms.len(),
            found.days.len(),
            talks,
            plan.notes.len()
        );
        assert_eq!(talks, found.talks, "{name}");
    }
}
