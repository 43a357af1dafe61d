use std::io::{self, ErrorKind};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use common::ledger::{ImportLedger, ImportStatus, LedgerError};
use jiff::Timestamp;
use serde::Serialize;
use tracing::{info, warn};
use utoipa::ToSchema;
use uuid::Uuid;

use super::import_view::{IMPORT_ID, ImportView};
use super::{Problem, Shared};
use crate::import::ReconcileError;
use crate::progress::observe;

/// Rows that were sent again, by what they lacked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReconciledView {
    /// Rows without an outcome.
    #[schema(example = 7732)]
    without_outcome: u64,
    /// Billed rows whose notification was never accepted.
    not_notified: u64,
    /// Notified rows whose e-mail was not sent.
    not_mailed: u64,
    /// Rows that were left alone: a mail server put their e-mail off, and it
    /// is tried again by itself.
    put_off: u64,
}

/// What has become of an import.
///
/// ```sh
/// curl http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411
/// ```
#[utoipa::path(
    get,
    path = "/v1/imports/{import_id}",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID))),
    responses(
        (status = 200, description = "The import", body = ImportView),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn get(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<ImportView>, Problem> {
    let now = Timestamp::now();
    let status = find(&shared, import_id, now).await?;
    Ok(Json(ImportView::new(&status, now)))
}

/// Cancel an import.
///
/// Its rows are no longer sent, from a second or so later on, whichever
/// replica is asked. Rows that were sent before are billed and mailed; the
/// rest is counted as `not_sent`. One that waits for its turn is over at once;
/// one whose replica is lost while it sends is `abandoned` a minute later.
///
/// ```sh
/// curl --request POST http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/cancel
/// ```
#[utoipa::path(
    post,
    path = "/v1/imports/{import_id}/cancel",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID))),
    responses(
        (status = 200, description = "It is cancelled", body = ImportView),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 409, description = "All its rows are sent", body = Problem, content_type = "application/problem+json", example = json!(Problem::nothing_to_cancel())),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn cancel(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<ImportView>, Problem> {
    let now = Timestamp::now();
    let mut status = find(&shared, import_id, now).await?;
    if status.cancelled_at.is_none() {
        if status.sent_at.is_some() || status.all_sent() {
            return Err(Problem::nothing_to_cancel());
        }
        let import_id = status.import.import_id;
        let ledger = shared.ledger()?;
        let cancelled = ledger.cancel_import(import_id, now).await;
        cancelled.map_err(|error| ledger_problem(&error))?;
        info!(%import_id, "Import cancelled by a client");
        status.cancelled_at = Some(now);
    }
    Ok(Json(ImportView::new(&status, now)))
}

/// Tell again what a queue lost.
///
/// Sends every row again that is not at its end, but for those whose e-mail a
/// mail server put off. Nothing is billed or mailed twice by it, so it may be
/// asked for at any time. Where the files are not on S3, the file must be in the
/// spool of the replica that is asked.
///
/// ```sh
/// curl --request POST http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/reconcile
/// ```
#[utoipa::path(
    post,
    path = "/v1/imports/{import_id}/reconcile",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID))),
    responses(
        (status = 200, description = "The rows that were sent again", body = ReconciledView),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 409, description = "It is still being sent, or its file is not here", body = Problem, content_type = "application/problem+json", example = json!(Problem::still_sending())),
        (status = 410, description = "Its personal data was removed, and its file with it", body = Problem, content_type = "application/problem+json", example = json!(Problem::personal_data_removed())),
        (status = 503, description = "The ledger is unavailable, the service stops, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn reconcile(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<ReconciledView>, Problem> {
    let import_id = find(&shared, import_id, Timestamp::now())
        .await?
        .import
        .import_id;
    let importer = shared.importer()?;
    // A client that does not wait for the answer must not end it half way.
    let work = tokio::spawn(async move { importer.reconcile(import_id).await });
    let reconciled = work.await.map_err(|error| {
        warn!(%import_id, %error, "Reconcile failed unexpectedly");
        Problem::internal()
    })?;
    let reconciled = reconciled.map_err(|error| reconcile_problem(import_id, &error))?;
    Ok(Json(ReconciledView {
        without_outcome: reconciled.without_outcome,
        not_notified: reconciled.not_notified,
        not_mailed: reconciled.not_mailed,
        put_off: reconciled.put_off,
    }))
}

/// The import of a route.
pub(super) async fn find(
    shared: &Shared,
    import_id: Result<Path<Uuid>, PathRejection>,
    now: Timestamp,
) -> Result<ImportStatus, Problem> {
    let Path(import_id) = import_id.map_err(|_| Problem::no_such_import())?;
    let found = observe(shared.ledger()?, &shared.metrics, import_id, now).await;
    found
        .map_err(|error| ledger_problem(&error))?
        .ok_or_else(Problem::no_such_import)
}

pub(super) fn ledger_problem(error: &LedgerError) -> Problem {
    warn!(%error, "The ledger does not answer a client");
    Problem::ledger_away()
}

/// Of a file of the spool, that of an import.
pub(super) fn file_problem(import_id: Uuid, error: &io::Error) -> Problem {
    if error.kind() == ErrorKind::NotFound {
        return Problem::file_not_here();
    }
    warn!(%import_id, %error, "The file of an import cannot be read");
    Problem::files_away()
}

pub(super) fn reconcile_problem(import_id: Uuid, error: &ReconcileError) -> Problem {
    match error {
        ReconcileError::Unknown => Problem::no_such_import(),
        ReconcileError::StillSending => Problem::still_sending(),
        ReconcileError::NoFile => Problem::file_not_here(),
        ReconcileError::Erased => Problem::personal_data_removed(),
        ReconcileError::GaveUp(error) => {
            warn!(%import_id, %error, "Reconciling was given up");
            Problem::ledger_away()
        }
        ReconcileError::Disk(error) => file_problem(import_id, error),
    }
}
