//! The DHCP options that a plan may name: what each is called, and what its value is.

/// An option that a plan may state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OptionKind {
    /// Code (RFC 2132 section 3 and the IANA registry).
    pub code: u8,
    /// Its names: ours first, then those of other servers' configurations.
    pub names: &'static [&'static str],
    /// What its value is.
    pub of: OptionType,
}

/// What the value of an option is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptionType {
    /// One address.
    Address,
    /// Addresses, best first.
    Addresses,
    /// Addresses two by two, e.g. destination and router.
    AddressPairs,
    /// Printable ASCII.
    Text,
    /// One domain name.
    Domain,
    /// A whole number of one octet.
    Uint8,
    /// A whole number of two octets.
    Uint16,
    /// A whole number of four octets.
    Uint32,
    /// A whole number of four octets that may be negative.
    Int32,
    /// True or false.
    Flag,
    /// Domain names.
    Domains,
    /// `10.9.0.0/16 via 10.0.0.1`.
    Routes,
    /// Addresses, or domain names (RFC 3361).
    SipServers,
    /// Sub-options by code, or octets.
    SubOptions,
    /// Octets.
    Octets,
}

impl OptionType {
    /// How a value is written, for messages: what it is, and an example.
    pub(crate) fn written(self) -> (&'static str, &'static str) {
        match self {
            Self::Address => ("an IPv4 address", "\"192.0.2.1\""),
            Self::Addresses => ("an IPv4 address or a list of them", "[\"192.0.2.1\", \"192.0.2.2\"]"),
            Self::AddressPairs => ("an even number of IPv4 addresses", "[\"198.51.100.7\", \"192.0.2.1\"]"),
            Self::Domain => ("a domain name", "\"example.net\""),
            Self::SipServers => ("IPv4 addresses or domain names", "[\"192.0.2.1\"]"),
            Self::Text => ("text of printable ASCII characters", "\"text\""),
            Self::Uint8 => ("a whole number from 0 to 255", "64"),
            Self::Uint16 => ("a whole number from 0 to 65535", "1500"),
            Self::Uint32 => ("a whole number from 0 to 4294967295", "3600"),
            Self::Int32 => ("a whole number of 32 bits", "32400"),
            Self::Flag => ("true or false", "true"),
            Self::Domains => ("a domain name or a list of them", "[\"example.com\", \"example.net\"]"),
            Self::Routes => ("a route or a list of them", "[\"198.51.100.0/24 via 192.0.2.1\"]"),
            Self::SubOptions => ("octets, or a table of sub-options", "{ 241 = \"192.0.2.1\" }"),
            Self::Octets => ("octets", "\"hex:0102\""),
        }
    }
}

/// A plan's option of that name (any of its names) or decimal code; for codes that the table lacks, octets.
/// `None` when there is no such name, or the code is not one of 1 to 254.
pub fn find(name: &str) -> Option<OptionKind> {
    if let Ok(code) = name.parse::<u8>() {
        let kind = by_code(code).unwrap_or(OptionKind { code, names: &[], of: OptionType::Octets });
        return (1..=254).contains(&code).then_some(kind);
    }
    let is_it = |kind: &&OptionKind| kind.names.iter().any(|known| known.eq_ignore_ascii_case(name));
    OPTIONS.iter().find(is_it).copied()
}

/// The option of that code, when the table has it.
pub fn by_code(code: u8) -> Option<OptionKind> {
    OPTIONS.iter().find(|kind| kind.code == code).copied()
}

/// Why a plan may not state an option: the server makes it itself, or another key of the plan says it.
pub(crate) fn refused(code: u8) -> Option<&'static str> {
    match code {
        1 => Some("it follows from `subnet`"),
        12 => Some("write `name` in the reservation"),
        50 | 52..=57 | 61 | 80 | 82 | 90 | 118 => Some("the server makes it itself"),
        51 | 58 | 59 => Some("write `lease`"),
        81 => Some("names follow from leases"),
        108 => Some("write `ipv6_only_wait = \"30m\"`"),
        114 => Some("write `captive_portal = \"https://portal.example.net/api\"`"),
        _ => None,
    }
}

macro_rules! options {
    ($( $code:literal $of:ident $($name:literal)+ ; )*) => {
        &[$( OptionKind { code: $code, names: &[$($name),+], of: OptionType::$of } ),*]
    };
}

