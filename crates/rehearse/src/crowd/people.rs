//! Who comes on which day, when, and with which devices.

use std::{collections::BTreeSet, ops::Range};

use model::{HostName, Mac};
use plan::{DayKind, Estimate, Plan};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::{
    programme::{MINUTE, Moment, Programme},
    random::{Purpose, Seed, between, happens, log_normal, normal, waiting},
};
use crate::course::{CourseDevice, CourseDeviceKind};

/// People on one day that are simulated at most.
pub(crate) const PEOPLE_MAX: u32 = 100_000;
/// Devices that one person carries at most.
const DEVICES_MAX: f64 = 8.0;
/// Of the people of a day, those who were there on an earlier day too, as far as there are so many.
const RETURNING_SHARE: f64 = 0.92;
/// Share of people who bring a phone, and a laptop, at most; what a person has besides is a phone or tablet.
const OWNER_SHARE_MAX: f64 = 0.95;
/// Phones among the devices when people bring about one each.
const PHONE_SHARE: f64 = 0.7;
/// Devices that say a name (option 12): phones rarely, laptops mostly.
const NAMED_SHARES: (f64, f64) = (0.4, 0.85);
/// Devices that give their address back on leaving.
const RELEASING_SHARE: f64 = 0.03;
/// Spread of DNS queries between devices: nine in ten lie between 1.5 and 20 a minute when the median is 5.
const DNS_SIGMA: f64 = 0.8;
/// 90th percentile of the standard normal distribution: estimates are P10, likely and P90.
const P90: f64 = 1.2816;

/// The crowd of the whole event.
pub(crate) struct People {
    /// Devices of each person, as indexes.
    pub(crate) belongings: Vec<Range<u32>>,
    pub(crate) devices: Vec<CourseDevice>,
    /// Who is there on each day of the plan, by person.
    pub(crate) days: Vec<Vec<u32>>,
}

/// One person's day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hours {
    pub(crate) comes: Moment,
    pub(crate) goes: Moment,
}

impl People {
    pub(crate) fn draw(plan: &Plan, seed: Seed) -> Self {
        let mut estimates = Estimates::new(seed);
        let per_person = estimates.draw(plan.event.devices_per_person, 0.0).clamp(0.0, DEVICES_MAX);
        let mut maker = DeviceMaker {
            random: seed.generator(Purpose::Devices),
            taken: BTreeSet::new(),
            dns_median: plan.crowd.dns_queries_per_minute.max(0.0),
            per_person,
        };
        let mut random = seed.generator(Purpose::People);
        let mut people = Self { belongings: Vec::new(), devices: Vec::new(), days: Vec::new() };
        for day in &plan.days {
            let count = estimates.draw(day.people, COMMON_DEVIATION).round().clamp(0.0, f64::from(PEOPLE_MAX)) as u32;
            let mut present = people.returning(count, &mut random);
            for _ in present.len()..count as usize {
                present.push(people.belongings.len() as u32);
                let belongings = maker.belongings(&mut people.devices);
                people.belongings.push(belongings);
            }
            present.sort_unstable();
            people.days.push(present);
        }
        people
    }

    /// Those of earlier days who come again on a day of `count` people.
    fn returning(&self, count: u32, random: &mut impl Rng) -> Vec<u32> {
        let mut known: Vec<u32> = (0..self.belongings.len() as u32).collect();
        let wanted = (f64::from(count) * RETURNING_SHARE).round() as usize;
        let wanted = wanted.min(known.len());
        for index in 0..wanted {
            let other = random.random_range(index..known.len());
            known.swap(index, other);
        }
        known.truncate(wanted);
        known
    }
}

/// Draws what the plan only estimates. Run 0 takes the likely values.
struct Estimates {
    random: ChaCha8Rng,
    event: f64,
    is_likely: bool,
}

/// How much of the deviation from the likely number of people is common to all days: when more come than was thought
/// on one day, more come on the next. Its square and that of the rest make 1.
const COMMON_DEVIATION: f64 = 0.8;

impl Estimates {
    fn new(seed: Seed) -> Self {
        let mut random = seed.generator(Purpose::Estimates);
        Self { event: normal(&mut random), random, is_likely: seed.run == 0 }
    }

    fn draw(&mut self, estimate: Estimate, common: f64) -> f64 {
        let own = normal(&mut self.random);
        if self.is_likely {
            return estimate.likely;
        }
        let deviation = common * self.event + (1.0 - common * common).sqrt() * own;
        let side = if deviation < 0.0 { estimate.likely - estimate.low } else { estimate.high - estimate.likely };
        (estimate.likely + side * deviation / P90).clamp(estimate.low, estimate.high.max(estimate.low))
    }
}

