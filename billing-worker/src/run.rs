use common::ledger::SharedLedger;
use common::messaging::{Consumer, ConsumerOptions, Queue, QueueGauges, QueueWatch, Topic};
use common::runtime::{Dependency, ServiceError};
use common::service::{DRAIN, Wiring};
use contract::names::VISIBILITY_TIMEOUT;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::chain::billing_chain;
use crate::publisher::Publisher;
use crate::worker::Worker;
use crate::{BillingMetrics, Settings};

/// Batches in hand at a time. The calls of one batch wait for each other, so
/// it takes many to keep a core busy.
const CONCURRENCY: usize = 8;
/// Messages that are handled together, so that the ledger is asked seldom.
const BATCH: usize = 50;
/// Ten messages of one row are about 1 KB; with several rows a message, ten
/// messages are enough of a batch.
const BATCH_BYTES: usize = 4 * 1024;

/// Runs the service until `stop` is cancelled and what is in hand is settled.
///
/// # Errors
/// When the ledger cannot be used at start.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    let wiring = Wiring::new(
        "billing-worker",
        &settings.base,
        settings.ledger.clone(),
        &settings.queue_url,
        stop.clone(),
    )
    .await?;
    let metrics = BillingMetrics::new(&wiring.registry)?;
    let gauges = QueueGauges::new(&wiring.registry)?;
    let queue = wiring.queue.clone();
    let topic = wiring.aws.topic(&settings.topic_arn)?;
    let wiring = wiring.depends_on("SNS", topic.ready_probe());
    let work = |ledger: SharedLedger| async move {
        tokio::select! {
            ended = consume(&settings, (queue.clone(), topic), ledger, metrics, stop) => ended,
            never = QueueWatch::new(queue.clone(), gauges).run() => match never {},
        }
    };
    wiring.run(listener, DRAIN, work).await
}

async fn consume(
    settings: &Settings,
    (queue, topic): (Queue, Topic),
    ledger: SharedLedger,
    metrics: BillingMetrics,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    let needs = [ledger.outage().clone(), topic.outage().clone()];
    let publisher = Publisher::spawn(
        topic,
        settings.publish_batch,
        settings.flush_interval,
        stop.clone(),
    );
    let chain = billing_chain(&ledger, settings.rules.clone(), publisher, &metrics, &stop);
    let worker = Worker::new(chain, ledger, metrics.clone(), stop.clone());
    let options = ConsumerOptions {
        max_messages: settings.max_messages,
        long_poll: settings.long_poll,
        batch: BATCH,
        batch_bytes: BATCH_BYTES,
        concurrency: CONCURRENCY,
        visibility_timeout: VISIBILITY_TIMEOUT,
        drain: DRAIN,
    };
    Consumer::new(queue, worker, options, metrics.consumer, stop)
        .needs(needs)
        .run()
        .await
}
