//! What messaging, the ledger and a service are built on: settings from the
//! environment, metrics, spans, errors, and waiting for a dependency that is away.
//!
//! It knows none of them.

mod environment;
mod error;
mod metrics;
mod outage;
mod probe;
#[cfg(target_os = "linux")]
mod process_metrics;
mod secret;
mod tally;
mod trace_context;
mod tracer;

pub use environment::{Environment, HeldSecret, SettingError};
pub use error::{ServiceError, with_causes};
pub use metrics::{AppRegistry, Declared, Metric, MetricsError};
pub use outage::{
    Backoff, Dependency, GaveUp, Interrupted, Outage, Transient, outage_backoff, ride_out, wait,
};
pub use probe::ReadyProbe;
pub use secret::Secret;
pub use tally::tally;
pub use trace_context::TraceContext;
pub use tracer::{BatchSpan, Span, Tracer, current_ids, in_current_span};

// What a span is told, and what its attributes are.
pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::{SpanBuilder, SpanKind};

pub(crate) use environment::{hidden, wrong};
