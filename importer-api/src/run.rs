use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use common::ledger::SharedLedger;
use common::runtime::ServiceError;
use common::service::{DRAIN, Wiring};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use crate::capacity::{CapacityGauges, watch_capacity};
use crate::erasure::Eraser;
use crate::http::{Clients, Shared, UploadLimits, routes};
use crate::import::{Arrivals, Importer};
use crate::intake::IntakeRoom;
use crate::progress::watch_progress;
use crate::responses::count;
use crate::retention::remove_finished;
use crate::spool::{Bucket, Spool, SpoolError};
use crate::webhooks::{Receiver, WebhookMetrics, tell_webhooks};
use crate::{ImporterMetrics, Settings, SpoolSettings};

/// How long a predecessor that is just ending may still hold the spool.
const PREDECESSOR_ENDS: Duration = Duration::from_secs(2);

/// Runs the service until `stop` is cancelled and what is in flight is sent.
/// Uploads are taken from the start, whether or not the ledger answers.
///
/// # Errors
/// When the spool folder or, at start, the ledger cannot be used.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), ServiceError> {
    let wiring = Wiring::new(
        "importer-api",
        &settings.base,
        settings.ledger.clone(),
        &settings.queue_url,
        stop.clone(),
    )
    .await?;
    let metrics = ImporterMetrics::new(&wiring.registry)?;
    let capacity = CapacityGauges::new(&wiring.registry)?;
    let webhook_metrics = WebhookMetrics::new(&wiring.registry)?;
    let receiver = settings.webhooks.as_ref().map(Receiver::new).transpose()?;
    let spool = open_spool(&settings, &wiring).await?;
    // Read before the first upload comes in, which would be among them.
    let unfinished = unfinished(&spool).await?;
    let arrivals = Arrivals::default();
    // A crash may have come before the ledger was told of them.
    arrivals.add_unknown(unfinished);
    if settings.tokens.is_open() && !settings.base.bind_address.is_loopback() {
        warn!(
            "Anyone who can reach BIND_ADDRESS may upload; set API_TOKENS or use a private network"
        );
    }
    let importer_slot = Arc::new(OnceLock::new());
    let erasures = Arc::new(Notify::new());
    let shared = Shared {
        spool: spool.clone(),
        room: IntakeRoom::default(),
        arrivals: arrivals.clone(),
        ledger: wiring.ledger.clone(),
        importer: Arc::clone(&importer_slot),
        metrics: metrics.clone(),
        limits: UploadLimits::new(settings.uploads),
        followers: Clients::followers(),
        downloads: Clients::downloads(),
        previews: Clients::previews(),
        erasures: Arc::clone(&erasures),
        retention: settings.retention,
        rules: settings.rules,
        tracer: wiring.tracer.clone(),
        stop: stop.clone(),
    };
    let routes = routes(shared, settings.tokens, settings.hosts)
        .layer(from_fn_with_state(metrics.clone(), count));
    let queue = wiring.queue.clone();
    let (files, unknown) = (spool.clone(), metrics.unknown.clone());
    let readiness = spool.ready_probe();
    let work = |ledger: SharedLedger| async move {
        let importer = Arc::new(Importer::new(
            (spool.clone(), arrivals),
            ledger.clone(),
            queue,
            metrics.clone(),
            settings.sending,
            stop.clone(),
        ));
        importer_slot.get_or_init(|| Arc::clone(&importer));
        let name = spool.name().to_owned();
        let watching = watch_progress(ledger.clone(), name, metrics.clone(), stop.clone());
        let weighing = watch_capacity(spool.clone(), ledger.clone(), capacity, stop.clone());
        let telling = async {
            if let Some(receiver) = receiver {
                let metrics = (metrics, webhook_metrics);
                tell_webhooks(receiver, ledger.clone(), metrics, stop.clone()).await;
            }
        };
        let eraser = Eraser {
            spool: spool.clone(),
            ledger: ledger.clone(),
            retention: settings.retention,
            stop: stop.clone(),
        };
        let cleaning = remove_finished(
            spool,
            ledger.clone(),
            settings.retention,
            unknown,
            stop.clone(),
        );
        tokio::join!(
            importer.run(),
            watching,
            weighing,
            cleaning,
            eraser.run(erasures),
            telling
        );
        Ok(())
    };
    let wiring = match readiness {
        Some(probe) => wiring.depends_on("S3", probe),
        None => wiring,
    };
    let wiring = wiring.serving(routes);
    let ended = wiring.run(listener, DRAIN, work).await;
    files.close().await;
    ended
}

async fn open_spool(settings: &Settings, wiring: &Wiring) -> Result<Spool, ServiceError> {
    match &settings.spool {
        SpoolSettings::Folder(folder) => open_folder(folder)
            .await
            .map_err(|error| ServiceError::Unsuitable(error.to_string())),
        SpoolSettings::Bucket { url, encryption } => {
            let store = wiring
                .aws
                .bucket(url, encryption, Some(&settings.queue_url))?;
            Ok(Spool::in_bucket(Bucket::new(store, url)))
        }
    }
}

async fn unfinished(spool: &Spool) -> Result<Vec<Uuid>, ServiceError> {
    let unfinished = spool.unfinished().await;
    unfinished.map_err(|source| ServiceError::Io {
        context: "SPOOL_DIR cannot be read".to_owned(),
        source,
    })
}

async fn open_folder(folder: &Path) -> Result<Spool, SpoolError> {
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
