//! Imports during which everything is killed or taken away, and what became of their rows.
//!
//! Each fault is a run of its own: emulator, Redis and services start fresh, the services as
//! release binaries. A run ends when every row has its outcome or nothing moves any more.

mod arena;
mod crew;
mod failover;
mod lost_message;
mod network;
mod post;
mod redis;
mod scenario;
mod storm;
mod table;
mod verification;

use std::{io, path::PathBuf, time::Duration};

use clap::ValueEnum;
use common::ledger::LedgerError;

use crate::{
    import::{ConnectError, UploadError},
    run::told_to_stop,
    services::ServiceError,
};
use emulators::{
    emulator::EmulatorError,
    redis_server::{AppendFsync, RedisError},
    smtp_server::SmtpServerError,
};

pub use scenario::Scenario;
use table::Table;

/// Kills and takes away what an import needs, and shows that no row is lost and none done twice.
#[derive(Debug, Clone, clap::Args)]
pub struct ChaosCommand {
    /// Only this fault; may be given more than once.
    #[arg(long, value_enum)]
    only: Vec<Scenario>,
    #[command(flatten)]
    options: Options,
    /// Directory for what the runs leave: files, logs, the data of Redis. That of an earlier run
    /// is replaced.
    #[arg(long, default_value = "data/chaos")]
    directory: PathBuf,
}

/// What all runs have in common.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Options {
    /// Data rows of a file.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    rows: u64,
    /// Another seed makes other files and chooses other moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When Redis makes its append-only file safe.
    #[arg(long, default_value_t)]
    append_fsync: AppendFsync,
}

/// Why a run could not be brought to its end, or the table does not show what it must.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// The emulator.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// Redis.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The mail server.
    #[error(transparent)]
    MailServer(#[from] SmtpServerError),
    /// A service does not start, or ended though nobody killed it.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The upload.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The ledger at start.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file, a port or the terminal.
    #[error("{context}: {source}")]
    Io {
        /// What was tried.
        context: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The moment of a fault never came.
    #[error("waited {} s in vain for {what}", waited.as_secs())]
    NotReached {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
    },
    /// Figures are off.
    #[error("the promise is broken:\n{problems}\nthe logs are in `{}`", logs.display())]
    Broken {
        /// A line for each run and figure.
        problems: String,
        /// Where the logs are.
        logs: PathBuf,
    },
    /// Ctrl-C.
    #[error("stopped by a signal")]
    Stopped,
}

impl ChaosCommand {
    /// Runs the scenarios one after the other and prints a row of the table for each.
    pub async fn run(self) -> Result<(), ChaosError> {
        tokio::select! {
            ended = self.run_all() => ended,
            _ = told_to_stop() => Err(ChaosError::Stopped),
        }
    }

    async fn run_all(&self) -> Result<(), ChaosError> {
        let scenarios = if self.only.is_empty() {
            Scenario::value_variants()
        } else {
            &self.only
        };
        let mut table = Table::new(io::stdout()).map_err(printing)?;
        for scenario in scenarios {
            let directory = self.directory.join(scenario.name());
            let figures = Box::pin(scenario.run(&directory, self.options)).await?;
            table.add(*scenario, &figures).map_err(printing)?;
        }
        let problems = table.problems();
        if problems.is_empty() {
            return Ok(());
        }
        Err(ChaosError::Broken {
            problems: problems.join("\n"),
            logs: self.directory.clone(),
        })
    }
}

fn printing(source: io::Error) -> ChaosError {
    failed("cannot print")(source)
}

/// Makes an error of what the system answered to this.
fn failed(context: impl Into<String>) -> impl FnOnce(io::Error) -> ChaosError {
    move |source| ChaosError::Io {
        context: context.into(),
        source,
    }
}
