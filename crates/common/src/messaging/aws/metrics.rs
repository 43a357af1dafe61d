use std::sync::Arc;
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use crate::runtime::{AppRegistry, MetricsError};

/// Upper bounds of the time that a call takes, in seconds. The longest are
/// those of a long poll and of three attempts without an answer.
const SECONDS: [f64; 14] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// How long calls of SQS and SNS take, and how many fail.
#[derive(Clone, Debug)]
pub struct AwsMetrics {
    duration: HistogramVec,
    errors: IntCounterVec,
}

impl AwsMetrics {
    /// Registers the metrics.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        const LABELS: [&str; 2] = ["service", "operation"];
        Ok(Self {
            duration: registry.labelled_histogram(
                "aws_call_duration_seconds",
                "Time of a call of SQS or SNS with all its attempts; a receive waits for messages.",
                &LABELS,
                &SECONDS,
            )?,
            errors: registry.labelled_counter(
                "aws_call_errors_total",
                "Calls of SQS or SNS that had no answer, or were refused as a whole.",
                &LABELS,
            )?,
        })
    }

    /// Those of the operations of a service, which are shown before the first
    /// call.
    pub(super) fn of(&self, service: &str, operations: &[&'static str]) -> Arc<[OperationMetrics]> {
        let metrics = operations.iter().map(|operation| OperationMetrics {
            operation,
            duration: self.duration.with_label_values(&[service, operation]),
            errors: self.errors.with_label_values(&[service, operation]),
        });
        metrics.collect()
    }
}

/// The metrics of the calls of one operation.
#[derive(Clone, Debug)]
pub(super) struct OperationMetrics {
    pub(super) operation: &'static str,
    duration: Histogram,
    errors: IntCounter,
}

impl OperationMetrics {
    /// Counts a call that took that long, and whether it was answered.
    pub(super) fn observe(&self, taken: Duration, answered: bool) {
        self.duration.observe(taken.as_secs_f64());
        if !answered {
            self.errors.inc();
        }
    }
}
