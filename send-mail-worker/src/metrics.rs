use common::messaging::ConsumerMetrics;
use common::runtime::{AppRegistry, MetricsError};
use prometheus::{Histogram, IntCounter};

/// Upper bounds of the time that an e-mail takes, in seconds.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

common::metrics! {
    /// The metrics of send-mail-worker.
    pub struct MailMetrics {
        /// What the consumer counts.
        pub consumer: ConsumerMetrics,
        /// E-mails that the transport took.
        pub sent: IntCounter = "mails_sent_total",
        /// What became of e-mails, each time that they were handed to the
        /// transport.
        pub outcomes: MailOutcomes,
        /// Time that the transport takes over an e-mail, or over a batch that it
        /// sends as one.
        pub duration: Histogram = "mail_send_duration_seconds" up_to SECONDS,
    }
}

/// A counter for each way in which a try to send an e-mail ends.
#[derive(Clone, Debug)]
pub struct MailOutcomes {
    /// The transport took it.
    pub sent: IntCounter,
    /// It is tried again later.
    pub put_off: IntCounter,
    /// Nobody knows whether the transport took it.
    pub unknown: IntCounter,
    /// It can never be delivered.
    pub undeliverable: IntCounter,
    /// The transport was away.
    pub away: IntCounter,
}

impl MailOutcomes {
    fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        let [sent, put_off, unknown, undeliverable, away] = registry.counters(
            "mail_outcomes_total",
            "Attempts to send an e-mail, by outcome.",
            "outcome",
            ["sent", "put_off", "unknown", "undeliverable", "away"],
        )?;
        Ok(Self {
            sent,
            put_off,
            unknown,
            undeliverable,
            away,
        })
    }
}
