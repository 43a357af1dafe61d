//! The stack until Ctrl-C.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Error, Result, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    time,
};

use crate::{
    ledger_server::{LedgerOption, LedgerOptions},
    mails::{MailOption, Mails},
    services::Logs,
    spool_server::SpoolOption,
    stack::{DevStack, Ports, StackOptions},
};

/// How often the services are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// Starts the stack, prints where it is, and keeps it up until Ctrl-C.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct RunCommand {
    #[command(flatten)]
    ports: Ports,
    #[command(flatten)]
    ledger: LedgerOption,
    #[command(flatten)]
    spool: SpoolOption,
    #[command(flatten)]
    mail: MailOption,
}

/// Where the e-mails of `run --mail smtp` are kept.
const MAIL_FOLDER: &str = "data/run/mails";

impl RunCommand {
    /// Runs until SIGINT or SIGTERM, or until a service ends.
    pub(crate) async fn run(self) -> Result<()> {
        let mails = self.mail.mails(MAIL_FOLDER.as_ref());
        let options = StackOptions {
            ledger: LedgerOptions::new(self.ledger.ledger),
            spool: self.spool,
            ..StackOptions::new(self.ports, mails.clone(), Logs::Prefixed)
        };
        let mut stack = tokio::select! {
            stack = DevStack::start(options) => stack?,
            told = told_to_stop() => return told,
        };
        write!(io::stdout(), "{}", addresses(&stack, &mails))?;
        let ended = tokio::select! {
            told = told_to_stop() => told,
            error = until_one_ends(&mut stack) => Err(error),
        };
        writeln!(io::stdout(), "Stopping")?;
        let stopped = stack.stop().await;
        ended.and(stopped)
    }
}

/// Runs something to its end; an error at SIGINT or SIGTERM.
pub(crate) async fn or_stopped<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        told = told_to_stop() => {
            told?;
            bail!("stopped by a signal")
        }
    }
}

/// Returns at SIGINT or SIGTERM.
async fn told_to_stop() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn until_one_ends(stack: &mut DevStack) -> Error {
    loop {
        if let Err(error) = stack.check() {
            return error;
        }
        time::sleep(WATCH_INTERVAL).await;
    }
}

fn addresses(stack: &DevStack, mails: &Mails) -> String {
    let services = stack.services().iter();
    let ledger = stack.ledger_server();
    let kind = ledger.kind().to_string();
    let addresses: Vec<(&str, String)> = services
        .map(|service| (service.kind().name(), service.url()))
        .chain([
            ("SQS and SNS", stack.emulator().endpoint_url()),
            (&kind, ledger.url()),
        ])
        .chain(stack.mail_catcher().map(|catcher| ("SMTP", catcher.url())))
        .collect();
    let lines: Vec<String> = addresses
        .iter()
        .map(|(name, url)| format!("  {name:<17} {url}"))
        .collect();
    let importer = stack.importer_url();
    format!(
        "\nThe stack is up; Ctrl-C stops it.\n\n{}\n\n  \
         Page: {importer}/\n  \
         API documentation: {importer}/docs\n  \
         Upload: curl --form 'file=@\"developer/input.csv\"' {importer}/v1/upload\n  E-mails: {mails}\n\n",
        lines.join("\n"),
    )
}
