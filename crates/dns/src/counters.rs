//! What happened so far, for `/metrics` and tests. All count from the engine's start.

use std::{ops::AddAssign, time::Duration};

use crate::{
    Transport,
    wire::{rcode, rtype},
};

/// A struct of totals that can be added up over threads.
macro_rules! totals {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: u64,)* }) => {
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: u64,)* }

        impl AddAssign<&Self> for $name {
            fn add_assign(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

/// Upper bounds of the times that are told apart, in milliseconds.
const WAIT_BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 500, 1_800, 5_000];

/// How long clients waited for what upstreams had to be asked for. What the cache and our own zones know is not in it:
/// that is answered with the batch it came in.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Waits {
    counts: [u64; WAIT_BOUNDS_MS.len() + 1],
    sum: Duration,
}

impl Waits {
    pub(crate) fn count(&mut self, wait: Duration) {
        let bound = WAIT_BOUNDS_MS.partition_point(|bound| Duration::from_millis(*bound) < wait);
        self.counts[bound] += 1;
        self.sum += wait;
    }

    /// For each bound how many waited no longer: ascending, the last bound is `None`, for all.
    pub fn up_to(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        let bounds = WAIT_BOUNDS_MS.into_iter().map(|bound| Some(Duration::from_millis(bound))).chain([None]);
        bounds.zip(self.counts.iter().scan(0, |total, count| {
            *total += count;
            Some(*total)
        }))
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.counts;
        counts.iter_mut().zip(earlier.counts).for_each(|(now, then)| *now = now.saturating_sub(then));
        Self { counts, sum: self.sum.saturating_sub(earlier.sum) }
    }

    /// The least bound that so many in 100 kept; `None` when none waited, or they waited longer than the last bound.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let all: u64 = self.counts.iter().sum();
        let is_enough = |(bound, count): (Option<Duration>, u64)| (count * 100 >= all * percent).then_some(bound);
        if all == 0 { None } else { self.up_to().find_map(is_enough).flatten() }
    }

    /// All waits together.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

impl Counters {
    /// Counts a message from a client.
    pub(crate) fn count_query(&mut self, transport: Transport) {
        match transport {
            Transport::Udp => self.queries_udp += 1,
            Transport::Tcp => self.queries_tcp += 1,
            Transport::Tls => self.queries_tls += 1,
            Transport::Https => self.queries_https += 1,
            Transport::Own => self.queries_own += 1,
        }
    }

    /// Counts a question by its type.
    pub(crate) fn count_type(&mut self, qtype: u16) {
        match qtype {
            rtype::A => self.type_a += 1,
            rtype::AAAA => self.type_aaaa += 1,
            rtype::HTTPS => self.type_https += 1,
            rtype::PTR => self.type_ptr += 1,
            _ => self.type_other += 1,
        }
    }

    /// Counts a reply.
    pub(crate) fn count_reply(&mut self, rcode: u16, is_truncated: bool) {
        self.answers += 1;
        self.truncated += u64::from(is_truncated);
        match rcode {
            rcode::NXDOMAIN => self.nxdomain += 1,
            rcode::SERVFAIL => self.servfail += 1,
            rcode::REFUSED => self.refused += 1,
            _ => {}
        }
    }
}

