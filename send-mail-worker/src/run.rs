use common::ledger::{LedgerSlot, RedisLedger};
use common::messaging::{Aws, Consumer, ConsumerOptions, Queue, QueueGauges, QueueWatch};
use common::outage::Dependency;
use common::service::{AppRegistry, Readiness, StartError, ops_routes, serve_during};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::transport::Transport;
use crate::worker::{VISIBILITY_TIMEOUT, Worker};
use crate::{MailMetrics, Settings};

/// Batches received at a time; how many e-mails are in hand is bounded by the
/// worker.
const CONCURRENCY: usize = 16;

/// Runs the service until `stop` is cancelled and what is in hand is settled.
///
/// # Errors
/// When Redis cannot be used at start.
pub async fn run<T: Transport>(
    settings: Settings,
    transport: T,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let registry = AppRegistry::new("send-mail-worker")?;
    let metrics = MailMetrics::new(&registry)?;
    let gauges = QueueGauges::new(&registry)?;
    let aws = Aws::new(&settings.base).await;
    let queue = aws.queue(settings.queue_url.clone(), settings.long_poll);
    let connected = LedgerSlot::default();
    let readiness = Readiness::of([
        ("Redis", connected.ready_probe()),
        ("SQS", queue.ready_probe()),
    ]);
    let work = async {
        let ledger = tokio::select! {
            ledger = RedisLedger::connect(&settings.redis, None) => ledger?,
            () = stop.cancelled() => return Ok(()),
        };
        connected.put(&ledger);
        tokio::select! {
            ended = consume(&settings, transport, queue.clone(), ledger, metrics, stop.clone()) => ended,
            never = QueueWatch::new(queue.clone(), gauges).run() => match never {},
        }
    };
    let routes = ops_routes(registry, readiness);
    serve_during(listener, routes, stop.clone(), Box::pin(work)).await
}

async fn consume<T: Transport>(
    settings: &Settings,
    transport: T,
    queue: Queue,
    ledger: RedisLedger,
    metrics: MailMetrics,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let needs = [ledger.outage().clone()];
    let worker = Worker::new(transport, ledger, metrics.clone(), stop.clone());
    let options = ConsumerOptions {
        max_messages: settings.max_messages,
        long_poll: settings.long_poll,
        concurrency: CONCURRENCY,
        visibility_timeout: VISIBILITY_TIMEOUT,
    };
    Consumer::new(queue, worker, options, metrics.consumer, stop)
        .needs(needs)
        .run()
        .await
}
