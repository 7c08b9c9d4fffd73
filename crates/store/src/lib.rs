//! The only crate that writes state to disk: leases, telemetry and incidents, in one state directory.
//!
//! - [`LeaseJournal`]: every lease durable before its ACK or REPLY leaves; one sync for a batch.
//! - [`Telemetry`]: log lines and samples through a ring of segments into sealed Parquet files, under a ceiling of
//!   bytes and files whatever the number of hosts.
//! - [`Incidents`]: an SQLite table that people can open with `sqlite3`.
//!
//! It never reads a clock (it is told the time), never puts a name from the network into a path, never keeps a
//! Parquet file open for writing under its final name, and never takes a torn or failed write as good.
//!
//! Start at [`StateDir`], then [`LeaseJournal`]. Reading beside a running daemon: [`search_logs`], [`LogFollower`],
//! [`read_samples`], [`read_leases`], [`read_leases6`]. What goes out: [`LogExport`].

mod durable;
mod incidents;
mod journal;
mod octets;
mod segment;
mod spool;
mod state_dir;
mod telemetry;

pub use incidents::{IncidentId, Incidents, IncidentsError};
pub use journal::{
    JournalError, JournalLimits, JournalRecord, JournalStatus, LeaseJournal, Recovery, read_leases, read_leases6,
};
pub use spool::{Spool, SpoolLimits};
pub use state_dir::{Mode, OpenError, StateDir};
pub use telemetry::{
    EncodedLog, Limits, LineTest, LogBatch, LogExport, LogFollower, LogFormat, LogLine, LogPosition, LogQuery,
    PositionError, QueryError, Telemetry, TelemetryError, TelemetryRecovery, TelemetryStatus, count_logs, exact_name,
    printable, read_samples, search_lines, search_logs,
};
