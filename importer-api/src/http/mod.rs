//! Routes, problem documents, API documentation.

mod docs;
mod problem;
mod upload;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio::sync::mpsc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

pub use docs::ApiDoc;
pub use problem::Problem;

use crate::spool::{Manifest, Spool};

/// What the handlers share.
#[derive(Clone, Debug)]
struct Shared {
    spool: Spool,
    accepted: mpsc::UnboundedSender<Manifest>,
}

/// The routes of the API and its documentation. Imports that are accepted are
/// sent to `accepted`.
pub fn routes(
    spool: Spool,
    accepted: mpsc::UnboundedSender<Manifest>,
    max_upload_bytes: u64,
) -> Router {
    let limit = usize::try_from(max_upload_bytes).unwrap_or(usize::MAX);
    let (router, api) = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(upload::upload))
        .split_for_parts();
    router
        .layer(DefaultBodyLimit::max(limit))
        .with_state(Shared { spool, accepted })
        .merge(SwaggerUi::new("/docs").url("/openapi.json", api))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
}
