//! How fast the whole stack is, and what it takes: the same file for the same seed, from its upload
//! to the last e-mail, with all processes on this machine.
//!
//! Only on Linux, whose `/proc` says what each process took.

mod findings;
mod guard;
mod health;
mod live;
mod machine;
mod measurement;
mod meter;
mod table;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use common::ledger::LedgerError;

use crate::{
    generate::GenerateError,
    import::{ConnectError, UploadError, WatchError},
    run::told_to_stop,
    stack::StackError,
};

pub use findings::Findings;
pub use guard::GuardCommand;
pub use health::Health;
pub use machine::Machine;
pub use measurement::{Cost, Measurement, Settings, Times};
pub use meter::ProcessCost;
pub use table::Table;

use live::measure;

/// Measures how fast the whole stack is and what each process takes.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchCommand {
    /// Data rows of the generated file.
    #[arg(long, default_value_t = 1_100_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// Another seed makes another file.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rows that importer-api puts into a message.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    rows_per_message: u64,
    /// Processes of billing-worker.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    billing_workers: u16,
    /// Processes of send-mail-worker.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    mail_workers: u16,
    /// Milliseconds by which each answer of SQS and SNS comes later, as over a network.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// The figures as JSON go to this file.
    #[arg(long, default_value = "data/bench/result.json")]
    output: PathBuf,
    /// Figures of an earlier run; the table has the ratio to each.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// Directory for the file, the logs and the data of Redis. Not one in memory.
    #[arg(long, default_value = "data/bench")]
    directory: PathBuf,
}

/// Why there are no figures, or why they do not count.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The file could not be generated.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The stack.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The upload.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The ledger at start.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The import did not come to its end.
    #[error("{source}; the logs are in `{}`", logs.display())]
    Watch {
        /// Why.
        source: WatchError,
        /// Where the logs are.
        logs: PathBuf,
    },
    /// importer-api never recorded that all rows are sent.
    #[error("every row is mailed, and importer-api did not record that all are sent")]
    NotSent,
    /// A file, a process or the terminal.
    #[error("{context}: {source}")]
    Io {
        /// What was tried.
        context: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The run is not as it must be.
    #[error("the run does not count: {}", .0.join("; "))]
    Off(Vec<String>),
    /// A service takes too much.
    #[error(
        "{}; where that is meant, record it with `make bench/guard RECORD=1`", .0.join("; ")
    )]
    Risen(Vec<String>),
    /// Ctrl-C.
    #[error("stopped by a signal")]
    Stopped,
}

impl BenchCommand {
    /// Runs the stack, prints the table and writes the JSON.
    pub async fn run(self) -> Result<(), BenchError> {
        // Before the run, as it may be the file that the run replaces.
        let baseline = self.baseline.as_deref().map(|path| {
            let context = format!("cannot read `{}`", path.display());
            Measurement::read(path).map_err(failed(context))
        });
        let baseline = baseline.transpose()?;
        let settings = Settings {
            rows: self.rows,
            seed: self.seed,
            rows_per_message: self.rows_per_message,
            billing_workers: self.billing_workers.into(),
            mail_workers: self.mail_workers.into(),
            latency_ms: self.latency_ms,
        };
        let run = tokio::select! {
            run = measure(&settings, &self.directory) => run?,
            _ = told_to_stop() => return Err(BenchError::Stopped),
        };
        let context = format!("cannot write `{}`", self.output.display());
        run.write(&self.output).map_err(failed(context))?;
        let table = Table {
            run: &run,
            baseline: baseline.as_ref(),
        };
        let printed = writeln!(io::stdout(), "{table}Figures: {}", self.output.display());
        printed.map_err(failed("cannot print"))?;
        let problems = run.problems();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(BenchError::Off(problems))
        }
    }
}

fn failed(context: impl Into<String>) -> impl FnOnce(io::Error) -> BenchError {
    move |source| BenchError::Io {
        context: context.into(),
        source,
    }
}
