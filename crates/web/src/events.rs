//! `/events`: the page's figures as server-sent events, one for each snapshot.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{Query, State as Extract},
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use tokio_stream::{StreamExt as _, wrappers::WatchStream};

use crate::{
    State,
    page::{Asked, figures},
};

/// Streams at one time; a hall full of phones should look at one screen.
const STREAMS_MAX: usize = 512;
const KEEP_ALIVE: Duration = Duration::from_secs(10);

pub(crate) async fn events(Extract(state): Extract<State>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let Some(place) = Place::take(&state.streams) else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")], "too many readers\n").into_response();
    };
    let (language, is_noc) = (asked.language(&headers), state.is_noc(&headers) && state.alerts.is_some());
    let stream = WatchStream::new(state.snapshots).map(move |snapshot| {
        // The place is given back when the reader goes and the stream with it.
        let _ = &place;
        Ok::<_, Infallible>(Event::default().data(figures(&snapshot, language, is_noc)))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// One of [`STREAMS_MAX`] places.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(taken));
        // Counted before it is judged, so that two readers cannot take the last place; `drop` gives it back.
        (taken.fetch_add(1, Ordering::Relaxed) < STREAMS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use model::Snapshot;
    use tokio::sync::watch;

    use super::*;

    #[test]
    fn a_stream_holds_its_place_until_it_ends() {
        let (_sender, receiver) = watch::channel(Arc::new(Snapshot::default()));
        let state = State::new(receiver);
        let streams = Arc::clone(&state.streams);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let response = runtime.block_on(events(Extract(state), Query(Asked::default()), HeaderMap::new()));
        assert_eq!((response.status(), streams.load(Ordering::Relaxed)), (StatusCode::OK, 1));
        drop::<Response<Body>>(response);
        assert_eq!(streams.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let taken = Arc::new(AtomicUsize::new(0));
        let places: Vec<_> = std::iter::from_fn(|| Place::take(&taken)).collect();
        assert_eq!(places.len(), STREAMS_MAX);
        assert!(Place::take(&taken).is_none());
        drop(places);
        assert!(Place::take(&taken).is_some());
        assert_eq!(taken.load(Ordering::Relaxed), 0);
    }
}
