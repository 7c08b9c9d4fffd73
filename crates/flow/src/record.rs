use std::net::IpAddr;

/// Most octets that one packet of IP can have, with the headers below it.
const PACKET_OCTETS_MAX: u64 = 65_575;
/// A record of more than this is a lie, or a counter that was never reset: a petabyte.
const RECORD_OCTETS_MAX: u64 = 1 << 50;

/// One flow, or one sampled packet, as an exporter tells it. It lives within one call only: it names hosts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlowRecord {
    pub(crate) source: Option<IpAddr>,
    pub(crate) destination: Option<IpAddr>,
    /// IANA protocol number; 0 when it is not IP or not told.
    pub(crate) protocol: u8,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    /// 802.1Q identifier, when told.
    pub(crate) vlan: Option<u16>,
    /// The frame went to a group of stations.
    pub(crate) is_group: bool,
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    /// The other direction of the same flow, where one record tells both (RFC 5103).
    pub(crate) reverse_bytes: u64,
    pub(crate) reverse_packets: u64,
    /// One of so many packets was looked at; at least 1.
    pub(crate) sampling: u32,
}

impl FlowRecord {
    /// False when the counts contradict each other or cannot be.
    pub(crate) fn is_plausible(&self) -> bool {
        let is_so = |bytes: u64, packets: u64| {
            let estimate = bytes.saturating_mul(u64::from(self.sampling));
            estimate <= RECORD_OCTETS_MAX && (packets == 0 || bytes <= packets.saturating_mul(PACKET_OCTETS_MAX))
        };
        is_so(self.bytes, self.packets) && is_so(self.reverse_bytes, self.reverse_packets)
    }
}
