use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use auto_impl::auto_impl;
use uuid::Uuid;

use super::LedgerError;
use crate::runtime::Dependency;
use contract::{Reason, RowId};

/// A way to a debtor: e-mail, or what another subscriber of the topic sends.
/// Each debt gets one message per channel, and no channel knows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    name: &'static str,
    /// That of the notification: its message is another than that of an
    /// earlier one.
    revision: u32,
}

impl Channel {
    /// E-mail, which an import waits for.
    pub const MAIL: Self = Self::mail(0);

    /// E-mail to the address that a debt has since it was changed that often.
    pub const fn mail(revision: u32) -> Self {
        let name = "mail";
        Self { name, revision }
    }

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
        assert!(
            is_name(name),
            "the name of a channel is small letters and digits"
        );
        assert!(
            !matches!(name.as_bytes(), b"mail"),
            "this is the channel of e-mails"
        );
        Self { name, revision: 0 }
    }

    /// The channel that is stored so, where it may be one. The name is never given
    /// back: for a process that meets a few of them and ends.
    pub(super) fn leaked(stored: &str) -> Option<Self> {
        let mail = Self::MAIL.name;
        if stored == mail {
            return Some(Self::MAIL);
        }
        let revision = stored
            .strip_prefix(mail)
            .and_then(|of| of.strip_prefix('.'));
        if let Some(revision) = revision {
            return revision.parse().ok().map(Self::mail);
        }
        let leaked = || Box::leak(stored.to_owned().into_boxed_str());
        is_name(stored).then(|| Self {
            name: leaked(),
            revision: 0,
        })
    }

    /// Whether it is e-mail, to whichever address.
    pub const fn is_mail(self) -> bool {
        matches!(self.name.as_bytes(), b"mail")
    }

    /// Name in answers.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// How a ledger tells its messages from others.
    pub(super) fn stored(self) -> Cow<'static, str> {
        match self.revision {
            0 => Cow::Borrowed(self.name),
            revision => Cow::Owned(format!("{}.{revision}", self.name)),
        }
    }
}

/// Whether a channel may have that name, which is part of keys.
const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_lowercase() && !bytes[at].is_ascii_digit() {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty()
}

/// What became of the message to a debtor, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendEnd {
    /// It was sent.
    Sent,
    /// It can never be delivered, for this reason.
    Undeliverable(Reason),
    /// It is not to be sent: that of a later revision takes its place. Of its
    /// row this says nothing.
    Superseded,
}

impl SendEnd {
    /// That of a message that was not sent, for that stored reason.
    pub(super) fn unsent(why: Reason) -> Self {
        if why == SUPERSEDED {
            Self::Superseded
        } else {
            Self::Undeliverable(why)
        }
    }

    /// Why the message was not sent, as it is stored.
    pub(super) fn why_unsent(&self) -> Option<&Reason> {
        match self {
            Self::Sent => None,
            Self::Undeliverable(why) => Some(why),
            Self::Superseded => Some(&SUPERSEDED),
        }
    }
}

/// How the end of a message that is superseded is stored: as a reason, so that
/// earlier versions do not send it either.
pub(super) const SUPERSEDED: Reason = Reason {
    code: Cow::Borrowed("superseded"),
    text: Cow::Borrowed(""),
};

/// What became of the message of a debt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedSend<'a> {
    /// The debt.
    pub debt_id: &'a str,
    /// The row of a registered import that it was sent for, if any.
    pub row: Option<RowId>,
    /// What became of it.
    pub end: SendEnd,
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
#[async_trait]
#[auto_impl(Arc)]
pub trait ChannelLedger: Dependency + Send + Sync {
    /// Claims the message of each debt for `lease`, in their order. `owner` is
    /// the attempt that asks: it is granted again what it was granted before,
    /// as the answer may have been lost, and the lease begins anew.
    async fn claim_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> Result<Vec<SendClaim>, LedgerError>;

    /// Begins the lease of what `owner` has claimed anew. `false` where it had
    /// ended before: somebody else may have claimed the same since.
    async fn renew_sends(
        &self,
        channel: Channel,
        owner: Uuid,
        lease: Duration,
    ) -> Result<bool, LedgerError>;

    /// Gives back claims of `owner` whose message was not sent, so that the
    /// next try need not wait for the lease to end.
    async fn release_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> Result<(), LedgerError>;

    /// Records that `owner` has sent the message of each debt and that nobody
    /// knows whether it was taken. Gives for each, in their order, how many
    /// have done so by now.
    async fn note_unknown_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> Result<Vec<u32>, LedgerError>;

    /// Records what became of the message of each debt, whoever has the lease,
    /// and of the row that it is told for: a row counts once, however often
    /// that is recorded. Gives for each, in their order, what stands: the end
    /// that was recorded first, which may be another.
    ///
    /// An end may stand without its row where this failed partway: passed
    /// again, it comes to its end. No row is undeliverable whose message is
    /// not, or [no longer](Self::reopen_mails), and none whose e-mail was sent, to
    /// whichever address.
    async fn end_sends(
        &self,
        channel: Channel,
        ends: &[EndedSend<'_>],
    ) -> Result<Vec<SendEnd>, LedgerError>;

    /// Takes back that the e-mails of rows, all of one revision and each with
    /// its debt, can never be delivered: neither the e-mail nor the row has an
    /// end then, and an import that was at its end is open again. Gives for
    /// each, in their order, whether it was undeliverable. What was sent stays
    /// so.
    async fn reopen_mails(
        &self,
        channel: Channel,
        rows: &[(RowId, &str)],
    ) -> Result<Vec<bool>, LedgerError>;

    /// How the message of each debt ended, in their order; `None` where it has
    /// not.
    async fn send_ends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
    ) -> Result<Vec<Option<SendEnd>>, LedgerError>;
}
