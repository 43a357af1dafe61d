//! How an e-mail leaves.

mod log;
mod sent_log;
mod smtp;

use std::future::Future;
use std::sync::Arc;

use boleto::Agreement;
use common::runtime::{Dependency, Transient};
use contract::{Notification, Reason};
use thiserror::Error;

pub use log::LogTransport;
pub use sent_log::SentLog;
pub use smtp::SmtpTransport;

/// What an e-mail is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it tells.
    pub notification: Notification,
    /// What its boleto was issued under; `None` where it has none, or the
    /// ledger does not know it.
    pub agreement: Option<Arc<Agreement>>,
}

/// What became of one e-mail. The texts hold no personal data, as they are
/// logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It was taken, and is never sent again.
    Sent,
    /// It is not taken now, for a reason of its own or of its receiver: it is
    /// put off, for this reason.
    Deferred(Reason),
    /// It was sent, and no answer came: nobody knows whether it was taken.
    Unknown(String),
    /// It will never be taken: it is not sent again.
    Undeliverable(Reason),
    /// It was not sent, and no e-mail can be: the transport as a whole is
    /// away. It is sent again until the transport is back, however long that
    /// takes, so an e-mail that is itself the cause must be
    /// [`Sending::Deferred`].
    Away(String),
    /// It was not taken, and no e-mail is: the transport as a whole was tried
    /// with it. Others are to be tried before it comes again.
    Probed(String),
    /// It was not sent, as there was no room for it yet: nothing is wrong, and
    /// it is sent when there is.
    Busy,
}

/// The transport as a whole cannot take e-mails now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no e-mail can be sent: {0}")]
pub struct TransportAway(pub String);

impl Transient for TransportAway {
    fn is_transient(&self) -> bool {
        true
    }
}

/// Takes e-mails.
pub trait Transport: Dependency + Send + Sync + 'static {
    /// Most e-mails that are worth handling together.
    const BATCH: usize;

    /// Most e-mails that it sends at a time, each on its own; `None` where a
    /// batch leaves as one.
    fn at_a_time(&self) -> Option<u32> {
        None
    }

    /// Whether it can take e-mails now, or is to be tried with some. It is
    /// asked before e-mails are claimed, as the claims would run out in an
    /// outage.
    fn ready(&self) -> impl Future<Output = Result<(), TransportAway>> + Send;

    /// Whether it takes e-mails as far as is known, for `GET /ready`.
    fn healthy(&self) -> impl Future<Output = Result<(), TransportAway>> + Send {
        self.ready()
    }

    /// Sends an e-mail for each notification, and says of each, in their
    /// order, what became of it. It may take minutes, but ends.
    fn send(&self, letters: &[&Letter]) -> impl Future<Output = Vec<Sending>> + Send;
}
