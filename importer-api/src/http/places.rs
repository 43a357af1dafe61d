use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use common::service::Place;

use super::Problem;

/// A layer for routes that may keep a connection busy: each of their requests
/// takes one of the places of the process, or is refused.
pub(super) async fn take_place(request: Request, next: Next) -> Response {
    let place = request.extensions().get::<Place>();
    if place.is_none_or(Place::take) {
        next.run(request).await
    } else {
        Problem::too_many_connections().into_response()
    }
}
