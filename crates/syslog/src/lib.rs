//! The syslog engine: bytes from devices in, [`model::LogRecord`]s out; nothing a device sends is ever thrown away.
//!
//! It reads RFC 5424, RFC 3164 and the dialects that switches, access points and firewalls really speak, cuts TCP
//! streams into lines (RFC 6587), folds what repeats ([`Folder`]), finds the typed events in lines ([`LineEvent`]) and counts which station is on
//! which access point ([`Stations`]). It never opens a socket or a file, never reads a clock and never drops or
//! changes the bytes received: what cannot be read is kept raw, and counted.
//!
//! Start at [`parse`], then [`Framer`].

mod clock;
mod counters;
mod event;
mod filterlog;
mod fold;
mod format;
mod frame;
mod header;
mod parse;
mod stations;

pub use counters::Counters;
pub use event::{DhcpWord, LineEvent, PoeWord, SpanningTreeWord, event, event_in};
pub use filterlog::{FilterLog, filterlog};
pub use fold::{FoldLimits, Folder};
pub use format::{Line, hostapd_connected, hostapd_disconnected, octet_counted};
pub use frame::{Frame, Framer, LINE_BYTES_MAX};
pub use parse::{Context, parse, parse_ref};
pub use stations::{Stations, StationsLimits};
