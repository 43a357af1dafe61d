//! A private PostgreSQL server process that ends with its owner.

mod cluster;
mod facts;
mod programs;
mod standby;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::{self, Instant};

pub use facts::PostgresFacts;

use cluster::Cluster;
use programs::Programs;

use crate::{
    child::OwnedChild,
    data_directory::{Log, Unusable},
    server_process::{self, NotStarted, POLL_INTERVAL, START_DEADLINE, STOP_DEADLINE, on_a_port},
};

/// The user that owns everything, and its password: the server listens on this machine only, and
/// asks for it so that a client that sends none is found.
const USER: &str = "postgres";
const PASSWORD: &str = "postgres-of-tests";

/// What a server says at its start whose predecessor was killed, for as long as one of that one's
/// processes is still there.
const PREDECESSOR_ENDS: &str = "pre-existing shared memory block";

/// What can go wrong with the PostgreSQL server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// There is no PostgreSQL on this machine, or an old one.
    #[error(
        "there is no PostgreSQL 15 or later in PATH or /usr/lib/postgresql: install it, for \
         instance with `apt-get install postgresql` or `brew install postgresql`"
    )]
    MissingBinary,
    /// It refuses to run as root, and there is nobody else.
    #[error(
        "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor a \
         user `nobody` with `setpriv` to become it"
    )]
    OnlyRoot,
    /// Another process listens on the port.
    #[error(
        "port {port} is already in use: stop the process that holds it, or choose another port"
    )]
    PortInUse {
        /// The port that was asked for.
        port: u16,
    },
    /// No port of this machine could be taken.
    #[error("no free port on 127.0.0.1: {0}")]
    NoFreePort(#[source] io::Error),
    /// The data directory cannot be used.
    #[error("cannot use `{}` as the data directory of PostgreSQL: {source}", path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The process could not be started.
    #[error("cannot run `{program}`: {source}")]
    Spawn {
        /// Its name.
        program: &'static str,
        /// What the system answered.
        source: io::Error,
    },
    /// A program ended before it had done what it was started for.
    #[error("`{program}` ended at its start ({status}); its last words: {log}")]
    Exited {
        /// Its name.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: Log,
    },
    /// A server does not answer a statement.
    #[error("PostgreSQL on port {port}: {source}")]
    Statement {
        /// The port of the server.
        port: u16,
        /// What it answered.
        source: tokio_postgres::Error,
    },
    /// A standby does not follow as it was told.
    #[error("waited {} s in vain for {what}", waited.as_secs())]
    Replication {
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
    },
    /// PostgreSQL runs but is not ready.
    #[error("`postgres` on port {port} was not ready in {} s; its last words: {log}", waited.as_secs())]
    NoAnswer {
        /// The port it was started on.
        port: u16,
        /// How long it was given.
        waited: Duration,
        /// Its log.
        log: Log,
    },
}

impl From<Unusable> for PostgresError {
    fn from(Unusable { path, source }: Unusable) -> Self {
        Self::DataDirectory { path, source }
    }
}

impl PostgresError {
    /// Why the server for that port does not run.
    fn of_start(port: u16, why: NotStarted) -> Self {
        let program = "postgres";
        match why {
            NotStarted::Spawn(source) => Self::Spawn { program, source },
            NotStarted::PortInUse => Self::PortInUse { port },
            NotStarted::Exited { status, log } => Self::Exited {
                program,
                status,
                log,
            },
            NotStarted::NoAnswer { log } => Self::NoAnswer {
                port,
                waited: START_DEADLINE,
                log,
            },
        }
    }
}

/// Whether an answer waits for the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fsync {
    /// It does, as in production.
    #[default]
    On,
    /// A loss of power may lose or break everything; the kill of a process loses nothing.
    Off,
}

/// A running `postgres` of its own, on 127.0.0.1 only.
///
/// Dropping it kills the process; where `setpriv` exists (Linux) it also dies with the process that
/// started it, even if that one is killed with SIGKILL. Where this process is root, it runs as the
/// user `postgres` or `nobody`, to whom its directory then belongs.
#[derive(Debug)]
pub struct PostgresServer {
    port: u16,
    fsync: Fsync,
    // Before the directory: the process must be gone when its files are removed.
    child: OwnedChild,
    cluster: Cluster,
    programs: Programs,
}

