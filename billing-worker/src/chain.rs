//! The billing rules, in their order. A new rule is a file in
//! [`steps`](crate::steps) and one `.then(…)` here; a wrong order does not
//! compile, as each step takes what the one before gives.

use boleto::Agreement;
use common::ledger::Ledger;
use common::messaging::BatchSender;
use tokio_util::sync::CancellationToken;

use crate::BillingMetrics;
use crate::publisher::Publisher;
use crate::row::{Incoming, Step};
use crate::steps::{Check, Context, Process, Schedule};

/// What may differ from one operator to the next.
#[derive(Clone, Debug)]
pub struct BillingRules {
    /// Under which boletos are issued.
    pub agreement: Agreement,
    /// Whether a row whose document is no valid CPF or CNPJ is INVALID.
    pub strict_documents: bool,
}

/// The demonstration's agreement, and any document.
impl Default for BillingRules {
    fn default() -> Self {
        Self {
            agreement: Agreement::demonstration(),
            strict_documents: false,
        }
    }
}

/// The chain of billing-worker: context → check → process → schedule.
pub fn billing_chain<L: Ledger, S: BatchSender + Clone + 'static>(
    ledger: &L,
    rules: BillingRules,
    publisher: Publisher<S>,
    metrics: &BillingMetrics,
    stop: &CancellationToken,
) -> impl Step<In = Incoming, Out = ()> + use<L, S> {
    Context::new(ledger.clone(), rules.strict_documents, stop.clone())
        .then(Check::new(ledger.clone(), stop.clone()))
        .then(Process::new(ledger.clone(), rules.agreement, stop.clone()))
        .then(Schedule::new(
            ledger.clone(),
            publisher,
            metrics.clone(),
            stop.clone(),
        ))
}
