//! The stack, an upload, and whether its figures add up.

mod boletos;
mod expected;
mod report;
mod upload;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::{
    ledger::{ImportLedger, LedgerError, OutcomeCounts, RedisLedger},
    service::{Environment, RedisSettings, SettingError, StartError},
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time;
use uuid::Uuid;

use crate::{
    generate::{GenerateCommand, GenerateError},
    mail_log::MailLog,
    mails::{MailCatcher, MailOption},
    run::told_to_stop,
    services::Logs,
    stack::{DevStack, Ports, StackError},
};

pub use boletos::Boletos;
pub use expected::Expected;
pub use report::Report;
pub use upload::UploadError;
pub(crate) use upload::upload;

/// How often the ledger is asked how far the import is.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Without any progress for that long the import counts as stuck.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// Share of duplicates and of bad rows in a generated file.
const DUPLICATES: f64 = 0.01;
const INVALID: f64 = 0.005;

/// Starts the stack, uploads a file, and checks what became of each row.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoCommand {
    #[command(flatten)]
    ports: Ports,
    #[command(flatten)]
    mail: MailOption,
    /// The file to upload.
    #[arg(long, default_value = "developer/input.csv")]
    input: PathBuf,
    /// Generate a file of that many rows and upload that.
    #[arg(long, env = "ROWS")]
    rows: Option<u64>,
    /// Directory for the logs of the services.
    #[arg(long, default_value = "data/demo")]
    logs: PathBuf,
}

/// Why the demonstration failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The file could not be generated.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The stack.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The upload.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The ledger's settings.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The ledger at start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file or the terminal.
    #[error("{context}: {source}")]
    Io {
        /// What was tried.
        context: String,
        /// What the system answered.
        source: io::Error,
    },
    /// Nothing moved any more.
    #[error("no progress for {} s; {counts:?}; the logs are in `{}`", STUCK_AFTER.as_secs(), logs.display())]
    Stuck {
        /// How far it was.
        counts: OutcomeCounts,
        /// Where the logs are.
        logs: PathBuf,
    },
    /// The figures are not what they should be.
    #[error("the figures do not add up; the logs are in `{}`", .0.display())]
    DoesNotAddUp(PathBuf),
    /// Ctrl-C.
    #[error("stopped by a signal")]
    Stopped,
}

impl DemoCommand {
    /// Runs the demonstration and prints its table.
    pub async fn run(self) -> Result<(), DemoError> {
        let input = self.input()?;
        let (expected, debts) = Expected::of_file(&input).map_err(|source| DemoError::Io {
            context: format!("cannot read `{}`", input.display()),
            source,
        })?;
        let logs = Logs::Files(self.logs.clone());
        let mails = self.mail.mails(&self.logs.join("mails"));
        let mut stack = tokio::select! {
            stack = DevStack::start(self.ports, &mails, &logs) => stack?,
            _ = told_to_stop() => return Err(DemoError::Stopped),
        };
        let result = tokio::select! {
            result = self.import(&mut stack, &input, expected, &debts) => result,
            _ = told_to_stop() => Err(DemoError::Stopped),
        };
        stack.stop().await;
        let mut report = result?;
        let mut log = MailLog::default();
        log.read(&self.logs.join("send-mail-worker.log"))
            .map_err(|source| DemoError::Io {
                context: "cannot read the log of send-mail-worker".to_owned(),
                source,
            })?;
        (report.mail_lines, report.mailed_debts) = (log.lines(), log.debts());
        writeln!(io::stdout(), "{report}E-mails: {mails}").map_err(|source| DemoError::Io {
            context: "cannot print".to_owned(),
            source,
        })?;
        if report.adds_up() {
            Ok(())
        } else {
            Err(DemoError::DoesNotAddUp(self.logs))
        }
    }

    /// The file to upload, generated if need be.
    fn input(&self) -> Result<PathBuf, DemoError> {
        let Some(rows) = self.rows else {
            return Ok(self.input.clone());
        };
        fs::create_dir_all(&self.logs).map_err(|source| DemoError::Io {
            context: format!("cannot create `{}`", self.logs.display()),
            source,
        })?;
        let output = self.logs.join("input.csv");
        let command = GenerateCommand {
            rows,
            seed: 1,
            duplicates: DUPLICATES,
            invalid: INVALID,
            output: output.clone(),
        };
        command.run()?;
        Ok(output)
    }

    async fn import(
        &self,
        stack: &mut DevStack,
        input: &Path,
        expected: Expected,
        debts: &BTreeSet<String>,
    ) -> Result<Report, DemoError> {
        let ledger = ledger(stack).await?;
        let started = Instant::now();
        let import_id = upload(&stack.importer_url(), input).await?;
        let accepted = started.elapsed();
        let counts = self.watch(stack, &ledger, import_id, expected.rows).await?;
        let taken = started.elapsed();
        Ok(Report {
            expected,
            counts,
            boletos: Boletos::of(&ledger, debts).await?,
            mail_lines: 0,
            mailed_debts: 0,
            at_server: stack.mail_catcher().map(MailCatcher::figures),
            accepted,
            taken,
        })
    }

    /// Shows how far the import is until it is complete.
    async fn watch(
        &self,
        stack: &mut DevStack,
        ledger: &RedisLedger,
        import_id: Uuid,
        rows: u64,
    ) -> Result<OutcomeCounts, DemoError> {
        let bar = ProgressBar::new(rows).with_style(style());
        let mut last = OutcomeCounts::default();
        let mut moved = Instant::now();
        loop {
            stack.check()?;
            let counts = ledger.outcome_counts(import_id).await?;
            bar.set_position(counts.mailed + counts.skipped + counts.invalid);
            bar.set_message(format!(
                "billed {}, mailed {}",
                counts.billed, counts.mailed
            ));
            if counts.rows > 0 && counts.is_complete() {
                bar.finish_and_clear();
                return Ok(counts);
            }
            if counts != last {
                (last, moved) = (counts, Instant::now());
            } else if moved.elapsed() > STUCK_AFTER {
                bar.abandon();
                let logs = self.logs.clone();
                return Err(DemoError::Stuck { counts, logs });
            }
            time::sleep(POLL_INTERVAL).await;
        }
    }
}

async fn ledger(stack: &DevStack) -> Result<RedisLedger, DemoError> {
    let environment: Environment = [
        ("REDIS_HOST".to_owned(), stack.redis().host().to_owned()),
        ("REDIS_PORT".to_owned(), stack.redis().port().to_string()),
    ]
    .into_iter()
    .collect();
    let settings = RedisSettings::read(&environment)?;
    Ok(RedisLedger::connect(&settings, None).await?)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} rows  {elapsed}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
