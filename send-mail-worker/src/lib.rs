//! send-mail-worker: drains `process-email` and sends the e-mail of each
//! billed debt once.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`worker`] | claim → send → mark, a batch at a time |
//! | [`compose`] | what the e-mail says, and its bytes |
//! | [`patience`] | when an e-mail that was put off is tried again, and for how long |
//! | [`pace`] | how many e-mails leave in a second |
//! | [`message_id`] | the Message-ID of a debt's e-mail |
//! | [`smtp`] | one message to one recipient over SMTP, and what the answer means |
//! | [`transport`] | how an e-mail leaves: over SMTP or to the log |

mod batch;
pub mod compose;
mod judge;
mod lease;
pub mod message_id;
mod metrics;
pub mod pace;
pub mod patience;
mod put_off;
mod row_record;
mod run;
mod sending_span;
mod settings;
pub mod smtp;
pub mod transport;
pub mod worker;

pub use metrics::{MailMetrics, MailOutcomes};
pub use run::{run, run_over};
pub use settings::{MailSettings, MailTransport, Settings};
