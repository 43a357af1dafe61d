//! A Redis that is stopped or killed, and started again with its data, or that gives its place to
//! another.

use std::{mem, path::PathBuf};

use anyhow::Result;
use emulators::redis_server::{AppendFsync, RedisServer};

/// Redis on a port that stays the same, but for a failover.
#[derive(Debug)]
pub(super) struct Redis {
    port: u16,
    directory: PathBuf,
    append_fsync: AppendFsync,
    running: Option<RedisServer>,
    replica: Option<RedisServer>,
}

impl Redis {
    pub(super) async fn start(directory: PathBuf, append_fsync: AppendFsync) -> Result<Self> {
        let server = RedisServer::start_with(None, Some(&directory), append_fsync).await?;
        Ok(Self {
            port: server.port(),
            directory,
            append_fsync,
            running: Some(server),
            replica: None,
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Shuts it down, as an operator would.
    pub(super) async fn stop(&mut self) {
        if let Some(server) = self.running.take() {
            server.stop().await;
        }
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        drop(self.running.take());
    }

    /// Starts it after it was stopped or killed.
    pub(super) async fn start_again(&mut self) -> Result<()> {
        let server =
            RedisServer::start_with(Some(self.port), Some(&self.directory), self.append_fsync)
                .await?;
        self.running = Some(server);
        Ok(())
    }

    /// Starts a replica, and waits until it has all data.
    pub(super) async fn add_replica(&mut self) -> Result<()> {
        let directory = self.directory.with_file_name("redis-replica");
        let replica = RedisServer::start_with(None, Some(&directory), self.append_fsync).await?;
        if let Some(master) = &self.running {
            replica.follow(master).await?;
        }
        self.replica = Some(replica);
        Ok(())
    }

    /// Makes the replica the master, which has the port of this from now on, and the master its
    /// replica. Nothing is lost: Redis holds writes back until the replica has all data.
    pub(super) async fn fail_over(&mut self) -> Result<()> {
        if let (Some(master), Some(replica)) = (&self.running, &self.replica) {
            master.fail_over_to(replica).await?;
            self.port = replica.port();
            self.directory = replica.directory().to_path_buf();
            mem::swap(&mut self.running, &mut self.replica);
        }
        Ok(())
    }
}
