use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use common::ledger::{CarrierLedger, Carrying, Checkpoint, ImportLedger, LedgerError, RowLedger};
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

use super::leases::Held;
use super::{Batch, BatchAt, Batches, Importer, Room};
use crate::csv::Position;
use crate::spool::Manifest;

/// Time between two checkpoints of an import.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);

/// Sending ended before the last row.
#[derive(Debug, Error)]
pub(super) enum SendingError {
    /// The process was told to stop.
    #[error("the process was told to stop")]
    Interrupted,
    /// Somebody cancelled the import.
    #[error("the import was cancelled")]
    Cancelled,
    /// Another replica carries the import.
    #[error("another replica has taken the import over")]
    TakenOver,
    /// The file is gone, or is not what was accepted.
    #[error("{0}")]
    Broken(String),
    /// The spool cannot be read or written.
    #[error("the spool cannot be used: {0}")]
    Disk(io::Error),
    /// The ledger refused what it was asked.
    #[error("{0}")]
    Ledger(String),
}

/// The sending of one import.
pub(super) struct Sending<'a, S, L> {
    importer: Arc<Importer<S, L>>,
    manifest: &'a Manifest,
    held: &'a Held,
    import_id: Uuid,
    /// Ends the taking of batches; those in flight are brought to their end.
    halt: CancellationToken,
    /// Ends the waiting for a queue that is away as well.
    quit: CancellationToken,
}

impl<'a, S, L> Sending<'a, S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + CarrierLedger + RowLedger + Clone + 'static,
{
    pub(super) fn new(
        importer: &Arc<Importer<S, L>>,
        manifest: &'a Manifest,
        held: &'a Held,
    ) -> Self {
        Self {
            importer: Arc::clone(importer),
            manifest,
            held,
            import_id: manifest.import_id,
            halt: importer.stop.child_token(),
            quit: importer.stop.child_token(),
        }
    }

    /// Sends from a position on, and moves it behind what is sent.
    pub(super) async fn run(self, position: &mut Position) -> Result<(), SendingError> {
        let Importer { ledger, stop, .. } = &*self.importer;
        let import = self.manifest.to_import(self.importer.spool.name());
        // Before the first message, as a worker has to know the import.
        ride_out(ledger.outage(), stop, || ledger.register_import(&import)).await?;
        let mut carrying = self.report(*position, None).await?;
        let mut failure = None;
        if carrying == Carrying::GoesOn {
            (carrying, failure) = self.send(position).await;
        }
        if carrying == Carrying::TakenOver {
            return Err(SendingError::TakenOver);
        }
        let all = position.rows == self.manifest.rows;
        if failure.is_none() && (all || carrying == Carrying::Cancelled) {
            let ended = self.report(*position, Some(Timestamp::now())).await?;
            if ended == Carrying::TakenOver {
                return Err(SendingError::TakenOver);
            }
            self.importer.mark_done(self.import_id, *position).await;
            return if all {
                Ok(())
            } else {
                Err(SendingError::Cancelled)
            };
        }
        // What is in the queue counts, whatever ended the sending.
        if stop.is_cancelled() {
            // Once: what it does not tell is sent again, and changes nothing.
            self.tell(*position).await;
        } else {
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

    /// Gives what the ledger said meanwhile, and what went wrong.
    async fn send(&self, position: &mut Position) -> (Carrying, Option<SendingError>) {
        let (reached, kept) = watch::channel(*position);
        let (failure, carrying) = tokio::join!(
            self.send_batches(*position, reached),
            self.keep(kept.clone())
        );
        *position = *kept.borrow();
        match failure {
            Some(SendingError::Interrupted) if carrying != Carrying::GoesOn => (carrying, None),
            failure => (carrying, failure),
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

    /// Tells the ledger each second how far the import is sent, until `reached`
    /// is closed. Where the import is cancelled or another replica has it, the
    /// sending ends. Gives what the ledger said last.
    async fn keep(&self, reached: watch::Receiver<Position>) -> Carrying {
        let mut checkpoints =
            interval_at(Instant::now() + CHECKPOINT_INTERVAL, CHECKPOINT_INTERVAL);
        checkpoints.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut closed = pin!(closed(reached.clone()));
        let carrying = loop {
            tokio::select! {
                biased;
                () = &mut closed => return Carrying::GoesOn,
                () = self.held.lost.cancelled() => break Carrying::TakenOver,
                _ = checkpoints.tick() => {}
            }
            let position = *reached.borrow();
            let carrying = tokio::select! {
                biased;
                () = &mut closed => return Carrying::GoesOn,
                carrying = self.tell(position) => carrying,
            };
            if carrying != Carrying::GoesOn {
                break carrying;
            }
        };
        self.halt.cancel();
        self.quit.cancel();
        closed.await;
        carrying
    }

    /// Tells the ledger how far the import is, and asks whether to go on. A
    /// ledger that is away holds nothing up.
    async fn tell(&self, position: Position) -> Carrying {
        let sent = Checkpoint::from(position);
        let answer = self
            .importer
            .ledger
            .record_sent(&self.held.lease, sent, None);
        answer.await.unwrap_or_else(|error| {
            warn!(import_id = %self.import_id, %error, "Progress was not recorded");
            Carrying::GoesOn
        })
    }

    async fn report(
        &self,
        position: Position,
        sent_at: Option<Timestamp>,
    ) -> Result<Carrying, SendingError> {
        let Importer { ledger, stop, .. } = &*self.importer;
        let sent = Checkpoint::from(position);
        let recorded = ride_out(ledger.outage(), stop, || {
            ledger.record_sent(&self.held.lease, sent, sent_at)
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
            Self::Broken(format!("the file is no longer in the spool: {error}"))
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
