//! The tables, and how they come to be.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use tracing::{info, warn};

/// What changes the tables, from the first version on. One that was released
/// is never edited: what follows is added.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
];

/// Held by whoever changes the tables; any number that nobody else locks.
const LOCK: i64 = 0x6c65_6467_6572;

/// What services do with the tables, for the check of their rights.
const RIGHTS: &str = r"
    SELECT string_agg(privilege || ' on ' || name, ', ' ORDER BY name, privilege)
    FROM unnest(ARRAY['agreements', 'channel_progress', 'idempotency_keys', 'imports', 'leases',
                      'progress', 'put_off', 'readiness', 'records', 'sends', 'sequences',
                      'webhook_events', 'webhook_imports', 'webhook_mails', 'webhooks']) AS name,
         unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE NOT has_table_privilege(name, privilege)
";

/// The version of the tables that this program works on.
fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Why the tables are not what they must be.
pub(super) enum SchemaError {
    /// They are old, and this user may not change them.
    Old { held: i32 },
    /// The user lacks these rights.
    Rights(String),
    /// The server said so.
    Postgres(Error),
}

impl From<Error> for SchemaError {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

/// Brings the tables to the newest version, whoever else does at the same
/// time, and sees whether the user may work on them. Where they are of that
/// version nothing is changed, so that no right to is needed.
pub(super) async fn prepare(client: &mut Client) -> Result<(), SchemaError> {
    let held = version(client).await?;
    if held > newest() {
        warn!(
            held,
            newest = newest(),
            "The tables are of a later version than this program"
        );
    } else if held < newest() {
        migrate(client).await.map_err(|error| match error.code() {
            // The latter where the user may use none of the schemas in its search_path.
            Some(&(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::INVALID_SCHEMA_NAME)) => {
                SchemaError::Old { held }
            }
            _ => SchemaError::Postgres(error),
        })?;
    }
    let missing: Option<String> = client.query_one(RIGHTS, &[]).await?.try_get(0)?;
    missing.map_or(Ok(()), |rights| Err(SchemaError::Rights(rights)))
}

/// The version of the tables; 0 where there are none.
async fn version(client: &Client) -> Result<i32, Error> {
    // Asked of the catalogue: `to_regclass` may answer from before the wait for
    // a lock.
    let known = "SELECT EXISTS (
        SELECT FROM pg_tables
        WHERE tablename = 'schema_versions' AND schemaname = ANY (current_schemas(false)))";
    if !client.query_one(known, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM schema_versions";
    client.query_one(newest, &[]).await?.try_get(0)
}

async fn migrate(client: &mut Client) -> Result<(), Error> {
    let transaction = client.transaction().await?;
    // A large table may take longer than a call of the ledger.
    transaction
        .batch_execute("SET LOCAL statement_timeout = 0")
        .await?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    // Somebody else may have been faster.
    let held = version(transaction.client()).await?;
    let missing = (1..).zip(MIGRATIONS).filter(|(version, _)| *version > held);
    for (version, statements) in missing {
        transaction
            .batch_execute(
                "CREATE TABLE IF NOT EXISTS schema_versions (
                    version integer PRIMARY KEY,
                    since timestamptz NOT NULL DEFAULT now()
                )",
            )
            .await?;
        transaction.batch_execute(statements).await?;
        let record = "INSERT INTO schema_versions (version) VALUES ($1)";
        transaction.execute(record, &[&version]).await?;
        info!(version, "The tables of the ledger are changed");
    }
    transaction.commit().await
}
