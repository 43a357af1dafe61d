//! How the server of a ledger is reached, whichever it is.

use std::time::Duration;

use tracing::warn;

use crate::runtime::{Environment, ServiceError, SettingError};

/// Time without traffic after which the host is asked for a sign of life, and
/// between two such questions.
pub(super) const KEEPALIVE_AFTER: Duration = Duration::from_secs(10);
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Time without an acknowledgement after which the system ends a connection.
pub(super) const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is tried at start.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartTries {
    /// Tries after the first.
    pub(super) further: u32,
    /// Time between two tries.
    interval: Duration,
}

impl StartTries {
    /// Reads the variables of these names.
    pub(super) fn read(
        env: &Environment,
        further: &'static str,
        interval: &'static str,
    ) -> Result<Self, SettingError> {
        Ok(Self {
            further: env.number(further, 3, 0, 1_000_000)?,
            interval: env.seconds(interval, 5.0, 0.0, 3_600.0)?,
        })
    }

    /// Tries until that succeeds, or fails in a way that no waiting mends, or
    /// there are no tries left.
    pub(super) async fn of<T, A>(
        self,
        kind: &str,
        mut attempt: impl FnMut() -> A,
    ) -> Result<T, ServiceError>
    where
        A: Future<Output = Result<T, ServiceError>>,
    {
        let mut tries = 0;
        loop {
            match attempt().await {
                Err(ServiceError::Ledger(error)) if tries < self.further => {
                    tries += 1;
                    warn!(error, tries, "{kind} cannot be used, trying again");
                    tokio::time::sleep(self.interval).await;
                }
                ended => return ended,
            }
        }
    }
}
