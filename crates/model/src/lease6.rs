use std::{fmt, net::Ipv6Addr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{HostName, LeaseState, Mac, SubnetId, Timestamp};

/// A DHCP unique identifier of a client or server (RFC 8415 section 11): type code and content, 3 to 130 octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duid(pub Arc<[u8]>);

impl Duid {
    /// Fewest octets: the type code and one more (RFC 8415 section 11.1).
    pub const LEN_MIN: usize = 3;
    /// Most octets: the type code and 128 more (RFC 8415 section 11.1).
    pub const LEN_MAX: usize = 130;

    /// DUID-UUID (RFC 6355): of a universally unique identifier. What a server makes once and keeps.
    pub fn from_uuid(uuid: [u8; 16]) -> Self {
        Self([&[0, 4], &uuid[..]].concat().into())
    }

    /// DUID-LL (RFC 8415 section 11.4): of an Ethernet address that stays.
    pub fn from_link_layer(mac: Mac) -> Self {
        Self([&[0, 3, 0, 1], &mac.0[..]].concat().into())
    }

    /// DUID-LLT (RFC 8415 section 11.2): of an Ethernet address and the seconds since 2000-01-01T00:00:00Z, modulo 2^32.
    pub fn from_link_layer_and_time(mac: Mac, seconds: u32) -> Self {
        Self([&[0, 1, 0, 1], &seconds.to_be_bytes()[..], &mac.0].concat().into())
    }

    /// The Ethernet address inside a DUID-LL or DUID-LLT, in its wire form; `None` for other kinds.
    pub fn mac_in(octets: &[u8]) -> Option<Mac> {
        let address = match octets {
            [0, 1, 0, 1, _, _, _, _, address @ ..] | [0, 3, 0, 1, address @ ..] => address,
            _ => return None,
        };
        address.try_into().ok().map(Mac).filter(|mac| !mac.is_multicast())
    }
}

impl fmt::Display for Duid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

impl fmt::Debug for Duid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A time-limited grant of an IPv6 address to one identity association (IA_NA) of a client (RFC 8415 section 4.2).
/// Outlives the process: `store` keeps it, `dhcp6` restores it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lease6 {
    /// The subnet of the address.
    pub subnet: SubnetId,
    /// The address granted.
    pub address: Ipv6Addr,
    /// Whose it is.
    pub duid: Duid,
    /// Which of the client's identity associations (RFC 8415 section 12).
    pub iaid: u32,
    /// The client's Ethernet address: by its relay (RFC 6939), else from its DUID.
    pub mac: Option<Mac>,
    /// Where the lease is in its life.
    pub state: LeaseState,
    /// When this grant or its last renewal was made.
    pub starts: Timestamp,
    /// When the preferred lifetime ends: from then on the client uses the address for what is open only.
    pub preferred_until: Timestamp,
    /// When the valid lifetime ends.
    pub expires: Timestamp,
    /// Name the client asked for (RFC 4704), sanitised.
    pub host_name: Option<HostName>,
    /// Option 18 as received from the relay next to the client, empty if none. At most 255 octets are kept.
    pub interface_id: Arc<[u8]>,
    /// Option 37 as received from the relay next to the client (RFC 4649), empty if none. At most 255 octets are kept.
    pub remote_id: Arc<[u8]>,
}

impl Lease6 {
    /// True when the address may not go to another client at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        match self.state {
            LeaseState::Bound | LeaseState::Declined => self.expires > now,
            LeaseState::Released => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duids_are_made_and_read() {
        let mac = Mac([0x02, 0, 0x5e, 0, 0x53, 1]);
        let table: [(Duid, Option<Mac>, &str); 3] = [
            (Duid::from_link_layer(mac), Some(mac), "0003000102005e005301"),
            (Duid::from_link_layer_and_time(mac, 258), Some(mac), "000100010000010202005e005301"),
            (Duid::from_uuid([7; 16]), None, "000407070707070707070707070707070707"),
        ];
        for (duid, mac, text) in table {
            assert_eq!((Duid::mac_in(&duid.0), duid.to_string().as_str()), (mac, text));
        }
        for octets in [&[][..], &[0, 3, 0, 1, 2, 0, 0x5e], &[0, 3, 0, 6, 2, 0, 0x5e, 0, 0x53, 1], &[0, 1, 0, 1, 0]] {
            assert_eq!(Duid::mac_in(octets), None);
        }
    }
}
