//! The ledger in PostgreSQL 15 or later, which is named in this module alone.
//!
//! A statement writes all that a call is about, and its counts, so that it is
//! atomic by itself and no transaction spans two. What it writes it writes in
//! the order of its keys, table by table: `sends`, `leases`, `records`,
//! `progress`, `imports`, `webhook_mails`, `webhook_imports`.

mod agreements;
mod batch;
mod carrying;
mod channels;
mod claims;
mod connections;
mod debts;
mod erasure;
mod error;
mod imports;
mod mails;
mod observe;
mod pooler;
mod progress;
mod put_off;
mod revisions;
mod rows;
mod schema;
mod settings;
mod startup;
mod time;
mod tls;
mod uploads;
mod webhooks;

pub use settings::PostgresSettings;
pub use startup::migrate;

use async_trait::async_trait;

use self::connections::Connections;
use super::{AnyLedger, LedgerError, LedgerMemory};
use crate::runtime::{Dependency, Outage};

/// What the clients of ledgers may log themselves, as a directive of a tracing
/// filter. Why a connection broke is in the errors of the calls, which are
/// logged once an outage.
pub const CLIENT_LOG_DIRECTIVES: &str = "deadpool=error";

/// The ledger in PostgreSQL. Cloning shares the connections; every statement
/// waits at most the operation timeout for a connection, and then for its
/// answer, and the connect timeout where a connection is opened.
#[derive(Clone, Debug)]
pub struct PostgresLedger {
    connections: Connections,
    outage: Outage,
}

impl Dependency for PostgresLedger {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

/// A write, as a server that takes none still answers what only reads.
const PING: &str = "
    INSERT INTO readiness (id, asked_at) VALUES (true, now())
    ON CONFLICT (id) DO UPDATE SET asked_at = excluded.asked_at
";

#[async_trait]
impl AnyLedger for PostgresLedger {
    async fn ping(&self) -> Result<(), LedgerError> {
        let connections = self.connections.clone();
        // In a task, so that it comes to its end, and a silent connection to be
        // given up, where who asks waits less long.
        let asked = tokio::spawn(async move { connections.execute(PING, &[]).await });
        asked.await.map_err(LedgerError::transient)?
    }

    async fn memory(&self) -> Result<Option<LedgerMemory>, LedgerError> {
        Ok(None)
    }
}
