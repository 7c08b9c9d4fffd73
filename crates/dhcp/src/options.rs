//! The options that settings may state: what the value of each is, and how it is written.
//!
//! Values are encoded once, when settings are made; the engine copies octets. A code that the table lacks is octets.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use thiserror::Error;

/// Longest data of one option, octets; longer than 255 it is sent in pieces (RFC 3396 section 6).
pub const OPTION_DATA_MAX: usize = 1_024;

/// An option: code, name and what its value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OptionKind {
    /// Code (RFC 2132 and the IANA registry "BOOTP Vendor Extensions and DHCP Options").
    pub code: u8,
    /// Name, as in plan files; empty for codes without one.
    pub name: &'static str,
    /// What its value is.
    pub value_type: ValueType,
}

/// What the value of an option is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueType {
    /// One address.
    Address,
    /// Addresses, best first.
    Addresses,
    /// Printable ASCII, without a terminating NUL (RFC 2132 section 2).
    Text,
    /// A number of one octet.
    Uint8,
    /// A number of two octets.
    Uint16,
    /// A number of four octets.
    Uint32,
    /// A number of four octets that may be negative.
    Int32,
    /// One octet, 0 or 1.
    Flag,
    /// One domain name, as text (RFC 2132 section 3.17).
    Domain,
    /// Domain names in wire form (RFC 3397 section 2), written without compression.
    Domains,
    /// Destinations with their routers, compact (RFC 3442).
    Routes,
    /// Addresses two by two (RFC 2132 sections 4.3 and 5.8).
    AddressPairs,
    /// SIP servers: addresses or domain names, with an octet that says which (RFC 3361 section 3).
    SipServers,
    /// Sub-options by code (RFC 2132 section 8.4), or octets.
    SubOptions,
    /// Octets.
    Octets,
}

/// A value, before it is encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// One address or more.
    Addresses(Vec<Ipv4Addr>),
    /// Text, also of a domain name.
    Text(String),
    /// A number; it must fit the option's type.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// Domain names.
    Domains(Vec<String>),
    /// Destination and router.
    Routes(Vec<(Ipv4Net, Ipv4Addr)>),
    /// Codes with their octets.
    SubOptions(Vec<(u8, Vec<u8>)>),
    /// As they stand: good for every option.
    Octets(Vec<u8>),
}

/// Why a value cannot be an option's.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OptionError {
    #[error("option {code} takes {wanted:?}")]
    WrongType { code: u8, wanted: ValueType },
    #[error("option {code} has no value")]
    Empty { code: u8 },
    #[error("option {code} has {len} octets of data, at most {OPTION_DATA_MAX} can be sent")]
    TooLong { code: u8, len: usize },
    #[error("{number} does not fit option {code}")]
    Number { code: u8, number: i64 },
    #[error("the text of option {code} is not printable ASCII")]
    Text { code: u8 },
    #[error("`{domain}` is not a domain name of ASCII letters, digits, hyphens and underscores")]
    Domain { domain: String },
    #[error("option {code} takes an even number of addresses")]
    Pairs { code: u8 },
    #[error("route {route} has bits set beyond its prefix length")]
    Route { route: Ipv4Net },
    #[error("sub-option {sub} of option {code} cannot be written: codes are 1 to 254, data at most 255 octets")]
    SubOption { code: u8, sub: u8 },
}

/// The option of that name, or of that decimal code; `None` when there is no such name, or no such code to state.
pub fn by_name(name: &str) -> Option<OptionKind> {
    match name.parse::<u8>() {
        Ok(code) => by_code(code),
        Err(_) => KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name)).copied(),
    }
}

/// The option of that code, octets when it has no name here; `None` for 0 and 255, which are no options.
pub fn by_code(code: u8) -> Option<OptionKind> {
    let unnamed = OptionKind { code, name: "", value_type: ValueType::Octets };
    let known = KINDS.binary_search_by_key(&code, |kind| kind.code).map_or(unnamed, |index| KINDS[index]);
    (1..=254).contains(&code).then_some(known)
}

