//! The lease of what one attempt has claimed.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::ledger::{Channel, ChannelLedger};
use tokio::time::Instant;
use tracing::debug;
use uuid::Uuid;

/// How long a claim keeps others from sending the same e-mail, unless it is
/// renewed.
pub(crate) const LEASE: Duration = Duration::from_mins(1);
/// Time between renewals: two may fail.
const RENEWAL: Duration = Duration::from_secs(20);

/// Keeps others off while e-mails wait for their turn and for the mail
/// server, which may take minutes for an answer.
#[derive(Debug)]
pub(crate) struct Lease {
    channel: Channel,
    owner: Uuid,
    /// Until when it stands, as far as this process knows.
    until: Mutex<Instant>,
}

impl Lease {
    /// Of what that owner has claimed on that channel since then.
    pub(crate) fn new(channel: Channel, owner: Uuid, since: Instant) -> Self {
        Self {
            channel,
            owner,
            until: Mutex::new(since + LEASE),
        }
    }

    /// Where it is.
    pub(crate) fn channel(&self) -> Channel {
        self.channel
    }

    /// Whose it is.
    pub(crate) fn owner(&self) -> Uuid {
        self.owner
    }

    /// Whether it surely stands while the next renewals fail.
    pub(crate) fn is_fresh(&self) -> bool {
        *self.until() > Instant::now() + RENEWAL
    }

    /// Renews it again and again.
    pub(crate) async fn keep(&self, ledger: &impl ChannelLedger) -> Infallible {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let asked = Instant::now();
            match ledger.renew_sends(self.channel, self.owner, LEASE).await {
                Ok(true) => *self.until() = asked + LEASE,
                // Others may have claimed the same by now.
                Ok(false) => *self.until() = asked,
                Err(error) => debug!(%error, "A lease was not renewed"),
            }
        }
    }

    fn until(&self) -> MutexGuard<'_, Instant> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
