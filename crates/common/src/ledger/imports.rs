use std::future::Future;
use std::time::Duration;

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
pub trait ImportLedger: Dependency + Send + Sync {
    /// Makes an import known, so that its rows have outcomes. What is known
    /// of it already stays.
    fn register_import(
        &self,
        import: &NewImport,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Number of rows of an import; `None` if it is not known.
    fn rows_of(
        &self,
        import_id: Uuid,
    ) -> impl Future<Output = Result<Option<u64>, LedgerError>> + Send;

    /// Records up to which row an import is sent, and, at the end of sending,
    /// when that was. Gives whether somebody has cancelled the import.
    fn record_sent(
        &self,
        import_id: Uuid,
        sent: u64,
        sent_at: Option<Timestamp>,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Records that imports wait for their turn to be sent.
    fn record_waiting(
        &self,
        import_ids: &[Uuid],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Records that an import cannot be sent to its end, and since when.
    fn record_failure(
        &self,
        import_id: Uuid,
        reason: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Cancels an import, now or earlier; its sender stops soon after.
    fn cancel_import(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What is known of an import; `None` if it is not known.
    fn import_status(
        &self,
        import_id: Uuid,
    ) -> impl Future<Output = Result<Option<ImportStatus>, LedgerError>> + Send;

    /// Looks at an import, and records when its figures moved and when it
    /// came to its end; also that it is abandoned, where it
    /// [has no sender](ImportStatus::has_no_sender), which counts as the end of
    /// its sending until a sender records that. `None` if it is not known.
    fn observe_import(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Observed>, LedgerError>> + Send;

    /// The newest imports, newest first, at most `limit` of them; with
    /// `before` those that are older than that one.
    fn recent_imports(
        &self,
        before: Option<Uuid>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<Uuid>, LedgerError>> + Send;

    /// Imports that nobody has seen at their end.
    fn open_imports(&self) -> impl Future<Output = Result<Vec<Uuid>, LedgerError>> + Send;

    /// How many imports failed at that time or later, not more than
    /// [`FAILURES_KEPT`] ago.
    fn failed_imports(
        &self,
        since: Timestamp,
    ) -> impl Future<Output = Result<u64, LedgerError>> + Send;

    /// Rows of an import by outcome.
    fn outcome_counts(
        &self,
        import_id: Uuid,
    ) -> impl Future<Output = Result<OutcomeCounts, LedgerError>> + Send;

    /// What an idempotency key stands for: `upload` from now on for `kept`,
    /// or what it stood for before.
    fn claim_key(
        &self,
        key: &str,
        upload: &KeyedUpload,
        kept: Duration,
    ) -> impl Future<Output = Result<KeyedUpload, LedgerError>> + Send;

    /// What an idempotency key stands for; `None` if it is not in use.
    fn keyed_upload(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<KeyedUpload>, LedgerError>> + Send;
}
