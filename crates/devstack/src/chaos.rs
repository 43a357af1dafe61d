//! Imports during which everything is killed or taken away, and what became of their rows.
//!
//! Each fault is a run of its own: emulator, ledger and services start fresh, the services as
//! release binaries. A run ends when every row has its outcome or nothing moves any more.

mod arena;
mod carriers;
mod crew;
mod failover;
mod ledger_host;
mod lost_message;
mod network;
mod outcome;
mod post;
mod scenario;
mod storm;
mod table;

use std::{io, path::PathBuf};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use emulators::redis_server::AppendFsync;

use crate::{
    ledger_server::{LedgerKind, LedgerOption, LedgerOptions},
    run::or_stopped,
    spool_server::SpoolOption,
};

use scenario::Scenario;
use table::Table;

/// Kills and takes away what an import needs, and shows that no row is lost and none done twice.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ChaosCommand {
    /// Only this fault; may be given more than once.
    #[arg(long, value_enum)]
    only: Vec<Scenario>,
    #[command(flatten)]
    ledger: LedgerOption,
    #[command(flatten)]
    options: Options,
    /// Directory for what the runs leave: files, logs, the data of the ledger. That of an earlier run
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
    /// When Redis makes its append-only file safe; PostgreSQL does so at each commit.
    #[arg(long, default_value_t)]
    append_fsync: AppendFsync,
    #[command(flatten)]
    spool: SpoolOption,
}

impl Options {
    fn ledger(&self, kind: LedgerKind, with_replicas: bool) -> LedgerOptions {
        LedgerOptions {
            append_fsync: self.append_fsync,
            with_replicas,
            ..LedgerOptions::new(kind)
        }
    }
}

impl ChaosCommand {
    /// Runs the scenarios one after the other and prints a row of the table for each.
    pub(crate) async fn run(self) -> Result<()> {
        or_stopped(self.run_all()).await
    }

    async fn run_all(&self) -> Result<()> {
        let scenarios = if self.only.is_empty() {
            Scenario::value_variants()
        } else {
            &self.only
        };
        let kind = self.ledger.ledger;
        let mut table = Table::new(io::stdout(), kind)?;
        for scenario in scenarios {
            let directory = self.directory.join(scenario.name());
            let outcome = Box::pin(scenario.run(&directory, kind, self.options)).await?;
            table.add(*scenario, &outcome)?;
        }
        let problems = table.problems();
        ensure!(
            problems.is_empty(),
            "the promise is broken:\n{}\nthe logs are in `{}`",
            problems.join("\n"),
            self.directory.display()
        );
        Ok(())
    }
}