/// The data of an option of that kind.
pub fn encode(kind: OptionKind, value: &Value) -> Result<Vec<u8>, OptionError> {
    let code = kind.code;
    let data = match (kind.value_type, value) {
        (_, Value::Octets(octets)) => octets.clone(),
        (ValueType::Address, Value::Addresses(addresses)) if addresses.len() <= 1 => octets_of(addresses),
        (ValueType::Addresses, Value::Addresses(addresses)) => octets_of(addresses),
        (ValueType::AddressPairs, Value::Addresses(addresses)) if addresses.len() % 2 == 0 => octets_of(addresses),
        (ValueType::AddressPairs, Value::Addresses(_)) => return Err(OptionError::Pairs { code }),
        (ValueType::Text, Value::Text(text)) => printable(code, text)?,
        (ValueType::Domain, Value::Text(domain)) => {
            wire_name(domain)?;
            domain.trim_end_matches('.').as_bytes().to_vec()
        }
        (ValueType::Uint8, Value::Number(number)) => whole(code, *number, u8::to_be_bytes)?,
        (ValueType::Uint16, Value::Number(number)) => whole(code, *number, u16::to_be_bytes)?,
        (ValueType::Uint32, Value::Number(number)) => whole(code, *number, u32::to_be_bytes)?,
        (ValueType::Int32, Value::Number(number)) => whole(code, *number, i32::to_be_bytes)?,
        (ValueType::Flag, Value::Flag(flag)) => vec![u8::from(*flag)],
        (ValueType::Domains, Value::Domains(domains)) => wire_names(domains)?,
        (ValueType::Routes, Value::Routes(routes)) => compact_routes(routes)?,
        (ValueType::SipServers, Value::Addresses(addresses)) if !addresses.is_empty() => {
            [vec![1], octets_of(addresses)].concat()
        }
        (ValueType::SipServers, Value::Domains(domains)) if !domains.is_empty() => {
            [vec![0], wire_names(domains)?].concat()
        }
        (ValueType::SubOptions, Value::SubOptions(subs)) => sub_options(code, subs)?,
        (wanted, _) => return Err(OptionError::WrongType { code, wanted }),
    };
    match data.len() {
        // RAPID_COMMIT and its like say all by being there.
        0 if !matches!(value, Value::Octets(_)) => Err(OptionError::Empty { code }),
        0..=OPTION_DATA_MAX => Ok(data),
        len => Err(OptionError::TooLong { code, len }),
    }
}

fn octets_of(addresses: &[Ipv4Addr]) -> Vec<u8> {
    addresses.iter().flat_map(Ipv4Addr::octets).collect()
}

fn printable(code: u8, text: &str) -> Result<Vec<u8>, OptionError> {
    let is_fine = text.bytes().all(|octet| (b' '..=b'~').contains(&octet));
    is_fine.then(|| text.as_bytes().to_vec()).ok_or(OptionError::Text { code })
}

fn whole<T: TryFrom<i64>, const N: usize>(
    code: u8,
    number: i64,
    write: fn(T) -> [u8; N],
) -> Result<Vec<u8>, OptionError> {
    T::try_from(number).map(|number| write(number).to_vec()).map_err(|_| OptionError::Number { code, number })
}

fn wire_names(domains: &[String]) -> Result<Vec<u8>, OptionError> {
    let names: Result<Vec<_>, _> = domains.iter().map(|domain| wire_name(domain)).collect();
    Ok(names?.concat())
}

/// A domain name as length-prefixed labels (RFC 1035 section 3.1), at most 255 octets.
pub(crate) fn wire_name(domain: &str) -> Result<Vec<u8>, OptionError> {
    let wrong = || OptionError::Domain { domain: domain.into() };
    let name = domain.strip_suffix('.').unwrap_or(domain);
    let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    let mut wire = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len)).ok_or_else(wrong)?;
        label.bytes().all(is_fine).then_some(()).ok_or_else(wrong)?;
        wire.push(len);
        wire.extend(label.bytes());
    }
    wire.push(0);
    if wire.len() <= 255 { Ok(wire) } else { Err(wrong()) }
}

/// RFC 3442: prefix length, its significant octets, router.
fn compact_routes(routes: &[(Ipv4Net, Ipv4Addr)]) -> Result<Vec<u8>, OptionError> {
    let mut data = Vec::new();
    for (route, router) in routes {
        if route.addr() != route.network() {
            return Err(OptionError::Route { route: *route });
        }
        let significant = usize::from(route.prefix_len().div_ceil(8));
        data.push(route.prefix_len());
        data.extend(&route.network().octets()[..significant]);
        data.extend(router.octets());
    }
    Ok(data)
}

