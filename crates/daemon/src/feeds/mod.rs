//! Giving the figures of `/metrics` to those who do not fetch them.

mod remote_write;
mod write_request;

pub(crate) use remote_write::{RemoteWriteView, RemoteWriter};
