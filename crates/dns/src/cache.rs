//! Ready wire answers by question, within a byte budget; evicted by CLOCK.
//!
//! Data outlives its end, for when it cannot be refreshed (RFC 8767); remembered failures do not.

use std::{collections::HashMap, sync::Arc, time::Duration};

use foldhash::quality::FixedState;
use model::Timestamp;

use crate::{
    reply::Freshness,
    wire::{NAME_LEN_MAX, RCODE, rcode, u16_at},
    writer::Answer,
};

/// What an entry costs beside its key, its octets and its TTL offsets: slot, index entry, reference counts.
const ENTRY_OVERHEAD: usize = 208;
/// How long past its end data may still be served (RFC 8767 section 5: between 1 and 3 days).
const STALE_MAX: Duration = Duration::from_secs(86_400);
/// How long no refresh is tried after one failed (RFC 8767 section 5: the failure recheck timer).
const FAILURE_RECHECK: Duration = Duration::from_secs(30);

/// Question as the cache and the in-flight table see it: folded name, type, DO and CD (RFC 4035 section 4.7).
/// Class is always IN; id, buffer size, cookies and other options are no part of it.
pub(crate) struct Key {
    bytes: [u8; NAME_LEN_MAX + 3],
    len: usize,
}

impl Key {
    pub(crate) fn new(name: &[u8], qtype: u16, dnssec_ok: bool, checking_disabled: bool) -> Self {
        let mut bytes = [0; NAME_LEN_MAX + 3];
        let name_len = name.len().min(NAME_LEN_MAX);
        bytes[..name_len].copy_from_slice(&name[..name_len]);
        bytes[..name_len].make_ascii_lowercase();
        bytes[name_len..name_len + 2].copy_from_slice(&qtype.to_be_bytes());
        bytes[name_len + 2] = u8::from(dnssec_ok) | (u8::from(checking_disabled) << 1);
        Self { bytes, len: name_len + 3 }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The folded name.
    pub(crate) fn name(&self) -> &[u8] {
        &self.bytes[..self.len - 3]
    }
}

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
pub(crate) struct Cache {
    index: HashMap<Arc<[u8]>, u32, FixedState>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    hand: usize,
    bytes: usize,
    bytes_max: usize,
    evicted: u64,
}

struct Slot {
    key: Arc<[u8]>,
    answer: Answer,
    stored: Timestamp,
    expires: Timestamp,
    /// Until then it may be served though it has expired.
    usable_until: Timestamp,
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

impl Cache {
    /// An empty cache. `hash_seed` keeps strangers from choosing names that collide.
    pub(crate) fn new(bytes_max: usize, hash_seed: u64) -> Self {
        Self {
            index: HashMap::with_hasher(FixedState::with_seed(hash_seed)),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            bytes: 0,
            bytes_max,
            evicted: 0,
        }
    }

    /// What may be answered without asking: an answer that has not expired, or one whose refresh has just failed.
    pub(crate) fn get(&mut self, now: Timestamp, key: &[u8]) -> Option<Known<'_>> {
        let slot = self.slot(key)?;
        let freshness = slot.freshness(now)?;
        if freshness == Freshness::Stale && slot.recheck <= now {
            return None;
        }
        slot.used = true;
        Some(Known { answer: &slot.answer, freshness, may_refresh: slot.recheck <= now && !is_failure(&slot.answer) })
    }

    /// What may be answered when asking brings nothing (RFC 8767 section 4). Never a failure.
    pub(crate) fn known(&mut self, now: Timestamp, key: &[u8]) -> Option<Known<'_>> {
        let slot = self.slot(key).filter(|slot| !is_failure(&slot.answer))?;
        let freshness = slot.freshness(now)?;
        slot.used = true;
        Some(Known { answer: &slot.answer, freshness, may_refresh: false })
    }

    /// Notes that a refresh failed: what is known serves for a while without another try. False when nothing is.
    pub(crate) fn refresh_failed(&mut self, now: Timestamp, key: &[u8]) -> bool {
        let is_known = self.known(now, key).is_some();
        if let Some(slot) = self.slot(key).filter(|_| is_known) {
            slot.recheck = now + FAILURE_RECHECK;
        }
        is_known
    }

    /// For how long the last failure of this question was remembered, if it was one and ended not long ago.
    pub(crate) fn last_failure_s(&mut self, now: Timestamp, key: &[u8]) -> Option<u32> {
        let slot = self.slot(key).filter(|slot| is_failure(&slot.answer))?;
        (slot.expires + FAILURE_RECHECK > now).then_some(slot.answer.lifetime_s)
    }

