//! Which claims hold what identifies the debtors of an import, and whether
//! that is to be erased.

use async_trait::async_trait;
use auto_impl::auto_impl;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Claim, LedgerError};
use crate::runtime::Dependency;

/// What identifies the debtors of an import is to be erased, or is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// When somebody asked for it first.
    pub asked_at: Timestamp,
    /// The client of the API that did, by a name that tells it from others;
    /// empty where the API is open.
    pub by: String,
    /// When nothing of it was left; `None` while it goes on.
    pub erased_at: Option<Timestamp>,
}

/// A debt that a row of an import billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedDebt {
    /// The debt.
    pub debt_id: String,
    /// Its claim.
    pub claim: Claim,
}

/// Some of the debts that the rows of an import billed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimsPage {
    /// The debts; there may be none though more follow.
    pub debts: Vec<ClaimedDebt>,
    /// Where the next page begins, as this ledger alone can read it; `None`
    /// behind the last.
    pub next: Option<String>,
}

/// The debts of an import, and its erasure.
#[async_trait]
#[auto_impl(Arc)]
pub trait ErasureLedger: Dependency + Send + Sync {
    /// The debts whose claims rows of an import hold, a page at a time: the
    /// first, or the one that begins where the page before says. A debt may be
    /// in several pages. One that is billed meanwhile may be in none, nor one
    /// whose slot a cluster moves.
    async fn claims_of(
        &self,
        import_id: Uuid,
        from: Option<&str>,
    ) -> Result<ClaimsPage, LedgerError>;

    /// Records that what identifies the debtors of an import is to be erased;
    /// who asked first stands. It is [to be done](Self::open_erasures) from now
    /// on, also where it was done before.
    async fn begin_erasure(
        &self,
        import_id: Uuid,
        by: &str,
        now: Timestamp,
    ) -> Result<(), LedgerError>;

    /// Records that nothing of it is left; the first time stands.
    async fn end_erasure(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError>;

    /// The imports whose erasure is to be done, in no order.
    async fn open_erasures(&self) -> Result<Vec<Uuid>, LedgerError>;
}
