//! How far an import is, as its figures and times say.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{ChannelCounts, Erasure, PutOffRows, STALLED_AFTER};

/// A sender stops within seconds of a cancel. Where it has not said so after
/// that time, the import has none: its spool is lost, or its replica is gone.
pub const ABANDONED_AFTER: Duration = Duration::from_mins(1);

/// A replica that has the file of an import takes it within seconds, or says
/// that it waits for its turn. An import that nobody has taken for that time is
/// in a spool that no replica has.
pub const UNCARRIED_AFTER: Duration = Duration::from_mins(2);

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
    /// Which spool has the file; empty for an import of an older version that
    /// nobody has registered again.
    pub spool: String,
    /// Who uploaded it, for the turns among clients; empty where clients have
    /// no tokens.
    pub client: String,
}

/// Rows of an import by outcome. `billed`, `skipped`, `invalid`,
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
    /// Stored; no row is sent yet.
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
    /// Bytes of the file before the next one; 0 where that is not known.
    pub offset: u64,
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
    /// Until when it has a carrier, or had; `None` where it waits for one.
    pub carried_until: Option<Timestamp>,
    /// When it was first seen at its end.
    pub finished_at: Option<Timestamp>,
    /// Whether what identifies its debtors is erased, or is to be.
    pub erasure: Option<Erasure>,
    /// Its rows by outcome.
    pub counts: OutcomeCounts,
    /// Its rows whose e-mail a mail server put off.
    pub put_off: PutOffRows,
    /// What further channels have sent, in the order of their names. Its state
    /// does not depend on them.
    pub channels: Vec<ChannelCounts>,
}

impl ImportStatus {
    /// The figures whose move is progress, for ledgers that keep what they were.
    pub fn figures(&self) -> [u64; 5] {
        let counts = &self.counts;
        [
            self.sent,
            counts.ended(),
            counts.notified,
            counts.mailed,
            counts.undeliverable,
        ]
    }

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

    /// Since when nobody carries it, or at the earliest from when on, where its
    /// carrier does not renew its lease; `None` where its sending has ended.
    pub fn uncarried_since(&self) -> Option<Timestamp> {
        let since = self.waited_at.max(self.carried_until);
        let since = since.max(Some(self.import.accepted_at));
        since.filter(|_| self.sent_at.is_none())
    }

    /// Whether it has been without a carrier for [`UNCARRIED_AFTER`], and not
    /// for want of a turn.
    pub fn is_uncarried(&self, now: Timestamp) -> bool {
        let since = self.uncarried_since();
        since.is_some_and(|since| now >= since + UNCARRIED_AFTER)
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

    /// Whether what identifies its debtors is being erased.
    pub fn is_being_erased(&self) -> bool {
        let erasure = self.erasure.as_ref();
        erasure.is_some_and(|erasure| erasure.erased_at.is_none())
    }

    /// Whether that is done for good: no row of it may come late, and none is
    /// open again.
    pub fn is_erased_for_good(&self) -> bool {
        let erased_at = self.erasure.as_ref().and_then(|erasure| erasure.erased_at);
        erased_at.is_some() && self.is_over() && self.counts.not_sent == 0
    }

    /// Whether nothing more is going to happen to it.
    pub fn is_over(&self) -> bool {
        // How many rows a cancelled or failed import did not send is known once its
        // sender has stopped.
        let sending_goes_on = self.stopped().is_some() && self.sent_at.is_none();
        self.counts.is_complete() && !sending_goes_on
    }
}

#[cfg(test)]
mod tests;
