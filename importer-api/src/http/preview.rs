use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Client;
use super::download::prefers;
use super::import_view::IMPORT_ID;
use super::imports::file_problem;
use super::limits::Slot;
use super::upload::{UploadForm, intake_problem, receive_file};
use super::{Problem, Shared};
use crate::acceptance::Sender;
use crate::csv::{Guess, HeaderError};
use crate::intake::IntakeError;
use crate::preview::{FileProblem, PREVIEW_KEPT, Preview};
use crate::spool::{Manifest, Spool};

/// Time between two events of progress.
const INTERVAL: Duration = Duration::from_millis(250);
const EVENT_STREAM: &str = "text/event-stream";

/// What a file would bill.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreviewView {
    /// What `POST /v1/upload?preview=` takes, to make it an import.
    #[schema(value_type = Uuid, example = json!(IMPORT_ID))]
    preview_id: Uuid,
    /// Until when it does.
    #[schema(value_type = String, format = DateTime, example = "2026-11-24T13:41:48Z")]
    expires_at: Timestamp,
    /// The name that the client gave the file.
    #[schema(example = "debts.csv")]
    file_name: Option<String>,
    /// Its rows.
    rows: PreviewRows,
    /// What would be billed.
    amount: PreviewAmount,
    /// When that is due.
    due: PreviewDue,
    /// The first hundred rows that are invalid or in conflict.
    problems: Vec<ProblemView>,
}

/// The rows of a file, by what would become of them.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewRows {
    /// All of them.
    #[schema(example = 2000)]
    total: u64,
    /// Those that would be billed.
    #[schema(example = 1897)]
    valid: u64,
    /// Those that cannot be.
    #[schema(example = 35)]
    invalid: u64,
    /// Those whose debt another row of the file would bill.
    #[schema(example = 68)]
    duplicates: u64,
    /// Rows that differ in amount, due date, document or e-mail from what their
    /// debt was billed with, or from the first row of their debt. One of these
    /// two is billed; the sums are those of the first.
    #[schema(example = 1)]
    conflicts: u64,
    /// Those whose debt is billed; null where the ledger did not answer. They
    /// are among the others then.
    #[schema(example = 0)]
    already_billed: Option<u64>,
}

/// What would be billed.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewAmount {
    /// The sum, in reais with two decimals.
    #[schema(value_type = f64, example = 1_234_567.89)]
    sum: Box<RawValue>,
}

/// When what would be billed is due.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewDue {
    /// The first due date.
    #[schema(value_type = Option<String>, format = Date, example = "2026-12-01")]
    first: Option<Date>,
    /// The last one.
    #[schema(value_type = Option<String>, format = Date, example = "2027-03-31")]
    last: Option<Date>,
    /// Rows that were due before today.
    #[schema(example = 3)]
    past: u64,
}

/// A row that is invalid or in conflict.
#[derive(Debug, Serialize, ToSchema)]
struct ProblemView {
    /// Number of its line in the file, from 1, the header being a line.
    #[schema(example = 42)]
    line: u64,
    /// Number of the row, from 1.
    #[schema(example = 41)]
    row: u64,
    /// The column that is wrong; null where it is not one alone.
    #[schema(example = "email")]
    column: Option<&'static str>,
    /// Stable name of the reason.
    #[schema(example = "email_invalid")]
    code: String,
    /// The reason in plain words.
    #[schema(example = "the e-mail address is not valid")]
    reason: String,
}

/// How many rows of a file were looked at.
#[derive(Debug, Serialize)]
struct Progress {
    rows: u64,
    of: u64,
}

