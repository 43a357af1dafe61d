use std::io::{self, BufWriter, Write};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use common::ledger::{Agreements, Outcome, SharedLedger};
use contract::Notification;
use futures::{Stream, StreamExt, TryStreamExt, pin_mut};
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio_util::io::{ReaderStream, SyncIoBridge};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::download::{Cut, answer, end};
use super::import_view::IMPORT_ID;
use super::results::Opened;
use super::{Problem, Shared};
use crate::results::{RowOutcome, RowResult, WantedRows};
use crate::slips::{MOST_ROWS, SlipArchive};

const ZIP: &str = "application/zip";
/// Bytes that are written ahead of the client.
const BYTES_AHEAD: usize = 64 * 1024;

/// Of which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Number of the first row, from 1.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 4_294_967_295_u64, example = 1)]
    from: Option<NonZeroU32>,
    /// Number of the last row; none is taken where it is before the first.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 4_294_967_295_u64, example = 50_000)]
    to: Option<NonZeroU32>,
}

impl Wanted {
    /// # Errors
    /// When they are more than an archive has of an import of that many.
    fn numbers(&self, rows: u64) -> Result<RangeInclusive<u64>, Problem> {
        let from = self.from.map_or(1, |from| from.get().into());
        let to = self.to.map_or(u64::MAX, |to| to.get().into());
        if to.min(rows).saturating_sub(from) >= MOST_ROWS {
            return Err(Problem::too_many_slips(MOST_ROWS, rows));
        }
        Ok(from..=to)
    }
}

/// Slips.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the file in the API documentation")]
struct Archive(Vec<u8>);

/// Download the slips of an import.
///
/// A ZIP archive with a PDF for each row that has been billed, in the order of the file. The name of
/// each has the number of its row and the nosso número. An archive is made of up to 50,000 rows;
/// `from` and `to` choose those of a longer import. It is written while it is downloaded. Where the
/// files are not on S3, the file must be in the spool of the replica that is asked.
///
/// ```sh
/// curl --remote-name --remote-header-name http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/boletos.zip
/// curl --remote-name --remote-header-name 'http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/boletos.zip?from=50001&to=100000'
/// ```
#[utoipa::path(
    get,
    path = "/v1/imports/{import_id}/boletos.zip",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID)), Wanted),
    responses(
        (status = 200, description = "A slip per billed row", body = Archive, content_type = "application/zip"),
        (status = 400, description = "The query is invalid, or asks for too many rows", body = Problem, content_type = "application/problem+json", example = json!(Problem::too_many_slips(MOST_ROWS, 1_100_000))),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 409, description = "Its file is not here", body = Problem, content_type = "application/problem+json", example = json!(Problem::file_not_here())),
        (status = 410, description = "Its personal data was removed, and its file with it", body = Problem, content_type = "application/problem+json", example = json!(Problem::personal_data_removed())),
        (status = 429, description = "Too many clients download results", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::too_many_downloads())),
        (status = 503, description = "The ledger or the files are unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn slips(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad_query(error.body_text()))?;
    let opened = Opened::of(&shared, import_id).await?;
    let import_id = opened.manifest.import_id;
    let wanted = WantedRows {
        outcome: Some(RowOutcome::Ended(Outcome::Billed)),
        numbers: wanted.numbers(opened.manifest.rows)?,
    };
    let agreements = Agreements::new(opened.ledger.clone());
    let rows = opened.read(wanted);
    let (to, archive) = tokio::io::duplex(BYTES_AHEAD);
    let to = BufWriter::with_capacity(BYTES_AHEAD, SyncIoBridge::new(to));
    let written = tokio::task::spawn_blocking(move || write(rows, &agreements, to));
    let parts = ReaderStream::with_capacity(archive, BYTES_AHEAD).map_err(|_| Cut);
    let name = format!("boletos-{import_id}.zip");
    let parts = parts.chain(end(import_id, written));
    Ok(answer(ZIP, Some(&name), parts))
}

/// Makes the slips of the rows, on a thread that may wait for the client.
fn write(
    rows: impl Stream<Item = Result<Vec<RowResult>, Cut>>,
    agreements: &Agreements<SharedLedger>,
    to: impl Write,
) -> io::Result<()> {
    let runtime = Handle::current();
    let mut archive = SlipArchive::new(to);
    pin_mut!(rows);
    while let Some(rows) = runtime.block_on(rows.next()) {
        for result in rows.map_err(io::Error::other)? {
            let notification = result.notification.as_deref();
            let notification: Option<Notification> =
                notification.and_then(|json| serde_json::from_str(json).ok());
            let boleto = notification.as_ref().and_then(|told| told.boleto.as_ref());
            // A counterpart bills without one.
            let (Some(notification), Some(boleto)) = (&notification, boleto) else {
                continue;
            };
            let agreement = runtime.block_on(agreements.get(boleto.issuer));
            let agreement = agreement.map_err(io::Error::other)?;
            let agreement = agreement.ok_or_else(|| {
                io::Error::other(format!("agreement {} is not in the ledger", boleto.issuer))
            })?;
            archive.add(result.facts.row, notification, &agreement)?;
        }
    }
    archive.finish()
}
