//! What a thread that serves clients can do without the engine: admit, sign, and answer from the cache.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use model::Timestamp;

use crate::{
    Counters, Transport,
    cache::Cache,
    cookie::Cookies,
    engine::{is_near_end, is_negative, key_of, view_of},
    gate::{Admission, Gate},
    nat64::Views,
    query::{Head, Parsed, Query, parse},
    reply::{Freshness, append_refusal, append_reply},
    top::Seen,
    wire::{EDE_PROHIBITED, RCODE, TC, rcode, u16_at},
};

/// What became of a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A reply was appended.
    Reply,
    /// A reply was appended, and its answer is near its end: hand the query to [`Engine::refresh`](crate::Engine::refresh) too.
    ReplyAndRefresh,
    /// Nothing is to be sent.
    Drop,
    /// The engine must answer: hand it to [`Engine::on_query`](crate::Engine::on_query).
    Slow,
}

/// One thread's share of the work, made by [`Engine::worker`](crate::Engine::worker). Answers as the engine would.
///
/// It counts what it ends itself; what it hands on is the engine's to count.
pub struct Worker {
    cache: Arc<Cache>,
    gate: Arc<Gate>,
    cookies: Cookies,
    views: Arc<Views>,
    seen: Option<Arc<Mutex<Seen>>>,
    counters: Counters,
    /// Of queries over their rate, every second gets TC=1 and the others nothing.
    slips: bool,
}

impl Worker {
    pub(crate) fn new(
        cache: Arc<Cache>,
        gate: Arc<Gate>,
        cookies: Cookies,
        views: Arc<Views>,
        seen: Option<Arc<Mutex<Seen>>>,
    ) -> Self {
        Self { cache, gate, cookies, views, seen, counters: Counters::default(), slips: false }
    }

    /// A message from a client. A reply is appended to `out`, without the length octets of TCP.
    pub fn on_query(
        &mut self,
        now: Timestamp,
        source: SocketAddr,
        transport: Transport,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Verdict {
        let begin = out.len();
        let verdict = match parse(bytes) {
            Parsed::Malformed => {
                self.counters.dropped_malformed += 1;
                Verdict::Drop
            }
            Parsed::NotQuery => {
                self.counters.dropped_not_query += 1;
                Verdict::Drop
            }
            Parsed::Reject(mut head, rcode) => {
                let refusal = self.admit(now, source.ip(), transport, &mut head, out);
                refusal.unwrap_or_else(|| {
                    append_refusal(out, &head, transport, rcode, None);
                    self.counters.rejected += u64::from(rcode != rcode::REFUSED);
                    Verdict::Reply
                })
            }
            Parsed::Query(mut query) => {
                let refusal = self.admit(now, source.ip(), transport, &mut query.head, out);
                if let (Some(seen), None) = (&self.seen, refusal) {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.count(now, source.ip(), query.name);
                }
                refusal.unwrap_or_else(|| self.answer(now, source.ip(), transport, &query, out))
            }
        };
        if verdict != Verdict::Slow {
            self.counters.count_query(transport);
        }
        if let Some(flags) = u16_at(&out[begin..], 2) {
            self.counters.count_reply(flags & RCODE, flags & TC != 0);
        }
        verdict
    }

    /// Totals of what was ended here; add them to the engine's.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn answer(
        &mut self,
        now: Timestamp,
        client: IpAddr,
        transport: Transport,
        query: &Query<'_>,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let head = &query.head;
        let key = key_of(query, view_of(&self.views, client, query));
        let counters = &mut self.counters;
        let hit = self.cache.get(now, key.as_slice(), |known| {
            append_reply(out, head, transport, known.answer, known.freshness);
            counters.cache_hits += 1;
            counters.stale_answers += u64::from(known.freshness == Freshness::Stale);
            counters.negative_hits += u64::from(is_negative(known.answer));
            known.may_refresh && is_near_end(known.answer, known.freshness)
        });
        if hit.is_some() {
            self.counters.count_type(query.qtype);
        }
        match hit {
            Some(true) => Verdict::ReplyAndRefresh,
            Some(false) => Verdict::Reply,
            None => Verdict::Slow,
        }
    }

    /// What is done with a query that is not served; `None` when it is. Signs the head.
    fn admit(
        &mut self,
        now: Timestamp,
        address: IpAddr,
        transport: Transport,
        head: &mut Head<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Verdict> {
        let is_known = sign(&self.cookies, now, address, head);
        self.counters.cookies_good += u64::from(is_known);
        match self.gate.admit(now, address) {
            Admission::Serve => None,
            Admission::Prohibited => {
                self.counters.prohibited += 1;
                append_refusal(out, head, transport, rcode::REFUSED, Some(EDE_PROHIBITED));
                Some(Verdict::Reply)
            }
            // A connection is proof of the address; its client waits for every reply.
            Admission::TooMany if transport.is_stream() => {
                self.counters.rate_dropped += 1;
                append_refusal(out, head, transport, rcode::REFUSED, Some(EDE_PROHIBITED));
                Some(Verdict::Reply)
            }
            Admission::TooMany => {
                self.slips = !self.slips;
                if is_known || self.slips {
                    self.counters.rate_dropped += 1;
                    return Some(Verdict::Drop);
                }
                self.counters.rate_truncated += 1;
                append_refusal(out, head, transport, TC, None);
                Some(Verdict::Reply)
            }
        }
    }
}

/// Puts a cookie in the reply for who sent one; true when the client's address is proved by it.
pub(crate) fn sign(cookies: &Cookies, now: Timestamp, address: IpAddr, head: &mut Head<'_>) -> bool {
    let Some(edns) = &mut head.edns else { return false };
    let Some(cookie) = &edns.cookie else { return false };
    let (reply, is_ours) = cookies.answer(now, address, cookie);
    edns.reply_cookie = Some(reply);
    is_ours
}
