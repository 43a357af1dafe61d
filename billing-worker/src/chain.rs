//! The billing rules, in their order. A new rule is a file in
//! [`steps`](crate::steps) and one `.then(…)` here; a wrong order does not
//! compile, as each step takes what the one before gives.

use common::ledger::Ledger;
use common::messaging::BatchSender;
use common::rules::BillingRules;
use tokio_util::sync::CancellationToken;

use crate::BillingMetrics;
use crate::publisher::Publisher;
use crate::row::{Incoming, Step};
use crate::steps::{Check, Context, Process, Schedule};

/// The chain of billing-worker: context → check → process → schedule.
pub fn billing_chain<L: Ledger, S: BatchSender + Clone + 'static>(
    ledger: &L,
    rules: BillingRules,
    publisher: Publisher<S>,
    metrics: &BillingMetrics,
    stop: &CancellationToken,
) -> impl Step<In = Incoming, Out = ()> + use<L, S> {
    let time = |step| metrics.step_duration.with_label_values(&[step]);
    let context = Context::new(ledger.clone(), stop.clone());
    let check = Check::new(ledger.clone(), stop.clone());
    let process = Process::new(ledger.clone(), rules, metrics.clone(), stop.clone());
    let schedule = Schedule::new(ledger.clone(), publisher, metrics.clone(), stop.clone());
    context
        .timed(time("context"))
        .then(check.timed(time("check")))
        .then(process.timed(time("process")))
        .then(schedule.timed(time("schedule")))
}
