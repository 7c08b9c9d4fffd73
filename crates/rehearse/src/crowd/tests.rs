//! What must hold for every crowd, and what the model event's crowd looks like.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use proptest::prelude::*;

use super::{Play, play, random::Seed};
use crate::{
    course::{Act, Course, CourseDeviceKind},
    test_plans::{model_event, one_room, plan_of},
};

fn played(seed: u64, run: u32) -> Play {
    play(&model_event(), Seed { seed, run })
}

/// Actions alternate, are in order, lie in the spans and name what exists.
fn check_course(course: &Course) -> Result<(), TestCaseError> {
    let mut at_access_point: BTreeMap<u32, (Timestamp, Option<u32>)> = BTreeMap::new();
    let keys: Vec<_> = course.actions.iter().map(|action| (action.at, action.device)).collect();
    prop_assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "out of order, or two at once");
    for action in &course.actions {
        let is_within = course.spans.iter().any(|span| (span.0..=span.1).contains(&action.at));
        prop_assert!(is_within, "{action:?} outside the days");
        prop_assert!((action.device as usize) < course.devices.len());
        let before = at_access_point.get(&action.device).and_then(|last| last.1);
        let after = match action.act {
            Act::Associate(to) if before.is_none() => Some(to),
            Act::Roam(to) if before.is_some_and(|before| before != to) => Some(to),
            Act::Leave if before.is_some() => None,
            Act::Associate(_) | Act::Roam(_) | Act::Leave => {
                return Err(TestCaseError::fail(format!("{action:?} after {before:?}")));
            }
        };
        prop_assert!(after.is_none_or(|to| (to as usize) < course.access_points.len()));
        at_access_point.insert(action.device, (action.at, after));
    }
    prop_assert!(at_access_point.values().all(|last| last.1.is_none()), "somebody never leaves");
    let macs: BTreeSet<_> = course.devices.iter().map(|device| device.mac).collect();
    prop_assert_eq!(macs.len(), course.devices.len());
    prop_assert!(macs.iter().all(|mac| mac.is_locally_administered() && !mac.is_multicast()));
    Ok(())
}

/// Nobody is counted twice, and no talk room holds more than it can.
fn check_rooms(plan: &plan::Plan, play: &Play) -> Result<(), TestCaseError> {
    let mut at_once: BTreeMap<Timestamp, u32> = BTreeMap::new();
    for point in &play.course.occupancy {
        let room = &plan.rooms[point.room as usize];
        let places = room.seats + room.standing;
        let is_bounded = room.kind == plan::RoomKind::Talk && places > 0;
        prop_assert!(!is_bounded || point.people <= places, "{} holds {}", room.id, point.people);
        prop_assert!(point.people <= play.room_peaks[point.room as usize]);
        *at_once.entry(point.at).or_default() += point.people;
    }
    prop_assert!(at_once.values().all(|people| *people <= play.people_peak));
    prop_assert!(play.people_peak <= play.course.people);
    prop_assert_eq!(play.room_turned_away.iter().sum::<u32>(), play.course.turned_away);
    prop_assert_eq!(play.streams.len(), play.course.streams_opened as usize);
    prop_assert!(play.course.streams_opened <= play.course.turned_away);
    Ok(())
}

#[test]
fn the_model_event_is_sound() {
    let plan = model_event();
    for run in 0..3 {
        let play = play(&plan, Seed { seed: 1, run });
        check_course(&play.course).unwrap();
        check_rooms(&plan, &play).unwrap();
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let text = |seed, run| format!("{:?}", played(seed, run).course);
    let first = text(1, 0);
    assert!(first == text(1, 0));
    assert!(first != text(2, 0) && first != text(1, 1));
}

#[test]
fn the_model_event_has_the_size_of_the_real_one() {
    for seed in 1..=8 {
        let play = played(seed, 0);
        let seen: BTreeSet<u32> = play.course.actions.iter().map(|action| action.device).collect();
        assert!((1_700..2_300).contains(&seen.len()), "seed {seed}: {} devices", seen.len());
        assert!((900..=1_100).contains(&play.people_peak), "seed {seed}: {} people", play.people_peak);
        assert!(play.course.turned_away > 0, "seed {seed}: nobody turned away");
        let laptops = play.course.devices.iter().filter(|device| device.kind == CourseDeviceKind::Laptop).count();
        let share = laptops as f64 / play.course.devices.len() as f64;
        assert!((0.3..0.5).contains(&share), "seed {seed}: {share} are laptops");
    }
}

#[test]
fn people_come_again_with_the_same_devices() {
    let course = played(1, 0).course;
    let day_of = |at: Timestamp| course.spans.iter().position(|span| at <= span.1).unwrap();
    let mut days: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for action in &course.actions {
        days.entry(action.device).or_default().insert(day_of(action.at));
    }
    let twice = days.values().filter(|days| days.contains(&2) && days.contains(&3)).count();
    let last = days.values().filter(|days| days.contains(&3)).count();
    assert!(twice * 10 > last * 8, "{twice} of {last}");
    assert_eq!(course.spans.len(), 4);
}

#[test]
fn days_without_talks_have_people_in_rooms() {
    let plan = model_event();
    let course = played(1, 0).course;
    let in_talk_rooms = |day: usize| {
        let span = course.spans[day];
        let points = course.occupancy.iter().filter(|point| (span.0..=span.1).contains(&point.at));
        points
            .filter(|point| plan.rooms[point.room as usize].kind == plan::RoomKind::Talk)
            .map(|point| point.people)
            .max()
    };
    assert!(in_talk_rooms(0) > Some(0) && in_talk_rooms(1) > Some(20), "{:?} {:?}", in_talk_rooms(0), in_talk_rooms(1));
}

/// In a room that never fills, the mean stay follows from occupancy and people (Little's law), and devices are on the
/// network for most of it.
#[test]
fn in_an_unbounded_room_stays_and_time_on_the_network_agree() {
    let plan = plan_of(&one_room(400, 1_000, 1_000, 1.0));
    let play = play(&plan, Seed { seed: 3, run: 0 });
    assert_eq!(play.course.turned_away, 0);
    let mut present = 0_i64;
    let mut device_seconds = 0.0;
    let mut last = Timestamp::EPOCH;
    for action in &play.course.actions {
        device_seconds += present as f64 * action.at.since(last).as_secs_f64();
        last = action.at;
        present += match action.act {
            Act::Associate(_) => 1,
            Act::Leave => -1,
            Act::Roam(_) => 0,
        };
    }
    let people_seconds: f64 = play.course.occupancy.iter().map(|point| f64::from(point.people) * 300.0).sum();
    let mean_stay = people_seconds / f64::from(play.course.people) / 3_600.0;
    assert!((4.0..7.5).contains(&mean_stay), "people stay {mean_stay} h of 8");
    // One device each: phones nearly all the time, laptops during sessions mostly.
    let share = device_seconds / people_seconds;
    assert!((0.75..1.0).contains(&share), "{share} of the time on the network");
}

#[test]
fn nobody_comes_and_nothing_happens() {
    for text in [one_room(0, 10, 0, 1.6), one_room(50, 10, 0, 0.0)] {
        let play = play(&plan_of(&text), Seed { seed: 1, run: 0 });
        assert!(play.course.actions.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_small_crowd_is_sound(people in 0_u32..120, seats in 0_u32..60, standing in 0_u32..20, devices in 0.0_f64..4.0, seed: u64, run in 0_u32..3) {
        let plan = plan_of(&one_room(people, seats, standing, devices));
        let play = play(&plan, Seed { seed, run });
        check_course(&play.course)?;
        check_rooms(&plan, &play)?;
    }
}
