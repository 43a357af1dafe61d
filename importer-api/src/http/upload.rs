use std::io::{self, ErrorKind};

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use common::runtime::{TraceContext, in_current_span};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::error;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Client;
use super::file_name::shown_file_name;
use super::form::{Form, FormError, FormField};
use super::import_view::IMPORT_ID;
use super::imports::file_problem;
use super::limits::Slot;
use super::pace::Slow;
use super::upload_span::{tell_answer, upload_span};
use super::{Problem, Shared};
use crate::acceptance::{AcceptanceError, AcceptedImport, IdempotencyKey, Sender};
use crate::csv::{Guess, HeaderError};
use crate::intake::{Intake, IntakeError};
use crate::preview::PREVIEW_KEPT;
use crate::spool::Manifest;

/// Name of the form's field with the file.
const FILE_FIELD: &str = "file";
/// A client's name for an upload (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The upload is stored and will be processed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// For people.
    #[schema(example = "File accepted, its rows are being processed")]
    message: &'static str,
    /// The import.
    #[schema(value_type = Uuid, example = json!(IMPORT_ID))]
    import_id: Uuid,
    /// Data records of the file.
    #[schema(example = 2053)]
    rows: u64,
    /// An earlier upload with the same `Idempotency-Key` made the import.
    replayed: bool,
}

/// What is made an import.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The file of that preview, in place of a form; the request has no body.
    #[param(inline, required = false)]
    preview: Option<Uuid>,
}

