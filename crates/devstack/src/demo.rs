//! The stack, an upload, and whether its figures add up.

mod report;

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use common::ledger::LedgerError;

use crate::{
    generate::GenerateError,
    import::{
        Boletos, ConnectError, Expected, UploadError, WatchError, connect, sample, upload, watch,
    },
    mail_log::MailLog,
    mails::{MailCatcher, MailOption},
    run::told_to_stop,
    services::Logs,
    stack::{DevStack, Ports, StackError, StackOptions},
};

pub use report::Report;

/// How often the ledger is asked how far the import is.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Seed of a generated file.
const SEED: u64 = 1;

/// Starts the stack, uploads a file, and checks the outcome of every row.
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
    /// The ledger at start.
    #[error(transparent)]
    Connect(#[from] ConnectError),
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
    /// The import did not come to its end.
    #[error("{source}; the logs are in `{}`", logs.display())]
    Watch {
        /// Why.
        source: WatchError,
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
        let options = StackOptions::new(self.ports, mails.clone(), logs);
        let mut stack = tokio::select! {
            stack = DevStack::start(options) => stack?,
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
        Ok(sample(&self.logs, rows, SEED)?)
    }

    async fn import(
        &self,
        stack: &mut DevStack,
        input: &Path,
        expected: Expected,
        debts: &BTreeSet<String>,
    ) -> Result<Report, DemoError> {
        let ledger = connect(stack.redis().port()).await?;
        let started = Instant::now();
        let import_id = upload(&stack.importer_url(), input).await?;
        let accepted = started.elapsed();
        let counts = watch(stack, &ledger, import_id, POLL_INTERVAL, |_| ())
            .await
            .map_err(|source| DemoError::Watch {
                source,
                logs: self.logs.clone(),
            })?;
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
}
