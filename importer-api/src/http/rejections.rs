use std::ops::RangeInclusive;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use common::ledger::ImportStatus;
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::warn;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::import_view::IMPORT_ID;
use super::imports::find;
use super::{Problem, Shared};
use crate::rejections::{Rejection, read_rejections};

/// Groups of rejections that are read ahead of the client.
const GROUPS_AHEAD: usize = 1;
/// Tells spreadsheets that the text is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";
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

/// What separates the columns of a CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Separator {
    #[serde(alias = ",")]
    Comma,
    #[serde(alias = ";")]
    Semicolon,
    #[serde(alias = "\t")]
    Tab,
}

impl Separator {
    /// What separates the columns of an uploaded file; a comma where that is
    /// none of these, or the file is gone.
    fn of_file(delimiter: Option<u8>) -> Self {
        match delimiter {
            Some(b';') => Self::Semicolon,
            Some(b'\t') => Self::Tab,
            _ => Self::Comma,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Semicolon => ";",
            Self::Tab => "\t",
        }
    }
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
    let name = status.import.import_id;
    let groups = groups(&shared, &status, wanted.limit)?;
    let (content_type, body) = if wants_json(&headers) {
        let mut first = true;
        let rows = groups.map(move |group| json(&group, &mut first));
        ("application/json", framed("{\"rejections\":[", rows, "]}"))
    } else {
        let separator = match wanted.separator {
            Some(separator) => separator,
            None => Separator::of_file(delimiter(&shared, name).await),
        };
        let head = format!("{BYTE_ORDER_MARK}{}\r\n", COLUMNS.join(separator.text()));
        let rows = groups.map(move |group| csv(&group, separator));
        ("text/csv; charset=utf-8", framed(&head, rows, ""))
    };
    let disposition = format!("attachment; filename=\"rejections-{name}.csv\"");
    let mut response = body.into_response();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, content_type);
    set(header::CACHE_CONTROL, "no-store");
    set(header::VARY, "accept");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if !wants_json(&headers) {
        set(header::CONTENT_DISPOSITION, &disposition);
    }
    Ok(response)
}

/// What separates the columns of the uploaded file; `None` where the spool
/// does not have it.
async fn delimiter(shared: &Shared, import_id: Uuid) -> Option<u8> {
    let manifest = shared.spool.manifest_of(import_id).await;
    Some(manifest.ok()??.layout.delimiter)
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok()).unwrap_or("");
    accept
        .split(',')
        .filter_map(|range| range.split(';').next())
        .map(str::trim)
        .find(|range| matches!(*range, "application/json" | "text/csv" | "text/*"))
        == Some("application/json")
}

/// Reads the rejections while the client takes them. What goes wrong then
/// cuts the answer off, so that it cannot be taken for a whole one.
fn groups(
    shared: &Shared,
    status: &ImportStatus,
    limit: Option<usize>,
) -> Result<impl Stream<Item = Result<Vec<Rejection>, Cut>> + use<>, Problem> {
    let ledger = shared.ledger()?.clone();
    let spool = shared.spool.clone();
    let of = (status.import.import_id, status.import.rows);
    let (groups, taken) = mpsc::channel(GROUPS_AHEAD);
    let limit = limit.unwrap_or(usize::MAX);
    let read = async move { read_rejections(&ledger, &spool, of, limit, &groups).await };
    let read = tokio::spawn(read);
    let end = stream::once(async move {
        match read.await {
            Ok(Ok(())) => Ok(Vec::new()),
            Ok(Err(error)) => {
                warn!(import_id = %of.0, %error, "Rejections cut off");
                Err(Cut)
            }
            Err(_) => Err(Cut),
        }
    });
    Ok(ReceiverStream::new(taken).map(Ok).chain(end))
}

/// The answer ends before its end.
#[derive(Debug, thiserror::Error)]
#[error("the rejections could not be read to their end")]
struct Cut;

fn framed(
    head: &str,
    rows: impl Stream<Item = Result<String, Cut>> + Send + 'static,
    tail: &str,
) -> Body {
    let part = |text: &str| stream::once(std::future::ready(Ok(text.to_owned())));
    Body::from_stream(part(head).chain(rows).chain(part(tail)))
}

fn json(group: &Result<Vec<Rejection>, Cut>, first: &mut bool) -> Result<String, Cut> {
    let mut text = String::new();
    for rejection in group.as_ref().map_err(|_| Cut)? {
        if !std::mem::take(first) {
            text.push(',');
        }
        let row = serde_json::to_string(&RejectionView::from(rejection));
        text.push_str(&row.map_err(|_| Cut)?);
    }
    Ok(text)
}

fn csv(group: &Result<Vec<Rejection>, Cut>, separator: Separator) -> Result<String, Cut> {
    let mut text = String::new();
    for rejection in group.as_ref().map_err(|_| Cut)? {
        let record = rejection.record.as_ref();
        let cells = [
            record.map_or_else(String::new, |record| record.line.to_string()),
            rejection.row.to_string(),
            cell(&rejection.reason.code),
            cell(&rejection.reason.text),
            record.map_or_else(String::new, |record| cell(&record.text)),
        ];
        text.push_str(&cells.join(separator.text()));
        text.push_str("\r\n");
    }
    Ok(text)
}

/// A quoted cell. Text that a spreadsheet would take for a formula gets an
/// apostrophe before it (OWASP, CSV injection). A line break becomes a sign:
/// programs that do not know quotes would take what follows for a cell.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    let guard = if formula { "'" } else { "" };
    let text = text.replace("\r\n", "⏎").replace(['\r', '\n'], "⏎");
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("@SUM(A1)"), "\"'@SUM(A1)\"");
        assert_eq!(cell("a \"b\"\r\n=c\n"), "\"a \"\"b\"\"⏎=c⏎\"");
    }

    #[test]
    fn json_is_given_to_those_who_prefer_it() {
        let wants = |accept: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            wants_json(&headers)
        };
        assert!(wants("application/json"));
        assert!(wants("application/json; q=1, text/csv"));
        assert!(!wants("text/csv, application/json"));
        assert!(!wants("*/*"));
        assert!(!wants_json(&HeaderMap::new()));
    }
}
