//! Counts the answers of the API by the class of their status.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::ImporterMetrics;
use crate::metrics::CLASSES;

/// Middleware that counts an answer once its status is known.
pub async fn count(
    State(metrics): State<ImporterMetrics>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let class = usize::from(response.status().as_u16() / 100);
    if let Some(class) = CLASSES.get(class.wrapping_sub(1)) {
        metrics.responses.with_label_values(&[class]).inc();
    }
    response
}
