//! A server that is a process of its own: the port that it takes, and how it starts.

use std::{io, process::ExitStatus, time::Duration};

use tokio::time::{self, Instant};

use crate::{
    child::{self, OwnedChild, Program},
    data_directory::{DataDirectory, Log},
    free_port,
};

/// Longest wait for a first answer; a server with much data, or one that was killed, reads its log
/// first.
pub(crate) const START_DEADLINE: Duration = Duration::from_mins(1);

/// Longest wait for a server that was asked to shut down; after that it is killed.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// How often a condition is looked at while waiting for it.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How many free ports to try: another process may take one before the server does.
const PORT_ATTEMPTS: u32 = 5;

/// Why a server does not answer.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// The process could not be started.
    Spawn(io::Error),
    /// Another process listens on its port.
    PortInUse,
    /// It ended before it answered.
    Exited {
        status: ExitStatus,
        /// Its log.
        log: Log,
    },
    /// It runs but does not answer.
    NoAnswer {
        /// Its log.
        log: Log,
    },
}

/// Starts a server on that port, or on any that is free.
pub(crate) async fn on_a_port<T, E>(
    port: Option<u16>,
    start: impl AsyncFn(u16) -> Result<T, E>,
    no_free_port: fn(io::Error) -> E,
    is_in_use: fn(&E) -> bool,
) -> Result<T, E> {
    if let Some(port) = port {
        return start(port).await;
    }
    let mut attempts = PORT_ATTEMPTS;
    loop {
        attempts -= 1;
        match start(free_port().map_err(no_free_port)?).await {
            Err(error) if is_in_use(&error) && attempts > 0 => {}
            started => return started,
        }
    }
}

/// Starts the process and waits until it answers as the one of that id.
pub(crate) async fn launch(
    program: Program,
    files: &DataDirectory,
    answers_as: impl AsyncFn(u32) -> bool,
) -> Result<OwnedChild, NotStarted> {
    let mut child = child::spawn(program).await.map_err(NotStarted::Spawn)?;
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        if answers_as(child.id()).await {
            return Ok(child);
        }
        if let Some(status) = child.exited().map_err(NotStarted::Spawn)? {
            let log = files.log();
            return Err(if log.says("Address already in use") {
                NotStarted::PortInUse
            } else {
                NotStarted::Exited { status, log }
            });
        }
        if Instant::now() >= deadline {
            let log = files.log();
            return Err(NotStarted::NoAnswer { log });
        }
        time::sleep(POLL_INTERVAL).await;
    }
}
