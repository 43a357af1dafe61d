//! Who carries an import: sends its rows, from where the last carrier was.

use std::time::Duration;

use async_trait::async_trait;
use auto_impl::auto_impl;
use jiff::Timestamp;
use uuid::Uuid;

use super::LedgerError;
use crate::runtime::Dependency;

/// The right to carry an import, until it ends or somebody takes it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImportLease {
    /// The import.
    pub import_id: Uuid,
    /// How many carriers it has had, this one among them: what one of an
    /// earlier epoch writes changes nothing.
    pub epoch: u64,
}

/// How far an import is sent: SQS has accepted every row before it, or it is
/// INVALID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Data records before it.
    pub rows: u64,
    /// Bytes of the file before it; 0 where no row is sent.
    pub offset: u64,
}

/// An import that was taken to be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenImport {
    /// The right to.
    pub lease: ImportLease,
    /// Where its sending goes on.
    pub from: Checkpoint,
}

/// What a carrier learns when it tells how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrying {
    /// It is to go on.
    GoesOn,
    /// Somebody has cancelled the import.
    Cancelled,
    /// Somebody else has taken the import since; nothing was recorded.
    TakenOver,
}

/// Who carries which import. Times are those of the ledger's own clock, so
/// that no replica's clock matters.
///
/// An import is there to be carried from its registration until its sending
/// ends, by a replica that has its file: one with that
/// [`spool`](super::NewImport::spool).
#[async_trait]
#[auto_impl(Arc)]
pub trait CarrierLedger: Dependency + Send + Sync {
    /// Takes an import of that spool which nobody carries, for that long:
    /// first one whose carrier was lost, then the oldest of the client that
    /// has the fewest carried. `None` where there is none.
    ///
    /// `attempt` is the same for as long as no call has given an import, and
    /// never used again: an import that was taken in a call whose answer is
    /// lost is free for the attempt, and for others when the lease ends.
    async fn take_import(
        &self,
        spool: &str,
        attempt: Uuid,
        lasts: Duration,
    ) -> Result<Option<TakenImport>, LedgerError>;

    /// Lets leases begin anew, also those that have ended and that nobody has
    /// taken since. Gives for each whether it is held: not where the sending of
    /// its import has ended.
    async fn renew_imports(
        &self,
        leases: &[ImportLease],
        lasts: Duration,
    ) -> Result<Vec<bool>, LedgerError>;

    /// Gives an import back, which may be taken after that time. Where
    /// somebody else has it by now, nothing is done.
    async fn give_back(&self, lease: &ImportLease, after: Duration) -> Result<(), LedgerError>;

    /// Ends all leases of a spool that one process alone can use, as that one
    /// starts: whoever had them is gone.
    async fn end_leases(&self, spool: &str) -> Result<(), LedgerError>;

    /// Records how far an import is sent and, at the end of its sending, when
    /// that was: nobody carries it from then on, and the first time stands.
    async fn record_sent(
        &self,
        lease: &ImportLease,
        sent: Checkpoint,
        sent_at: Option<Timestamp>,
    ) -> Result<Carrying, LedgerError>;

    /// Records that an import cannot be sent to its end, and since when; its
    /// sending ends. Gives whether the lease was held.
    async fn record_failure(
        &self,
        lease: &ImportLease,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, LedgerError>;

    /// The imports of that spool that nobody carries, in no order.
    async fn uncarried_imports(&self, spool: &str) -> Result<Vec<Uuid>, LedgerError>;
}
