//! How much room is left where work is kept: Redis' memory and the disk of
//! the spool. What either refuses comes to a halt.

use std::time::Duration;

use common::ledger::RedisLedger;
use common::runtime::wait;
use common::runtime::{AppRegistry, MetricsError};
use prometheus::IntGauge;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::blocking::blocking;
use crate::spool::Spool;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(15);

/// The gauges of what is left.
#[derive(Clone, Debug)]
pub struct CapacityGauges {
    redis_used: IntGauge,
    redis_max: IntGauge,
    spool_free: IntGauge,
    spool_size: IntGauge,
}

impl CapacityGauges {
    /// Registers the gauges.
    ///
    /// # Errors
    /// When one is there already.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        Ok(Self {
            redis_used: registry.gauge(
                "redis_memory_used_bytes",
                "Memory that the data and buffers of Redis take.",
            )?,
            redis_max: registry.gauge(
                "redis_memory_max_bytes",
                "Memory that Redis may take: its maxmemory, or that of its machine where it has none.",
            )?,
            spool_free: registry.gauge(
                "spool_free_bytes",
                "Bytes that this process may still write on the file system of SPOOL_DIR.",
            )?,
            spool_size: registry.gauge(
                "spool_size_bytes",
                "Bytes of the file system of SPOOL_DIR.",
            )?,
        })
    }
}

/// Looks at once and every 15 s until told to stop. What does not answer
/// stays as it was seen last.
pub async fn watch_capacity(
    spool: Spool,
    ledger: RedisLedger,
    gauges: CapacityGauges,
    stop: CancellationToken,
) {
    loop {
        match ledger.memory().await {
            Ok(memory) => {
                set(&gauges.redis_used, memory.used);
                set(&gauges.redis_max, memory.max);
            }
            Err(error) => debug!(%error, "The memory of Redis is not known"),
        }
        let files = spool.clone();
        match blocking(move || files.room()).await {
            Ok(room) => {
                set(&gauges.spool_free, room.free);
                set(&gauges.spool_size, room.size);
            }
            Err(error) => debug!(%error, "The room of SPOOL_DIR is not known"),
        }
        if wait(INTERVAL, &stop).await.is_err() {
            return;
        }
    }
}

fn set(gauge: &IntGauge, bytes: u64) {
    gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
}
