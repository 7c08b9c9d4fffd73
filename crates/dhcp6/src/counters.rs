/// What the engine has done so far. Each only grows; a message is counted by its type when it is valid, and
/// once more by the outcome: a reply sent, or the reason why it was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Datagrams handed in.
    pub packets: u64,
    /// Of these, RELAY-FORW.
    pub relayed: u64,
    /// SOLICIT, valid.
    pub solicits: u64,
    /// REQUEST, valid.
    pub requests: u64,
    /// CONFIRM, valid.
    pub confirms: u64,
    /// RENEW, valid.
    pub renews: u64,
    /// REBIND, valid.
    pub rebinds: u64,
    /// RELEASE, valid.
    pub releases: u64,
    /// DECLINE, valid.
    pub declines: u64,
    /// INFORMATION-REQUEST, valid.
    pub information_requests: u64,
    /// ADVERTISE sent.
    pub advertises: u64,
    /// REPLY sent, whatever it says.
    pub replies: u64,
    /// Identity associations that got no address because none was free.
    pub no_addresses: u64,
    /// Identity associations that got no address because their circuit or relay agent has as many as it may have.
    pub over_limit: u64,
    /// Leases granted or renewed.
    pub leases_granted: u64,
    /// Leases taken away by an operator.
    pub leases_taken: u64,
    /// Leases that ended without renewal or release.
    pub leases_expired: u64,
    /// Ended leases forgotten early because `leases_max` was reached.
    pub leases_forgotten: u64,
    /// Steps of the wall clock that leases were moved along with.
    pub clock_steps: u64,
    /// Restored leases left out: no subnet holds their address, or `leases_max` was reached.
    pub restore_left_out: u64,
    /// Dropped: not a DHCPv6 message, or one that contradicts itself.
    pub dropped_malformed: u64,
    /// Dropped: of a type that servers do not answer, or without (or with) an option that RFC 8415 section 16 asks for.
    pub dropped_invalid: u64,
    /// Dropped: meant for another server (option 2).
    pub dropped_not_for_us: u64,
    /// Dropped: no subnet of ours.
    pub dropped_unknown_link: u64,
    /// Dropped: the subnet's hosts get everything from router advertisements.
    pub dropped_not_served: u64,
    /// Dropped: sent to our own address where RFC 8415 section 18.4 wants multicast.
    pub dropped_unicast: u64,
    /// Dropped: the sender asks too fast.
    pub dropped_over_rate: u64,
    /// Dropped: CONFIRM without addresses (RFC 8415 section 18.3.3).
    pub dropped_nothing_to_say: u64,
}

impl Counters {
    /// Counts one message dropped.
    pub(crate) fn count(&mut self, reason: Drop) {
        let counter = match reason {
            Drop::Malformed => &mut self.dropped_malformed,
            Drop::Invalid => &mut self.dropped_invalid,
            Drop::NotForUs => &mut self.dropped_not_for_us,
            Drop::UnknownLink => &mut self.dropped_unknown_link,
            Drop::NotServed => &mut self.dropped_not_served,
            Drop::Unicast => &mut self.dropped_unicast,
            Drop::OverRate => &mut self.dropped_over_rate,
            Drop::NothingToSay => &mut self.dropped_nothing_to_say,
        };
        *counter += 1;
    }

    /// Messages dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped_malformed
            + self.dropped_invalid
            + self.dropped_not_for_us
            + self.dropped_unknown_link
            + self.dropped_not_served
            + self.dropped_unicast
            + self.dropped_over_rate
            + self.dropped_nothing_to_say
    }
}

/// Why a message got no answer; explained at the fields of [`Counters`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drop {
    Malformed,
    Invalid,
    NotForUs,
    UnknownLink,
    NotServed,
    Unicast,
    OverRate,
    NothingToSay,
}
