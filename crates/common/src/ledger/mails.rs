use std::future::Future;
use std::time::Duration;

use uuid::Uuid;

use super::LedgerError;
use crate::outage::Dependency;

/// Answer to who wants to send the e-mail of a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailClaim {
    /// The caller sends it, within the lease.
    Granted,
    /// It was sent.
    Sent,
    /// Somebody else is about to send it, or died over it: ask again when
    /// this much time has passed.
    Leased(Duration),
}

/// Who sends the e-mail of a debt, and whether it is sent.
pub trait MailLedger: Dependency + Send + Sync {
    /// Claims the e-mail of each debt for `lease`, in their order. `owner` is
    /// the attempt that asks: it is granted again what it was granted before,
    /// as the answer may have been lost, and the lease begins anew.
    fn claim_mails(
        &self,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<MailClaim>, LedgerError>> + Send;

    /// Gives back claims of `owner` whose e-mail was not sent, so that the
    /// next try need not wait for the lease to end.
    fn release_mails(
        &self,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Records that the e-mail of each debt was sent.
    fn mark_mailed(
        &self,
        debt_ids: &[&str],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}
