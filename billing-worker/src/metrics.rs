use common::messaging::ConsumerMetrics;
use common::runtime::{AppRegistry, MetricsError};
use prometheus::{HistogramVec, IntCounter};

/// Upper bounds of the time that a step takes, in seconds.
const STEP_SECONDS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// The metrics of billing-worker.
#[derive(Clone, Debug)]
pub struct BillingMetrics {
    /// What the consumer counts.
    pub consumer: ConsumerMetrics,
    /// Rows that billed their debt.
    pub billed: IntCounter,
    /// Rows whose debt was billed by another row.
    pub skipped: IntCounter,
    /// Rows that cannot be billed.
    pub invalid: IntCounter,
    /// Notifications that SNS accepted.
    pub notifications_sent: IntCounter,
    /// Notifications that SNS did not accept.
    pub notification_errors: IntCounter,
    /// How long each step takes over a batch, by `step`.
    pub step_duration: HistogramVec,
}

impl BillingMetrics {
    /// Registers the metrics.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        Ok(Self {
            consumer: ConsumerMetrics::new(registry)?,
            billed: registry.counter(
                "billing_processed_successfully_total",
                "Debts billed, each once.",
            )?,
            skipped: registry.counter(
                "skipped_messages_total",
                "Rows skipped, as another row billed their debt.",
            )?,
            invalid: registry.counter(
                "invalid_messages_total",
                "Rows that cannot be billed; the ledger keeps the reason of each.",
            )?,
            notifications_sent: registry.counter(
                "notification_sent_total",
                "Notifications that SNS accepted.",
            )?,
            notification_errors: registry.counter(
                "notification_sent_errors_total",
                "Notifications that SNS did not accept after several tries; they are tried again later.",
            )?,
            step_duration: registry.labelled_histogram(
                "billing_step_duration_seconds",
                "Time that a step of the chain takes over a batch, waits for what is away included.",
                &["step"],
                &STEP_SECONDS,
            )?,
        })
    }
}
