use common::contract::names::VISIBILITY_TIMEOUT;
use common::ledger::RedisLedger;
use common::messaging::{Aws, Consumer, ConsumerOptions};
use common::service::{AppRegistry, StartError, ops_routes, serve_during};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::chain::billing_chain;
use crate::publisher::Publisher;
use crate::worker::Worker;
use crate::{BillingMetrics, Settings};

/// Batches in hand at a time. The calls of one batch wait for each other, so
/// it takes many to keep a core busy.
const CONCURRENCY: usize = 16;

/// Runs the service until `stop` is cancelled and what is in hand is settled.
///
/// # Errors
/// When Redis cannot be used at start.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let registry = AppRegistry::new("billing-worker")?;
    let metrics = BillingMetrics::new(&registry)?;
    let work = async {
        tokio::select! {
            ledger = RedisLedger::connect(&settings.redis, settings.expiration) => {
                consume(&settings, ledger?, metrics, stop.clone()).await
            }
            () = stop.cancelled() => Ok(()),
        }
    };
    serve_during(listener, ops_routes(registry), stop.clone(), Box::pin(work)).await
}

async fn consume(
    settings: &Settings,
    ledger: RedisLedger,
    metrics: BillingMetrics,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let aws = Aws::new(&settings.base).await;
    let publisher = Publisher::spawn(
        aws.topic(settings.topic_arn.clone(), settings.sns_endpoint.clone()),
        settings.publish_batch,
        settings.flush_interval,
        stop.clone(),
    );
    let chain = billing_chain(&ledger, publisher, &metrics, &stop);
    let worker = Worker::new(chain, ledger, metrics.clone(), stop.clone());
    let options = ConsumerOptions {
        max_messages: settings.max_messages,
        long_poll: settings.long_poll,
        concurrency: CONCURRENCY,
        visibility_timeout: VISIBILITY_TIMEOUT,
    };
    let queue = aws.queue(settings.queue_url.clone(), settings.long_poll);
    Consumer::new(queue, worker, options, metrics.consumer, stop)
        .run()
        .await
}
