use prometheus::IntGaugeVec;

use crate::runtime::{AppRegistry, MetricsError};

/// A gauge for each dependency: 1 while it answers, 0 while it does not.
#[derive(Clone, Debug)]
pub(super) struct DependencyGauges(IntGaugeVec);

impl DependencyGauges {
    /// Registers the gauges.
    pub(super) fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        Ok(Self(registry.labelled_gauge(
            "dependency_up",
            "1 if the dependency answered when it was asked last, else 0.",
            &["dependency"],
        )?))
    }

    pub(super) fn set(&self, dependency: &str, answers: bool) {
        self.0.with_label_values(&[dependency]).set(answers.into());
    }
}
