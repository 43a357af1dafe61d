//! How much room is left where work is kept: the ledger's memory and
//! the disk of the spool. What either refuses comes to a halt.

use std::time::Duration;

use common::ledger::{AnyLedger, SharedLedger};
use common::runtime::wait;
use prometheus::IntGauge;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::spool::Spool;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(15);

common::metrics! {
    /// The gauges of what is left.
    pub struct CapacityGauges {
        /// Memory that the data and buffers of a ledger in Redis take; 0 where
        /// the ledger is on disk.
        ledger_used: IntGauge = "ledger_memory_used_bytes",
        /// Memory that a ledger in Redis may take: its maxmemory, or that of its
        /// machine where it has none; 0 where the ledger is on disk.
        ledger_max: IntGauge = "ledger_memory_max_bytes",
        /// Bytes that this process may still write on the file system of
        /// SPOOL_DIR; 0 where the files are on S3.
        spool_free: IntGauge = "spool_free_bytes",
        /// Bytes of the file system of SPOOL_DIR; 0 where the files are on S3.
        spool_size: IntGauge = "spool_size_bytes",
    }
}

/// Looks at once and every 15 s until told to stop. What does not answer
/// stays as it was seen last.
pub async fn watch_capacity(
    spool: Spool,
    ledger: SharedLedger,
    gauges: CapacityGauges,
    stop: CancellationToken,
) {
    loop {
        match ledger.memory().await {
            Ok(memory) => {
                let memory = memory.unwrap_or_default();
                set(&gauges.ledger_used, memory.used);
                set(&gauges.ledger_max, memory.max);
            }
            Err(error) => debug!(%error, "The memory of the ledger is not known"),
        }
        match spool.room().await {
            Ok(room) => {
                let room = room.unwrap_or_default();
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
