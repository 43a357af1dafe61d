//! The whole stack on one machine with one command: emulator, Redis, the three services.
//!
//! - [`services`]: the three services as processes.
//! - [`stack`]: all of these together.
//! - [`mails`]: where the e-mails of a stack go.
//! - [`run`]: the stack until Ctrl-C.
//! - [`import`]: a file of a stack, from its upload to its last e-mail.
//! - [`demo`]: the stack, an upload, and whether its figures add up.
//! - [`smoke`]: whether a stack that runs elsewhere works, such as that of docker-compose.yml.
//! - [`chaos`]: imports during which everything is killed or taken away, and what became of them.
//! - `bench`: how fast all of it is and what it takes, on Linux.
//! - [`generate`]: an input file on disk, by `debts-file`.

#[cfg(target_os = "linux")]
pub mod bench;
pub mod chaos;
pub mod demo;
pub mod generate;
pub mod import;
mod mail_log;
pub mod mails;
pub mod run;
pub mod services;
pub mod smoke;
pub mod stack;
