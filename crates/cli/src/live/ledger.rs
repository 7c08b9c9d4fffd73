//! Every lease that the crowd was told of, written as it comes: what a test compares with the server after a crash.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};
use replay::LedgerEntry;

/// Entries that may wait for the disk.
const WAITING_MAX: usize = 65_536;

/// Where ACKs go, and the thread that writes them; it ends when the sender is dropped.
type Ledger = (Option<SyncSender<LedgerEntry>>, Option<JoinHandle<Result<()>>>);

/// Starts to write `address,mac,expires` lines (seconds since 1970) to `path`, if there is one.
pub(super) fn start(path: Option<&Path>) -> Result<Ledger> {
    let Some(path) = path else { return Ok((None, None)) };
    let mut file = File::create(path).with_context(|| format!("the ledger `{}` cannot be made", path.display()))?;
    let (sender, entries) = sync_channel::<LedgerEntry>(WAITING_MAX);
    let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || {
        for entry in entries {
            // A line a write: what is in the file when the process is killed was acknowledged.
            file.write_all(format!("{},{},{}\n", entry.address, entry.mac, entry.expires.as_secs()).as_bytes())
                .context("the ledger cannot be written")?;
        }
        Ok(())
    })?;
    Ok((Some(sender), Some(thread)))
}
