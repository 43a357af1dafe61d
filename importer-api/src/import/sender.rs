use std::sync::Arc;

use common::contract::{InvalidReason, RowId};
use common::ledger::{LedgerError, Outcome, RedisLedger};
use common::messaging::{BatchSender, Delivered, send_all};
use common::outage::{GaveUp, outage_backoff, ride_out, wait};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Batch;
use crate::ImporterMetrics;

/// Bytes of messages in flight, all imports together.
const BYTES_IN_FLIGHT: usize = 32 * 1024 * 1024;
/// What one permit of that stands for.
const PERMIT_BYTES: usize = 1024;

/// Why a batch was not brought to its end.
pub type SendError = GaveUp<LedgerError>;

/// Brings batches to their end: SQS has accepted each message, or its row is
/// recorded as INVALID. Shared by all imports, whose batches take turns.
#[derive(Debug)]
pub struct Sender<S> {
    queue: S,
    ledger: RedisLedger,
    metrics: ImporterMetrics,
    stop: CancellationToken,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl<S: BatchSender> Sender<S> {
    /// A sender with at most that many batches in flight.
    pub fn new(
        queue: S,
        ledger: RedisLedger,
        metrics: ImporterMetrics,
        concurrency: usize,
        stop: CancellationToken,
    ) -> Self {
        Self {
            queue,
            ledger,
            metrics,
            stop,
            calls: Arc::new(Semaphore::new(concurrency)),
            bytes: Arc::new(Semaphore::new(BYTES_IN_FLIGHT / PERMIT_BYTES)),
        }
    }

    /// Sends a batch, again and again until every message has an end.
    ///
    /// # Errors
    /// When the process was told to stop meanwhile; the batch may have been
    /// sent in part.
    pub async fn send(&self, batch: Batch) -> Result<(), SendError> {
        let _room = self.room_for(batch.bytes).await;
        let Batch {
            mut messages,
            mut invalid,
            ..
        } = batch;
        let mut backoff = outage_backoff();
        loop {
            let delivered = send_all(&self.queue, &messages, &self.stop).await?;
            let mut pending = Vec::new();
            for (message, delivered) in messages.into_iter().zip(delivered) {
                match delivered {
                    Delivered::Accepted => self.metrics.sent.inc(),
                    Delivered::Refused(reason) => {
                        self.metrics.failed.inc();
                        warn!(
                            row = message.row.map(tracing::field::display),
                            reason, "SQS refused a row"
                        );
                        invalid.extend(message.row.map(|row| (row, InvalidReason::RefusedByQueue)));
                    }
                    Delivered::Failed(_) => {
                        self.metrics.failed.inc();
                        pending.push(message);
                    }
                }
            }
            messages = pending;
            if messages.is_empty() {
                break;
            }
            wait(backoff.next_wait(), &self.stop).await?;
        }
        self.record_invalid(&invalid).await
    }

    async fn record_invalid(&self, invalid: &[(RowId, InvalidReason)]) -> Result<(), SendError> {
        if invalid.is_empty() {
            return Ok(());
        }
        let rows: Vec<RowId> = invalid.iter().map(|(row, _)| *row).collect();
        let fresh = ride_out("Redis", &self.stop, || {
            self.ledger.end_rows(Outcome::Invalid, &rows)
        })
        .await?;
        for ((row, reason), fresh) in invalid.iter().zip(fresh) {
            if fresh {
                self.metrics.invalid.inc();
                warn!(%row, reason = reason.code(), "Row is INVALID: {reason}");
            }
        }
        Ok(())
    }

    /// Waits for its turn and for room; the semaphores are never closed.
    async fn room_for(&self, bytes: usize) -> Option<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let permits = u32::try_from(bytes / PERMIT_BYTES).unwrap_or(u32::MAX);
        let call = self.calls.acquire().await.ok()?;
        let room = self.bytes.acquire_many(permits).await.ok()?;
        Some((call, room))
    }
}
