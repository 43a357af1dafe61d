use std::future::Future;
use std::ops::Range;

use super::{Claim, LedgerError};
use crate::runtime::Dependency;

/// What the ledger knows of a debt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DebtState {
    /// Nobody billed it.
    Unbilled,
    /// It is billed.
    Billed {
        /// The claim; `None` where a counterpart wrote what we cannot read.
        claim: Option<Claim>,
        /// SNS accepted its notification.
        notified: bool,
    },
}

/// Claims of debts, marks of their notifications, and numbers.
pub trait DebtLedger: Dependency + Send + Sync {
    /// The state of each debt, in their order.
    fn debts(
        &self,
        debt_ids: &[&str],
    ) -> impl Future<Output = Result<Vec<DebtState>, LedgerError>> + Send;

    /// Claims each debt that nobody has billed, and gives the claim that
    /// stands now: the one that was passed, or an earlier one (`None` where it
    /// cannot be read).
    fn claim(
        &self,
        claims: &[(String, Claim)],
    ) -> impl Future<Output = Result<Vec<Option<Claim>>, LedgerError>> + Send;

    /// Whether SNS accepted the notification of each debt, in their order.
    fn notified(
        &self,
        debt_ids: &[&str],
    ) -> impl Future<Output = Result<Vec<bool>, LedgerError>> + Send;

    /// Records that SNS accepted the notification of each debt.
    fn mark_notified(
        &self,
        debt_ids: &[&str],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Takes back that the notification of each debt was accepted, so that it
    /// is published again: the queue behind the topic may have lost it.
    fn forget_notified(
        &self,
        debt_ids: &[&str],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Reserves that many consecutive numbers of a sequence, which starts at
    /// 1. No number is ever given out twice; one that is not used is a gap.
    fn reserve_numbers(
        &self,
        sequence: &str,
        count: u64,
    ) -> impl Future<Output = Result<Range<u64>, LedgerError>> + Send;
}