    /// What is kept of a question and may still be served, fresh or not. Looking does not count as use.
    pub(crate) fn look(&self, now: Timestamp, key: &[u8]) -> Option<Kept<'_>> {
        let &at = self.index.get(key)?;
        let slot = self.slots.get(at as usize)?.as_ref().filter(|slot| slot.freshness(now).is_some())?;
        let Slot { answer, expires, usable_until, recheck, .. } = slot;
        Some(Kept { answer, expires: *expires, usable_until: *usable_until, recheck: *recheck })
    }

    /// Forgets every answer to a name that `is_meant`; says how many.
    pub(crate) fn remove_where(&mut self, is_meant: impl Fn(&[u8]) -> bool) -> usize {
        let keys = self.index.keys().filter(|key| is_meant(&key[..key.len() - 3]));
        let keys: Vec<Arc<[u8]>> = keys.cloned().collect();
        keys.iter().for_each(|key| self.remove(key));
        keys.len()
    }

    fn slot(&mut self, key: &[u8]) -> Option<&mut Slot> {
        let &at = self.index.get(key)?;
        self.slots.get_mut(at as usize)?.as_mut()
    }

    /// Keeps `answer` for its lifetime; not at all when that is 0 or it is larger than the whole budget.
    pub(crate) fn insert(&mut self, now: Timestamp, key: Arc<[u8]>, answer: Answer) {
        self.remove(&key);
        let cost = cost(&key, &answer);
        if answer.lifetime_s == 0 || cost > self.bytes_max {
            return;
        }
        while self.bytes + cost > self.bytes_max {
            self.evict_one(now);
        }
        let expires = now + Duration::from_secs(u64::from(answer.lifetime_s));
        let usable_until = if is_failure(&answer) { expires } else { expires + STALE_MAX };
        let slot =
            Slot { key: Arc::clone(&key), answer, stored: now, expires, usable_until, recheck: now, used: false };
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
        self.index.insert(key, at);
        self.bytes += cost;
    }

    /// Forgets the answer to one question.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Some(at) = self.index.remove(key)
            && let Some(slot) = self.slots[at as usize].take()
        {
            self.free.push(at);
            self.bytes -= cost(&slot.key, &slot.answer);
        }
    }

    /// Entries and bytes held, expired ones not yet swept included.
    pub(crate) fn in_use(&self) -> (usize, usize) {
        (self.index.len(), self.bytes)
    }

    /// Entries pushed out by the byte budget so far.
    pub(crate) fn evicted(&self) -> u64 {
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
            let key = Arc::clone(&slot.key);
            self.evicted += 1;
            return self.remove(&key);
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
        Key::new(format!("\x08{number:08}\0").as_bytes(), 1, false, false).as_slice().into()
    }

    #[test]
    fn expires_on_time_and_never_keeps_ttl_zero() {
        let mut cache = Cache::new(10_000, 1);
        let start = Timestamp::from_secs(1_000);
        cache.insert(start, key(1), answer(30));
        cache.insert(start, key(2), answer(0));
        let aged = |known: Known<'_>| known.freshness;
        let late = start + Duration::from_millis(29_999);
        assert_eq!(cache.get(late, &key(1)).map(aged), Some(Freshness::Fresh { age_s: 29 }));
        assert!(cache.get(start + Duration::from_secs(30), &key(1)).is_none());
        assert!(cache.get(start, &key(2)).is_none());
    }

    /// RFC 8767 section 5: what has expired serves when nothing better can be had, for a day; RFC 9520: failures never.
    #[test]
    fn data_outlives_its_end_and_failures_do_not() {
        let mut cache = Cache::new(10_000, 1);
        let start = Timestamp::from_secs(1_000);
        cache.insert(start, key(1), answer(30));
        let failure = Answer { lifetime_s: 5, ..Writer::new(b"\x01a\x00\x00\x01\x00\x01").finish(rcode::SERVFAIL) };
        cache.insert(start, key(2), failure);
        let end = start + Duration::from_secs(30);
        assert_eq!(cache.known(end, &key(1)).map(|known| known.freshness), Some(Freshness::Stale));
        assert!(cache.refresh_failed(end, &key(1)) && !cache.refresh_failed(start, &key(2)));
        let held = cache.get(end + Duration::from_millis(29_999), &key(1)).unwrap();
        assert!(held.freshness == Freshness::Stale && !held.may_refresh);
        assert!(cache.get(end + FAILURE_RECHECK, &key(1)).is_none());
        assert!(cache.known(end + STALE_MAX, &key(1)).is_none());
        assert!(cache.known(start, &key(2)).is_none() && cache.get(start, &key(2)).is_some());
        assert_eq!(cache.last_failure_s(start, &key(2)), Some(5));
        assert_eq!(cache.last_failure_s(start, &key(1)), None);
        assert_eq!(cache.last_failure_s(start + Duration::from_secs(35), &key(2)), None);
    }

    #[test]
    fn keeps_within_its_budget_and_spares_what_is_used() {
        let mut cache = Cache::new(10_000, 1);
        let now = Timestamp::from_secs(1_000);
        for number in 0..1_000 {
            cache.insert(now, key(number), answer(300));
            assert!(cache.get(now, &key(0)).is_some(), "entry in use was evicted at {number}");
            assert!(cache.in_use().1 <= 10_000);
        }
        assert!(cache.evicted() > 900);
        let (entries, bytes) = cache.in_use();
        assert!(entries >= 30 && cache.slots.len() <= entries + cache.free.len());
        for number in 0..1_000 {
            cache.remove(&key(number));
        }
        assert!(bytes > 0);
        assert_eq!(cache.in_use(), (0, 0));
    }

    /// The key has the folded name, type, DO and CD, and nothing else.
    #[test]
    fn keys() {
        let base = Key::new(b"\x03WwW\x00", 1, false, false);
        let table = [
            (Key::new(b"\x03www\x00", 1, false, false), true),
            (Key::new(b"\x03www\x00", 28, false, false), false),
            (Key::new(b"\x03www\x00", 1, true, false), false),
            (Key::new(b"\x03www\x00", 1, false, true), false),
            (Key::new(b"\x03wwx\x00", 1, false, false), false),
        ];
        for (other, same) in table {
            assert_eq!(base.as_slice() == other.as_slice(), same);
        }
        assert_eq!(base.name(), b"\x03www\x00");
    }
}
