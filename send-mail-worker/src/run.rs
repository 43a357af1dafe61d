use std::sync::Arc;
use std::time::Duration;

use common::ledger::SharedLedger;
use common::messaging::{Consumer, ConsumerOptions, QueueGauges, QueueWatch};
use common::runtime::{Dependency, ReadyProbe, ServiceError};
use common::service::Wiring;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::pace::Pace;
use crate::patience::Patience;
use crate::transport::{LogTransport, SmtpTransport, Transport, TransportAway};
use crate::worker::{VISIBILITY_TIMEOUT, Worker};
use crate::{MailMetrics, MailTransport, Settings};

/// Batches received at a time; how many e-mails are in hand is bounded by the
/// worker.
const CONCURRENCY: usize = 8;
/// Long enough for the last answers of a mail server, and for what is in hand
/// to be recorded then.
const DRAIN: Duration = Duration::from_secs(24);
/// Ten notifications are about 12 KB.
const BATCH_BYTES: usize = 64 * 1024;

/// Runs the service until `stop` is cancelled and what is in hand is settled,
/// over the transport of its settings.
///
/// # Errors
/// When the ledger cannot be used at start, or TLS is asked for and there is nobody
/// to trust.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    let patience = Patience::default();
    match settings.mail.transport.clone() {
        MailTransport::Log => {
            let to_stdout =
                |metrics: &MailMetrics| Ok(LogTransport::to_stdout(metrics.duration.clone()));
            run_over(settings, patience, to_stdout, listener, stop).await
        }
        MailTransport::Smtp(smtp) => {
            let stopped = stop.clone();
            let to_server = |metrics: &MailMetrics| {
                SmtpTransport::new(*smtp, metrics.duration.clone(), stopped)
                    .map_err(|error| ServiceError::Unsuitable(error.to_string()))
            };
            run_over(settings, patience, to_server, listener, stop).await
        }
    }
}

/// The same over any transport, which is made with the metrics that it
/// observes, and with any patience.
///
/// # Errors
/// When the ledger or the transport cannot be used at start.
pub async fn run_over<T: Transport>(
    settings: Settings,
    patience: Patience,
    transport: impl FnOnce(&MailMetrics) -> Result<T, ServiceError>,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    let wiring = Wiring::new(
        "send-mail-worker",
        &settings.base,
        settings.ledger.clone(),
        &settings.queue_url,
        stop.clone(),
    )
    .await?;
    let metrics = MailMetrics::new(&wiring.registry)?;
    let transport = Arc::new(transport(&metrics)?);
    let gauges = QueueGauges::new(&wiring.registry)?;
    let queue = wiring.queue.clone();
    let tracer = wiring.tracer.clone();
    let probe = ReadyProbe::explained(&transport, |transport: Arc<T>| async move {
        let healthy = transport.healthy().await;
        healthy.map_err(|TransportAway(why)| Some(why))
    });
    let wiring = wiring.depends_on(transport.outage().name(), probe);
    let work = |ledger: SharedLedger| async move {
        let needs = [ledger.outage().clone(), transport.outage().clone()];
        let consumer = metrics.consumer.clone();
        let pace = Pace::new(settings.mail.max_per_second);
        let worker = Worker::new(transport, ledger, pace, patience, metrics, stop.clone());
        let worker = worker.traced(tracer);
        let options = ConsumerOptions {
            max_messages: settings.max_messages,
            long_poll: settings.long_poll,
            batch: T::BATCH,
            batch_bytes: BATCH_BYTES,
            concurrency: CONCURRENCY,
            visibility_timeout: VISIBILITY_TIMEOUT,
            drain: DRAIN,
        };
        let consuming = Consumer::new(queue.clone(), worker, options, consumer, stop)
            .needs(needs)
            .run();
        tokio::select! {
            ended = consuming => ended,
            never = QueueWatch::new(queue.clone(), gauges).run() => match never {},
        }
    };
    wiring.run(listener, DRAIN, work).await
}
