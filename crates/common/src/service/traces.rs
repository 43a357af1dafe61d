//! Where the spans of a service go: to a collector, by OTLP over HTTP, in
//! batches and on a thread of their own. No work ever waits for them.

mod collector;
mod losses;
mod settings;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::runtime::{ServiceError, Tracer, with_causes};
use collector::Collector;
use losses::{Losses, Told};

pub use settings::TraceSettings;

/// Longest wait for the last spans of a process to be taken.
const LAST_SPANS: Duration = Duration::from_secs(1);
/// Name of whatever has none, by the SDK.
const NO_NAME: &str = "unknown_service";
const SERVICE_NAME: &str = "service.name";

/// The spans of this process. Dropping it ends them without a wait.
#[derive(Debug, Default)]
pub(super) struct Traces(Option<Exported>);

#[derive(Debug)]
struct Exported {
    provider: SdkTracerProvider,
    losses: Losses,
}

impl Traces {
    /// Those of the service `app`; none without settings. What the variables
    /// `OTEL_…` say of samplers, resources, headers and batches, the SDK reads
    /// by itself. Called within the runtime, whose connections it uses.
    ///
    /// # Errors
    /// [`ServiceError::Unsuitable`] where the collector is reached by TLS and
    /// this machine trusts nobody.
    pub(super) fn start(app: &str, settings: Option<&TraceSettings>) -> Result<Self, ServiceError> {
        let Some(settings) = settings else {
            return Ok(Self::default());
        };
        let unsuitable = |error: &dyn std::error::Error| {
            ServiceError::Unsuitable(format!(
                "spans cannot be exported; correct the variables OTEL_…: {}",
                with_causes(error)
            ))
        };
        let collector = Collector::new(settings, Handle::current())?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(&settings.endpoint)
            .with_timeout(settings.timeout)
            .build()
            .map_err(|error| unsuitable(&error))?;
        let losses = Losses::new(settings.queue);
        let processor = BatchSpanProcessor::builder(Told::new(exporter, &losses)).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(app))
            .with_span_processor(Told::new(processor, &losses))
            .build();
        Ok(Self(Some(Exported { provider, losses })))
    }

    /// What makes the spans.
    pub(super) fn tracer(&self) -> Tracer {
        let exported = self.0.as_ref();
        exported.map_or_else(Tracer::default, |exported| {
            Tracer::new(exported.provider.tracer("billing-suite"))
        })
    }

    /// Has what is left exported, for a second at most.
    pub(super) async fn end(&self) {
        let Some(Exported { provider, losses }) = &self.0 else {
            return;
        };
        let provider = provider.clone();
        // It blocks, and the connection to the collector needs this thread.
        let ending = move || provider.shutdown_with_timeout(LAST_SPANS).is_ok();
        if !tokio::task::spawn_blocking(ending).await.unwrap_or(false) {
            losses.note_rest("the collector did not take them before the stop");
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(Exported { provider, .. }) = &self.0 {
            let _ = provider.shutdown_with_timeout(Duration::ZERO);
        }
    }
}

/// What the spans are of: what the variables say, and else the service.
fn resource(app: &str) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let said = Resource::builder().build();
    let name = said.get(&SERVICE_NAME.into());
    let has_name = name.is_some_and(|name| !name.as_str().starts_with(NO_NAME));
    let resource = Resource::builder().with_attribute(version);
    if has_name {
        resource.build()
    } else {
        resource.with_service_name(app.to_owned()).build()
    }
}
