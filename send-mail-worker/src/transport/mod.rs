//! How an e-mail leaves.

mod log;
mod memory;

use std::future::Future;

use common::contract::Notification;
use thiserror::Error;

pub use log::LogTransport;
pub use memory::MemoryTransport;

/// The transport did not take an e-mail this time; it may later.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the e-mail was not sent: {0}")]
pub struct TransportError(pub String);

/// Takes e-mails. One that it took is never sent again.
pub trait Transport: Send + Sync + 'static {
    /// Sends an e-mail for each notification and says of each, in their
    /// order, whether it was taken.
    fn send(
        &self,
        mails: &[&Notification],
    ) -> impl Future<Output = Vec<Result<(), TransportError>>> + Send;
}
