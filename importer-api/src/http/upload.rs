use std::io::ErrorKind;

use axum::Json;
use axum::extract::State;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::http::StatusCode;
use serde::Serialize;
use tracing::{error, info};
use utoipa::ToSchema;
use uuid::Uuid;

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
    responses(
        (status = 202, description = "The file is on disk and will be processed", body = Accepted),
        (status = 400, description = "The form is malformed or has no file", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The file is too large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file has no data, or lacks columns", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The service has a fault; its log has the rest", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn upload(
    State(shared): State<Shared>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let form = form.map_err(|error| Problem::malformed_form(error.status(), error.body_text()))?;
    let manifest = store(&shared, form).await?;
    let accepted = Accepted {
        message: "File accepted, its rows are being processed",
        import_id: manifest.import_id,
        rows: manifest.rows,
    };
    info!(import_id = %manifest.import_id, rows = manifest.rows, bytes = manifest.size, "File accepted");
    // The importer is gone only while the process stops; it goes on with the
    // import at the next start.
    let _ = shared.accepted.send(manifest);
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// Stores the form's file. The form is read to its end even where the file
/// turns out bad, as clients read no answer before they have sent it all.
async fn store(shared: &Shared, mut form: Multipart) -> Result<Manifest, Problem> {
    let mut stored = None;
    while let Some(field) = form.next_field().await.map_err(|e| form_problem(&e))? {
        if field.name() != Some(FILE_FIELD) {
            drain(field).await?;
        } else if stored.is_none() {
            let intake = Intake::begin(shared.spool.clone());
            let file_name = field.file_name().map(str::to_owned);
            receive(field, &intake).await?;
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

async fn receive(mut field: Field<'_>, intake: &Intake) -> Result<(), Problem> {
    while let Some(piece) = field.chunk().await.map_err(|e| form_problem(&e))? {
        if !intake.write(piece).await {
            return drain(field).await;
        }
    }
    Ok(())
}

async fn drain(mut field: Field<'_>) -> Result<(), Problem> {
    while field.chunk().await.map_err(|e| form_problem(&e))?.is_some() {}
    Ok(())
}

fn form_problem(error: &MultipartError) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        status => Problem::malformed_form(status, error.body_text()),
    }
}

fn intake_problem(error: &IntakeError) -> Problem {
    match error {
        IntakeError::File(error) => Problem::file(error),
        IntakeError::Disk(error)
            if matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
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
