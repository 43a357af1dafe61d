//! Tells again what a queue lost, and what was undeliverable, from the file and
//! the ledger.

use std::sync::Arc;

use common::ledger::{ChannelLedger, DebtLedger, ImportLedger, RowLedger};
use common::messaging::BatchSender;
use common::runtime::ride_out;
use futures::{TryStreamExt, stream};
use jiff::Timestamp;
use tracing::info;
use uuid::Uuid;

use super::selection::{Selection, Wanted};
use super::{Batch, BatchSize, Batches, Importer, ReconcileError, Reconciled};

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + RowLedger + DebtLedger + ChannelLedger + Clone + 'static,
{
    /// Sends every row of an import again that is not at its end: one without
    /// an outcome, and one whose bill was not notified or not mailed. The
    /// workers find what was done before, so nothing is done twice, whether
    /// the rows were lost or are only late. An e-mail that a mail server put
    /// off comes again by itself.
    pub async fn reconcile(self: Arc<Self>, import_id: Uuid) -> Result<Reconciled, ReconcileError> {
        let reconciled = self.tell_again(import_id, Wanted::Unsettled).await?;
        info!(%import_id, ?reconciled, "Import reconciled");
        Ok(reconciled)
    }

    /// Takes the undeliverable e-mails of an import up again, all of them or
    /// those with that reason code: that they have ended is taken back, and
    /// their rows are sent again. Gives how many. What a crash leaves without
    /// an end and unsent is sent when the import is reconciled.
    pub async fn reopen(
        self: Arc<Self>,
        import_id: Uuid,
        code: Option<String>,
    ) -> Result<u64, ReconcileError> {
        let wanted = Wanted::Undeliverable { code: code.clone() };
        let Reconciled { reopened, .. } = Arc::clone(&self).tell_again(import_id, wanted).await?;
        // Somebody may have seen the import at its end at the same time.
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.observe_import(import_id, Timestamp::now())
        })
        .await?;
        info!(%import_id, code, reopened, "Undeliverable e-mails are taken up again");
        Ok(reopened)
    }

    /// Sends those rows of an import again.
    async fn tell_again(
        self: Arc<Self>,
        import_id: Uuid,
        wanted: Wanted,
    ) -> Result<Reconciled, ReconcileError> {
        let status = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.import_status(import_id)
        })
        .await?;
        let status = status.ok_or(ReconcileError::Unknown)?;
        if status.erasure.is_some() {
            return Err(ReconcileError::Erased);
        }
        if status.sent_at.is_none() {
            return Err(ReconcileError::StillSending);
        }
        let manifest = self.spool.manifest_of(import_id).await?;
        let manifest = manifest.ok_or(ReconcileError::NoFile)?;
        let start = manifest.start();
        // What is left of a file is seldom consecutive.
        let size = BatchSize {
            rows_per_message: 1,
            ..self.limits.batch_size
        };
        let batches = Batches::read(self.spool.clone(), manifest, start, size);
        let selection = Selection::new(self.ledger.clone(), status, wanted, self.stop.clone());
        let selected = stream::try_unfold(
            (batches, selection),
            |(mut batches, mut selection)| async move {
                let Some((batch, _)) = batches.next().await? else {
                    return Ok(None);
                };
                let selected = selection.select(batch).await?;
                Ok::<_, ReconcileError>(Some((selected, (batches, selection))))
            },
        );
        let importer = Arc::clone(&self);
        let send = move |(batch, found): (Batch, Reconciled)| {
            let importer = Arc::clone(&importer);
            async move {
                if !(batch.messages.is_empty() && batch.invalid.is_empty()) {
                    let room = importer.dispatcher.room_for(batch.bytes).await;
                    importer
                        .dispatcher
                        .send(batch, room, &importer.stop)
                        .await?;
                }
                Ok(found)
            }
        };
        selected
            .map_ok(send)
            .try_buffer_unordered(self.limits.batches)
            .try_fold(Reconciled::default(), |sum, found| async move {
                Ok(sum.add(found))
            })
            .await
    }
}
