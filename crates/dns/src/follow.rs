//! Answers that are made of the answer to another question: an alias of ours that leads outside (a stub resolver does not
//! follow it), and addresses for clients behind a translator (DNS64, RFC 6147).
//!
//! The other question is asked as any other is, so it is cached, shared, validated and served past its end like any other.

use std::{net::Ipv4Addr, sync::Arc};

use model::Timestamp;

use crate::{
    ClientRef, Engine,
    cache::{Key, Known},
    engine::is_near_end,
    inflight::Waiter,
    local::LocalAnswer,
    nat64::Prefix,
    query::{Head, Query},
    record::Record,
    reply::aged,
    wire::{AD, CD, CLASS_IN, HEADER_LEN, RCODE, RD, rcode, rtype, u16_at},
    writer::{Answer, Section, Writer},
};

/// TTL of made addresses at most where nothing says how long there are no others (RFC 6147 section 5.1.7), seconds.
const TRANSLATED_TTL_MAX: u32 = 600;
/// TTL of the alias from a translator's reverse name to the IPv4 one, seconds.
const REVERSE_TTL: u32 = 300;

/// What becomes of the answer that a client waits for.
pub(crate) struct Follow {
    /// Aliases that led to the question.
    chain: Option<Answer>,
    step: Step,
}

enum Step {
    /// The answer follows the aliases.
    Alias,
    /// IPv6 addresses were asked for; without any, IPv4 addresses are.
    Aaaa { view: u8, prefix: Prefix },
    /// IPv4 addresses were asked for; without any, what was said of IPv6 stands.
    A {
        view: u8,
        prefix: Prefix,
        no_aaaa: Answer,
        /// The aliases that led there; those in it are in the chain as well.
        before: Option<Answer>,
    },
}

impl Engine {
    /// The view in which this question has an answer of its own, and its prefix. Not for those who check signatures
    /// themselves (RFC 6147 section 5.5).
    pub(crate) fn translated(&self, client: ClientRef, query: &Query<'_>) -> Option<(u8, Prefix)> {
        let view = self.view_of(client, query);
        self.views.prefix(view).map(|prefix| (view, prefix))
    }

    /// Begins with the IPv6 addresses that there are.
    pub(crate) fn translate(&mut self, now: Timestamp, waiter: Waiter, name: &[u8], (view, prefix): (u8, Prefix)) {
        let follow = Follow { chain: None, step: Step::Aaaa { view, prefix } };
        self.seek(now, waiter.following(follow), name, rtype::AAAA);
    }

    /// Goes on behind aliases of ours.
    pub(crate) fn leave(&mut self, now: Timestamp, waiter: Waiter, chain: Answer, target: &[u8], qtype: u16) {
        let follow = Follow { chain: Some(chain), step: Step::Alias };
        self.seek(now, waiter.following(follow), target, qtype);
    }

    /// The alias that a translator's reverse name is (RFC 6147 section 5.3.1), and where it leads.
    pub(crate) fn translated_reverse(&self, name: &[u8], question: &[u8]) -> Option<(Answer, Box<[u8]>)> {
        let target = self.views.reverse(name)?;
        let mut writer = Writer::new(question);
        writer.record(Section::Answer, name, rtype::CNAME, REVERSE_TTL, &target).ok()?;
        Some((writer.finish(0), target))
    }

