//! Flows: what routers and switches export of the traffic they carry, counted by kind of traffic and by network.
//!
//! It reads NetFlow version 5, NetFlow version 9 (RFC 3954), IPFIX (RFC 7011) and sFlow version 5, multiplies by the
//! sampling that the exporter states, and adds up. An engine like the others: it is told the time and the octets, and
//! never opens a socket or reads a clock. No address of a client outlives the call that read it: what is kept are sums by
//! [`model::TrafficKind`], by direction, by network of the plan and by exporter of the plan, and for at most a minute
//! data whose template has not come yet, unread. Everything is bounded by settings, never by what is sent.
//!
//! Start at [`Collector`].

mod collector;
mod counters;
mod data_set;
mod exporter;
mod ipfix;
mod kind;
mod netflow5;
mod networks;
mod octets;
mod packet;
mod recent;
mod record;
mod sequence;
mod settings;
mod sflow;
mod template;
mod totals;

pub use collector::Collector;
pub use counters::Counters;
pub use recent::Recent;
pub use settings::{CollectorSettings, Exporter, Network};
pub use totals::{ExporterTotals, Totals, Volume};

#[cfg(test)]
mod tests;
