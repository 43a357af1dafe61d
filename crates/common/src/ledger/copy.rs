//! One ledger's knowledge, told to another through the calls that services
//! use: each can be repeated, so a copy that was stopped is started again.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use contract::RowId;
use jiff::Timestamp;
use thiserror::Error;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::export::{ExportLedger, Exported, ExportedClaim, ExportedDebt};
use super::rows::OTHER_REASON;
use super::{
    Bill, Channel, Claim, EndedRow, EndedSend, ImportLedger, ImportStatus, LedgerError, PutOffRow,
    Revision, RowFacts, RowLedger, SharedLedger, Told, Unbilled,
};

/// Rows that are asked for, and told, in one call.
const ROWS_A_CALL: u64 = 10_000;
/// Imports whose ids are asked for in one call.
const IMPORTS_A_CALL: u64 = 1_000;
/// How often it is looked whether messages are still on their way, and how
/// long at most: a sender may wait ten minutes for a mail server's answer.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_SEND: Duration = Duration::from_mins(12);

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Imports.
    pub imports: u64,
    /// Their rows.
    pub rows: u64,
    /// Debts.
    pub debts: u64,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            imports,
            rows,
            debts,
        } = self;
        write!(f, "{imports} imports of {rows} rows, {debts} debts")
    }
}

/// Why a copy is not complete.
#[derive(Debug, Error)]
pub enum CopyError {
    /// One of the ledgers did not answer, or refused.
    #[error("{0}; {again}", again = AGAIN)]
    Ledger(#[from] LedgerError),
    /// One of them did so before anything was done.
    #[error("{0}; nothing was done")]
    NotBegun(LedgerError),
    /// The other ledger has imports of its own. Nothing was done.
    #[error(
        "the other ledger has the import {0}, which the source does not have: name an empty ledger, or an earlier copy of this source; nothing was done"
    )]
    InUse(Uuid),
    /// Services still send.
    #[error("e-mails are still being sent: stop the services first; {again}", again = AGAIN)]
    Sending,
    /// A debt that the other ledger cannot hold.
    #[error(
        "a debt was billed by a program whose value cannot be read (processed:{0}), and cannot be copied: remove the key, or stay on this ledger; {again}",
        again = AGAIN
    )]
    Foreign(String),
    /// The other ledger knows something else.
    #[error("the copy differs from its source: {0}; was the other ledger in use before? {again}", again = AGAIN)]
    Differs(String),
}

/// What there is to do where a copy has not come to its end.
const AGAIN: &str = "the source is closed: start the copy again, nothing is done twice, or give it up by `operator ledger open`";

/// Copies all that a ledger knows, which is closed from now on: after this no
/// service bills on it. `told` hears how far the copy is.
///
/// # Errors
/// When the other ledger has imports of its own, before anything is done. When
/// a ledger fails, when services do not come to an end, and when the two differ
/// in the end; then the source stays closed.
pub async fn copy_ledger(
    from: &impl ExportLedger,
    to: &SharedLedger,
    mut told: impl FnMut(&Copied),
) -> Result<Copied, CopyError> {
    check_target(from, to).await?;
    from.close().await?;
    wait_for_sends(from).await?;
    let mut copied = Copied::default();
    let imports = imports_of(from).await?;
    for import in &imports {
        to.register_import(&import.import).await?;
        copy_rows(from, to, import).await?;
        copied.imports += 1;
        copied.rows += import.import.rows;
        told(&copied);
    }
    let mut next = Some(0);
    while let Some(place) = next {
        let part = from.export(place).await?;
        next = part.next;
        copied.debts += part.debts.len() as u64;
        tell(to, part).await?;
        told(&copied);
    }
    for import in &imports {
        to.adopt_import(import).await?;
        compare(from, to, import).await?;
    }
    // Last, as an import that is registered while it is noted what webhooks are
    // told of would be told of again.
    to.adopt_outbox(&from.outbox().await?).await?;
    Ok(copied)
}

/// A ledger that services bill on has numbers of its own, and would give those
/// of the source out again.
async fn check_target(from: &impl ImportLedger, to: &SharedLedger) -> Result<(), CopyError> {
    let own = import_ids(from).await.map_err(CopyError::NotBegun)?;
    let own: HashSet<Uuid> = own.into_iter().collect();
    let theirs = import_ids(to).await.map_err(CopyError::NotBegun)?;
    match theirs.into_iter().find(|id| !own.contains(id)) {
        Some(id) => Err(CopyError::InUse(id)),
        None => Ok(()),
    }
}

