use std::future::{Future, IntoFuture};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{AppRegistry, StartError};

/// Time for requests in hand to be answered once the work has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// `GET /health` and `GET /metrics`.
pub fn ops_routes(registry: AppRegistry) -> Router {
    Router::new().route("/health", get(health)).route(
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

/// Listens on that address.
///
/// # Errors
/// Names the address, so that a port in use can be told from a wrong one.
pub async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Serves the routes while `work` runs, and a little longer for requests in
/// hand; gives what `work` gave.
pub async fn serve_during(
    listener: TcpListener,
    routes: Router,
    work: impl Future<Output = Result<(), StartError>>,
) -> Result<(), StartError> {
    let address = listener.local_addr().ok();
    info!(address = address.map(tracing::field::display), "Listening");
    let done = CancellationToken::new();
    let server = axum::serve(listener, routes)
        .with_graceful_shutdown(done.clone().cancelled_owned())
        .into_future();
    tokio::pin!(server);
    tokio::select! {
        ended = work => {
            done.cancel();
            // A client that does not read its answer must not hold up the exit.
            let _ = tokio::time::timeout(LAST_ANSWERS, server).await;
            ended
        }
        _ = &mut server => Err(StartError::TaskDied("the HTTP server")),
    }
}
