use std::ops::Range;

use super::{LedgerError, RedisLedger, keys};

impl RedisLedger {
    /// Reserves that many consecutive numbers of a sequence, which starts at
    /// 1. No number is ever given out twice; one that is not used is a gap.
    pub async fn reserve_numbers(
        &self,
        sequence: &str,
        count: u64,
    ) -> Result<Range<u64>, LedgerError> {
        let last: u64 = redis::cmd("INCRBY")
            .arg(keys::sequence(sequence))
            .arg(count)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(last + 1 - count..last + 1)
    }
}
