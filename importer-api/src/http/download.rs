//! Files that are made while the client takes them.

use std::fmt::Display;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tracing::warn;
use uuid::Uuid;

pub(super) const JSON: &str = "application/json";

/// Groups of rows that are read ahead of the client.
const GROUPS_AHEAD: usize = 1;

/// The answer stops before its end, so that it cannot be taken for a whole one.
#[derive(Debug, thiserror::Error)]
#[error("the rows could not be read to their end")]
pub(super) struct Cut;

/// The groups of rows that a task hands over, read while the client takes them. What goes wrong
/// then cuts the answer off.
pub(super) fn groups<T, E, R>(
    import_id: Uuid,
    read: impl FnOnce(mpsc::Sender<Vec<T>>) -> R,
) -> impl Stream<Item = Result<Vec<T>, Cut>>
where
    T: Send + 'static,
    E: Display + Send + 'static,
    R: Future<Output = Result<(), E>> + Send + 'static,
{
    let (groups, taken) = mpsc::channel(GROUPS_AHEAD);
    let read = tokio::spawn(read(groups));
    ReceiverStream::new(taken)
        .map(Ok)
        .chain(end(import_id, read))
}

/// Nothing more, or the cut where the work that gave the rest failed.
pub(super) fn end<T, E>(
    import_id: Uuid,
    work: JoinHandle<Result<(), E>>,
) -> impl Stream<Item = Result<T, Cut>>
where
    T: Default,
    E: Display,
{
    stream::once(async move {
        match work.await {
            Ok(Ok(())) => Ok(T::default()),
            Ok(Err(error)) => {
                warn!(%import_id, %error, "Download cut off");
                Err(Cut)
            }
            Err(_) => Err(Cut),
        }
    })
}

/// The parts of a file as an answer: to be saved under that name, where it has one.
pub(super) fn answer<T: Into<Bytes> + 'static>(
    content_type: &str,
    file_name: Option<&str>,
    parts: impl Stream<Item = Result<T, Cut>> + Send + 'static,
) -> Response {
    let mut response = Body::from_stream(parts).into_response();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, content_type);
    set(header::CACHE_CONTROL, "no-store");
    set(header::VARY, "accept");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(name) = file_name {
        set(
            header::CONTENT_DISPOSITION,
            &format!("attachment; filename=\"{name}\""),
        );
    }
    response
}

/// A part of a text that is there already.
pub(super) fn part(text: impl Into<String>) -> impl Stream<Item = Result<String, Cut>> {
    stream::once(std::future::ready(Ok(text.into())))
}

/// Whether a client would rather have that media type than a CSV, which it gets where it does not
/// say.
pub(super) fn prefers(media_type: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok()).unwrap_or("");
    accept
        .split(',')
        .filter_map(|range| range.split(';').next())
        .map(str::trim)
        .find(|range| [media_type, "text/csv", "text/*"].contains(range))
        == Some(media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_given_to_those_who_prefer_it() {
        let wants = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            prefers("application/json", &headers)
        };
        assert!(wants("application/json"));
        assert!(wants("application/json; q=1, text/csv"));
        assert!(!wants("text/csv, application/json"));
        assert!(!wants("*/*"));
        assert!(!prefers("application/json", &HeaderMap::new()));
    }
}
