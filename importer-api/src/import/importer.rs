use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::ledger::RedisLedger;
use common::messaging::BatchSender;
use common::outage::{GaveUp, Interrupted, ride_out, wait};
use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::sender::SendError;
use super::{Sender, read_batches};
use crate::ImporterMetrics;
use crate::csv::Position;
use crate::spool::{Checkpoint, Manifest, Spool};

/// Time between two checkpoints of an import.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// Time to the next try when the spool cannot be read or written.
const DISK_RETRY: Duration = Duration::from_secs(10);
/// Most time between being told to stop and giving up on what is in flight.
const DRAIN_DEADLINE: Duration = Duration::from_secs(8);

/// Sends imports, several at a time.
#[derive(Debug)]
pub struct Importer<S> {
    spool: Spool,
    ledger: RedisLedger,
    sender: Sender<S>,
    metrics: ImporterMetrics,
    concurrency: usize,
    batch_size: usize,
    stop: CancellationToken,
}

/// An import stopped before its end.
#[derive(Debug)]
enum ImportError {
    /// The process was told to stop. It goes on at the next start.
    Interrupted,
    /// The spool cannot be read or written.
    Disk(io::Error),
    /// The ledger refused what it was asked.
    Ledger(String),
}

impl<S: BatchSender + 'static> Importer<S> {
    /// An importer that sends batches of up to `batch_size` rows, up to
    /// `concurrency` of them at a time.
    pub fn new(
        spool: Spool,
        ledger: RedisLedger,
        queue: S,
        metrics: ImporterMetrics,
        (concurrency, batch_size): (usize, usize),
        stop: CancellationToken,
    ) -> Self {
        let sender = Sender::new(
            queue,
            ledger.clone(),
            metrics.clone(),
            concurrency,
            stop.clone(),
        );
        Self {
            spool,
            ledger,
            sender,
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
        self,
        unfinished: Vec<(Manifest, Position)>,
        mut accepted: mpsc::UnboundedReceiver<Manifest>,
    ) {
        let importer = Arc::new(self);
        let imports = TaskTracker::new();
        for (manifest, position) in unfinished {
            info!(import_id = %manifest.import_id, rows = manifest.rows, sent = position.rows, "Import goes on");
            imports.spawn(Arc::clone(&importer).import(manifest, position));
        }
        loop {
            tokio::select! {
                biased;
                () = importer.stop.cancelled() => break,
                manifest = accepted.recv() => match manifest {
                    Some(manifest) => {
                        let start = manifest.start();
                        imports.spawn(Arc::clone(&importer).import(manifest, start));
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
            match self.send_from(&manifest, &mut position).await {
                Ok(()) => return self.finished(&manifest),
                Err(ImportError::Interrupted) => {
                    info!(import_id = %manifest.import_id, sent = position.rows, "Import stopped, it goes on at the next start");
                    return;
                }
                Err(ImportError::Disk(error)) => {
                    error!(import_id = %manifest.import_id, %error, "SPOOL_DIR cannot be used, trying again");
                }
                Err(ImportError::Ledger(error)) => {
                    error!(import_id = %manifest.import_id, error, "The ledger refused an import, trying again");
                }
            }
            if wait(DISK_RETRY, &self.stop).await.is_err() {
                return;
            }
        }
    }

    /// Sends from a position on, and moves it behind what is sent.
    async fn send_from(
        &self,
        manifest: &Manifest,
        position: &mut Position,
    ) -> Result<(), ImportError> {
        let (import_id, rows) = (manifest.import_id, manifest.rows);
        // Before the first message, as a worker has to know the import.
        ride_out("Redis", &self.stop, || {
            self.ledger.register_import(import_id, rows)
        })
        .await?;
        let batches = read_batches(
            self.spool.clone(),
            manifest.clone(),
            *position,
            self.batch_size,
        );
        // Ends the taking of batches; those in flight are brought to their end.
        let halt = self.stop.child_token();
        let sends = ReceiverStream::new(batches)
            .take_until(halt.cancelled())
            .map(|read| async {
                let (batch, behind) = read?;
                self.sender.send(batch).await?;
                Ok(behind)
            });
        // In order, so that every row before a position is sent.
        let mut sent = pin!(sends.buffered(self.concurrency));
        let mut saved = Instant::now();
        let mut failure: Option<ImportError> = None;
        while let Some(result) = sent.next().await {
            match result {
                Ok(behind) if failure.is_none() => *position = behind,
                // Behind a batch that was not sent: sent again later.
                Ok(_) => {}
                Err(error) => {
                    failure.get_or_insert(error);
                    halt.cancel();
                }
            }
            if saved.elapsed() >= CHECKPOINT_INTERVAL {
                self.save(manifest, *position, false).await?;
                saved = Instant::now();
            }
        }
        let done = failure.is_none() && position.rows == rows;
        self.save(manifest, *position, done).await?;
        match failure {
            Some(error) => Err(error),
            None if done => Ok(()),
            None if self.stop.is_cancelled() => Err(ImportError::Interrupted),
            None => Err(ImportError::Disk(io::Error::other(format!(
                "the file has {} rows instead of {rows}",
                position.rows
            )))),
        }
    }

    async fn save(
        &self,
        manifest: &Manifest,
        position: Position,
        done: bool,
    ) -> Result<(), ImportError> {
        let (spool, import_id) = (self.spool.clone(), manifest.import_id);
        let checkpoint = Checkpoint { position, done };
        tokio::task::spawn_blocking(move || spool.save_checkpoint(import_id, checkpoint))
            .await
            .map_err(|error| ImportError::Disk(io::Error::other(error)))?
            .map_err(ImportError::Disk)
    }

    fn finished(&self, manifest: &Manifest) {
        // By the clock, as a restart may lie in between.
        let taken = Timestamp::now().duration_since(manifest.accepted_at);
        let seconds = taken.as_secs_f64().max(0.0);
        self.metrics.duration.observe(seconds);
        info!(import_id = %manifest.import_id, rows = manifest.rows, seconds, "Import sent");
    }
}

impl From<io::Error> for ImportError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<Interrupted> for ImportError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<SendError> for ImportError {
    fn from(error: SendError) -> Self {
        match error {
            GaveUp::Interrupted(_) => Self::Interrupted,
            GaveUp::Permanent(error) => Self::Ledger(error.to_string()),
        }
    }
}
