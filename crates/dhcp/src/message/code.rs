//! Option codes, with the section that defines each, and sub-option codes of option 82.

/// Filler, no length octet (RFC 2132 section 3.1).
pub const PAD: u8 = 0;
/// Subnet mask (RFC 2132 section 3.3).
pub const SUBNET_MASK: u8 = 1;
/// Routers (RFC 2132 section 3.5).
pub const ROUTER: u8 = 3;
/// Domain name servers (RFC 2132 section 3.8).
pub const NAME_SERVERS: u8 = 6;
/// Host name (RFC 2132 section 3.14).
pub const HOST_NAME: u8 = 12;
/// Domain name (RFC 2132 section 3.17).
pub const DOMAIN_NAME: u8 = 15;
/// Broadcast address (RFC 2132 section 5.3).
pub const BROADCAST_ADDRESS: u8 = 28;
/// NTP servers (RFC 2132 section 8.3).
pub const NTP_SERVERS: u8 = 42;
/// Requested address (RFC 2132 section 9.1).
pub const REQUESTED_ADDRESS: u8 = 50;
/// Lease time, seconds (RFC 2132 section 9.2).
pub const LEASE_TIME: u8 = 51;
/// Options go on in `file` (1), `sname` (2) or both (3) (RFC 2132 section 9.3).
pub const OVERLOAD: u8 = 52;
/// Message type (RFC 2132 section 9.6).
pub const MESSAGE_TYPE: u8 = 53;
/// Server identifier (RFC 2132 section 9.7).
pub const SERVER_IDENTIFIER: u8 = 54;
/// Parameter request list (RFC 2132 section 9.8).
pub const PARAMETER_LIST: u8 = 55;
/// Message, text for people in a NAK (RFC 2132 section 9.9).
pub const MESSAGE: u8 = 56;
/// Maximum message size (RFC 2132 section 9.10).
pub const MESSAGE_SIZE: u8 = 57;
/// T1, seconds (RFC 2132 section 9.11).
pub const RENEWAL_TIME: u8 = 58;
/// T2, seconds (RFC 2132 section 9.12).
pub const REBINDING_TIME: u8 = 59;
/// Vendor class identifier (RFC 2132 section 9.13).
pub const VENDOR_CLASS: u8 = 60;
/// Client identifier (RFC 2132 section 9.14).
pub const CLIENT_IDENTIFIER: u8 = 61;
/// User class (RFC 3004).
pub const USER_CLASS: u8 = 77;
/// Rapid commit, no data (RFC 4039 section 4).
pub const RAPID_COMMIT: u8 = 80;
/// Client FQDN (RFC 4702 section 2).
pub const CLIENT_FQDN: u8 = 81;
/// Relay agent information (RFC 3046 section 2).
pub const RELAY_AGENT_INFORMATION: u8 = 82;
/// When the client last spoke, seconds ago, of leasequery (RFC 4388 section 6.1).
pub const CLIENT_LAST_TRANSACTION_TIME: u8 = 91;
/// Other addresses of the client, of leasequery (RFC 4388 section 6.1).
pub const ASSOCIATED_IP: u8 = 92;
/// Seconds to do without IPv4 (RFC 8925 section 3.1).
pub const IPV6_ONLY_PREFERRED: u8 = 108;
/// URI of the captive portal's API (RFC 8910 section 2.1).
pub const CAPTIVE_PORTAL: u8 = 114;
/// Subnet selection (RFC 3011 section 3).
pub const SUBNET_SELECTION: u8 = 118;
/// Domain search list (RFC 3397 section 2).
pub const DOMAIN_SEARCH: u8 = 119;
/// Routes, the default route too (RFC 3442).
pub const CLASSLESS_ROUTES: u8 = 121;
/// End of options, no length octet (RFC 2132 section 3.2).
pub const END: u8 = 255;

/// Sub-option of 82: agent circuit id (RFC 3046 section 3.1).
pub const RELAY_CIRCUIT_ID: u8 = 1;
/// Sub-option of 82: agent remote id (RFC 3046 section 3.2).
pub const RELAY_REMOTE_ID: u8 = 2;
/// Sub-option of 82: link selection (RFC 3527 section 3).
pub const RELAY_LINK_SELECTION: u8 = 5;
/// Sub-option of 82: server identifier override (RFC 5107 section 4).
pub const RELAY_SERVER_OVERRIDE: u8 = 11;
/// Sub-option of 82: the relay listens on the port it sent from, length 0 (RFC 8357).
pub const RELAY_SOURCE_PORT: u8 = 19;
