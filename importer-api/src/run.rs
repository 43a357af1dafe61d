use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use common::ledger::{LedgerSlot, RedisLedger, RedisMetrics};
use common::messaging::{Aws, AwsMetrics};
use common::runtime::{AppRegistry, ServiceError};
use common::service::{DRAIN, DependencyGauges, Readiness, ops_routes, serve_during};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::capacity::{CapacityGauges, watch_capacity};
use crate::http::{Followers, Shared, UploadLimits, routes};
use crate::import::{Importer, Waiting};
use crate::progress::watch_progress;
use crate::responses::count;
use crate::retention::remove_finished;
use crate::spool::{Spool, SpoolError};
use crate::{ImporterMetrics, Settings};

/// How long a predecessor that is just ending may still hold the spool.
const PREDECESSOR_ENDS: Duration = Duration::from_secs(2);

/// Runs the service until `stop` is cancelled and what is in flight is sent.
/// Uploads are taken from the start, whether or not Redis answers.
///
/// # Errors
/// When the spool folder or, at start, Redis cannot be used.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    let registry = AppRegistry::new("importer-api")?;
    let metrics = ImporterMetrics::new(&registry)?;
    let capacity = CapacityGauges::new(&registry)?;
    let spool = open_spool(&settings.spool_dir)
        .await
        .map_err(|error| ServiceError::Unsuitable(error.to_string()))?;
    // Read before the first upload comes in, which would be among them.
    let unfinished = spool.unfinished().map_err(|source| ServiceError::Io {
        context: format!("SPOOL_DIR {} cannot be read", settings.spool_dir.display()),
        source,
    })?;
    let redis_metrics = RedisMetrics::new(&registry)?;
    let aws = Aws::new(&settings.base.aws).await;
    let aws = aws.observed(AwsMetrics::new(&registry)?);
    let queue = aws.queue(settings.queue_url.clone());
    let connected = LedgerSlot::default();
    let readiness = Readiness::of([
        ("Redis", connected.ready_probe()),
        ("SQS", queue.ready_probe()),
    ])
    .shown(DependencyGauges::new(&registry)?);
    let waiting = Waiting::default();
    // A crash may have come before the ledger was told of them.
    waiting.add_unknown(unfinished);
    if settings.tokens.is_open() && !settings.base.bind_address.is_loopback() {
        warn!(
            "Everybody who reaches BIND_ADDRESS may upload files; set API_TOKENS, or keep it private"
        );
    }
    let importer_slot = Arc::new(OnceLock::new());
    let shared = Shared {
        spool: spool.clone(),
        waiting: waiting.clone(),
        ledger: connected.clone(),
        importer: Arc::clone(&importer_slot),
        metrics: metrics.clone(),
        limits: UploadLimits::new(settings.uploads),
        followers: Followers::default(),
        stop: stop.clone(),
    };
    let api = routes(shared, settings.tokens, settings.hosts);
    let api = api.layer(from_fn_with_state(metrics.clone(), count));
    let work = async {
        let ledger = tokio::select! {
            ledger = RedisLedger::connect(&settings.redis, settings.expiration) => ledger?.observed(redis_metrics),
            () = stop.cancelled() => return Ok(()),
        };
        connected.put(&ledger);
        let importer = Arc::new(Importer::new(
            (spool.clone(), waiting.clone()),
            ledger.clone(),
            queue,
            metrics.clone(),
            settings.sending,
            stop.clone(),
        ));
        importer_slot.get_or_init(|| Arc::clone(&importer));
        let watching = watch_progress(ledger.clone(), waiting, metrics, stop.clone());
        let weighing = watch_capacity(spool.clone(), ledger.clone(), capacity, stop.clone());
        let cleaning = remove_finished(spool, ledger, settings.retention, stop.clone());
        tokio::join!(importer.run(), watching, weighing, cleaning);
        Ok(())
    };
    let routes = api.merge(ops_routes(registry, readiness.clone()));
    serve_during(
        listener,
        routes,
        readiness,
        stop.clone(),
        DRAIN,
        Box::pin(work),
    )
    .await
}

async fn open_spool(folder: &Path) -> Result<Spool, SpoolError> {
    let deadline = Instant::now() + PREDECESSOR_ENDS;
    loop {
        match Spool::open(folder) {
            Err(SpoolError::InUse(_)) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
    }
}
