//! What is told: the events as their receiver reads them.

use common::ledger::{ImportState, ImportStatus, NewEvent, NotedMail};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::http::ImportView;

const COMPLETED: &str = "import.completed";
const FAILED: &str = "import.failed";
const STALLED: &str = "import.stalled";
const UNDELIVERABLE: &str = "mail.undeliverable";

/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#payload-structure>
#[derive(Serialize)]
struct Body<'a, T> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: T,
}

#[derive(Serialize)]
struct Mails<'a> {
    mails: Vec<Mail<'a>>,
}

#[derive(Serialize)]
struct Mail<'a> {
    debt_id: &'a str,
    /// Null where the debt was billed by a row of no import, as its row is.
    import_id: Option<Uuid>,
    row: Option<u64>,
    code: &'a str,
}

/// What there is to tell of an import in its state; `None` while it goes on.
/// The same for as long as it is in that state: its id is made of the import,
/// of the kind, and of when that state began.
pub(super) fn of_import(
    status: &ImportStatus,
    now: Timestamp,
) -> Result<Option<NewEvent>, serde_json::Error> {
    let moment = match status.state(now) {
        ImportState::Completed | ImportState::CompletedWithErrors => status
            .finished_at
            .filter(|_| status.is_over())
            .map(|at| (COMPLETED, at)),
        // How many rows were not sent is known once its sending has ended.
        ImportState::Failed | ImportState::Cancelled | ImportState::Abandoned => {
            status.sent_at.map(|at| (FAILED, at))
        }
        ImportState::Stalled => Some((STALLED, status.still_since())),
        ImportState::Received
        | ImportState::Sending
        | ImportState::Processing
        | ImportState::Waiting => None,
    };
    let Some((kind, at)) = moment else {
        return Ok(None);
    };
    let name = format!("{kind} {}", at.as_millisecond());
    let id = Uuid::new_v5(&status.import.import_id, name.as_bytes());
    event(id, kind, now, ImportView::new(status, now)).map(Some)
}

/// That these e-mails can never be delivered.
pub(super) fn of_mails(mails: &[NotedMail], now: Timestamp) -> Result<NewEvent, serde_json::Error> {
    let mails = mails.iter().map(|mail| Mail {
        debt_id: &mail.debt_id,
        import_id: mail.row.map(|row| row.import_id),
        row: mail.row.map(|row| row.row),
        code: &mail.code,
    });
    let mails = mails.collect();
    event(Uuid::now_v7(), UNDELIVERABLE, now, Mails { mails })
}

fn event(
    id: Uuid,
    kind: &str,
    timestamp: Timestamp,
    data: impl Serialize,
) -> Result<NewEvent, serde_json::Error> {
    let body = serde_json::to_string(&Body {
        r#type: kind,
        timestamp,
        data,
    })?;
    Ok(NewEvent {
        id,
        kind: kind.to_owned(),
        body,
    })
}
