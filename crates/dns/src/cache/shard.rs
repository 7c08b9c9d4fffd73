//! One part of the cache: ready wire answers by question, within a byte budget; evicted by CLOCK.
//!
//! Data outlives its end, for when it cannot be refreshed (RFC 8767); remembered failures do not.

use std::{sync::Arc, time::Duration};

use hashbrown::HashTable;
use model::Timestamp;

use super::dump::Loaded;
use crate::{
    reply::Freshness,
    wire::{RCODE, rcode, u16_at},
    writer::Answer,
};

/// What an entry costs beside its key, its octets and its TTL offsets: slot, index entry, reference counts.
const ENTRY_OVERHEAD: usize = 192;
/// How long past its end data may still be served (RFC 8767 section 5: between 1 and 3 days).
const STALE_MAX: Duration = Duration::from_secs(86_400);
/// No answer is kept for longer: TTLs are capped at a day where answers are judged.
const LIFETIME_MAX: Duration = Duration::from_secs(86_400);
/// How long no refresh is tried after one failed (RFC 8767 section 5: the failure recheck timer).
const FAILURE_RECHECK: Duration = Duration::from_secs(30);

/// What the cache knows about a question.
pub(crate) struct Known<'a> {
    pub(crate) answer: &'a Answer,
    pub(crate) freshness: Freshness,
    /// It is data, and no refresh failed within the last half minute.
    pub(crate) may_refresh: bool,
}

/// An answer as it is kept, to be looked at.
pub(crate) struct Kept<'a> {
    pub(crate) answer: &'a Answer,
    pub(crate) expires: Timestamp,
    pub(crate) usable_until: Timestamp,
    pub(crate) recheck: Timestamp,
}

/// See the module.
pub(super) struct Shard {
    /// Slots by the hash of their keys.
    index: HashTable<u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    hand: usize,
    bytes: usize,
    bytes_max: usize,
    evicted: u64,
    /// Holds after a failed refresh that would end until then are over: they are from before an upstream came back.
    recheck_floor: Timestamp,
}

pub(super) struct Slot {
    hash: u64,
    pub(super) key: Arc<[u8]>,
    pub(super) answer: Answer,
    pub(super) stored: Timestamp,
    pub(super) expires: Timestamp,
    /// Until then it may be served though it has expired.
    pub(super) usable_until: Timestamp,
    /// A refresh failed; none is tried before.
    recheck: Timestamp,
    used: bool,
}

impl Slot {
    fn freshness(&self, now: Timestamp) -> Option<Freshness> {
        if self.expires > now {
            let age_s = u32::try_from(now.since(self.stored).as_secs()).unwrap_or(u32::MAX);
            return Some(Freshness::Fresh { age_s });
        }
        (self.usable_until > now).then_some(Freshness::Stale)
    }
}

