//! The span of an upload: the first of the trace of an import, unless the
//! client has begun one.
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server>

use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use common::runtime::{KeyValue, Span, SpanBuilder, SpanKind, TraceContext, Tracer};
use uuid::Uuid;

use super::Problem;

/// The route, as the span names it.
const ROUTE: &str = "/v1/upload";

/// Begins the span of an upload. Its trace is that of the header `traceparent`,
/// where there is one.
pub(super) fn upload_span(tracer: &Tracer, head: &Parts) -> Span {
    let parent = tracer.is_on().then(|| of_client(&head.headers)).flatten();
    tracer.span(parent.as_ref(), || {
        SpanBuilder::from_name(format!("{} {ROUTE}", head.method))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", head.method.to_string()),
                KeyValue::new("http.route", ROUTE),
                KeyValue::new("url.path", head.uri.path().to_owned()),
                KeyValue::new("url.scheme", "http"),
            ])
    })
}

/// Tells the span what the client is answered.
pub(super) fn tell_answer(span: &Span, answer: Result<Uuid, &Problem>) {
    let status = answer.map_or_else(Problem::status, |_| StatusCode::ACCEPTED);
    let code = i64::from(status.as_u16());
    span.set(|| KeyValue::new("http.response.status_code", code));
    if let Ok(import_id) = answer {
        span.set(|| KeyValue::new("import_id", import_id.to_string()));
    }
    // What the client did wrong is no fault of this span.
    if status.is_server_error() {
        span.fail(code.to_string(), "");
    }
}

fn of_client(headers: &HeaderMap) -> Option<TraceContext> {
    TraceContext::read(|name| headers.get(name)?.to_str().ok())
}
