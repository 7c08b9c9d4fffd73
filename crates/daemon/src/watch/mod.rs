//! Sockets and threads around the `watch` engines, and what of the services they are told.

mod alert_desk;
mod alert_hands;
mod devices;
mod drift_conditions;
mod icmp_socket;
mod line_signs;
mod mail_outlet;
mod neighbours;
mod outlets;
mod ping_service;
mod readings;
mod secret;
mod service_conditions;
mod snmp_conditions;
mod snmp_facts;
mod snmp_poll;
mod snmp_service;
mod snmp_traps;

pub(crate) use alert_desk::AlertDesk;
pub use alert_hands::AlertHands;
pub(crate) use devices::DeviceConditions;
pub(crate) use drift_conditions::DriftLook;
pub(crate) use line_signs::{SharedSigns, take_clock, take_event};
pub(crate) use outlets::{OutletCounters, Outlets};
pub(crate) use ping_service::{PingService, WatchView};
pub(crate) use readings::Readings;
pub(crate) use secret::read_secret;
pub(crate) use service_conditions::of_services;
pub(crate) use snmp_conditions::{AgentViews, PlannedPorts, agent_readings, of_agents, of_traps, planned_ports};
pub(crate) use snmp_facts::Figure;
pub(crate) use snmp_service::{SnmpService, SnmpView};
pub(crate) use snmp_traps::{SharedTraps, TrapKind, TrapView};
