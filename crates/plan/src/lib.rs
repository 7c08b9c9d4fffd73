//! Plan directory -> file shape -> validated [`Plan`], with places for messages.
//!
//! The one crate that knows the file format. It gets text and returns values: it opens no file, reads no clock
//! and has no opinion on whether a plan is wise (that is `check`). Start at [`load`] and [`Plan`].

mod addressing;
mod build;
pub mod catalogue;
mod derive;
mod feeds;
mod file;
pub mod import;
pub mod options;
mod overrides;
mod plan;
mod problem;
mod rows;
pub mod schema;
pub mod skeleton;
mod source;
pub mod summary;
pub mod timetable;

pub use addressing::*;
pub use build::load;
pub use derive::Link;
pub use feeds::{Feeds, HostPort, OtlpFeed, RemoteWrite, SyslogFeed, SyslogFeedTls, ZabbixFeed};
pub use overrides::Override;
pub use plan::*;
pub use problem::Problem;
pub use source::{FILE_BYTES_MAX, FILE_NAMES, SourceFile};
