//! For development and tests only: what stands for AWS, the ledger, the network and a mail server.
//!
//! - [`emulator`]: SQS and SNS inside this process, on a port of its own.
//! - [`fault_proxy`]: what a network does wrong, between a client and any of them.
//! - [`postgres_server`]: a private PostgreSQL server process that ends with its owner.
//! - [`redis_server`]: private Redis servers, alone or as a cluster, that end with their owner.
//! - `s3_server`, with the feature `s3`: S3 inside this process, with its files in a directory.
//! - [`smtp_server`]: a mail server that takes every message, or does what it is told to do wrong.
//! - [`trace_collector`]: takes the spans of the services, or does what it is told to do wrong.
//! - [`child`]: a process that leaves nothing behind.

mod certificates;
pub mod child;
mod connections;
mod data_directory;
pub mod emulator;
mod environment;
pub mod fault_proxy;
mod free_port;
pub mod postgres_server;
pub mod redis_server;
#[cfg(feature = "s3")]
pub mod s3_server;
mod server_process;
pub mod smtp_server;
pub mod trace_collector;

pub use certificates::{Certificates, CertificatesError};
pub use environment::{redis_environment, shared_environment};
pub use free_port::free_port;
