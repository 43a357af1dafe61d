use common::messaging::ConsumerMetrics;
use prometheus::{HistogramVec, IntCounter};

/// Upper bounds of the time that a step takes, in seconds.
const STEP_SECONDS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

common::metrics! {
    /// The metrics of billing-worker.
    pub struct BillingMetrics {
        /// What the consumer counts.
        pub consumer: ConsumerMetrics,
        /// Debts billed, each once.
        pub billed: IntCounter = "billing_processed_successfully_total",
        /// Rows skipped, as another row billed their debt.
        pub skipped: IntCounter = "skipped_messages_total",
        /// Rows that cannot be billed; the ledger keeps the reason of each.
        pub invalid: IntCounter = "invalid_messages_total",
        /// Notifications that SNS accepted.
        pub notifications_sent: IntCounter = "notification_sent_total",
        /// Notifications that SNS did not accept after several tries; they are
        /// tried again later.
        pub notification_errors: IntCounter = "notification_sent_errors_total",
        /// Time that a step of the chain takes over a batch, waits for what is away
        /// included.
        pub step_duration: HistogramVec = "billing_step_duration_seconds" by ["step"]
            up_to STEP_SECONDS,
    }
}
