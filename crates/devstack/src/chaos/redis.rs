//! A Redis that is stopped or killed, and started again with its data.

use std::path::PathBuf;

use super::ChaosError;
use crate::redis_server::{AppendFsync, RedisServer};

/// Redis on a port that stays the same.
#[derive(Debug)]
pub(super) struct Redis {
    port: u16,
    directory: PathBuf,
    append_fsync: AppendFsync,
    running: Option<RedisServer>,
}

impl Redis {
    pub(super) async fn start(
        directory: PathBuf,
        append_fsync: AppendFsync,
    ) -> Result<Self, ChaosError> {
        let server = RedisServer::start_with(None, Some(&directory), append_fsync).await?;
        Ok(Self {
            port: server.port(),
            directory,
            append_fsync,
            running: Some(server),
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
    pub(super) async fn start_again(&mut self) -> Result<(), ChaosError> {
        let server =
            RedisServer::start_with(Some(self.port), Some(&self.directory), self.append_fsync)
                .await?;
        self.running = Some(server);
        Ok(())
    }
}
