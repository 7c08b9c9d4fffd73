//! People, hours and papers: who is where when, and what the plan leaves out.

use std::{collections::BTreeMap, time::Duration};

use jiff::tz::TimeZone;
use model::{Place, RoomId, Timestamp};
use plan::{Day, DayKind, Plan, Room, Shift, Talk};

use crate::{findings::Findings, wiring::Wiring};

/// Time that setting up one device takes a team of two.
const SETUP_PER_DEVICE: Duration = Duration::from_secs(5 * 60);

/// Sleep between a shift that ends in the night and the next.
const REST: Duration = Duration::from_secs(7 * 3_600);

/// A break shorter than this is one shift in two parts.
const BREAK: Duration = Duration::from_secs(3 * 3_600);

/// Words in the kind of an entry that leaves room for others in the same place.
const KINDS_BESIDE_OTHERS: [&str; 8] =
    ["poster", "fair", "exhibition", "break", "lunch", "party", "reception", "registration"];

/// Talks in a room that is not open yet.
pub(crate) fn room_used_before_access(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let first = first_talks(plan);
    for (room, access) in rooms_opened(plan) {
        if let Some(talk) = first.get(&room.id).filter(|talk| talk.starts < access) {
            let says = format!(
                "{} is used from {} ({}), but may be entered from {}",
                room.id,
                at_venue(plan, talk.starts),
                talk.title,
                at_venue(plan, access)
            );
            findings.add(format!("room {}", room.id), &room.at, says);
        }
    }
}

/// Rooms that open too late for the gear that goes into them.
pub(crate) fn no_time_to_set_up(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let first = first_talks(plan);
    for (room, access) in rooms_opened(plan) {
        let devices = plan.devices.values().filter(|device| device.room.as_ref() == Some(&room.id)).count();
        let needed = SETUP_PER_DEVICE * u32::try_from(devices).unwrap_or(u32::MAX);
        let Some(talk) = first.get(&room.id).filter(|talk| talk.starts >= access) else { continue };
        if talk.starts.since(access) < needed {
            let says = format!(
                "{} opens at {}, {} min before {}, but its {devices} devices need {} min",
                room.id,
                at_venue(plan, access),
                talk.starts.since(access).as_secs() / 60,
                talk.title,
                needed.as_secs() / 60
            );
            findings.add(format!("room {}", room.id), &room.at, says);
        }
    }
}

/// Talks at the same time in the same room.
pub(crate) fn talks_overlap(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    // For each room, the talk that goes on longest so far; talks come by time.
    let mut longest: BTreeMap<&RoomId, &Talk> = BTreeMap::new();
    for talk in plan.timetable.iter().flatten().filter(|talk| !is_beside_others(talk)) {
        let before = longest.entry(&talk.room).or_insert(talk);
        if before.ends > talk.starts && !std::ptr::eq(*before, talk) {
            let starts = at_venue(plan, talk.starts);
            let says =
                format!("{} begins at {starts}, while {} still goes on in {}", name(talk), name(before), talk.room);
            findings.add(format!("talk {}", name(talk)), &talk.at, says);
        }
        if talk.ends > before.ends {
            *before = talk;
        }
    }
}

/// Talks when the venue is closed to attendees.
pub(crate) fn talk_outside_day(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for talk in plan.timetable.iter().flatten() {
        let within = |day: &Day| {
            let (doors, close) = plan.day_span(day);
            doors <= talk.starts && talk.ends <= close
        };
        if !plan.days.iter().any(within) {
            let says = format!(
                "{} goes from {} to {}, when the doors are closed",
                name(talk),
                at_venue(plan, talk.starts),
                at_venue(plan, talk.ends)
            );
            findings.add(format!("talk {}", name(talk)), &talk.at, says);
        }
    }
}

/// Entries of the timetable in rooms that the plan does not have.
pub(crate) fn talk_room_unknown(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for note in plan.notes.iter().filter(|note| note.says.contains("not in the plan")) {
        findings.add_with("timetable", &note.at, &note.says, &note.remedy);
    }
}

/// Whatever else was taken for granted while reading.
pub(crate) fn reading_note(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    for note in plan.notes.iter().filter(|note| !note.says.contains("not in the plan")) {
        findings.add_with(format!("file {}", note.at.file), &note.at, &note.says, &note.remedy);
    }
}

