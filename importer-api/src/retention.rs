//! Removes the files of imports that came to their end long enough ago.

use std::io;
use std::time::Duration;

use common::ledger::{ImportLedger, LedgerError};
use common::runtime::wait;
use jiff::Timestamp;
use prometheus::IntGauge;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::acceptance::KEY_KEPT;
use crate::csv::Position;
use crate::preview::PREVIEW_KEPT;
use crate::spool::{OldImport, Spool, is_older};

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_mins(10);
/// An upload of a bucket that was stored so long ago is known to the ledger, or
/// was not accepted.
const KNOWN_AFTER: Duration = Duration::from_mins(5);
/// For so long a bucket's import is kept that the ledger does not know: it may
/// be another ledger's, or this one may have lost it.
const UNKNOWN_KEPT: Duration = Duration::from_hours(30 * 24);

/// Time for a preview to become an import that is made one at its end.
const PREVIEW_ACCEPTED: Duration = Duration::from_mins(5);

#[derive(Debug, Error)]
enum RetentionError {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Goes through the spool at once and every ten minutes until told to stop,
/// and removes what came to its end more than `retention` ago. The gauge shows
/// how many imports of a bucket the ledger does not know.
pub async fn remove_finished<L: ImportLedger>(
    spool: Spool,
    ledger: L,
    retention: Duration,
    unknown: IntGauge,
    stop: CancellationToken,
) {
    loop {
        match round(&spool, &ledger, retention, Timestamp::now()).await {
            Ok(found) => unknown.set(found),
            Err(error) => warn!(%error, "Old files were not removed, trying again later"),
        }
        if wait(INTERVAL, &stop).await.is_err() {
            return;
        }
    }
}

/// Gives how many imports of a bucket the ledger does not know.
async fn round<L: ImportLedger>(
    spool: &Spool,
    ledger: &L,
    retention: Duration,
    now: Timestamp,
) -> Result<i64, RetentionError> {
    for import_id in spool.unfinished().await? {
        let status = ledger.import_status(import_id).await?;
        if status.is_some_and(|status| status.sent_at.is_some()) {
            // Cancelled before somebody carried it, say.
            spool.mark_done(import_id, Position::default()).await?;
        }
    }
    let oldest = if spool.is_shared() {
        KNOWN_AFTER
    } else {
        retention
    };
    remove_previews(spool, ledger, now).await?;
    let mut unknown = 0;
    for import in spool.older_than(oldest).await? {
        let import_id = import.import_id;
        match ledger.import_status(import_id).await? {
            Some(status) => {
                let ended = status.finished_at;
                if ended.is_some_and(|ended| now >= ended + retention) {
                    spool.remove(import_id).await?;
                    info!(%import_id, "The file of a finished import was removed");
                }
            }
            None if is_rubbish(spool, import, retention).await? => {
                spool.remove(import_id).await?;
                info!(%import_id, "A file that is no import was removed");
            }
            None if spool.is_shared() && import.has_manifest => {
                unknown += 1;
                warn!(%import_id, "The ledger does not know an import of the bucket");
            }
            None => {}
        }
    }
    Ok(unknown)
}

/// Removes the previews whose hour is over. One that has become an import may be
/// left beside it.
async fn remove_previews<L: ImportLedger>(
    spool: &Spool,
    ledger: &L,
    now: Timestamp,
) -> Result<(), RetentionError> {
    for import_id in spool.previews().await? {
        let preview = spool.preview_of(import_id).await?;
        // One that is accepted at the last moment has some time for it.
        let is_over = preview
            .is_some_and(|preview| now >= preview.accepted_at + PREVIEW_KEPT + PREVIEW_ACCEPTED);
        if is_over
            && spool.manifest_of(import_id).await?.is_none()
            && ledger.import_status(import_id).await?.is_none()
        {
            spool.remove(import_id).await?;
            debug!(%import_id, "The file of a preview was removed");
        }
    }
    Ok(())
}

/// Whether an import that the ledger does not know is none. In a folder the
/// ledger may only not have been told of it yet; one that is done was forgotten,
/// and ended when it was accepted. In a bucket an upload without a manifest
/// never came to its end. One with a manifest may be an import of another
/// ledger, or this one may have lost it: that is for people to find out.
async fn is_rubbish(spool: &Spool, import: OldImport, retention: Duration) -> io::Result<bool> {
    let is_old = |age| is_older(import.import_id, age);
    if !spool.is_shared() {
        return spool.is_done(import.import_id).await;
    }
    Ok(is_old(UNKNOWN_KEPT.max(retention)) || !import.has_manifest && is_old(KEY_KEPT))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use testkit::{CsvFile, MemoryLedger};
    use uuid::Uuid;

    use super::*;
    use crate::acceptance::Sender;
    use crate::csv::Survey;

    #[tokio::test]
    async fn a_preview_is_removed_once_its_hour_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let file = CsvFile::new().valid_rows(2).bytes();
        let mut survey = Survey::new(10);
        survey.look(&file).unwrap();
        let mut upload = spool.begin().await.unwrap();
        upload.write(&file, &file).unwrap();
        let from = Sender::default().received(survey.finish().unwrap());
        let preview = upload.keep_as_preview(from).await.unwrap();
        drop(spool);
        // What a crash left unfinished is no preview.
        let spool = Spool::open(dir.path()).unwrap();
        let ledger = MemoryLedger::default();
        for (minutes, left) in [(59, 1), (64, 1), (66, 0)] {
            let now = preview.accepted_at + Duration::from_mins(minutes);
            round(&spool, &ledger, KEY_KEPT, now).await.unwrap();
            assert_eq!(spool.previews().await.unwrap().len(), left);
        }
        let files = fs::read_dir(dir.path()).unwrap();
        let files = files.filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            path.extension().is_some()
        });
        assert_eq!(files.count(), 0);
    }

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
