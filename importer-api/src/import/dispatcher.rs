use std::sync::Arc;

use common::ledger::{EndedRow, LedgerError, RowLedger, Unbilled};
use common::messaging::{BatchSender, Delivered, Outgoing, send_all};
use common::runtime::tally;
use common::runtime::{GaveUp, outage_backoff, ride_out, wait};
use contract::{InvalidReason, Reason, RowId, split_records};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Batch;
use crate::ImporterMetrics;

/// Bytes of messages in flight, all imports together.
const BYTES_IN_FLIGHT: usize = 32 * 1024 * 1024;
/// What one permit of that stands for.
const PERMIT_BYTES: usize = 1024;

/// Room for a batch in flight; dropping it gives the room back.
#[derive(Debug)]
pub struct Room {
    _call: Option<OwnedSemaphorePermit>,
    _bytes: Option<OwnedSemaphorePermit>,
}

/// Brings batches to their end: SQS has accepted each row, or it is recorded
/// as INVALID. Shared by all imports, whose batches take turns.
#[derive(Debug)]
pub struct Dispatcher<S, L> {
    queue: S,
    ledger: L,
    metrics: ImporterMetrics,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl<S: BatchSender, L: RowLedger> Dispatcher<S, L> {
    /// A dispatcher with at most that many batches in flight.
    pub fn new(queue: S, ledger: L, metrics: ImporterMetrics, concurrency: usize) -> Self {
        Self {
            queue,
            ledger,
            metrics,
            calls: Arc::new(Semaphore::new(concurrency)),
            bytes: Arc::new(Semaphore::new(BYTES_IN_FLIGHT / PERMIT_BYTES)),
        }
    }

    /// Waits for room for a batch of that many bytes. Those who wait get it in
    /// the order in which they came, so that imports take turns.
    pub async fn room_for(&self, bytes: usize) -> Room {
        let permits = u32::try_from(bytes / PERMIT_BYTES).unwrap_or(u32::MAX);
        // The semaphores are never closed.
        Room {
            _call: Arc::clone(&self.calls).acquire_owned().await.ok(),
            _bytes: Arc::clone(&self.bytes)
                .acquire_many_owned(permits)
                .await
                .ok(),
        }
    }

    /// Sends a batch, again and again until every message has an end. Where
    /// SQS refuses a message of several rows, each is sent in one of its own,
    /// so that only the culprit is INVALID.
    ///
    /// # Errors
    /// When `stop` was cancelled meanwhile; the batch may have been sent in
    /// part.
    pub async fn send(
        &self,
        batch: Batch,
        _room: Room,
        stop: &CancellationToken,
    ) -> Result<(), GaveUp<LedgerError>> {
        let Batch {
            mut messages,
            mut invalid,
            ..
        } = batch;
        let mut backoff = outage_backoff();
        loop {
            let delivered = send_all(&self.queue, &messages, stop).await?;
            let mut pending = Vec::new();
            let mut is_busy = false;
            let mut refused = Vec::new();
            for (message, delivered) in messages.into_iter().zip(delivered) {
                match delivered {
                    Delivered::Accepted => self.metrics.sent.inc(),
                    Delivered::Refused(reason) => {
                        self.metrics.failed.inc();
                        let mut rows = row_by_row(&message);
                        refused.push((reason, message.row));
                        if rows.len() > 1 {
                            pending.append(&mut rows);
                        } else {
                            let reason = InvalidReason::RefusedByQueue;
                            invalid.extend(message.row.map(|row| (row, reason)));
                        }
                    }
                    Delivered::Failed(_) => {
                        self.metrics.failed.inc();
                        pending.push(message);
                        is_busy = true;
                    }
                }
            }
            for (reason, (messages, row)) in tally(refused) {
                let row = row.map(tracing::field::display);
                warn!(messages, row, reason, "SQS refused messages");
            }
            messages = pending;
            if messages.is_empty() {
                break;
            }
            if is_busy {
                wait(backoff.next_wait(), stop).await?;
            }
        }
        self.record_invalid(&invalid, stop).await
    }

    async fn record_invalid(
        &self,
        invalid: &[(RowId, InvalidReason)],
        stop: &CancellationToken,
    ) -> Result<(), GaveUp<LedgerError>> {
        if invalid.is_empty() {
            return Ok(());
        }
        let ended: Vec<EndedRow> = invalid
            .iter()
            .map(|(row, reason)| EndedRow {
                row: *row,
                reason: Some(Reason::from(*reason)),
            })
            .collect();
        let fresh = ride_out(self.ledger.outage(), stop, || {
            self.ledger.end_rows(Unbilled::Invalid, &ended)
        })
        .await?;
        let fresh = invalid.iter().zip(fresh).filter(|(_, fresh)| *fresh);
        let by_code = fresh.map(|((row, reason), _)| (reason.code(), (row, reason)));
        // One line a reason: a file may hold a million rows that are bad in one way.
        for (code, (rows, (first, reason))) in tally(by_code) {
            self.metrics.invalid.inc_by(rows as u64);
            warn!(rows, row = %first, reason = code, "Rows are INVALID: {reason}");
        }
        Ok(())
    }
}

/// The rows of a message, each in one of its own.
fn row_by_row(message: &Outgoing) -> Vec<Outgoing> {
    let records = split_records(&message.body).into_iter().enumerate();
    let mut lines = message.columns.as_deref().map(|lines| lines.split('\n'));
    let single = |(place, record): (usize, &str)| Outgoing {
        body: record.to_owned(),
        row: message.row.and_then(|row| row.behind(place)),
        columns: lines.as_mut().and_then(Iterator::next).map(str::to_owned),
        event_type: message.event_type,
        trace: message.trace.clone(),
    };
    records.map(single).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_sent_alone_keeps_its_line_of_the_optional_columns() {
        let message = |body: &str, columns: Option<&str>| Outgoing {
            body: body.to_owned(),
            row: None,
            columns: columns.map(str::to_owned),
            event_type: None,
            trace: None,
        };
        let lines = "{\"phone\":\"1\"}\n{}\n{\"phone\":\"3\"}";
        let several = message("a,\"1\n2\"\nb,2\nc,3", Some(lines));
        let expected = [
            message("a,\"1\n2\"", Some("{\"phone\":\"1\"}")),
            message("b,2", Some("{}")),
            message("c,3", Some("{\"phone\":\"3\"}")),
        ];
        assert_eq!(row_by_row(&several), expected);
        let plain = message("a,1\nb,2", None);
        assert_eq!(
            row_by_row(&plain),
            [message("a,1", None), message("b,2", None)]
        );
    }
}