/// Hours with open doors and nobody on duty.
pub(crate) fn roster_gap(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let Some(roster) = &plan.roster else { return };
    let mut shifts: Vec<&Shift> = roster.iter().collect();
    shifts.sort_by_key(|shift| shift.starts);
    for day in plan.days.iter().filter(|day| day.kind != DayKind::Setup) {
        let (doors, close) = plan.day_span(day);
        let mut covered = doors;
        let mut gaps = Vec::new();
        for shift in shifts.iter().filter(|shift| shift.ends > doors && shift.starts < close) {
            if shift.starts > covered {
                gaps.push((covered, shift.starts));
            }
            covered = covered.max(shift.ends);
        }
        if covered < close {
            gaps.push((covered, close));
        }
        for (from, to) in gaps {
            let says = format!("nobody is on duty from {} to {}", at_venue(plan, from), at_venue(plan, to));
            findings.add(format!("day {}", day.date), &day.at, says);
        }
    }
}

/// People on duty in two places at once.
pub(crate) fn shifts_overlap(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    each_pair(plan, |before, after| {
        if after.starts < before.ends {
            let says = format!("{} is on duty twice from {}", after.who, at_venue(plan, after.starts));
            findings.add(format!("shift {}", after.who), &after.at, says);
        }
    });
}

/// People who go on before they slept.
pub(crate) fn shift_without_rest(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    each_pair(plan, |before, after| {
        let rest = after.starts.since(before.ends);
        if rest >= BREAK && rest < REST {
            let says = format!(
                "{} has {} h between {} and the next shift",
                after.who,
                rest.as_secs() / 3_600,
                at_venue(plan, before.ends)
            );
            findings.add(format!("shift {}", after.who), &after.at, says);
        }
    });
}

/// Lists that are not there, and whose checks are off.
pub(crate) fn list_missing(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    let joined = plan.devices.values().any(|device| device.connects.is_some());
    let no_cables = if joined {
        "lengths, labels and kinds of cables are not checked"
    } else {
        "ports, paths, VLANs along cables and power are not checked"
    };
    let lists = [
        ("inventory.csv", plan.inventory.is_none(), "what is drawn is not checked against what is there"),
        ("cables.csv", plan.cables.is_none(), no_cables),
        ("timetable.csv", plan.timetable.is_none(), "the use of rooms is not checked"),
        ("roster.csv", plan.roster.is_none(), "who is on duty is not checked"),
    ];
    for (file, _, says) in lists.into_iter().filter(|(_, missing, _)| *missing) {
        findings.add(format!("file {file}"), &Place::file(file), format!("there is no {file}: {says}"));
    }
}

/// No date on which attendees' data is erased.
pub(crate) fn erase_date_missing(plan: &Plan, _: &Wiring<'_>, findings: &mut Findings) {
    if plan.privacy.erase_on.is_none() {
        findings.add("event", &plan.event.at, "the plan names no date on which attendees' data is erased");
    }
}

/// Rooms with the moment from which they may be entered: their own, or that of the first day.
fn rooms_opened(plan: &Plan) -> impl Iterator<Item = (&Room, Timestamp)> {
    let first = plan.days.iter().find_map(|day| Some(day.date.to_datetime(day.access?)));
    plan.rooms.iter().filter_map(move |room| Some((room, plan.local_time(room.access.or(first)?))))
}

/// The first talk of each room.
fn first_talks(plan: &Plan) -> BTreeMap<&RoomId, &Talk> {
    let mut first = BTreeMap::new();
    for talk in plan.timetable.iter().flatten() {
        first.entry(&talk.room).or_insert(talk);
    }
    first
}

fn is_beside_others(talk: &Talk) -> bool {
    let kind = talk.kind.to_lowercase();
    KINDS_BESIDE_OTHERS.iter().any(|word| kind.contains(word))
}

/// Calls `tell` for each two shifts of one person that follow each other.
fn each_pair<'a>(plan: &'a Plan, mut tell: impl FnMut(&'a Shift, &'a Shift)) {
    let mut by_person: BTreeMap<&str, Vec<&Shift>> = BTreeMap::new();
    for shift in plan.roster.iter().flatten() {
        by_person.entry(&shift.who).or_default().push(shift);
    }
    for shifts in by_person.values_mut() {
        shifts.sort_by_key(|shift| (shift.starts, shift.ends));
        for pair in shifts.windows(2) {
            tell(pair[0], pair[1]);
        }
    }
}

/// A talk's key, or its title when it has none.
fn name(talk: &Talk) -> &str {
    if talk.id.is_empty() { &talk.title } else { &talk.id }
}

/// A moment as the clocks at the venue show it.
fn at_venue(plan: &Plan, at: Timestamp) -> String {
    let zone: &TimeZone = &plan.event.time_zone;
    match jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())) {
        Ok(moment) => moment.to_zoned(zone.clone()).strftime("%m-%d %H:%M").to_string(),
        Err(_) => at.to_string(),
    }
}
