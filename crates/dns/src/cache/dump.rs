//! The cache as octets, so that a restart does not begin cold.
//!
//! ```text
//! "hsdns" version(1) fingerprint(4)  then for each answer:
//!   length(4) crc32(4)  body: stored(8) expires(8) usable_until(8) lifetime(4) extended error(4, -1: none)
//!                             key length(2) key, count(2) TTL offsets(2 each), wire
//! ```
//! All numbers big-endian, times in nanoseconds. An answer that does not read well is left out; what is read is checked as
//! if a stranger had written it.

use std::sync::Arc;

use model::Timestamp;

use super::{VIEW_SHIFT, shard::Shard};
use crate::{
    name::end_of_plain_name,
    wire::{HEADER_LEN, MESSAGE_LEN_MAX, NAME_LEN_MAX, u16_at},
    writer::Answer,
};

/// What such octets begin with; the fingerprint of what is believed comes after it.
pub(super) const MAGIC: &[u8; 6] = b"hsdns\x02";
const FRAME_LEN: usize = 8;
const FIXED_LEN: usize = 8 * 3 + 4 * 2;
const BODY_LEN_MAX: usize = FIXED_LEN + 2 + NAME_LEN_MAX + 3 + 2 + 2 * MESSAGE_LEN_MAX + MESSAGE_LEN_MAX;

/// Appends what may still be served, failures left out, until `out` has `len_max` octets.
pub(super) fn append(shard: &Shard, now: Timestamp, out: &mut Vec<u8>, len_max: usize) {
    for slot in shard.worth_keeping(now) {
        // Views have their numbers from the plan, which may be another one next time.
        if slot.key.last().is_some_and(|flags| flags >> VIEW_SHIFT != 0) {
            continue;
        }
        let begin = out.len();
        out.extend_from_slice(&[0; FRAME_LEN]);
        for time in [slot.stored, slot.expires, slot.usable_until] {
            out.extend_from_slice(&time.as_nanos().to_be_bytes());
        }
        out.extend_from_slice(&slot.answer.lifetime_s.to_be_bytes());
        out.extend_from_slice(&slot.answer.extended_error.map_or(-1, i32::from).to_be_bytes());
        out.extend_from_slice(&(slot.key.len() as u16).to_be_bytes());
        out.extend_from_slice(&slot.key);
        out.extend_from_slice(&(slot.answer.ttl_offsets.len() as u16).to_be_bytes());
        slot.answer.ttl_offsets.iter().for_each(|at| out.extend_from_slice(&at.to_be_bytes()));
        out.extend_from_slice(&slot.answer.wire);
        let body = &out[begin + FRAME_LEN..];
        let (length, crc) = (body.len() as u32, crc32fast::hash(body));
        out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
        out[begin + 4..begin + FRAME_LEN].copy_from_slice(&crc.to_be_bytes());
        if out.len() > len_max {
            out.truncate(begin);
            return;
        }
    }
}

/// An answer as it was kept.
pub(super) struct Loaded {
    pub(super) key: Arc<[u8]>,
    pub(super) answer: Answer,
    pub(super) stored: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) usable_until: Timestamp,
}

/// The answers in `octets`, which come after the magic; ends at the first frame that is cut or damaged.
pub(super) fn read(mut octets: &[u8]) -> impl Iterator<Item = Loaded> + '_ {
    std::iter::from_fn(move || {
        loop {
            let (frame, rest) = octets.split_first_chunk::<FRAME_LEN>()?;
            let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
            let crc = u32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
            let (body, rest) = rest.split_at_checked(length)?;
            if length > BODY_LEN_MAX || crc32fast::hash(body) != crc {
                return None;
            }
            octets = rest;
            if let Some(loaded) = read_body(body) {
                return Some(loaded);
            }
        }
    })
}

fn read_body(body: &[u8]) -> Option<Loaded> {
    let time = |at: usize| Some(Timestamp::from_nanos(i64::from_be_bytes(*body.get(at..)?.first_chunk()?)));
    let (stored, expires, usable_until) = (time(0)?, time(8)?, time(16)?);
    let lifetime_s = u32::from_be_bytes(*body.get(24..)?.first_chunk()?);
    let extended_error = u16::try_from(i32::from_be_bytes(*body.get(28..)?.first_chunk()?)).ok();
    let key_end = FIXED_LEN + 2 + usize::from(u16_at(body, FIXED_LEN)?);
    let key: Arc<[u8]> = body.get(FIXED_LEN + 2..key_end)?.into();
    let wire_at = key_end + 2 + 2 * usize::from(u16_at(body, key_end)?);
    let ttl_offsets: Box<[u16]> =
        body.get(key_end + 2..wire_at)?.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let wire: Box<[u8]> = body.get(wire_at..)?.into();
    // Replies are made by copying a question of the key's length over the one that is there.
    let name = key.get(..key.len().checked_sub(3)?)?;
    let is_name = end_of_plain_name(name, 0) == Some(name.len());
    let question_end = HEADER_LEN + name.len() + 4;
    let is_sound = is_name && (question_end..=MESSAGE_LEN_MAX).contains(&wire.len()) && expires >= stored;
    let offsets_are_sound = ttl_offsets.iter().all(|at| (question_end..wire.len()).contains(&usize::from(*at)));
    let answer = Answer { wire, ttl_offsets, lifetime_s, extended_error };
    (is_sound && offsets_are_sound).then_some(Loaded { key, answer, stored, expires, usable_until })
}
