//! What became of each row, each debt, each e-mail.
//!
//! Redis is named in this module alone. Every write can be repeated without
//! harm, and each method takes a batch and asks Redis once.

mod claim;
mod connect;
mod debts;
mod error;
mod imports;
mod keys;
mod mails;
mod numbers;
mod ping;
mod registered;

pub use claim::Claim;
pub use connect::RedisLedger;
pub use debts::DebtState;
pub use error::LedgerError;
pub use imports::{Outcome, OutcomeCounts, Progress};
pub use mails::MailClaim;
pub use ping::LedgerSlot;
pub use registered::RegisteredImports;
