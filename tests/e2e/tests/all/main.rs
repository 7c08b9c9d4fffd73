//! End-to-end tests: the real program, other people's clients, network namespaces.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alerts;
mod bad_input;
mod campus;
mod checker;
mod clients;
mod conflicts;
mod disk_full;
mod dns;
mod dns_clients;
mod dns_faults;
mod dns_team_files;
mod dns_transports;
mod dns_validation;
mod drift;
mod event;
mod feeds;
mod flows;
mod hostile;
mod ipv6;
mod load;
mod log_feeds;
mod log_intake;
mod log_search;
mod log_tls;
mod recovery;
mod rogue;
mod snmp;
mod snmp_manners;
mod sync_order;
mod syslog;
