//! How fast one source may ask: token buckets in a table of fixed size.

use std::{
    hash::{BuildHasher, Hash},
    net::Ipv4Addr,
    time::Duration,
};

use foldhash::{SharedSeed, quality::SeedableRandomState};
use model::Timestamp;

use crate::counters::Drop;

/// Buckets that one source may be kept in; the others on its shelf belong to sources with a like hash.
const SHELF: usize = 4;
/// Shelves of a table, a power of two.
const SHELVES: usize = 16_384;

/// One bucket for each source, up to [`Self::BUCKETS`]. One look takes constant time, whoever floods.
///
/// A source without a bucket takes over the one that is most rested. Full ones hold nothing worth keeping; when none
/// is full the newcomer goes on with what its predecessor left. So made-up sources gain nothing by their number
/// beyond one rate for each bucket, and the seed keeps them from choosing whose bucket they take.
#[derive(Clone, Debug)]
pub(crate) struct TokenBuckets {
    shelves: Vec<[Bucket; SHELF]>,
    /// Time that one token stands for.
    token: Duration,
    /// Time that a full bucket stands for.
    burst: Duration,
    hasher: SeedableRandomState,
}

/// When a bucket will be full again, which says how much is in it now (the "virtual scheduling" form of ITU-T I.371).
#[derive(Clone, Copy, Debug)]
struct Bucket {
    source: u32,
    full_at: Timestamp,
}

impl TokenBuckets {
    /// Sources told apart at one time.
    #[cfg(test)]
    pub(crate) const BUCKETS: usize = SHELVES * SHELF;

    /// Full buckets of `burst` tokens, one at least, that gain `rate` tokens in a second, one at least.
    pub(crate) fn new(rate: u32, burst: u32, seed: u64) -> Self {
        Self::every(Duration::from_secs(1) / rate.max(1), burst, seed)
    }

    /// Full buckets of `burst` tokens, one at least, that gain one in each `token` of time.
    fn every(token: Duration, burst: u32, seed: u64) -> Self {
        let token = token.max(Duration::from_nanos(1));
        Self {
            shelves: vec![[Bucket { source: 0, full_at: Timestamp::EPOCH }; SHELF]; SHELVES],
            token,
            burst: token.saturating_mul(burst.max(1)),
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
        }
    }

    /// Takes a token of the source's; false when its bucket is empty.
    pub(crate) fn take(&mut self, source: impl Hash, now: Timestamp) -> bool {
        let (shelf, source) = self.place(source);
        let index = index_of(&self.shelves[shelf], source);
        let before = self.shelves[shelf][index].full_at;
        let after = self.full_after(before, now);
        let full_at = after.unwrap_or_else(|| before.clamp(now, now + self.burst));
        self.shelves[shelf][index] = Bucket { source, full_at };
        after.is_some()
    }

    /// True when the source could take a token.
    pub(crate) fn has_one(&self, source: impl Hash, now: Timestamp) -> bool {
        let (shelf, source) = self.place(source);
        let shelf = &self.shelves[shelf];
        self.full_after(shelf[index_of(shelf, source)].full_at, now).is_some()
    }

    /// When a bucket is full again after a token was taken of it at `now`; `None` when it has none.
    fn full_after(&self, full_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        // The second bound is for a clock that stepped back: an empty bucket fills from now on.
        let after = full_at.clamp(now, now + self.burst) + self.token;
        Some(after).filter(|after| after.since(now) <= self.burst)
    }

    /// Index of the source's shelf, and what it is called there.
    fn place(&self, source: impl Hash) -> (usize, u32) {
        let hash = self.hasher.hash_one(source);
        let [shelf, source] = [hash >> 32, hash & u64::from(u32::MAX)];
        (usize::try_from(shelf).unwrap_or(0) % SHELVES, u32::try_from(source).unwrap_or(0))
    }
}

/// The source's own bucket, else the one that is most rested.
fn index_of(shelf: &[Bucket; SHELF], source: u32) -> usize {
    let own = shelf.iter().position(|bucket| bucket.source == source);
    let most_rested = || (0..SHELF).min_by_key(|&index| shelf[index].full_at).unwrap_or(0);
    own.unwrap_or_else(most_rested)
}

/// Who sends a message, from the nearest to the farthest that can be told.
pub(crate) struct Source<'a> {
    /// Hardware address, or who asks by leasequery.
    pub(crate) client: &'a [u8],
    /// Remote id and circuit id as its relay agent gives them.
    pub(crate) circuit: Option<(&'a [u8], &'a [u8])>,
    pub(crate) ingress: Ingress,
}

/// Where messages come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Ingress {
    Relay(Ipv4Addr),
    Interface(u32),
}

impl Ingress {
    pub(crate) fn of(giaddr: Ipv4Addr, interface: u32) -> Self {
        if giaddr.is_unspecified() { Self::Interface(interface) } else { Self::Relay(giaddr) }
    }
}

/// How fast a client, its port and its relay agent may send. Hardware addresses are made up for nothing, ports are not:
/// so a flood is stopped at its port, before it costs its relay agent's share, and that before others pay.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    clients: TokenBuckets,
    circuits: TokenBuckets,
    ingresses: TokenBuckets,
}

