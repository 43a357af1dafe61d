//! billing-worker: receives debts from `data-process`, bills each once, and
//! publishes a notification for each bill.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`chain`] | the billing rules in their order; one file a rule in [`steps`] |
//! | [`messages`] | messages → the rows in them, and back |
//! | [`row`] | what the steps pass on, and how a row ends |
//! | [`worker`] | a received batch → its rows → the chain → recorded outcomes → verdicts |
//! | [`publisher`] | notifications of several batches in one SNS call |

pub mod chain;
pub mod messages;
mod metrics;
pub mod publisher;
pub mod row;
mod run;
mod settings;
pub mod steps;
pub mod worker;

pub use metrics::BillingMetrics;
pub use run::run;
pub use settings::Settings;

/// The page on adding a rule; its code is compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/ADDING_A_RULE.md")]
struct AddingARule;
