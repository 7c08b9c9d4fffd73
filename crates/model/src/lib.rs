//! The words of hotstage: identifiers, addresses, records and the dashboard snapshot.
//!
//! Values only. This crate never reads a clock, opens a file or a socket, and knows nothing of the
//! crates above it; everyone may use it. Start at [`Timestamp`], [`Lease`], [`LogRecord`] and [`Snapshot`].

mod alert_action;
mod alert_metric;
mod finding;
mod id;
mod incident;
mod lease;
mod lease6;
mod lease_change;
mod log_record;
mod mac;
mod sample;
mod snapshot;
mod timeline;
mod timestamp;
mod traffic;

pub use alert_action::AlertAction;
pub use alert_metric::ALERT_METRICS;
pub use finding::{Finding, Place, Severity};
pub use id::{DeviceId, FloorId, PortRef, RoomId, SiteId, SsidId, SubnetId, VlanId, VlanName};
pub use incident::Incident;
pub use lease::{ClientKey, HostName, Lease, LeaseState};
pub use lease_change::{LeaseChange, LeaseChangeCounts, LeaseNews};
pub use lease6::{Duid, Lease6};
pub use log_record::{Facility, LogRecord, LogRef, LogSeverity, Transport};
pub use mac::{Mac, ParseMacError};
pub use sample::Sample;
pub use snapshot::{
    AccessPointLoad, EventCard, HistoryPoint, Metric, MetricKind, PoolUse, Rates, RoomLoad, Snapshot, SnapshotAlert,
    SnapshotTalk, pool_name_v6,
};
pub use timeline::TimeLine;
pub use timestamp::Timestamp;
pub use traffic::{KindTraffic, NetworkTraffic, Traffic, TrafficDirection, TrafficKind};
