//! How fast one sender may ask, and how much one circuit may hold: so that one port cannot drain a pool.

use std::{collections::BTreeMap, hash::BuildHasher, hash::Hash, sync::Arc, time::Duration};

use foldhash::quality::FixedState;
use model::{Lease6, Timestamp};

/// What one sender, circuit or relay agent may have; `None` = no limit.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Limits {
    /// Leases at one time behind one circuit (options 18 and 37 together) in one subnet.
    pub leases_per_circuit: Option<u32>,
    /// Leases at one time behind one relay agent that names itself (option 37) in one subnet.
    pub leases_per_relay: Option<u32>,
    /// Messages in a second from one address of a client, with a burst of four times as many.
    pub packets_per_source_per_second: Option<u32>,
}

/// Buckets of a table. A sender shares its bucket with those of a like hash; the seed keeps them from choosing whose.
const BUCKETS: usize = 16_384;
/// A burst is so many seconds' worth: a client that starts sends a few messages at once.
const BURST_SECONDS: u32 = 4;

/// Token buckets in a table of fixed size; one look takes constant time, whoever floods.
#[derive(Debug)]
pub(crate) struct Rates {
    /// When each bucket will be full again, which says how much is in it now.
    full_at: Vec<Timestamp>,
    token: Duration,
    burst: Duration,
    hasher: FixedState,
}

impl Rates {
    /// Full buckets that gain `rate` tokens in a second, one at least.
    pub(crate) fn new(rate: u32, seed: u64) -> Self {
        let token = (Duration::from_secs(1) / rate.max(1)).max(Duration::from_nanos(1));
        let burst = token.saturating_mul(rate.max(1).saturating_mul(BURST_SECONDS));
        Self { full_at: vec![Timestamp::EPOCH; BUCKETS], token, burst, hasher: FixedState::with_seed(seed) }
    }

    /// Takes a token of the sender's; false when its bucket is empty.
    pub(crate) fn take(&mut self, sender: impl Hash, now: Timestamp) -> bool {
        let hash = self.hasher.hash_one(sender);
        let full_at = &mut self.full_at[usize::try_from(hash % BUCKETS as u64).unwrap_or(0)];
        // The second bound is for a clock that stepped back: an empty bucket fills from now on.
        let before = (*full_at).clamp(now, now + self.burst);
        let after = before + self.token;
        let has_one = after.since(now) <= self.burst;
        *full_at = if has_one { after } else { before };
        has_one
    }
}

/// Index of the subnet, remote id, interface id; the last is `None` for the relay agent as a whole.
type Place = (usize, Arc<[u8]>, Option<Arc<[u8]>>);

/// Leases held by circuit and by relay agent. Never larger than twice the leases that are held.
#[derive(Default, Debug)]
pub(crate) struct Circuits {
    held: BTreeMap<Place, u32>,
}

impl Circuits {
    /// The lease begins to be held.
    pub(crate) fn add(&mut self, subnet: usize, lease: &Lease6) {
        for place in places(subnet, &lease.remote_id, &lease.interface_id) {
            *self.held.entry(place).or_default() += 1;
        }
    }

    /// The lease is not held any more.
    pub(crate) fn remove(&mut self, subnet: usize, lease: &Lease6) {
        for place in places(subnet, &lease.remote_id, &lease.interface_id) {
            match self.held.get_mut(&place) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) | None => {
                    self.held.remove(&place);
                }
            }
        }
    }

    /// True when the circuit and its relay agent may hold one more.
    pub(crate) fn has_room(&self, subnet: usize, remote: &Arc<[u8]>, interface: &Arc<[u8]>, limits: &Limits) -> bool {
        places(subnet, remote, interface).all(|place| {
            let max = if place.2.is_some() { limits.leases_per_circuit } else { limits.leases_per_relay };
            max.is_none_or(|max| self.held.get(&place).copied().unwrap_or(0) < max)
        })
    }
}

/// What a lease is charged to: its circuit, and its relay agent when that names itself. A client of our own link has
/// neither.
fn places(subnet: usize, remote: &Arc<[u8]>, interface: &Arc<[u8]>) -> impl Iterator<Item = Place> {
    let has_circuit = !interface.is_empty() || !remote.is_empty();
    let circuit = has_circuit.then(|| (subnet, Arc::clone(remote), Some(Arc::clone(interface))));
    let relay = (!remote.is_empty()).then(|| (subnet, Arc::clone(remote), None));
    circuit.into_iter().chain(relay)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_secs(1_568_595_600) + Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_then_the_rate_and_the_clock_may_step() {
        let mut rates = Rates::new(10, 1);
        let hour = 3_600_000;
        for (millis, want) in [(0, 40), (99, 0), (100, 1), (400, 3), (hour, 40), (0, 0), (200, 2), (2 * hour, 40)] {
            let taken = (0..100).filter(|_| rates.take("one", at(millis))).count();
            assert_eq!(taken, want, "after {millis} ms");
        }
        assert!(rates.take("another", at(2 * hour)));
    }

    #[test]
    fn odd_rates() {
        for (rate, want) in [(0, 4), (1, 4), (u32::MAX, 2_000)] {
            let mut rates = Rates::new(rate, 1);
            assert_eq!((0..2_000).filter(|_| rates.take(7, at(0))).count(), want, "{rate}");
        }
    }
}
