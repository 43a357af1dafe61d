use prometheus::IntGaugeVec;

crate::metrics! {
    /// A gauge for each dependency.
    pub(super) struct DependencyGauges {
        /// 1 if the dependency answered when it was asked last, else 0.
        up: IntGaugeVec = "dependency_up" by ["dependency"],
    }
}

impl DependencyGauges {
    pub(super) fn set(&self, dependency: &str, answers: bool) {
        self.up.with_label_values(&[dependency]).set(answers.into());
    }
}
