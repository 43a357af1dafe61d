use std::io::ErrorKind;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use serde::Serialize;
use tracing::{error, info};
use utoipa::ToSchema;
use uuid::Uuid;

use super::file_name::shown_file_name;
use super::form::{Form, FormError, FormField};
use super::{Problem, Shared};
use crate::intake::{Intake, IntakeError};
use crate::spool::Manifest;

/// Name of the form's field with the file.
const FILE_FIELD: &str = "file";

/// The upload is on disk and will be processed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// For people.
    #[schema(example = "File accepted, its rows are being processed")]
    message: &'static str,
    /// The import.
    import_id: Uuid,
    /// Data records of the file.
    #[schema(example = 2053)]
    rows: u64,
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
/// Answers as soon as the file is safe on disk; its rows are processed in the
/// background. Fields are separated by commas, semicolons or tabs, text is
/// UTF-8 or Windows-1252. A bad row does not stop the others.
#[utoipa::path(
    post,
    path = "/v1/upload",
    tag = "imports",
    request_body(content = inline(UploadForm), content_type = "multipart/form-data"),
    security((), ("bearer" = [])),
    responses(
        (status = 202, description = "The file is on disk and will be processed", body = Accepted),
        (status = 400, description = "The form is malformed or has no file", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "The service has tokens, and the request none of them", body = Problem, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`"))),
        (status = 408, description = "The client sent nothing for too long; nothing was kept", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request is too large; at once where its length says so", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The request is compressed", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file has no data, or lacks columns", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many uploads at a time", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
        (status = 500, description = "The service has a fault; its log has the rest", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full; nothing was kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn upload(
    State(shared): State<Shared>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let (head, body) = request.into_parts();
    let _slot = shared.limits.admit(&head.headers)?;
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let manifest = store(&shared, content_type.unwrap_or_default(), body).await?;
    info!(import_id = %manifest.import_id, rows = manifest.rows, bytes = manifest.size, "File accepted");
    let accepted = Accepted {
        message: "File accepted, its rows are being processed",
        import_id: manifest.import_id,
        rows: manifest.rows,
    };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Stores the form's file. The form is read to its end even where the file
/// turns out bad, as many clients read no answer before they have sent it all.
async fn store(shared: &Shared, content_type: &str, body: Body) -> Result<Manifest, Problem> {
    let failed = |error: FormError| form_problem(&error, shared);
    let mut form = Form::new(content_type, body, shared.limits.form()).map_err(failed)?;
    let mut stored = None;
    while let Some(field) = form.next_field().await.map_err(failed)? {
        if field.name() != Some(FILE_FIELD) {
            drain(field).await.map_err(failed)?;
        } else if stored.is_none() {
            let file_name = field.file_name().and_then(shown_file_name);
            let intake = Intake::begin(shared.spool.clone(), shared.accepted.clone());
            receive(field, &intake).await.map_err(failed)?;
            stored = Some((intake, file_name));
        } else {
            return Err(Problem::many_files());
        }
    }
    let (intake, file_name) = stored.ok_or_else(Problem::no_file)?;
    intake
        .finish(file_name)
        .await
        .map_err(|e| intake_problem(&e))
}

async fn receive(mut field: FormField<'_>, intake: &Intake) -> Result<(), FormError> {
    while let Some(piece) = field.chunk().await? {
        if !intake.write(piece).await {
            return drain(field).await;
        }
    }
    Ok(())
}

async fn drain(mut field: FormField<'_>) -> Result<(), FormError> {
    while field.chunk().await?.is_some() {}
    Ok(())
}

fn form_problem(error: &FormError, shared: &Shared) -> Problem {
    match error {
        FormError::TooLarge => Problem::too_large(shared.limits.form().bytes),
        FormError::Idle(limit) => Problem::idle(*limit),
        FormError::NoPart | FormError::CutOff(_) | FormError::Malformed(_) => {
            Problem::malformed_form(error.to_string())
        }
    }
}

fn intake_problem(error: &IntakeError) -> Problem {
    match error {
        IntakeError::File(error) => Problem::file(error),
        IntakeError::Disk(error)
            if matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
            ) =>
        {
            Problem::disk_full()
        }
        IntakeError::Disk(_) | IntakeError::CutOff => {
            error!(%error, "Upload failed");
            Problem::internal()
        }
    }
}
