//! The ledger in Redis 7 or later. Redis is named in this module alone.

mod agreements;
mod connect;
mod connection;
mod debts;
mod error;
mod imports;
mod keys;
mod mails;
mod reason;
mod rows;

pub use connect::RedisLedger;
pub use connection::RedisMetrics;

use super::{Ledger, LedgerError};
use crate::outage::{Dependency, Outage};

impl Dependency for RedisLedger {
    fn outage(&self) -> &Outage {
        &self.outage
    }
}

impl Ledger for RedisLedger {
    async fn ping(&self) -> Result<(), LedgerError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("PING").exec_async(&mut connection).await?)
    }
}
