//! The whole stack on one machine with one command: emulator, Redis, the three services.
//!
//! - [`emulator`]: SQS and SNS inside this process, on a port of its own.
//! - [`redis_server`]: a private Redis server process that ends with its owner.
//! - [`generate`]: input files of any size, the same for the same seed, with known figures.

pub mod emulator;
pub mod generate;

pub mod redis_server;
