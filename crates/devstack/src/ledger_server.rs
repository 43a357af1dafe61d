//! The server of the ledger: Redis, a cluster of Redis, or PostgreSQL.

mod facts;

use std::{
    fmt::{self, Display, Formatter},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::ValueEnum;
use common::ledger::LedgerSettings;
use emulators::{
    postgres_server::{Fsync, PostgresServer},
    redis_environment,
    redis_server::{AppendFsync, ClusterOptions, RedisCluster, RedisServer},
};
use serde::{Deserialize, Serialize};

pub(crate) use facts::LedgerFacts;

use crate::services::Variable;

/// Masters of a cluster.
const MASTERS: u16 = 3;

/// Time without an answer after which a node of a cluster counts as gone: longer than a busy disk
/// keeps it waiting.
const NODE_TIMEOUT: Duration = Duration::from_secs(3);

/// Which server keeps the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LedgerKind {
    /// One Redis.
    #[default]
    Redis,
    /// A cluster of three masters.
    RedisCluster,
    /// One PostgreSQL.
    Postgres,
}

/// The choice of the ledger on the command line.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct LedgerOption {
    /// Which server keeps the ledger
    #[arg(long, env = "DEVSTACK_LEDGER", value_enum, default_value_t)]
    pub(crate) ledger: LedgerKind,
}

/// How the server is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LedgerOptions {
    pub(crate) kind: LedgerKind,
    /// `None`: any that is free. Of a cluster, the port of its first node.
    pub(crate) port: Option<u16>,
    /// When Redis makes its append-only file safe; PostgreSQL does so at each commit.
    pub(crate) append_fsync: AppendFsync,
    /// Whether each node of a cluster has a replica.
    pub(crate) with_replicas: bool,
}

/// A running server. Dropping it kills the processes.
#[derive(Debug)]
pub(crate) enum LedgerServer {
    Redis(RedisServer),
    RedisCluster(RedisCluster),
    Postgres(PostgresServer),
}

impl LedgerKind {
    /// What it is called on the command line and in figures.
    pub(crate) const fn slug(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::RedisCluster => "redis-cluster",
            Self::Postgres => "postgres",
        }
    }

    /// The variable that sets its port.
    pub(crate) const fn port_variable(self) -> &'static str {
        match self {
            Self::Redis | Self::RedisCluster => "DEVSTACK_REDIS_PORT",
            Self::Postgres => "DEVSTACK_POSTGRES_PORT",
        }
    }
}

impl Display for LedgerKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::RedisCluster => "Redis Cluster",
            Self::Postgres => "PostgreSQL",
        })
    }
}

impl LedgerOptions {
    /// On any free port, with the least that may be lost.
    pub(crate) fn new(kind: LedgerKind) -> Self {
        Self {
            kind,
            port: None,
            append_fsync: AppendFsync::default(),
            with_replicas: false,
        }
    }
}

impl LedgerServer {
    /// Starts it with its data in that directory, and returns when it takes writes.
    pub(crate) async fn start(options: LedgerOptions, directory: &Path) -> Result<Self> {
        let LedgerOptions {
            kind,
            port,
            append_fsync,
            with_replicas,
        } = options;
        let started = match kind {
            LedgerKind::Redis => RedisServer::start_with(port, Some(directory), append_fsync)
                .await
                .map(Self::Redis)?,
            LedgerKind::RedisCluster => RedisCluster::start_with(&ClusterOptions {
                masters: MASTERS,
                with_replicas,
                first_port: port,
                directory: Some(directory.to_owned()),
                append_fsync,
                node_timeout: NODE_TIMEOUT,
            })
            .await
            .map(Self::RedisCluster)?,
            LedgerKind::Postgres => PostgresServer::start(port, Some(directory), Fsync::On)
                .await
                .map(Self::Postgres)?,
        };
        Ok(started)
    }

    /// Which it is.
    pub(crate) fn kind(&self) -> LedgerKind {
        match self {
            Self::Redis(_) => LedgerKind::Redis,
            Self::RedisCluster(_) => LedgerKind::RedisCluster,
            Self::Postgres(_) => LedgerKind::Postgres,
        }
    }

    /// Where it is, as `LEDGER_URL` takes it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis(server) => server.url(),
            Self::RedisCluster(cluster) => format!("redis-cluster://{}", cluster.addresses()),
            Self::Postgres(server) => server.url(),
        }
    }

    /// Its port; of a cluster, that of its first node.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Redis(server) => server.port(),
            Self::RedisCluster(cluster) => cluster.master(0).port(),
            Self::Postgres(server) => server.port(),
        }
    }

    /// What tells a service where it is.
    pub(crate) fn variables(&self) -> Vec<Variable> {
        self.variables_through(self.port())
    }

    /// The same through a proxy on that port. The nodes of a cluster are asked at the addresses
    /// that they give, and not through any proxy.
    pub(crate) fn variables_through(&self, port: u16) -> Vec<Variable> {
        // What the user has set is unset, so that a service is told of one ledger and no other.
        let unset = LedgerSettings::variables().map(|name| (name, String::new()));
        let mut variables: Vec<Variable> = unset.collect();
        match self {
            Self::Redis(_) => variables.extend(redis_environment(port)),
            Self::RedisCluster(_) => variables.push(("LEDGER_URL", self.url())),
            Self::Postgres(server) => variables.push(("LEDGER_URL", server.url_through(port))),
        }
        variables
    }

    /// Its processes; their children belong to it as well.
    pub(crate) fn pids(&self) -> Vec<u32> {
        match self {
            Self::Redis(server) => vec![server.pid()],
            Self::RedisCluster(cluster) => cluster.servers().map(RedisServer::pid).collect(),
            Self::Postgres(server) => vec![server.pid()],
        }
    }

    /// What it says of itself.
    pub(crate) async fn facts(&self) -> Result<LedgerFacts> {
        let context = || format!("{} does not tell of itself", self.kind());
        match self {
            Self::Redis(server) => {
                let facts = server.facts().await.with_context(context)?;
                Ok(LedgerFacts::of_redis(self.kind(), [facts]))
            }
            Self::RedisCluster(cluster) => {
                let mut nodes = Vec::new();
                for server in cluster.servers() {
                    nodes.push(server.facts().await.with_context(context)?);
                }
                Ok(LedgerFacts::of_redis(self.kind(), nodes))
            }
            Self::Postgres(server) => {
                let facts = server.facts().await.with_context(context)?;
                Ok(LedgerFacts::of_postgres(facts))
            }
        }
    }

    /// Has it write what it holds and end, and waits until it has.
    pub(crate) async fn shut_down(&mut self) {
        match self {
            Self::Redis(server) => server.shut_down().await,
            Self::RedisCluster(cluster) => cluster.shut_down().await,
            Self::Postgres(server) => server.shut_down().await,
        }
    }

    /// Starts it after it was shut down or killed: the same port, the same data.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        match self {
            Self::Redis(server) => server.start_again().await?,
            Self::RedisCluster(cluster) => cluster.start_again().await?,
            Self::Postgres(server) => server.start_again().await?,
        }
        Ok(())
    }
}
