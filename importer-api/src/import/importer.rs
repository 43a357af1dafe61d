use std::sync::Arc;

use common::ledger::RowLedger;
use common::messaging::BatchSender;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::error;
use uuid::Uuid;

use super::leases::Leases;
use super::{Arrivals, BatchSize, Dispatcher};
use crate::ImporterMetrics;
use crate::csv::Position;
use crate::spool::Spool;

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
    pub(super) arrivals: Arrivals,
    pub(super) ledger: L,
    pub(super) dispatcher: Dispatcher<S, L>,
    pub(super) metrics: ImporterMetrics,
    pub(super) limits: SendingLimits,
    pub(super) stop: CancellationToken,
    /// One for each import that is sent.
    pub(super) slots: Arc<Semaphore>,
    pub(super) leases: Leases,
}

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: RowLedger + Clone + 'static,
{
    /// An importer of the imports of that spool.
    pub fn new(
        (spool, arrivals): (Spool, Arrivals),
        ledger: L,
        queue: S,
        metrics: ImporterMetrics,
        limits: SendingLimits,
        stop: CancellationToken,
    ) -> Self {
        let dispatcher = Dispatcher::new(queue, ledger.clone(), metrics.clone(), limits.batches);
        Self {
            spool,
            arrivals,
            ledger,
            dispatcher,
            metrics,
            limits,
            stop,
            slots: Arc::new(Semaphore::new(limits.open_imports)),
            leases: Leases::default(),
        }
    }

    /// Notes in the spool that nothing more is to be sent of an import.
    pub(super) async fn mark_done(&self, import_id: Uuid, position: Position) {
        if let Err(error) = self.spool.mark_done(import_id, position).await {
            // The ledger knows, and this is noted at the next start.
            error!(%import_id, %error, "SPOOL_DIR cannot be written");
        }
    }
}
