//! End-to-end tests: the real program, other people's clients, network namespaces.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod dhcp;
mod dns;
mod event;
mod recovery;
mod syslog;
