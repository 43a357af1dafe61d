//! The ledger in Redis 7 or later. Redis is named in this module alone.

mod agreements;
mod connect;
mod connection;
mod debts;
mod error;
mod imports;
mod info;
mod keys;
mod mails;
mod memory;
mod metrics;
mod opener;
mod put_off;
mod reason;
mod rows;
mod settings;
mod undeliverable;

pub use connect::RedisLedger;
pub use memory::RedisMemory;
pub use metrics::RedisMetrics;
pub use settings::RedisSettings;

use redis::{SetExpiry, SetOptions};

use super::{Ledger, LedgerError};
use crate::runtime::{Dependency, Outage};

/// How long the key is kept that is written to see whether Redis takes writes.
const KEPT_SECONDS: u64 = 60;

impl Dependency for RedisLedger {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl Ledger for RedisLedger {
    async fn ping(&self) -> Result<(), LedgerError> {
        let mut connection = self.connection.clone();
        // A write, as a server that has become a replica, or is full, still
        // answers what only reads. In a task, so that it comes to its end, and
        // a silent connection to be replaced, where who asks waits less long.
        let asked = tokio::spawn(async move {
            let options = SetOptions::default().with_expiration(SetExpiry::EX(KEPT_SECONDS));
            let mut call = redis::cmd("SET");
            call.arg(keys::READY).arg(1).arg(options);
            call.exec_async(&mut connection).await
        });
        Ok(asked.await.map_err(LedgerError::transient)??)
    }
}