impl PostgresServer {
    /// Starts PostgreSQL and returns when it is ready.
    ///
    /// Without a port it takes any free one. With a directory, which is created if need be, it
    /// works on the data there and keeps them; without, it uses a temporary one.
    pub async fn start(
        port: Option<u16>,
        directory: Option<&Path>,
        fsync: Fsync,
    ) -> Result<Self, PostgresError> {
        let programs = Programs::find()?;
        let cluster = Cluster::open(directory, &programs).await?;
        let started = async |port| {
            let child = launch(&programs, port, &cluster, fsync).await?;
            Ok((port, child))
        };
        let is_in_use = |error: &PostgresError| matches!(error, PostgresError::PortInUse { .. });
        let (port, child) = on_a_port(port, started, PostgresError::NoFreePort, is_in_use).await?;
        Ok(Self {
            port,
            fsync,
            child,
            cluster,
            programs,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of its first database, for its owner.
    pub fn url(&self) -> String {
        self.url_through(self.port)
    }

    /// The URL of its first database by way of another port of this machine, such as a proxy's.
    pub fn url_through(&self, port: u16) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres")
    }

    /// The process id of the postmaster.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its data (`data`) and its log (`postgres.log`) are.
    pub fn directory(&self) -> &Path {
        self.cluster.path()
    }

    /// From about now on clients may use TLS, with that certificate and key in PEM.
    pub fn use_tls(&self, certificate: &Path, key: &Path) -> Result<(), PostgresError> {
        self.cluster.use_tls(certificate, key, &self.programs)?;
        self.send(Signal::SIGHUP);
        Ok(())
    }

    fn send(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Asks PostgreSQL to end all connections and then to end, and waits until it has.
    ///
    /// One that does not end in ten seconds is killed.
    pub async fn stop(mut self) {
        self.shut_down().await;
    }

    /// The same, for one that is [started again](Self::start_again) later.
    pub async fn shut_down(&mut self) {
        self.send(Signal::SIGINT);
        self.child.ended_within(STOP_DEADLINE).await;
        self.child.kill();
    }

    /// Kills the postmaster, as a crash would. Its other processes end once they notice.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Starts it after it was shut down or killed: the same port, the same data.
    pub async fn start_again(&mut self) -> Result<(), PostgresError> {
        let deadline = Instant::now() + START_DEADLINE;
        self.child = loop {
            match launch(&self.programs, self.port, &self.cluster, self.fsync).await {
                Err(PostgresError::Exited { log, .. })
                    if log.says(PREDECESSOR_ENDS) && Instant::now() < deadline =>
                {
                    time::sleep(POLL_INTERVAL).await;
                }
                launched => break launched?,
            }
        };
        Ok(())
    }
}

/// Starts the process and waits until it is ready.
async fn launch(
    programs: &Programs,
    port: u16,
    cluster: &Cluster,
    fsync: Fsync,
) -> Result<OwnedChild, PostgresError> {
    let arguments = arguments(port, cluster, fsync);
    let program = programs.run("postgres", arguments, cluster.files().open_log()?);
    let answers_as = async |id| cluster.is_ready_as(id);
    let launched = server_process::launch(program, cluster.files(), answers_as).await;
    launched.map_err(|why| PostgresError::of_start(port, why))
}

fn arguments(port: u16, cluster: &Cluster, fsync: Fsync) -> Vec<OsString> {
    let fsync = match fsync {
        Fsync::On => "on",
        Fsync::Off => "off",
    };
    let mut arguments = vec!["-D".into(), cluster.data().into_os_string()];
    for (name, value) in [
        ("port", port.to_string()),
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("unix_socket_directories", String::new()),
        ("max_connections", "200".to_owned()),
        ("fsync", fsync.to_owned()),
        ("full_page_writes", fsync.to_owned()),
        // An import writes a gigabyte of it.
        ("max_wal_size", "4GB".to_owned()),
        ("shared_buffers", "256MB".to_owned()),
    ] {
        arguments.extend(["-c".into(), format!("{name}={value}").into()]);
    }
    arguments
}

#[cfg(test)]
mod tests;
