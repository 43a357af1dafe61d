//! send-mail-worker: drains `process-email` and sends the e-mail of each
//! billed debt once.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`worker`] | claim → send → mark, a batch at a time |
//! | [`compose`] | what the e-mail says, and its bytes |
//! | [`message_id`] | the Message-ID of a debt's e-mail |
//! | [`transport`] | how an e-mail leaves: to the log, or to memory in tests |

pub mod compose;
pub mod message_id;
mod metrics;
mod run;
mod settings;
pub mod transport;
pub mod worker;

pub use metrics::MailMetrics;
pub use run::run;
pub use settings::Settings;
