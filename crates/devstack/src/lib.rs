//! The whole stack on one machine with one command: emulator, Redis, the three services.
//!
//! - [`emulator`]: SQS and SNS inside this process, on a port of its own.
//! - [`fault_proxy`]: what a network does wrong, between a client and any of them.
//! - [`redis_server`]: a private Redis server process that ends with its owner.
//! - [`smtp_server`]: a mail server that takes every message, or does what it is told to do wrong.
//! - [`services`]: the three services as processes.
//! - [`stack`]: all of these together.
//! - [`mails`]: where the e-mails of a stack go.
//! - [`run`]: the stack until Ctrl-C.
//! - [`import`]: a file of a stack, from its upload to its last e-mail.
//! - [`demo`]: the stack, an upload, and whether its figures add up.
//! - [`smoke`]: whether a stack that runs elsewhere works, such as that of docker-compose.yml.
//! - [`chaos`]: imports during which everything is killed or taken away, and what became of them.
//! - `bench`: how fast all of it is and what it takes, on Linux.
//! - [`generate`]: input files of any size, the same for the same seed, with known figures.

#[cfg(target_os = "linux")]
pub mod bench;
pub mod chaos;
mod child;
pub mod demo;
pub mod emulator;
pub mod fault_proxy;
mod free_port;
pub mod generate;
pub mod import;
mod mail_log;
pub mod mails;
pub mod redis_server;
pub mod run;
pub mod services;
pub mod smoke;
pub mod smtp_server;
pub mod stack;
