//! Routes, problem documents, API documentation.

mod auth;
mod docs;
mod file_name;
mod form;
mod limits;
mod linger;
mod problem;
mod upload;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::mpsc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

pub use auth::{ApiTokens, UnfitToken};
pub use docs::ApiDoc;
pub use limits::UploadSettings;
pub use problem::Problem;

use self::auth::authenticate;
use self::limits::UploadLimits;
use self::linger::linger;
use crate::spool::{Manifest, Spool};

/// What the handlers share.
#[derive(Clone, Debug)]
struct Shared {
    spool: Spool,
    accepted: mpsc::UnboundedSender<Manifest>,
    limits: UploadLimits,
}

/// The routes of the API and its documentation. Imports that are accepted are
/// sent to `accepted`. The routes below `/v1` take requests with one of the
/// tokens, the documentation takes all.
pub fn routes(
    spool: Spool,
    accepted: mpsc::UnboundedSender<Manifest>,
    uploads: UploadSettings,
    tokens: ApiTokens,
) -> Router {
    let shared = Shared {
        spool,
        accepted,
        limits: UploadLimits::new(uploads),
    };
    let (v1, api) = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(upload::upload))
        .split_for_parts();
    v1.layer(from_fn_with_state(tokens, authenticate))
        .with_state(shared)
        .merge(SwaggerUi::new("/docs").url("/openapi.json", api))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn(linger))
}
