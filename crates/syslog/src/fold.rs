use std::{hash::BuildHasher, time::Duration};

use foldhash::fast::FixedState;
use model::{LogRecord, LogRef, Timestamp};

/// The bounds of [`Folder`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoldLimits {
    /// The same line is kept so many times within [`FoldLimits::window`] before it is folded.
    pub kept: u32,
    /// A line that was not seen for so long is a new one.
    pub window: Duration,
    /// While a line goes on, its count is written at most this much later.
    pub summary_interval: Duration,
    /// Different lines that are watched at one time, a power of two; others are kept as they are.
    pub lines_max: usize,
    /// Longer lines are kept as they are, in octets.
    pub octets_max: usize,
}

impl Default for FoldLimits {
    fn default() -> Self {
        Self {
            kept: 10,
            window: Duration::from_secs(10),
            summary_interval: Duration::from_secs(5),
            lines_max: 4_096,
            octets_max: 2_048,
        }
    }
}

/// Folds lines that repeat, so that a looping switch does not bury the rest.
///
/// Lines are the same when sender, host, program, severity and message are; the time and number that a device puts in
/// front do not matter. The first few are kept; the rest are counted, and one line in a while says how many there were:
/// `(repeated 4711 times) MESSAGE`, with everything else as in the line itself, but for its raw form:
/// nobody sent this one.
///
/// ```text
///   first seen --kept times--> folding --every summary_interval, or flush--> a line with the count
///       ^                        |
///       +---- window without it -+
/// ```
/// Memory: [`FoldLimits::lines_max`] times [`FoldLimits::octets_max`], twice.
#[derive(Debug)]
pub struct Folder {
    limits: FoldLimits,
    hasher: FixedState,
    /// By the low bits of the line's hash. A line whose slot another one holds is not watched.
    slots: Vec<Slot>,
    /// Slots that have counted lines to tell of.
    pending: Vec<usize>,
    folded: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    hash: u64,
    seen: Timestamp,
    count: u32,
    /// Lines folded since the last summary, and one of them.
    folded: u64,
    since: Timestamp,
    line: Option<Box<LogRecord>>,
}

impl Folder {
    /// Watches nothing yet. `seed` keeps senders from choosing lines that fall together.
    pub fn new(limits: FoldLimits, seed: u64) -> Self {
        let empty = Slot { hash: 0, seen: Timestamp::EPOCH, count: 0, folded: 0, since: Timestamp::EPOCH, line: None };
        Self {
            limits,
            hasher: FixedState::with_seed(seed),
            slots: vec![empty; limits.lines_max.next_power_of_two()],
            pending: Vec::new(),
            folded: 0,
        }
    }

    /// True when `record` was folded: it is counted, and a later summary tells of it. Otherwise it is to be kept.
    pub fn fold(&mut self, record: &LogRef<'_>) -> bool {
        if record.raw.len() > self.limits.octets_max {
            return false;
        }
        let now = record.received;
        let severity = record.severity.map(|severity| severity.number());
        let key = (record.source.ip(), severity, &*record.host, &*record.app, &*record.message);
        let hash = self.hasher.hash_one(key);
        let index = hash as usize & (self.slots.len() - 1);
        let slot = &mut self.slots[index];
        // Threads that receive may be a little apart; after a jump back of the clock the line is a new one.
        let gap = if now < slot.seen { slot.seen.since(now) } else { now.since(slot.seen) };
        let is_over = gap > self.limits.window;
        if slot.hash != hash || is_over {
            // Counts that nobody was told of stay until they are; a line that is being folded keeps its slot.
            let is_free = slot.folded == 0 && (is_over || slot.count <= self.limits.kept);
            if is_free {
                *slot = Slot { hash, seen: now, count: 1, folded: 0, since: now, line: None };
            }
            return false;
        }
        slot.seen = now;
        slot.count = slot.count.saturating_add(1);
        if slot.count <= self.limits.kept {
            return false;
        }
        if slot.folded == 0 {
            slot.since = now;
            slot.line = Some(Box::new(record.clone().into()));
            self.pending.push(index);
        }
        slot.folded += 1;
        self.folded += 1;
        true
    }

    /// Summaries that are due: of lines folded for [`FoldLimits::summary_interval`], or of all with `is_final`. Call it
    /// often; costs nothing when nothing is folded.
    pub fn summaries(&mut self, now: Timestamp, is_final: bool) -> Vec<LogRecord> {
        let (mut due, interval) = (Vec::new(), self.limits.summary_interval);
        let slots = &mut self.slots;
        self.pending.retain(|&index| {
            let slot = &mut slots[index];
            if !is_final && slot.since <= now && now.since(slot.since) < interval {
                return true;
            }
            due.extend(slot.line.take().map(|line| summary(*line, slot.seen, slot.folded)));
            slot.folded = 0;
            false
        });
        due
    }

    /// Lines that were to be kept were not: every line is a new one again. Counts that nobody was told of stay.
    pub fn begin_anew(&mut self) {
        for slot in &mut self.slots {
            slot.count = 0;
        }
    }

    /// Lines folded so far.
    pub fn folded(&self) -> u64 {
        self.folded
    }
}

