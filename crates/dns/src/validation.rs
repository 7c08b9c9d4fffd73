//! DNSSEC as far as an engine without sockets can have it: what is to be validated, what can be told to be wrong at a
//! glance, and what follows from a validator's word. The signatures themselves are checked by whoever drives the engine.
//!
//! With validation every question is put with DO and CD set (RFC 6840 section 5.9 and appendix B), so that an upstream
//! which validates as well cannot hide what is wrong; AD of upstreams is never believed.

use std::collections::BTreeMap;

use model::Timestamp;

use crate::{
    Effect, Engine,
    name::{is_at_or_below, parent, suffixes},
    record::Record,
    wire::{AD, EDE_DNSSEC_BOGUS, EDE_SIGNATURE_EXPIRED, HEADER_LEN, rcode, rtype, u16_at, u32_at},
    writer::{Answer, Writer},
};

/// Signatures looked at in one answer; more are an attempt to keep us busy (the class of CVE-2023-50387).
const SIGNATURES_MAX: usize = 64;
/// Records of one answer that a validator has to look at.
const RECORDS_MAX: usize = 512;
/// Longest message with signatures: a validator keeps what was signed, and no honest set of records comes near.
const SIGNED_LEN_MAX: usize = 16 << 10;
/// How long a forged answer is remembered as such (RFC 4035 section 4.7 wants it short).
const BOGUS_LIFETIME_S: u32 = 30;
/// A clock before this time has not been set, and signatures cannot be judged by it: 2025-12-01.
const CLOCK_SET: Timestamp = Timestamp::from_secs(1_764_547_200);

