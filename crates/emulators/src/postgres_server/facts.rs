//! What a running server says of itself.

use tokio_postgres::{Client, NoTls, Row};

use super::{PostgresError, PostgresServer};

/// What a running server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresFacts {
    /// Its version.
    pub version: String,
    /// `fsync`: whether it waits for the disk at all.
    pub fsync: String,
    /// `full_page_writes`: whether a page that was half written is repaired.
    pub full_page_writes: String,
    /// `synchronous_commit`: whether the answer to a commit waits for that.
    pub synchronous_commit: String,
    /// Bytes that the first database takes on disk.
    pub database_bytes: u64,
}

impl PostgresServer {
    /// What it says of itself.
    pub async fn facts(&self) -> Result<PostgresFacts, PostgresError> {
        let facts = "SELECT current_setting('server_version'), current_setting('fsync'), \
                     current_setting('full_page_writes'), current_setting('synchronous_commit'), \
                     pg_database_size(current_database())";
        let row = self.ask(facts).await?;
        let text = |column| {
            let value: &str = row.get(column);
            // Debian says which of its packages it is, after a blank.
            value.split(' ').next().unwrap_or_default().to_owned()
        };
        Ok(PostgresFacts {
            version: text(0),
            fsync: text(1),
            full_page_writes: text(2),
            synchronous_commit: text(3),
            database_bytes: row.get::<_, i64>(4).unsigned_abs(),
        })
    }

    /// Has a statement done whose answer does not matter, over a connection of its own.
    pub(super) async fn tell(&self, statement: &str) -> Result<(), PostgresError> {
        let failed = |source| PostgresError::Statement {
            port: self.port(),
            source,
        };
        let client = self.client().await.map_err(failed)?;
        client.batch_execute(statement).await.map_err(failed)
    }

    /// The row that a statement gives, over a connection of its own.
    pub(super) async fn ask(&self, statement: &str) -> Result<Row, PostgresError> {
        let failed = |source| PostgresError::Statement {
            port: self.port(),
            source,
        };
        let client = self.client().await.map_err(failed)?;
        client.query_one(statement, &[]).await.map_err(failed)
    }

    async fn client(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await?;
        // It ends once the client is gone.
        tokio::spawn(connection);
        Ok(client)
    }
}
