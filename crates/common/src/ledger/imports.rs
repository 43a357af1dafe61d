use std::time::Duration;

use async_trait::async_trait;
use auto_impl::auto_impl;
use jiff::Timestamp;
use uuid::Uuid;

use super::{ImportStatus, LedgerError, NewImport, OutcomeCounts};
use crate::runtime::Dependency;

/// For so long it is known when an import failed.
pub const FAILURES_KEPT: Duration = Duration::from_hours(24);

/// What a look at an import found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The import.
    pub status: ImportStatus,
    /// It came to its end, and this look is the one that recorded that: of
    /// all looks at an import, one says so at most.
    pub newly_over: bool,
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedUpload {
    /// The import that the first upload with the key became.
    pub import_id: Uuid,
    /// SHA-256 of its file, in lower-case hex.
    pub sha256: String,
}

/// The imports as a whole.
#[async_trait]
#[auto_impl(Arc)]
pub trait ImportLedger: Dependency + Send + Sync {
    /// Makes an import known, so that its rows have outcomes and a replica
    /// [carries](super::CarrierLedger) it. What is known of it already stays.
    /// Gives whether its rows are still to be sent.
    async fn register_import(&self, import: &NewImport) -> Result<bool, LedgerError>;

    /// Number of rows of an import; `None` if it is not known.
    async fn rows_of(&self, import_id: Uuid) -> Result<Option<u64>, LedgerError>;

    /// Records that imports wait for their turn to be sent.
    async fn record_waiting(&self, import_ids: &[Uuid], now: Timestamp) -> Result<(), LedgerError>;

    /// Cancels an import, now or earlier. Its carrier stops soon after; where
    /// nobody carries it, its sending ends at once.
    async fn cancel_import(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError>;

    /// Takes an import over from another ledger, with all that is known of it
    /// there but its rows.
    async fn adopt_import(&self, status: &ImportStatus) -> Result<(), LedgerError>;

    /// What is known of an import; `None` if it is not known.
    async fn import_status(&self, import_id: Uuid) -> Result<Option<ImportStatus>, LedgerError>;

    /// Looks at an import, and records when its figures moved and when it
    /// came to its end; also that it is abandoned, where it
    /// [has no sender](ImportStatus::has_no_sender), which counts as the end of
    /// its sending until a sender records that. `None` if it is not known.
    async fn observe_import(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> Result<Option<Observed>, LedgerError>;

    /// The newest imports, newest first, at most `limit` of them; with
    /// `before` those that are older than that one.
    async fn recent_imports(
        &self,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Uuid>, LedgerError>;

    /// Imports that nobody has seen at their end.
    async fn open_imports(&self) -> Result<Vec<Uuid>, LedgerError>;

    /// How many imports failed at that time or later, not more than
    /// [`FAILURES_KEPT`] ago.
    async fn failed_imports(&self, since: Timestamp) -> Result<u64, LedgerError>;

    /// Rows of an import by outcome.
    async fn outcome_counts(&self, import_id: Uuid) -> Result<OutcomeCounts, LedgerError> {
        let status = self.import_status(import_id).await?;
        Ok(status.map(|status| status.counts).unwrap_or_default())
    }

    /// What an idempotency key stands for: `upload` from now on for `kept`,
    /// or what it stood for before.
    async fn claim_key(
        &self,
        key: &str,
        upload: &KeyedUpload,
        kept: Duration,
    ) -> Result<KeyedUpload, LedgerError>;

    /// What an idempotency key stands for; `None` if it is not in use.
    async fn keyed_upload(&self, key: &str) -> Result<Option<KeyedUpload>, LedgerError>;
}
