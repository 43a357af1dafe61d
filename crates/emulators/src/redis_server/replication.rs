//! A server that follows another, and takes its place.

use std::time::Duration;

use tokio::time::{self, Instant};

use super::{POLL_INTERVAL, RedisError, RedisServer, wire};

/// Longest wait for a replica to have all data, or for two servers to change places.
const DEADLINE: Duration = Duration::from_secs(30);

impl RedisServer {
    /// Makes it a replica of another server, and returns when it has all data of that one.
    pub async fn follow(&self, master: &Self) -> Result<(), RedisError> {
        let (host, port) = (master.host(), master.port());
        self.tell(&format!("REPLICAOF {host} {port}")).await;
        until("the replica to have all data", async || {
            self.says("master_link_status:up").await
        })
        .await
    }

    /// Gives its place to its replica, which has all data by then: returns when that one is the
    /// master and this one its replica. Connections stay open.
    pub async fn fail_over_to(&self, replica: &Self) -> Result<(), RedisError> {
        self.tell("FAILOVER").await;
        until("the replica to be the master", async || {
            replica.says("role:master").await && self.says("role:slave").await
        })
        .await
    }

    /// Makes a replica a master of its own.
    pub async fn promote(&self) -> Result<(), RedisError> {
        self.tell("REPLICAOF NO ONE").await;
        until("the replica to be a master", async || {
            self.says("role:master").await
        })
        .await
    }

    /// Sends inline commands, whose effect is looked at and not their answer.
    pub async fn tell(&self, commands: &str) {
        let _ = wire::ask(self.port, &format!("{commands}\r\nQUIT")).await;
    }

    /// Whether that is a line of what it says of its replication.
    pub(super) async fn says(&self, line: &str) -> bool {
        let answer = wire::ask(self.port, "INFO replication\r\nQUIT").await;
        answer.is_ok_and(|answer| answer.lines().any(|said| said == line))
    }
}

pub(super) async fn until(
    what: &'static str,
    is_so: impl AsyncFn() -> bool,
) -> Result<(), RedisError> {
    let deadline = Instant::now() + DEADLINE;
    while !is_so().await {
        if Instant::now() >= deadline {
            return Err(RedisError::Replication {
                what,
                waited: DEADLINE,
            });
        }
        time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
