//! Sockets and threads around the `watch` engines, and what of the services they are told.

mod alert_desk;
mod devices;
mod icmp_socket;
mod outlets;
mod ping_service;
mod readings;
mod service_conditions;

pub(crate) use alert_desk::AlertDesk;
pub(crate) use devices::DeviceConditions;
pub(crate) use outlets::{OutletCounters, Outlets};
pub(crate) use ping_service::{PingService, WatchView};
pub(crate) use readings::Readings;
pub(crate) use service_conditions::of_services;
