//! Tells again what a queue lost, and what was undeliverable, from the file and
//! the ledger.

use std::io;
use std::sync::Arc;

use common::ledger::{DebtLedger, ImportLedger, LedgerError, RowLedger, UndeliverableLedger};
use common::messaging::BatchSender;
use common::runtime::{GaveUp, ride_out};
use futures::{TryStreamExt, stream};
use jiff::Timestamp;
use thiserror::Error;
use tracing::info;
use uuid::Uuid;

use super::selection::{Selection, Wanted};
use super::{Batch, BatchSize, Batches, Importer};
use crate::blocking::blocking;

/// Rows of an import that were sent again, by what they lacked, and those that
/// were left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Rows without an outcome.
    pub without_outcome: u64,
    /// Billed rows whose notification SNS never accepted.
    pub not_notified: u64,
    /// Notified rows whose e-mail was not sent.
    pub not_mailed: u64,
    /// Rows that are not sent again, as a mail server put their e-mail off and
    /// it is still to be tried again.
    pub put_off: u64,
    /// Rows whose e-mail was undeliverable and is taken up again.
    pub reopened: u64,
}

/// An import was not reconciled, or not to its end. It can be tried again.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// There is no such import.
    #[error("the ledger does not know the import")]
    Unknown,
    /// Its rows are being sent for the first time.
    #[error("the import is still being sent")]
    StillSending,
    /// Its file is not in this process's spool.
    #[error("the file is not in the spool of this process")]
    NoFile,
    /// The spool cannot be read.
    #[error("the spool cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// The ledger refused something, or the process was told to stop.
    #[error(transparent)]
    GaveUp(#[from] GaveUp<LedgerError>),
}

impl Reconciled {
    fn add(self, other: Self) -> Self {
        Self {
            without_outcome: self.without_outcome + other.without_outcome,
            not_notified: self.not_notified + other.not_notified,
            not_mailed: self.not_mailed + other.not_mailed,
            put_off: self.put_off + other.put_off,
            reopened: self.reopened + other.reopened,
        }
    }
}

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + RowLedger + DebtLedger + UndeliverableLedger + Clone + 'static,
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
        if status.sent_at.is_none() {
            return Err(ReconcileError::StillSending);
        }
        let spool = self.spool.clone();
        let manifest = blocking(move || spool.manifest_of(import_id)).await?;
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
                    let room = importer.sender.room_for(batch.bytes).await;
                    importer.sender.send(batch, room, &importer.stop).await?;
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
