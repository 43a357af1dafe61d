//! Which rows of an import are sent again, and what is taken back before.

use std::collections::BTreeMap;

use common::ledger::{
    Channel, ChannelLedger, DebtLedger, DebtState, ImportStatus, LedgerError, RowFacts, RowLedger,
};
use common::messaging::Outgoing;
use common::runtime::{GaveUp, ride_out};
use contract::{RowId, read_record};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Batch, ReconcileError, Reconciled};

/// Rows whose facts are asked for in one call.
const ROWS_A_CALL: u64 = 16_384;

/// The rows that are to be sent again.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// Those that are not at their end.
    Unsettled,
    /// Those whose e-mail is undeliverable.
    Undeliverable {
        /// The code of its reason; any where there is none.
        code: Option<String>,
    },
}

/// Finds the rows of an import that are to be sent again.
pub(super) struct Selection<L> {
    ledger: L,
    status: ImportStatus,
    wanted: Wanted,
    stop: CancellationToken,
    /// What is known of the rows from `first` on.
    first: u64,
    facts: Vec<RowFacts>,
}

impl<L: RowLedger + DebtLedger + ChannelLedger> Selection<L> {
    pub(super) fn new(
        ledger: L,
        status: ImportStatus,
        wanted: Wanted,
        stop: CancellationToken,
    ) -> Self {
        Self {
            ledger,
            status,
            wanted,
            stop,
            first: 0,
            facts: Vec::new(),
        }
    }

    /// The rows of a batch, each in a message of its own, that are to be sent
    /// again, with nothing in the ledger that would keep the workers from it.
    pub(super) async fn select(
        &mut self,
        batch: Batch,
    ) -> Result<(Batch, Reconciled), ReconcileError> {
        let (mut batch, found) = match self.wanted.clone() {
            Wanted::Unsettled => self.unsettled(batch).await?,
            Wanted::Undeliverable { code } => self.undeliverable(batch, code.as_deref()).await?,
        };
        batch.bytes = batch.messages.iter().map(Outgoing::size).sum();
        Ok((batch, found))
    }

    /// Where the queue behind the topic lost a notification, its mark is taken
    /// back.
    async fn unsettled(&mut self, mut batch: Batch) -> Result<(Batch, Reconciled), ReconcileError> {
        let mut found = Reconciled::default();
        let mut unmailed = Vec::new();
        let now = Timestamp::now();
        for message in std::mem::take(&mut batch.messages) {
            let Some(row) = message.row else { continue };
            let facts = self.facts(row.row).await?;
            // Where the sending was stopped, later rows may have got out before
            // earlier ones.
            let was_sent = row.row <= self.status.sent || facts.has_ended();
            if !was_sent || facts.is_settled() {
                continue;
            }
            if facts.is_awaited(now) {
                found.put_off += 1;
                continue;
            }
            if !facts.has_ended() {
                found.without_outcome += 1;
            } else if facts.notified {
                found.not_mailed += 1;
                unmailed.extend(debt_of(&message).map(|debt_id| (row, debt_id)));
            } else {
                found.not_notified += 1;
            }
            batch.messages.push(message);
        }
        let mut invalid = Vec::new();
        for (row, reason) in std::mem::take(&mut batch.invalid) {
            if row.row <= self.status.sent && !self.facts(row.row).await?.has_ended() {
                found.without_outcome += 1;
                invalid.push((row, reason));
            }
        }
        batch.invalid = invalid;
        // Whoever took it back of the row that its e-mail is undeliverable may
        // have died before it was taken back of the e-mail.
        self.open(&unmailed).await?;
        Ok((batch, found))
    }

    /// That the e-mail and the row have ended is taken back, then the mark of
    /// the notification.
    async fn undeliverable(
        &mut self,
        mut batch: Batch,
        code: Option<&str>,
    ) -> Result<(Batch, Reconciled), ReconcileError> {
        batch.invalid.clear();
        let mut debts: Vec<(RowId, String)> = Vec::new();
        for message in std::mem::take(&mut batch.messages) {
            let (Some(row), Some(debt_id)) = (message.row, debt_of(&message)) else {
                continue;
            };
            let facts = self.facts(row.row).await?;
            let why = facts.reason.as_deref().map(|reason| &*reason.code);
            if facts.undeliverable && (code.is_none() || code == why) {
                debts.push((row, debt_id));
                batch.messages.push(message);
            }
        }
        // Whatever it answers, which may be lost: a row that somebody else takes
        // up is sent twice, and done once.
        self.open(&debts).await?;
        let reopened = Reconciled {
            reopened: debts.len() as u64,
            ..Reconciled::default()
        };
        Ok((batch, reopened))
    }

    /// Takes back that the e-mails of rows are undeliverable, then that their
    /// debts are told of.
    async fn open(&self, debts: &[(RowId, String)]) -> Result<(), GaveUp<LedgerError>> {
        if debts.is_empty() {
            return Ok(());
        }
        for (channel, rows) in self.by_channel(debts).await? {
            ride_out(self.ledger.outage(), &self.stop, || {
                self.ledger.reopen_mails(channel, &rows)
            })
            .await?;
        }
        let debt_ids: Vec<&str> = debts.iter().map(|(_, debt_id)| &**debt_id).collect();
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.forget_notified(&debt_ids)
        })
        .await
    }

    /// Rows by where the e-mails of their debts go.
    async fn by_channel<'a>(
        &self,
        debts: &'a [(RowId, String)],
    ) -> Result<BTreeMap<Channel, Vec<(RowId, &'a str)>>, GaveUp<LedgerError>> {
        let debt_ids: Vec<&str> = debts.iter().map(|(_, debt_id)| &**debt_id).collect();
        let states = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.debts(&debt_ids)
        })
        .await?;
        let mut by_channel: BTreeMap<Channel, Vec<_>> = BTreeMap::new();
        for ((row, debt_id), state) in debts.iter().zip(states) {
            let channel = match state {
                DebtState::Billed {
                    claim: Some(claim), ..
                } => claim.mail_channel(),
                _ => Channel::MAIL,
            };
            let rows = by_channel.entry(channel).or_default();
            rows.push((*row, &**debt_id));
        }
        Ok(by_channel)
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

/// The debt of a message with one row.
fn debt_of(message: &Outgoing) -> Option<String> {
    Some(read_record(&message.body).ok()?.debt_id.clone())
}
