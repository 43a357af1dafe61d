use std::sync::Arc;

use async_trait::async_trait;
use auto_impl::auto_impl;
use boleto::{Agreement, AgreementId};

use super::LedgerError;
use super::remembered::Remembered;
use crate::runtime::{Dependency, Outage};

/// The agreements that boletos were issued under, by what they hold: one that
/// changes is another one, and the old boletos keep theirs.
#[async_trait]
#[auto_impl(Arc)]
pub trait AgreementLedger: Dependency + Send + Sync {
    /// Keeps an agreement for ever.
    async fn keep_agreement(&self, agreement: &Agreement) -> Result<(), LedgerError>;

    /// The agreement of that id; `None` if nobody has kept it.
    async fn agreement(&self, id: AgreementId) -> Result<Option<Agreement>, LedgerError>;
}

/// Most agreements that are remembered.
const REMEMBERED: usize = 100;

/// Looks agreements up, each once, as they never change.
#[derive(Debug)]
pub struct Agreements<L> {
    ledger: L,
    known: Remembered<AgreementId, Arc<Agreement>>,
}

/// Its ledger's.
impl<L: AgreementLedger> Dependency for Agreements<L> {
    fn outage(&self) -> &Outage {
        self.ledger.outage()
    }
}

impl<L: AgreementLedger> Agreements<L> {
    /// Asks that ledger, once an agreement.
    pub fn new(ledger: L) -> Self {
        Self {
            ledger,
            known: Remembered::new(REMEMBERED),
        }
    }

    /// The agreement of that id; `None` if nobody has kept it.
    pub async fn get(&self, id: AgreementId) -> Result<Option<Arc<Agreement>>, LedgerError> {
        let known = self.known.get(&id);
        if known.is_some() {
            return Ok(known);
        }
        let agreement = self.ledger.agreement(id).await?.map(Arc::new);
        if let Some(agreement) = &agreement {
            self.known.put(id, Arc::clone(agreement));
        }
        Ok(agreement)
    }
}
