use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use tracing::warn;

/// Time between two warnings of lost spans.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// Bounds the spans that wait for the collector, and tells of those that are
/// lost: one line a minute at most. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Losses(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Most spans that wait.
    most: usize,
    waiting: AtomicUsize,
    /// Lost since the last warning.
    lost: AtomicU64,
    warned: Mutex<Option<Instant>>,
}

impl Losses {
    /// With up to that many spans that wait.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            most,
            waiting: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            warned: Mutex::new(None),
        }))
    }

    /// All that still wait are lost.
    pub(super) fn note_rest(&self, why: &str) {
        let rest = self.0.waiting.swap(0, Ordering::Relaxed);
        self.note(rest, why);
    }

    /// Whether there is room for a span that is to wait.
    fn is_let_in(&self) -> bool {
        let one_more = |waiting| (waiting < self.0.most).then_some(waiting + 1);
        let waiting = &self.0.waiting;
        waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    fn wait_no_more(&self, spans: usize) {
        let fewer = |waiting: usize| Some(waiting.saturating_sub(spans));
        let waiting = &self.0.waiting;
        let _ = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }

    fn note(&self, spans: usize, why: &str) {
        self.0.lost.fetch_add(spans as u64, Ordering::Relaxed);
        if self.is_time_to_warn() {
            let spans = self.0.lost.swap(0, Ordering::Relaxed);
            warn!(spans, why, "Spans are lost; what they are of is not");
        }
    }

    fn is_time_to_warn(&self) -> bool {
        let mut warned = self.0.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = warned.is_none_or(|before| before.elapsed() >= WARNING_INTERVAL);
        if is_time {
            *warned = Some(Instant::now());
        }
        is_time
    }
}

/// A processor that takes no more than may wait, or an exporter whose failures
/// are told.
#[derive(Debug)]
pub(super) struct Told<T> {
    inner: T,
    losses: Losses,
}

impl<T> Told<T> {
    pub(super) fn new(inner: T, losses: &Losses) -> Self {
        let losses = losses.clone();
        Self { inner, losses }
    }
}

impl<T: SpanProcessor> SpanProcessor for Told<T> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.losses.is_let_in() {
            self.inner.on_end(span);
        } else {
            self.losses.note(
                1,
                "as many as OTEL_BSP_MAX_QUEUE_SIZE wait for the collector",
            );
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<T: SpanExporter> SpanExporter for Told<T> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.inner.export(batch).await;
        self.losses.wait_no_more(spans);
        if let Err(error) = &exported {
            self.losses.note(spans, &error.to_string());
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_spans_wait_than_may_and_a_minute_has_one_warning() {
        let losses = Losses::new(2);
        assert!(losses.is_let_in() && losses.is_let_in());
        assert!(!losses.is_let_in());
        losses.wait_no_more(1);
        assert!(losses.is_let_in() && !losses.is_let_in());
        let unwarned = || losses.0.lost.load(Ordering::Relaxed);
        losses.note(3, "a test");
        assert_eq!(unwarned(), 0);
        losses.note(4, "a test");
        losses.note_rest("a test");
        assert_eq!(unwarned(), 6);
        *losses.0.warned.lock().unwrap() = Instant::now().checked_sub(WARNING_INTERVAL);
        losses.note(1, "a test");
        assert_eq!(unwarned(), 0);
    }
}