totals! {
    /// Totals since the engine started. No names, no addresses.
    #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
    pub struct Counters {
        /// Packets from clients over UDP.
        pub queries_udp: u64,
        /// Messages from clients over TCP.
        pub queries_tcp: u64,
        /// Messages from clients over TLS (RFC 7858).
        pub queries_tls: u64,
        /// Messages from clients over HTTPS (RFC 8484).
        pub queries_https: u64,
        /// Questions of our own validator.
        pub queries_own: u64,
        /// Answers of upstreams given to the validator.
        pub validations: u64,
        /// Of these, found secure.
        pub secure: u64,
        /// Of these, found bogus and answered SERVFAIL.
        pub bogus: u64,
        /// Questions for type A, refused and malformed queries left out; so the four below.
        pub type_a: u64,
        /// Questions for type AAAA.
        pub type_aaaa: u64,
        /// Questions for type HTTPS (RFC 9460).
        pub type_https: u64,
        /// Questions for type PTR.
        pub type_ptr: u64,
        /// Questions for other types.
        pub type_other: u64,
        /// Queries with a cookie of ours that was good (RFC 7873): their senders' addresses are true.
        pub cookies_good: u64,
        /// Queries of clients that are not in the access list, refused.
        pub prohibited: u64,
        /// Queries over their sender's or its network's rate, dropped.
        pub rate_dropped: u64,
        /// Queries over their rate that were answered with TC=1 alone, so that an honest sender comes over TCP.
        pub rate_truncated: u64,
        /// Replies sent to clients, of every kind.
        pub answers: u64,
        /// Replies from the cache, negative ones included.
        pub cache_hits: u64,
        /// Replies with data past its end, because it could not be refreshed (RFC 8767).
        pub stale_answers: u64,
        /// Questions asked again because their answers were near their end and wanted.
        pub prefetches: u64,
        /// Of the replies from the cache: NXDOMAIN, no data, or a remembered failure.
        pub negative_hits: u64,
        /// Replies from event zones, clients' names and special names.
        pub local_answers: u64,
        /// Questions for names that the team blocks.
        pub blocked: u64,
        /// Answers with IPv6 addresses made for clients behind a translator (DNS64).
        pub translated: u64,
        /// Questions that upstreams had to be asked.
        pub misses: u64,
        /// Queries that joined a question already in flight.
        pub joined: u64,
        /// Replies cut to TC=1.
        pub truncated: u64,
        /// Replies with NXDOMAIN.
        pub nxdomain: u64,
        /// Replies with SERVFAIL.
        pub servfail: u64,
        /// Replies with REFUSED.
        pub refused: u64,
        /// Replies with FORMERR, NOTIMP or BADVERS.
        pub rejected: u64,
        /// Packets shorter than a header, dropped.
        pub dropped_malformed: u64,
        /// Packets that were responses, dropped.
        pub dropped_not_query: u64,
        /// Queries answered SERVFAIL because too many questions were in flight.
        pub pending_full: u64,
        /// Queries answered SERVFAIL because too many clients waited for the same question.
        pub waiters_full: u64,
        /// Queries put to upstreams, repeats and TCP included, probes not.
        pub upstream_asks: u64,
        /// Of these, over TCP.
        pub upstream_asks_tcp: u64,
        /// Probes of upstreams believed dead.
        pub upstream_probes: u64,
        /// Questions for which a second upstream was asked before the first was given up.
        pub upstream_hedges: u64,
        /// Usable answers from upstreams.
        pub upstream_answers: u64,
        /// SERVFAIL, REFUSED and the like from upstreams.
        pub upstream_refusals: u64,
        /// Asks whose patience ran out.
        pub upstream_timeouts: u64,
        /// Asks that failed at once: connection refused, TCP closed.
        pub upstream_failures: u64,
        /// Packets that did not match what was asked; waiting went on.
        pub upstream_mismatched: u64,
        /// Packets that matched but could not be read; waiting went on.
        pub upstream_malformed: u64,
        /// Answers whose question came back in another case.
        pub upstream_case_changed: u64,
        /// Packets for asks already settled.
        pub upstream_late: u64,
        /// Entries the cache's byte budget pushed out.
        pub cache_evicted: u64,
        /// Clients' names held now.
        pub client_names: u64,
        /// Requests for a client name that were not granted: planned, reserved, taken, or the table was full.
        pub client_names_refused: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_counted_up_to_their_bounds() {
        let mut waits = Waits::default();
        for ms in [0, 1, 2, 3, 1_800, 9_000] {
            waits.count(Duration::from_millis(ms));
        }
        let counts: Vec<u64> = waits.up_to().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 4, 4, 4, 4, 4, 4, 5, 5, 6]);
        assert_eq!(waits.up_to().last(), Some((None, 6)));
        assert_eq!(waits.sum(), Duration::from_millis(10_806));
    }

    #[test]
    fn percentiles_are_the_bound_that_holds_them() {
        let mut waits = Waits::default();
        assert_eq!(waits.percentile(99), None);
        for _ in 0..99 {
            waits.count(Duration::from_millis(3));
        }
        let earlier = waits;
        waits.count(Duration::from_secs(9));
        assert_eq!(waits.percentile(99), Some(Duration::from_millis(5)));
        assert_eq!(waits.percentile(100), None, "longer than is told apart");
        assert_eq!(waits.since(&earlier).percentile(50), None);
        assert_eq!(waits.since(&earlier).sum(), Duration::from_secs(9));
    }
}
