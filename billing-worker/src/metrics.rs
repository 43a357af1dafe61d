use common::messaging::ConsumerMetrics;
use common::service::{AppRegistry, MetricsError};
use prometheus::IntCounter;

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
        })
    }
}
