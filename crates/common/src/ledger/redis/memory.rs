//! How much memory Redis has left.

use super::RedisLedger;
use super::info::field;
use crate::ledger::LedgerError;

/// The memory of a Redis, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedisMemory {
    /// What its data and buffers take: `used_memory`.
    pub used: u64,
    /// What it may take: `maxmemory`, or the memory of its machine where it
    /// has no limit of its own. A write beyond it is refused, or Redis is
    /// killed.
    pub max: u64,
}

impl RedisMemory {
    /// Of the text of `INFO memory`; 0 where that does not tell.
    fn read(info: &str) -> Self {
        let number = |name| field(info, name).and_then(|text| text.parse().ok());
        let limit = number("maxmemory").filter(|limit| *limit > 0);
        Self {
            used: number("used_memory").unwrap_or(0),
            max: limit.or(number("total_system_memory")).unwrap_or(0),
        }
    }
}

impl RedisLedger {
    /// How much memory Redis takes, and may take.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn memory(&self) -> Result<RedisMemory, LedgerError> {
        let info: String = redis::cmd("INFO")
            .arg("memory")
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(RedisMemory::read(&info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_that_of_the_machine_where_redis_has_none() {
        let read = |maxmemory: &str| {
            RedisMemory::read(&format!(
                "# Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\n\
                 total_system_memory:8000000000\r\nmaxmemory:{maxmemory}\r\n"
            ))
        };
        let used = 1_048_576;
        assert_eq!(
            read("0"),
            RedisMemory {
                used,
                max: 8_000_000_000
            }
        );
        assert_eq!(
            read("2097152"),
            RedisMemory {
                used,
                max: 2_097_152
            }
        );
        assert_eq!(RedisMemory::read(""), RedisMemory::default());
    }
}
