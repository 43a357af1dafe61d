//! Why rows of an import were not billed, or have no e-mail, or not yet, and
//! how many.

use common::ledger::{LedgerError, RowFacts, RowLedger};
use uuid::Uuid;

/// Rows that are looked at in one call.
const ROWS_A_CALL: u64 = 16_384;

/// What a reason is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonOf {
    /// The row could not be billed.
    Invalid,
    /// Another row billed the debt, with other values.
    Skipped,
    /// The e-mail of its bill can never be delivered.
    Undeliverable,
    /// A mail server put the e-mail of its bill off; it is tried again.
    PutOff,
}

/// The rows of an import with a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonCount {
    /// What it is of.
    pub of: ReasonOf,
    /// Stable name of the reason.
    pub code: String,
    /// The reason of the first of them in plain words; those of the others may
    /// name another column or answer.
    pub text: String,
    /// Number of the first of them.
    pub first_row: u64,
    /// How many they are.
    pub rows: u64,
}

/// Counts the rows of an import with so many rows by their reasons, the most
/// frequent first.
///
/// # Errors
/// The first call that failed.
pub async fn count_reasons<L: RowLedger>(
    ledger: &L,
    import_id: Uuid,
    rows: u64,
) -> Result<Vec<ReasonCount>, LedgerError> {
    let mut counts = Vec::new();
    let mut first = 1;
    while first <= rows {
        let count = ROWS_A_CALL.min(rows + 1 - first);
        for facts in ledger.row_facts(import_id, first, count).await? {
            add(&mut counts, &facts);
        }
        first += count;
    }
    counts.sort_by_key(|count| (u64::MAX - count.rows, count.first_row));
    Ok(counts)
}

/// There are few reasons, of which an import keeps 254 at most.
fn add(counts: &mut Vec<ReasonCount>, facts: &RowFacts) {
    let Some(reason) = facts.reason.as_ref().or(facts.put_off_why.as_ref()) else {
        return;
    };
    let of = if facts.put_off_until.is_some() {
        ReasonOf::PutOff
    } else if facts.undeliverable {
        ReasonOf::Undeliverable
    } else if facts.skipped {
        ReasonOf::Skipped
    } else {
        ReasonOf::Invalid
    };
    let known = counts
        .iter_mut()
        .find(|count| count.of == of && count.code == reason.code);
    match known {
        Some(known) => known.rows += 1,
        None => counts.push(ReasonCount {
            of,
            code: reason.code.to_string(),
            text: reason.text.to_string(),
            first_row: facts.row,
            rows: 1,
        }),
    }
}
