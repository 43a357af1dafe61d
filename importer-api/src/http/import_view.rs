use std::collections::BTreeMap;

use common::ledger::{Erasure, ImportStatus, PutOffRows};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The import of the examples in the API documentation.
pub(super) const IMPORT_ID: &str = "01a20d97-6b57-75d8-bf76-a150c081d411";

/// An import as a client sees it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({
    "import_id": IMPORT_ID,
    "state": "completed_with_errors",
    "over": true,
    "file_name": "input.csv",
    "size": 239_687,
    "sha256": "58c859efbfd745594aa0b4dd27df08eb2b77aa182b028d749c35f8501f2c0c84",
    "rows": {
        "total": 2000, "sent": 2000, "billed": 1897, "skipped": 68, "invalid": 35,
        "pending": 0, "not_sent": 0, "notified": 1897, "mailed": 1897, "undeliverable": 0,
        "put_off": 0
    },
    "put_off": null,
    "accepted_at": "2026-11-24T12:41:48.317Z",
    "sent_at": "2026-11-24T12:41:48.384Z",
    "progressed_at": "2026-11-24T12:41:48.872Z",
    "cancelled_at": null,
    "finished_at": "2026-11-24T12:41:48.872Z",
    "erasure": null,
    "rows_per_second": 3603.6
}))]
pub(crate) struct ImportView {
    /// The import.
    import_id: Uuid,
    /// `received`: stored, nothing is sent yet. `sending`: its rows are being
    /// sent. `processing`: all are sent, not all are at their end.
    /// `waiting`: all that is left are e-mails that a mail server put off; they
    /// are tried again when `put_off` says.
    /// `completed`: every row was billed or skipped, every bill mailed.
    /// `completed_with_errors`: every row is at its end, some are invalid or
    /// undeliverable. `stalled`: no progress for ten minutes. `cancelled`: in
    /// time, so that rows of it were not sent. `abandoned`: the same, and its
    /// file was lost.
    /// `failed`: it cannot be sent to its end.
    #[schema(example = "processing")]
    state: &'static str,
    /// Whether nothing more is going to happen to it.
    over: bool,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// The name that the client gave the file.
    #[schema(example = "debts.csv")]
    file_name: Option<String>,
    /// Bytes of the file.
    #[schema(example = 105_600_000)]
    size: u64,
    /// SHA-256 of the file, in lower-case hex.
    sha256: String,
    /// Its rows by outcome.
    rows: RowsView,
    /// When e-mails are tried again that a mail server put off; null where
    /// there are none.
    put_off: Option<PutOffView>,
    /// What channels other than e-mail have sent for its rows, by their names;
    /// no import waits for it. Only where there are such channels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    channels: BTreeMap<String, ChannelView>,
    /// When the file was accepted.
    #[schema(value_type = String, format = DateTime)]
    accepted_at: Timestamp,
    /// When its last row was sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
    /// When its figures last moved.
    #[schema(value_type = String, format = DateTime)]
    progressed_at: Timestamp,
    /// When somebody asked for it to be cancelled.
    #[schema(value_type = Option<String>, format = DateTime)]
    cancelled_at: Option<Timestamp>,
    /// When it came to its end, to a second or so.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// Whether its personal data is being removed, or was; null where nobody asked
    /// for it.
    erasure: Option<ErasureView>,
    /// Rows with an outcome, a second: from its acceptance to its end, or to
    /// its last progress.
    rows_per_second: f64,
}

/// Rows by what became of them: `billed`, `skipped`, `invalid`, `pending` and
/// `not_sent` add up to `total`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct RowsView {
    /// Data records of the file.
    total: u64,
    /// Rows up to this one are sent.
    sent: u64,
    /// Rows that billed their debt.
    billed: u64,
    /// Rows whose debt was billed by another row.
    skipped: u64,
    /// Rows that could not be billed.
    invalid: u64,
    /// Rows that will have an outcome and have none yet.
    pending: u64,
    /// Rows of a cancelled, abandoned or failed import that were not sent.
    not_sent: u64,
    /// Billed rows whose notification was accepted.
    notified: u64,
    /// Billed rows whose e-mail was sent.
    mailed: u64,
    /// Billed rows whose e-mail can never be delivered.
    undeliverable: u64,
    /// Billed rows whose e-mail a mail server put off and that is tried again.
    put_off: u64,
}

/// Rows by what became of their message on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct ChannelView {
    /// Billed rows whose message was sent.
    sent: u64,
    /// Billed rows whose message can never be delivered.
    undeliverable: u64,
}

/// When e-mails are tried again that a mail server put off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct PutOffView {
    /// The first of them.
    #[schema(value_type = String, format = DateTime)]
    first_try_at: Timestamp,
    /// The last of them.
    #[schema(value_type = String, format = DateTime)]
    last_try_at: Timestamp,
}

/// The personal data of an import is being removed, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct ErasureView {
    /// When somebody asked for it first.
    #[schema(value_type = String, format = DateTime)]
    asked_at: Timestamp,
    /// Whose token it was: the start of its SHA-256; empty where the API takes
    /// no tokens.
    #[schema(example = "2c26b46b68ffc68f")]
    by: String,
    /// When nothing was left of it; null while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    erased_at: Option<Timestamp>,
}

impl From<&Erasure> for ErasureView {
    fn from(erasure: &Erasure) -> Self {
        Self {
            asked_at: erasure.asked_at,
            by: erasure.by.clone(),
            erased_at: erasure.erased_at,
        }
    }
}

impl PutOffView {
    fn new(put_off: &PutOffRows) -> Option<Self> {
        Some(Self {
            first_try_at: put_off.first?,
            last_try_at: put_off.last?,
        })
    }
}

impl ImportView {
    pub(crate) fn new(status: &ImportStatus, now: Timestamp) -> Self {
        let (import, counts) = (&status.import, &status.counts);
        // That a row no longer waits is told after its end.
        let put_off = if status.is_over() {
            PutOffRows::default()
        } else {
            status.put_off
        };
        Self {
            import_id: import.import_id,
            state: status.state(now).name(),
            over: status.is_over(),
            failure: status.failure.clone(),
            file_name: import.file_name.clone(),
            size: import.size,
            sha256: import.sha256.clone(),
            rows: RowsView {
                total: counts.rows,
                sent: status.sent,
                billed: counts.billed,
                skipped: counts.skipped,
                invalid: counts.invalid,
                pending: counts.pending(),
                not_sent: counts.not_sent,
                notified: counts.notified,
                mailed: counts.mailed,
                undeliverable: counts.undeliverable,
                put_off: put_off.rows,
            },
            put_off: PutOffView::new(&put_off),
            channels: channels(status),
            accepted_at: import.accepted_at,
            sent_at: status.sent_at,
            progressed_at: status.progressed_at,
            cancelled_at: status.cancelled_at,
            finished_at: status.finished_at,
            erasure: status.erasure.as_ref().map(ErasureView::from),
            rows_per_second: rate(status),
        }
    }
}

fn channels(status: &ImportStatus) -> BTreeMap<String, ChannelView> {
    let channels = status.channels.iter();
    let view = channels.map(|counts| {
        let view = ChannelView {
            sent: counts.sent,
            undeliverable: counts.undeliverable,
        };
        (counts.channel.clone(), view)
    });
    view.collect()
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(status: &ImportStatus) -> f64 {
    let end = status.finished_at.unwrap_or(status.progressed_at);
    let seconds = end.duration_since(status.import.accepted_at).as_secs_f64();
    if seconds > 0.0 {
        (status.counts.ended() as f64 / seconds * 10.0).round() / 10.0
    } else {
        0.0
    }
}