/// Every option with a name, by code. Sources: RFC 2132 unless said otherwise.
pub const OPTIONS: &[OptionKind] = options! {
    1 Address "subnet-mask" "netmask";
    2 Int32 "time-offset";
    3 Addresses "routers" "router";
    4 Addresses "time-servers" "time-server";
    5 Addresses "ien116-name-servers";
    6 Addresses "name-servers" "domain-name-servers" "dns-server";
    7 Addresses "log-servers" "log-server";
    8 Addresses "cookie-servers";
    9 Addresses "lpr-servers" "lpr-server";
    10 Addresses "impress-servers";
    11 Addresses "resource-location-servers";
    12 Text "host-name" "hostname";
    13 Uint16 "boot-size" "boot-file-size";
    14 Text "merit-dump";
    15 Domain "domain-name" "domain";
    16 Address "swap-server";
    17 Text "root-path";
    18 Text "extensions-path" "extension-path";
    19 Flag "ip-forwarding" "ip-forward-enable";
    20 Flag "non-local-source-routing";
    21 AddressPairs "policy-filter";
    22 Uint16 "max-dgram-reassembly" "max-datagram-reassembly";
    23 Uint8 "default-ip-ttl" "default-ttl";
    24 Uint32 "path-mtu-aging-timeout";
    26 Uint16 "interface-mtu" "mtu";
    27 Flag "all-subnets-local";
    28 Address "broadcast-address" "broadcast";
    29 Flag "perform-mask-discovery";
    30 Flag "mask-supplier";
    31 Flag "router-discovery";
    32 Address "router-solicitation-address" "router-solicitation";
    33 AddressPairs "static-routes" "static-route";
    34 Flag "trailer-encapsulation";
    35 Uint32 "arp-cache-timeout" "arp-timeout";
    36 Flag "ieee802-3-encapsulation" "ethernet-encap";
    37 Uint8 "default-tcp-ttl" "tcp-ttl";
    38 Uint32 "tcp-keepalive-interval" "tcp-keepalive";
    39 Flag "tcp-keepalive-garbage";
    40 Text "nis-domain";
    41 Addresses "nis-servers" "nis-server";
    42 Addresses "ntp-servers" "ntp-server";
    43 SubOptions "vendor-specific" "vendor-encapsulated-options" "vendor-encap";
    44 Addresses "netbios-name-servers" "netbios-ns";
    45 Addresses "netbios-dd-servers" "netbios-dd-server" "netbios-dd";
    46 Uint8 "netbios-node-type" "netbios-nodetype";
    47 Text "netbios-scope";
    48 Addresses "font-servers" "x-windows-fs";
    49 Addresses "x-display-managers" "x-display-manager" "x-windows-dm";
    50 Address "requested-address" "dhcp-requested-address";
    51 Uint32 "lease-time" "dhcp-lease-time";
    58 Uint32 "renewal-time" "dhcp-renewal-time" "T1";
    59 Uint32 "rebinding-time" "dhcp-rebinding-time" "T2";
    60 Text "vendor-class" "vendor-class-identifier";
    61 Octets "client-id" "dhcp-client-identifier";
    64 Text "nisplus-domain" "nis+-domain";
    65 Addresses "nisplus-servers" "nis+-server";
    66 Text "tftp-server-name" "tftp-server";
    67 Text "boot-file" "boot-file-name" "bootfile-name";
    68 Addresses "mobile-ip-home-agents" "mobile-ip-home-agent" "mobile-ip-home";
    69 Addresses "smtp-servers" "smtp-server";
    70 Addresses "pop-servers" "pop-server" "pop3-server";
    71 Addresses "nntp-servers" "nntp-server";
    72 Addresses "www-servers" "www-server";
    73 Addresses "finger-servers" "finger-server";
    74 Addresses "irc-servers" "irc-server";
    // RFC 4833
    100 Text "posix-timezone" "pcode";
    101 Text "tzdb-timezone" "tcode";
    // RFC 8925, RFC 2563, RFC 8910
    108 Uint32 "ipv6-only-preferred" "v6-only-preferred" "ipv6-only";
    114 Text "captive-portal" "v4-captive-portal" "default-url";
    116 Uint8 "auto-config";
    // RFC 3397, RFC 3361, RFC 3442, RFC 3925
    119 Domains "domain-search" "domain-search-list";
    120 SipServers "sip-servers" "sip-server";
    121 Routes "routes" "classless-static-routes" "classless-static-route" "rfc3442-classless-static-routes";
    124 Octets "vendor-identifying-class" "vivco-suboptions" "vivco";
    125 Octets "vendor-identifying-options" "vivso-suboptions" "vivso";
    // RFC 5417, RFC 5859
    138 Addresses "capwap-controllers" "capwap-ac-v4";
    150 Addresses "tftp-servers" "tftp-server-address";
    // RFC 5071
    208 Octets "pxelinux-magic" "pxe-linux-magic";
    209 Text "pxelinux-config-file" "loader-configfile" "config-file";
    210 Text "pxelinux-path-prefix" "loader-pathprefix" "path-prefix";
    211 Uint32 "pxelinux-reboot-time" "loader-reboottime" "reboot-time";
    249 Routes "microsoft-routes" "ms-classless-static-routes";
    252 Text "web-proxy" "wpad" "wpad-url";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_by_any_name_and_by_code() {
        let table: [(&str, Option<u8>); 10] = [
            ("tftp-server-name", Some(66)),
            ("boot-file", Some(67)),
            ("bootfile-name", Some(67)),
            ("ROUTES", Some(121)),
            ("name-servers", Some(6)),
            ("150", Some(150)),
            ("224", Some(224)),
            ("0", None),
            ("255", None),
            ("boot-fiel", None),
        ];
        for (name, code) in table {
            assert_eq!(find(name).map(|kind| kind.code), code, "{name}");
        }
    }

    #[test]
    fn codes_and_names_are_unique() {
        assert!(OPTIONS.is_sorted_by(|one, other| one.code < other.code));
        let mut names: Vec<&str> = OPTIONS.iter().flat_map(|kind| kind.names.iter().copied()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
