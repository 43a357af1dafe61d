use std::ops::Range;

use async_trait::async_trait;
use auto_impl::auto_impl;
use contract::RowId;

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
        /// SNS accepted its notification, as the claim has it.
        notified: bool,
    },
}

/// A debt that is to be billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// The debt.
    pub debt_id: String,
    /// Who bills it, and the notification to publish.
    pub claim: Claim,
}

/// What stands once a debt was to be billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    /// The claim: the one that was passed, or an earlier one; `None` where a
    /// counterpart wrote what we cannot read.
    pub claim: Option<Claim>,
    /// This call recorded that the row which holds the claim billed it.
    pub row_is_new: bool,
}

/// Another claim of a debt, in place of the one that stands.
#[derive(Clone, Copy, Debug)]
pub struct Revision<'a> {
    /// The debt.
    pub debt_id: &'a str,
    /// The claim that stands.
    pub from: &'a Claim,
    /// What is to stand: of the same holder.
    pub to: &'a Claim,
}

/// A debt whose notification SNS accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// The debt.
    pub debt_id: &'a str,
    /// The row that billed it; `None` where that is no row of an import.
    pub row: Option<RowId>,
    /// The revision of the notification: once there is another one, the debt is
    /// not told of by this.
    pub revision: u32,
}

/// The first two writes of a debt's life, and numbers.
#[async_trait]
#[auto_impl(Arc)]
pub trait DebtLedger: Dependency + Send + Sync {
    /// The state of each debt, in their order.
    async fn debts(&self, debt_ids: &[&str]) -> Result<Vec<DebtState>, LedgerError>;

    /// Claims each debt that nobody has billed, and records that the row which
    /// holds the claim billed it, unless that row has another outcome. Gives
    /// for each, in their order, what stands.
    ///
    /// A claim may stand without its row where this failed partway: passed
    /// again, with that claim, it comes to its end.
    async fn bill(&self, bills: &[Bill]) -> Result<Vec<Billed>, LedgerError>;

    /// Puts another claim in the place of each that still stands as it is
    /// said to, and gives for each, in their order, whether it did. The bill
    /// stays what it is: so it can be said anew who is written to.
    async fn revise(&self, revisions: &[Revision<'_>]) -> Result<Vec<bool>, LedgerError>;

    /// Whether SNS accepted the notification of each debt, in their order.
    async fn notified(&self, debt_ids: &[&str]) -> Result<Vec<bool>, LedgerError>;

    /// Records that SNS accepted the notification of each debt, first of its
    /// row and then of the debt: a debt that is known to be told of has a row
    /// that is.
    async fn tell(&self, told: &[Told<'_>]) -> Result<(), LedgerError>;

    /// Takes back that the notification of each debt was accepted, so that it
    /// is published again: the queue behind the topic may have lost it.
    async fn forget_notified(&self, debt_ids: &[&str]) -> Result<(), LedgerError>;

    /// Reserves that many consecutive numbers of a sequence, which starts at
    /// 1. No number is ever given out twice; one that is not used is a gap.
    async fn reserve_numbers(&self, sequence: &str, count: u64) -> Result<Range<u64>, LedgerError>;
}
