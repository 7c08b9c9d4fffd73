//! Who asks most, and for what, in bounded memory: for an operator who looks for a loop or a misbehaving client. Off unless
//! the plan says otherwise, and forgotten after an hour: names and addresses say much about people.

use std::{collections::HashMap, hash::Hash, net::IpAddr, time::Duration};

use foldhash::fast::RandomState;
use model::Timestamp;

/// Things that are told apart at one time; what makes up less than one in so many questions may be missing.
const KEPT: usize = 1_000;
/// After so long counting begins anew.
const PERIOD: Duration = Duration::from_secs(3_600);

/// Counts of the most frequent of many things (Misra and Gries 1982, in batches; sums of two are as good as one: Agarwal
/// and others 2012).
#[derive(Clone)]
struct Frequent<K> {
    counts: HashMap<K, u64, RandomState>,
    /// What was taken off every count so far, so how much each may be too low.
    taken_off: u64,
}

impl<K> Default for Frequent<K> {
    fn default() -> Self {
        Self { counts: HashMap::default(), taken_off: 0 }
    }
}

impl<K: Hash + Eq + Clone> Frequent<K> {
    fn count<Q>(&mut self, key: &Q)
    where
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        K: std::borrow::Borrow<Q>,
    {
        if let Some(count) = self.counts.get_mut(key) {
            *count += 1;
            return;
        }
        self.counts.insert(key.to_owned(), 1);
        self.shrink();
    }

    /// With twice as many as are kept, takes the count of the last to be kept off all, and drops those without any left.
    fn shrink(&mut self) {
        if self.counts.len() < 2 * KEPT {
            return;
        }
        let mut counts: Vec<u64> = self.counts.values().copied().collect();
        let (_, least, _) = counts.select_nth_unstable_by(KEPT, |a, b| b.cmp(a));
        let least = *least;
        self.taken_off += least;
        self.counts.retain(|_, count| {
            *count = count.saturating_sub(least);
            *count > 0
        });
    }

    fn add(&mut self, other: &Self) {
        for (key, count) in &other.counts {
            *self.counts.entry(key.clone()).or_default() += count;
        }
        self.taken_off += other.taken_off;
        self.shrink();
    }

    fn first(&self, most: usize) -> Vec<(K, u64)>
    where
        K: Ord,
    {
        let mut all: Vec<(K, u64)> = self.counts.iter().map(|(key, count)| (key.clone(), *count)).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(most);
        all
    }
}

/// What one thread has seen.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    since: Option<Timestamp>,
    names: Frequent<Vec<u8>>,
    clients: Frequent<IpAddr>,
    questions: u64,
}

/// The most frequent names and clients.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Top {
    /// Since when was counted; `None` when nothing was.
    pub since: Option<Timestamp>,
    /// Questions counted.
    pub questions: u64,
    /// Names asked for, and at least how often.
    pub names: Vec<(String, u64)>,
    /// Clients, and at least how often they asked.
    pub clients: Vec<(IpAddr, u64)>,
    /// How much each count may be too low.
    pub missing: u64,
}

impl Seen {
    /// A client asks for a name, in wire form.
    pub(crate) fn count(&mut self, now: Timestamp, client: IpAddr, name: &[u8]) {
        if self.since.is_none_or(|since| now < since || now.since(since) >= PERIOD) {
            *self = Self { since: Some(now), ..Self::default() };
        }
        self.questions += 1;
        self.names.count(&name.to_ascii_lowercase()[..]);
        self.clients.count(&client.to_canonical());
    }

    /// Takes in what another thread has seen.
    pub(crate) fn add(&mut self, now: Timestamp, other: &Self) {
        let Some(since) = other.since.filter(|since| now < *since || now.since(*since) < PERIOD) else { return };
        self.since = Some(self.since.map_or(since, |own| own.min(since)));
        self.questions += other.questions;
        self.names.add(&other.names);
        self.clients.add(&other.clients);
    }

    /// The first `most` of each.
    pub(crate) fn top(&self, most: usize) -> Top {
        let text = |(name, count): (Vec<u8>, u64)| (crate::explain::text(&name), count);
        Top {
            since: self.since,
            questions: self.questions,
            names: self.names.first(most).into_iter().map(text).collect(),
            clients: self.clients.first(most),
            missing: self.names.taken_off.max(self.clients.taken_off),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    /// However many strangers come, who makes up a tenth of all questions is found, and memory stays bounded.
    #[test]
    fn the_frequent_are_found_among_many() {
        let mut seen = [Seen::default(), Seen::default()];
        let address = |number: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number));
        for number in 0..100_000_u32 {
            let thread = &mut seen[number as usize % 2];
            if number % 10 == 0 || number % 10 == 3 {
                thread.count(NOW, address(7), b"\x04LOUD\x07example\0");
            }
            let name = format!("\x06{number:06}\x07example\0");
            thread.count(NOW, address(100 + number), name.as_bytes());
            assert!(thread.names.counts.len() <= 2 * KEPT);
        }
        let mut all = Seen::default();
        seen.iter().for_each(|thread| all.add(NOW, thread));
        let top = all.top(3);
        assert_eq!((top.questions, top.names.len()), (120_000, 3));
        let (name, count) = &top.names[0];
        assert_eq!(name, "loud.example.");
        assert!(*count <= 20_000 && count + top.missing >= 20_000, "{count} + {}", top.missing);
        assert!(top.missing <= 120_000 / KEPT as u64 * 2, "{}", top.missing);
        assert_eq!(top.clients[0].0, address(7));
        // After an hour nothing is left of it.
        let later = NOW + PERIOD;
        let mut none = Seen::default();
        none.add(later, &seen[0]);
        assert_eq!(none.top(3), Top::default());
        seen[0].count(later, address(1), b"\0");
        assert_eq!(seen[0].top(9).names, [(".".to_owned(), 1)]);
    }
}
