//! A server that follows another without a gap, and takes its place.

use std::{path::Path, time::Duration};

use tokio::time::{self, Instant};

use super::{
    Fsync, PASSWORD, POLL_INTERVAL, PostgresError, PostgresServer, USER, cluster::Cluster,
};
use crate::child;

/// Longest wait for a copy of all data, and for each change of the roles.
const DEADLINE: Duration = Duration::from_mins(1);

impl PostgresServer {
    /// Starts a standby of this server in that directory, and returns when each commit waits for
    /// both.
    pub async fn start_standby(&self, directory: &Path) -> Result<Self, PostgresError> {
        let cluster = Cluster::with_files_there(Some(directory), &self.programs)?;
        self.copy_to(&cluster).await?;
        let standby = Self::start(None, Some(directory), Fsync::On).await?;
        for statement in [
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        ] {
            self.tell(statement).await?;
        }
        let followed = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";
        self.until("commits to wait for the standby", followed)
            .await?;
        Ok(standby)
    }

    /// Makes a standby the primary, and returns when it takes writes. The primary before must be
    /// gone: it would take writes as well.
    pub async fn promote(&self) -> Result<(), PostgresError> {
        self.tell("SELECT pg_promote(false)").await?;
        let promoted = "SELECT NOT pg_is_in_recovery()";
        self.until("the standby to be the primary", promoted).await
    }

    async fn copy_to(&self, cluster: &Cluster) -> Result<(), PostgresError> {
        let program = "pg_basebackup";
        let arguments = [
            "--host=127.0.0.1",
            &format!("--port={}", self.port()),
            &format!("--username={USER}"),
            "--checkpoint=fast",
            "--wal-method=stream",
            "--write-recovery-conf",
            "--no-sync",
            "--pgdata",
        ];
        let mut arguments: Vec<_> = arguments.into_iter().map(Into::into).collect();
        arguments.push(cluster.data().into_os_string());
        let mut run = self
            .programs
            .run(program, arguments, cluster.files().open_log()?);
        run.environment.push(("PGPASSWORD", PASSWORD.to_owned()));
        let failed = |source| PostgresError::Spawn { program, source };
        let mut child = child::spawn(run).await.map_err(failed)?;
        match child.ended_within(DEADLINE).await {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(PostgresError::Exited {
                program,
                status,
                log: cluster.files().log(),
            }),
            None => Err(PostgresError::Replication {
                what: "a copy of the primary",
                waited: DEADLINE,
            }),
        }
    }

    /// Waits until a statement gives `true`.
    async fn until(&self, what: &'static str, is_so: &str) -> Result<(), PostgresError> {
        let deadline = Instant::now() + DEADLINE;
        while !self.ask(is_so).await?.get::<_, bool>(0) {
            if Instant::now() >= deadline {
                let waited = DEADLINE;
                return Err(PostgresError::Replication { what, waited });
            }
            time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_standby_has_each_commit_of_a_primary_that_is_killed() {
        let start = PostgresServer::start(None, None, Fsync::On);
        let mut primary = start.await.unwrap();
        // Where PostgreSQL may write.
        let standby = primary.directory().join("standby");
        let standby = primary.start_standby(&standby).await.unwrap();
        primary.tell("CREATE TABLE t AS SELECT 42").await.unwrap();

        primary.kill();
        standby.promote().await.unwrap();

        let facts = standby.facts().await.unwrap();
        assert_eq!((&*facts.fsync, &*facts.synchronous_commit), ("on", "on"));
        standby.tell("INSERT INTO t VALUES (43)").await.unwrap();
        let rows = standby.ask("SELECT count(*) FROM t").await.unwrap();
        assert_eq!(rows.get::<_, i64>(0), 2);
    }

    #[tokio::test]
    async fn a_server_that_was_killed_starts_again_with_its_data() {
        let start = PostgresServer::start(None, None, Fsync::On);
        let mut server = start.await.unwrap();
        let url = server.url();
        server.tell("CREATE TABLE t ()").await.unwrap();
        for kill in [true, false, true] {
            if kill {
                server.kill();
            } else {
                server.shut_down().await;
            }
            server.start_again().await.unwrap();
        }
        assert_eq!(server.url(), url);
        server.tell("TABLE t").await.unwrap();
    }
}
