//! Tells again what a queue lost, from the file and the ledger.

use std::io;
use std::sync::Arc;

use common::contract::read_record;
use common::ledger::{DebtLedger, ImportLedger, ImportStatus, LedgerError, RowFacts, RowLedger};
use common::messaging::{BatchSender, Outgoing};
use common::outage::{GaveUp, ride_out};
use futures::{TryStreamExt, stream};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use super::{Batch, BatchSize, Batches, Importer};
use crate::blocking::blocking;

/// Rows whose facts are asked for in one call.
const ROWS_A_CALL: u64 = 16_384;

/// Rows of an import that were sent again, by what they lacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Rows without an outcome.
    pub without_outcome: u64,
    /// Billed rows whose notification SNS never accepted.
    pub not_notified: u64,
    /// Notified rows whose e-mail was not sent.
    pub not_mailed: u64,
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
        }
    }
}

/// Finds the rows of an import that are not at their end.
struct Unsettled<L> {
    ledger: L,
    status: ImportStatus,
    stop: CancellationToken,
    /// What is known of the rows from `first` on.
    first: u64,
    facts: Vec<RowFacts>,
}

impl<L: RowLedger + DebtLedger> Unsettled<L> {
    /// The rows of a batch, each in a message of its own, that are to be sent
    /// again. Where the queue behind
    /// the topic lost a notification, its mark is taken back.
    async fn select(&mut self, mut batch: Batch) -> Result<(Batch, Reconciled), ReconcileError> {
        let mut found = Reconciled::default();
        let mut unmailed = Vec::new();
        for message in std::mem::take(&mut batch.messages) {
            let facts = match message.row {
                Some(row) if row.row <= self.status.sent => self.facts(row.row).await?,
                _ => continue,
            };
            if facts.is_settled() {
                continue;
            }
            if !facts.has_ended() {
                found.without_outcome += 1;
            } else if facts.notified {
                found.not_mailed += 1;
                unmailed.extend(read_record(&message.body).ok());
            } else {
                found.not_notified += 1;
            }
            batch.messages.push(message);
        }
        batch.bytes = batch.messages.iter().map(Outgoing::size).sum();
        let mut invalid = Vec::new();
        for (row, reason) in std::mem::take(&mut batch.invalid) {
            if row.row <= self.status.sent && !self.facts(row.row).await?.has_ended() {
                found.without_outcome += 1;
                invalid.push((row, reason));
            }
        }
        batch.invalid = invalid;
        let debt_ids: Vec<&str> = unmailed.iter().map(|record| &*record.debt_id).collect();
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.forget_notified(&debt_ids)
        })
        .await?;
        Ok((batch, found))
    }

    async fn facts(&mut self, row: u64) -> Result<RowFacts, ReconcileError> {
        let known = self.first..self.first + self.facts.len() as u64;
        if !known.contains(&row) {
            let (import_id, first) = (self.status.import.import_id, row);
            self.facts = ride_out(self.ledger.outage(), &self.stop, || {
                self.ledger.row_facts(import_id, first, ROWS_A_CALL)
            })
            .await?;
            self.first = first;
        }
        let index = usize::try_from(row - self.first).unwrap_or(usize::MAX);
        Ok(self.facts.get(index).cloned().unwrap_or_default())
    }
}

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + RowLedger + DebtLedger + Clone + 'static,
{
    /// Sends every row of an import again that is not at its end: one without
    /// an outcome, and one whose bill was not notified or not mailed. The
    /// workers find what was done before, so nothing is done twice, whether
    /// the rows were lost or are only late.
    pub async fn reconcile(self: Arc<Self>, import_id: Uuid) -> Result<Reconciled, ReconcileError> {
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
        let unsettled = Unsettled {
            ledger: self.ledger.clone(),
            status,
            stop: self.stop.clone(),
            first: 0,
            facts: Vec::new(),
        };
        let selected = stream::try_unfold(
            (batches, unsettled),
            |(mut batches, mut unsettled)| async move {
                let Some((batch, _)) = batches.next().await? else {
                    return Ok(None);
                };
                let selected = unsettled.select(batch).await?;
                Ok::<_, ReconcileError>(Some((selected, (batches, unsettled))))
            },
        );
        let importer = Arc::clone(&self);
        let send = move |(batch, found): (Batch, Reconciled)| {
            let importer = Arc::clone(&importer);
            async move {
                if found != Reconciled::default() {
                    let room = importer.sender.room_for(batch.bytes).await;
                    importer.sender.send(batch, room, &importer.stop).await?;
                }
                Ok(found)
            }
        };
        let reconciled = selected
            .map_ok(send)
            .try_buffer_unordered(self.limits.batches)
            .try_fold(Reconciled::default(), |sum, found| async move {
                Ok(sum.add(found))
            })
            .await?;
        info!(%import_id, ?reconciled, "Import reconciled");
        Ok(reconciled)
    }
}
