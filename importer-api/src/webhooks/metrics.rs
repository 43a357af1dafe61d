use prometheus::{IntCounter, IntCounterVec, IntGauge};

/// What comes of an attempt, by the label `outcome`.
pub(super) const DELIVERED: &str = "delivered";
pub(super) const FAILED: &str = "failed";
pub(super) const GONE: &str = "gone";

common::metrics! {
    /// The metrics of webhooks.
    pub struct WebhookMetrics {
        /// Attempts to deliver an event, by what came of it.
        pub deliveries: IntCounterVec = "webhook_deliveries_total" by ["outcome"]
            each ([DELIVERED, FAILED, GONE]),
        /// Events that were given up after their last attempt.
        pub given_up: IntCounter = "webhook_events_given_up_total",
        /// Events that are to be delivered, of all replicas together.
        pub waiting: IntGauge = "webhook_events_waiting",
    }
}
