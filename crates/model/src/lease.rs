use std::{fmt, net::Ipv4Addr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Mac, SubnetId, Timestamp};

/// What identifies a DHCP client (RFC 2131 section 4.2): option 61 if sent, else hardware type and address. At most 256 octets.
///
/// First octet 0 = the rest is option 61 as sent; first octet 1 = the rest is htype, then chaddr.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientKey(pub Arc<[u8]>);

impl fmt::Debug for ClientKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

/// A sanitised host name: one DNS label of letters, digits and hyphens, at most 63 octets (RFC 1123 section 2.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostName(Arc<str>);

impl HostName {
    /// The longest label of `wanted` that is a valid host name, lower-cased; octets that may not stand in one
    /// are dropped. `None` when nothing is left. Never fails on hostile bytes.
    pub fn sanitise(wanted: &[u8]) -> Option<Self> {
        let label = wanted.split(|&octet| octet == b'.').next().unwrap_or_default();
        let mut text: String = label
            .iter()
            .filter(|octet| octet.is_ascii_alphanumeric() || **octet == b'-')
            .map(|octet| char::from(octet.to_ascii_lowercase()))
            .collect();
        text.truncate(63);
        let text = text.trim_matches('-');
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The label, lower case, without dots.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a lease is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// Granted; holds its address until `expires`.
    Bound,
    /// Given back by the client; its address goes to others last.
    Released,
    /// The client found the address in use; quarantined until `expires` (RFC 2131 section 4.3.3).
    Declined,
}

/// A time-limited grant of an address to a client. Outlives the process: `store` keeps it, `dhcp` restores it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// The subnet of the address.
    pub subnet: SubnetId,
    /// The address granted.
    pub address: Ipv4Addr,
    /// Whose it is.
    pub client: ClientKey,
    /// The client's hardware address when it is Ethernet.
    pub mac: Option<Mac>,
    /// Where the lease is in its life.
    pub state: LeaseState,
    /// When this grant or its last renewal was made.
    pub starts: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Name the client asked for, sanitised.
    pub host_name: Option<HostName>,
    /// Option 82 sub-option 1 as received (RFC 3046), empty if none. At most 255 octets.
    pub circuit_id: Arc<[u8]>,
    /// Option 82 sub-option 2 as received (RFC 3046), empty if none. At most 255 octets.
    pub remote_id: Arc<[u8]>,
}

impl Lease {
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
    fn host_names_are_sanitised() {
        let table: [(&[u8], Option<&str>); 8] = [
            (b"Taro-no-iPhone", Some("taro-no-iphone")),
            (b"laptop.example.com", Some("laptop")),
            (b"<script>", Some("script")),
            (b"-x-", Some("x")),
            (b"", None),
            (b"...", None),
            (b"\0\xff\xfe", None),
            ("太郎のiPhone".as_bytes(), Some("iphone")),
        ];
        for (wanted, name) in table {
            assert_eq!(HostName::sanitise(wanted).as_ref().map(HostName::as_str), name);
        }
        assert_eq!(HostName::sanitise(&[b'a'; 300]).map(|name| name.as_str().len()), Some(63));
    }
}
