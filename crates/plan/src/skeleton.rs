//! Plans to start from: an empty one with comments, one from a timetable, or last year's with its dates moved.

mod shift;

use jiff::{ToSpan, civil};

use crate::{Problem, SourceFile, build::hour, timetable};

pub use shift::shifted;

const EVENT: &str = include_str!("skeleton/event.toml");
const VENUE: &str = include_str!("skeleton/venue.toml");
const NETWORK: &str = include_str!("skeleton/network.toml");

/// Access points on one switch, so that their power stays below four fifths of what it can give.
const ACCESS_POINTS_PER_SWITCH: usize = 14;

/// Rooms of a timetable that get gear in the skeleton.
const ROOMS_MAX: usize = 200;

/// A small plan for an event of that name, with comments; it loads and passes `check` as it is.
pub fn files(name: &str) -> Vec<SourceFile> {
    vec![
        file("event.toml", &EVENT.replace("@NAME@", &quoted(name))),
        file("venue.toml", VENUE),
        file("network.toml", NETWORK),
    ]
}

/// A plan with the rooms and days of a timetable, which it holds too. `name` is the timetable's file name; its ending
/// says its form. Errors: the first thing that cannot be read.
pub fn from_timetable(name: &str, bytes: &[u8]) -> Result<Vec<SourceFile>, Problem> {
    let found = timetable::skeleton(name, bytes, FIRST_DAY).map_err(first)?;
    if found.rooms.is_empty() || found.days.is_empty() {
        let says = "has no entry with day, room and hours".to_owned();
        let remedy = "export the timetable when its hours are known".to_owned();
        return Err(Problem { at: model::Place::file(name), says, remedy });
    }
    let kept = match name.rsplit('.').next() {
        Some("xml") => "schedule.xml",
        Some("json") => "schedule.json",
        _ => "timetable.csv",
    };
    Ok(vec![
        file("event.toml", &event_of(&found)),
        file("venue.toml", &venue_of(&found)),
        file("network.toml", &network_of(&found)),
        SourceFile { name: kept.into(), bytes: bytes.to_vec() },
    ])
}

/// Day 1 of timetables that number their days instead of dating them.
const FIRST_DAY: civil::Date = civil::date(2026, 5, 16);

fn event_of(found: &timetable::Skeleton) -> String {
    let name = quoted(found.name.as_deref().unwrap_or("My event"));
    let zone = quoted(found.time_zone.as_deref().unwrap_or("Asia/Tokyo"));
    let people = found.rooms.len().min(ROOMS_MAX) * 30;
    let mut text = format!(
        "version = 1\n\n[event]\nname = \"{name}\"\ntimezone = \"{zone}\"            # of the venue: correct it\n\
         people = {people}                        # a guess: correct it\n"
    );
    for day in &found.days {
        let doors =
            if day.first.hour() == 0 { civil::Time::midnight() } else { civil::time(day.first.hour() - 1, 0, 0, 0) };
        let (doors, close) = (hour(doors), hour(day.last));
        text += &format!("\n[[day]]\ndate = \"{}\"\ndoors = \"{doors}\"\nclose = \"{close}\"\n", day.date);
    }
    let erase_on = found.days.last().and_then(|day| day.date.checked_add(6.weeks()).ok());
    if let Some(date) = erase_on {
        text += &format!("\n[privacy]\nerase_on = \"{date}\"            # when attendees' data is erased\n");
    }
    text
}

fn venue_of(found: &timetable::Skeleton) -> String {
    let mut text = "# Rooms as the timetable names them; seats are a guess: correct them.\n".to_owned();
    for room in found.rooms.iter().take(ROOMS_MAX) {
        let (id, name) = (&room.id, quoted(&room.name));
        text += &format!("\n[[room]]\nid = \"{id}\"\nname = \"{name}\"\nfloor = \"1F\"\nseats = 40\n");
    }
    text + "\n[[room]]\nid = \"noc-room\"\nname = \"NOC\"\nfloor = \"1F\"\nkind = \"noc\"\n"
}

fn network_of(found: &timetable::Skeleton) -> String {
    let mut text = NETWORK_OF_TIMETABLE.to_owned();
    let rooms = found.rooms.iter().take(ROOMS_MAX).collect::<Vec<_>>();
    for (index, rooms) in rooms.chunks(ACCESS_POINTS_PER_SWITCH).enumerate() {
        let switch = index + 1;
        let hangs_on = if index == 0 { "edge:1".to_owned() } else { format!("sw-{index}:22") };
        text += &format!(
            "\n[device.sw-{switch}]\nmodel = \"generic-switch-24-poe\"\nroom = \"noc-room\"\naddress = \"10.20.0.{}\"\n\
             connects = \"{hangs_on}\"\n",
            10 + switch
        );
        for (port, room) in rooms.iter().enumerate() {
            let number = index * ACCESS_POINTS_PER_SWITCH + port;
            let channel = CHANNELS[number % CHANNELS.len()];
            text += &format!(
                "\n[device.ap-{}]\nmodel = \"generic-ap-ax\"\nroom = \"{}\"\naddress = \"10.20.1.{}\"\n\
                 connects = \"sw-{switch}:{}\"\nchannels = {{ \"5GHz\" = {channel} }}\n",
                number + 1,
                room.id,
                number + 1,
                port + 1
            );
        }
    }
    text
}

/// Channels of 5 GHz, 20 MHz wide, that are given out in turn.
const CHANNELS: [u16; 8] = [36, 40, 44, 48, 52, 56, 60, 64];

const NETWORK_OF_TIMETABLE: &str = include_str!("skeleton/network_of_timetable.toml");

/// Text inside a TOML basic string.
fn quoted(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(200)
        .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
        .collect()
}

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.into(), bytes: text.as_bytes().to_vec() }
}

fn first(problems: Vec<Problem>) -> Problem {
    let unknown = Problem { at: model::Place::file(""), says: "cannot be read".into(), remedy: String::new() };
    problems.into_iter().next().unwrap_or(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skeletons_load_whatever_the_name() {
        for name in ["My event", "quote \" and \\ backslash", "日本語\n", ""] {
            let files = files(if name.is_empty() { "event" } else { name });
            let plan = crate::load(&files, &[]).unwrap();
            assert!(plan.notes.is_empty());
            assert_eq!(plan.access_points().count(), 2);
        }
    }

    #[test]
    fn a_timetable_makes_a_plan_that_holds_it() {
        let xml = include_bytes!("../tests/data/schedule.xml");
        let plan = crate::load(&from_timetable("schedule.xml", xml).unwrap(), &[]).unwrap();
        assert_eq!(plan.timetable.as_ref().map(Vec::len), Some(3));
        assert_eq!(plan.event.name, "Kamata meetup");
        assert_eq!(plan.notes, []);
        assert!(from_timetable("schedule.json", b"[]").is_err());
    }
}
