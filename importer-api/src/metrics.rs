use common::ledger::ImportState;
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

common::metrics! {
    /// The metrics of importer-api.
    pub struct ImporterMetrics {
        /// Messages that SQS accepted.
        pub sent: IntCounter = "csv_processor_messages_sent_total",
        /// Rows that the importer is done with: sent, or recorded as INVALID.
        pub rows: IntCounter = "csv_processor_rows_total",
        /// Messages that SQS refused, or did not take in several tries; the latter
        /// are tried again until it takes them.
        pub failed: IntCounter = "csv_processor_messages_failed_total",
        /// Rows that a message cannot carry, recorded as INVALID by the importer.
        pub invalid: IntCounter = "csv_processor_rows_invalid_total",
        /// Imports that are not at their end, of all replicas together.
        pub open: IntGauge = "imports_open",
        /// Imports that are to be sent and that nobody sends at the moment, of all
        /// replicas together.
        pub waiting: IntGauge = "imports_waiting",
        /// Those of them that no replica with their files has seen for two minutes,
        /// of all replicas together.
        pub uncarried: IntGauge = "imports_uncarried",
        /// Imports whose files are in the bucket of this process and that its
        /// ledger does not know.
        pub unknown: IntGauge = "imports_unknown",
        /// Imports that have made no progress for ten minutes, of all replicas
        /// together.
        pub stalled: IntGauge = "imports_stalled",
        /// Imports that failed within the last hour, of all replicas together.
        pub failed_imports: IntGauge = "imports_failed",
        /// Imports of which only e-mails are left that a mail server put off and
        /// that are tried again at a known time, of all replicas together.
        pub put_off: IntGauge = "imports_put_off",
        /// Rows of the imports that are not at their end, by how far they are; a
        /// row may be in several states.
        pub open_rows: IntGaugeVec = "imports_open_rows" by ["state"] each (ROW_STATES),
        /// When the open import that has been still for longest last moved; the
        /// time of the look where none is open.
        pub last_progress: IntGauge = "imports_last_progress_timestamp_seconds",
        /// Imports whose end this process recorded, by the state in which they are.
        pub ended: IntCounterVec = "imports_ended_total" by ["state"]
            each (ImportState::LAST.map(ImportState::name)),
        /// Answers of the API and its pages, by the class of their status.
        pub responses: IntCounterVec = "http_responses_total" by ["class"] each (CLASSES),
        /// Time from the acceptance of a file to its last row accepted by SQS, one
        /// observation a file.
        pub duration: Histogram = "csv_processor_duration_seconds" up_to DURATION_BUCKETS,
    }
}