    /// The waiter's next question: what is kept or ours at once, else it waits for upstreams.
    fn seek(&mut self, now: Timestamp, mut waiter: Waiter, name: &[u8], qtype: u16) {
        let (edns, flags) = (waiter.head().edns, waiter.head().flags & CD | RD);
        let key = Key::new(name, qtype, edns.is_some_and(|edns| edns.dnssec_ok), flags & CD != 0);
        let question = [name, &qtype.to_be_bytes(), &CLASS_IN.to_be_bytes()].concat();
        let head = Head { id: 0, flags, question: &question, edns };
        let take = |known: Known<'_>| {
            let wants_refresh = known.may_refresh && is_near_end(known.answer, known.freshness);
            (aged(known.answer, known.freshness), wants_refresh)
        };
        if let Some((answer, wants_refresh)) = self.cache.get(now, key.as_slice(), take) {
            if wants_refresh {
                self.prefetch(now, &head, &key);
            }
            return self.follow(now, waiter, &answer);
        }
        match self.own_answer(now, name, qtype, &question) {
            Some(LocalAnswer::Done(answer)) => self.follow(now, waiter, &answer),
            Some(LocalAnswer::Leaves { so_far, target }) => {
                // Only the first question of a translation can be an alias of ours; the rest is behind it.
                match waiter.follow_mut() {
                    Some(follow) if follow.chain.is_none() => follow.chain = Some(so_far),
                    _ => return self.follow(now, waiter, &so_far),
                }
                self.seek(now, waiter, &target, qtype);
            }
            None => self.wait(now, waiter, &head, &key),
        }
    }

    /// The answer to what the waiter asked for last has come.
    pub(crate) fn follow(&mut self, now: Timestamp, mut waiter: Waiter, answer: &Answer) {
        let Some(Follow { chain, step }) = waiter.take_follow() else {
            return self.respond(waiter.client, &waiter.head(), answer);
        };
        match step {
            Step::Alias => self.end(now, &waiter, chain.as_ref(), answer, None),
            Step::Aaaa { view, prefix } => {
                let code = flags(answer) & RCODE;
                if code == rcode::NXDOMAIN || has_usable_aaaa(answer) {
                    return self.end(now, &waiter, chain.as_ref(), answer, Some(view));
                }
                let Some(name) = last_name(answer) else {
                    return self.end(now, &waiter, chain.as_ref(), answer, None);
                };
                // Behind the alias chain of the empty answer, if it has one: its target has the addresses.
                let behind = append_aliases(chain.as_ref(), answer);
                let step = Step::A { view, prefix, no_aaaa: answer.clone(), before: chain };
                let follow = Follow { chain: behind, step };
                self.seek(now, waiter.following(follow), &name, rtype::A);
            }
            Step::A { view, prefix, no_aaaa, before } => {
                let has_soa = records(&no_aaaa).any(|(_, record)| record.rtype == rtype::SOA);
                let translated =
                    translate(answer, prefix, if has_soa { no_aaaa.lifetime_s } else { TRANSLATED_TTL_MAX });
                match translated {
                    Some(translated) => {
                        self.counters.translated += 1;
                        self.end(now, &waiter, chain.as_ref(), &translated, Some(view));
                    }
                    None => self.end(now, &waiter, before.as_ref(), &no_aaaa, Some(view)),
                }
            }
        }
    }

    /// Answers the waiter; what was made for a view is kept for it, unless our own names are in it, which may change.
    fn end(&mut self, now: Timestamp, waiter: &Waiter, chain: Option<&Answer>, answer: &Answer, view: Option<u8>) {
        let head = waiter.head();
        let name_len = head.question.len().saturating_sub(4);
        let mut question = head.question.to_vec();
        question[..name_len].make_ascii_lowercase();
        let Some(joined) = join(&question, chain, answer) else {
            return self.refuse_with(waiter.client, &head, rcode::SERVFAIL);
        };
        self.respond(waiter.client, &head, &joined);
        let name = &question[..name_len];
        if let Some(view) = view
            && !self.local.is_ours(name)
            && matches!(flags(&joined) & RCODE, rcode::NOERROR | rcode::NXDOMAIN)
        {
            let dnssec_ok = head.edns.is_some_and(|edns| edns.dnssec_ok);
            let key = Key::new(name, rtype::AAAA, dnssec_ok, head.flags & CD != 0).in_view(view);
            self.cache.insert(now, Arc::from(key.as_slice()), joined);
        }
    }
}

/// The aliases, then the answer behind them, as the answer to `question`. Nobody has signed that they belong together.
fn join(question: &[u8], chain: Option<&Answer>, answer: &Answer) -> Option<Answer> {
    let mut writer = Writer::new(question);
    let mut lifetime_s = answer.lifetime_s;
    if let Some(chain) = chain {
        lifetime_s = lifetime_s.min(chain.lifetime_s);
        for (section, record) in records(chain) {
            if section == Section::Answer {
                copy(&mut writer, chain, section, &record)?;
            }
        }
    }
    for (section, record) in records(answer) {
        copy(&mut writer, answer, section, &record)?;
    }
    let kept = if chain.is_some() { RCODE } else { RCODE | AD };
    let joined = writer.finish(flags(answer) & kept);
    Some(Answer { lifetime_s: lifetime_s.min(joined.lifetime_s), extended_error: answer.extended_error, ..joined })
}

