//! Whether the services still take as little CPU a row as was recorded.
//!
//! CPU seconds of one machine say nothing on another one, and little on the same one beside noisy
//! neighbours. So they are measured in loops: the CPU time of a fixed piece of work of the same
//! kind, in the same run.

mod calibration;
mod costs;

use std::{
    io::{self, Write},
    path::PathBuf,
    thread,
};

use anyhow::{Context, Result, ensure};
use tokio::task::spawn_blocking;

use calibration::calibrate;
use costs::Costs;

use super::{live::measure, measurement::Settings};
use crate::run::or_stopped;

/// Runs before a rise counts, and before costs are recorded: the least of them is what neighbours
/// disturbed least.
const RUNS: usize = 3;

/// Checks that no service takes a quarter more CPU a row than was recorded.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GuardCommand {
    /// The recorded costs.
    #[arg(long, default_value = "crates/devstack/guard.json")]
    recorded: PathBuf,
    /// Record the costs as they are now, instead of comparing with them.
    #[arg(long)]
    record: bool,
    /// Data rows of the generated file.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// Directory for the file, the logs and the data of the ledger. Not one in memory.
    #[arg(long, default_value = "data/bench/guard")]
    directory: PathBuf,
}

impl GuardCommand {
    /// Measures up to three times: until no service takes too much.
    pub(crate) async fn run(self) -> Result<()> {
        or_stopped(async {
            if self.record {
                self.record_costs().await
            } else {
                self.compare_costs().await
            }
        })
        .await
    }

    async fn compare_costs(&self) -> Result<()> {
        let recorded = Costs::read(&self.recorded)
            .context("`make bench/guard RECORD=1` writes what is compared with")?;
        let mut least = self.costs(1).await?;
        for run in 2..=RUNS {
            if least.problems(&recorded).is_empty() {
                break;
            }
            least = least.least(self.costs(run).await?);
        }
        write!(io::stdout(), "{}", least.table(&recorded))?;
        let problems = least.problems(&recorded);
        ensure!(
            problems.is_empty(),
            "{}; where that is meant, record it with `make bench/guard RECORD=1`",
            problems.join("; ")
        );
        Ok(())
    }

    async fn record_costs(&self) -> Result<()> {
        let mut least = self.costs(1).await?;
        for run in 2..=RUNS {
            least = least.least(self.costs(run).await?);
        }
        least.write(&self.recorded)?;
        writeln!(io::stdout(), "recorded in `{}`", self.recorded.display())?;
        Ok(())
    }

    /// Of one run, which has that number.
    async fn costs(&self, number: usize) -> Result<Costs> {
        let settings = Settings::shipped(self.rows);
        let before = calibration_seconds().await?;
        let run = measure(&settings, &self.directory).await?;
        let after = calibration_seconds().await?;
        run.must_count()?;
        let costs = Costs::of(&run, f64::midpoint(before, after));
        writeln!(
            io::stdout(),
            "run {number}: {costs} (calibrations: {before:.3} s before, {after:.3} s after)"
        )?;
        Ok(costs)
    }
}

/// An import keeps every core busy. So do as many calibrations at once: where two cores share
/// caches or units, each of them is slowed as a service is.
async fn calibration_seconds() -> Result<f64> {
    let cores = thread::available_parallelism()?.get();
    let loops: Vec<_> = (0..cores).map(|_| spawn_blocking(calibrate)).collect();
    let mut sum = 0.0;
    for one in loops {
        sum += one.await?.context("cannot calibrate")?.as_secs_f64();
    }
    Ok(sum / f64::from(u32::try_from(cores)?))
}
