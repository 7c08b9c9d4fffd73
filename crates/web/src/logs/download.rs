//! Lines as a file: streamed, so that neither we nor the browser hold them.

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Query, State as Extract},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use store::{LogExport, LogFormat, LogQuery};
use tokio::{runtime::Handle, sync::mpsc, time::timeout};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use super::{KindOf, LogAsk, SEARCH_THREADS, StopOnDrop, absent};
use crate::State;

/// Lines of a file at most, the newest; `hotstage logs --all` writes all.
const LINES_MAX: usize = 1_000_000;
/// Lines held at one time.
const PAGE_LINES: usize = 20_000;
/// Pieces of the file that wait for a slow reader.
const PIECES_MAX: usize = 4;
const PIECE_OCTETS: usize = 64 << 10;
/// What a reader may take for one piece; whoever stops reading gives the place to others.
const READ_MAX: Duration = if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(30) };

pub(super) async fn csv(state: Extract<State>, ask: Query<LogAsk>, headers: HeaderMap) -> Response {
    download(state, ask, headers, LogFormat::Csv).await
}

pub(super) async fn json(state: Extract<State>, ask: Query<LogAsk>, headers: HeaderMap) -> Response {
    download(state, ask, headers, LogFormat::Json).await
}

async fn download(
    Extract(state): Extract<State>,
    Query(ask): Query<LogAsk>,
    headers: HeaderMap,
    format: LogFormat,
) -> Response {
    let Some(desk) = &state.logs else { return absent() };
    if !desk.lets_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let query = match ask.query(&state.snapshot(), desk) {
        Ok(query) => query,
        Err(refusal) => return refusal.status().into_response(),
    };
    // A pattern that is wrong is said now; once the file has begun it could not be.
    if let Err(refusal) = desk.search(LogQuery { limit: 1, ..query.clone() }).await {
        return refusal.status().into_response();
    }
    let Some(place) = desk.place() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (pieces, receiver) = mpsc::channel(PIECES_MAX);
    let (path, kind) = (desk.state.clone(), desk.kind);
    let stop = StopOnDrop::default();
    let query = LogQuery { stop: Some(Arc::clone(&stop.0)), threads_max: SEARCH_THREADS, ..query };
    let is_whole = Arc::new(AtomicBool::new(false));
    let written = Arc::clone(&is_whole);
    tokio::task::spawn_blocking(move || {
        let out = Pieces { pieces: pieces.clone(), runtime: Handle::current(), has_failed: false };
        let out = BufWriter::with_capacity(PIECE_OCTETS, out);
        if write(&path, query, format, kind, out).is_ok() {
            written.store(true, Ordering::Release);
        }
        // The reader sees the end only now.
        drop((pieces, place));
    });
    let pieces = ReceiverStream::new(receiver).map(move |piece| {
        // The search goes on for as long as there is somebody to read.
        let _ = &stop;
        Ok(piece)
    });
    // A file that ends early must not look whole.
    let end = tokio_stream::once(()).filter_map(move |()| {
        (!is_whole.load(Ordering::Acquire)).then(|| Err(io::Error::other("the file ends early")))
    });
    let (name, content) = match format {
        LogFormat::Csv => ("hotstage-logs.csv", "text/csv; charset=utf-8"),
        LogFormat::Json | LogFormat::JsonLines | LogFormat::Parquet => ("hotstage-logs.json", "application/json"),
    };
    let headers = [
        (header::CONTENT_TYPE, content.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, Body::from_stream(pieces.chain(end))).into_response()
}

fn write(
    path: &std::path::Path,
    mut query: LogQuery,
    format: LogFormat,
    kind: KindOf,
    out: BufWriter<Pieces>,
) -> io::Result<()> {
    let mut export = LogExport::new(format, out)?;
    let mut left = LINES_MAX;
    while left > 0 {
        query.limit = left.min(PAGE_LINES);
        let lines = store::search_lines(path, &query).map_err(io::Error::other)?;
        let Some(last) = lines.last() else { break };
        query.beyond = Some(last.position);
        left -= lines.len();
        for line in &lines {
            export.write(&line.log, kind(&line.log.app, &line.log.message), None)?;
        }
    }
    export.finish().map(drop)
}

/// Pieces of the file on their way to the reader.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    runtime: Handle,
    /// A buffer before us tries once more when it is dropped.
    has_failed: bool,
}

impl Write for Pieces {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.has_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let send = self.pieces.send(Bytes::copy_from_slice(octets));
        let sent = match self.runtime.block_on(async { timeout(READ_MAX, send).await }) {
            Ok(Ok(())) => Ok(octets.len()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        self.has_failed = sent.is_err();
        sent
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
