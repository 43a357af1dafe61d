//! A private Redis server process that ends with its owner.

mod cluster;
mod facts;
mod replication;
mod secure;
mod wire;

use std::{
    ffi::OsString,
    fmt::{self, Display, Formatter},
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use cluster::{ClusterOptions, RedisCluster};
pub use facts::RedisFacts;
pub use secure::{AsksClients, SecureRedis};

use crate::{
    child::{self, OwnedChild, Program},
    data_directory::{DataDirectory, Log, Unusable},
    free_port,
    server_process::{self, NotStarted, POLL_INTERVAL, START_DEADLINE, STOP_DEADLINE, on_a_port},
};

/// The name that is looked for in `PATH`.
const BINARY: &str = "redis-server";

/// Size from which Redis writes its append-only file anew, to make it smaller. An import writes nearly
/// nothing twice, so there is little to gain: with the default of 64 MB, Redis and its children spend
/// an eighth of their CPU on it.
const REWRITE_FROM: &str = "2gb";

/// What can go wrong with the Redis server.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// There is no Redis on this machine.
    #[error(
        "`redis-server` is not in PATH: install Redis 7.0 or later, for instance with `apt-get \
         install redis-server` or `brew install redis`"
    )]
    MissingBinary,
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
    #[error("cannot use `{}` as the data directory of Redis: {source}", path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The process could not be started.
    #[error("cannot run `redis-server`: {0}")]
    Spawn(#[source] io::Error),
    /// Servers do not replicate as they were told.
    #[error("waited {} s in vain for {what}", waited.as_secs())]
    Replication {
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
    },
    /// Redis ended before it answered.
    #[error("`redis-server` ended at its start ({status}); its last words: {log}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: Log,
    },
    /// Redis runs but does not answer.
    #[error("`redis-server` on port {port} did not answer in {} s; its last words: {log}", waited.as_secs())]
    NoAnswer {
        /// The port it was started on.
        port: u16,
        /// How long it was given.
        waited: Duration,
        /// Its log.
        log: Log,
    },
}

impl From<Unusable> for RedisError {
    fn from(Unusable { path, source }: Unusable) -> Self {
        Self::DataDirectory { path, source }
    }
}

impl RedisError {
    /// Why the server for that port does not run.
    fn of_start(port: u16, why: NotStarted) -> Self {
        match why {
            NotStarted::Spawn(source) => Self::Spawn(source),
            NotStarted::PortInUse => Self::PortInUse { port },
            NotStarted::Exited { status, log } => Self::Exited { status, log },
            NotStarted::NoAnswer { log } => Self::NoAnswer {
                port,
                waited: START_DEADLINE,
                log,
            },
        }
    }
}

/// When Redis makes its append-only file safe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppendFsync {
    /// Every second. While the disk is at it, answers go out whose writes are still in the memory
    /// of the process, for up to two seconds: a kill loses these, not only a loss of power.
    Everysec,
    /// Before each answer: what the promise asks for.
    #[default]
    Always,
}

impl FromStr for AppendFsync {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "everysec" => Ok(Self::Everysec),
            "always" => Ok(Self::Always),
            _ => Err("it takes everysec or always"),
        }
    }
}

impl Display for AppendFsync {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everysec => "everysec",
            Self::Always => "always",
        })
    }
}

/// A running `redis-server` of its own, on 127.0.0.1 only.
///
/// Append-only file, synced before each answer unless told otherwise and not rewritten below 2 GB; no
/// snapshots, no eviction. Dropping it kills the process; where `setpriv` exists (Linux) it also dies
/// with the process that started it, even if that one is killed with SIGKILL.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    append_fsync: AppendFsync,
    more: Vec<(&'static str, OsString)>,
    // Before the directory: the process must be gone when its files are removed.
    child: OwnedChild,
    directory: DataDirectory,
}

impl RedisServer {
    /// Starts Redis and returns when it answers.
    ///
    /// Without a port it takes any free one. With a directory, which is created if need be, it
    /// loads the data there and keeps them; without, it uses a temporary one.
    pub async fn start(port: Option<u16>, directory: Option<&Path>) -> Result<Self, RedisError> {
        Self::start_with(port, directory, AppendFsync::default()).await
    }

