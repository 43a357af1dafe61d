use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use common::ledger::{ImportLedger, LedgerError, NewImport, RowLedger};
use common::messaging::BatchSender;
use common::runtime::{GaveUp, Interrupted, ride_out};
use futures::StreamExt;
use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::{Batch, BatchAt, Batches, Importer, Room};
use crate::csv::Position;
use crate::spool::Manifest;

/// Time between two checkpoints of an import.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Sending ended before the last row.
#[derive(Debug, Error)]
pub(super) enum SendingError {
    /// The process was told to stop. It goes on at the next start.
    #[error("the process was told to stop")]
    Interrupted,
    /// Somebody cancelled the import.
    #[error("the import was cancelled")]
    Cancelled,
    /// The file is gone, or is not what was accepted.
    #[error("{0}")]
    Broken(String),
    /// The spool cannot be read or written.
    #[error("SPOOL_DIR cannot be used: {0}")]
    Disk(io::Error),
    /// The ledger refused what it was asked.
    #[error("{0}")]
    Ledger(String),
}

/// The sending of one import.
pub(super) struct Sending<'a, S, L> {
    importer: Arc<Importer<S, L>>,
    manifest: &'a Manifest,
    import_id: Uuid,
    /// Ends the taking of batches; those in flight are brought to their end.
    halt: CancellationToken,
    /// Ends the waiting for a queue that is away as well.
    quit: CancellationToken,
}

impl<'a, S, L> Sending<'a, S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + RowLedger + Clone + 'static,
{
    pub(super) fn new(importer: &Arc<Importer<S, L>>, manifest: &'a Manifest) -> Self {
        Self {
            importer: Arc::clone(importer),
            manifest,
            import_id: manifest.import_id,
            halt: importer.stop.child_token(),
            quit: importer.stop.child_token(),
        }
    }

    /// Sends from a position on, and moves it behind what is sent.
    pub(super) async fn run(self, position: &mut Position) -> Result<(), SendingError> {
        let Importer { ledger, stop, .. } = &*self.importer;
        let import = NewImport::from(self.manifest);
        // Before the first message, as a worker has to know the import.
        ride_out(ledger.outage(), stop, || ledger.register_import(&import)).await?;
        let mut cancelled = self.report(*position, None).await?;
        let mut failure = None;
        if !cancelled {
            (cancelled, failure) = self.send(position).await;
        }
        let import_id = self.import_id;
        let all = position.rows == self.manifest.rows;
        if failure.is_none() && (all || cancelled) {
            self.report(*position, Some(Timestamp::now())).await?;
            self.importer.save(import_id, *position, true).await?;
            return if all {
                Ok(())
            } else {
                Err(SendingError::Cancelled)
            };
        }
        self.importer.save(import_id, *position, false).await?;
        if !stop.is_cancelled() {
            // What is in the queue counts, whatever ended the sending.
            self.report(*position, None).await?;
        }
        Err(match failure {
            Some(error) => error,
            None if stop.is_cancelled() => SendingError::Interrupted,
            None => SendingError::Broken(format!(
                "the file has {} rows instead of {}",
                position.rows, self.manifest.rows
            )),
        })
    }

    /// Ends an import that was cancelled before its turn.
    pub(super) async fn end_cancelled(self, position: Position) -> Result<(), SendingError> {
        if self.report(position, None).await? {
            self.report(position, Some(Timestamp::now())).await?;
            self.importer.save(self.import_id, position, true).await?;
            return Ok(());
        }
        Err(SendingError::Ledger("it is not cancelled".to_owned()))
    }

    /// Gives whether the import was cancelled meanwhile, and what went wrong.
    async fn send(&self, position: &mut Position) -> (bool, Option<SendingError>) {
        let (reached, kept) = watch::channel(*position);
        let (failure, cancelled) = tokio::join!(
            self.send_batches(*position, reached),
            self.keep(kept.clone())
        );
        *position = *kept.borrow();
        match failure {
            Some(SendingError::Interrupted) if cancelled => (true, None),
            failure => (cancelled, failure),
        }
    }

