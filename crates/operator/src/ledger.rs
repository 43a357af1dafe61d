//! Moves a ledger to another place.

use std::fs;
use std::io::{self, Write};
use std::sync::Arc;

use clap::{Args, Subcommand};
use common::ledger::{ExportLedger, LedgerSettings, RedisLedger, SharedLedger, copy_ledger};
use common::runtime::Environment;

use crate::error::CommandError;

/// Move the ledger to another place.
#[derive(Debug, Args)]
pub(crate) struct Ledger {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    Copy(Copy),
    Open(Open),
}

/// Copy all that a ledger in Redis knows to another ledger.
///
/// Stop the services first. The source is closed before anything is read:
/// nothing is billed on it any more, and a service that still runs on it waits.
/// Every row is compared in the end. A copy that was stopped is started again;
/// nothing is done twice. Then start the services with `LEDGER_URL` at the copy.
#[derive(Debug, Args)]
struct Copy {
    /// The URL of the source, or `file:PATH` of a file that holds it; without it,
    /// the ledger that the environment names
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The URL of the ledger that takes its place, or `file:PATH`
    #[arg(long, value_name = "URL")]
    to: String,
}

/// Open a ledger again that was closed for a copy.
///
/// For a copy that is given up. Never open a ledger that services have left:
/// it would bill debts that its copy has billed.
#[derive(Debug, Args)]
struct Open {
    /// The URL of the ledger, or `file:PATH` of a file that holds it; without it,
    /// the ledger that the environment names
    #[arg(long, value_name = "URL")]
    at: Option<String>,
}

impl Ledger {
    /// # Errors
    /// When a ledger cannot be used, and when the copy is not complete.
    pub(crate) async fn run(
        self,
        environment: &Environment,
        output: &mut impl Write,
    ) -> Result<(), CommandError> {
        match self.command {
            LedgerCommand::Copy(copy) => copy.run(environment, output).await,
            LedgerCommand::Open(open) => open.run(environment, output).await,
        }
    }
}

impl Copy {
    async fn run(
        self,
        environment: &Environment,
        output: &mut impl Write,
    ) -> Result<(), CommandError> {
        let from = source(settings(self.from.as_deref(), environment)?).await?;
        let to = target(settings(Some(&self.to), environment)?, &from).await?;
        // Nowhere is left to say that standard error is closed.
        let _ = writeln!(
            io::stderr(),
            "waiting for e-mails in hand, up to a minute after the last service has stopped"
        );
        let mut shown = 0;
        let copied = copy_ledger(&from, &to, |copied| {
            // About once per hundred thousand debts.
            if copied.debts / 100_000 > shown {
                shown = copied.debts / 100_000;
                let _ = writeln!(io::stderr(), "copied so far: {copied}");
            }
        });
        let copied = copied.await;
        let copied = copied.map_err(|error| CommandError::NotDone(error.to_string()))?;
        writeln!(
            output,
            "Copied {copied}; every row is the same there. The source is closed: start the services with LEDGER_URL at the copy."
        )?;
        Ok(())
    }
}

impl Open {
    async fn run(
        self,
        environment: &Environment,
        output: &mut impl Write,
    ) -> Result<(), CommandError> {
        let ledger = source(settings(self.at.as_deref(), environment)?).await?;
        let opened = ledger.open().await;
        opened.map_err(|error| CommandError::NotDone(error.to_string()))?;
        writeln!(output, "The ledger is open: it takes claims again.")?;
        Ok(())
    }
}

/// The ledger at a URL, or the one that the environment names.
fn settings(url: Option<&str>, environment: &Environment) -> Result<LedgerSettings, CommandError> {
    let Some(url) = url else {
        return Ok(LedgerSettings::read(environment)?);
    };
    let Some(path) = url.strip_prefix("file:") else {
        return Ok(LedgerSettings::at(url, environment)?);
    };
    let read = fs::read_to_string(path)
        .map_err(|error| CommandError::NotDone(format!("{path} cannot be read: {error}")))?;
    Ok(LedgerSettings::at(read.trim(), environment)?)
}

/// The ledger that takes the place of the source.
async fn target(
    settings: LedgerSettings,
    source: &RedisLedger,
) -> Result<SharedLedger, CommandError> {
    let LedgerSettings::Redis(redis) = &settings else {
        return Ok(settings.connect(None).await?);
    };
    let target = RedisLedger::connect(redis, None).await?;
    match source.is(&target).await {
        Ok(false) => Ok(Arc::new(target)),
        Ok(true) => Err(CommandError::NotDone(
            "source and target are the same ledger; nothing was done".to_owned(),
        )),
        Err(error) => Err(CommandError::NotDone(format!("{error}; nothing was done"))),
    }
}

/// A ledger that can be copied.
async fn source(settings: LedgerSettings) -> Result<RedisLedger, CommandError> {
    match settings {
        LedgerSettings::Redis(redis) => Ok(RedisLedger::connect_though_closed(&redis).await?),
        LedgerSettings::Postgres(_) => Err(CommandError::NotDone(
            "a ledger in PostgreSQL can be copied to, and not from: name one in Redis".into(),
        )),
    }
}
