use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{LedgerError, PutOffRows};
use crate::runtime::Dependency;

/// An import without progress for that long is stalled.
pub const STALLED_AFTER: Duration = Duration::from_mins(10);

/// A sender stops within seconds of a cancel. Where it has not said so after
/// that time, the import has none: its spool is lost, or its replica is gone.
pub const ABANDONED_AFTER: Duration = Duration::from_mins(1);

/// For so long it is known when an import failed.
pub const FAILURES_KEPT: Duration = Duration::from_hours(24);

/// A file that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImport {
    /// The import.
    pub import_id: Uuid,
    /// The name that the client gave the file.
    pub file_name: Option<String>,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// Data records of the file.
    pub rows: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// Rows of an import by what became of them. `billed`, `skipped`, `invalid`,
/// `pending` and `not_sent` add up to `rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// Rows of the file.
    pub rows: u64,
    /// Rows that billed their debt.
    pub billed: u64,
    /// Rows whose debt was billed by another row.
    pub skipped: u64,
    /// Rows that could not be billed.
    pub invalid: u64,
    /// Rows of a cancelled, abandoned or failed import that were not sent.
    pub not_sent: u64,
    /// Billed rows whose notification SNS accepted.
    pub notified: u64,
    /// Billed rows whose e-mail was sent.
    pub mailed: u64,
    /// Billed rows whose e-mail can never be delivered.
    pub undeliverable: u64,
}

impl OutcomeCounts {
    /// Rows that have an outcome.
    pub fn ended(&self) -> u64 {
        self.billed + self.skipped + self.invalid
    }

    /// Rows that will have an outcome and have none yet.
    pub fn pending(&self) -> u64 {
        self.rows
            .saturating_sub(self.ended())
            .saturating_sub(self.not_sent)
    }

    /// Rows that are not at their end: without an outcome, or billed and
    /// without an end of their e-mail.
    fn unsettled(&self) -> u64 {
        let mails = self.mailed + self.undeliverable;
        self.pending() + self.billed.saturating_sub(mails)
    }

    /// Every row that was sent has an outcome, and every bill its e-mail.
    pub fn is_complete(&self) -> bool {
        self.pending() == 0 && self.mailed + self.undeliverable == self.billed
    }
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImportState {
    /// On disk; no row is sent yet.
    Received,
    /// Its rows are being sent.
    Sending,
    /// All rows are sent, and not all are at their end.
    Processing,
    /// All that is left of it are e-mails that a mail server put off and that
    /// are tried again at a known time.
    Waiting,
    /// Every row was billed or skipped, and every bill has its e-mail.
    Completed,
    /// Every row is at its end; some were invalid or undeliverable.
    CompletedWithErrors,
    /// Not at its end, and without progress for [`STALLED_AFTER`] in which it
    /// did not wait for its turn to be sent.
    Stalled,
    /// Somebody cancelled it, and it has rows that were not sent. Those that
    /// were are settled.
    Cancelled,
    /// The same, and nobody had its file any more.
    Abandoned,
    /// It cannot be sent to its end.
    Failed,
}

impl ImportState {
    /// Those that an import may have at its end.
    pub const LAST: [Self; 5] = [
        Self::Completed,
        Self::CompletedWithErrors,
        Self::Cancelled,
        Self::Abandoned,
        Self::Failed,
    ];

    /// Name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sending => "sending",
            Self::Processing => "processing",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::CompletedWithErrors => "completed_with_errors",
            Self::Stalled => "stalled",
            Self::Cancelled => "cancelled",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
        }
    }
}

/// What the ledger knows of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportStatus {
    /// The file.
    pub import: NewImport,
    /// Rows up to this one are sent: SQS accepted each, or it is INVALID.
    pub sent: u64,
    /// When the last row was sent, or sending ended otherwise.
    pub sent_at: Option<Timestamp>,
    /// When somebody cancelled it.
    pub cancelled_at: Option<Timestamp>,
    /// When it was seen that nobody ends the sending that was cancelled.
    pub abandoned_at: Option<Timestamp>,
    /// Why it cannot be sent to its end.
    pub failure: Option<String>,
    /// When its figures last moved.
    pub progressed_at: Timestamp,
    /// When its importer last said that it waits for its turn to be sent.
    pub waited_at: Option<Timestamp>,
    /// When it was first seen at its end.
    pub finished_at: Option<Timestamp>,
    /// Its rows by what became of them.
    pub counts: OutcomeCounts,
    /// Its rows whose e-mail a mail server put off.
    pub put_off: PutOffRows,
}

