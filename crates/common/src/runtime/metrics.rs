use std::collections::HashMap;

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use thiserror::Error;

#[cfg(target_os = "linux")]
use super::process_metrics::ProcessMetrics;

/// A metric could not be registered or written: two metrics of one name, or
/// a name that Prometheus does not take. A fault of the program.
#[derive(Debug, Error)]
#[error("metric: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// The metrics of one service. Every sample carries the label `app`, and
/// every metric is exposed from the start.
#[derive(Clone, Debug)]
pub struct AppRegistry(Registry);

impl AppRegistry {
    /// A registry for that service. It has what every process shows: its
    /// version and, on Linux, what it takes of the machine.
    pub fn new(app: &str) -> Result<Self, MetricsError> {
        let labels = HashMap::from([("app".to_owned(), app.to_owned())]);
        let registry = Self(Registry::new_custom(None, Some(labels))?);
        let version = registry.labelled_gauge(
            "build_info",
            "Always 1; the label is the version that runs.",
            &["version"],
        )?;
        version
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        #[cfg(target_os = "linux")]
        registry.0.register(Box::new(ProcessMetrics::new()?))?;
        Ok(registry)
    }

    /// A new counter at 0.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.register(IntCounter::new(name, help)?)
    }

    /// A new counter at 0 for each of these values of a label, in their order.
    pub fn counters<const N: usize>(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: [&str; N],
    ) -> Result<[IntCounter; N], MetricsError> {
        let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
        let counters = self.register(counters)?;
        Ok(values.map(|value| counters.with_label_values(&[value])))
    }

    /// A new counter for each set of values of those labels, which must be
    /// bounded.
    pub fn labelled_counter(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, MetricsError> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    /// A new gauge at 0.
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricsError> {
        self.register(IntGauge::new(name, help)?)
    }

    /// A new gauge for each set of values of those labels, which must be
    /// bounded.
    pub fn labelled_gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, MetricsError> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// A new histogram with those upper bounds, in the unit of its name.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, MetricsError> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(options)?)
    }

    /// A new histogram for each set of values of those labels, which must be
    /// bounded.
    pub fn labelled_histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, MetricsError> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, labels)?)
    }

    /// All metrics in the Prometheus text format.
    pub fn render(&self) -> Result<String, MetricsError> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn register<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, MetricsError> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labelled_counter_is_there_for_each_of_its_values() {
        let registry = AppRegistry::new("a").unwrap();
        let [yes, _no] = registry
            .counters("answers_total", "Answers.", "answer", ["yes", "no"])
            .unwrap();
        yes.inc();
        let text = registry.render().unwrap();
        for line in [
            "answers_total{answer=\"yes\",app=\"a\"} 1",
            "answers_total{answer=\"no\",app=\"a\"} 0",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn the_version_that_runs_is_told() {
        let text = AppRegistry::new("a").unwrap().render().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let line = format!("build_info{{version=\"{version}\",app=\"a\"}} 1");
        assert!(text.contains(&line), "{text}");
    }

    #[test]
    fn every_metric_is_there_from_the_start_with_its_app() {
        let registry = AppRegistry::new("billing-worker").unwrap();
        let sent = registry
            .counter("notification_sent_total", "Sent.")
            .unwrap();
        let zero = "notification_sent_total{app=\"billing-worker\"} 0";
        assert!(registry.render().unwrap().contains(zero));
        sent.inc();
        assert!(!registry.render().unwrap().contains(zero));
        assert!(
            registry
                .counter("notification_sent_total", "Again.")
                .is_err()
        );
    }
}
