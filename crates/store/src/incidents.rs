use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use model::{Incident, Severity, Timestamp};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};

use crate::StateDir;

const FILE: &str = "incidents.sqlite";
/// Incidents kept; the oldest go first.
const INCIDENTS_MAX: i64 = 100_000;
/// A text of an incident is cut here, in characters.
const TEXT_CHARS_MAX: usize = 2_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS incidents (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        opened   INTEGER NOT NULL,  -- nanoseconds since 1970, UTC
        closed   INTEGER,           -- the same; NULL while it lasts
        code     TEXT NOT NULL,
        severity TEXT NOT NULL,     -- error, warning, info
        place    TEXT NOT NULL,
        says     TEXT NOT NULL,
        remedy   TEXT NOT NULL
    ) STRICT";

/// Octets of the database and of its write-ahead log that are taken in advance.
const RESERVED_BYTES: i64 = 256 << 10;
/// Pages after which the write-ahead log begins anew, so that it stays within what was taken.
const CHECKPOINT_PAGES: i64 = 16;

/// Takes room for the next incidents while there is some: that the disk is full is one of them. A disk that is full
/// already costs only that.
fn reserve(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // What is freed stays in the file for pages to come; the log was written over and keeps its length while it is open.
    let taken = || {
        connection.execute_batch("CREATE TABLE reserve (octets BLOB) STRICT")?;
        connection.execute("INSERT INTO reserve VALUES (zeroblob(?1))", [RESERVED_BYTES])?;
        connection.execute_batch("DROP TABLE reserve")?;
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
    };
    // What a stop on the way has left.
    connection.execute_batch("DROP TABLE IF EXISTS reserve")?;
    match taken() {
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::DiskFull => Ok(()),
        result => result,
    }
}

/// Which incident, for as long as the state directory lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IncidentId(pub i64);

/// What went wrong during the event, in SQLite (WAL, synchronous=FULL): each change is durable when the call returns,
/// and `sqlite3 incidents.sqlite` reads it at any time.
#[derive(Debug)]
pub struct Incidents {
    connection: Connection,
    path: PathBuf,
}

/// The incident database refused.
#[derive(Debug, thiserror::Error)]
#[error("the incidents in `{path}` cannot be used; check permissions and free space, or move the file away")]
pub struct IncidentsError {
    /// The database file.
    pub path: PathBuf,
    /// What SQLite said.
    pub source: rusqlite::Error,
}

impl Incidents {
    /// Opens, and creates if need be, for writing.
    pub fn open(state: &StateDir) -> Result<Self, IncidentsError> {
        let path = state.path().join(FILE);
        let connect = || {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.execute_batch(SCHEMA)?;
            reserve(&connection)?;
            Ok(connection)
        };
        let connected = connect();
        Self::opened(path, connected)
    }

    /// Opens the incidents of the state directory `path` for reading, also while a daemon writes.
    /// `None` when nothing was ever recorded.
    pub fn open_read(path: &Path) -> Result<Option<Self>, IncidentsError> {
        let path = path.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        // Readers of a WAL database need its shared memory, so not strictly read-only.
        let connected = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .or_else(|_| Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY))
            .and_then(|connection| connection.busy_timeout(Duration::from_secs(5)).map(|()| connection));
        Self::opened(path, connected).map(Some)
    }

    /// Records `incident`, durably.
    pub fn add(&self, incident: &Incident) -> Result<IncidentId, IncidentsError> {
        let insert = "INSERT INTO incidents (opened, closed, code, severity, place, says, remedy)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let added = self.connection.execute(
            insert,
            params![
                incident.opened.as_nanos(),
                incident.closed.map(Timestamp::as_nanos),
                cut(&incident.code),
                incident.severity.to_string(),
                cut(&incident.place),
                cut(&incident.says),
                cut(&incident.remedy),
            ],
        );
        let id = self.checked(added.map(|_| self.connection.last_insert_rowid()))?;
        self.checked(self.connection.execute("DELETE FROM incidents WHERE id <= ?1", [id - INCIDENTS_MAX]))?;
        Ok(IncidentId(id))
    }

    /// Ends an incident at `at`, durably. False when there is none of that id, or it has ended already.
    pub fn close(&self, id: IncidentId, at: Timestamp) -> Result<bool, IncidentsError> {
        let update = "UPDATE incidents SET closed = ?2 WHERE id = ?1 AND closed IS NULL";
        self.checked(self.connection.execute(update, params![id.0, at.as_nanos()])).map(|rows| rows > 0)
    }

    /// The incident of that id.
    pub fn get(&self, id: IncidentId) -> Result<Option<Incident>, IncidentsError> {
        let select = "SELECT id, opened, closed, code, severity, place, says, remedy FROM incidents WHERE id = ?1";
        let found = self.connection.query_row(select, [id.0], read).optional();
        self.checked(found).map(|found| found.map(|(_, incident)| incident))
    }

    /// All incidents in the order they were recorded, at most 100,000.
    pub fn list(&self) -> Result<Vec<(IncidentId, Incident)>, IncidentsError> {
        let select = "SELECT id, opened, closed, code, severity, place, says, remedy FROM incidents ORDER BY id";
        let list = || self.connection.prepare_cached(select)?.query_map([], read)?.collect();
        self.checked(list())
    }

    fn opened(path: PathBuf, connected: rusqlite::Result<Connection>) -> Result<Self, IncidentsError> {
        match connected {
            Ok(connection) => Ok(Self { connection, path }),
            Err(source) => Err(IncidentsError { path, source }),
        }
    }

    fn checked<T>(&self, result: rusqlite::Result<T>) -> Result<T, IncidentsError> {
        result.map_err(|source| IncidentsError { path: self.path.clone(), source })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(IncidentId, Incident)> {
    let severity: String = row.get(4)?;
    let incident = Incident {
        opened: Timestamp::from_nanos(row.get(1)?),
        closed: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_nanos),
        code: row.get(3)?,
        severity: match severity.as_str() {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            _ => Severity::Info,
        },
        place: row.get(5)?,
        says: row.get(6)?,
        remedy: row.get(7)?,
    };
    Ok((IncidentId(row.get(0)?), incident))
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(TEXT_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    #[test]
    fn incidents_are_kept_closed_and_read_beside_the_writer() {
        let temp = tempfile::tempdir().unwrap();
        assert!(Incidents::open_read(temp.path()).unwrap().is_none());
        let state = StateDir::open(temp.path(), "e", Mode::Serve).unwrap();
        let incidents = Incidents::open(&state).unwrap();
        let incident = Incident {
            opened: Timestamp::from_nanos(-5),
            closed: None,
            code: "pool-nearly-full".to_owned(),
            severity: Severity::Warning,
            place: "vlan '; DROP TABLE incidents --".to_owned(),
            says: "<b>プール</b>".to_owned(),
            remedy: String::new(),
        };
        let id = incidents.add(&incident).unwrap();
        let other = incidents.add(&Incident { says: "x".repeat(9_000), ..incident.clone() }).unwrap();
        let reader = Incidents::open_read(temp.path()).unwrap().unwrap();
        assert_eq!(reader.get(id).unwrap(), Some(incident.clone()));
        let at = Timestamp::from_secs(9);
        assert!(incidents.close(id, at).unwrap());
        assert!(!incidents.close(id, at).unwrap());
        assert!(!incidents.close(IncidentId(99), at).unwrap());
        let list = reader.list().unwrap();
        assert_eq!(list[0], (id, Incident { closed: Some(at), ..incident }));
        assert_eq!((list[1].0, list[1].1.says.len()), (other, TEXT_CHARS_MAX));
    }
}
