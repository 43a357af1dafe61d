//! What is told of the room that Redis and the spool have, with a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod importer;

use importer::{Importer, LONG};
use testkit::poll_until;

#[tokio::test]
async fn how_full_redis_and_the_spool_are_is_known_soon_after_the_start() {
    let importer = Importer::new().await;
    let service = importer.start().await;
    let [used, max, free, size] = poll_until("the gauges", LONG, async || {
        let names = [
            "ledger_memory_used_bytes",
            "ledger_memory_max_bytes",
            "spool_free_bytes",
            "spool_size_bytes",
        ];
        let mut bytes = [0; 4];
        for (bytes, name) in bytes.iter_mut().zip(names) {
            *bytes = service.metric(name).await;
        }
        bytes.iter().all(|bytes| *bytes > 0).then_some(bytes)
    })
    .await;
    assert!(used < max, "{used} of {max}");
    assert!(free <= size, "{free} of {size}");
}
