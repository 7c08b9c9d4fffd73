//! Taking and silencing alerts from the page, for who has the key of the log.
//!
//! A page of somebody else's cannot do it in the reader's name: the cookie is not sent with its POST (`SameSite`), a body
//! of this type needs leave that nobody is given (CORS), and the `Origin` must be ours.

use std::sync::Arc;

use axum::{
    extract::{DefaultBodyLimit, State as Extract},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use model::AlertAction;

use crate::State;

/// Does what a person asks for, durably, or says why not. It may wait for the disk.
pub type HandleAlert = Arc<dyn Fn(AlertAction) -> Result<(), String> + Send + Sync>;

/// The longest request, octets.
const REQUEST_OCTETS_MAX: usize = 4_096;

pub(crate) fn route() -> MethodRouter<State> {
    post(handle).layer(DefaultBodyLimit::max(REQUEST_OCTETS_MAX))
}

/// `{"take":{"id":7,"by":"Aki"}}` or `{"silence":{"device":"ap-1","seconds":1800,"by":"Aki"}}`: 204, or why not.
async fn handle(Extract(state): Extract<State>, headers: HeaderMap, body: String) -> Response {
    let Some(handle) = state.alerts.clone() else {
        return (StatusCode::NOT_FOUND, "alerts are not handled here\n").into_response();
    };
    if !state.is_noc(&headers) {
        return (StatusCode::UNAUTHORIZED, "the key of the log page is missing or wrong\n").into_response();
    }
    if !is_ours(&headers) {
        return (StatusCode::FORBIDDEN, "this was not asked for by our own page\n").into_response();
    }
    let action = match serde_json::from_str::<AlertAction>(&body) {
        Ok(action) => action,
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("the request is not understood: {error}\n")).into_response();
        }
    };
    match tokio::task::spawn_blocking(move || handle(action)).await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(why)) => (StatusCode::CONFLICT, why).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A browser says where a request comes from; a program that sends none has the key itself.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_json = text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    let is_same = match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, origin)| origin == host),
        (Some(_), None) => false,
        (None, _) => headers.contains_key(header::AUTHORIZATION),
    };
    is_json && is_same
}
