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

use crate::acceptance::KEY_KEPT;
use crate::csv::Position;
use crate::spool::{Spool, is_older};

/// For so long beyond the time of an idempotency key the files are kept of an
/// upload that was not accepted.
const HANGING_ON: Duration = Duration::from_hours(1);
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
    for import_id in spool.unfinished().await? {
        let status = ledger.import_status(import_id).await?;
        if status.is_some_and(|status| status.sent_at.is_some()) {
            // Cancelled before somebody carried it, say.
            spool.mark_done(import_id, Position::default()).await?;
        }
    }
    // What was never accepted goes though finished imports are kept for longer.
    let oldest = retention.min(KEY_KEPT + HANGING_ON);
    for import_id in spool.older_than(oldest).await? {
        let status = ledger.import_status(import_id).await?;
        let is_over = match status {
            Some(status) => status
                .finished_at
                .is_some_and(|ended| now >= ended + retention),
            None => is_forgotten(spool, import_id, retention).await?,
        };
        if is_over {
            spool.remove(import_id).await?;
            info!(%import_id, "The file of a finished import was removed");
        }
    }
    Ok(())
}

/// Whether nobody carries an import that the ledger does not know. In a folder
/// it may only be that the ledger has not been told of it yet; one that is done
/// was forgotten, and ended when it was accepted. In a bucket its upload was not
/// accepted; while its idempotency key may be in use, a client may still make
/// it an import.
async fn is_forgotten(spool: &Spool, import_id: Uuid, retention: Duration) -> io::Result<bool> {
    if spool.is_shared() {
        return Ok(is_older(import_id, KEY_KEPT + HANGING_ON));
    }
    Ok(is_older(import_id, retention) && spool.is_done(import_id).await?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use testkit::MemoryLedger;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn the_file_of_an_import_that_the_ledger_forgot_is_kept_as_long_as_others() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let ledger = MemoryLedger::default();
        let now = Timestamp::now();
        let accepted = (now - Duration::from_hours(30)).as_second();
        let accepted = uuid::Timestamp::from_unix_time(accepted.unsigned_abs(), 0, 0, 0);
        let [done, untold] = [(); 2].map(|()| Uuid::new_v7(accepted));
        for import_id in [done, untold] {
            fs::write(dir.path().join(format!("{import_id}.json")), "{}").unwrap();
        }
        spool.mark_done(done, Position::default()).await.unwrap();
        let left = async |hours| {
            let retention = Duration::from_hours(hours);
            round(&spool, &ledger, retention, now).await.unwrap();
            spool.older_than(Duration::ZERO).await.unwrap().len()
        };
        assert_eq!(left(168).await, 2);
        assert_eq!(left(29).await, 1);
        assert_eq!(spool.unfinished().await.unwrap(), [untold]);
    }
}
