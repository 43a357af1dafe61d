use std::future::Future;
use std::sync::Arc;

use boleto::{Agreement, AgreementId};

use super::LedgerError;
use super::remembered::Remembered;
use crate::runtime::{Dependency, Outage};

/// The agreements that boletos were issued under, by what they hold: one that
/// changes is another one, and the old boletos keep theirs.
pub trait AgreementLedger: Dependency + Send + Sync {
    /// Keeps an agreement for ever.
    fn keep_agreement(
        &self,
        agreement: &Agreement,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// The agreement of that id; `None` if nobody has kept it.
    fn agreement(
        &self,
        id: AgreementId,
    ) -> impl Future<Output = Result<Option<Agreement>, LedgerError>> + Send;
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
