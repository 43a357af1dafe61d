use std::future::{Future, IntoFuture};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{AppRegistry, StartError};

/// Most time from being told to stop to the end of the process.
const STOP_DEADLINE: Duration = Duration::from_secs(9);

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
pub(super) async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Serves the routes while `work` runs, and gives what it gave. When `stop` is
/// cancelled `work` should end; then requests in hand are answered, and all
/// this takes no longer than nine seconds.
pub async fn serve_during(
    listener: TcpListener,
    routes: Router,
    stop: CancellationToken,
    work: impl Future<Output = Result<(), StartError>>,
) -> Result<(), StartError> {
    let address = listener.local_addr().ok();
    info!(address = address.map(tracing::field::display), "Listening");
    let done = CancellationToken::new();
    let mut server = pin!(
        axum::serve(listener, routes)
            .with_graceful_shutdown(done.clone().cancelled_owned())
            .into_future()
    );
    let mut too_late = pin!(async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_DEADLINE).await;
    });
    tokio::select! {
        ended = work => {
            ended?;
            done.cancel();
            tokio::select! {
                _ = &mut server => {}
                () = &mut too_late => warn!("Requests in hand were cut off"),
            }
            Ok(())
        }
        _ = &mut server => Err(StartError::TaskDied("the HTTP server")),
        () = &mut too_late => {
            warn!("Not stopped in time, work in hand was cut off");
            Ok(())
        }
    }
}