impl Shard {
    /// An empty one.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            bytes: 0,
            bytes_max,
            evicted: 0,
            recheck_floor: Timestamp::from_nanos(i64::MIN),
        }
    }

    /// What may be answered without asking: an answer that has not expired, or one whose refresh has just failed.
    pub(super) fn get(&mut self, now: Timestamp, hash: u64, key: &[u8]) -> Option<Known<'_>> {
        let recheck_floor = self.recheck_floor;
        let slot = self.slot(hash, key)?;
        let freshness = slot.freshness(now)?;
        let may_ask = slot.recheck <= now || slot.recheck <= recheck_floor;
        if freshness == Freshness::Stale && may_ask {
            return None;
        }
        slot.used = true;
        Some(Known { answer: &slot.answer, freshness, may_refresh: may_ask && !is_failure(&slot.answer) })
    }

    /// An upstream that was dead answers: what was held back because refreshing failed may be asked again.
    pub(super) fn upstream_is_back(&mut self, now: Timestamp) {
        self.recheck_floor = now + FAILURE_RECHECK;
    }

    /// What may be answered when asking brings nothing (RFC 8767 section 4). Never a failure.
    pub(super) fn known(&mut self, now: Timestamp, hash: u64, key: &[u8]) -> Option<Known<'_>> {
        let slot = self.slot(hash, key).filter(|slot| !is_failure(&slot.answer))?;
        let freshness = slot.freshness(now)?;
        slot.used = true;
        Some(Known { answer: &slot.answer, freshness, may_refresh: false })
    }

    /// Notes that a refresh failed: what is known serves for a while without another try. False when nothing is.
    pub(super) fn refresh_failed(&mut self, now: Timestamp, hash: u64, key: &[u8]) -> bool {
        let is_known = self.known(now, hash, key).is_some();
        if let Some(slot) = self.slot(hash, key).filter(|_| is_known) {
            slot.recheck = now + FAILURE_RECHECK;
        }
        is_known
    }

    /// For how long the last failure of this question was remembered, if it was one and ended not long ago.
    pub(super) fn last_failure_s(&mut self, now: Timestamp, hash: u64, key: &[u8]) -> Option<u32> {
        let slot = self.slot(hash, key).filter(|slot| is_failure(&slot.answer))?;
        (slot.expires + FAILURE_RECHECK > now).then_some(slot.answer.lifetime_s)
    }

    /// What is kept of a question and may still be served, fresh or not. Looking does not count as use.
    pub(super) fn look(&self, now: Timestamp, hash: u64, key: &[u8]) -> Option<Kept<'_>> {
        let at = self.find(hash, key)?;
        let slot = self.slots.get(at as usize)?.as_ref().filter(|slot| slot.freshness(now).is_some())?;
        let Slot { answer, expires, usable_until, recheck, .. } = slot;
        Some(Kept { answer, expires: *expires, usable_until: *usable_until, recheck: *recheck })
    }

    /// Forgets every answer to a name that `is_meant`; says how many.
    pub(super) fn remove_where(&mut self, is_meant: impl Fn(&[u8]) -> bool) -> usize {
        let slots = self.slots.iter().flatten().filter(|slot| is_meant(&slot.key[..slot.key.len() - 3]));
        let keys: Vec<(u64, Arc<[u8]>)> = slots.map(|slot| (slot.hash, Arc::clone(&slot.key))).collect();
        keys.iter().for_each(|(hash, key)| self.remove(*hash, key));
        keys.len()
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let is_it = |at: &u32| matches!(self.slots.get(*at as usize), Some(Some(slot)) if *slot.key == *key);
        self.index.find(hash, is_it).copied()
    }

    fn slot(&mut self, hash: u64, key: &[u8]) -> Option<&mut Slot> {
        let at = self.find(hash, key)?;
        self.slots.get_mut(at as usize)?.as_mut()
    }

    /// Keeps `answer` for its lifetime; not at all when that is 0 or it is larger than the whole budget.
    pub(super) fn insert(&mut self, now: Timestamp, hash: u64, key: Arc<[u8]>, answer: Answer) {
        let expires = now + Duration::from_secs(u64::from(answer.lifetime_s));
        let usable_until = if is_failure(&answer) { expires } else { expires + STALE_MAX };
        self.put(now, Slot { hash, key, answer, stored: now, expires, usable_until, recheck: now, used: false });
    }

    /// Keeps again what was kept before a restart, unless it is over, its times cannot be, or something newer is known.
    pub(super) fn load(&mut self, now: Timestamp, hash: u64, loaded: Loaded) {
        let Loaded { key, answer, stored, expires, usable_until } = loaded;
        let is_plausible = stored <= now && expires <= now + LIFETIME_MAX && usable_until <= expires + STALE_MAX;
        if is_plausible && usable_until > now && !is_failure(&answer) && self.find(hash, &key).is_none() {
            self.put(now, Slot { hash, key, answer, stored, expires, usable_until, recheck: now, used: false });
        }
    }

    /// What a restart should find again.
    pub(super) fn worth_keeping(&self, now: Timestamp) -> impl Iterator<Item = &Slot> {
        self.slots.iter().flatten().filter(move |slot| slot.usable_until > now && !is_failure(&slot.answer))
    }

    fn put(&mut self, now: Timestamp, slot: Slot) {
        let (hash, cost) = (slot.hash, cost(&slot.key, &slot.answer));
        self.remove(hash, &slot.key);
        if slot.answer.lifetime_s == 0 || cost > self.bytes_max {
            return;
        }
        while self.bytes + cost > self.bytes_max {
            self.evict_one(now);
        }
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = Some(slot);
                at
            }
            None => {
                self.slots.push(Some(slot));
                (self.slots.len() - 1) as u32
            }
        };
        let slots = &self.slots;
        let hash_of = |at: &u32| slots.get(*at as usize).and_then(Option::as_ref).map_or(0, |slot| slot.hash);
        self.index.insert_unique(hash, at, hash_of);
        self.bytes += cost;
    }

    /// Forgets the answer to one question.
    pub(super) fn remove(&mut self, hash: u64, key: &[u8]) {
        let slots = &self.slots;
        let is_it = |at: &u32| matches!(slots.get(*at as usize), Some(Some(slot)) if *slot.key == *key);
        let Ok(entry) = self.index.find_entry(hash, is_it) else { return };
        let at = entry.remove().0;
        if let Some(slot) = self.slots[at as usize].take() {
            self.free.push(at);
            self.bytes -= cost(&slot.key, &slot.answer);
        }
    }

    /// Entries and bytes held, expired ones not yet swept included.
    pub(super) fn in_use(&self) -> (usize, usize) {
        (self.index.len(), self.bytes)
    }

    /// Entries pushed out by the byte budget so far.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// CLOCK: the hand passes entries used since its last visit, once, and takes the first other one.
    fn evict_one(&mut self, now: Timestamp) {
        loop {
            self.hand = (self.hand + 1) % self.slots.len();
            let Some(slot) = &mut self.slots[self.hand] else { continue };
            if slot.used && slot.usable_until > now {
                slot.used = false;
                continue;
            }
            let (hash, key) = (slot.hash, Arc::clone(&slot.key));
            self.evicted += 1;
            return self.remove(hash, &key);
        }
    }
}

