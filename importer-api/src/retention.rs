//! Removes the files of imports that came to their end long enough ago.

use std::io;
use std::time::Duration;

use common::ledger::{ImportLedger, LedgerError};
use common::runtime::wait;
use jiff::Timestamp;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::blocking::blocking;
use crate::spool::Spool;

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_mins(10);

#[derive(Debug, Error)]
enum RetentionError {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Goes through the spool at once and every ten minutes until told to stop,
/// and removes what came to its end more than `retention` ago.
pub async fn remove_finished<L: ImportLedger>(
    spool: Spool,
    ledger: L,
    retention: Duration,
    stop: CancellationToken,
) {
    loop {
        if let Err(error) = round(&spool, &ledger, retention, Timestamp::now()).await {
            warn!(%error, "Old files were not removed, trying again later");
        }
        if wait(INTERVAL, &stop).await.is_err() {
            return;
        }
    }
}

async fn round<L: ImportLedger>(
    spool: &Spool,
    ledger: &L,
    retention: Duration,
    now: Timestamp,
) -> Result<(), RetentionError> {
    let files = spool.clone();
    let finished = blocking(move || files.finished()).await?;
    for import_id in finished {
        if ended_at(spool, ledger, import_id)
            .await?
            .is_some_and(|ended| {
                now.duration_since(ended).unsigned_abs() >= retention && now > ended
            })
        {
            let files = spool.clone();
            blocking(move || files.remove(import_id)).await?;
            info!(%import_id, "The file of a finished import was removed");
        }
    }
    Ok(())
}

/// When an import came to its end. One that the ledger has forgotten cannot
/// be reconciled: it ended when it was accepted.
async fn ended_at<L: ImportLedger>(
    spool: &Spool,
    ledger: &L,
    import_id: Uuid,
) -> Result<Option<Timestamp>, RetentionError> {
    if let Some(status) = ledger.import_status(import_id).await? {
        return Ok(status.finished_at);
    }
    let files = spool.clone();
    let manifest = blocking(move || files.manifest_of(import_id)).await?;
    Ok(manifest.map(|manifest| manifest.accepted_at))
}
