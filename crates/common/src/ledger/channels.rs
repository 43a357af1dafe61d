use std::future::Future;
use std::time::Duration;

use uuid::Uuid;

use super::LedgerError;
use crate::runtime::Dependency;
use contract::{Reason, RowId};

/// A way to a debtor: e-mail, or what another subscriber of the topic sends.
/// Each debt gets one message per channel, and no channel knows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(&'static str);

impl Channel {
    /// E-mail, which an import waits for.
    pub const MAIL: Self = Self("mail");

    /// A further channel: small letters and digits, as the name is part of keys.
    /// Made as a constant, a wrong name does not compile:
    ///
    /// ```
    /// # use common::ledger::Channel;
    /// const SMS: Channel = Channel::new("sms");
    /// ```
    ///
    /// ```compile_fail
    /// # use common::ledger::Channel;
    /// const SMS: Channel = Channel::new("SMS:1");
    /// ```
    ///
    /// # Panics
    /// If the name is empty, has other characters, or is that of [`Channel::MAIL`].
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty(), "a channel has a name");
        let mut at = 0;
        while at < bytes.len() {
            let is_allowed = bytes[at].is_ascii_lowercase() || bytes[at].is_ascii_digit();
            assert!(
                is_allowed,
                "the name of a channel is small letters and digits"
            );
            at += 1;
        }
        assert!(!matches!(bytes, b"mail"), "this is the channel of e-mails");
        Self(name)
    }

    /// Name in keys and answers.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// What became of the message to a debtor, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendEnd {
    /// It was sent.
    Sent,
    /// It can never be delivered, for this reason.
    Undeliverable(Reason),
}

/// Answer to who wants to send the message of a debt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendClaim {
    /// The caller sends it, within the lease.
    Granted,
    /// There is nothing left to send.
    Ended(SendEnd),
    /// Somebody else is about to send it, or died over it: ask again when
    /// this much time has passed.
    Leased(Duration),
}

/// What a channel's messages came to for the rows of an import. The import is
/// over without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Name of the channel.
    pub channel: String,
    /// Rows whose message was sent.
    pub sent: u64,
    /// Rows whose message can never be delivered.
    pub undeliverable: u64,
}

/// Who sends the message of a debt on a channel, and what became of it.
pub trait ChannelLedger: Dependency + Send + Sync {
    /// Claims the message of each debt for `lease`, in their order. `owner` is
    /// the attempt that asks: it is granted again what it was granted before,
    /// as the answer may have been lost, and the lease begins anew.
    fn claim_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<SendClaim>, LedgerError>> + Send;

    /// Begins the lease of what `owner` has claimed anew. `false` where it had
    /// ended before: somebody else may have claimed the same since.
    fn renew_sends(
        &self,
        channel: Channel,
        owner: Uuid,
        lease: Duration,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Gives back claims of `owner` whose message was not sent, so that the
    /// next try need not wait for the lease to end.
    fn release_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Records that `owner` has sent the message of each debt and that nobody
    /// knows whether it was taken. Gives for each, in their order, how many
    /// have done so by now.
    fn note_unknown_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> impl Future<Output = Result<Vec<u32>, LedgerError>> + Send;

    /// Records what became of the message of each debt, whoever has the lease.
    /// Gives for each, in their order, what stands: the end that was recorded
    /// first, which may be another.
    fn end_sends(
        &self,
        channel: Channel,
        ends: &[(&str, SendEnd)],
    ) -> impl Future<Output = Result<Vec<SendEnd>, LedgerError>> + Send;

    /// Counts rows of registered imports by what became of their messages, which
    /// [`end_sends`](Self::end_sends) has said. A row counts once, however often
    /// it is recorded. Of e-mails [`RowLedger`](super::RowLedger) and
    /// [`UndeliverableLedger`](super::UndeliverableLedger) keep it.
    fn record_sends(
        &self,
        channel: Channel,
        rows: &[(RowId, SendEnd)],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;
}