/// The aliases so far and those of an answer that ends in none; `None` without any.
fn append_aliases(chain: Option<&Answer>, answer: &Answer) -> Option<Answer> {
    let first = chain.unwrap_or(answer);
    let mut writer = Writer::new(first.wire.get(HEADER_LEN..records_begin(&first.wire)?)?);
    let mut is_empty = true;
    for part in chain.into_iter().chain([answer]) {
        for (_, record) in records(part).filter(|(section, _)| *section == Section::Answer) {
            copy(&mut writer, part, Section::Answer, &record)?;
            is_empty = false;
        }
    }
    (!is_empty).then(|| writer.finish(0))
}

fn copy(writer: &mut Writer, of: &Answer, section: Section, record: &Record<'_>) -> Option<()> {
    let rdata = record.expanded_rdata(&of.wire)?;
    writer.record(section, record.owner.as_slice(), record.rtype, record.ttl, &rdata).ok()
}

/// The answer with its IPv4 addresses embedded, its signatures left out; `None` when there is nothing to embed.
fn translate(answer: &Answer, prefix: Prefix, ttl_max: u32) -> Option<Answer> {
    let question_end = records_begin(&answer.wire)?;
    let mut question = answer.wire[HEADER_LEN..question_end].to_vec();
    let type_at = question.len().checked_sub(4)?;
    question[type_at..type_at + 2].copy_from_slice(&rtype::AAAA.to_be_bytes());
    let mut writer = Writer::new(&question);
    let mut count = 0;
    for (section, record) in records(answer).filter(|(section, _)| *section == Section::Answer) {
        let owner = record.owner.as_slice();
        match record.rtype {
            rtype::A => {
                let octets: [u8; 4] = record.rdata.try_into().ok()?;
                let Some(address) = prefix.embed(Ipv4Addr::from(octets)) else { continue };
                writer.record(section, owner, rtype::AAAA, record.ttl.min(ttl_max), &address.octets()).ok()?;
                count += 1;
            }
            rtype::RRSIG => {}
            _ => copy(&mut writer, answer, section, &record)?,
        }
    }
    (count > 0).then(|| writer.finish(rcode::NOERROR))
}

/// An address that is not an IPv4 one in disguise (RFC 6147 section 5.1.4).
fn has_usable_aaaa(answer: &Answer) -> bool {
    records(answer).any(|(section, record)| {
        section == Section::Answer
            && record.rtype == rtype::AAAA
            && !record.rdata.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff])
    })
}

/// The name at the end of the answer's aliases, folded.
fn last_name(answer: &Answer) -> Option<Vec<u8>> {
    let question_end = records_begin(&answer.wire)?;
    let mut name = answer.wire[HEADER_LEN..question_end - 4].to_ascii_lowercase();
    for (section, record) in records(answer) {
        if section == Section::Answer
            && record.rtype == rtype::CNAME
            && record.owner.as_slice().eq_ignore_ascii_case(&name)
        {
            name = record.expanded_rdata(&answer.wire)?.to_ascii_lowercase();
        }
    }
    Some(name)
}

fn records_begin(wire: &[u8]) -> Option<usize> {
    crate::name::end_of_plain_name(wire, HEADER_LEN).map(|end| end + 4)
}

fn records(answer: &Answer) -> impl Iterator<Item = (Section, Record<'_>)> {
    let count = |at| usize::from(u16_at(&answer.wire, at).unwrap_or(0));
    let (answers, all) = (count(6), count(6) + count(8));
    let mut at = records_begin(&answer.wire);
    (0..all).map_while(move |number| {
        let (record, next) = Record::read(&answer.wire, at?)?;
        at = Some(next);
        Some((if number < answers { Section::Answer } else { Section::Authority }, record))
    })
}

fn flags(answer: &Answer) -> u16 {
    u16_at(&answer.wire, 2).unwrap_or(0)
}
