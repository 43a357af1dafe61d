use prometheus::IntCounter;

use crate::runtime::{AppRegistry, MetricsError};

/// Counters of a consumer.
#[derive(Clone, Debug)]
pub struct ConsumerMetrics {
    pub(super) received: IntCounter,
    pub(super) deleted: IntCounter,
    pub(super) processed: IntCounter,
    pub(super) errors: IntCounter,
    pub(super) put_off: IntCounter,
}

impl ConsumerMetrics {
    /// Registers the counters.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        Ok(Self {
            received: registry.counter(
                "sqs_consumer_messages_received_total",
                "Messages received from SQS; one that comes again counts again.",
            )?,
            deleted: registry.counter(
                "sqs_consumer_messages_deleted_total",
                "Messages that SQS deleted for us.",
            )?,
            processed: registry.counter(
                "messages_processed_successfully_total",
                "Messages whose outcome was recorded.",
            )?,
            errors: registry.counter(
                "messages_processed_errors_total",
                "Messages whose handling failed; each comes back to be tried again.",
            )?,
            put_off: registry.counter(
                "messages_put_off_total",
                "Messages put off: SQS took a copy that comes later.",
            )?,
        })
    }
}
