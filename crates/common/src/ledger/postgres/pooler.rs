//! Whether a pooler stands in front of the server that does not know statements
//! which its clients have prepared.

use tokio_postgres::{Client, Error};

/// How often the two connections are led to one session, so that one of them
/// gets another.
const TRIES: usize = 3;

const SESSION: &str = "SELECT pg_backend_pid()";

/// Whether a statement that was prepared on a connection is another, or none,
/// once a pooler gives the connection another session. PgBouncer before 1.21 is
/// such a one in transaction mode: as all clients name their statements alike, a
/// call would do what another client's says.
///
/// # Errors
/// A connection broke.
pub(super) async fn mixes_up_statements(
    one: &mut Client,
    other: &mut Client,
) -> Result<bool, Error> {
    for _ in 0..TRIES {
        let before = one.transaction().await?;
        let statement = before.prepare(SESSION).await?;
        let prepared_in: i32 = before.query_one(&statement, &[]).await?.try_get(0)?;
        before.commit().await?;
        // A pooler gives it the session that was free last.
        let held = other.transaction().await?;
        held.query_one(SESSION, &[]).await?;
        let after = one.transaction().await?;
        let session: i32 = after.query_one(SESSION, &[]).await?.try_get(0)?;
        if session == prepared_in {
            continue;
        }
        return match after.query_one(&statement, &[]).await {
            Ok(row) => Ok(row.try_get(0).ok() != Some(session)),
            Err(error) if error.code().is_some() => Ok(true),
            Err(error) => Err(error),
        };
    }
    Ok(false)
}
