//! Rows whose e-mail can never be delivered, and the way back.

use std::future::Future;

use super::LedgerError;
use crate::runtime::Dependency;
use contract::RowId;

/// Name of the third thing that may become of a billed row, which has a
/// reason: its e-mail can never be delivered.
pub(super) const UNDELIVERABLE: &str = "undeliverable";

/// Rows whose e-mail has ended as undeliverable.
///
/// Both calls look at the end of the e-mail and at the row in one step, so a
/// row is undeliverable only where its e-mail is, whoever comes late.
pub trait UndeliverableLedger: Dependency + Send + Sync {
    /// Records that the e-mail of billed rows of registered imports can never
    /// be delivered, with the reason of that end. Each comes with its debt; a
    /// row whose e-mail has not ended so, or no longer, stays as it is. Gives
    /// for each, in their order, whether that is new. A row keeps the reason
    /// that came first.
    fn record_undeliverable(
        &self,
        rows: &[(RowId, &str)],
    ) -> impl Future<Output = Result<Vec<bool>, LedgerError>> + Send;

    /// Takes back that the e-mails of rows can never be delivered, each with
    /// its debt: neither the e-mail nor the row has an end then, and an import
    /// that was at its end is open again. Gives for each, in their order,
    /// whether it was undeliverable. What was sent stays so.
    fn reopen_undeliverable(
        &self,
        rows: &[(RowId, &str)],
    ) -> impl Future<Output = Result<Vec<bool>, LedgerError>> + Send;
}
