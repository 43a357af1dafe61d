//! The stack until Ctrl-C.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time,
};

use crate::{
    mails::{MailOption, Mails},
    services::Logs,
    stack::{DevStack, Ports, StackError, StackOptions},
};

/// How often the services are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// Starts the stack, prints where it is, and keeps it up until Ctrl-C.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct RunCommand {
    #[command(flatten)]
    ports: Ports,
    #[command(flatten)]
    mail: MailOption,
}

/// Where the e-mails of `run --mail smtp` are kept.
const MAIL_FOLDER: &str = "data/run/mails";

/// Why it did not stay up.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The stack.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// Signals or the terminal.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Services that did not end as they should.
    #[error("did not end with exit code 0: {}", .0.join(", "))]
    Unclean(Vec<&'static str>),
}

impl RunCommand {
    /// Runs until SIGINT or SIGTERM, or until a service ends.
    pub async fn run(self) -> Result<(), RunError> {
        let mails = self.mail.mails(MAIL_FOLDER.as_ref());
        let options = StackOptions::new(self.ports, mails.clone(), Logs::Prefixed);
        let mut stack = tokio::select! {
            stack = DevStack::start(options) => stack?,
            told = told_to_stop() => return Ok(told?),
        };
        write!(io::stdout(), "{}", addresses(&stack, &mails))?;
        let ended = tokio::select! {
            told = told_to_stop() => told.map_err(RunError::from),
            error = watch(&mut stack) => Err(error.into()),
        };
        writeln!(io::stdout(), "Stopping")?;
        let unclean = stack.stop().await;
        ended?;
        if unclean.is_empty() {
            Ok(())
        } else {
            Err(RunError::Unclean(unclean))
        }
    }
}

/// Returns at SIGINT or SIGTERM.
pub(crate) async fn told_to_stop() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn watch(stack: &mut DevStack) -> StackError {
    loop {
        if let Err(error) = stack.check() {
            return error;
        }
        time::sleep(WATCH_INTERVAL).await;
    }
}

fn addresses(stack: &DevStack, mails: &Mails) -> String {
    let services = stack.services().iter();
    let addresses: Vec<(&str, String)> = services
        .map(|service| (service.name(), service.url()))
        .chain([
            ("SQS and SNS", stack.emulator().endpoint_url()),
            ("Redis", stack.redis().url()),
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
