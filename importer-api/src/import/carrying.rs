//! Takes imports that nobody carries, and sends them to their end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::ledger::{CarrierLedger, ImportLedger, KeyedUpload, RowLedger, TakenImport};
use common::messaging::BatchSender;
use common::runtime::{GaveUp, ride_out, wait};
use common::service::DRAIN;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use super::Importer;
use super::leases::{Held, LEASE};
use super::sending::{Sending, SendingError};
use crate::acceptance::KEY_KEPT;
use crate::csv::Position;
use crate::spool::Manifest;

/// Time between two looks for an import that nobody carries: another replica
/// may have accepted it, or its carrier may be lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Time for which an import that spool or ledger refused still holds its
/// place, so that not all that wait are tried at once.
const REFUSED: Duration = Duration::from_secs(1);
/// Time from then to its next try, here or elsewhere.
const RETRY: Duration = Duration::from_secs(9);
/// Time until the ledger is told again of an import that it, or the spool,
/// refused to have made known.
const TOLD_AGAIN: Duration = Duration::from_secs(30);

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + CarrierLedger + RowLedger + Clone + 'static,
{
    /// Takes imports and sends them, so many at a time, until told to stop.
    /// What is in flight then is brought to its end, and the imports are given
    /// back: they go on at once where another replica has their files, else
    /// at the next start.
    pub async fn run(self: Arc<Self>) {
        let imports = TaskTracker::new();
        let aside = async {
            tokio::join!(
                self.leases.renew(&self.ledger, &self.stop),
                self.make_known()
            );
        };
        tokio::join!(
            self.give_turns(&imports),
            self.stop.run_until_cancelled(aside)
        );
        imports.close();
        if tokio::time::timeout(DRAIN, imports.wait()).await.is_err() {
            warn!(
                imports = imports.len(),
                "Shutdown timed out; unsent rows follow when the imports are taken again"
            );
        }
    }

    /// What this folder's last process carried when it was killed need not wait
    /// for the end of its leases.
    async fn end_leases_of_predecessor(&self) {
        if self.spool.is_shared() {
            return;
        }
        let ended = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.end_leases(self.spool.name())
        });
        if let Err(GaveUp::Permanent(error)) = ended.await {
            error!(%error, "Leases of an earlier process were not ended");
        }
    }

    async fn give_turns(self: &Arc<Self>, imports: &TaskTracker) {
        self.end_leases_of_predecessor().await;
        // The semaphore is never closed.
        while let Some(Ok(slot)) = self
            .stop
            .run_until_cancelled(Arc::clone(&self.slots).acquire_owned())
            .await
        {
            let Some(taken) = self.take().await else {
                return;
            };
            let held = self.leases.hold(taken.lease);
            imports.spawn(Arc::clone(self).carry(taken, held, slot));
        }
    }

    /// The next import, once there is one; `None` when told to stop. A call to
    /// the ledger is not cut off, as it may have taken one.
    async fn take(&self) -> Option<TakenImport> {
        let attempt = Uuid::new_v4();
        loop {
            let taken = ride_out(self.ledger.outage(), &self.stop, || {
                let spool = self.spool.name();
                self.ledger.take_import(spool, attempt, LEASE)
            });
            match taken.await {
                Ok(Some(taken)) => return Some(taken),
                Ok(None) => {}
                Err(GaveUp::Interrupted(_)) => return None,
                Err(GaveUp::Permanent(error)) => {
                    error!(%error, "The ledger gives out no imports, trying again");
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = self.arrivals.announced() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// Tells the ledger of the imports of this folder that it may not know.
    async fn make_known(&self) {
        loop {
            let import_id = self.arrivals.next_unknown().await;
            let made_known = self.make_one_known(import_id).await;
            self.arrivals.done_with(import_id);
            if let Err(error) = made_known {
                warn!(%import_id, %error, "An import was not made known, trying again");
                self.tell_again_later(import_id);
            }
        }
    }

    /// The others have their turn meanwhile.
    fn tell_again_later(&self, import_id: Uuid) {
        let (arrivals, stop) = (self.arrivals.clone(), self.stop.clone());
        tokio::spawn(async move {
            if wait(TOLD_AGAIN, &stop).await.is_ok() {
                arrivals.add_unknown([import_id]);
            }
        });
    }

    async fn make_one_known(&self, import_id: Uuid) -> Result<(), SendingError> {
        let Some(manifest) = self.spool.manifest_of(import_id).await? else {
            return Ok(());
        };
        let import = manifest.to_import(self.spool.name());
        let is_to_be_sent = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.register_import(&import)
        })
        .await?;
        if !is_to_be_sent {
            return Ok(self.spool.mark_done(import_id, manifest.start()).await?);
        }
        self.claim_key(&manifest).await
    }

    /// A crash may have come before the key of an upload was claimed.
    async fn claim_key(&self, manifest: &Manifest) -> Result<(), SendingError> {
        let age = Timestamp::now().duration_since(manifest.accepted_at);
        let left = KEY_KEPT.checked_sub(age.unsigned_abs());
        let (Some(key), Some(left)) = (&manifest.key, left) else {
            return Ok(());
        };
        let own = KeyedUpload {
            import_id: manifest.import_id,
            sha256: manifest.sha256.clone(),
        };
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.claim_key(key, &own, left)
        })
        .await?;
        Ok(())
    }

    /// Sends an import to its end. Where spool or ledger keep it from that,
    /// it leaves its place to another one for a while.
    async fn carry(self: Arc<Self>, taken: TakenImport, held: Held, slot: OwnedSemaphorePermit) {
        let after = match self.send_to_the_end(taken, &held).await {
            Ended::Done => return,
            Ended::Stopped => Duration::ZERO,
            Ended::Refused => {
                let _ = wait(REFUSED, &self.stop).await;
                RETRY
            }
        };
        drop(slot);
        // Once: where it fails, the lease ends by itself.
        if let Err(error) = self.ledger.give_back(&held.lease, after).await {
            debug!(import_id = %held.lease.import_id, %error, "An import was not given back");
        }
    }

    /// The manifest of an import, and where sending goes on.
    async fn open(&self, taken: TakenImport) -> io::Result<Option<(Manifest, Position)>> {
        let manifest = self.spool.manifest_of(taken.lease.import_id).await?;
        Ok(manifest.map(|manifest| {
            let position = manifest.from(taken.from);
            (manifest, position)
        }))
    }

    async fn send_to_the_end(self: &Arc<Self>, taken: TakenImport, held: &Held) -> Ended {
        let (import_id, epoch) = (taken.lease.import_id, taken.lease.epoch);
        let (manifest, mut position) = match self.open(taken).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                let reason = "its manifest is no longer in the spool, or cannot be read";
                return self.fail(held, Position::default(), reason).await;
            }
            Err(error) => {
                error!(%import_id, %error, "The spool cannot be used, trying again");
                return Ended::Refused;
            }
        };
        let (rows, sent) = (manifest.rows, position.rows);
        info!(%import_id, epoch, rows, sent, "Import is carried");
        match Sending::new(self, &manifest, held).run(&mut position).await {
            Ok(()) => self.finished(&manifest),
            Err(SendingError::Interrupted) => {
                info!(%import_id, epoch, sent = position.rows, "Import stopped; it is given back");
                return Ended::Stopped;
            }
            Err(SendingError::Cancelled) => {
                info!(%import_id, sent = position.rows, rows, "Import cancelled");
            }
            Err(SendingError::TakenOver) => {
                warn!(%import_id, epoch, sent = position.rows, "Another replica has taken the import over");
            }
            Err(SendingError::Broken(reason)) => return self.fail(held, position, &reason).await,
            Err(SendingError::Disk(error)) => {
                error!(%import_id, %error, "The spool cannot be used, trying again");
                return Ended::Refused;
            }
            Err(SendingError::Ledger(error)) => {
                error!(%import_id, error, "The ledger refused an import, trying again");
                return Ended::Refused;
            }
        }
        Ended::Done
    }

    fn finished(&self, manifest: &Manifest) {
        // By the clock, as a restart may lie in between.
        let taken = Timestamp::now().duration_since(manifest.accepted_at);
        let seconds = taken.as_secs_f64().max(0.0);
        self.metrics.duration.observe(seconds);
        info!(import_id = %manifest.import_id, rows = manifest.rows, seconds, "Import sent");
    }

    /// Records why an import cannot be sent to its end.
    async fn fail(&self, held: &Held, position: Position, reason: &str) -> Ended {
        let import_id = held.lease.import_id;
        error!(%import_id, sent = position.rows, reason, "Import failed");
        let recorded = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger
                .record_failure(&held.lease, reason, Timestamp::now())
        });
        match recorded.await {
            Ok(true) => self.mark_done(import_id, position).await,
            Ok(false) => {}
            Err(GaveUp::Interrupted(_)) => return Ended::Stopped,
            Err(GaveUp::Permanent(error)) => {
                error!(%import_id, %error, "The failure of an import was not recorded");
                return Ended::Refused;
            }
        }
        Ended::Done
    }
}

/// How the carrying of an import ended.
enum Ended {
    /// Nothing more is to be done, or somebody else does it.
    Done,
    /// The process is told to stop.
    Stopped,
    /// Spool or ledger refused it.
    Refused,
}