fn sub_options(code: u8, subs: &[(u8, Vec<u8>)]) -> Result<Vec<u8>, OptionError> {
    let mut data = Vec::new();
    for (sub, value) in subs {
        let len = u8::try_from(value.len()).ok().filter(|_| (1..=254).contains(sub));
        let len = len.ok_or(OptionError::SubOption { code, sub: *sub })?;
        data.extend([*sub, len]);
        data.extend(value);
    }
    Ok(data)
}

macro_rules! kinds {
    ($( $code:literal $of:ident $name:literal ; )*) => {
        &[$( OptionKind { code: $code, name: $name, value_type: ValueType::$of } ),*]
    };
}

/// Every option with a name, by code. Sources: RFC 2132 unless said otherwise.
pub const KINDS: &[OptionKind] = kinds! {
    1 Address "subnet-mask";
    2 Int32 "time-offset";
    3 Addresses "routers";
    4 Addresses "time-servers";
    5 Addresses "ien116-name-servers";
    6 Addresses "name-servers";
    7 Addresses "log-servers";
    8 Addresses "cookie-servers";
    9 Addresses "lpr-servers";
    10 Addresses "impress-servers";
    11 Addresses "resource-location-servers";
    12 Text "host-name";
    13 Uint16 "boot-size";
    14 Text "merit-dump";
    15 Domain "domain-name";
    16 Address "swap-server";
    17 Text "root-path";
    18 Text "extensions-path";
    19 Flag "ip-forwarding";
    20 Flag "non-local-source-routing";
    21 AddressPairs "policy-filter";
    22 Uint16 "max-dgram-reassembly";
    23 Uint8 "default-ip-ttl";
    24 Uint32 "path-mtu-aging-timeout";
    26 Uint16 "interface-mtu";
    27 Flag "all-subnets-local";
    28 Address "broadcast-address";
    29 Flag "perform-mask-discovery";
    30 Flag "mask-supplier";
    31 Flag "router-discovery";
    32 Address "router-solicitation-address";
    33 AddressPairs "static-routes";
    34 Flag "trailer-encapsulation";
    35 Uint32 "arp-cache-timeout";
    36 Flag "ieee802-3-encapsulation";
    37 Uint8 "default-tcp-ttl";
    38 Uint32 "tcp-keepalive-interval";
    39 Flag "tcp-keepalive-garbage";
    40 Text "nis-domain";
    41 Addresses "nis-servers";
    42 Addresses "ntp-servers";
    43 SubOptions "vendor-specific";
    44 Addresses "netbios-name-servers";
    45 Addresses "netbios-dd-servers";
    46 Uint8 "netbios-node-type";
    47 Text "netbios-scope";
    48 Addresses "font-servers";
    49 Addresses "x-display-managers";
    50 Address "requested-address";
    51 Uint32 "lease-time";
    58 Uint32 "renewal-time";
    59 Uint32 "rebinding-time";
    60 Text "vendor-class";
    61 Octets "client-id";
    64 Text "nisplus-domain";
    65 Addresses "nisplus-servers";
    66 Text "tftp-server-name";
    67 Text "boot-file";
    68 Addresses "mobile-ip-home-agents";
    69 Addresses "smtp-servers";
    70 Addresses "pop-servers";
    71 Addresses "nntp-servers";
    72 Addresses "www-servers";
    73 Addresses "finger-servers";
    74 Addresses "irc-servers";
    // RFC 4833
    100 Text "posix-timezone";
    101 Text "tzdb-timezone";
    // RFC 8925, RFC 2563, RFC 8910
    108 Uint32 "ipv6-only-preferred";
    114 Text "captive-portal";
    116 Uint8 "auto-config";
    // RFC 3397, RFC 3361, RFC 3442, RFC 3925
    119 Domains "domain-search";
    120 SipServers "sip-servers";
    121 Routes "routes";
    124 Octets "vendor-identifying-class";
    125 Octets "vendor-identifying-options";
    // RFC 5417, RFC 5859
    138 Addresses "capwap-controllers";
    150 Addresses "tftp-servers";
    // RFC 5071
    208 Octets "pxelinux-magic";
    209 Text "pxelinux-config-file";
    210 Text "pxelinux-path-prefix";
    211 Uint32 "pxelinux-reboot-time";
    249 Routes "microsoft-routes";
    252 Text "web-proxy";
};
