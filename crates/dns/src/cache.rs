//! Ready wire answers by question, shared by the threads that serve clients and the engine that fills it.
//!
//! Parts with a lock each, so that threads rarely meet: a look-up holds one for as long as copying an answer takes. One
//! hash finds the part and the place in it.

mod dump;
mod shard;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::FixedState;
use model::Timestamp;
use std::hash::BuildHasher as _;

use self::shard::Shard;
pub(crate) use self::shard::{Kept, Known};
use crate::{wire::NAME_LEN_MAX, writer::Answer};

/// A part is not smaller, so that its budget holds many answers of the largest size.
const SHARD_BYTES_MIN: usize = 1 << 20;
/// More parts than threads, so that two seldom want the same.
const SHARDS_MAX: usize = 64;

/// Above DO and CD in the last octet of a key.
const VIEW_SHIFT: u32 = 2;

/// Question as the cache and the in-flight table see it: folded name, type, DO and CD (RFC 4035 section 4.7), view.
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

    /// The same question, as clients of a view (1 to 63) see it.
    pub(crate) fn in_view(mut self, view: u8) -> Self {
        self.bytes[self.len - 1] |= view << VIEW_SHIFT;
        self
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
    shards: Box<[Mutex<Shard>]>,
    hasher: FixedState,
}

impl Cache {
    /// An empty cache. `hash_seed` keeps strangers from choosing names that collide.
    pub(crate) fn new(bytes_max: usize, hash_seed: u64) -> Self {
        let count = (bytes_max / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX);
        Self {
            shards: (0..count).map(|_| Mutex::new(Shard::new(bytes_max / count))).collect(),
            hasher: FixedState::with_seed(hash_seed),
        }
    }

    /// What may be answered without asking: an answer that has not expired, or one whose refresh has just failed.
    pub(crate) fn get<R>(&self, now: Timestamp, key: &[u8], use_it: impl FnOnce(Known<'_>) -> R) -> Option<R> {
        let (hash, mut shard) = self.shard(key);
        shard.get(now, hash, key).map(use_it)
    }

    /// What may be answered when asking brings nothing (RFC 8767 section 4). Never a failure.
    pub(crate) fn known<R>(&self, now: Timestamp, key: &[u8], use_it: impl FnOnce(Known<'_>) -> R) -> Option<R> {
        let (hash, mut shard) = self.shard(key);
        shard.known(now, hash, key).map(use_it)
    }

    /// Notes that a refresh failed: what is known serves for a while without another try. False when nothing is.
    pub(crate) fn refresh_failed(&self, now: Timestamp, key: &[u8]) -> bool {
        let (hash, mut shard) = self.shard(key);
        shard.refresh_failed(now, hash, key)
    }

    /// An upstream that was believed dead has answered: what is past its end is asked for again at once.
    pub(crate) fn upstream_is_back(&self, now: Timestamp) {
        self.shards.iter().for_each(|shard| lock(shard).upstream_is_back(now));
    }

    /// For how long the last failure of this question was remembered, if it was one and ended not long ago.
    pub(crate) fn last_failure_s(&self, now: Timestamp, key: &[u8]) -> Option<u32> {
        let (hash, mut shard) = self.shard(key);
        shard.last_failure_s(now, hash, key)
    }

    /// What is kept of a question and may still be served, fresh or not. Looking does not count as use.
    pub(crate) fn look<R>(&self, now: Timestamp, key: &[u8], use_it: impl FnOnce(Kept<'_>) -> R) -> Option<R> {
        let (hash, shard) = self.shard(key);
        shard.look(now, hash, key).map(use_it)
    }

    /// Keeps `answer` for its lifetime; not at all when that is 0 or it is larger than a part's budget.
    pub(crate) fn insert(&self, now: Timestamp, key: Arc<[u8]>, answer: Answer) {
        let (hash, mut shard) = self.shard(&key);
        shard.insert(now, hash, key, answer);
    }

    /// Forgets the answer to one question.
    pub(crate) fn remove(&self, key: &[u8]) {
        let (hash, mut shard) = self.shard(key);
        shard.remove(hash, key);
    }

    /// Forgets every answer to a name that `is_meant`; says how many. One part at a time, others are served meanwhile.
    pub(crate) fn remove_where(&self, is_meant: impl Fn(&[u8]) -> bool) -> usize {
        self.shards.iter().map(|shard| lock(shard).remove_where(&is_meant)).sum()
    }

    /// Entries and bytes held, expired ones not yet swept included.
    pub(crate) fn in_use(&self) -> (usize, usize) {
        self.shards.iter().map(|shard| lock(shard).in_use()).fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }

    /// Entries pushed out by the byte budget so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.shards.iter().map(|shard| lock(shard).evicted()).sum()
    }

    /// What may still be served, as octets, at most `len_max` of them. One part at a time, others are served meanwhile.
    /// `fingerprint` is of what is believed.
    pub(crate) fn dump(&self, now: Timestamp, len_max: usize, fingerprint: u32) -> Vec<u8> {
        let mut out = [dump::MAGIC.as_slice(), &fingerprint.to_be_bytes()].concat();
        self.shards.iter().for_each(|shard| dump::append(&lock(shard), now, &mut out, len_max));
        out
    }

    /// Takes back what [`Self::dump`] made and is not over yet. Octets that are not ours, of another version, or kept
    /// while something else was believed are worth nothing.
    pub(crate) fn load(&self, now: Timestamp, octets: &[u8], fingerprint: u32) {
        let octets =
            octets.strip_prefix(dump::MAGIC).and_then(|octets| octets.strip_prefix(&fingerprint.to_be_bytes()[..]));
        for loaded in octets.map(dump::read).into_iter().flatten() {
            let (hash, mut shard) = self.shard(&loaded.key);
            shard.load(now, hash, loaded);
        }
    }

    fn shard(&self, key: &[u8]) -> (u64, MutexGuard<'_, Shard>) {
        let hash = self.hasher.hash_one(key);
        // The table within the part uses the top seven bits and the low ones.
        (hash, lock(&self.shards[(hash >> 40) as usize % self.shards.len()]))
    }
}

/// A thread that panicked left whole entries: every change is one step of safe code.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

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
