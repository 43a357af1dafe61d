use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use common::ledger::ImportStatus;
use futures::{Stream, stream};
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;
use uuid::Uuid;

use super::import_view::{IMPORT_ID, ImportView};
use super::imports::find;
use super::{Problem, Shared};
use crate::progress::observe;

/// Time between two looks at an import.
const INTERVAL: Duration = Duration::from_millis(500);
/// Id of the last event. A client that comes back with it is told to stop.
const LAST_ID: &str = "end";

/// An event of an import.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the events in the API documentation")]
struct ImportEvent {
    /// `import`, or `end` for the last one.
    #[schema(example = "import")]
    event: String,
    /// The import as JSON, on one line.
    #[schema(content_media_type = "application/json")]
    data: String,
    /// `end` for the last one; a client that comes back with it gets a 204.
    id: Option<String>,
}

/// Follow an import until its end.
///
/// Server-sent events: `import` with the same JSON as `GET
/// /v1/imports/{import_id}`, at once and whenever it has changed; `end` with
/// the same once nothing more is going to happen. A comment every 15 seconds
/// keeps the connection alive. A browser's `EventSource` sends no token: read
/// the stream with `fetch` where the API asks for one.
///
/// ```sh
/// curl --no-buffer http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/events
/// ```
#[utoipa::path(
    get,
    path = "/v1/imports/{import_id}/events",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID))),
    responses(
        (status = 200, description = "The events; the schema is that of one", body = ImportEvent, content_type = "text/event-stream"),
        (status = 204, description = "The header Last-Event-ID says that the client has seen the end"),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 429, description = "Too many clients follow imports", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::too_many_followers())),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn events(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let status = find(&shared, import_id, Timestamp::now()).await?;
    let last_seen = headers.get("last-event-id").map(AsRef::as_ref);
    if is_last(&status) && last_seen == Some(LAST_ID.as_bytes()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follower = shared.followers.add();
    let follower = follower.ok_or_else(Problem::too_many_followers)?;
    let events = Sse::new(follow(shared, follower, status)).keep_alive(KeepAlive::default());
    Ok(([("cache-control", "no-store")], events).into_response())
}

/// Whether nothing is told after that.
fn is_last(status: &ImportStatus) -> bool {
    status.is_over() && !status.is_being_erased()
}

/// What a client is told next, and what it was told last.
enum Following {
    Next(ImportStatus),
    Told(ImportStatus),
    Over,
}

/// The events of an import, for a client that follows it until the stream ends.
fn follow(
    shared: Shared,
    follower: OwnedSemaphorePermit,
    status: ImportStatus,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let start = (shared, follower, Following::Next(status));
    stream::unfold(start, |(shared, follower, following)| async move {
        let status = match following {
            Following::Next(status) => status,
            Following::Told(before) => changed(&shared, &before).await?,
            Following::Over => return None,
        };
        let view = ImportView::new(&status, Timestamp::now());
        let (event, following) = if is_last(&status) {
            (Event::default().event("end").id(LAST_ID), Following::Over)
        } else {
            (Event::default().event("import"), Following::Told(status))
        };
        let event = event.json_data(view).unwrap_or_default();
        Some((Ok(event), (shared, follower, following)))
    })
}

/// Waits until the import has changed; `None` when the process stops or the
/// import is gone. A ledger that is away is waited for.
async fn changed(shared: &Shared, before: &ImportStatus) -> Option<ImportStatus> {
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return None,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let now = Timestamp::now();
        let ledger = shared.ledger().ok()?;
        let import_id = before.import.import_id;
        match observe(ledger, &shared.metrics, import_id, now).await {
            Ok(None) => return None,
            Ok(Some(status)) if status != *before || status.state(now) != before.state(now) => {
                return Some(status);
            }
            Ok(Some(_)) | Err(_) => {}
        }
    }
}
