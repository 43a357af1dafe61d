//! For tests only: a stack of their own, files to upload, and waiting without sleeping.
//!
//! Everything here panics instead of returning errors: in a test that is the clearest report.
//!
//! ```no_run
//! # async fn a_test() {
//! use std::time::Duration;
//!
//! use testkit::{CsvFile, Stack, poll_until};
//!
//! let stack = Stack::start().await;
//! let file = CsvFile::new().valid_rows(20).bytes();
//! // ... upload the file to a service that was started with `stack.environment()` ...
//! # let _ = file;
//! poll_until("twenty records in the queue", Duration::from_secs(10), async || {
//!     let depth = stack.depth(&stack.resources().data_process_url).await;
//!     (depth.visible == 20).then_some(())
//! })
//! .await;
//! # }
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a panic is how a test fails"
)]

mod aws_clients;
#[cfg(feature = "s3")]
mod bucket_server;
mod csv_file;
mod external;
mod fake_queue;
mod import;
pub mod ledger_conformance;
mod memory_ledger;
mod metrics;
mod notification;
mod poll;
mod queues;
mod running_service;
mod seeds;
mod service_process;
pub mod simulation;
mod stack;

#[cfg(feature = "s3")]
pub use bucket_server::BucketServer;
pub use csv_file::{CsvFile, CsvRow};
pub use emulators::emulator::{
    Attribute, Emulator, PipelineNames, PipelineResources, PipelineSettings, QueueDepth,
    StoredMessage,
};
pub use emulators::fault_proxy::{FaultMode, FaultProxy, Resets};
pub use emulators::postgres_server::{Fsync, PostgresServer};
pub use emulators::redis_server::{AsksClients, RedisCluster, RedisServer, SecureRedis};
#[cfg(feature = "s3")]
pub use emulators::s3_server::{S3Keys, S3Server};
pub use emulators::smtp_server;
pub use emulators::trace_collector::{CollectedSpan, CollectorMode, TraceCollector};
pub use emulators::{Certificates, free_port};
pub use fake_queue::FakeQueue;
pub use import::{
    bill, bill_debts, bill_rows, end_debts, end_rows, mail_rows, new_import, put_off, record_sent,
    refuse_mails, tell, tell_debts, tell_rows,
};
pub use memory_ledger::{FaultPlan, MemoryLedger};
pub use metrics::sample;
pub use notification::billed;
pub use poll::poll_until;
pub use queues::Queues;
pub use running_service::RunningService;
pub use seeds::for_each_seed;
pub use service_process::{
    ServiceProcess, assert_ends_at_sigterm, assert_refuses, assert_tells_its_health,
};
pub use stack::Stack;
