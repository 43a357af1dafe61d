use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// A verdict as the JSON has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Findings {
    /// Rows that the ledger knows.
    pub(super) rows: u64,
    /// Rows that billed their debt.
    pub(super) billed: u64,
    /// Rows whose debt another row billed.
    pub(super) skipped: u64,
    /// Rows that could not be billed.
    pub(super) invalid: u64,
    /// Billed rows whose e-mail was sent.
    pub(super) mailed: u64,
    /// Rows of the file without an outcome, and debts of it without an e-mail.
    pub(super) lost: u64,
    /// Bills beyond one for each debt of the file.
    pub(super) billed_twice: u64,
    /// E-mails beyond one for each debt.
    pub(super) mailed_twice: u64,
    /// Debts of the file without a valid boleto, or with the number of another one.
    pub(super) boletos_off: u64,
    /// Messages left in the work queues.
    pub(super) left: u64,
    /// Dead letters.
    pub(super) dead: u64,
    /// All that is not as it must be, in words.
    pub(super) problems: Vec<String>,
}

impl From<&Verdict> for Findings {
    fn from(verdict: &Verdict) -> Self {
        let counts = &verdict.counts;
        Self {
            rows: counts.rows,
            billed: counts.billed,
            skipped: counts.skipped,
            invalid: counts.invalid,
            mailed: counts.mailed,
            lost: verdict.lost(),
            billed_twice: verdict.billed_twice(),
            mailed_twice: verdict.mailed_twice(),
            boletos_off: verdict.boletos_off(),
            left: verdict.backlog.left,
            dead: verdict.backlog.dead,
            problems: verdict.problems(),
        }
    }
}
