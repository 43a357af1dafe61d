//! Whether the services still take as few instructions a row as was recorded.
//!
//! CPU seconds of one machine say nothing on another one, and little on the same one beside noisy
//! neighbours. The instructions that a service executes are the same everywhere, within a few in a
//! hundred. Callgrind counts them, on a processor of its own making; the time in the kernel is not
//! among them, but what calls it is.

mod costs;

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use costs::Costs;

use crate::{
    callgrind::Callgrind,
    generate::sample,
    import::{connect, finished, upload},
    mails::Mails,
    run::or_stopped,
    services::{Kind, Logs},
    stack::{DevStack, Ports, StackOptions},
    verdict::Verdict,
};

/// Seed of the file.
const SEED: u64 = 1;

/// How often the ledger is asked how far the import is.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Checks that no service takes a tenth more instructions a row than was recorded.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GuardCommand {
    /// The recorded costs.
    #[arg(long, default_value = "crates/devstack/guard.json")]
    recorded: PathBuf,
    /// Record the costs as they are now, instead of comparing with them.
    #[arg(long)]
    record: bool,
    /// Data rows of the generated file.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// Directory for the file, the logs, the data of the ledger, and what was counted.
    #[arg(long, default_value = "data/bench/guard")]
    directory: PathBuf,
}

impl GuardCommand {
    /// Counts, and compares or records.
    pub(crate) async fn run(self) -> Result<()> {
        if self.record {
            or_stopped(self.costs()).await?.write(&self.recorded)?;
            writeln!(io::stdout(), "recorded in `{}`", self.recorded.display())?;
            return Ok(());
        }
        let recorded = Costs::read(&self.recorded)
            .context("`make bench/guard RECORD=1` writes what is compared with")?;
        let costs = or_stopped(self.costs()).await?;
        write!(io::stdout(), "{}", costs.table(&recorded))?;
        let problems = costs.problems(&recorded);
        ensure!(
            problems.is_empty(),
            "{}; `callgrind_annotate {}/SERVICE.callgrind` says where; where that is meant, \
             record it with `make bench/guard RECORD=1`",
            problems.join("; "),
            self.directory.display()
        );
        Ok(())
    }

    /// One process of each service on one Redis, as the suite is shipped.
    async fn costs(&self) -> Result<Costs> {
        let input = sample(&self.directory, self.rows, SEED)?;
        let callgrind = Callgrind::into(self.directory.clone())?;
        let mut stack = DevStack::start(StackOptions {
            callgrind: Some(callgrind.clone()),
            ..StackOptions::new(
                Ports::free().context("no free port")?,
                Mails::Log,
                Logs::Files(self.directory.join("logs")),
            )
        })
        .await?;
        let ledger = connect(stack.ledger_server()).await?;
        let import_id = upload(&stack.importer_url(), &input).await?;
        finished(&mut stack, &ledger, import_id, POLL_INTERVAL, |_| ()).await?;
        // It stops the services, at which they are counted.
        let verdict = Verdict::of_import(stack, &ledger, import_id, &input).await?;
        let problems = verdict.problems();
        if !problems.is_empty() {
            bail!("the figures do not add up: {}", problems.join("; "));
        }
        Costs::of(self.rows, |kind: Kind| callgrind.instructions(kind.name()))
    }
}