impl ImportStatus {
    /// How far it is.
    pub fn state(&self, now: Timestamp) -> ImportState {
        if let Some(stopped) = self.stopped() {
            return stopped;
        }
        if self.counts.is_complete() {
            return if self.counts.invalid + self.counts.undeliverable == 0 {
                ImportState::Completed
            } else {
                ImportState::CompletedWithErrors
            };
        }
        if self.waits(now) {
            return ImportState::Waiting;
        }
        if self.is_still(now) {
            ImportState::Stalled
        } else if self.sent_at.is_some() {
            ImportState::Processing
        } else if self.sent > 0 || self.counts.ended() > 0 {
            ImportState::Sending
        } else {
            ImportState::Received
        }
    }

    /// Whether it is not at its end and stands still, be it stopped or not;
    /// [`ImportState::Stalled`] where it is not.
    pub fn is_stalled(&self, now: Timestamp) -> bool {
        !self.is_over() && !self.waits(now) && self.is_still(now)
    }

    /// Whether all that is left are e-mails that are tried again.
    fn waits(&self, now: Timestamp) -> bool {
        self.put_off.account_for(self.counts.unsettled(), now)
    }

    fn is_still(&self, now: Timestamp) -> bool {
        let still = now.duration_since(self.still_since());
        still.unsigned_abs() >= STALLED_AFTER && still.is_positive()
    }

    /// What keeps rows of it from being sent. Where all are sent, or have
    /// their outcome as a crash came before their sending was recorded, it is
    /// not stopped, whoever wanted that.
    fn stopped(&self) -> Option<ImportState> {
        let has_unsent = !self.all_sent() && self.counts.ended() < self.import.rows;
        if has_unsent && self.abandoned_at.is_some() {
            Some(ImportState::Abandoned)
        } else if has_unsent && self.cancelled_at.is_some() {
            Some(ImportState::Cancelled)
        } else if has_unsent && self.failure.is_some() {
            Some(ImportState::Failed)
        } else {
            None
        }
    }

    /// Whether it was cancelled [`ABANDONED_AFTER`] ago, and no sender has
    /// stopped since.
    pub fn has_no_sender(&self, now: Timestamp) -> bool {
        let stops = self.stopped() == Some(ImportState::Cancelled) && self.sent_at.is_none();
        let since = self.cancelled_at.unwrap_or(now);
        stops && now >= since + ABANDONED_AFTER
    }

    /// Whether every row is sent, so that nothing is left to be cancelled.
    pub fn all_sent(&self) -> bool {
        self.sent >= self.import.rows
    }

    /// Since when its figures have not moved though nothing held it up. One
    /// that waits for its turn is not still.
    pub fn still_since(&self) -> Timestamp {
        self.waited_at
            .max(Some(self.progressed_at))
            .unwrap_or(self.progressed_at)
    }

    /// Whether nothing more is going to happen to it.
    pub fn is_over(&self) -> bool {
        // How many rows a cancelled or failed import did not send is known once its
        // sender has stopped.
        let sending_goes_on = self.stopped().is_some() && self.sent_at.is_none();
        self.counts.is_complete() && !sending_goes_on
    }
}

/// What a look at an import found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The import.
    pub status: ImportStatus,
    /// It came to its end, and this look is the one that recorded that: of
    /// all looks at an import, one says so at most.
    pub newly_over: bool,
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedUpload {
    /// The import that the first upload with the key became.
    pub import_id: Uuid,
    /// SHA-256 of its file, in lower-case hex.
    pub sha256: String,
}

