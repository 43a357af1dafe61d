use std::future::Future;
use std::time::Duration;

use uuid::Uuid;

use super::LedgerError;
use crate::runtime::Dependency;
use contract::Reason;

/// What became of the e-mail of a debt, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailEnd {
    /// It was sent.
    Sent,
    /// It can never be delivered, for this reason.
    Undeliverable(Reason),
}

/// Answer to who wants to send the e-mail of a debt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailClaim {
    /// The caller sends it, within the lease.
    Granted,
    /// There is nothing left to send.
    Ended(MailEnd),
    /// Somebody else is about to send it, or died over it: ask again when
    /// this much time has passed.
    Leased(Duration),
}

/// Who sends the e-mail of a debt, and what became of it.
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

    /// Begins the lease of what `owner` has claimed anew. `false` where it had
    /// ended before: somebody else may have claimed the same since.
    fn renew_mails(
        &self,
        owner: Uuid,
        lease: Duration,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Gives back claims of `owner` whose e-mail was not sent, so that the
    /// next try need not wait for the lease to end.
    fn release_mails(
        &self,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Records that `owner` has sent the e-mail of each debt and that nobody
    /// knows whether it was taken. Gives for each, in their order, how many
    /// have done so by now.
    fn note_unknown_mails(
        &self,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> impl Future<Output = Result<Vec<u32>, LedgerError>> + Send;

    /// Records what became of the e-mail of each debt, whoever has the lease.
    /// Gives for each, in their order, what stands: the end that was recorded
    /// first, which may be another.
    fn end_mails(
        &self,
        ends: &[(&str, MailEnd)],
    ) -> impl Future<Output = Result<Vec<MailEnd>, LedgerError>> + Send;
}
