//! Option codes (RFC 8415 section 24 and the IANA registry) that are read or written here.

/// Client Identifier (RFC 8415 section 21.2).
pub const CLIENT_ID: u16 = 1;
/// Server Identifier (RFC 8415 section 21.3).
pub const SERVER_ID: u16 = 2;
/// Identity Association for Non-temporary Addresses (RFC 8415 section 21.4).
pub const IA_NA: u16 = 3;
/// Identity Association for Temporary Addresses (RFC 8415 section 21.5); known only to be refused.
pub const IA_TA: u16 = 4;
/// IA Address (RFC 8415 section 21.6).
pub const IA_ADDRESS: u16 = 5;
/// Option Request (RFC 8415 section 21.7).
pub const OPTION_REQUEST: u16 = 6;
/// Preference (RFC 8415 section 21.8).
pub const PREFERENCE: u16 = 7;
/// Elapsed Time (RFC 8415 section 21.9).
pub const ELAPSED_TIME: u16 = 8;
/// Relay Message (RFC 8415 section 21.10).
pub const RELAY_MESSAGE: u16 = 9;
/// Status Code (RFC 8415 section 21.13).
pub const STATUS_CODE: u16 = 13;
/// Rapid Commit (RFC 8415 section 21.14).
pub const RAPID_COMMIT: u16 = 14;
/// Interface-Id (RFC 8415 section 21.18).
pub const INTERFACE_ID: u16 = 18;
/// Reconfigure Message (RFC 8415 section 21.19).
pub const RECONFIGURE_MESSAGE: u16 = 19;
/// DNS Recursive Name Server (RFC 3646 section 3).
pub const NAME_SERVERS: u16 = 23;
/// Domain Search List (RFC 3646 section 4).
pub const DOMAIN_SEARCH: u16 = 24;
/// Identity Association for Prefix Delegation (RFC 8415 section 21.21); known only to be refused.
pub const IA_PD: u16 = 25;
/// Simple Network Time Protocol Servers (RFC 4075), which old clients ask for.
pub const SNTP_SERVERS: u16 = 31;
/// Information Refresh Time (RFC 8415 section 21.23).
pub const INFORMATION_REFRESH: u16 = 32;
/// Relay Agent Remote-ID (RFC 4649).
pub const REMOTE_ID: u16 = 37;
/// Client Fully Qualified Domain Name (RFC 4704).
pub const CLIENT_FQDN: u16 = 39;
/// NTP Server (RFC 5908).
pub const NTP_SERVER: u16 = 56;
/// Client Link-Layer Address, set by a relay (RFC 6939).
pub const CLIENT_LINK_LAYER: u16 = 79;
/// SOL_MAX_RT (RFC 8415 section 21.24).
pub const SOL_MAX_RT: u16 = 82;
/// INF_MAX_RT (RFC 8415 section 21.25).
pub const INF_MAX_RT: u16 = 83;
/// Captive-Portal (RFC 8910 section 2.2).
pub const CAPTIVE_PORTAL: u16 = 103;
/// Relay Source Port (RFC 8357 section 4).
pub const RELAY_SOURCE_PORT: u16 = 135;
