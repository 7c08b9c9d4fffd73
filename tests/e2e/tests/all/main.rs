//! End-to-end tests: the real program, other people's clients, network namespaces.

mod bad_input;
mod dhcp;
mod dns;
mod event;
mod recovery;
mod syslog;
