//! What the three services share.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`messaging`] | receive → handle → settle; batch send with an outcome for each entry |
//! | [`ledger`] | what became of each row, each debt, each e-mail |
//! | [`service`] | running a process: settings, telemetry, metrics, ops routes, shutdown |
//! | [`outage`] | waiting for a dependency that is away |
//! | [`tally`] | a line of the log for each reason in a batch, and not one a row |
//!
//! The AWS SDK is named in `messaging` alone, Redis in `ledger` alone, and
//! those two do not know each other.

pub mod ledger;
pub mod messaging;
pub mod outage;
pub mod service;
mod tally;

pub use tally::tally;
