//! Looking at an import, with and without recording what was seen.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::carrying::Listing;
use super::put_off::Edge;
use super::rows::bitmap_names;
use super::{RedisLedger, import_hash as hash, keys, put_off};
use crate::ledger::{ImportStatus, LedgerError, Observed, Outcome, OutcomeCounts};

/// The figures of an import that nobody has looked at, when nothing moved.
const UNMOVED: &str = "0 0 0 0 0";

/// Rows that are put off, and the edges of their times; the hash; the further
/// channels; the figures of the bitmaps.
type Looked = (
    u64,
    Edge,
    Edge,
    HashMap<String, String>,
    Vec<String>,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
);

impl RedisLedger {
    /// Looks at an import, and records what was seen. See
    /// [`observe_import`](crate::ledger::ImportLedger::observe_import).
    pub(super) async fn observe(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> Result<Option<Observed>, LedgerError> {
        let mut found = self.look(import_id, Some(now)).await?;
        if let Some((status, _)) = &found
            && status.has_no_sender(now)
        {
            self.abandon(status, now).await?;
            found = self.look(import_id, Some(now)).await?;
        }
        let Some((mut status, progress_before)) = found else {
            // Expired: nothing is left to look at.
            redis::pipe()
                .zrem(keys::IMPORTS, import_id.to_string())
                .ignore()
                .srem(keys::OPEN_IMPORTS, import_id.to_string())
                .ignore()
                .exec_async(&mut self.connection.clone())
                .await?;
            return Ok(None);
        };
        let key = keys::import(import_id);
        let mut pipe = redis::pipe();
        let progress = progress(&status);
        if progress_before.as_deref().unwrap_or(UNMOVED) != progress {
            status.progressed_at = now;
            pipe.cmd("HSET")
                .arg(&key)
                .arg(hash::PROGRESS)
                .arg(progress)
                .arg(hash::PROGRESSED_AT)
                .arg(now.as_millisecond())
                .ignore();
        }
        if status.is_over() {
            let finished_at = *status.finished_at.get_or_insert(now);
            pipe.hset_nx(&key, hash::FINISHED_AT, finished_at.as_millisecond());
        } else if status.finished_at.take().is_some() {
            // Opened again while somebody else saw its end.
            self.list_as_open(import_id).await?;
            pipe.hdel(&key, hash::FINISHED_AT).ignore();
        }
        let mut newly_over = false;
        if !pipe.is_empty() {
            let answers: Vec<bool> = pipe.query_async(&mut self.connection.clone()).await?;
            newly_over = answers == [true];
        }
        // After its end is known, as the list may be on another server: an import
        // that is in neither is looked at no more.
        if status.is_over() {
            redis::cmd("SREM")
                .arg(keys::OPEN_IMPORTS)
                .arg(import_id.to_string())
                .exec_async(&mut self.connection.clone())
                .await?;
        }
        Ok(Some(Observed { status, newly_over }))
    }

    /// Ends the sending of an import that nobody sends, unless it has ended.
    async fn abandon(&self, status: &ImportStatus, now: Timestamp) -> Result<(), LedgerError> {
        let import = &status.import;
        let key = keys::import(import.import_id);
        let mut pipe = redis::pipe();
        pipe.hset_nx(&key, hash::SENT_AT, now.as_millisecond());
        let (is_first,): (bool,) = pipe.query_async(&mut self.connection.clone()).await?;
        if is_first {
            redis::cmd("HSET")
                .arg(key)
                .arg(hash::ABANDONED_AT)
                .arg(now.as_millisecond())
                .exec_async(&mut self.connection.clone())
                .await?;
        }
        let listed = (import.spool.clone(), import.client.clone());
        self.list(&listed, import.import_id, Listing::Ended).await
    }

    /// An import, and its figures when they were last looked at. With `now`,
    /// rows whose e-mail is late at that time no longer count as put off.
    pub(super) async fn look(
        &self,
        import_id: Uuid,
        now: Option<Timestamp>,
    ) -> Result<Option<(ImportStatus, Option<String>)>, LedgerError> {
        let mut pipe = redis::pipe();
        // Before the figures: a row that is at its end by now may be among
        // both, and one that is not is never in neither.
        put_off::ask(&mut pipe, import_id, now);
        pipe.hgetall(keys::import(import_id));
        pipe.smembers(keys::channels(import_id));
        for name in bitmap_names() {
            pipe.bitcount(keys::bitmap(import_id, name));
        }
        let (
            put_off_rows,
            first,
            last,
            info,
            channels,
            billed,
            skipped,
            invalid,
            notified,
            mailed,
            undeliverable,
        ): Looked = pipe.query_async(&mut self.connection.clone()).await?;
        let Some(mut status) = hash::read(import_id, &info) else {
            return Ok(None);
        };
        status.put_off = put_off::read(put_off_rows, &first, &last);
        status.channels = self.channel_counts(import_id, channels).await?;
        status.counts = OutcomeCounts {
            rows: status.import.rows,
            billed,
            skipped,
            invalid,
            not_sent: 0,
            notified,
            mailed,
            undeliverable,
        };
        let stopped = status.cancelled_at.is_some() || status.failure.is_some();
        if stopped && status.sent_at.is_some() {
            status.counts.not_sent = self.not_sent(&status).await?;
        }
        Ok(Some((status, info.get(hash::PROGRESS).cloned())))
    }

    /// Rows behind the last one known to be sent that have no outcome. A
    /// crash may have left some of them sent; they leave this figure when
    /// they are settled.
    async fn not_sent(&self, status: &ImportStatus) -> Result<u64, LedgerError> {
        let behind = status.import.rows.saturating_sub(status.sent);
        if behind == 0 {
            return Ok(0);
        }
        let mut pipe = redis::pipe();
        for outcome in Outcome::ALL {
            pipe.cmd("BITCOUNT")
                .arg(keys::bitmap(status.import.import_id, outcome.name()))
                .arg(status.sent + 1)
                .arg(status.import.rows)
                .arg("BIT");
        }
        let ended: Vec<u64> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(behind.saturating_sub(ended.iter().sum()))
    }
}

/// The figures in one text, to see whether they moved.
pub(super) fn progress(status: &ImportStatus) -> String {
    status.figures().map(|figure| figure.to_string()).join(" ")
}
