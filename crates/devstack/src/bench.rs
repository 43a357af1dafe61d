//! How fast the whole stack is, and what it takes: the same file for the same seed, from its upload
//! to the last e-mail, with all processes on this machine.
//!
//! Only on Linux, whose `/proc` says what each process took.

mod findings;
mod guard;
mod health;
mod json;
mod live;
mod machine;
mod measurement;
mod meter;
mod table;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Result;
use emulators::redis_server::AppendFsync;

use crate::{ledger_server::LedgerOption, run::or_stopped, spool_server::SpoolOption};

pub(crate) use guard::GuardCommand;

use live::measure;
use measurement::{Measurement, Settings};
use table::Table;

/// Measures how fast the whole stack is and what each process takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BenchCommand {
    #[command(flatten)]
    ledger: LedgerOption,
    #[command(flatten)]
    spool: SpoolOption,
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
    /// When Redis makes its append-only file safe; PostgreSQL does so at each commit.
    #[arg(long, default_value_t = AppendFsync::Everysec)]
    append_fsync: AppendFsync,
    /// The figures as JSON go to this file.
    #[arg(long, default_value = "data/bench/result.json")]
    output: PathBuf,
    /// Figures of an earlier run; the table has the ratio to each.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// Directory for the file, the logs and the data of the ledger. Not one in memory.
    #[arg(long, default_value = "data/bench")]
    directory: PathBuf,
}

impl BenchCommand {
    /// Runs the stack, prints the table and writes the JSON.
    pub(crate) async fn run(self) -> Result<()> {
        // Before the run, as it may be the file that the run replaces.
        let baseline = self
            .baseline
            .as_deref()
            .map(Measurement::read)
            .transpose()?;
        let settings = Settings {
            rows: self.rows,
            seed: self.seed,
            rows_per_message: self.rows_per_message,
            billing_workers: self.billing_workers.into(),
            mail_workers: self.mail_workers.into(),
            latency_ms: self.latency_ms,
            ledger: self.ledger.ledger,
            spool: self.spool.spool,
            importers: self.spool.importers,
            append_fsync: self.append_fsync,
        };
        let run = or_stopped(measure(&settings, &self.directory)).await?;
        run.write(&self.output)?;
        let table = Table {
            run: &run,
            baseline: baseline.as_ref(),
        };
        writeln!(io::stdout(), "{table}Figures: {}", self.output.display())?;
        run.must_count()
    }
}
