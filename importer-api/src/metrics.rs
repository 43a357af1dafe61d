use common::service::{AppRegistry, MetricsError};
use prometheus::{Histogram, IntCounter, IntGauge};

/// Upper bounds of the import duration, in seconds.
const DURATION_BUCKETS: [f64; 12] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 1_800.0,
];

/// The metrics of importer-api.
#[derive(Clone, Debug)]
pub struct ImporterMetrics {
    /// Messages that SQS accepted.
    pub sent: IntCounter,
    /// Messages that SQS did not accept.
    pub failed: IntCounter,
    /// Rows that cannot be sent.
    pub invalid: IntCounter,
    /// Imports that are not at their end.
    pub open: IntGauge,
    /// Those of them that make no progress.
    pub stalled: IntGauge,
    /// From the answer to an upload to its last row accepted by SQS.
    pub duration: Histogram,
}

impl ImporterMetrics {
    /// Registers the metrics.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        Ok(Self {
            sent: registry.counter(
                "csv_processor_messages_sent_total",
                "Messages that SQS accepted.",
            )?,
            failed: registry.counter(
                "csv_processor_messages_failed_total",
                "Messages that SQS refused, or did not take in several tries; the latter are tried again until it takes them.",
            )?,
            invalid: registry.counter(
                "csv_processor_rows_invalid_total",
                "Rows that a message cannot carry, recorded as INVALID by the importer.",
            )?,
            open: registry.gauge(
                "imports_open",
                "Imports that are not at their end, of all replicas together.",
            )?,
            stalled: registry.gauge(
                "imports_stalled",
                "Imports that have made no progress for ten minutes, of all replicas together.",
            )?,
            duration: registry.histogram(
                "csv_processor_duration_seconds",
                "Time from the acceptance of a file to its last row accepted by SQS, one observation a file.",
                &DURATION_BUCKETS,
            )?,
        })
    }
}
