//! The stack, an upload, and whether its figures add up.

mod report;

use std::{
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    generate::sample,
    import::{Expected, connect, finished, upload},
    ledger_server::{LedgerOption, LedgerOptions},
    mails::MailOption,
    run::or_stopped,
    services::Logs,
    spool_server::SpoolOption,
    stack::{DevStack, Ports, StackOptions},
    verdict::Verdict,
};

use report::Report;

/// How often the ledger is asked how far the import is.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Seed of a generated file.
const SEED: u64 = 1;

/// Starts the stack, uploads a file, and checks the outcome of every row.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DemoCommand {
    #[command(flatten)]
    ports: Ports,
    #[command(flatten)]
    ledger: LedgerOption,
    #[command(flatten)]
    spool: SpoolOption,
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

impl DemoCommand {
    /// Runs the demonstration and prints its table.
    pub(crate) async fn run(self) -> Result<()> {
        let input = match self.rows {
            Some(rows) => sample(&self.logs, rows, SEED)?,
            None => self.input.clone(),
        };
        // What is no such file is told of before anything is started.
        Expected::of_file(&input)?;
        let mails = self.mail.mails(&self.logs.join("mails"));
        let options = StackOptions {
            ledger: LedgerOptions::new(self.ledger.ledger),
            spool: self.spool,
            ..StackOptions::new(self.ports, mails.clone(), Logs::Files(self.logs.clone()))
        };
        let report = or_stopped(async {
            let mut stack = DevStack::start(options).await?;
            let ledger = connect(stack.ledger_server()).await?;
            let started = Instant::now();
            let import_id = upload(&stack.importer_url(), &input).await?;
            let accepted = started.elapsed();
            finished(&mut stack, &ledger, import_id, POLL_INTERVAL, |_| ())
                .await
                .with_context(|| {
                    format!("the import does not end (logs: `{}`)", self.logs.display())
                })?;
            Ok(Report {
                accepted,
                taken: started.elapsed(),
                verdict: Verdict::of_import(stack, &ledger, import_id, &input).await?,
            })
        })
        .await?;
        writeln!(io::stdout(), "{report}E-mails: {mails}")?;
        if cfg!(debug_assertions) {
            writeln!(
                io::stdout(),
                "This is a development build, quick to build and slow to run: \
                 `PROFILE=dist make demo ROWS=100000` or `make bench` shows the speed."
            )?;
        }
        let problems = report.verdict.problems();
        if !problems.is_empty() {
            bail!(
                "the figures do not add up: {}; the logs are in `{}`",
                problems.join("; "),
                self.logs.display()
            );
        }
        Ok(())
    }
}
