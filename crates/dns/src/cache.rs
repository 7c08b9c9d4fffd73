//! Ready wire answers by question, within a byte budget; evicted by CLOCK.

use std::{collections::HashMap, sync::Arc, time::Duration};

use foldhash::quality::FixedState;
use model::Timestamp;

use crate::{wire::NAME_LEN_MAX, writer::Answer};

/// What an entry costs beside its key, its octets and its TTL offsets: slot, index entry, reference counts.
const ENTRY_OVERHEAD: usize = 192;

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
    used: bool,
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

    /// The answer and its age in seconds, unless it has expired.
    pub(crate) fn get(&mut self, now: Timestamp, key: &[u8]) -> Option<(&Answer, u32)> {
        let &at = self.index.get(key)?;
        let slot = self.slots.get_mut(at as usize)?.as_mut()?;
        if slot.expires <= now {
            return None;
        }
        slot.used = true;
        Some((&slot.answer, u32::try_from(now.since(slot.stored).as_secs()).unwrap_or(u32::MAX)))
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
        let slot = Slot { key: Arc::clone(&key), answer, stored: now, expires, used: false };
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
            if slot.used && slot.expires > now {
                slot.used = false;
                continue;
            }
            let key = Arc::clone(&slot.key);
            self.evicted += 1;
            return self.remove(&key);
        }
    }
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
        assert_eq!(cache.get(start + Duration::from_millis(29_999), &key(1)).map(|(_, age)| age), Some(29));
        assert!(cache.get(start + Duration::from_secs(30), &key(1)).is_none());
        assert!(cache.get(start, &key(2)).is_none());
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
