//! The whole stack on one machine with one command: emulator, the ledger, the three services.
//!
//! - [`services`]: the three services as processes.
//! - [`ledger_server`]: the server of the ledger, whichever is asked for.
//! - [`stack`]: all of these together.
//! - [`mails`]: where the e-mails of a stack go.
//! - [`import`]: a file, its upload, how far it is, and what must become of its rows.
//! - [`verdict`]: what became of them, for every command that uploads.
//! - [`wait`]: until something is so, or for as long as something moves.
//!
//! The commands:
//!
//! - [`mod@run`]: the stack until Ctrl-C.
//! - [`demo`]: the stack, an upload, and whether its figures add up.
//! - [`smoke`]: whether a stack that runs elsewhere works, such as that of docker-compose.yml.
//! - [`chaos`]: imports during which everything is killed or taken away, and what became of them.
//! - `bench`: how fast all of it is and what it takes, on Linux.
//! - [`generate`]: an input file.

#[cfg(target_os = "linux")]
mod bench;
mod callgrind;
mod chaos;
mod demo;
mod generate;
mod http;
mod import;
mod ledger_server;
mod mails;
mod run;
mod services;
mod smoke;
mod spool_server;
mod stack;
mod verdict;
mod wait;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Error, Result};
use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// With the system allocator of Linux the emulator takes a seventh more CPU.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The whole stack on one machine: input files, emulator, ledger and services.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunCommand),
    Demo(demo::DemoCommand),
    Smoke(smoke::SmokeCommand),
    Chaos(chaos::ChaosCommand),
    #[cfg(target_os = "linux")]
    Bench(bench::BenchCommand),
    #[cfg(target_os = "linux")]
    BenchGuard(bench::GuardCommand),
    Generate(generate::GenerateCommand),
}

/// On one thread: the services have the other cores, and a message that one connection brings wakes
/// another, which costs more between threads.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to say that standard error is closed.
            let _ = writeln!(io::stderr(), "error: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Run(run) => run.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Smoke(smoke) => smoke.run().await,
        Command::Chaos(chaos) => chaos.run().await,
        #[cfg(target_os = "linux")]
        Command::Bench(bench) => bench.run().await,
        #[cfg(target_os = "linux")]
        Command::BenchGuard(guard) => guard.run().await,
        Command::Generate(generate) => generate.run(),
    }
}

/// An error and its causes on one line. Some errors name their cause in their own text.
fn with_causes(error: &Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.as_str() {
            "" => cause,
            _ if text.contains(&cause) => text,
            _ => format!("{text}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn each_cause_is_named_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("no data directory: {0}")]
        struct Outer(#[source] io::Error);

        let error = Outer(io::Error::other("the disk is full"));
        let error = Err::<(), _>(error).context("Redis").unwrap_err();

        let text = "Redis: no data directory: the disk is full";
        assert_eq!(with_causes(&error), text);
    }
}
