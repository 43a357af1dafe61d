use std::sync::{Arc, OnceLock};

use super::Ledger;
use crate::runtime::ReadyProbe;

/// A place for the ledger, empty until it has answered for the first time.
/// Cloning shares it.
#[derive(Debug)]
pub struct LedgerSlot<L>(Arc<OnceLock<L>>);

impl<L> Clone for LedgerSlot<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Default for LedgerSlot<L> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<L: Ledger> LedgerSlot<L> {
    /// Puts the ledger there; a second one is dropped.
    pub fn put(&self, ledger: &L) {
        let _ = self.0.set(ledger.clone());
    }

    /// The ledger, once it has answered.
    pub fn get(&self) -> Option<&L> {
        self.0.get()
    }

    /// Asks whether there is a ledger that answers, and no call waits for it:
    /// what a call needs may be refused though the question is answered.
    pub fn ready_probe(&self) -> ReadyProbe {
        ReadyProbe::new(self, |slot: Self| async move {
            match slot.get() {
                Some(ledger) => ledger.ping().await.is_ok() && !ledger.outage().is_away(),
                None => false,
            }
        })
    }
}
