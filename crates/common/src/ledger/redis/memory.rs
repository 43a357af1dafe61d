//! How much memory Redis has left.

use super::info::field;
use crate::ledger::LedgerMemory;

/// Reads the text of `INFO memory`; 0 where that does not tell. The limit is
/// `maxmemory`, or the memory of the machine where Redis has no limit of its own.
pub(super) fn read(info: &str) -> LedgerMemory {
    let number = |name| field(info, name).and_then(|text| text.parse().ok());
    let limit = number("maxmemory").filter(|limit| *limit > 0);
    LedgerMemory {
        used: number("used_memory").unwrap_or(0),
        max: limit.or(number("total_system_memory")).unwrap_or(0),
    }
}

/// The memory of the server that has the least left: the first to refuse writes.
pub(super) fn fullest(servers: impl Iterator<Item = LedgerMemory>) -> Option<LedgerMemory> {
    servers.min_by_key(|memory| memory.max.saturating_sub(memory.used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_that_of_the_machine_where_redis_has_none() {
        let read = |maxmemory: &str| {
            super::read(&format!(
                "# Memory\r\nused_memory:1048576\r\nused_memory_human:1.00M\r\n\
                 total_system_memory:8000000000\r\nmaxmemory:{maxmemory}\r\n"
            ))
        };
        let used = 1_048_576;
        assert_eq!(
            read("0"),
            LedgerMemory {
                used,
                max: 8_000_000_000
            }
        );
        assert_eq!(
            read("2097152"),
            LedgerMemory {
                used,
                max: 2_097_152
            }
        );
        assert_eq!(super::read(""), LedgerMemory::default());
    }
}
