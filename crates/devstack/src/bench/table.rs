//! A run as people read it.

use std::fmt;

use super::measurement::{Cost, Measurement, as_f64};

/// A run, and another one to compare it with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    /// The run.
    pub(super) run: &'a Measurement,
    /// Where there is one, each figure has its ratio to the one there.
    pub(super) baseline: Option<&'a Measurement>,
}

const MEGABYTE: f64 = 1e6;

/// Name, unit and decimals of a figure of a run.
type Figure = (&'static str, &'static str, usize, fn(&Measurement) -> f64);

const FIGURES: [Figure; 9] = [
    ("accepted after", "s", 2, |run| run.times.accepted_seconds),
    ("last row sent after", "s", 2, |run| run.times.sent_seconds),
    ("last row billed after", "s", 2, |run| {
        run.times.billed_seconds
    }),
    ("last e-mail after", "s", 2, |run| run.times.mailed_seconds),
    ("rows a second", "", 0, |run| run.rows_per_second),
    ("/health, half within", "ms", 2, |run| run.health.p50_ms),
    ("/health, 99 % within", "ms", 2, |run| run.health.p99_ms),
    ("/health, longest", "ms", 2, |run| run.health.max_ms),
    ("the ledger holds", "MB", 1, |run| {
        as_f64(run.ledger.bytes) / MEGABYTE
    }),
];

/// Name and decimals of a figure of a program.
type Column = (&'static str, usize, fn(&Cost) -> f64);

const COLUMNS: [Column; 4] = [
    ("user s", 2, |cost| cost.user_seconds),
    ("system s", 2, |cost| cost.system_seconds),
    ("s for 1 M rows", 2, |cost| cost.seconds_per_million_rows),
    ("peak MB", 1, |cost| {
        as_f64(cost.peak_memory_bytes) / MEGABYTE
    }),
];

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, baseline } = self;
        writeln!(f, "\n{}", conditions(run))?;
        if let Some(baseline) = baseline {
            writeln!(f, "In brackets: as a multiple of\n{}", conditions(baseline))?;
        }
        writeln!(f)?;
        for (name, unit, decimals, of) in FIGURES {
            let value = of(run);
            let ratio = ratio(value, baseline.map(of));
            let line = format!("{name:<24} {value:>12.decimals$} {unit:<2} {ratio}");
            writeln!(f, "{}", line.trim_end())?;
        }
        self.costs(f)?;
        self.audit(f)
    }
}

impl Table<'_> {
    fn costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.baseline.is_some() { 22 } else { 16 };
        write!(f, "\n{:<18}", "CPU and memory")?;
        for (name, ..) in COLUMNS {
            write!(f, "{name:>width$}")?;
        }
        writeln!(f)?;
        for cost in &self.run.costs {
            let baseline = self.baseline.and_then(|run| run.cost(&cost.program));
            row(f, &cost.program, cost, baseline, width)?;
            if cost.processes.len() > 1 {
                for (number, process) in (1..).zip(&cost.processes) {
                    let one = Cost::of("", vec![*process], self.run.settings.rows);
                    row(f, &format!("  process {number}"), &one, None, width)?;
                }
            }
        }
        Ok(())
    }

    fn audit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let audit = &self.run.audit;
        writeln!(
            f,
            "\nrows {}: billed {}, skipped {}, invalid {}; e-mails {}\n\
             lost {}, billed twice {}, mailed twice {}",
            audit.rows,
            audit.billed,
            audit.skipped,
            audit.invalid,
            audit.mailed,
            audit.lost,
            audit.billed_twice,
            audit.mailed_twice,
        )?;
        let failed = self.run.health.failed;
        if failed > 0 {
            writeln!(f, "{failed} probes of /health were not answered")?;
        }
        for problem in self.run.problems() {
            writeln!(f, "OFF: {problem}")?;
        }
        Ok(())
    }
}

fn row(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    cost: &Cost,
    baseline: Option<&Cost>,
    width: usize,
) -> fmt::Result {
    write!(f, "{name:<18}")?;
    for (_, decimals, of) in COLUMNS {
        let value = of(cost);
        let ratio = ratio(value, baseline.map(of));
        let value = format!("{value:.decimals$} {ratio}");
        write!(f, "{:>width$}", value.trim_end())?;
    }
    writeln!(f)
}

/// Nothing where there is nothing to compare with.
fn ratio(value: f64, baseline: Option<f64>) -> String {
    match baseline {
        Some(baseline) if baseline > 0.0 => format!("({:.2}×)", value / baseline),
        _ => String::new(),
    }
}

/// What was run, where, and on what.
fn conditions(run: &Measurement) -> String {
    let Measurement {
        settings,
        machine,
        ledger,
        ..
    } = run;
    let [before, after] = [machine.load_before[0], machine.load_after[0]];
    let build = if run.release_build {
        "release build"
    } else {
        "DEBUG BUILD, which says nothing of speed"
    };
    format!(
        "{} rows of seed {}, {} a message; {} billing-worker, {} send-mail-worker, {} ms of latency\n\
         {}, {} cores, {:.1} GB, Linux {}; load {before:.2} before, {after:.2} after\n\
         revision {}, {build}; {} {}, {}",
        settings.rows,
        settings.seed,
        settings.rows_per_message,
        settings.billing_workers,
        settings.mail_workers,
        settings.latency_ms,
        machine.cpu,
        machine.cores,
        as_f64(machine.memory_bytes) / 1e9,
        machine.kernel,
        run.revision.as_deref().unwrap_or("unknown"),
        ledger.kind,
        ledger.version,
        ledger.durability,
    )
}

#[cfg(test)]
mod tests {
    use super::{super::measurement::tests::measurement, *};

    #[test]
    fn the_table_is_readable() {
        let run = measurement();
        insta::assert_snapshot!(Table {
            run: &run,
            baseline: None
        });
    }

    #[test]
    fn a_baseline_has_its_ratio_beside_each_figure_and_what_is_off_is_named() {
        let baseline = measurement();
        let mut run = measurement();
        run.times.mailed_seconds = 6.0;
        run.costs[0].seconds_per_million_rows *= 1.25;
        run.costs
            .push(Cost::of("redis", run.costs[0].processes.clone(), 200_000));
        run.audit.lost = 3;
        run.audit.problems = vec!["3 rows or e-mails lost".into()];
        run.health.failed = 1;
        insta::assert_snapshot!(Table {
            run: &run,
            baseline: Some(&baseline)
        });
    }

    #[test]
    fn nothing_has_no_ratio() {
        assert_eq!(ratio(3.0, Some(2.0)), "(1.50×)");
        assert_eq!(ratio(3.0, Some(0.0)), "");
        assert_eq!(ratio(3.0, None), "");
    }
}
