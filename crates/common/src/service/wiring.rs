use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::BaseSettings;
use super::dependencies::DependencyGauges;
use super::ops::ops_routes;
use super::readiness::Readiness;
use super::server::serve_during;
use super::traces::Traces;
use crate::ledger::{LedgerMetrics, LedgerSettings, LedgerSlot, SharedLedger};
use crate::messaging::{Aws, AwsMetrics, Queue, QueueUrl};
use crate::runtime::{AppRegistry, ReadyProbe, ServiceError, Tracer};

/// What every service is built on, and how it runs on that.
#[derive(Debug)]
pub struct Wiring {
    /// Its metrics.
    pub registry: AppRegistry,
    /// Makes its spans.
    pub tracer: Tracer,
    /// Its clients of AWS.
    pub aws: Aws,
    /// The queue that it works on.
    pub queue: Queue,
    /// The ledger, once it has answered.
    pub ledger: LedgerSlot<SharedLedger>,
    ledger_settings: LedgerSettings,
    ledger_metrics: LedgerMetrics,
    traces: Traces,
    dependencies: Vec<(&'static str, ReadyProbe)>,
    routes: Router,
    stop: CancellationToken,
}

impl Wiring {
    /// That of the service `app`, which depends on that ledger and on the queue
    /// at `queue_url`. Nothing is sent yet.
    ///
    /// # Errors
    /// When its settings of AWS contradict each other, or its traces cannot be
    /// exported.
    pub async fn new(
        app: &str,
        base: &BaseSettings,
        ledger_settings: LedgerSettings,
        queue_url: &QueueUrl,
        stop: CancellationToken,
    ) -> Result<Self, ServiceError> {
        let registry = AppRegistry::new(app)?;
        let exported = Traces::start(app, base.traces.as_ref())?;
        let tracer = exported.tracer();
        let aws = Aws::new(&base.aws).await;
        let aws = aws.observed(AwsMetrics::new(&registry)?);
        let aws = aws.traced(tracer.clone());
        let queue = aws.queue(queue_url)?;
        let ledger = LedgerSlot::default();
        Ok(Self {
            ledger_metrics: LedgerMetrics::new(&registry)?,
            dependencies: vec![
                (ledger_settings.kind(), ledger.ready_probe()),
                ("SQS", queue.ready_probe()),
            ],
            routes: Router::new(),
            ledger_settings,
            registry,
            tracer,
            traces: exported,
            aws,
            queue,
            ledger,
            stop,
        })
    }

    /// The same service, which depends on this as well.
    #[must_use]
    pub fn depends_on(mut self, name: &'static str, probe: ReadyProbe) -> Self {
        self.dependencies.push((name, probe));
        self
    }

    /// The same service, which serves these as well.
    #[must_use]
    pub fn serving(mut self, routes: Router) -> Self {
        self.routes = routes;
        self
    }

    /// Connects to the ledger and does `work` on it, and serves its routes,
    /// `/health`, `/ready` and `/metrics` meanwhile. The token that stops the
    /// service should end `work` within `drain`; it also ends the waiting for
    /// the ledger.
    ///
    /// # Errors
    /// When the ledger cannot be used at start, and what `work` gives.
    pub async fn run<W: Future<Output = Result<(), ServiceError>>>(
        self,
        listener: TcpListener,
        drain: Duration,
        work: impl FnOnce(SharedLedger) -> W,
    ) -> Result<(), ServiceError> {
        let gauges = DependencyGauges::new(&self.registry)?;
        let readiness = Readiness::of(self.dependencies).shown(gauges);
        let routes = self
            .routes
            .merge(ops_routes(self.registry, readiness.clone()));
        let work = async {
            let ledger = tokio::select! {
                ledger = self.ledger_settings.connect(Some(self.ledger_metrics)) => ledger?,
                () = self.stop.cancelled() => return Ok(()),
            };
            self.ledger.put(&ledger);
            work(ledger).await
        };
        let stop = self.stop.clone();
        let (work, last) = (Box::pin(work), self.traces.end());
        serve_during(listener, routes, readiness, stop, drain, work, last).await
    }
}
