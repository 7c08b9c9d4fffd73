//! DNS for an event: a caching forwarder that answers the event's own zones and the names of DHCP clients itself.
//!
//! It never opens a socket, reads a clock or takes randomness from the air: it is told the time, bytes and a seed,
//! and answers with [`Effect`]s. It never recurses, checks signatures or logs names.
//!
//! Start at [`Engine`]. A driver calls [`Engine::on_query`] with what clients send, opens a socket for every
//! [`Effect::Ask`] and hands what arrives there to [`Engine::on_answer`], calls [`Engine::on_deadline`] at
//! [`Engine::deadline`], and after every call takes effects until there are none. [`client`] and [`authority`] are
//! the two other ends of the wire, for simulated clients and a simulated internet.
//!
//! Where things are: `query` parses strictly; `cache` keeps wire answers and the places of their TTLs; `reply` turns
//! one into the octets for a client; `local`, `zone`, `client_names` and `special` answer without asking; `asking`,
//! `inflight` and `upstream` ask; `upstream_answer` decides what of an answer is believed; `explain` tells an
//! operator why.
//!
//! `validation` decides what has to be validated and what follows from it. A [`Worker`] answers from the cache on a thread of its own; `gate` and `cookie` decide whom.
//!
//! RFCs: 1034, 1035, 2181, 2308, 3597, 4343, 5452, 6303, 6761, 6891, 7766, 7828, 7830, 7873, 8375, 8467, 8482, 8767, 8880, 8914,
//! 9018, 9462, 9476, 9520, 9619.

mod asking;
pub mod authority;
mod blocked;
mod cache;
pub mod client;
mod client_names;
mod cookie;
mod counters;
mod designated;
mod engine;
mod explain;
mod follow;
mod forward;
mod gate;
mod inflight;
mod local;
mod message_stream;
mod name;
mod nat64;
mod query;
mod record;
mod reply;
mod settings;
mod special;
mod top;
mod upstream;
mod upstream_answer;
mod validation;
mod wire;
mod worker;
mod writer;
mod zone;
mod zone_file;

#[cfg(test)]
mod tests;

pub use blocked::{BLOCKED_MAX, Blocked, ListRead};
pub use client_names::{CLIENT_NAMES_MAX, ClientIdentity};
pub use counters::{Counters, Waits};
pub use engine::{AskId, ClientRef, Effect, Engine, Memory, Transport};
pub use explain::{AskError, Cached, Explanation, Flush, Shape, Source};
pub use gate::Rates;
pub use message_stream::{MessageStream, append_message};
pub use reply::{STREAM_IDLE, pad_query};
pub use settings::{Designated, Forward, Nat64, Record, RecordData, Settings, SettingsError, UPSTREAMS_MAX, Zone};
pub use top::Top;
pub use upstream::UpstreamHealth;
pub use validation::{ValidationId, Validity, without_unsound_proof};
pub use worker::{Verdict, Worker};
pub use zone_file::{ZONE_FILE_LEN_MAX, ZoneFile, ZoneFileError};
