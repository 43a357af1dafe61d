use std::time::Duration;

use common::ledger::RedisLedger;
use common::messaging::Aws;
use common::service::{AppRegistry, StartError, ops_routes, serve_during};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::http::routes;
use crate::import::Importer;
use crate::spool::Spool;
use crate::{ImporterMetrics, Settings};

/// Runs the service until `stop` is cancelled and what is in flight is sent.
/// Uploads are taken from the start, whether or not Redis answers.
///
/// # Errors
/// When the spool folder or, at start, Redis cannot be used.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let registry = AppRegistry::new("importer-api")?;
    let metrics = ImporterMetrics::new(&registry)?;
    let spool = Spool::open(&settings.spool_dir)
        .map_err(|error| StartError::Unsuitable(error.to_string()))?;
    // Read before the first upload comes in, which would be among them.
    let unfinished = spool.unfinished().map_err(|source| StartError::Io {
        context: format!("SPOOL_DIR {} cannot be read", settings.spool_dir.display()),
        source,
    })?;
    let (accepted, incoming) = mpsc::unbounded_channel();
    if settings.tokens.is_open() && !settings.base.bind_address.is_loopback() {
        warn!(
            "Everybody who reaches BIND_ADDRESS may upload files; set API_TOKENS, or keep it private"
        );
    }
    let routes = routes(spool.clone(), accepted, settings.uploads, settings.tokens)
        .merge(ops_routes(registry));
    let work = async {
        let ledger = tokio::select! {
            ledger = RedisLedger::connect(&settings.redis, settings.expiration) => ledger?,
            () = stop.cancelled() => return Ok(()),
        };
        let aws = Aws::new(&settings.base).await;
        let importer = Importer::new(
            spool,
            ledger,
            aws.queue(settings.queue_url.clone(), Duration::ZERO),
            metrics,
            (settings.concurrency, settings.batch_size),
            stop.clone(),
        );
        importer.run(unfinished, incoming).await;
        Ok(())
    };
    serve_during(listener, routes, stop.clone(), Box::pin(work)).await
}
