use common::messaging::ConsumerMetrics;
use common::service::{AppRegistry, MetricsError};
use prometheus::IntCounter;

/// The metrics of send-mail-worker.
#[derive(Clone, Debug)]
pub struct MailMetrics {
    /// What the consumer counts.
    pub consumer: ConsumerMetrics,
    /// E-mails that the transport took.
    pub sent: IntCounter,
}

impl MailMetrics {
    /// Registers the metrics.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        Ok(Self {
            consumer: ConsumerMetrics::new(registry)?,
            sent: registry.counter("mails_sent_total", "E-mails that the transport took.")?,
        })
    }
}
