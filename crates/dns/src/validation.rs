//! DNSSEC as far as an engine without sockets can have it: what is to be validated, what can be told to be wrong at a
//! glance, and what follows from a validator's word. The signatures themselves are checked by whoever drives the engine.
//!
//! With validation every question is put with DO and CD set (RFC 6840 section 5.9 and appendix B), so that an upstream
//! which validates as well cannot hide what is wrong; AD of upstreams is never believed.

use model::Timestamp;

use crate::{
    Effect, Engine,
    name::{is_at_or_below, suffixes},
    record::Record,
    wire::{AD, EDE_DNSSEC_BOGUS, HEADER_LEN, rcode, rtype, u16_at},
    writer::{Answer, Writer},
};

/// Signatures looked at in one answer; more are an attempt to keep us busy (the class of CVE-2023-50387).
const SIGNATURES_MAX: usize = 64;
/// Records of one answer that a validator has to look at.
const RECORDS_MAX: usize = 512;
/// How long a forged answer is remembered as such (RFC 4035 section 4.7 wants it short).
const BOGUS_LIFETIME_S: u32 = 30;
/// A clock before this time has not been set, and signatures cannot be judged by it: 2025-12-01.
const CLOCK_SET: Timestamp = Timestamp::from_secs(1_764_547_200);

/// Names one answer that is being validated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ValidationId(pub(crate) u64);

/// What a validator found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Validity {
    /// A chain of signatures from a trust anchor.
    Secure,
    /// Provably unsigned, or below no trust anchor.
    Insecure,
    /// Should be signed and is not, or wrongly, with the extended DNS error that says why (RFC 8914 section 4.7 and on).
    Bogus(u16),
    /// What is needed for a judgement could not be had.
    Unknown,
}

/// What is validated.
#[derive(Clone, Default)]
pub(crate) struct Policy {
    pub(crate) is_on: bool,
    /// Folded names below which signatures are not looked at (RFC 7646).
    pub(crate) negative_anchors: Box<[Box<[u8]>]>,
}

impl Policy {
    /// True when answers to this name are to be validated. `name` is folded.
    pub(crate) fn wants(&self, now: Timestamp, name: &[u8], checking_disabled: bool) -> bool {
        self.is_on
            && !checking_disabled
            && now >= CLOCK_SET
            && !self.negative_anchors.iter().any(|anchor| is_at_or_below(name, anchor))
    }
}

impl Engine {
    /// An answer has come that must be validated before anybody gets it: waiting goes on, asking does not.
    pub(crate) fn begin_validation(
        &mut self,
        now: Timestamp,
        id: u64,
        upstream: usize,
        answer: Answer,
        message: &[u8],
    ) {
        self.counters.validations += 1;
        let Some(pending) = self.inflight.get(id) else { return };
        pending.held = Some(answer);
        pending.held_from = upstream;
        pending.is_hedging = false;
        let give_up = pending.give_up;
        let asks = std::mem::take(&mut pending.asks);
        asks.into_iter().for_each(|ask| drop(self.forget(ask)));
        self.inflight.set_deadline(id, give_up);
        if is_sound(message) {
            self.effects.push_back(Effect::Validate { validation: ValidationId(id), bytes: message.into() });
        } else {
            self.on_validated(now, ValidationId(id), Validity::Bogus(EDE_DNSSEC_BOGUS));
        }
    }

    /// The end of an [`Effect::Validate`].
    pub fn on_validated(&mut self, now: Timestamp, validation: ValidationId, validity: Validity) {
        let id = validation.0;
        let Some(pending) = self.inflight.get(id) else { return };
        let Some(mut answer) = pending.held.take() else { return };
        match validity {
            Validity::Secure => {
                self.counters.secure += 1;
                answer.wire[3] |= AD as u8;
                self.conclude(now, id, answer);
            }
            Validity::Insecure => self.conclude(now, id, answer),
            Validity::Bogus(code) => {
                self.counters.bogus += 1;
                if !self.ask_another_after_bogus(now, id, code) {
                    self.conclude_bogus(now, id, code);
                }
            }
            Validity::Unknown => self.fail(now, id),
        }
    }

    /// SERVFAIL with the reason (RFC 4035 section 5.5, RFC 8914), remembered for a while (RFC 4035 section 4.7).
    pub(crate) fn conclude_bogus(&mut self, now: Timestamp, id: u64, code: u16) {
        let Some(pending) = self.inflight.get(id) else { return };
        let empty = Writer::new(&pending.question).finish(rcode::SERVFAIL);
        self.conclude(now, id, Answer { lifetime_s: BOGUS_LIFETIME_S, extended_error: Some(code), ..empty });
    }
}

/// What every validator should refuse before it begins, in few steps: signatures by a zone that the name is not in, with
/// more labels than the name or fewer than the zone (RFC 4035 section 5.3.1), and more work than an honest answer makes.
fn is_sound(message: &[u8]) -> bool {
    let counts = [6, 8].map(|at| usize::from(u16_at(message, at).unwrap_or(0)));
    let records = counts[0] + counts[1];
    if records > RECORDS_MAX {
        return false;
    }
    let Some(mut at) = crate::name::read_name(message, HEADER_LEN).map(|(_, at)| at + 4) else { return false };
    let mut signatures = 0;
    for _ in 0..records {
        let Some((record, next)) = Record::read(message, at) else { return false };
        at = next;
        if record.rtype == rtype::RRSIG {
            signatures += 1;
            if signatures > SIGNATURES_MAX || !is_sound_signature(&record) {
                return false;
            }
        }
    }
    true
}

fn is_sound_signature(record: &Record<'_>) -> bool {
    let (Some(&labels), Some(signer)) = (record.rdata.get(3), record.rdata.get(18..)) else { return false };
    // The signer's name is never compressed (RFC 4034 section 3.1.7).
    let Some(end) = crate::name::end_of_plain_name(signer, 0) else { return false };
    let (owner, signer) = (record.owner.as_slice().to_ascii_lowercase(), signer[..end].to_ascii_lowercase());
    let count = |name: &[u8]| suffixes(name).filter(|suffix| suffix.len() > 1).count();
    let wildcard = usize::from(owner.starts_with(b"\x01*"));
    is_at_or_below(&owner, &signer)
        && usize::from(labels) <= count(&owner) - wildcard
        && usize::from(labels) >= count(&signer)
}