struct DeviceMaker {
    random: ChaCha8Rng,
    taken: BTreeSet<Mac>,
    dns_median: f64,
    per_person: f64,
}

impl DeviceMaker {
    /// What one more person brings.
    fn belongings(&mut self, devices: &mut Vec<CourseDevice>) -> Range<u32> {
        let phone = (PHONE_SHARE * self.per_person).min(OWNER_SHARE_MAX);
        let laptop = (self.per_person - phone).min(OWNER_SHARE_MAX);
        let more = (self.per_person - phone - laptop).max(0.0);
        let first = devices.len() as u32;
        let mut phones = u32::from(happens(phone, &mut self.random));
        let has_laptop = happens(laptop, &mut self.random);
        phones += more.floor() as u32 + u32::from(happens(more.fract(), &mut self.random));
        for _ in 0..phones {
            let device = self.device(CourseDeviceKind::Phone, devices.len());
            devices.push(device);
        }
        if has_laptop {
            let device = self.device(CourseDeviceKind::Laptop, devices.len());
            devices.push(device);
        }
        first..devices.len() as u32
    }

    fn device(&mut self, kind: CourseDeviceKind, number: usize) -> CourseDevice {
        let mac = loop {
            let mut octets: [u8; 6] = self.random.random();
            octets[0] = (octets[0] & 0xfc) | 0x02;
            if self.taken.insert(Mac(octets)) {
                break Mac(octets);
            }
        };
        let (label, share) = match kind {
            CourseDeviceKind::Phone => ("phone", NAMED_SHARES.0),
            CourseDeviceKind::Laptop => ("laptop", NAMED_SHARES.1),
        };
        let is_named = happens(share, &mut self.random);
        let name = format!("{label}-{number:04}");
        CourseDevice {
            mac,
            kind,
            host_name: if is_named { HostName::sanitise(name.as_bytes()) } else { None },
            dns_queries_per_minute: log_normal(self.dns_median, DNS_SIGMA, &mut self.random) as f32,
            releases: happens(RELEASING_SHARE, &mut self.random),
        }
    }
}

/// Shortest stay worth coming for.
const STAY_MIN: Moment = 20 * MINUTE;
/// Everybody starts for the exit so long before close.
const OUT_BEFORE_CLOSE: Moment = 3 * MINUTE;
/// One person after the other comes through the doors: 2 a second (1.2 to 1.9 for each door leaf).
const ENTRY_INTERVAL: Moment = 500;

/// When each of `count` people comes and goes, by arrival. Most come for the first talk, some later; most stay to
/// the end. On a set-up day they come with the doors.
pub(crate) fn hours(programme: &Programme, kind: DayKind, count: usize, random: &mut impl Rng) -> Vec<Hours> {
    let first = programme.sessions.first().map_or(0, |session| session.starts);
    let mut all: Vec<Hours> = (0..count).map(|_| one_day(programme, kind, first, random)).collect();
    all.sort_by_key(|hours| (hours.comes, hours.goes));
    let interval = ENTRY_INTERVAL.min(programme.close / (4 * count.max(1) as Moment));
    let mut free_at = 0;
    let latest = (programme.close - OUT_BEFORE_CLOSE).max(programme.close / 2);
    for hours in &mut all {
        hours.comes = hours.comes.max(free_at).min(latest - 1);
        free_at = hours.comes + interval;
        hours.goes = hours.goes.max(hours.comes + STAY_MIN).min(latest);
    }
    all
}

fn one_day(programme: &Programme, kind: DayKind, first: Moment, random: &mut impl Rng) -> Hours {
    let close = programme.close as f64;
    let first = if kind == DayKind::Setup { 0 } else { first } as f64;
    let minutes = MINUTE as f64;
    let comes = match random.random::<f64>() {
        share if share < 0.72 => first - log_normal(18.0, 0.6, random) * minutes + waiting(1.5, random) * minutes,
        share if share < 0.92 => between(first, first + 0.3 * (close - first), random),
        _ => between(first, first + 0.6 * (close - first), random),
    };
    let comes = comes.clamp(0.0, 0.75 * close);
    let last = (programme.last_end() as f64).max(comes);
    let goes = match random.random::<f64>() {
        share if share < 0.62 => last + waiting(10.0, random) * minutes,
        share if share < 0.88 => between(comes + 0.6 * (last - comes), last, random),
        _ => between(comes + 0.25 * (last - comes), last, random),
    };
    Hours { comes: comes as Moment, goes: goes as Moment }
}
