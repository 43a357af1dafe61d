use prometheus::{Histogram, HistogramTimer, IntCounter};

/// Upper bounds of the time that a call takes, in seconds.
const SECONDS: [f64; 13] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

crate::metrics! {
    /// How long calls of the ledger take, and how many fail.
    pub struct LedgerMetrics {
        /// Time until the ledger answered, one observation per call: a command, a
        /// script or a pipeline of Redis, usually for a batch of rows.
        duration: Histogram = "ledger_call_duration_seconds" up_to SECONDS,
        /// Calls that the ledger did not answer, or refused.
        errors: IntCounter = "ledger_call_errors_total",
    }
}

impl LedgerMetrics {
    /// Observes the time of a call until it is dropped.
    pub(super) fn timer(&self) -> HistogramTimer {
        self.duration.start_timer()
    }

    pub(super) fn count_failure(&self) {
        self.errors.inc();
    }
}
