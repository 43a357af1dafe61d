//! The three services as processes.

use std::{
    env,
    fs::{self, File},
    io::{self, BufRead, BufReader, PipeReader, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};

use crate::{callgrind::Callgrind, wait::until};

use emulators::{
    child::{self, OwnedChild, Program},
    emulator::PipelineResources,
};

/// Longest wait for a service to answer after its start.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// Longest wait for a service to end after it was told to: send-mail-worker
/// waits for the last answers of its mail server.
const STOP_DEADLINE: Duration = Duration::from_secs(26);

/// How often a service is asked while it starts.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How many of the last lines of a log an error shows.
const SHOWN_LINES: usize = 10;

/// What becomes of what the services log.
#[derive(Debug, Clone)]
pub(crate) enum Logs {
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
    pub(crate) fn of_process(&self, service: Kind, number: usize) -> Self {
        match self {
            Self::Files(directory) if number > 1 => {
                Self::File(directory.join(format!("{}-{number}.log", service.name())))
            }
            logs => logs.clone(),
        }
    }
}

/// A kind of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Importer,
    Billing,
    Mail,
}

impl Kind {
    /// In the order of the flow.
    pub(crate) const ALL: [Self; 3] = [Self::Importer, Self::Billing, Self::Mail];

    /// Name of the service and of its binary.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Importer => "importer-api",
            Self::Billing => "billing-worker",
            Self::Mail => "send-mail-worker",
        }
    }

    /// The variables of its queue, and those that it needs besides.
    pub(crate) fn variables(self, queues: &PipelineResources) -> Vec<Variable> {
        let queue = match self {
            Self::Importer | Self::Billing => &queues.data_process_url,
            Self::Mail => &queues.process_email_url,
        };
        let mut variables = vec![("SQS_QUEUE_URL", queue.clone())];
        if self == Self::Billing {
            variables.push(("SNS_TOPIC_ARN", queues.topic_arn.clone()));
        }
        variables
    }

    fn port_variable(self) -> &'static str {
        match self {
            Self::Importer => "PORT",
            Self::Billing | Self::Mail => "METRICS_PORT",
        }
    }
}

/// A variable of the environment.
pub(crate) type Variable = (&'static str, String);

/// One service: its port, and its own variables.
#[derive(Debug, Clone)]
pub(crate) struct ServiceSettings {
    /// Which service.
    pub(crate) kind: Kind,
    /// Port of its HTTP listener.
    pub(crate) port: u16,
    /// Its environment, added to that of this process. The later value of a variable counts.
    pub(crate) environment: Vec<Variable>,
    /// Counts its instructions.
    pub(crate) callgrind: Option<Callgrind>,
}

/// A running service. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Service {
    kind: Kind,
    port: u16,
    child: OwnedChild,
    log: Option<PathBuf>,
}

impl Service {
    /// Starts a service; it may not answer yet.
    pub(crate) async fn start(settings: ServiceSettings, logs: &Logs) -> Result<Self> {
        let ServiceSettings {
            kind,
            port,
            mut environment,
            callgrind,
        } = settings;
        environment.push((kind.port_variable(), port.to_string()));
        let name = kind.name();
        let context = || format!("cannot start {name}");
        // The services are built into the directory of this program.
        let binary = env::current_exe()
            .with_context(context)?
            .with_file_name(name);
        ensure!(
            binary.is_file(),
            "`{}` is not there: build the workspace first, with `make build`",
            binary.display()
        );
        let (output, log) = output(name, logs).with_context(context)?;
        let (binary, arguments) = match &callgrind {
            Some(callgrind) => callgrind.command(name, &binary),
            None => (binary, Vec::new()),
        };
        let program = Program {
            binary,
            arguments,
            environment,
            log: output,
        };
        Ok(Self {
            kind,
            port,
            child: child::spawn(program).await.with_context(context)?,
            log,
        })
    }

    /// Has it do nothing from now on, as one whose machine stands still.
    pub(crate) fn pause(&self) {
        self.child.pause();
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.child.resume();
    }

    /// Which service it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port on 127.0.0.1 at which it answers.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The file with its log, if it has one.
    pub(crate) fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    /// Waits until it answers that it is healthy.
    pub(crate) async fn ready(&mut self, http: &reqwest::Client) -> Result<()> {
        let url = format!("{}/health", self.url());
        let what = format!("{} to answer at {url}", self.kind.name());
        let healthy = until(what, READY_DEADLINE, POLL_INTERVAL, async || {
            self.running()?;
            let answer = http.get(&url).timeout(READY_DEADLINE).send().await;
            let healthy = answer.is_ok_and(|answer| answer.status().is_success());
            Ok(healthy.then_some(()))
        });
        let healthy = healthy.await;
        healthy.map_err(|error| self.with_last_words(&error))
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        let running = self.running();
        running.map_err(|error| self.with_last_words(&error))
    }

    fn running(&mut self) -> Result<()> {
        let name = self.kind.name();
        match self.child.exited().context(name)? {
            Some(status) => bail!("{name} ended ({status})"),
            None => Ok(()),
        }
    }

    fn with_last_words(&self, error: &Error) -> Error {
        anyhow!("{error:#}; its last words:\n{}", self.last_words())
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

/// Tells all to end, and waits. An error that names those that did not end with exit code 0.
pub(crate) async fn stop_all(services: Vec<Service>) -> Result<()> {
    for service in &services {
        service.child.terminate();
    }
    let mut unclean = Vec::new();
    for mut service in services {
        let status = service.child.ended_within(STOP_DEADLINE).await;
        if !status.is_some_and(|status| status.success()) {
            unclean.push(service.kind.name());
        }
    }
    let names = unclean.join(", ");
    ensure!(names.is_empty(), "did not end with exit code 0: {names}");
    Ok(())
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