/// Names one answer that is being validated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ValidationId(pub u64);

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
        pending.held_spans = SignedSpans::read(message, now);
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
        let spans = std::mem::take(&mut pending.held_spans);
        // A validator may remember a signature for longer than it is in its time.
        let validity = if validity == Validity::Secure && spans.has_expired {
            Validity::Bogus(EDE_SIGNATURE_EXPIRED)
        } else {
            validity
        };
        match validity {
            Validity::Secure => {
                spans.shorten(&mut answer);
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
/// more labels than the name or fewer than the zone (RFC 4035 section 5.3.1), denials that reach out of their zone or were made
/// of a wildcard (RFC 4035 section 5.4, RFC 5155 section 8.3; the class of CVE-2017-15105), and more work than an honest answer
/// makes.
fn is_sound(message: &[u8]) -> bool {
    let counts = [6, 8].map(|at| usize::from(u16_at(message, at).unwrap_or(0)));
    let records = counts[0] + counts[1];
    if records > RECORDS_MAX {
        return false;
    }
    let Some(mut at) = crate::name::read_name(message, HEADER_LEN).map(|(_, at)| at + 4) else { return false };
    let (mut signatures, mut denials) = (Vec::new(), Vec::new());
    for _ in 0..records {
        let Some((record, next)) = Record::read(message, at) else { return false };
        at = next;
        match record.rtype {
            rtype::RRSIG => match Signature::read(&record) {
                Some(signature) if signatures.len() < SIGNATURES_MAX => signatures.push(signature),
                _ => return false,
            },
            rtype::NSEC => match crate::name::end_of_plain_name(record.rdata, 0) {
                Some(end) => denials.push((folded(record.owner.as_slice()), folded(&record.rdata[..end]))),
                None => return false,
            },
            _ => {}
        }
    }
    if message.len() > SIGNED_LEN_MAX && !signatures.is_empty() {
        return false;
    }
    // The last name of a zone is followed by its apex: what comes next is never outside.
    let reaches_out = |signature: &Signature| {
        signature.covered == rtype::NSEC
            && denials.iter().any(|(owner, next)| *owner == signature.owner && !is_at_or_below(next, &signature.signer))
    };
    signatures.iter().all(Signature::is_sound) && !signatures.iter().any(reaches_out)
}

/// An answer that signatures are checked with, as it may be believed: one that cannot be right says nothing.
pub fn without_unsound_proof(mut message: Vec<u8>) -> Vec<u8> {
    if !is_sound(&message)
        && let Some((_, name_end)) = crate::name::read_name(&message, HEADER_LEN)
    {
        message.truncate(name_end + 4);
        if let Some(counts) = message.get_mut(6..HEADER_LEN) {
            counts.fill(0);
        }
    }
    message
}

/// For how long what is signed may be kept (RFC 4035 section 5.3.3): no longer than the TTLs of the signature and the one it
/// was made with say, and not past its expiration.
#[derive(Default)]
pub(crate) struct SignedSpans {
    /// Seconds by the type that is signed; the shortest of all sets of records of a type.
    spans: Vec<(u16, u32)>,
    /// The shortest.
    least_s: Option<u32>,
    /// A set of records has only signatures past their time.
    pub(crate) has_expired: bool,
}

impl SignedSpans {
    fn read(message: &[u8], now: Timestamp) -> Self {
        // One signature of several is enough, as while keys are rolled.
        let mut best: BTreeMap<(Vec<u8>, u16), Option<u32>> = BTreeMap::new();
        for record in records(message).filter(|record| record.rtype == rtype::RRSIG) {
            let (Some(covered), Some(original_ttl), Some(expiration)) =
                (u16_at(record.rdata, 0), u32_at(record.rdata, 4), u32_at(record.rdata, 8))
            else {
                continue;
            };
            // RFC 4034 section 3.1.5: serial number arithmetic.
            let left = expiration.wrapping_sub(now.as_secs() as u32) as i32;
            let span =
                u32::try_from(left).ok().filter(|left| *left > 0).map(|left| left.min(original_ttl).min(record.ttl));
            let known = best.entry((folded(record.owner.as_slice()), covered)).or_default();
            *known = (*known).max(span);
        }
        let mut all = Self { has_expired: best.values().any(Option::is_none), ..Self::default() };
        for ((_, covered), span) in best {
            let Some(span) = span else { continue };
            all.least_s = Some(all.least_s.map_or(span, |least| least.min(span)));
            match all.spans.iter_mut().find(|(rtype, _)| *rtype == covered) {
                Some((_, known)) => *known = span.min(*known),
                None => all.spans.push((covered, span)),
            }
        }
        all
    }

    /// Shortens the TTLs of what is signed, and the answer's lifetime.
    fn shorten(&self, answer: &mut Answer) {
        for at in answer.ttl_offsets.iter().map(|at| usize::from(*at)) {
            // Type and class come before a TTL; its length and the type that it signs come after that of a signature.
            let signed = match at.checked_sub(4).and_then(|at| u16_at(&answer.wire, at)) {
                Some(rtype::RRSIG) => u16_at(&answer.wire, at + 6),
                other => other,
            };
            let Some((_, span)) = self.spans.iter().find(|(rtype, _)| Some(*rtype) == signed) else { continue };
            if let (Some(ttl), Some(to)) = (u32_at(&answer.wire, at), answer.wire.get_mut(at..at + 4)) {
                to.copy_from_slice(&ttl.min(*span).to_be_bytes());
            }
        }
        answer.lifetime_s = self.least_s.map_or(answer.lifetime_s, |least| answer.lifetime_s.min(least));
    }
}

/// The records of the answer and authority sections, as far as they can be read.
fn records(message: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let count: usize = [6, 8].map(|at| usize::from(u16_at(message, at).unwrap_or(0))).iter().sum();
    let mut at = crate::name::read_name(message, HEADER_LEN).map(|(_, at)| at + 4);
    (0..count).map_while(move |_| {
        let (record, next) = Record::read(message, at?)?;
        at = Some(next);
        Some(record)
    })
}

/// What an RRSIG record claims (RFC 4034 section 3.1), names folded.
struct Signature {
    owner: Vec<u8>,
    covered: u16,
    labels: usize,
    signer: Vec<u8>,
}

impl Signature {
    fn read(record: &Record<'_>) -> Option<Self> {
        let signer = record.rdata.get(18..)?;
        // The signer's name is never compressed (RFC 4034 section 3.1.7).
        let end = crate::name::end_of_plain_name(signer, 0)?;
        let labels = usize::from(*record.rdata.get(3)?);
        let covered = u16_at(record.rdata, 0)?;
        Some(Self { owner: folded(record.owner.as_slice()), covered, labels, signer: folded(&signer[..end]) })
    }

    fn is_sound(&self) -> bool {
        let count = |name: &[u8]| suffixes(name).filter(|suffix| suffix.len() > 1).count();
        let own_labels = count(&self.owner) - usize::from(self.owner.starts_with(b"\x01*"));
        let is_in_zone = is_at_or_below(&self.owner, &self.signer)
            && self.labels <= own_labels
            && self.labels >= count(&self.signer);
        match self.covered {
            rtype::NSEC => is_in_zone && self.labels == own_labels,
            // A hash is one label below the apex.
            rtype::NSEC3 => is_in_zone && parent(&self.owner) == Some(&*self.signer) && self.labels == own_labels,
            _ => is_in_zone,
        }
    }
}

fn folded(name: &[u8]) -> Vec<u8> {
    name.to_ascii_lowercase()
}
