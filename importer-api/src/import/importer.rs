use std::io;
use std::sync::Arc;

use common::ledger::{ImportLedger, RowLedger};
use common::messaging::BatchSender;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{BatchSize, Dispatcher, Waiting};
use crate::ImporterMetrics;
use crate::blocking::blocking;
use crate::csv::Position;
use crate::spool::{Checkpoint, Spool};

/// How much is sent at a time.
#[derive(Clone, Copy, Debug)]
pub struct SendingLimits {
    /// Imports that are sent at a time; the others wait for their turn.
    pub open_imports: usize,
    /// Batches in flight, all imports together.
    pub batches: usize,
    /// How rows are put into messages, and messages into batches.
    pub batch_size: BatchSize,
}

/// Sends imports, several at a time.
#[derive(Debug)]
pub struct Importer<S, L> {
    pub(super) spool: Spool,
    pub(super) ledger: L,
    pub(super) dispatcher: Dispatcher<S, L>,
    pub(super) metrics: ImporterMetrics,
    pub(super) limits: SendingLimits,
    pub(super) stop: CancellationToken,
    pub(super) waiting: Waiting,
    /// One for each import that is sent.
    pub(super) slots: Arc<Semaphore>,
}

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + RowLedger + Clone + 'static,
{
    /// An importer of the imports that wait in `waiting`.
    pub fn new(
        (spool, waiting): (Spool, Waiting),
        ledger: L,
        queue: S,
        metrics: ImporterMetrics,
        limits: SendingLimits,
        stop: CancellationToken,
    ) -> Self {
        let dispatcher = Dispatcher::new(queue, ledger.clone(), metrics.clone(), limits.batches);
        Self {
            spool,
            ledger,
            dispatcher,
            metrics,
            limits,
            stop,
            waiting,
            slots: Arc::new(Semaphore::new(limits.open_imports)),
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
}
