//! Whether the services still take as little CPU a row as was recorded.
//!
//! CPU seconds of one machine say nothing on another one, and little on the same one beside noisy
//! neighbours. So they are measured in loops: the CPU time of a fixed piece of work of the same
//! kind, in the same run.

mod calibration;
mod costs;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
};

use calibration::calibrate;
use costs::Costs;

use super::{BenchError, Settings, failed, measure};
use crate::run::told_to_stop;

/// Runs before a rise counts, and before costs are recorded: the least of them is what neighbours
/// disturbed least.
const RUNS: usize = 3;

/// Checks that no service takes a quarter more CPU a row than was recorded.
#[derive(Debug, Clone, clap::Args)]
pub struct GuardCommand {
    /// The recorded costs.
    #[arg(long, default_value = "crates/devstack/guard.json")]
    recorded: PathBuf,
    /// Record the costs as they are now, instead of comparing with them.
    #[arg(long)]
    record: bool,
    /// Data rows of the generated file.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    /// Directory for the file, the logs and the data of Redis. Not one in memory.
    #[arg(long, default_value = "data/bench/guard")]
    directory: PathBuf,
}

impl GuardCommand {
    /// Measures up to three times: until no service takes too much.
    pub async fn run(self) -> Result<(), BenchError> {
        tokio::select! {
            done = self.guard() => done,
            _ = told_to_stop() => Err(BenchError::Stopped),
        }
    }

    async fn guard(&self) -> Result<(), BenchError> {
        if self.record {
            return self.record_costs().await;
        }
        let path = self.recorded.display();
        let context = format!("cannot read `{path}`, which `make bench/guard RECORD=1` writes");
        let recorded = Costs::read(&self.recorded).map_err(failed(context))?;
        let mut least = self.costs(1).await?;
        for run in 2..=RUNS {
            if least.problems(&recorded).is_empty() {
                break;
            }
            least = least.least(self.costs(run).await?);
        }
        print(&least.table(&recorded))?;
        let problems = least.problems(&recorded);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(BenchError::Risen(problems))
        }
    }

    async fn record_costs(&self) -> Result<(), BenchError> {
        let mut least = self.costs(1).await?;
        for run in 2..=RUNS {
            least = least.least(self.costs(run).await?);
        }
        let context = format!("cannot write `{}`", self.recorded.display());
        least.write(&self.recorded).map_err(failed(context))?;
        print(&format!("recorded in `{}`\n", self.recorded.display()))
    }

    /// Of one run, which has that number.
    async fn costs(&self, number: usize) -> Result<Costs, BenchError> {
        let settings = Settings {
            rows: self.rows,
            seed: 1,
            rows_per_message: 1,
            billing_workers: 1,
            mail_workers: 1,
            latency_ms: 0,
        };
        let before = calibration_seconds().await?;
        let run = measure(&settings, Path::new(&self.directory)).await?;
        let after = calibration_seconds().await?;
        let problems = run.problems();
        if !problems.is_empty() {
            return Err(BenchError::Off(problems));
        }
        let costs = Costs::of(&run, f64::midpoint(before, after));
        print(&format!(
            "run {number}: {costs} (calibrations: {before:.3} s before, {after:.3} s after)\n"
        ))?;
        Ok(costs)
    }
}

/// An import keeps every core busy. So do as many calibrations at once: where two cores share
/// caches or units, each of them is slowed as a service is.
async fn calibration_seconds() -> Result<f64, BenchError> {
    let mean = tokio::task::spawn_blocking(|| {
        let cores = thread::available_parallelism()?.get();
        let loops: Vec<_> = (0..cores).map(|_| thread::spawn(calibrate)).collect();
        let mut sum = 0.0;
        for one in loops {
            let panicked = |_| io::Error::other("the calibration panicked");
            sum += one.join().map_err(panicked)??.as_secs_f64();
        }
        Ok(sum / f64::from(u32::try_from(cores).unwrap_or(u32::MAX)))
    });
    mean.await
        .map_err(io::Error::other)
        .flatten()
        .map_err(failed("cannot calibrate"))
}

fn print(text: &str) -> Result<(), BenchError> {
    write!(io::stdout(), "{text}").map_err(failed("cannot print"))
}
