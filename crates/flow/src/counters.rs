/// What became of datagrams and of what is in them. All only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Datagrams of NetFlow version 5 that were read.
    pub netflow5: u64,
    /// Of NetFlow version 9.
    pub netflow9: u64,
    /// Of IPFIX.
    pub ipfix: u64,
    /// Of sFlow version 5.
    pub sflow: u64,
    /// Datagrams from elsewhere than the plan's exporters; not read.
    pub foreign: u64,
    /// Datagrams of another version; not read.
    pub unknown_version: u64,
    /// Datagrams, or the rest of one, that contradict themselves.
    pub malformed: u64,
    /// Flows, and sampled packets, that were counted.
    pub records: u64,
    /// Flows whose counts cannot be; not counted.
    pub implausible: u64,
    /// Sets of flows that were kept until their template came.
    pub sets_waited: u64,
    /// Sets of flows given up because their template did not come in time, or too many waited.
    pub sets_without_template: u64,
    /// Templates that replaced another one of the same id.
    pub templates_changed: u64,
    /// Templates forgotten because they were not told again in time, or too many were told.
    pub templates_dropped: u64,
    /// Exporters of `allow` forgotten because there were too many.
    pub exporters_dropped: u64,
}
