use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use contract::Reason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::import_view::IMPORT_ID;
use super::imports::{find, reconcile_problem};
use super::{Problem, Shared};
use crate::import::ReconcileError;

/// Which undeliverable e-mails.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those with this reason code, as the rejections have it.
    #[param(example = "mailbox_refused", pattern = "^[a-z0-9_]{1,64}$")]
    code: Option<String>,
}

/// E-mails that are taken up again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReopenedView {
    /// How many.
    #[schema(example = 12)]
    reopened: u64,
}

/// Send undeliverable e-mails again.
///
/// Takes back that the e-mails of an import are undeliverable, of all or of
/// those with one reason code, and sends them again; an import that was at its
/// end is open until they have ended anew. E-mails that were sent are not sent
/// again, so it may be asked for at any time. Where the files are not on S3, the
/// file must be in the spool of the replica that is asked.
///
/// ```sh
/// curl --request POST 'http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/reopen?code=mailbox_refused'
/// ```
#[utoipa::path(
    post,
    path = "/v1/imports/{import_id}/reopen",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID)), Which),
    responses(
        (status = 200, description = "They are taken up again", body = ReopenedView),
        (status = 400, description = "The query is invalid", body = Problem, content_type = "application/problem+json", example = json!(Problem::bad_query("code takes up to 64 of a-z, 0-9 and _"))),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 409, description = "It is still being sent, or its file is not here", body = Problem, content_type = "application/problem+json", example = json!(Problem::file_not_here_to_reopen())),
        (status = 410, description = "Its personal data was removed, and its file with it", body = Problem, content_type = "application/problem+json", example = json!(Problem::personal_data_removed())),
        (status = 503, description = "The ledger is unavailable, or the service stops", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn reopen(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<ReopenedView>, Problem> {
    let Query(Which { code }) = which.map_err(|error| Problem::bad_query(error.body_text()))?;
    if code.as_deref().is_some_and(|code| !Reason::is_code(code)) {
        return Err(Problem::bad_query("code takes up to 64 of a-z, 0-9 and _"));
    }
    let import_id = find(&shared, import_id, Timestamp::now())
        .await?
        .import
        .import_id;
    let importer = shared.importer()?;
    // A client that does not wait for the answer must not end it half way.
    let work = tokio::spawn(async move { importer.reopen(import_id, code).await });
    let reopened = work.await.map_err(|error| {
        warn!(%import_id, %error, "Reopen failed unexpectedly");
        Problem::internal()
    })?;
    let reopened = reopened.map_err(|error| match error {
        ReconcileError::NoFile => Problem::file_not_here_to_reopen(),
        error => reconcile_problem(import_id, &error),
    })?;
    Ok(Json(ReopenedView { reopened }))
}
