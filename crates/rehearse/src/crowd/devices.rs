//! What the devices of a person do while the person goes about: associate, roam, leave.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    choice::choose,
    programme::{MINUTE, Moment, Programme},
    random::{between, happens},
    venue::Venue,
    walker::{Activity, Visit},
};
use crate::course::{Act, Action, CourseDeviceKind};

/// Phones that are off the Wi-Fi (asleep, or on the mobile network) during a visit.
const PHONE_OFF_SHARE: f64 = 0.07;
/// Laptops that are opened during a talk, in a lounge, and in a tutorial, sprint or set-up session.
const LAPTOP_TALK_SHARE: f64 = 0.75;
const LAPTOP_LOUNGE_SHARE: f64 = 0.3;
const LAPTOP_HANDS_ON_SHARE: f64 = 0.95;
/// A laptop is not opened for less.
const LAPTOP_STAY_MIN: Moment = 8 * MINUTE;
/// It takes a device so long to find the network in a new place, seconds.
const FIND_SECONDS: (f64, f64) = (2.0, 25.0);
/// It takes a person so long to open a laptop, and to close it before leaving, seconds.
const OPEN_SECONDS: (f64, f64) = (20.0, 240.0);
const CLOSE_SECONDS: (f64, f64) = (5.0, 60.0);
/// A phone loses the network so long after its owner has left, seconds.
const LOSE_SECONDS: (f64, f64) = (15.0, 90.0);
/// Walks of up to this length do not make a phone leave the network: it roams at the other end.
const ROAM_GAP_MAX: Moment = 6 * MINUTE;

/// A time on the network at one access point.
#[derive(Clone, Copy, Debug)]
struct Stay {
    access_point: u32,
    from: Moment,
    to: Moment,
}

/// Appends what one device does on one day.
pub(crate) fn act(
    device: u32,
    kind: CourseDeviceKind,
    visits: &[Visit],
    (venue, programme): (&Venue, &Programme),
    random: &mut ChaCha8Rng,
    actions: &mut Vec<Action>,
) {
    let mut stays = Vec::new();
    for (index, visit) in visits.iter().enumerate() {
        let next = visits.get(index + 1);
        let stay = match kind {
            CourseDeviceKind::Phone => phone_stay(visit, next, random),
            CourseDeviceKind::Laptop => laptop_stay(visit, programme.is_hands_on, random),
        };
        let access_point = hear(venue, visit, random);
        if let (Some((from, to)), Some(access_point)) = (stay, access_point) {
            let to = to.min(programme.close);
            stays.extend((from < to).then_some(Stay { access_point, from, to }));
        }
    }
    tell(device, &stays, programme, actions);
}

/// From finding the network to losing it, or to finding it in the next place.
fn phone_stay(visit: &Visit, next: Option<&Visit>, random: &mut impl Rng) -> Option<(Moment, Moment)> {
    let is_off = happens(PHONE_OFF_SHARE, random);
    let find = seconds(FIND_SECONDS, random);
    let lose = seconds(LOSE_SECONDS, random);
    let to = match next {
        Some(next) if next.from - visit.to <= ROAM_GAP_MAX => next.from,
        Some(next) => (visit.to + lose).min(next.from),
        None => visit.to + lose,
    };
    let from = (visit.from + find).min(to);
    (!is_off && from < to).then_some((from, to))
}

fn laptop_stay(visit: &Visit, is_hands_on: bool, random: &mut impl Rng) -> Option<(Moment, Moment)> {
    let share = match visit.activity {
        Activity::Talk(_) if is_hands_on => LAPTOP_HANDS_ON_SHARE,
        Activity::Talk(_) => LAPTOP_TALK_SHARE,
        Activity::Mingle => LAPTOP_LOUNGE_SHARE,
    };
    let is_open = happens(share, random) && visit.to - visit.from >= LAPTOP_STAY_MIN;
    let from = visit.from + seconds(OPEN_SECONDS, random);
    let to = visit.to - seconds(CLOSE_SECONDS, random);
    (is_open && from < to).then_some((from, to))
}

/// One of the access points heard, the attractive ones more often.
fn hear(venue: &Venue, visit: &Visit, random: &mut impl Rng) -> Option<u32> {
    let heard = if visit.is_inside { venue.heard(visit.room) } else { venue.heard_outside(visit.room) };
    let weights: Vec<f64> = heard.iter().map(|(_, weight)| *weight).collect();
    choose(&weights, random).map(|chosen| heard[chosen].0)
}

/// Stays in order of time, as actions: one that follows another without a pause is a roam, or nothing at all when
/// the access point is the same. A gap in which the device only looks for the network is no pause.
fn tell(device: u32, stays: &[Stay], programme: &Programme, actions: &mut Vec<Action>) {
    let mut action = |at, act| actions.push(Action { at: programme.timestamp(at), device, act });
    let mut last: Option<Stay> = None;
    for stay in stays {
        match last {
            Some(before) if stay.from - before.to <= (FIND_SECONDS.1 * 1_000.0) as Moment => {
                if before.access_point != stay.access_point {
                    action(stay.from, Act::Roam(stay.access_point));
                }
            }
            Some(before) => {
                action(before.to, Act::Leave);
                action(stay.from, Act::Associate(stay.access_point));
            }
            None => action(stay.from, Act::Associate(stay.access_point)),
        }
        last = Some(*stay);
    }
    if let Some(before) = last {
        action(before.to, Act::Leave);
    }
}

fn seconds((low, high): (f64, f64), random: &mut impl Rng) -> Moment {
    (between(low, high, random) * 1_000.0) as Moment
}
