use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tracing::error;

use super::Readiness;
use crate::runtime::AppRegistry;

/// `GET /health`, which says that the process is alive, `GET /ready`, which
/// says whether what it needs answers, and `GET /metrics`.
pub(super) fn ops_routes(registry: AppRegistry, readiness: Readiness) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(async move || readiness.answer().await))
        .route(
            "/metrics",
            get(move || std::future::ready(metrics(&registry))),
        )
}

async fn health() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

fn metrics(registry: &AppRegistry) -> Response {
    match registry.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            error!(%error, "Metrics cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
