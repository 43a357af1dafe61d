use std::io::ErrorKind;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::Client;
use super::file_name::shown_file_name;
use super::form::{Form, FormError, FormField};
use super::import_view::IMPORT_ID;
use super::pace::Slow;
use super::{Problem, Shared};
use crate::acceptance::{AcceptanceError, AcceptedImport, IdempotencyKey, Sender};
use crate::csv::{Guess, HeaderError};
use crate::intake::{Intake, IntakeError};

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

/// The form of an upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form in the API documentation")]
pub(super) struct UploadForm {
    /// The CSV: a header with `name`, `governmentId`, `email`, `debtAmount`,
    /// `debtDueDate` and `debtId` in any order, then one debt a record.
    #[schema(value_type = String, format = Binary, content_media_type = "text/csv")]
    file: Vec<u8>,
}

/// Import a CSV of debts.
///
/// Answers as soon as the file is safely stored; its rows are processed in the
/// background. Fields are separated by commas, semicolons or tabs, text is
/// UTF-8 or Windows-1252. A bad row does not stop the others. The same content
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
    params(("Idempotency-Key" = Option<String>, Header, description = "The client's name for the upload: 1 to 255 visible ASCII characters", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    request_body(content = inline(UploadForm), content_type = "multipart/form-data", encoding(("file" = (content_type = "text/csv")))),
    security((), ("bearer" = [])),
    responses(
        (status = 202, description = "The file is stored and will be processed", body = Accepted),
        (status = 400, description = "The form is malformed or has no file", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_file())),
        (status = 408, description = "The client sent nothing, or too slowly, for too long; nothing was kept", body = Problem, content_type = "application/problem+json", examples(("idle" = (value = json!(Problem::idle(std::time::Duration::from_secs(30))))), ("too-slow" = (value = json!(Problem::too_slow()))))),
        (status = 413, description = "The request is too large; at once where its length says so", body = Problem, content_type = "application/problem+json", example = json!(Problem::too_large(1 << 30))),
        (status = 415, description = "The request is compressed", body = Problem, content_type = "application/problem+json", example = json!(Problem::encoded())),
        (status = 422, description = "The file is no CSV, has no data, too many rows, or lacks columns, or the idempotency key belongs to another file", body = Problem, content_type = "application/problem+json", example = json!(Problem::file(&HeaderError::Missing { missing: vec!["email"], line: "\"name,governmentId,mail,debtAmount,debtDueDate,debtId\"".to_owned(), guess: Guess::None }.into()))),
        (status = 429, description = "Too many concurrent uploads", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::too_many_uploads())),
        (status = 503, description = "The upload has an idempotency key or is for S3, and the ledger is unavailable; S3 is unavailable; or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away_from_upload())),
        (status = 507, description = "The disk is full; nothing was kept", body = Problem, content_type = "application/problem+json", example = json!(Problem::disk_full())),
    )
)]
pub(super) async fn upload(
    State(shared): State<Shared>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let (head, body) = request.into_parts();
    shared.limits.admit(&head.headers)?;
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.map(HeaderValue::as_bytes);
    let client = head.extensions.get::<Client>().copied().unwrap_or_default();
    let from = Sender {
        key: idempotency_key(&head.headers, client)?,
        client: client.name(),
        file_name: None,
    };
    check_ledger(&shared)?;
    let import = store(&shared, content_type.unwrap_or_default(), from, body).await?;
    let accepted = Accepted {
        message: "File accepted, its rows are being processed",
        import_id: import.import_id,
        rows: import.rows,
        replayed: import.replayed,
    };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
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

/// Stores the form's file. The form is read to its end even where the file
/// turns out bad, as many clients read no answer before they have sent it all.
async fn store(
    shared: &Shared,
    content_type: &[u8],
    mut from: Sender,
    body: Body,
) -> Result<AcceptedImport, Problem> {
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
            from.file_name = field.file_name().as_deref().and_then(shown_file_name);
            let slot = shared.limits.begin(&pace)?;
            let (spool, threads) = (shared.spool.clone(), shared.threads.clone());
            let intake = Intake::begin(spool, threads, shared.limits.max_rows());
            receive(field, &intake).await.map_err(failed)?;
            stored = Some((intake, slot));
        } else {
            return Err(Problem::many_files());
        }
    }
    let (intake, _slot) = stored.ok_or_else(Problem::no_file)?;
    intake
        .finish(from, shared.acceptance())
        .await
        .map_err(|error| intake_problem(&error, shared.spool.is_shared()))
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

fn intake_problem(error: &IntakeError, is_on_s3: bool) -> Problem {
    match error {
        IntakeError::File(error) => Problem::file(error),
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