    /// The same, with a choice of how durable it is.
    pub async fn start_with(
        port: Option<u16>,
        directory: Option<&Path>,
        append_fsync: AppendFsync,
    ) -> Result<Self, RedisError> {
        Self::start_as(port, directory, append_fsync, &[]).await
    }

    /// The same, with more of Redis' own settings.
    async fn start_as(
        port: Option<u16>,
        directory: Option<&Path>,
        append_fsync: AppendFsync,
        more: &[(&'static str, OsString)],
    ) -> Result<Self, RedisError> {
        let binary = child::find_in_path(BINARY).ok_or(RedisError::MissingBinary)?;
        let directory = DataDirectory::open(directory, "redis")?;
        let started = async |port| {
            let child = launch(&binary, port, &directory, append_fsync, more).await?;
            Ok((port, child))
        };
        let is_in_use = |error: &RedisError| matches!(error, RedisError::PortInUse { .. });
        let (port, child) = on_a_port(port, started, RedisError::NoFreePort, is_in_use).await?;
        Ok(Self {
            port,
            append_fsync,
            more: more.to_vec(),
            child,
            directory,
        })
    }

    /// The address it listens on, always the loopback one.
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL for Redis clients.
    pub fn url(&self) -> String {
        format!("redis://{}:{}", self.host(), self.port)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its data and its log (`redis.log`) are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it says of itself.
    pub async fn facts(&self) -> io::Result<RedisFacts> {
        RedisFacts::ask(self.port).await
    }

    /// Asks Redis to write what it holds and to end, and waits until it has.
    ///
    /// One that does not end in ten seconds is killed.
    pub async fn stop(mut self) {
        self.shut_down().await;
    }

    /// The same, for one that is [started again](Self::start_again) later.
    pub async fn shut_down(&mut self) {
        // No answer is the sign of success: the connection closes.
        let _ = wire::ask(self.port, "SHUTDOWN NOSAVE").await;
        self.child.ended_within(STOP_DEADLINE).await;
        self.child.kill();
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Whether the process is there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.exited(), Ok(None))
    }

    /// Lets it go on after it was [silenced](RedisCluster::silence_master_with_a_copy).
    pub fn resume(&self) {
        self.child.resume();
    }

    /// Starts it after it was shut down or killed: the same port, the same data.
    pub async fn start_again(&mut self) -> Result<(), RedisError> {
        let binary = child::find_in_path(BINARY).ok_or(RedisError::MissingBinary)?;
        let (directory, more) = (&self.directory, &self.more);
        self.child = launch(&binary, self.port, directory, self.append_fsync, more).await?;
        Ok(())
    }
}

/// Starts the process and waits until it answers.
async fn launch(
    binary: &Path,
    port: u16,
    directory: &DataDirectory,
    append_fsync: AppendFsync,
    more: &[(&str, OsString)],
) -> Result<OwnedChild, RedisError> {
    let program = Program {
        binary: binary.to_owned(),
        arguments: arguments(port, directory.path(), append_fsync, more),
        environment: Vec::new(),
        log: directory.open_log()?.into(),
    };
    let answers_as = async |id| wire::answers_as(port, id).await;
    let launched = server_process::launch(program, directory, answers_as).await;
    launched.map_err(|why| RedisError::of_start(port, why))
}

fn arguments(
    port: u16,
    directory: &Path,
    append_fsync: AppendFsync,
    more: &[(&str, OsString)],
) -> Vec<OsString> {
    let append_fsync = append_fsync.to_string();
    let port = port.to_string();
    [
        ("--port", port.as_ref()),
        ("--bind", "127.0.0.1".as_ref()),
        ("--dir", directory.as_os_str()),
        ("--appendonly", "yes".as_ref()),
        ("--appendfsync", append_fsync.as_ref()),
        ("--auto-aof-rewrite-min-size", REWRITE_FROM.as_ref()),
        ("--save", "".as_ref()),
        ("--maxmemory-policy", "noeviction".as_ref()),
        ("--daemonize", "no".as_ref()),
    ]
    .into_iter()
    .chain(more.iter().map(|(name, value)| (*name, value.as_os_str())))
    .flat_map(|(name, value)| [name.into(), value.to_owned()])
    .collect()
}

#[cfg(test)]
mod tests;
