//! Command line of the development stack.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
#[cfg(target_os = "linux")]
use devstack::bench::{BenchCommand, GuardCommand};
use devstack::{
    chaos::ChaosCommand, demo::DemoCommand, generate::GenerateCommand, run::RunCommand,
    smoke::SmokeCommand,
};
use mimalloc::MiMalloc;

/// With the system allocator of Linux the emulator takes a seventh more CPU.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The whole stack on one machine: input files, emulator, Redis and services.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(RunCommand),
    Demo(DemoCommand),
    Smoke(SmokeCommand),
    Chaos(ChaosCommand),
    #[cfg(target_os = "linux")]
    Bench(BenchCommand),
    #[cfg(target_os = "linux")]
    BenchGuard(GuardCommand),
    Generate(GenerateCommand),
}

/// On one thread: the tasks of the emulator hand every message from one to the other, and between
/// threads each of these would wake the other. It costs a seventh less CPU than two threads.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to say that standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Run(run) => run.run().await?,
        Command::Demo(demo) => demo.run().await?,
        Command::Smoke(smoke) => smoke.run().await?,
        Command::Chaos(chaos) => chaos.run().await?,
        #[cfg(target_os = "linux")]
        Command::Bench(bench) => bench.run().await?,
        #[cfg(target_os = "linux")]
        Command::BenchGuard(guard) => guard.run().await?,
        Command::Generate(generate) => {
            let generated = generate.run()?;
            writeln!(
                io::stdout(),
                "{}: {} rows, {} debts to bill, {} duplicates, {} invalid",
                generate.output.display(),
                generated.rows,
                generated.distinct_valid,
                generated.duplicates,
                generated.invalid,
            )?;
        }
    }
    Ok(())
}