async fn wait_for_sends(from: &impl ExportLedger) -> Result<(), CopyError> {
    let deadline = Instant::now() + LONGEST_SEND;
    while from.has_sends_in_hand().await? {
        if Instant::now() > deadline {
            return Err(CopyError::Sending);
        }
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// All imports, newest first.
async fn imports_of(from: &impl ImportLedger) -> Result<Vec<ImportStatus>, LedgerError> {
    let mut imports = Vec::new();
    for id in import_ids(from).await? {
        imports.extend(from.import_status(id).await?);
    }
    Ok(imports)
}

/// Their ids.
async fn import_ids(ledger: &impl ImportLedger) -> Result<Vec<Uuid>, LedgerError> {
    let mut ids = Vec::new();
    loop {
        let before = ids.last().copied();
        let older = ledger.recent_imports(before, IMPORTS_A_CALL).await?;
        if older.is_empty() {
            return Ok(ids);
        }
        ids.extend(older);
    }
}

/// The first row of each part of an import, and how many there are.
fn parts(rows: u64) -> impl Iterator<Item = (u64, u64)> {
    let step = usize::try_from(ROWS_A_CALL).unwrap_or(usize::MAX);
    let firsts = (1..=rows).step_by(step);
    firsts.map(move |first| (first, ROWS_A_CALL.min(rows + 1 - first)))
}

/// The rows that bill nothing, and those that wait for a mail server. What
/// else is known of a row follows from its debt.
async fn copy_rows(
    from: &impl ExportLedger,
    to: &SharedLedger,
    import: &ImportStatus,
) -> Result<(), LedgerError> {
    let import_id = import.import.import_id;
    let now = Timestamp::now();
    for (first, count) in parts(import.import.rows) {
        let facts = from.row_facts(import_id, first, count).await?;
        let ended = |facts: &RowFacts| EndedRow {
            row: row(import_id, facts),
            reason: facts.reason.as_deref().cloned(),
        };
        let skipped = facts.iter().filter(|row| row.skipped).map(ended);
        let skipped: Vec<EndedRow> = skipped.collect();
        to.end_rows(Unbilled::Skipped, &skipped).await?;
        let invalid = facts.iter().filter(|row| row.invalid).map(ended);
        let invalid: Vec<EndedRow> = invalid.collect();
        to.end_rows(Unbilled::Invalid, &invalid).await?;
        let waiting = facts.iter().filter(|row| row.is_awaited(now));
        let waiting = waiting.filter_map(|row_facts| {
            let why = row_facts.put_off_why.as_deref();
            Some(PutOffRow {
                row: row(import_id, row_facts),
                until: row_facts.put_off_until?,
                why: why.cloned().unwrap_or(OTHER_REASON),
            })
        });
        to.record_put_off(&waiting.collect::<Vec<_>>()).await?;
    }
    Ok(())
}

fn row(import_id: Uuid, facts: &RowFacts) -> RowId {
    RowId {
        import_id,
        row: facts.row,
    }
}

/// Tells the other ledger a part.
async fn tell(to: &SharedLedger, part: Exported) -> Result<(), CopyError> {
    for agreement in &part.agreements {
        to.keep_agreement(agreement).await?;
    }
    for (sequence, last) in &part.sequences {
        // The next one that would be given out.
        let next = to.reserve_numbers(sequence, 0).await?.start;
        if next > last + 1 {
            let what = format!("it has given out numbers of its own ({sequence})");
            return Err(CopyError::Differs(what));
        }
        to.reserve_numbers(sequence, last + 1 - next).await?;
    }
    for key in &part.keys {
        to.claim_key(&key.key, &key.upload, key.left).await?;
    }
    tell_debts(to, &part.debts).await
}

async fn tell_debts(to: &SharedLedger, debts: &[ExportedDebt]) -> Result<(), CopyError> {
    let (mut bills, mut claims) = (Vec::with_capacity(debts.len()), Vec::new());
    let mut told = Vec::with_capacity(debts.len());
    // Of the e-mails of a row, the first comes first.
    let mut ends: BTreeMap<Channel, Vec<EndedSend<'_>>> = BTreeMap::new();
    for debt in debts {
        let claim = match &debt.claim {
            ExportedClaim::Billed(claim) => Some(claim),
            ExportedClaim::Unbilled => None,
            ExportedClaim::Foreign => return Err(CopyError::Foreign(debt.debt_id.clone())),
        };
        let row = claim.and_then(|claim: &Claim| claim.holder.row());
        if let Some(claim) = claim {
            bills.push(Bill {
                debt_id: debt.debt_id.clone(),
                claim: Claim::new(claim.holder.clone(), claim.notification.clone()),
            });
            claims.push(claim);
        }
        if debt.notified {
            told.push(Told {
                debt_id: &debt.debt_id,
                row,
                revision: claim.map_or(0, Claim::revision),
            });
        }
        for send in &debt.sends {
            if let Some(end) = send.end.clone() {
                let debt_id = &debt.debt_id;
                let ends = ends.entry(send.channel).or_default();
                ends.push(EndedSend { debt_id, row, end });
            }
            for attempt in &send.unknown {
                to.note_unknown_sends(send.channel, &[&debt.debt_id], *attempt)
                    .await?;
            }
        }
    }
    let standing = to.bill(&bills).await?;
    let mut revisions = Vec::new();
    for ((bill, claim), standing) in bills.iter().zip(&claims).zip(standing) {
        let standing = standing.claim.as_ref();
        if standing == Some(*claim) {
            continue;
        }
        if standing != Some(&bill.claim) {
            let what = format!("the debt {} has another claim there", bill.debt_id);
            return Err(CopyError::Differs(what));
        }
        revisions.push(Revision {
            debt_id: &bill.debt_id,
            from: &bill.claim,
            to: claim,
        });
    }
    to.revise(&revisions).await?;
    to.tell(&told).await?;
    for (channel, ends) in ends {
        to.end_sends(channel, &ends).await?;
    }
    Ok(())
}

/// Holds every row of an import against its source.
async fn compare(
    from: &impl RowLedger,
    to: &SharedLedger,
    import: &ImportStatus,
) -> Result<(), CopyError> {
    let import_id = import.import.import_id;
    for (first, count) in parts(import.import.rows) {
        let there = from.row_facts(import_id, first, count).await?;
        let here = to.row_facts(import_id, first, count).await?;
        let mut rows = there.iter().zip(&here);
        let differs = rows.find(|(there, here)| !is_kept(there, here));
        if let Some((there, _)) = differs {
            let what = format!("row {} of import {import_id}", there.row);
            return Err(CopyError::Differs(what));
        }
    }
    Ok(())
}

/// Whether a copy knows of a row what its source does. It may know more: the
/// claim of a debt and the end of an e-mail are enough to finish a row that a
/// worker was killed over, and the copy has done so.
fn is_kept(there: &RowFacts, here: &RowFacts) -> bool {
    let outcome = |row: &RowFacts| (row.billed, row.skipped, row.invalid);
    let is_finished = outcome(there) == (false, false, false) && !here.skipped && !here.invalid;
    (outcome(there) == outcome(here) || is_finished)
        && (!there.mailed || here.mailed)
        && (!there.undeliverable || here.undeliverable)
        && (there.reason.is_none() || there.reason == here.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(tell: impl FnOnce(&mut RowFacts)) -> RowFacts {
        let mut facts = RowFacts {
            row: 1,
            ..RowFacts::default()
        };
        tell(&mut facts);
        facts
    }

    #[test]
    fn a_copy_may_finish_a_row_and_never_forgets_or_changes_one() {
        let none = facts(|_| ());
        let billed = facts(|row| row.billed = true);
        let skipped = facts(|row| row.skipped = true);
        let mailed = facts(|row| (row.billed, row.mailed) = (true, true));
        for (there, here) in [
            (&none, &none),
            (&none, &billed),
            (&none, &mailed),
            (&billed, &mailed),
            (&skipped, &skipped),
        ] {
            assert!(is_kept(there, here), "{there:?} {here:?}");
        }
        for (there, here) in [
            (&billed, &none),
            (&billed, &skipped),
            (&skipped, &billed),
            (&none, &skipped),
            (&mailed, &billed),
        ] {
            assert!(!is_kept(there, here), "{there:?} {here:?}");
        }
    }
}
