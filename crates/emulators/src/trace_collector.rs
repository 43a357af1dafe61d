//! A collector of spans: OTLP over HTTP, as the services send it. It keeps what it takes, or does
//! what it is told to do wrong.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode as Outcome},
};
use prost::Message;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::connections::serve_each;

/// A span that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedSpan {
    /// The service that made it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SpanKind,
    /// Its trace, in hex.
    pub trace_id: String,
    /// The span, in hex.
    pub span_id: String,
    /// The span that it is below, in hex; empty where it is the first of its trace.
    pub parent_id: String,
    /// Traces and spans that it is linked to.
    pub links: Vec<(String, String)>,
    /// Its attributes as texts.
    pub attributes: BTreeMap<String, String>,
    /// What it is about failed.
    pub failed: bool,
    /// Nanoseconds since 1970 of its begin and its end.
    pub time: (u64, u64),
}

/// What a collector does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectorMode {
    /// Keeps it.
    Takes,
    /// Answers 503 to each request.
    Refuses,
    /// Never answers.
    Silent,
}

/// A running collector. Dropping it ends it.
#[derive(Debug)]
pub struct TraceCollector {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    mode: CollectorMode,
    spans: Mutex<Vec<CollectedSpan>>,
    requests: AtomicU64,
}

impl TraceCollector {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(mode: CollectorMode) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            mode,
            spans: Mutex::default(),
            requests: AtomicU64::new(0),
        });
        let of_connections = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            serve_each(listener, |stream| {
                serve(stream, Arc::clone(&of_connections))
            })
            .await;
        });
        Ok(Self { port, shared, task })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` takes.
    pub fn endpoint_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The spans so far, in the order of their begin.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        let mut spans = self.shared.spans().clone();
        spans.sort_by_key(|span| span.time);
        spans
    }

    /// How many requests there were.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for TraceCollector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn spans(&self) -> MutexGuard<'_, Vec<CollectedSpan>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let status = match self.mode {
            CollectorMode::Takes => self.take(request).await,
            CollectorMode::Refuses => StatusCode::SERVICE_UNAVAILABLE,
            CollectorMode::Silent => pending().await,
        };
        let taken = ExportTraceServiceResponse::default().encode_to_vec();
        let mut response = Response::new(Full::from(taken));
        *response.status_mut() = status;
        response
    }

    async fn take(&self, request: Request<Incoming>) -> StatusCode {
        if request.uri().path() != "/v1/traces" {
            return StatusCode::NOT_FOUND;
        }
        let Ok(body) = request.into_body().collect().await else {
            return StatusCode::BAD_REQUEST;
        };
        let Ok(export) = ExportTraceServiceRequest::decode(body.to_bytes()) else {
            return StatusCode::BAD_REQUEST;
        };
        for of_resource in export.resource_spans {
            let resource = of_resource.resource.unwrap_or_default();
            let resource = texts(resource.attributes);
            let service = resource.get("service.name").cloned().unwrap_or_default();
            let spans = of_resource.scope_spans.into_iter();
            let spans = spans.flat_map(|of_scope| of_scope.spans);
            self.spans().extend(spans.map(|span| taken(&service, span)));
        }
        StatusCode::OK
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(shared.answer(request).await) });
    // An error here is a client that went away; it sees that itself.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn taken(service: &str, span: Span) -> CollectedSpan {
    let links = span.links.iter();
    CollectedSpan {
        service: service.to_owned(),
        kind: span.kind(),
        trace_id: hex::encode(&span.trace_id),
        span_id: hex::encode(&span.span_id),
        parent_id: hex::encode(&span.parent_span_id),
        links: links
            .map(|link| (hex::encode(&link.trace_id), hex::encode(&link.span_id)))
            .collect(),
        failed: span
            .status
            .as_ref()
            .is_some_and(|status| status.code() == Outcome::Error),
        time: (span.start_time_unix_nano, span.end_time_unix_nano),
        attributes: texts(span.attributes),
        name: span.name,
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = attributes.into_iter();
    attributes
        .filter_map(|attribute| Some((attribute.key, text(attribute.value?.value?))))
        .collect()
}