    /// Sends from a position on, and keeps in `reached` how far it is. Gives
    /// what went wrong.
    async fn send_batches(
        &self,
        from: Position,
        reached: watch::Sender<Position>,
    ) -> Option<SendingError> {
        let importer = &self.importer;
        let batches = Batches::read(
            importer.spool.clone(),
            self.manifest.clone(),
            from,
            importer.limits.batch_size,
        );
        let room_for = {
            let importer = Arc::clone(importer);
            move |read| with_room(Arc::clone(&importer), read)
        };
        let send = {
            let (importer, quit) = (Arc::clone(importer), self.quit.clone());
            move |ready: Result<(Batch, Room, Position), SendingError>| {
                let (importer, quit) = (Arc::clone(&importer), quit.clone());
                async move {
                    let (batch, room, behind) = ready?;
                    importer.dispatcher.send(batch, room, &quit).await?;
                    Ok(behind)
                }
            }
        };
        let sends = batches
            .stream()
            .take_until(self.halt.clone().cancelled_owned())
            .then(room_for)
            .map(send)
            .boxed();
        // In order, so that every row before a position is sent.
        let mut in_order = pin!(sends.buffered(importer.limits.batches));
        let mut failure = None;
        while let Some(result) = in_order.next().await {
            match result {
                Ok(behind) if failure.is_none() => {
                    // Nobody has to wake up for it.
                    reached.send_if_modified(|before| {
                        let rows = behind.rows.saturating_sub(before.rows);
                        importer.metrics.rows.inc_by(rows);
                        *before = behind;
                        false
                    });
                }
                // Behind a batch that was not sent: sent again later.
                Ok(_) => {}
                Err(error) => {
                    failure.get_or_insert(error);
                    self.halt.cancel();
                }
            }
        }
        failure
    }

    /// Saves each second how far the import is sent, until `reached` is
    /// closed, while batches are sent. Gives whether the import was cancelled.
    async fn keep(&self, reached: watch::Receiver<Position>) -> bool {
        let mut checkpoints =
            interval_at(Instant::now() + CHECKPOINT_INTERVAL, CHECKPOINT_INTERVAL);
        checkpoints.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut saved, mut cancelled) = (*reached.borrow(), false);
        let mut closed = pin!(closed(reached.clone()));
        loop {
            tokio::select! {
                biased;
                () = &mut closed => return cancelled,
                _ = checkpoints.tick() => {}
            }
            let position = *reached.borrow();
            if position != saved {
                // Not cut off, as the next one is written to the same file.
                match self.importer.save(self.import_id, position, false).await {
                    Ok(()) => saved = position,
                    // Without it more is sent again after a crash; no reason
                    // to send nothing now.
                    Err(error) => {
                        warn!(import_id = %self.import_id, %error, "Checkpoint was not saved");
                    }
                }
            }
            if cancelled {
                continue;
            }
            cancelled = tokio::select! {
                biased;
                () = &mut closed => return false,
                cancelled = self.is_cancelled(position) => cancelled,
            };
            if cancelled {
                self.halt.cancel();
                self.quit.cancel();
            }
        }
    }

    /// Tells the ledger how far the import is, and asks whether somebody
    /// cancelled it. A ledger that is away holds nothing up.
    async fn is_cancelled(&self, position: Position) -> bool {
        let ledger = &self.importer.ledger;
        let answer = ledger
            .record_sent(self.import_id, position.rows, None)
            .await;
        answer.unwrap_or_else(|error| {
            warn!(import_id = %self.import_id, %error, "Progress was not recorded");
            false
        })
    }

    async fn report(
        &self,
        position: Position,
        sent_at: Option<Timestamp>,
    ) -> Result<bool, SendingError> {
        let Importer { ledger, stop, .. } = &*self.importer;
        let (import_id, sent) = (self.import_id, position.rows);
        let recorded = ride_out(ledger.outage(), stop, || {
            ledger.record_sent(import_id, sent, sent_at)
        });
        Ok(recorded.await?)
    }
}

/// Waits until nothing more is told.
async fn closed(mut told: watch::Receiver<Position>) {
    while told.changed().await.is_ok() {}
}

/// A batch that was read, once it is its turn to be sent.
async fn with_room<S: BatchSender, L: RowLedger>(
    importer: Arc<Importer<S, L>>,
    read: io::Result<BatchAt>,
) -> Result<(Batch, Room, Position), SendingError> {
    let (batch, behind) = read?;
    let room = importer.dispatcher.room_for(batch.bytes).await;
    Ok((batch, room, behind))
}

impl From<io::Error> for SendingError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Broken(format!("the file is no longer in SPOOL_DIR: {error}"))
        } else {
            Self::Disk(error)
        }
    }
}

impl From<Interrupted> for SendingError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<GaveUp<LedgerError>> for SendingError {
    fn from(error: GaveUp<LedgerError>) -> Self {
        match error {
            GaveUp::Interrupted(_) => Self::Interrupted,
            GaveUp::Permanent(error) => Self::Ledger(error.to_string()),
        }
    }
}