/// The line again, received when it was last seen, its message with the count in front.
fn summary(mut line: LogRecord, seen: Timestamp, count: u64) -> LogRecord {
    line.received = seen;
    line.message = format!("(repeated {count} times) {}", line.message);
    // This line nobody sent; searching finds it by its message.
    line.raw.clear();
    line
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use jiff::tz::TimeZone;
    use model::Transport;
    use proptest::prelude::*;

    use super::*;
    use crate::{Context, parse};

    fn line(second: i64, text: &str) -> LogRecord {
        let source = SocketAddr::from(([192, 0, 2, 1], 514));
        parse(Timestamp::from_secs(second), source, Transport::Udp, text.as_bytes(), &Context::new(TimeZone::UTC))
    }

    fn folds(folder: &mut Folder, record: &LogRecord) -> bool {
        folder.fold(&record.into())
    }

    /// How many times a summary says that its line was repeated.
    fn told(summaries: &[LogRecord]) -> u64 {
        let count = |record: &LogRecord| -> Option<u64> {
            record.message.strip_prefix("(repeated ")?.split(' ').next()?.parse().ok()
        };
        summaries.iter().filter_map(count).sum()
    }

    #[test]
    fn a_hundred_thousand_same_lines_become_a_few_and_the_rest_is_seen() {
        let mut folder = Folder::new(FoldLimits::default(), 7);
        let (mut kept, mut others, mut summaries) = (0, 0, Vec::new());
        for number in 0..100_000_i64 {
            let second = number / 1_000;
            let looping = line(
                second,
                &format!(
                    "<187>{number}: Sep 16 10:00:00.{:03}: %SW_MATM-4-MACFLAP_NOTIF: Host 0200.5e00.5301 in vlan 10 is flapping",
                    number % 1_000
                ),
            );
            kept += u64::from(!folds(&mut folder, &looping));
            if number % 1_000 == 0 {
                others += u64::from(!folds(&mut folder, &line(second, &format!("<189>x: line {number}"))));
            }
            summaries.extend(folder.summaries(Timestamp::from_secs(second), false));
        }
        summaries.extend(folder.summaries(Timestamp::from_secs(100), true));
        assert_eq!((kept, others), (10, 100));
        assert_eq!((kept + told(&summaries), folder.folded()), (100_000, 100_000 - kept));
        assert!(summaries.len() <= 22, "{}", summaries.len());
        let first = &summaries[0];
        assert_eq!(first.app, "%SW_MATM-4-MACFLAP_NOTIF");
        assert!(first.message.ends_with("is flapping") && first.raw.is_empty(), "{first:?}");
    }

    #[test]
    fn lines_that_differ_or_come_seldom_are_kept() {
        let mut folder = Folder::new(FoldLimits::default(), 7);
        assert!((0..1_000).all(|number| !folds(&mut folder, &line(0, &format!("<13>x: {number}")))));
        assert!((0..100).all(|number| !folds(&mut folder, &line(1_000 + number * 11, "<13>x: once in a while"))));
        let long = format!("<13>x: {}", "y".repeat(3_000));
        assert!((0..100).all(|_| !folds(&mut folder, &line(9_000, &long))));
        // A clock that was set back begins anew.
        assert!((0..100).all(|number| !folds(&mut folder, &line(9_000 - number * 11, "<13>x: set back"))));
    }

    #[test]
    fn lines_that_were_not_kept_are_not_folded() {
        let mut folder = Folder::new(FoldLimits { kept: 2, ..FoldLimits::default() }, 7);
        let same = line(0, "<13>x: same");
        let folds_of = |folder: &mut Folder, count: usize| (0..count).filter(|_| folds(folder, &same)).count();
        assert_eq!(folds_of(&mut folder, 2), 0);
        folder.begin_anew();
        assert_eq!((folds_of(&mut folder, 2), folds_of(&mut folder, 3)), (0, 3));
        folder.begin_anew();
        assert_eq!(folds_of(&mut folder, 2), 0);
        assert_eq!(told(&folder.summaries(Timestamp::from_secs(0), true)), 3);
    }

    #[test]
    fn the_same_words_of_another_device_are_another_line() {
        let mut folder = Folder::new(FoldLimits { kept: 1, ..FoldLimits::default() }, 7);
        let here = line(0, "<13>x: same");
        let mut there = here.clone();
        there.source = SocketAddr::from(([192, 0, 2, 2], 514));
        assert_eq!([&here, &there, &here, &there].map(|line| folds(&mut folder, line)), [false, false, true, true]);
    }

    proptest! {
        #[test]
        fn no_line_goes_uncounted(script in prop::collection::vec((0_u8..6, 0_i64..8, any::<bool>()), 0..400)) {
            let limits = FoldLimits { kept: 2, lines_max: 2, ..FoldLimits::default() };
            let (mut folder, mut second, mut seen) = (Folder::new(limits, 7), 0, 0);
            for (which, wait, looks) in &script {
                second += wait;
                seen += u64::from(!folds(&mut folder, &line(second, &format!("<13>x: {which}"))));
                if *looks {
                    seen += told(&folder.summaries(Timestamp::from_secs(second), false));
                }
            }
            seen += told(&folder.summaries(Timestamp::from_secs(second), true));
            prop_assert_eq!(seen, script.len() as u64);
        }
    }
}