impl Rates {
    /// A port may send as fast as so many clients together: an access point that comes back brings all of its own.
    pub(crate) const CLIENTS_PER_CIRCUIT: u32 = 32;
    /// The same for a relay agent or an interface.
    pub(crate) const CLIENTS_PER_INGRESS: u32 = 1_024;
    /// A burst is four seconds' worth: a client that starts sends a few messages at once.
    pub(crate) const BURST_SECONDS: u32 = 4;

    /// `rate`: messages in a second from one client.
    pub(crate) fn new(rate: u32, seed: u64) -> Self {
        let buckets = |clients: u32| {
            let rate = rate.saturating_mul(clients);
            TokenBuckets::new(rate, rate.saturating_mul(Self::BURST_SECONDS), seed)
        };
        let (circuits, ingresses) = (buckets(Self::CLIENTS_PER_CIRCUIT), buckets(Self::CLIENTS_PER_INGRESS));
        Self { clients: buckets(1), circuits, ingresses }
    }

    /// Takes a token of each; the error says whose bucket is empty. A client without one costs the others nothing: one
    /// that goes in circles must not use up what is for all behind its port or relay agent.
    pub(crate) fn admit(&mut self, source: &Source<'_>, now: Timestamp) -> Result<(), Drop> {
        if !self.clients.has_one(source.client, now) {
            return Err(Drop::OverRate);
        }
        if let Some(circuit) = source.circuit
            && !self.circuits.take((source.ingress, circuit), now)
        {
            return Err(Drop::OverCircuitRate);
        }
        if !self.ingresses.take(source.ingress, now) {
            return Err(Drop::OverIngressRate);
        }
        if self.clients.take(source.client, now) { Ok(()) } else { Err(Drop::OverRate) }
    }
}

/// Declines of clients that no circuit is known of.
#[derive(Clone, Debug)]
pub(crate) struct DirectDeclines {
    clients: TokenBuckets,
    ingresses: TokenBuckets,
}

impl DirectDeclines {
    /// An interface or relay agent may decline as much as so many clients together, however many it makes up.
    pub(crate) const CLIENTS_PER_INGRESS: u32 = 4;

    /// `max`: declines in an hour of one client.
    pub(crate) fn new(max: u32, seed: u64) -> Self {
        let buckets = |max: u32| TokenBuckets::every(Duration::from_secs(3_600) / max.max(1), max, seed);
        Self { clients: buckets(max), ingresses: buckets(max.saturating_mul(Self::CLIENTS_PER_INGRESS)) }
    }

    /// Takes a token of each; false when one has none left.
    pub(crate) fn may_decline(&mut self, client: &[u8], ingress: Ingress, now: Timestamp) -> bool {
        self.clients.take(client, now) && self.ingresses.take(ingress, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_secs(1_568_595_600) + Duration::from_millis(millis)
    }

    /// How many of `count` asked for at once are given.
    fn taken(buckets: &mut TokenBuckets, source: u32, count: usize, now: Timestamp) -> usize {
        (0..count).filter(|_| buckets.take(source, now)).count()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut buckets = TokenBuckets::new(10, 5, 1);
        for (millis, want) in [(0, 5), (99, 0), (100, 1), (150, 0), (400, 3), (60_000, 5), (60_000, 0), (60_200, 2)] {
            assert_eq!(taken(&mut buckets, 7, 20, at(millis)), want, "after {millis} ms");
        }
        assert_eq!(taken(&mut buckets, 8, 20, at(60_200)), 5, "another source has its own");
    }

    #[test]
    fn odd_rates() {
        for (rate, burst, want) in [(0, 0, 1), (1, 1, 1), (u32::MAX, 1, 1), (3, 3, 3), (7, 1_000, 1_000)] {
            let mut buckets = TokenBuckets::new(rate, burst, 1);
            assert_eq!(taken(&mut buckets, 1, 2_000, at(0)), want, "{rate} {burst}");
        }
    }

    /// A clock that steps back does not shut a source out until it has caught up, nor gives it more than a burst.
    #[test]
    fn the_clock_may_step() {
        let mut buckets = TokenBuckets::new(10, 5, 1);
        let hour = 3_600_000;
        assert_eq!(taken(&mut buckets, 7, 20, at(hour)), 5);
        assert_eq!(taken(&mut buckets, 7, 20, at(0)), 0);
        assert_eq!(taken(&mut buckets, 7, 20, at(200)), 2);
        assert_eq!(taken(&mut buckets, 7, 20, at(2 * hour)), 5);
    }

    /// Sources that are quiet are served during a flood by more sources than there are buckets; the flood as a whole
    /// gets no more than all buckets hold.
    #[test]
    fn a_flood_of_sources_is_bounded() {
        let mut buckets = TokenBuckets::new(1, 2, 1);
        let count = u32::try_from(TokenBuckets::BUCKETS * 4).unwrap();
        let given: usize = (0..count).map(|source| taken(&mut buckets, source, 3, at(0))).sum();
        assert!((TokenBuckets::BUCKETS..=TokenBuckets::BUCKETS * 2).contains(&given), "{given}");
        assert_eq!(buckets.shelves.len() * SHELF, 65_536);
        let served = (0..1_000).filter(|source| buckets.take(source + count, at(2_000))).count();
        assert_eq!(served, 1_000);
    }
}
