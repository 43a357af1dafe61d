//! The three services as processes.

use std::{
    env,
    fs::{self, File},
    io::{self, BufRead, BufReader, PipeReader, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::ExitStatus,
    thread,
    time::Duration,
};

use tokio::time::{self, Instant};

use emulators::child::{self, OwnedChild, Program};

/// Longest wait for a service to answer after its start.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Longest wait for a service to end after it was told to: send-mail-worker
/// waits for the last answers of its mail server.
const STOP_DEADLINE: Duration = Duration::from_secs(26);

/// How often a service is asked while it starts.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How many of the last lines of a log an error shows.
const SHOWN_LINES: usize = 10;

/// What can go wrong with a service.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The binary is not beside this one.
    #[error("`{}` is not there: build the workspace first, with `make build`", .0.display())]
    NotBuilt(PathBuf),
    /// The process or its log could not be made.
    #[error("cannot start {service}: {source}")]
    Start {
        /// The service.
        service: &'static str,
        /// What the system answered.
        source: io::Error,
    },
    /// It ended though nobody told it to.
    #[error("{service} ended ({status}); its last words:\n{last_words}")]
    Ended {
        /// The service.
        service: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        last_words: String,
    },
    /// It runs but does not answer.
    #[error("{service} did not answer at {url} in {} s; its last words:\n{last_words}", READY_DEADLINE.as_secs())]
    NoAnswer {
        /// The service.
        service: &'static str,
        /// Where it was asked.
        url: String,
        /// The end of its log.
        last_words: String,
    },
}

/// What becomes of what the services log.
#[derive(Debug, Clone)]
pub enum Logs {
    /// Lines go to standard output, each with the name of its service before it.
    Prefixed,
    /// A file for each service in this directory.
    Files(PathBuf),
    /// This file, for the one service that is started with it.
    File(PathBuf),
}

impl Logs {
    /// Where one of several processes of a service logs to: those after the first have a file of
    /// their own.
    pub(crate) fn of_process(&self, service: &str, number: usize) -> Self {
        match self {
            Self::Files(directory) if number > 1 => {
                Self::File(directory.join(format!("{service}-{number}.log")))
            }
            logs => logs.clone(),
        }
    }
}

/// One service: its name, its port, and its own variables.
#[derive(Debug, Clone)]
pub struct ServiceSettings {
    /// Name of the service and of its binary.
    pub name: &'static str,
    /// Port of its HTTP listener.
    pub port: u16,
    /// Its environment, added to that of this process.
    pub environment: Vec<(&'static str, String)>,
}

/// A running service. Dropping it kills the process.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    port: u16,
    child: OwnedChild,
    log: Option<PathBuf>,
}

impl Service {
    /// Starts a service; it may not answer yet.
    pub async fn start(settings: ServiceSettings, logs: &Logs) -> Result<Self, ServiceError> {
        let name = settings.name;
        let failed = |source| ServiceError::Start {
            service: name,
            source,
        };
        let binary = binary(name).map_err(failed)?;
        if !binary.is_file() {
            return Err(ServiceError::NotBuilt(binary));
        }
        let (output, log) = output(name, logs).map_err(failed)?;
        let program = Program {
            binary,
            arguments: Vec::new(),
            environment: settings.environment,
            log: output,
        };
        Ok(Self {
            name,
            port: settings.port,
            child: child::spawn(program).await.map_err(failed)?,
            log,
        })
    }

    /// Name of the service.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port on 127.0.0.1 at which it answers.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The file with its log, if it has one.
    pub fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    /// Waits until it answers that it is healthy.
    pub async fn ready(&mut self, http: &reqwest::Client) -> Result<(), ServiceError> {
        let url = format!("{}/health", self.url());
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            self.check()?;
            let answer = http.get(&url).timeout(READY_DEADLINE).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(ServiceError::NoAnswer {
                    service: self.name,
                    url,
                    last_words: self.last_words(),
                });
            }
            time::sleep(POLL_INTERVAL).await;
        }
    }

    /// An error if it has ended.
    pub fn check(&mut self) -> Result<(), ServiceError> {
        match self.child.exited() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(ServiceError::Ended {
                service: self.name,
                status,
                last_words: self.last_words(),
            }),
            Err(source) => Err(ServiceError::Start {
                service: self.name,
                source,
            }),
        }
    }

    /// Tells it to end, without waiting.
    pub fn terminate(&self) {
        self.child.terminate();
    }

    /// How it ended; `None` if it had to be killed.
    pub async fn ended(mut self) -> Option<ExitStatus> {
        self.child.ended_within(STOP_DEADLINE).await
    }

    fn last_words(&self) -> String {
        let Some(log) = &self.log else {
            return "(see above)".to_owned();
        };
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

/// The services are built into the directory of this program.
fn binary(name: &str) -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}

fn output(name: &'static str, logs: &Logs) -> io::Result<(OwnedFd, Option<PathBuf>)> {
    match logs {
        Logs::Files(directory) => {
            fs::create_dir_all(directory)?;
            let path = directory.join(format!("{name}.log"));
            Ok((File::create(&path)?.into(), Some(path)))
        }
        Logs::File(path) => Ok((File::create(path)?.into(), Some(path.clone()))),
        Logs::Prefixed => {
            let (reader, writer) = io::pipe()?;
            thread::Builder::new()
                .name(format!("{name}-log"))
                .spawn(move || prefix_lines(name, reader))?;
            Ok((writer.into(), None))
        }
    }
}

/// Copies lines until the service has ended.
fn prefix_lines(name: &str, log: PipeReader) {
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        // A terminal that is gone must not end the service.
        let _ = writeln!(io::stdout(), "{name:>16} | {line}");
    }
}
