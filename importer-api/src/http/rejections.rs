use std::ops::RangeInclusive;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::download::{
    CSV, Cut, JSON, Separator, answer, csv_header, groups, part, prefers, push_csv,
};
use super::import_view::IMPORT_ID;
use super::imports::find;
use super::{Problem, Shared};
use crate::rejections::{Rejection, read_rejections};

/// What `limit` takes.
const LIMITS: RangeInclusive<usize> = 1..=1_000_000;
const COLUMNS: [&str; 5] = ["line", "row", "code", "reason", "record"];

/// How many of the rejections, and what separates the columns of a CSV.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Most rows of the answer, the first of the file; all unless it is given.
    #[param(minimum = 1, maximum = 1_000_000, example = 10)]
    limit: Option<usize>,
    /// What separates the columns of the CSV; that of the uploaded file unless
    /// it is given, as a spreadsheet splits what it would have saved.
    #[param(inline, example = "semicolon")]
    separator: Option<Separator>,
}

/// The rejections of an import.
#[derive(Serialize, ToSchema)]
struct RejectionsView {
    /// The rows that somebody should look at, in the order of the file.
    rejections: Vec<RejectionView<'static>>,
}

/// A row that is invalid, undeliverable, or in conflict with what was billed.
#[derive(Serialize, ToSchema)]
struct RejectionView<'a> {
    /// Number of its line in the file, from 1, the header being a line; null
    /// once the file is gone.
    #[schema(example = 42)]
    line: Option<u64>,
    /// Number of the row, from 1.
    #[schema(example = 41)]
    row: u64,
    /// Stable name of the reason; `conflict` is a skipped row that differs
    /// from what was billed for its debt.
    #[schema(value_type = String, example = "email_invalid")]
    code: &'a str,
    /// The reason in plain words.
    #[schema(value_type = String, example = "the e-mail address is not valid")]
    reason: &'a str,
    /// The record as it stands in the file; null once the file is gone.
    #[schema(value_type = Option<String>)]
    record: Option<&'a str>,
}

impl<'a> From<&'a Rejection> for RejectionView<'a> {
    fn from(rejection: &'a Rejection) -> Self {
        let record = rejection.record.as_ref();
        Self {
            line: record.map(|record| record.line),
            row: rejection.row,
            code: &rejection.reason.code,
            reason: &rejection.reason.text,
            record: record.map(|record| &*record.text),
        }
    }
}

/// Download the rows that somebody should look at.
///
/// Invalid and undeliverable rows, and skipped rows that differ from what was
/// billed for their debt (`conflict`). A CSV that a spreadsheet may open, with
/// the separator of the uploaded file, or JSON where the header Accept asks for
/// `application/json`. The records are read from the spool of the replica that
/// is asked, for as long as it has the file.
///
/// ```sh
/// curl --remote-name --remote-header-name http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/rejections
/// curl --header 'Accept: application/json' 'http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/rejections?limit=10'
/// ```
#[utoipa::path(
    get,
    path = "/v1/imports/{import_id}/rejections",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID)), Wanted),
    responses(
        (status = 200, description = "The rows", content((String = "text/csv", example = "line,row,code,reason,record\r\n42,41,\"email_invalid\",\"the e-mail address is not valid\",\"Ana Souza,52998224725,ana.souza,150.00,2030-01-15,7\"\r\n"), (RejectionsView = "application/json"))),
        (status = 400, description = "The query is invalid", body = Problem, content_type = "application/problem+json", example = json!(Problem::bad_query("limit takes 1 to 1000000"))),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn rejections(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad_query(error.body_text()))?;
    if wanted.limit.is_some_and(|limit| !LIMITS.contains(&limit)) {
        return Err(Problem::bad_query("limit takes 1 to 1000000"));
    }
    let status = find(&shared, import_id, Timestamp::now()).await?;
    let of = (status.import.import_id, status.import.rows);
    let (ledger, spool) = (shared.ledger()?.clone(), shared.spool.clone());
    let limit = wanted.limit.unwrap_or(usize::MAX);
    let groups = groups(of.0, move |taken| async move {
        read_rejections(&ledger, &spool, of, limit, &taken).await
    });
    if prefers(JSON, &headers) {
        let mut first = true;
        let rows = groups.map(move |group| json(&group?, &mut first));
        let parts = part("{\"rejections\":[").chain(rows).chain(part("]}"));
        return Ok(answer(JSON, None, parts));
    }
    let separator = match wanted.separator {
        Some(separator) => separator,
        None => Separator::of_file(delimiter(&shared, of.0).await),
    };
    let rows = groups.map(move |group| Ok(csv(&group?, separator)));
    let parts = part(csv_header(&COLUMNS, separator)).chain(rows);
    let name = format!("rejections-{}.csv", of.0);
    Ok(answer(CSV, Some(&name), parts))
}

/// What separates the columns of the uploaded file; `None` where the spool
/// does not have it.
async fn delimiter(shared: &Shared, import_id: Uuid) -> Option<u8> {
    let manifest = shared.spool.manifest_of(import_id).await;
    Some(manifest.ok()??.layout.delimiter)
}

fn json(group: &[Rejection], first: &mut bool) -> Result<String, Cut> {
    let mut text = String::new();
    for rejection in group {
        if !std::mem::take(first) {
            text.push(',');
        }
        let row = serde_json::to_string(&RejectionView::from(rejection));
        text.push_str(&row.map_err(|_| Cut)?);
    }
    Ok(text)
}

fn csv(group: &[Rejection], separator: Separator) -> String {
    let mut text = String::new();
    for rejection in group {
        let record = rejection.record.as_ref();
        let line = record.map(|record| record.line.to_string());
        let cells = [
            line.as_deref(),
            Some(&*rejection.row.to_string()),
            Some(&*rejection.reason.code),
            Some(&*rejection.reason.text),
            record.map(|record| &*record.text),
        ];
        push_csv(&mut text, cells, separator);
    }
    text
}
