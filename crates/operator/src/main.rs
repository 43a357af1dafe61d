//! Commands for those who run the suite. Each subcommand is one file, and
//! reads the same environment variables as the services.

mod audit;
mod error;
mod ledger;
mod masked;
mod migrate;
mod redrive;
mod reopen;
mod retry_webhooks;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common::runtime::Environment;

/// For those who run the billing suite.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Redrive(redrive::Redrive),
    Audit(audit::Audit),
    Reopen(reopen::Reopen),
    Ledger(ledger::Ledger),
    Migrate(migrate::Migrate),
    RetryWebhooks(retry_webhooks::RetryWebhooks),
}

/// The exit code is 0 where all was done, 64 where a setting must change, 2
/// after wrong arguments, 1 otherwise.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment = Environment::of_process();
    let ended = match Arguments::parse().command {
        Command::Redrive(redrive) => redrive.run(&environment, &mut io::stdout()).await,
        Command::Audit(audit) => audit.run(&environment, &mut io::stdout()).await,
        Command::Reopen(reopen) => reopen.run(&environment, &mut io::stdout()).await,
        Command::Ledger(ledger) => ledger.run(&environment, &mut io::stdout()).await,
        Command::Migrate(migrate) => migrate.run(&environment, &mut io::stdout()).await,
        Command::RetryWebhooks(retry) => retry.run(&environment, &mut io::stdout()).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to say that standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            error.exit_code()
        }
    }
}
