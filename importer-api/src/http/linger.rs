//! Answers before the end of a request that its client gets to read.
//!
//! Where a connection is closed while the client still sends, TCP resets it,
//! and the reset may overtake the answer. So what still comes in is taken and
//! thrown away for a while (as nginx does: `lingering_close`).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;

/// Most time for a client to read an early answer.
const LINGER: Duration = Duration::from_secs(10);

/// A layer that lets clients read errors that come before the end of their
/// request, and tells them to send no more.
pub(super) async fn linger(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let has_ended = Arc::new(AtomicBool::new(false));
    let (head, body) = request.into_parts();
    let body = Lingering {
        is_asked_for: !expects_continue(&head.headers),
        body: Some(body.into_data_stream()),
        has_ended: Arc::clone(&has_ended),
    };
    let request = Request::from_parts(head, Body::from_stream(body));
    let mut response = next.run(request).await;
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if is_error && !has_ended.load(Ordering::Relaxed) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// The client sends nothing of the body before it is asked for it.
fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The body of a request, whose rest is thrown away where nobody reads it.
struct Lingering {
    /// `None` once it has ended.
    body: Option<BodyDataStream>,
    is_asked_for: bool,
    has_ended: Arc<AtomicBool>,
}

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.is_asked_for = true;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = body.poll_next_unpin(context);
        let is_last = match &polled {
            Poll::Ready(Some(Ok(_))) => body.is_end_stream(),
            Poll::Ready(_) => true,
            Poll::Pending => false,
        };
        if is_last {
            self.body = None;
            self.has_ended.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(mut rest) = self.body.take() else {
            return;
        };
        // Reading a body that was not asked for would ask for it.
        if let (true, Ok(runtime)) = (self.is_asked_for, Handle::try_current()) {
            let throw_away = async move { while let Some(Ok(_)) = rest.next().await {} };
            runtime.spawn(tokio::time::timeout(LINGER, throw_away));
        }
    }
}
