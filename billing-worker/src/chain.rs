//! The billing rules, in their order. A new rule is a file in
//! [`steps`](crate::steps) and one `.then(…)` here; a wrong order does not
//! compile, as each step takes what the one before gives.

use common::ledger::Ledger;
use common::messaging::Delivery;
use tokio_util::sync::CancellationToken;

use crate::BillingMetrics;
use crate::publisher::Publisher;
use crate::row::Step;
use crate::steps::{Check, Context, Process, Schedule};

/// The chain of billing-worker: context → check → process → schedule.
pub fn billing_chain<L: Ledger>(
    ledger: &L,
    publisher: Publisher,
    metrics: &BillingMetrics,
    stop: &CancellationToken,
) -> impl Step<In = Delivery, Out = ()> + use<L> {
    Context::new(ledger.clone(), stop.clone())
        .then(Check::new(ledger.clone(), stop.clone()))
        .then(Process::new(ledger.clone(), stop.clone()))
        .then(Schedule::new(
            ledger.clone(),
            publisher,
            metrics.clone(),
            stop.clone(),
        ))
}