impl PreviewView {
    fn new(manifest: &Manifest, preview: Preview) -> Result<Self, Problem> {
        let (reais, centavos) = (preview.centavos / 100, preview.centavos % 100);
        let sum = RawValue::from_string(format!("{reais}.{centavos:02}"));
        Ok(Self {
            preview_id: manifest.import_id,
            expires_at: manifest.accepted_at + PREVIEW_KEPT,
            file_name: manifest.file_name.clone(),
            rows: PreviewRows {
                total: manifest.rows,
                valid: preview.valid,
                invalid: preview.invalid,
                duplicates: preview.duplicates,
                conflicts: preview.conflicts,
                already_billed: preview.already_billed,
            },
            amount: PreviewAmount {
                sum: sum.map_err(|_| Problem::internal())?,
            },
            due: PreviewDue {
                first: preview.due.map(|(first, _)| first),
                last: preview.due.map(|(_, last)| last),
                past: preview.past,
            },
            problems: preview.problems.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<FileProblem> for ProblemView {
    fn from(problem: FileProblem) -> Self {
        Self {
            line: problem.line,
            row: problem.row,
            column: problem.column,
            code: problem.reason.code.into_owned(),
            reason: problem.reason.text.into_owned(),
        }
    }
}

/// Look at a file before it is billed.
///
/// Takes the form of `POST /v1/upload` and says what would become of its rows if
/// they were billed today. Nothing is billed. The file is kept for an hour, in
/// which `POST /v1/upload?preview=` with the `preview_id` of the answer makes it
/// an import without a second upload. Where the header Accept asks for
/// `text/event-stream`, the answer is a stream of events: `progress` with the
/// rows so far (`rows`, `of`), then `preview` with the same JSON, or `problem`.
///
/// ```sh
/// curl --form file=@debts.csv http://localhost:8000/v1/uploads/preview
/// curl --request POST 'http://localhost:8000/v1/upload?preview=01a20d97-6b57-75d8-bf76-a150c081d411'
/// ```
#[utoipa::path(
    post,
    path = "/v1/uploads/preview",
    tag = "imports",
    request_body(content = inline(UploadForm), content_type = "multipart/form-data", encoding(("file" = (content_type = "text/csv, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))),
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "What the file would bill", content((PreviewView = "application/json"), (String = "text/event-stream"))),
        (status = 400, description = "The form is malformed or has no file", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_file())),
        (status = 408, description = "The client sent nothing, or too slowly, for too long; nothing was kept", body = Problem, content_type = "application/problem+json", example = json!(Problem::too_slow())),
        (status = 413, description = "The request is too large, at once where its length says so; or the workbook is", body = Problem, content_type = "application/problem+json", example = json!(Problem::too_large(1 << 30))),
        (status = 415, description = "The request is compressed", body = Problem, content_type = "application/problem+json", example = json!(Problem::encoded())),
        (status = 422, description = "The file is neither a CSV nor a workbook that is taken, has no data, too many rows, or lacks columns", body = Problem, content_type = "application/problem+json", example = json!(Problem::file(&HeaderError::Missing { missing: vec!["email"], line: "\"name,governmentId,mail,debtAmount,debtDueDate,debtId\"".to_owned(), guess: Guess::None }.into()))),
        (status = 429, description = "Too many concurrent uploads", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::too_many_uploads())),
        (status = 503, description = "The files are unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::files_away())),
        (status = 507, description = "The disk is full; nothing was kept", body = Problem, content_type = "application/problem+json", example = json!(Problem::disk_full())),
    )
)]
pub(super) async fn preview(
    State(shared): State<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    shared.limits.admit(&head.headers)?;
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.map(HeaderValue::as_bytes);
    let client = head.extensions.get::<Client>().copied().unwrap_or_default();
    let file = receive_file(&shared, content_type.unwrap_or_default(), body).await?;
    let from = Sender {
        file_name: file.name,
        key: None,
        client: client.name(),
        trace: None,
    };
    let (spool, intake) = (shared.spool.clone(), file.intake);
    // Where the client hangs up meanwhile, what it gives is dropped.
    let keeping = tokio::spawn(async move {
        let manifest = intake.keep_as_preview(from).await?;
        let preview_id = Some(manifest.import_id);
        Ok((manifest, Kept { spool, preview_id }))
    });
    let kept = keeping.await.unwrap_or(Err(IntakeError::CutOff));
    let (manifest, kept) =
        kept.map_err(|error| intake_problem(&error, shared.spool.is_shared()))?;
    info!(preview_id = %manifest.import_id, rows = manifest.rows, "File kept for a preview");
    let waiting = (file.slot, kept);
    if prefers(EVENT_STREAM, &head.headers) {
        let events = Sse::new(told(shared, manifest, waiting)).keep_alive(KeepAlive::default());
        return Ok(([(header::CACHE_CONTROL, "no-store")], events).into_response());
    }
    let view = look(&shared, &manifest, |_| ()).await?;
    let (_slot, kept) = waiting;
    kept.told();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

/// A preview of which nobody knows: it is removed unless its client was told.
struct Kept {
    spool: Spool,
    preview_id: Option<Uuid>,
}

impl Kept {
    fn told(mut self) {
        self.preview_id = None;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(preview_id) = self.preview_id else {
            return;
        };
        let spool = self.spool.clone();
        tokio::spawn(async move {
            if let Err(error) = spool.remove(preview_id).await {
                debug!(%preview_id, %error, "A preview that was given up is left for its hour");
            }
        });
    }
}

async fn look(
    shared: &Shared,
    manifest: &Manifest,
    looked_at: impl Fn(u64),
) -> Result<PreviewView, Problem> {
    let _turn = shared.previews.turn().await;
    let ledger = shared.ledger.get();
    let ledger = ledger.filter(|ledger| !ledger.outage().is_away());
    let preview = Preview::of(&shared.spool, manifest, &shared.rules, ledger, looked_at);
    let preview = preview.await;
    let preview = preview.map_err(|error| file_problem(manifest.import_id, &error))?;
    PreviewView::new(manifest, preview)
}

/// The events of a preview.
fn told(
    shared: Shared,
    manifest: Manifest,
    waiting: (Slot, Kept),
) -> impl Stream<Item = Result<Event, Infallible>> {
    let of = manifest.rows;
    let (progress, seen) = watch::channel(0);
    let looking = AbortOnDropHandle::new(tokio::spawn(async move {
        look(&shared, &manifest, |rows| _ = progress.send(rows)).await
    }));
    stream::unfold(Some((looking, seen, waiting)), move |looking| async move {
        let (mut looking, seen, waiting) = looking?;
        tokio::select! {
            looked = &mut looking => {
                let event = match looked.unwrap_or_else(|_| Err(Problem::internal())) {
                    Ok(view) => {
                        waiting.1.told();
                        Event::default().event("preview").json_data(view)
                    }
                    Err(problem) => Event::default().event("problem").json_data(problem),
                };
                Some((Ok(event.unwrap_or_default()), None))
            }
            () = tokio::time::sleep(INTERVAL) => {
                let progress = Progress { rows: *seen.borrow(), of };
                let event = Event::default().event("progress").json_data(progress);
                Some((Ok(event.unwrap_or_default()), Some((looking, seen, waiting))))
            }
        }
    })
}
