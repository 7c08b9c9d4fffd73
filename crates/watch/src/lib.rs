//! Whether the event's devices answer, and what a person is told when something is wrong.
//!
//! Engines only: they are told the time and what arrived, and answer what to send and what has changed. They never open
//! a socket, read a clock, know the plan file or write to disk; `daemon` does. Start at [`Pinger`] for the echo of every
//! planned address and at [`AlertBook`] for the life of an alert.

mod agent;
mod alert;
mod alert_book;
mod drift;
mod echo;
mod forecast;
mod line_signs;
mod lldp;
mod outlet_message;
mod pinger;
mod port_name;
mod roster;
mod rule;
mod saved;
mod silence;
mod topology;
mod window;

pub use agent::{Agent, AgentPoll, PORTS_MAX, PortReport, PortRow};
pub use alert::{Alert, AlertId, AlertState, Condition, Subject};
pub use alert_book::{AlertBook, AlertBookCounters, AlertChange, Damping};
pub use drift::{Drift, Observed, ObservedPort, PlannedDevice, PlannedSite, PlannedVlans, PortPower, drift, locate};
pub use echo::{ECHO_BYTES, EchoReply, Family, ParseEchoError, encode_request, parse_reply};
pub use forecast::Forecast;
pub use line_signs::{Answers, LineSign, LineSigns, PlannedLink};
pub use lldp::{LldpTables, LocalPortRow, NEIGHBOURS_MAX, Neighbour, RemoteRow, device_text};
pub use outlet_message::{OutletKind, message_body};
pub use pinger::{Effect, PingCounters, PingSettings, Pinger, Reachability, Target, TargetReport};
pub use port_name::{find_port, is_same_port};
pub use roster::{Addressee, Duty, Roster};
pub use rule::{Comparison, Reading, Rule};
pub use saved::{SavedAlert, SavedAlerts};
pub use silence::{Silence, SilenceError, Silences};
pub use topology::Topology;
pub use window::{Window, WindowSummary};
