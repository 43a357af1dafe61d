//! What became of every row of an import, in the order of its file.

use std::future::ready;
use std::ops::RangeInclusive;

use common::ledger::{
    DebtLedger, DebtState, ImportState, ImportStatus, LedgerError, Outcome, RowFacts, RowLedger,
};
use contract::{RowId, debt_id_of};
use futures::{TryStreamExt, pin_mut};
use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::import::{Batch, BatchSize, Batches};
use crate::read_error::ReadError;
use crate::spool::{FileReader, Manifest};

/// Rows that are looked up in one call. Each has a kilobyte of them in memory.
const ROWS_A_CALL: usize = 1_024;
/// Calls that are made ahead of who takes the rows.
const CALLS_AHEAD: usize = 2;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// It has an outcome.
    Ended(Outcome),
    /// It will have one.
    Pending,
    /// Its import was stopped before it was sent.
    NotSent,
}

impl RowOutcome {
    /// Name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended(outcome) => outcome.name(),
            Self::Pending => "pending",
            Self::NotSent => "not_sent",
        }
    }

    fn of(facts: &RowFacts, is_sent: bool) -> Self {
        if facts.billed {
            Self::Ended(Outcome::Billed)
        } else if facts.skipped {
            Self::Ended(Outcome::Skipped)
        } else if facts.invalid {
            Self::Ended(Outcome::Invalid)
        } else if is_sent {
            Self::Pending
        } else {
            Self::NotSent
        }
    }
}

/// Which rows of an import.
#[derive(Clone, Debug)]
pub struct WantedRows {
    /// Those with that outcome, or all of them.
    pub outcome: Option<RowOutcome>,
    /// Those with these numbers.
    pub numbers: RangeInclusive<u64>,
}

impl WantedRows {
    fn takes(&self, result: &RowResult) -> bool {
        self.numbers.contains(&result.facts.row)
            && self.outcome.is_none_or(|wanted| result.outcome == wanted)
    }
}

/// What is known of a row.
#[derive(Clone, Debug)]
pub struct RowResult {
    /// What became of it.
    pub outcome: RowOutcome,
    /// What identifies its debt, where the record can be read so far.
    pub debt_id: Option<String>,
    /// What the ledger knows of it.
    pub facts: RowFacts,
    /// The notification of the bill that the row made; `None` where it made none, or a counterpart
    /// wrote what we cannot read.
    pub notification: Option<String>,
}

/// Hands what became of those rows of an import to `taken`, some at a time, until it is closed. Its
/// file is open where its first row starts.
///
/// # Errors
/// The first call that failed; what was handed over before is right.
pub async fn read_results<L: RowLedger + DebtLedger>(
    ledger: &L,
    file: FileReader,
    manifest: Manifest,
    status: &ImportStatus,
    wanted: WantedRows,
    taken: &mpsc::Sender<Vec<RowResult>>,
) -> Result<(), ReadError> {
    let start = manifest.start();
    let size = BatchSize {
        messages: ROWS_A_CALL,
        rows_per_message: 1,
    };
    let batches = Batches::of(file, manifest, start, size);
    let results = batches
        .stream()
        .try_filter(|(_, behind)| ready(behind.rows >= *wanted.numbers.start()))
        .map_err(ReadError::from)
        .map_ok(|(batch, _)| look_up(ledger, status, batch))
        .try_buffered(CALLS_AHEAD);
    pin_mut!(results);
    while let Some(mut rows) = results.try_next().await? {
        let is_last = rows
            .last()
            .is_some_and(|row| row.facts.row >= *wanted.numbers.end());
        rows.retain(|row| wanted.takes(row));
        if !rows.is_empty() && taken.send(rows).await.is_err() || is_last {
            break;
        }
    }
    Ok(())
}

/// What the ledger knows of consecutive rows.
async fn look_up<L: RowLedger + DebtLedger>(
    ledger: &L,
    status: &ImportStatus,
    batch: Batch,
) -> Result<Vec<RowResult>, ReadError> {
    let import_id = status.import.import_id;
    let debt_ids = debt_ids_of(batch);
    let Some((first, _)) = debt_ids.first() else {
        return Ok(Vec::new());
    };
    let facts = ledger
        .row_facts(import_id, *first, debt_ids.len() as u64)
        .await?;
    let is_stopped = matches!(
        status.state(Timestamp::now()),
        ImportState::Cancelled | ImportState::Abandoned | ImportState::Failed
    );
    let results = debt_ids.into_iter().zip(facts);
    let mut results: Vec<RowResult> = results
        .map(|((row, debt_id), facts)| RowResult {
            outcome: RowOutcome::of(&facts, row <= status.sent || !is_stopped),
            debt_id,
            facts,
            notification: None,
        })
        .collect();
    add_notifications(ledger, import_id, &mut results).await?;
    Ok(results)
}

/// The number of each row and what identifies its debt, in their order.
fn debt_ids_of(batch: Batch) -> Vec<(u64, Option<String>)> {
    let sent = batch.messages.into_iter();
    let sent = sent.filter_map(|message| Some((message.row?.row, debt_id_of(&message.body))));
    let unsent = batch.invalid.into_iter().map(|(id, _)| (id.row, None));
    let mut rows: Vec<_> = sent.chain(unsent).collect();
    rows.sort_unstable_by_key(|(row, _)| *row);
    rows
}

async fn add_notifications<L: DebtLedger>(
    ledger: &L,
    import_id: Uuid,
    results: &mut [RowResult],
) -> Result<(), LedgerError> {
    let (mut billed, debt_ids): (Vec<&mut RowResult>, Vec<String>) = results
        .iter_mut()
        .filter(|result| result.facts.billed)
        .filter_map(|result| {
            let debt_id = result.debt_id.clone()?;
            Some((result, debt_id))
        })
        .unzip();
    let debt_ids: Vec<&str> = debt_ids.iter().map(String::as_str).collect();
    if debt_ids.is_empty() {
        return Ok(());
    }
    let states = ledger.debts(&debt_ids).await?;
    for (result, state) in billed.iter_mut().zip(states) {
        let row = RowId {
            import_id,
            row: result.facts.row,
        };
        if let DebtState::Billed {
            claim: Some(claim), ..
        } = state
            && claim.holder.row() == Some(row)
        {
            result.notification = Some(claim.notification);
        }
    }
    Ok(())
}
