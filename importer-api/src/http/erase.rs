use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use common::ledger::{ErasureLedger, ImportLedger};
use jiff::Timestamp;
use tracing::info;
use uuid::Uuid;

use super::auth::Client;
use super::import_view::{IMPORT_ID, ImportView};
use super::imports::{find, ledger_problem};
use super::{Problem, Shared};
use crate::erasure::is_file_elsewhere;

/// Remove the personal data of an import.
///
/// Its file, and the names, documents, addresses and optional columns of the
/// debts that its rows billed are removed, for good. Numbers of boletos, amounts,
/// due dates, outcomes and counts stay, and a debt is still billed once. The
/// answer comes at once; `erasure.erased_at` says when nothing is left, a few
/// minutes later for a million debts. It goes on after a restart of the service.
/// Nothing of the import can be sent again from now on. Where the files are not
/// on S3, the replica that took the upload must be asked.
///
/// ```sh
/// curl --request DELETE http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411
/// ```
#[utoipa::path(
    delete,
    path = "/v1/imports/{import_id}",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID))),
    responses(
        (status = 202, description = "It is being removed, or was", body = ImportView),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 409, description = "It is not over, or its file is in the spool of another replica", body = Problem, content_type = "application/problem+json", example = json!(Problem::import_not_over())),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn erase(
    State(shared): State<Shared>,
    Extension(client): Extension<Client>,
    import_id: Result<Path<Uuid>, PathRejection>,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    let now = Timestamp::now();
    let mut status = find(&shared, import_id, now).await?;
    let import_id = status.import.import_id;
    if status.erasure.is_none() && !status.is_over() {
        return Err(Problem::import_not_over());
    }
    if !status.is_erased_for_good() {
        if is_file_elsewhere(&shared.spool, &status, shared.retention, now) {
            return Err(Problem::file_not_here_to_erase());
        }
        let (ledger, by) = (shared.ledger()?, client.name());
        let begun = ledger.begin_erasure(import_id, &by, now).await;
        begun.map_err(|error| ledger_problem(&error))?;
        info!(%import_id, by, "The removal of personal data was asked for by a client");
        shared.erasures.notify_one();
        let begun = ledger.import_status(import_id).await;
        let begun = begun.map_err(|error| ledger_problem(&error))?;
        status = begun.ok_or_else(Problem::no_such_import)?;
    }
    Ok((StatusCode::ACCEPTED, Json(ImportView::new(&status, now))))
}