/// The imports as a whole.
pub trait ImportLedger: Dependency + Send + Sync {
    /// Makes an import known, so that its rows have outcomes. What is known
    /// of it already stays.
    fn register_import(
        &self,
        import: &NewImport,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Number of rows of an import; `None` if it is not known.
    fn rows_of(
        &self,
        import_id: Uuid,
    ) -> impl Future<Output = Result<Option<u64>, LedgerError>> + Send;

    /// Records up to which row an import is sent, and, at the end of sending,
    /// when that was. Gives whether somebody has cancelled the import.
    fn record_sent(
        &self,
        import_id: Uuid,
        sent: u64,
        sent_at: Option<Timestamp>,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Records that imports wait for their turn to be sent.
    fn record_waiting(
        &self,
        import_ids: &[Uuid],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Records that an import cannot be sent to its end, and since when.
    fn record_failure(
        &self,
        import_id: Uuid,
        reason: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Cancels an import, now or earlier; its sender stops soon after.
    fn cancel_import(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// What is known of an import; `None` if it is not known.
    fn import_status(
        &self,
        import_id: Uuid,
    ) -> impl Future<Output = Result<Option<ImportStatus>, LedgerError>> + Send;

    /// Looks at an import, and records when its figures moved and when it
    /// came to its end; also that it is abandoned, where it
    /// [has no sender](ImportStatus::has_no_sender), which counts as the end of
    /// its sending until a sender records that. `None` if it is not known.
    fn observe_import(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Observed>, LedgerError>> + Send;

    /// The newest imports, newest first, at most `limit` of them; with
    /// `before` those that are older than that one.
    fn recent_imports(
        &self,
        before: Option<Uuid>,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<Uuid>, LedgerError>> + Send;

    /// Imports that nobody has seen at their end.
    fn open_imports(&self) -> impl Future<Output = Result<Vec<Uuid>, LedgerError>> + Send;

    /// How many imports failed at that time or later, not more than
    /// [`FAILURES_KEPT`] ago.
    fn failed_imports(
        &self,
        since: Timestamp,
    ) -> impl Future<Output = Result<u64, LedgerError>> + Send;

    /// Rows of an import by what became of them.
    fn outcome_counts(
        &self,
        import_id: Uuid,
    ) -> impl Future<Output = Result<OutcomeCounts, LedgerError>> + Send;

    /// What an idempotency key stands for: `upload` from now on for `kept`,
    /// or what it stood for before.
    fn claim_key(
        &self,
        key: &str,
        upload: &KeyedUpload,
        kept: Duration,
    ) -> impl Future<Output = Result<KeyedUpload, LedgerError>> + Send;

    /// What an idempotency key stands for; `None` if it is not in use.
    fn keyed_upload(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<KeyedUpload>, LedgerError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn status(counts: OutcomeCounts) -> ImportStatus {
        ImportStatus {
            import: NewImport {
                import_id: Uuid::nil(),
                file_name: None,
                size: 1,
                sha256: String::new(),
                rows: counts.rows,
                accepted_at: at(0),
            },
            sent: counts.rows,
            sent_at: Some(at(1)),
            cancelled_at: None,
            abandoned_at: None,
            failure: None,
            progressed_at: at(1),
            waited_at: None,
            finished_at: None,
            counts,
            put_off: PutOffRows::default(),
        }
    }

    const DONE: OutcomeCounts = OutcomeCounts {
        rows: 10,
        billed: 7,
        skipped: 3,
        invalid: 0,
        not_sent: 0,
        notified: 7,
        mailed: 7,
        undeliverable: 0,
    };

    #[test]
    fn the_state_follows_the_figures() {
        let state = |status: &ImportStatus| status.state(at(2)).name();
        let fresh = ImportStatus {
            sent: 0,
            sent_at: None,
            ..status(OutcomeCounts {
                rows: 10,
                ..OutcomeCounts::default()
            })
        };
        assert_eq!(state(&fresh), "received");
        let sending = ImportStatus { sent: 4, ..fresh };
        assert_eq!(state(&sending), "sending");
        let unmailed = status(OutcomeCounts { mailed: 6, ..DONE });
        assert_eq!(state(&unmailed), "processing");
        assert!(!unmailed.is_over());
        assert_eq!(state(&status(DONE)), "completed");
        assert!(status(DONE).is_over());
        for counts in [
            OutcomeCounts {
                skipped: 2,
                invalid: 1,
                ..DONE
            },
            OutcomeCounts {
                mailed: 6,
                undeliverable: 1,
                ..DONE
            },
        ] {
            assert_eq!(state(&status(counts)), "completed_with_errors");
        }
    }

    #[test]
    fn an_import_is_stalled_after_ten_minutes_without_progress_and_only_then() {
        let status = status(OutcomeCounts { mailed: 6, ..DONE });
        assert_eq!(status.state(at(600)), ImportState::Processing);
        assert_eq!(status.state(at(601)), ImportState::Stalled);
        // A clock that runs behind is no progress of ten minutes.
        assert_eq!(status.state(at(-10_000)), ImportState::Processing);
    }

    #[test]
    fn an_import_waits_where_all_that_is_left_is_put_off_and_nothing_is_lost() {
        let put_off = PutOffRows {
            rows: 2,
            first: Some(at(3_000)),
            last: Some(at(4_000)),
        };
        let waiting = ImportStatus {
            put_off,
            ..status(OutcomeCounts { mailed: 5, ..DONE })
        };
        for now in [2, 601, 3_599] {
            assert_eq!(waiting.state(at(now)), ImportState::Waiting, "{now}");
        }
        assert!(!waiting.is_over());
        // Its message has not come back.
        assert_eq!(waiting.state(at(3_600)), ImportState::Stalled);
        for lost in [
            OutcomeCounts { mailed: 4, ..DONE },
            OutcomeCounts {
                mailed: 5,
                skipped: 2,
                ..DONE
            },
        ] {
            let beside = ImportStatus {
                counts: lost,
                ..waiting.clone()
            };
            assert_eq!(beside.state(at(600)), ImportState::Processing);
            assert_eq!(beside.state(at(601)), ImportState::Stalled);
        }
        let done = ImportStatus {
            counts: DONE,
            ..waiting
        };
        assert_eq!(done.state(at(2)), ImportState::Completed);
    }

    #[test]
    fn an_import_that_waits_for_its_turn_is_not_stalled() {
        let waiting = ImportStatus {
            sent: 0,
            sent_at: None,
            waited_at: Some(at(6_000)),
            ..status(OutcomeCounts {
                rows: 10,
                ..OutcomeCounts::default()
            })
        };
        assert_eq!(waiting.state(at(6_599)), ImportState::Received);
        // Whoever had it is gone.
        assert_eq!(waiting.state(at(6_600)), ImportState::Stalled);
        let moved = ImportStatus {
            progressed_at: at(7_000),
            ..waiting
        };
        assert_eq!(moved.still_since(), at(7_000));
    }

    #[test]
    fn an_import_that_was_stopped_stands_still_as_others_do() {
        let counts = OutcomeCounts {
            rows: 9,
            billed: 4,
            notified: 4,
            mailed: 3,
            not_sent: 5,
            ..OutcomeCounts::default()
        };
        let cancelled = ImportStatus {
            sent: 4,
            cancelled_at: Some(at(1)),
            ..status(counts)
        };
        let (soon, late) = (at(10), at(1) + STALLED_AFTER);
        assert_eq!(cancelled.state(late), ImportState::Cancelled);
        assert!(!cancelled.is_stalled(soon) && cancelled.is_stalled(late));
        let over = ImportStatus {
            counts: OutcomeCounts {
                mailed: 4,
                ..counts
            },
            ..cancelled
        };
        assert!(over.is_over() && !over.is_stalled(late));
    }

    #[test]
    fn a_cancelled_import_is_over_once_what_was_sent_is_settled() {
        let cancelled = |counts, sent_at| ImportStatus {
            sent: 5,
            cancelled_at: Some(at(1)),
            sent_at,
            ..status(counts)
        };
        let half = OutcomeCounts {
            billed: 4,
            mailed: 4,
            notified: 4,
            skipped: 1,
            not_sent: 5,
            ..DONE
        };
        assert_eq!(half.pending(), 0);
        let over = cancelled(half, Some(at(2)));
        assert_eq!(over.state(at(3)), ImportState::Cancelled);
        assert!(over.is_over());
        assert!(!cancelled(half, None).is_over());
        let unsettled = OutcomeCounts { mailed: 3, ..half };
        assert!(!cancelled(unsettled, Some(at(2))).is_over());
    }

    #[test]
    fn what_came_too_late_to_stop_a_row_leaves_no_trace_in_the_state() {
        let unsettled = OutcomeCounts { mailed: 6, ..DONE };
        let unmailed = OutcomeCounts {
            notified: 0,
            mailed: 0,
            ..DONE
        };
        for (sent, counts, state) in [
            // All rows were sent before their sender learned of it.
            (10, DONE, "completed"),
            (10, unsettled, "processing"),
            (
                10,
                OutcomeCounts {
                    billed: 0,
                    ..unmailed
                },
                "processing",
            ),
            // A crash came before it was recorded that the last row was sent.
            (9, DONE, "completed"),
            (9, unsettled, "processing"),
        ] {
            let cancelled = ImportStatus {
                sent,
                cancelled_at: Some(at(1)),
                ..status(counts)
            };
            assert_eq!(cancelled.state(at(3)).name(), state, "{sent} {counts:?}");
            assert_eq!(cancelled.is_over(), state == "completed");
            let failed = ImportStatus {
                cancelled_at: None,
                failure: Some("the file is gone".to_owned()),
                ..cancelled
            };
            assert_eq!(failed.state(at(3)).name(), state, "{sent} {counts:?}");
        }
    }
}
