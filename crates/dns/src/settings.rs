//! What the engine is told before it starts.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use ipnet::{IpNet, Ipv6Net};
use thiserror::Error;

use crate::{Rates, blocked::Blocked, name::from_text, zone_file::ZoneFile};

/// Upstreams the engine can score.
pub const UPSTREAMS_MAX: usize = 16;

/// Settings of an [`Engine`](crate::Engine).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Zones answered with authority: the event's own and its reverse zones.
    pub zones: Vec<Zone>,
    /// Where everything else is asked, preferred first until round-trip times say otherwise. At most
    /// [`UPSTREAMS_MAX`]; doubles are dropped. Empty: only local names are answered, the rest is SERVFAIL.
    pub upstreams: Vec<SocketAddr>,
    /// Byte budget of the answer cache, bookkeeping included.
    pub cache_bytes_max: usize,
    /// Questions that may wait for upstreams at once; more are answered SERVFAIL. Each holds one socket, rarely up
    /// to four while upstreams are silent.
    pub pending_max: usize,
    /// Clients that may wait for one such question; more are answered SERVFAIL.
    pub waiters_max: usize,
    /// Addresses the service listens on; an upstream among them is refused, because it would be a loop.
    pub own_addresses: Vec<SocketAddr>,
    /// The domain that holds the names of DHCP clients, e.g. `clients.event.example` or an event zone itself.
    /// `None`: clients get no names. A domain outside every zone becomes a zone.
    pub client_names_zone: Option<String>,
    /// TTL in seconds of clients' names, also the cap of negative answers in local zones so that new names show soon.
    pub client_names_ttl: u32,
    /// How many times longer upstreams are waited for, in the engine's time: 1 in service; in a rehearsal, whose time
    /// runs faster than the network, the factor by which it does. At least 1.
    pub patience_factor: u32,
    /// Answers of upstreams are validated (RFC 4035); the driver has a validator with trust anchors.
    pub validate: bool,
    /// What they are validated with, as text; only told from another one here.
    pub trust_anchors: String,
    /// Names at and below which they are not (negative trust anchors, RFC 7646).
    pub negative_trust_anchors: Vec<String>,
    /// Networks whose clients are served; empty: all. Others are refused.
    pub allow: Vec<IpNet>,
    /// IPv6 networks of our own, in which a /64 is many hosts.
    pub own_ipv6: Vec<Ipv6Net>,
    /// Queries per second that one client and one network may send.
    pub rates: Rates,
    /// Names that others are asked for, most specific first or not.
    pub forwards: Vec<Forward>,
    /// Zones read from files; records of one that has the name of a zone above are added to it.
    pub zone_files: Vec<ZoneFile>,
    /// Names that are not answered.
    pub blocked: Blocked,
    /// Where clients can ask us encrypted.
    pub designated: Option<Designated>,
    /// Workers count who asks most, and for what.
    pub counts_top: bool,
    /// Clients behind translators.
    pub nat64: Vec<Nat64>,
}

/// Who is asked for a name and all below it, in place of the other upstreams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forward {
    /// The name.
    pub zone: String,
    /// Its servers; with those of the rest at most [`UPSTREAMS_MAX`].
    pub upstreams: Vec<SocketAddr>,
}

/// Where clients can ask us encrypted (RFC 9462).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Designated {
    /// A name of ours.
    pub name: String,
    /// Its addresses.
    pub ipv4: Vec<Ipv4Addr>,
    /// Its addresses.
    pub ipv6: Vec<Ipv6Addr>,
    /// Port of DNS over TLS, if served.
    pub tls_port: Option<u16>,
    /// Port of DNS over HTTPS, if served.
    pub https_port: Option<u16>,
}

impl Designated {
    pub(crate) fn wire_name(&self) -> Result<Box<[u8]>, SettingsError> {
        from_text(&self.name).ok_or_else(|| SettingsError::BadName { name: self.name.clone() })
    }
}

/// Clients that reach IPv4 through a translator (NAT64, RFC 6146), and so get IPv6 addresses for hosts that have none
/// (DNS64, RFC 6147).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nat64 {
    /// Their network.
    pub clients: IpNet,
    /// The translator's prefix, of 32, 40, 48, 56, 64 or 96 bits (RFC 6052 section 2.2).
    pub prefix: Ipv6Net,
}

