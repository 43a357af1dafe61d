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

/// Declares metrics: a struct with a field for each of them, and `new`, which
/// registers them. The doc comment of a field is the help text of its metric.
///
/// A metric has a kind, a name as scraped, and where its kind asks for them
/// labels, whose values must be bounded, and the upper bounds of its buckets in
/// the unit of its name. `each` gives the values of its one label that are
/// shown from the start. A field without a name is a struct of further metrics.
///
/// ```
/// use common::runtime::AppRegistry;
/// use prometheus::{HistogramVec, IntCounter, IntCounterVec};
///
/// common::metrics! {
///     /// What a shop counts.
///     pub struct ShopMetrics {
///         /// Doors that were
///         /// opened.
///         pub doors: IntCounter = "doors_opened_total",
///         /// Things sold, by their colour.
///         pub sold: IntCounterVec = "sold_total" by ["colour"] each (["red", "blue"]),
///         /// Time of a visit.
///         pub visits: HistogramVec = "visit_seconds" by ["door"] up_to [1.0, 60.0],
///     }
/// }
///
/// let registry = AppRegistry::new("shop")?;
/// ShopMetrics::new(&registry)?.doors.inc();
/// let text = registry.render()?;
/// assert!(text.contains("# HELP doors_opened_total Doors that were opened.\n"));
/// assert!(text.contains("doors_opened_total{app=\"shop\"} 1\n"));
/// assert!(text.contains("sold_total{colour=\"blue\",app=\"shop\"} 0\n"));
/// # Ok::<(), common::runtime::MetricsError>(())
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$about:meta])*
        $vis:vis struct $Metrics:ident {
            $(
                $(#[doc = $help:literal])+
                $field_vis:vis $field:ident: $Kind:ty
                    $(= $name:literal
                        $(by [$($label:literal),+])? $(each ($values:expr))? $(up_to $buckets:expr)?)?
            ),+ $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        #[allow(clippy::doc_markdown, reason = "a help text has no Markdown")]
        $vis struct $Metrics {
            $($(#[doc = $help])+ $field_vis $field: $Kind),+
        }

        impl $Metrics {
            /// Registers the metrics.
            ///
            /// # Errors
            /// When one of them is there already.
            $vis fn new(
                registry: &$crate::runtime::AppRegistry,
            ) -> Result<Self, $crate::runtime::MetricsError> {
                Ok(Self {
                    $($field: $crate::metrics!(
                        @new registry, $Kind, concat!($($help),+)
                        $(, $name $(, by [$($label),+])? $(, each $values)? $(, up_to $buckets)?)?
                    )),+
                })
            }
        }
    };
    (@new $registry:ident, $Kind:ty, $help:expr) => {
        <$Kind>::new($registry)?
    };
    (
        @new $registry:ident, $Kind:ty, $help:expr, $name:literal
        $(, by [$($label:literal),+])? $(, each $values:expr)? $(, up_to $buckets:expr)?
    ) => {{
        let metric: $Kind = $registry.metric(&$crate::runtime::Declared {
            name: $name,
            help: $help.trim(),
            labels: &[$($($label),+)?],
            buckets: &<[&[f64]]>::concat(&[$(&$buckets)?]),
        })?;
        $(for value in $values {
            metric.with_label_values(&[value]);
        })?
        metric
    }};
}

/// A metric as [`metrics!`](crate::metrics!) declares it.
#[derive(Debug)]
pub struct Declared<'d> {
    /// Its name as scraped.
    pub name: &'d str,
    /// Its help text.
    pub help: &'d str,
    /// The names of its labels, for a kind that has some.
    pub labels: &'d [&'d str],
    /// The upper bounds of its buckets, for a kind that has some.
    pub buckets: &'d [f64],
}

/// A kind of metric.
pub trait Metric: Collector + Clone + 'static {
    /// One that nobody has registered.
    fn new(declared: &Declared<'_>) -> prometheus::Result<Self>;
}

impl Declared<'_> {
    fn options(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    fn histogram(&self) -> HistogramOpts {
        HistogramOpts::from(self.options()).buckets(self.buckets.to_vec())
    }
}

impl Metric for IntCounter {
    fn new(declared: &Declared<'_>) -> prometheus::Result<Self> {
        Self::with_opts(declared.options())
    }
}

impl Metric for IntCounterVec {
    fn new(declared: &Declared<'_>) -> prometheus::Result<Self> {
        Self::new(declared.options(), declared.labels)
    }
}

impl Metric for IntGauge {
    fn new(declared: &Declared<'_>) -> prometheus::Result<Self> {
        Self::with_opts(declared.options())
    }
}

impl Metric for IntGaugeVec {
    fn new(declared: &Declared<'_>) -> prometheus::Result<Self> {
        Self::new(declared.options(), declared.labels)
    }
}

impl Metric for Histogram {
    fn new(declared: &Declared<'_>) -> prometheus::Result<Self> {
        Self::with_opts(declared.histogram())
    }
}

impl Metric for HistogramVec {
    fn new(declared: &Declared<'_>) -> prometheus::Result<Self> {
        Self::new(declared.histogram(), declared.labels)
    }
}

crate::metrics! {
    /// Which build runs.
    struct BuildInfo {
        /// Always 1; the label is the version that runs.
        info: IntGaugeVec = "build_info" by ["version"],
    }
}

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
        let build = BuildInfo::new(&registry)?;
        let version = env!("CARGO_PKG_VERSION");
        build.info.with_label_values(&[version]).set(1);
        #[cfg(target_os = "linux")]
        registry.0.register(Box::new(ProcessMetrics::new()?))?;
        Ok(registry)
    }

    /// Registers a new metric, which shows 0 until it is used. Those of a kind
    /// with labels show each set of values from its first use on.
    pub fn metric<M: Metric>(&self, declared: &Declared<'_>) -> Result<M, MetricsError> {
        self.register(M::new(declared)?)
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
        crate::metrics! {
            /// What a test counts.
            struct Sent {
                /// Sent.
                sent: IntCounter = "notification_sent_total",
            }
        }
        let Sent { sent } = Sent::new(&registry).unwrap();
        let zero = "notification_sent_total{app=\"billing-worker\"} 0";
        assert!(registry.render().unwrap().contains(zero));
        sent.inc();
        assert!(!registry.render().unwrap().contains(zero));
        assert!(Sent::new(&registry).is_err());
    }
}
