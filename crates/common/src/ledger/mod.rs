//! What became of each row, each debt, each message to a debtor, each import.
//!
//! The traits say what a ledger is; [`RedisLedger`] is one, and Redis is
//! named in its module alone. Every write can be repeated without harm, and
//! each method takes a batch and asks the ledger once.

mod agreements;
mod audit;
mod channels;
mod claim;
mod debts;
mod error;
mod import_status;
mod imports;
mod put_off;
mod redis;
mod registered;
mod remembered;
mod rows;
mod slot;
mod undeliverable;

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

pub use agreements::{AgreementLedger, Agreements};
pub use audit::{Audit, Breach, Law};
pub use channels::{Channel, ChannelCounts, ChannelLedger, SendClaim, SendEnd};
pub use claim::Claim;
pub use debts::{DebtLedger, DebtState};
pub use error::LedgerError;
pub use import_status::{ABANDONED_AFTER, ImportState, ImportStatus, NewImport, OutcomeCounts};
pub use imports::{FAILURES_KEPT, ImportLedger, KeyedUpload, Observed};
pub use put_off::{PutOffLedger, PutOffRows};
pub use redis::{RedisLedger, RedisMemory, RedisMetrics, RedisSettings};
pub use registered::RegisteredImports;
pub use rows::{EndedRow, Outcome, Progress, RowFacts, RowLedger};
pub use slot::LedgerSlot;
pub use undeliverable::UndeliverableLedger;

/// An import without progress for that long is stalled.
pub const STALLED_AFTER: Duration = Duration::from_mins(10);

/// A ledger. Cloning shares it. Every method waits a bounded time and leaves
/// repeating to its caller.
pub trait Ledger:
    DebtLedger
    + RowLedger
    + PutOffLedger
    + UndeliverableLedger
    + ImportLedger
    + ChannelLedger
    + AgreementLedger
    + Clone
    + Debug
    + 'static
{
    /// Whether it answers, and takes writes.
    fn ping(&self) -> impl Future<Output = Result<(), LedgerError>> + Send;
}
