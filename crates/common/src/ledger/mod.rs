//! What became of each row, each debt, each message to a debtor, each import.
//!
//! The traits say what a ledger is; [`RedisLedger`] is one, and Redis is
//! named in its module alone. Every write can be repeated without harm, and
//! each method takes a batch and asks the ledger once.

mod agreements;
mod audit;
mod carrying;
mod channels;
mod claim;
mod copy;
mod debts;
mod erasure;
mod error;
mod export;
mod import_status;
mod imports;
mod memory;
mod metrics;
mod postgres;
mod put_off;
mod reach;
mod redis;
mod registered;
mod remembered;
mod rows;
mod settings;
mod slot;
mod webhooks;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auto_impl::auto_impl;

pub use agreements::{AgreementLedger, Agreements};
pub use audit::{Audit, Breach, Law};
pub use carrying::{CarrierLedger, Carrying, Checkpoint, ImportLease, TakenImport};
pub use channels::{Channel, ChannelCounts, ChannelLedger, EndedSend, SendClaim, SendEnd};
pub use claim::{AddressChange, Claim};
pub use copy::{Copied, CopyError, copy_ledger};
pub use debts::{Bill, Billed, DebtLedger, DebtState, Revision, Told};
pub use erasure::{ClaimedDebt, ClaimsPage, Erasure, ErasureLedger};
pub use error::LedgerError;
pub use export::ExportLedger;
pub use import_status::{
    ABANDONED_AFTER, ImportState, ImportStatus, NewImport, OutcomeCounts, UNCARRIED_AFTER,
};
pub use imports::{FAILURES_KEPT, ImportLedger, KeyedUpload, Observed};
pub use memory::LedgerMemory;
pub use metrics::LedgerMetrics;
pub use postgres::{CLIENT_LOG_DIRECTIVES, PostgresLedger, PostgresSettings, migrate};
pub use put_off::{PutOffLedger, PutOffRow, PutOffRows};
pub use redis::{RedisLedger, RedisSettings};
pub use registered::RegisteredImports;
pub use rows::{EndedRow, Outcome, RowFacts, RowLedger, Unbilled};
pub use settings::LedgerSettings;
pub use slot::LedgerSlot;
pub use webhooks::{
    EventFigures, GIVEN_UP_KEPT, NewEvent, NotedImport, NotedMail, NotedMails, Outbox, StoredEvent,
    TakenEvent, WebhookLedger,
};

/// An import without progress for that long is stalled.
pub const STALLED_AFTER: Duration = Duration::from_mins(10);

/// All that a ledger does. Every method waits a bounded time and leaves
/// repeating to its caller.
#[async_trait]
#[auto_impl(Arc)]
pub trait AnyLedger:
    DebtLedger
    + RowLedger
    + PutOffLedger
    + ImportLedger
    + CarrierLedger
    + ChannelLedger
    + AgreementLedger
    + ErasureLedger
    + WebhookLedger
    + Debug
{
    /// Whether it answers, and takes writes.
    async fn ping(&self) -> Result<(), LedgerError>;

    /// How much memory it takes, and may take; `None` where its data are on
    /// disk.
    async fn memory(&self) -> Result<Option<LedgerMemory>, LedgerError>;
}

/// A ledger that is shared: cloning it does not copy what it holds.
pub trait Ledger: AnyLedger + Clone + 'static {}

impl<L: AnyLedger + Clone + 'static> Ledger for L {}

/// The ledger of a service, whichever its settings name.
pub type SharedLedger = Arc<dyn AnyLedger>;
