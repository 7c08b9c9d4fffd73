/// What the engine has done so far. Each only grows; a message is counted by its type when it is understood, and
/// once more by the outcome: a reply sent, or the reason why it was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Datagrams handed in.
    pub packets: u64,
    /// DHCPDISCOVER understood.
    pub discovers: u64,
    /// DHCPOFFER sent.
    pub offers: u64,
    /// DHCPREQUEST understood.
    pub requests: u64,
    /// DHCPACK sent for a lease (those for INFORM are not in it).
    pub acks: u64,
    /// DHCPNAK sent.
    pub naks: u64,
    /// DHCPRELEASE that gave a lease back.
    pub releases: u64,
    /// DHCPDECLINE that put an address in quarantine.
    pub declines: u64,
    /// DHCPINFORM answered.
    pub informs: u64,
    /// Leases that ended without renewal or release.
    pub leases_expired: u64,
    /// Offers that nobody took up in time.
    pub offers_lapsed: u64,
    /// Offers withdrawn early because another client needed the room.
    pub offers_evicted: u64,
    /// Steps of the wall clock that leases were moved along with.
    pub clock_steps: u64,
    /// Restored leases left out because no subnet holds their address.
    pub restore_unknown: u64,
    /// Dropped: not a DHCPv4 message, or one that contradicts itself.
    pub dropped_malformed: u64,
    /// Dropped: not from a client, or of a type that servers do not answer.
    pub dropped_not_a_request: u64,
    /// Dropped: `giaddr` is no address that a relay can have.
    pub dropped_bad_relay: u64,
    /// Dropped: no subnet of ours.
    pub dropped_unknown_subnet: u64,
    /// Dropped: meant for another server (option 54).
    pub dropped_not_for_us: u64,
    /// Dropped: we have no record of that client, another server may (RFC 2131 section 4.3.2).
    pub dropped_no_record: u64,
    /// Dropped: RELEASE or DECLINE of an address that this client does not hold.
    pub dropped_not_the_owner: u64,
    /// Dropped: DISCOVER that found no free address.
    pub dropped_pool_exhausted: u64,
    /// Options that had no room in a reply.
    pub options_left_out: u64,
    /// Dropped: the client's circuit or relay agent has as many leases or offers as it may have.
    pub dropped_over_limit: u64,
    /// Dropped: more messages from one source than it may send.
    pub dropped_over_rate: u64,
    /// Dropped: more messages from one circuit than it may send.
    pub dropped_over_circuit_rate: u64,
    /// Dropped: more messages by one relay agent or interface than it may send.
    pub dropped_over_ingress_rate: u64,
    /// Dropped: DHCPLEASEQUERY from somebody who may not ask.
    pub dropped_not_permitted: u64,
    /// DISCOVER answered with an ACK at once (RFC 4039); also counted in `acks`.
    pub rapid_commits: u64,
    /// DHCPLEASEQUERY answered.
    pub leasequeries: u64,
    /// Leases taken away by an operator.
    pub leases_taken: u64,
    /// Times that the settings were replaced.
    pub reloads: u64,
    /// Leases dropped by a reload because no subnet holds their address any more.
    pub reload_orphans: u64,
    /// Addresses probed before they were offered.
    pub probes: u64,
    /// Offers made without a probe, as there were too many at once.
    pub probes_skipped: u64,
    /// Addresses at which a probe found somebody.
    pub conflicts: u64,
    /// Messages of other DHCP servers noticed.
    pub foreign_servers: u64,
}

impl Counters {
    /// Counts one message dropped.
    pub(crate) fn count(&mut self, reason: Drop) {
        let counter = match reason {
            Drop::Malformed => &mut self.dropped_malformed,
            Drop::NotARequest => &mut self.dropped_not_a_request,
            Drop::BadRelay => &mut self.dropped_bad_relay,
            Drop::UnknownSubnet => &mut self.dropped_unknown_subnet,
            Drop::NotForUs => &mut self.dropped_not_for_us,
            Drop::NoRecord => &mut self.dropped_no_record,
            Drop::NotTheOwner => &mut self.dropped_not_the_owner,
            Drop::PoolExhausted => &mut self.dropped_pool_exhausted,
            Drop::OverLimit => &mut self.dropped_over_limit,
            Drop::OverRate => &mut self.dropped_over_rate,
            Drop::OverCircuitRate => &mut self.dropped_over_circuit_rate,
            Drop::OverIngressRate => &mut self.dropped_over_ingress_rate,
            Drop::NotPermitted => &mut self.dropped_not_permitted,
        };
        *counter += 1;
    }

    /// Messages dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped_malformed
            + self.dropped_not_a_request
            + self.dropped_bad_relay
            + self.dropped_unknown_subnet
            + self.dropped_not_for_us
            + self.dropped_no_record
            + self.dropped_not_the_owner
            + self.dropped_pool_exhausted
            + self.dropped_over_limit
            + self.dropped_over_rate
            + self.dropped_over_circuit_rate
            + self.dropped_over_ingress_rate
            + self.dropped_not_permitted
    }
}

/// Why a message got no answer; explained at the fields of [`Counters`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drop {
    Malformed,
    NotARequest,
    BadRelay,
    UnknownSubnet,
    NotForUs,
    NoRecord,
    NotTheOwner,
    PoolExhausted,
    OverLimit,
    OverRate,
    OverCircuitRate,
    OverIngressRate,
    NotPermitted,
}