/// A zone answered with authority.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// The zone's name, e.g. `event.example` or `0.10.in-addr.arpa`.
    pub origin: String,
    /// The name server named in its SOA and NS records.
    pub primary: String,
    /// Its records beside SOA and NS.
    pub records: Vec<Record>,
    /// TTL of all records, in seconds.
    pub ttl: u32,
}

/// A record of a [`Zone`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Full name, in the zone; a final dot is optional.
    pub name: String,
    /// Type and value.
    pub data: RecordData,
}

/// The types of records a plan yields. Names are full names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name of an address, in a reverse zone.
    Ptr(String),
    /// Another name for this name; stands alone (RFC 2181 section 10.1).
    Cname(String),
    /// Free text, split into strings of 255 octets.
    Txt(String),
}

/// Why settings cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SettingsError {
    /// Not a domain name.
    #[error("`{name}` is not a domain name; labels have 1 to 63 octets, a name at most 255")]
    BadName {
        /// The text.
        name: String,
    },
    /// Two zones of one name.
    #[error("zone `{origin}` is given twice; merge the two")]
    DuplicateZone {
        /// The zone.
        origin: String,
    },
    /// A record that is not in its zone.
    #[error("record `{name}` lies outside its zone `{origin}`; write full names")]
    OutsideZone {
        /// The record's name.
        name: String,
        /// The zone.
        origin: String,
    },
    /// A CNAME beside other records, or two CNAMEs.
    #[error("`{name}` has a CNAME and another record; a CNAME must stand alone (RFC 2181 section 10.1)")]
    CnameNotAlone {
        /// The owner.
        name: String,
    },
    /// TXT of more than 65,000 octets.
    #[error("the text of `{name}` is longer than a record can be")]
    TextTooLong {
        /// The owner.
        name: String,
    },
    /// An upstream that is ourselves.
    #[error("upstream `{upstream}` is an address of this service; queries would go in circles")]
    UpstreamIsOurself {
        /// The upstream.
        upstream: SocketAddr,
    },
    /// A NAT64 prefix that no IPv4 address can follow, or one too many.
    #[error("NAT64 prefix `{prefix}` cannot be used; it has 32, 40, 48, 56, 64 or 96 bits, and there are at most 60")]
    BadNat64Prefix {
        /// The prefix.
        prefix: Ipv6Net,
    },
    /// More upstreams than can be scored.
    #[error("{count} upstreams; at most {UPSTREAMS_MAX} can be used")]
    TooManyUpstreams {
        /// How many were given.
        count: usize,
    },
}

impl Settings {
    /// The upstreams to use, those of all forwards included, each once, none of them ourselves.
    pub(crate) fn checked_upstreams(&self) -> Result<Vec<SocketAddr>, SettingsError> {
        let mut seen = BTreeSet::new();
        let all = self.upstreams.iter().chain(self.forwards.iter().flat_map(|forward| &forward.upstreams));
        let upstreams: Vec<_> = all.copied().filter(|upstream| seen.insert(*upstream)).collect();
        if let Some(&upstream) = upstreams.iter().find(|upstream| self.is_own(upstream)) {
            return Err(SettingsError::UpstreamIsOurself { upstream });
        }
        if upstreams.len() > UPSTREAMS_MAX {
            return Err(SettingsError::TooManyUpstreams { count: upstreams.len() });
        }
        Ok(upstreams)
    }

    /// Says whether answers kept under other settings may be believed under these: who is asked for what, and what is checked.
    pub(crate) fn fingerprint(&self) -> u32 {
        let Self { upstreams, forwards, validate, trust_anchors, negative_trust_anchors, .. } = self;
        let believed = format!("{upstreams:?} {forwards:?} {validate} {trust_anchors:?} {negative_trust_anchors:?}");
        crc32fast::hash(believed.as_bytes())
    }

    /// Folded, in wire form.
    pub(crate) fn checked_negative_anchors(&self) -> Result<Box<[Box<[u8]>]>, SettingsError> {
        let wire = |name: &String| from_text(name).ok_or_else(|| SettingsError::BadName { name: name.clone() });
        self.negative_trust_anchors.iter().map(wire).collect()
    }

    /// A listener on the unspecified address hears every loopback address as well.
    fn is_own(&self, upstream: &SocketAddr) -> bool {
        self.own_addresses.iter().any(|own| {
            own.port() == upstream.port()
                && (own.ip() == upstream.ip()
                    || upstream.ip().is_unspecified()
                    || (own.ip().is_unspecified() && upstream.ip().is_loopback()))
        })
    }
}