/// True for SERVFAIL, the only failure that is remembered (RFC 9520 section 3.2).
fn is_failure(answer: &Answer) -> bool {
    u16_at(&answer.wire, 2).unwrap_or(0) & RCODE == rcode::SERVFAIL
}

fn cost(key: &[u8], answer: &Answer) -> usize {
    key.len() + answer.wire.len() + 2 * answer.ttl_offsets.len() + ENTRY_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::{Section, Writer};

    fn answer(ttl: u32) -> Answer {
        let mut writer = Writer::new(b"\x01a\x00\x00\x01\x00\x01");
        writer.record(Section::Answer, b"\x01a\x00", 1, ttl, &[192, 0, 2, 1]).unwrap();
        writer.finish(0)
    }

    fn key(number: u32) -> Arc<[u8]> {
        format!("\x08{number:08}\0\0\x01\0").into_bytes().into()
    }

    /// Bad on purpose: what collides is still told apart.
    fn hash(number: u32) -> u64 {
        u64::from(number % 7) << 57 | u64::from(number % 100)
    }

    #[test]
    fn expires_on_time_and_never_keeps_ttl_zero() {
        let mut cache = Shard::new(10_000);
        let start = Timestamp::from_secs(1_000);
        cache.insert(start, 1, key(1), answer(30));
        cache.insert(start, 2, key(2), answer(0));
        let aged = |known: Known<'_>| known.freshness;
        let late = start + Duration::from_millis(29_999);
        assert_eq!(cache.get(late, 1, &key(1)).map(aged), Some(Freshness::Fresh { age_s: 29 }));
        assert!(cache.get(start + Duration::from_secs(30), 1, &key(1)).is_none());
        assert!(cache.get(start, 2, &key(2)).is_none());
    }

    /// RFC 8767 section 5: what has expired serves when nothing better can be had, for a day; RFC 9520: failures never.
    #[test]
    fn data_outlives_its_end_and_failures_do_not() {
        let mut cache = Shard::new(10_000);
        let start = Timestamp::from_secs(1_000);
        cache.insert(start, 1, key(1), answer(30));
        let failure = Answer { lifetime_s: 5, ..Writer::new(b"\x01a\x00\x00\x01\x00\x01").finish(rcode::SERVFAIL) };
        cache.insert(start, 2, key(2), failure);
        let end = start + Duration::from_secs(30);
        assert_eq!(cache.known(end, 1, &key(1)).map(|known| known.freshness), Some(Freshness::Stale));
        assert!(cache.refresh_failed(end, 1, &key(1)) && !cache.refresh_failed(start, 2, &key(2)));
        let held = cache.get(end + Duration::from_millis(29_999), 1, &key(1)).unwrap();
        assert!(held.freshness == Freshness::Stale && !held.may_refresh);
        assert!(cache.get(end + FAILURE_RECHECK, 1, &key(1)).is_none());
        assert!(cache.known(end + STALE_MAX, 1, &key(1)).is_none());
        assert!(cache.known(start, 2, &key(2)).is_none() && cache.get(start, 2, &key(2)).is_some());
        assert_eq!(cache.last_failure_s(start, 2, &key(2)), Some(5));
        assert_eq!(cache.last_failure_s(start, 1, &key(1)), None);
        assert_eq!(cache.last_failure_s(start + Duration::from_secs(35), 2, &key(2)), None);
    }

    #[test]
    fn keeps_within_its_budget_and_spares_what_is_used() {
        let mut cache = Shard::new(10_000);
        let now = Timestamp::from_secs(1_000);
        for number in 0..1_000_u32 {
            cache.insert(now, hash(number), key(number), answer(300));
            assert!(cache.get(now, hash(0), &key(0)).is_some(), "entry in use was evicted at {number}");
            assert!(cache.in_use().1 <= 10_000);
        }
        assert!(cache.evicted() > 900);
        let (entries, bytes) = cache.in_use();
        assert!(entries >= 30 && cache.slots.len() <= entries + cache.free.len());
        for number in 0..1_000_u32 {
            cache.remove(hash(number), &key(number));
        }
        assert!(bytes > 0);
        assert_eq!(cache.in_use(), (0, 0));
    }
}