/// The form of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form in the API documentation")]
pub(super) struct UploadForm {
    /// A CSV, or a workbook (.xlsx) whose first sheet is read: a header with
    /// `name`, `governmentId`, `email`, `debtAmount`, `debtDueDate` and `debtId`
    /// in any order, then one debt a record or row.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Import a CSV or a workbook of debts.
///
/// Answers as soon as the file is safely stored; its rows are processed in the
/// background. Fields are separated by commas, semicolons or tabs, text is
/// UTF-8 or Windows-1252. Of a workbook (.xlsx) the first visible sheet is read,
/// as if it had been saved as CSV. A bad row does not stop the others. The same content
/// with the same `Idempotency-Key` within 24 hours is the same import; without
/// a key it is another import, whose rows are all skipped. A key belongs to the
/// token with which it was sent.
///
/// ```sh
/// curl --form 'file=@"sample.csv"' http://localhost:8000/v1/upload
/// curl --header 'Idempotency-Key: invoices-2027-01' --form 'file=@"sample.csv"' http://localhost:8000/v1/upload
/// ```
#[utoipa::path(
    post,
    path = "/v1/upload",
    tag = "imports",
    params(Wanted, ("Idempotency-Key" = Option<String>, Header, description = "The client's name for the upload: 1 to 255 visible ASCII characters", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    request_body(content = inline(UploadForm), content_type = "multipart/form-data", encoding(("file" = (content_type = "text/csv, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))),
    security((), ("bearer" = [])),
    responses(
        (status = 202, description = "The file is stored and will be processed", body = Accepted),
        (status = 404, description = "There is no such preview", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_preview())),
        (status = 400, description = "The form is malformed or has no file", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_file())),
        (status = 408, description = "The client sent nothing, or too slowly, for too long; nothing was kept", body = Problem, content_type = "application/problem+json", examples(("idle" = (value = json!(Problem::idle(std::time::Duration::from_secs(30))))), ("too-slow" = (value = json!(Problem::too_slow()))))),
        (status = 413, description = "The request is too large, at once where its length says so; or the workbook is", body = Problem, content_type = "application/problem+json", example = json!(Problem::too_large(1 << 30))),
        (status = 415, description = "The request is compressed", body = Problem, content_type = "application/problem+json", example = json!(Problem::encoded())),
        (status = 422, description = "The file is neither a CSV nor a workbook that is taken, has no data, too many rows, or lacks columns, or the idempotency key belongs to another file", body = Problem, content_type = "application/problem+json", example = json!(Problem::file(&HeaderError::Missing { missing: vec!["email"], line: "\"name,governmentId,mail,debtAmount,debtDueDate,debtId\"".to_owned(), guess: Guess::None }.into()))),
        (status = 429, description = "Too many concurrent uploads", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::too_many_uploads())),
        (status = 503, description = "The upload has an idempotency key or is for S3, and the ledger is unavailable; S3 is unavailable; or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away_from_upload())),
        (status = 507, description = "The disk is full; nothing was kept", body = Problem, content_type = "application/problem+json", example = json!(Problem::disk_full())),
    )
)]
pub(super) async fn upload(
    State(shared): State<Shared>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let (head, body) = request.into_parts();
    let span = upload_span(&shared.tracer, &head);
    let taking = take(&shared, wanted, (&head, body), span.context());
    let taken = span.around(taking).await;
    tell_answer(&span, taken.as_ref().map(|import| import.import_id));
    let import = taken?;
    let accepted = Accepted {
        message: "File accepted, its rows are being processed",
        import_id: import.import_id,
        rows: import.rows,
        replayed: import.replayed,
    };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Makes what a request brings, or names, an import that belongs to that trace.
async fn take(
    shared: &Shared,
    wanted: Result<Query<Wanted>, QueryRejection>,
    (head, body): (&Parts, Body),
    trace: Option<TraceContext>,
) -> Result<AcceptedImport, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad_query(error.body_text()))?;
    shared.limits.admit(&head.headers)?;
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.map(HeaderValue::as_bytes);
    let client = head.extensions.get::<Client>().copied().unwrap_or_default();
    let from = Sender {
        key: idempotency_key(&head.headers, client)?,
        client: client.name(),
        file_name: None,
        trace,
    };
    check_ledger(shared)?;
    match wanted.preview {
        Some(_) if has_body(&head.headers) => Err(Problem::bad_query(
            "with preview= the request has no body: the file is that of the preview",
        )),
        Some(preview_id) => accept_preview(shared, preview_id, from).await,
        None => store(shared, content_type.unwrap_or_default(), from, body).await,
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

fn idempotency_key(
    headers: &HeaderMap,
    Client(token): Client,
) -> Result<Option<IdempotencyKey>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => IdempotencyKey::read(key.as_bytes(), token)
            .map(Some)
            .ok_or_else(Problem::bad_idempotency_key),
        _ => Err(Problem::bad_idempotency_key()),
    }
}

/// An import on S3 is none before the ledger knows it, so that a file need not
/// be stored while the ledger is away.
fn check_ledger(shared: &Shared) -> Result<(), Problem> {
    let is_away = || {
        shared
            .ledger
            .get()
            .is_none_or(|ledger| ledger.outage().is_away())
    };
    if shared.spool.is_shared() && is_away() {
        return Err(Problem::ledger_away_from_upload());
    }
    Ok(())
}

/// Makes a preview of the same client an import. One that is an import already
/// is the answer to a client that did not see the first one.
async fn accept_preview(
    shared: &Shared,
    preview_id: Uuid,
    from: Sender,
) -> Result<AcceptedImport, Problem> {
    if from.key.is_some() {
        return Err(Problem::bad_query(
            "a preview is one import however often it is asked for: send no Idempotency-Key with it",
        ));
    }
    let (spool, acceptance) = (&shared.spool, shared.acceptance());
    let is_own = |manifest: &Manifest| manifest.previewed && manifest.client == from.client;
    let failed = |error: io::Error| file_problem(preview_id, &error);
    let preview = spool.preview_of(preview_id).await.map_err(failed)?;
    let preview = preview.filter(|preview| is_own(preview) && !is_over(preview));
    // Looked for last, as it may come in place of the preview meanwhile.
    let accepted = spool.manifest_of(preview_id).await.map_err(failed)?;
    let accepting = match (accepted.filter(is_own), preview) {
        (Some(manifest), _) => tokio::spawn(in_current_span(acceptance.accepted_preview(manifest))),
        (None, Some(preview)) => {
            let accepting = acceptance.accept_preview(preview, from.trace);
            tokio::spawn(in_current_span(accepting))
        }
        (None, None) => return Err(Problem::no_such_preview()),
    };
    // A client that hangs up must not end it half way.
    let accepted = accepting.await.map_err(|_| IntakeError::CutOff);
    accepted
        .and_then(|accepted| accepted.map_err(IntakeError::from))
        .map_err(|error| intake_problem(&error, spool.is_shared()))
}

/// Whether the hour of a preview is over.
fn is_over(preview: &Manifest) -> bool {
    Timestamp::now() >= preview.accepted_at + PREVIEW_KEPT
}

/// Stores the form's file, and makes it an import.
async fn store(
    shared: &Shared,
    content_type: &[u8],
    from: Sender,
    body: Body,
) -> Result<AcceptedImport, Problem> {
    let file = receive_file(shared, content_type, body).await?;
    let from = Sender {
        file_name: file.name,
        ..from
    };
    let accepted = file.intake.finish(from, shared.acceptance()).await;
    accepted.map_err(|error| intake_problem(&error, shared.spool.is_shared()))
}

/// The file of a form, which has come in to its end.
pub(super) struct ReceivedFile {
    /// What is in it.
    pub(super) intake: Intake,
    /// Its name, fit to be shown.
    pub(super) name: Option<String>,
    /// It is among the uploads until this is dropped.
    pub(super) slot: Slot,
}

/// Reads the form to its end even where the file turns out bad, as many clients
/// read no answer before they have sent it all.
pub(super) async fn receive_file(
    shared: &Shared,
    content_type: &[u8],
    body: Body,
) -> Result<ReceivedFile, Problem> {
    let failed = |error: FormError| form_problem(&error, shared);
    let limits = shared.limits.form();
    let pace = limits.pace.clone();
    let mut form = Form::new(content_type, body, limits).map_err(failed)?;
    let mut stored = None;
    while let Some(field) = form.next_field().await.map_err(failed)? {
        if !field.is(FILE_FIELD) {
            continue;
        }
        if stored.is_none() {
            field.check_transfer_encoding().map_err(failed)?;
            let name = field.file_name().as_deref().and_then(shown_file_name);
            let slot = shared.limits.begin(&pace)?;
            let (spool, room) = (shared.spool.clone(), shared.room.clone());
            let intake = Intake::begin(spool, room, shared.limits.max_rows());
            receive(field, &intake).await.map_err(failed)?;
            stored = Some(ReceivedFile { intake, name, slot });
        } else {
            return Err(Problem::many_files());
        }
    }
    stored.ok_or_else(Problem::no_file)
}

async fn receive(mut field: FormField<'_>, intake: &Intake) -> Result<(), FormError> {
    while let Some(piece) = field.chunk().await? {
        if !intake.write(piece).await {
            break;
        }
    }
    Ok(())
}

fn form_problem(error: &FormError, shared: &Shared) -> Problem {
    match error {
        FormError::TooLarge => Problem::too_large(shared.limits.max_bytes()),
        FormError::Slow(Slow::Idle(limit)) => Problem::idle(*limit),
        FormError::Slow(Slow::Rate) => Problem::too_slow(),
        error => Problem::malformed_form(error.to_string()),
    }
}

pub(super) fn intake_problem(error: &IntakeError, is_on_s3: bool) -> Problem {
    match error {
        IntakeError::File(error) => Problem::file(error),
        IntakeError::Workbook(error) => Problem::workbook(error),
        IntakeError::Disk(error) | IntakeError::NotAccepted(AcceptanceError::Disk(error))
            if matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
            ) =>
        {
            Problem::disk_full()
        }
        IntakeError::Disk(error) | IntakeError::NotAccepted(AcceptanceError::Disk(error))
            if is_on_s3 =>
        {
            error!(%error, "An upload cannot be stored");
            Problem::files_away_from_upload()
        }
        IntakeError::NotAccepted(AcceptanceError::KeyTaken) => Problem::idempotency_key_taken(),
        IntakeError::NotAccepted(AcceptanceError::LedgerAway) => Problem::ledger_away_from_upload(),
        IntakeError::Disk(_)
        | IntakeError::NotAccepted(AcceptanceError::Disk(_))
        | IntakeError::CutOff => {
            error!(%error, "Upload failed");
            Problem::internal()
        }
    }
}
