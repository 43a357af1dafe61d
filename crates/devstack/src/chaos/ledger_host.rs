//! A ledger whose server is stopped, killed and started again with its data, or gives its place to
//! another.

use std::{mem, path::PathBuf};

use anyhow::Result;
use emulators::redis_server::RedisServer;
use fastrand::Rng;

use crate::ledger_server::{LedgerOptions, LedgerServer};

/// The server of the ledger, on a port that stays the same, but for a failover.
#[derive(Debug)]
pub(super) struct LedgerHost {
    options: LedgerOptions,
    directory: PathBuf,
    server: LedgerServer,
    replica: Option<LedgerServer>,
    random: Rng,
}

impl LedgerHost {
    pub(super) async fn start(
        options: LedgerOptions,
        directory: PathBuf,
        random: Rng,
    ) -> Result<Self> {
        Ok(Self {
            server: LedgerServer::start(options, &directory).await?,
            options,
            directory,
            replica: None,
            random,
        })
    }

    /// The server that is asked.
    pub(super) fn server(&self) -> &LedgerServer {
        &self.server
    }

    /// Shuts it down, as an operator would.
    pub(super) async fn stop(&mut self) {
        self.server.shut_down().await;
    }

    /// SIGKILL: to the server, or to a node of the cluster, any of them.
    pub(super) fn kill(&mut self) {
        match &mut self.server {
            LedgerServer::Redis(server) => server.kill(),
            LedgerServer::RedisCluster(cluster) => {
                let master = self.random.usize(..cluster.masters());
                cluster.master_mut(master).kill();
            }
            LedgerServer::Postgres(server) => server.kill(),
        }
    }

    /// Starts it after it was stopped or killed.
    pub(super) async fn start_again(&mut self) -> Result<()> {
        self.server.start_again().await
    }

    /// Starts a replica, and waits until it has all data; each commit of PostgreSQL waits for it from
    /// then on. Each master of a cluster has had one from the start.
    pub(super) async fn add_replica(&mut self) -> Result<()> {
        let directory = self.directory.with_file_name("replica");
        self.replica = match &self.server {
            LedgerServer::Redis(master) => {
                let append_fsync = self.options.append_fsync;
                let replica = RedisServer::start_with(None, Some(&directory), append_fsync).await?;
                replica.follow(master).await?;
                Some(LedgerServer::Redis(replica))
            }
            LedgerServer::Postgres(primary) => {
                let standby = primary.start_standby(&directory).await?;
                Some(LedgerServer::Postgres(standby))
            }
            LedgerServer::RedisCluster(_) => None,
        };
        Ok(())
    }

    /// Has the replica take the place of the server, and waits until it has.
    ///
    /// A Redis holds writes back until its replica has all data. A master of a cluster is killed at
    /// a moment at which its replica has all that it has answered; the primary of PostgreSQL at any.
    pub(super) async fn fail_over(&mut self) -> Result<()> {
        match (&mut self.server, &self.replica) {
            (LedgerServer::Redis(master), Some(LedgerServer::Redis(replica))) => {
                master.fail_over_to(replica).await?;
            }
            (LedgerServer::RedisCluster(cluster), _) => {
                cluster.kill_master_with_a_copy(0).await?;
                cluster.has_failed_over(0).await?;
            }
            (LedgerServer::Postgres(primary), Some(LedgerServer::Postgres(standby))) => {
                primary.kill();
                standby.promote().await?;
            }
            _ => {}
        }
        if let Some(replica) = &mut self.replica {
            mem::swap(&mut self.server, replica);
        }
        Ok(())
    }
}
