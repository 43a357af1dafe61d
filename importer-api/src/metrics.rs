use common::ledger::ImportState;
use common::runtime::{AppRegistry, MetricsError};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// Upper bounds of the import duration, in seconds.
const DURATION_BUCKETS: [f64; 12] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 1_800.0,
];

/// How far a row may be, by the label `state`.
pub(crate) const ROW_STATES: [&str; 10] = [
    "accepted",
    "sent",
    "billed",
    "skipped",
    "invalid",
    "not_sent",
    "notified",
    "mailed",
    "undeliverable",
    "put_off",
];

/// The classes of the status of an answer, by the label `class`.
pub(crate) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The metrics of importer-api.
#[derive(Clone, Debug)]
pub struct ImporterMetrics {
    /// Messages that SQS accepted.
    pub sent: IntCounter,
    /// Rows that are sent, or recorded as INVALID.
    pub rows: IntCounter,
    /// Messages that SQS did not accept.
    pub failed: IntCounter,
    /// Rows that cannot be sent.
    pub invalid: IntCounter,
    /// Imports that are not at their end.
    pub open: IntGauge,
    /// Imports that wait here for their turn to be sent.
    pub waiting: IntGauge,
    /// Open imports that make no progress.
    pub stalled: IntGauge,
    /// Imports that failed lately.
    pub failed_imports: IntGauge,
    /// Open imports that wait for a mail server.
    pub put_off: IntGauge,
    /// Rows of the imports that are open, by how far they are: `state`.
    pub open_rows: IntGaugeVec,
    /// When the one of them last moved that has been still for longest.
    pub last_progress: IntGauge,
    /// Imports whose end this process recorded, by `state`.
    pub ended: IntCounterVec,
    /// Answers of the API, by `class` of their status.
    pub responses: IntCounterVec,
    /// From the answer to an upload to its last row accepted by SQS.
    pub duration: Histogram,
}

impl ImporterMetrics {
    /// Registers the metrics.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        let metrics = Self {
            sent: registry.counter(
                "csv_processor_messages_sent_total",
                "Messages that SQS accepted.",
            )?,
            rows: registry.counter(
                "csv_processor_rows_total",
                "Rows that the importer is done with: sent, or recorded as INVALID.",
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
            waiting: registry.gauge(
                "imports_waiting",
                "Imports in the spool of this process that wait for their turn to be sent.",
            )?,
            stalled: registry.gauge(
                "imports_stalled",
                "Imports that have made no progress for ten minutes, of all replicas together.",
            )?,
            failed_imports: registry.gauge(
                "imports_failed",
                "Imports that failed within the last hour, of all replicas together.",
            )?,
            put_off: registry.gauge(
                "imports_put_off",
                "Imports of which only e-mails are left that a mail server put off and that are tried again at a known time, of all replicas together.",
            )?,
            open_rows: registry.labelled_gauge(
                "imports_open_rows",
                "Rows of the imports that are not at their end, by how far they are; a row may be in several states.",
                &["state"],
            )?,
            last_progress: registry.gauge(
                "imports_last_progress_timestamp_seconds",
                "When the open import that has been still for longest last moved; the time of the look where none is open.",
            )?,
            ended: registry.labelled_counter(
                "imports_ended_total",
                "Imports whose end this process recorded, by the state in which they are.",
                &["state"],
            )?,
            responses: registry.labelled_counter(
                "http_responses_total",
                "Answers of the API and its pages, by the class of their status.",
                &["class"],
            )?,
            duration: registry.histogram(
                "csv_processor_duration_seconds",
                "Time from the acceptance of a file to its last row accepted by SQS, one observation a file.",
                &DURATION_BUCKETS,
            )?,
        };
        metrics.show_labels();
        Ok(metrics)
    }

    /// Shows every value of a label before its first time.
    fn show_labels(&self) {
        for state in ROW_STATES {
            self.open_rows.with_label_values(&[state]);
        }
        for state in ImportState::LAST {
            self.ended.with_label_values(&[state.name()]);
        }
        for class in CLASSES {
            self.responses.with_label_values(&[class]);
        }
    }
}
