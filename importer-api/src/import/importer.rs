use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::ledger::{ImportLedger, RowLedger};
use common::messaging::BatchSender;
use common::outage::{GaveUp, ride_out, wait};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::sending::{Sending, SendingError};
use super::{BatchSize, Sender};
use crate::ImporterMetrics;
use crate::blocking::blocking;
use crate::csv::Position;
use crate::spool::{Checkpoint, Manifest, Spool};

/// Time to the next try when the spool cannot be read or written.
const DISK_RETRY: Duration = Duration::from_secs(10);
/// Most time between being told to stop and giving up on what is in flight.
const DRAIN_DEADLINE: Duration = Duration::from_secs(8);

/// Sends imports, several at a time.
#[derive(Debug)]
pub struct Importer<S, L> {
    pub(super) spool: Spool,
    pub(super) ledger: L,
    pub(super) sender: Sender<S, L>,
    pub(super) metrics: ImporterMetrics,
    pub(super) concurrency: usize,
    pub(super) batch_size: BatchSize,
    pub(super) stop: CancellationToken,
}

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + RowLedger + Clone + 'static,
{
    /// An importer that sends batches of that size, up to `concurrency` of
    /// them at a time.
    pub fn new(
        spool: Spool,
        ledger: L,
        queue: S,
        metrics: ImporterMetrics,
        (concurrency, batch_size): (usize, BatchSize),
        stop: CancellationToken,
    ) -> Self {
        Self {
            sender: Sender::new(queue, ledger.clone(), metrics.clone(), concurrency),
            spool,
            ledger,
            metrics,
            concurrency,
            batch_size,
            stop,
        }
    }

    /// Goes on with the imports that a stop or a crash left unfinished, and
    /// sends those that are `accepted`, until told to stop. What is in flight
    /// then is brought to its end, and the rest goes on at the next start.
    pub async fn run(
        self: Arc<Self>,
        unfinished: Vec<(Manifest, Position)>,
        mut accepted: mpsc::UnboundedReceiver<Manifest>,
    ) {
        let imports = TaskTracker::new();
        for (manifest, position) in unfinished {
            info!(import_id = %manifest.import_id, rows = manifest.rows, sent = position.rows, "Import goes on");
            imports.spawn(Arc::clone(&self).import(manifest, position));
        }
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                manifest = accepted.recv() => match manifest {
                    Some(manifest) => {
                        let start = manifest.start();
                        imports.spawn(Arc::clone(&self).import(manifest, start));
                    }
                    None => break,
                },
            }
        }
        imports.close();
        if tokio::time::timeout(DRAIN_DEADLINE, imports.wait())
            .await
            .is_err()
        {
            warn!(
                imports = imports.len(),
                "Not drained in time, sent again at the next start"
            );
        }
    }

    /// Sends one import to its end, whatever it takes.
    async fn import(self: Arc<Self>, manifest: Manifest, from: Position) {
        let mut position = from;
        loop {
            let sending = Sending::new(&self, &manifest);
            match sending.run(&mut position).await {
                Ok(()) => return self.finished(&manifest),
                Err(SendingError::Interrupted) => {
                    info!(import_id = %manifest.import_id, sent = position.rows, "Import stopped, it goes on at the next start");
                    return;
                }
                Err(SendingError::Cancelled) => {
                    info!(import_id = %manifest.import_id, sent = position.rows, rows = manifest.rows, "Import cancelled");
                    return;
                }
                Err(SendingError::Broken(reason)) => {
                    error!(import_id = %manifest.import_id, sent = position.rows, reason, "Import failed");
                    return self.failed(&manifest, position, &reason).await;
                }
                Err(SendingError::Disk(error)) => {
                    error!(import_id = %manifest.import_id, %error, "SPOOL_DIR cannot be used, trying again");
                }
                Err(SendingError::Ledger(error)) => {
                    error!(import_id = %manifest.import_id, error, "The ledger refused an import, trying again");
                }
            }
            if wait(DISK_RETRY, &self.stop).await.is_err() {
                return;
            }
        }
    }

    /// Records up to which row an import is sent; with `done` that nothing
    /// more is sent of it.
    pub(super) async fn save(
        &self,
        import_id: Uuid,
        position: Position,
        done: bool,
    ) -> io::Result<()> {
        let spool = self.spool.clone();
        let checkpoint = Checkpoint { position, done };
        blocking(move || spool.save_checkpoint(import_id, checkpoint)).await
    }

    fn finished(&self, manifest: &Manifest) {
        // By the clock, as a restart may lie in between.
        let taken = Timestamp::now().duration_since(manifest.accepted_at);
        let seconds = taken.as_secs_f64().max(0.0);
        self.metrics.duration.observe(seconds);
        info!(import_id = %manifest.import_id, rows = manifest.rows, seconds, "Import sent");
    }

    async fn failed(&self, manifest: &Manifest, position: Position, reason: &str) {
        let import_id = manifest.import_id;
        let recorded = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger
                .record_failure(import_id, reason, Timestamp::now())
        });
        match recorded.await {
            Ok(()) => {}
            // It fails again at the next start.
            Err(GaveUp::Interrupted(_)) => return,
            Err(GaveUp::Permanent(error)) => {
                error!(%import_id, %error, "The failure of an import was not recorded");
            }
        }
        if let Err(error) = self.save(import_id, position, true).await {
            error!(%import_id, %error, "SPOOL_DIR cannot be written");
        }
    }
}
