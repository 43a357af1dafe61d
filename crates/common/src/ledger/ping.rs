use std::sync::{Arc, OnceLock};

use super::{LedgerError, RedisLedger};
use crate::service::ReadyProbe;

impl RedisLedger {
    /// Whether Redis answers, within the operation timeout.
    pub async fn ping(&self) -> Result<(), LedgerError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("PING").exec_async(&mut connection).await?)
    }
}

/// A place for the ledger, empty until Redis was connected.
#[derive(Clone, Debug, Default)]
pub struct LedgerSlot(Arc<OnceLock<RedisLedger>>);

impl LedgerSlot {
    /// Puts the ledger there; a second one is dropped.
    pub fn put(&self, ledger: &RedisLedger) {
        let _ = self.0.set(ledger.clone());
    }

    /// Asks whether there is a ledger whose Redis answers.
    pub fn ready_probe(&self) -> ReadyProbe {
        ReadyProbe::new(self, |slot: Self| async move {
            match slot.0.get() {
                Some(ledger) => ledger.ping().await.is_ok(),
                None => false,
            }
        })
    }
}
