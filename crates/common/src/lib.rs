//! What the three services share.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`runtime`] | settings from the environment, metrics, errors, waiting for a dependency that is away |
//! | [`messaging`] | receive → handle → settle; batch send with an outcome for each entry |
//! | [`ledger`] | what became of each row, each debt, each message to a debtor |
//! | [`rules`] | what the issuer and its bank take of a debt |
//! | [`service`] | running a process: settings, telemetry, metrics, ops routes, shutdown |
//!
//! The AWS SDK is named in `messaging` alone, Redis in `ledger` alone, and
//! those two do not know each other. The order is `runtime` < `messaging`,
//! `ledger`, `rules` < `service`: each knows only what stands before it.

pub mod ledger;
pub mod messaging;
pub mod rules;
pub mod runtime;
pub mod service;

/// The page on adding a subscriber; its code is compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/ADDING_A_SUBSCRIBER.md")]
struct AddingASubscriber;
