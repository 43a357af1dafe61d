//! Gives the imports their turns to be sent, oldest first.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::ledger::{ImportLedger, NewImport, RowLedger};
use common::messaging::BatchSender;
use common::runtime::{GaveUp, ride_out, wait};
use common::service::DRAIN;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::Importer;
use super::sending::{Sending, SendingError};
use super::waiting::Turn;
use crate::blocking::blocking;
use crate::csv::Position;
use crate::spool::Manifest;

/// Time for which an import that spool or ledger refused still holds its
/// place, so that not all that wait are tried at once.
const REFUSED: Duration = Duration::from_secs(1);
/// Time from then to its next try.
const RETRY: Duration = Duration::from_secs(9);

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + RowLedger + Clone + 'static,
{
    /// Sends the imports that wait, oldest first and so many at a time, until
    /// told to stop. What is in flight then is brought to its end, and the
    /// rest goes on at the next start.
    pub async fn run(self: Arc<Self>) {
        let imports = TaskTracker::new();
        let work = async {
            tokio::join!(
                self.give_turns(&imports),
                self.end_cancelled(),
                self.make_known()
            )
        };
        self.stop.run_until_cancelled(work).await;
        imports.close();
        if tokio::time::timeout(DRAIN, imports.wait()).await.is_err() {
            warn!(
                imports = imports.len(),
                "Shutdown timed out; unsent rows follow at the next start"
            );
        }
    }

    async fn give_turns(self: &Arc<Self>, imports: &TaskTracker) {
        // The semaphore is never closed.
        while let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await {
            let turn = self.waiting.next().await;
            imports.spawn(Arc::clone(self).import(turn, slot));
        }
    }

    /// Ends imports that were cancelled while they waited, one at a time.
    async fn end_cancelled(self: &Arc<Self>) {
        loop {
            let turn = self.waiting.next_cancelled().await;
            let ended = async {
                let Some((manifest, position)) = self.open(turn).await? else {
                    return Ok(());
                };
                Sending::new(self, &manifest).end_cancelled(position).await
            };
            match ended.await {
                Ok(()) => {
                    info!(import_id = %turn.import_id, "Import cancelled before its turn");
                }
                // It is found cancelled when its turn comes.
                Err(error) => {
                    warn!(import_id = %turn.import_id, %error, "A cancelled import was not ended");
                    self.waiting.put_back(turn);
                }
            }
        }
    }

    /// Tells the ledger of the imports that wait, so that clients find them.
    async fn make_known(&self) {
        loop {
            let import_id = self.waiting.next_unknown().await;
            if let Err(error) = self.make_one_known(import_id).await {
                // It is told again at the import's turn.
                warn!(%import_id, %error, "An import was not made known");
            }
            self.waiting.is_known(import_id);
        }
    }

    async fn make_one_known(&self, import_id: Uuid) -> Result<(), SendingError> {
        let spool = self.spool.clone();
        let manifest = blocking(move || spool.manifest_of(import_id)).await?;
        if let Some(manifest) = manifest {
            let import = NewImport::from(&manifest);
            ride_out(self.ledger.outage(), &self.stop, || {
                self.ledger.register_import(&import)
            })
            .await?;
        }
        Ok(())
    }

    /// The manifest of an import, and where sending goes on; `None` where
    /// there is nothing to be sent.
    async fn open(&self, turn: Turn) -> io::Result<Option<(Manifest, Position)>> {
        let (spool, import_id) = (self.spool.clone(), turn.import_id);
        let found = blocking(move || spool.resume(import_id)).await?;
        Ok(found.map(|(manifest, position)| (manifest, turn.from.unwrap_or(position))))
    }

    /// Sends an import to its end. Where spool or ledger keep it from that,
    /// it leaves its place to another one for a while.
    async fn import(self: Arc<Self>, turn: Turn, slot: OwnedSemaphorePermit) {
        let Err(from) = self.send_to_the_end(turn).await else {
            return;
        };
        let again = async {
            wait(REFUSED, &self.stop).await?;
            drop(slot);
            wait(RETRY, &self.stop).await
        };
        if again.await.is_ok() {
            let import_id = turn.import_id;
            self.waiting.put_back(Turn { import_id, from });
        }
    }

    /// Gives where sending has to go on another time, if it has to.
    async fn send_to_the_end(self: &Arc<Self>, turn: Turn) -> Result<(), Option<Position>> {
        let import_id = turn.import_id;
        let (manifest, mut position) = match self.open(turn).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.lost(import_id).await;
                return Ok(());
            }
            Err(error) => {
                error!(%import_id, %error, "SPOOL_DIR cannot be used, trying again");
                return Err(turn.from);
            }
        };
        if position != manifest.start() {
            info!(%import_id, rows = manifest.rows, sent = position.rows, "Import resumed");
        }
        match Sending::new(self, &manifest).run(&mut position).await {
            Ok(()) => self.finished(&manifest),
            Err(SendingError::Interrupted) => {
                info!(%import_id, sent = position.rows, "Import stopped; it resumes at the next start");
            }
            Err(SendingError::Cancelled) => {
                info!(%import_id, sent = position.rows, rows = manifest.rows, "Import cancelled");
            }
            Err(SendingError::Broken(reason)) => {
                error!(%import_id, sent = position.rows, reason, "Import failed");
                if self.failed(import_id, &reason).await
                    && let Err(error) = self.save(import_id, position, true).await
                {
                    error!(%import_id, %error, "SPOOL_DIR cannot be written");
                }
            }
            Err(SendingError::Disk(error)) => {
                error!(%import_id, %error, "SPOOL_DIR cannot be used, trying again");
                return Err(Some(position));
            }
            Err(SendingError::Ledger(error)) => {
                error!(%import_id, error, "The ledger refused an import, trying again");
                return Err(Some(position));
            }
        }
        Ok(())
    }

    fn finished(&self, manifest: &Manifest) {
        // By the clock, as a restart may lie in between.
        let taken = Timestamp::now().duration_since(manifest.accepted_at);
        let seconds = taken.as_secs_f64().max(0.0);
        self.metrics.duration.observe(seconds);
        info!(import_id = %manifest.import_id, rows = manifest.rows, seconds, "Import sent");
    }

    /// Nothing is to be sent of an import whose turn it is. Where that is as
    /// its manifest is lost, it fails, so that it is not open for ever.
    async fn lost(&self, import_id: Uuid) {
        let spool = self.spool.clone();
        let manifest = blocking(move || spool.manifest_of(import_id)).await;
        if !matches!(manifest, Ok(None)) {
            return;
        }
        let reason = "its manifest is no longer in SPOOL_DIR, or cannot be read";
        error!(%import_id, reason, "Import failed");
        let known = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.rows_of(import_id)
        });
        if matches!(known.await, Ok(Some(_))) {
            self.failed(import_id, reason).await;
        }
    }

    /// Records why an import cannot be sent to its end. Gives whether that is
    /// done with; if not, it fails again at the next start.
    async fn failed(&self, import_id: Uuid, reason: &str) -> bool {
        let recorded = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger
                .record_failure(import_id, reason, Timestamp::now())
        });
        match recorded.await {
            Ok(()) => true,
            Err(GaveUp::Interrupted(_)) => false,
            Err(GaveUp::Permanent(error)) => {
                error!(%import_id, %error, "The failure of an import was not recorded");
                true
            }
        }
    }
}
