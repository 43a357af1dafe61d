use std::borrow::Cow;
use std::iter::repeat_n;
use std::ops::RangeInclusive;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use contract::Column;
use futures::StreamExt;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::csv_table::{CSV, Separator, as_text, csv_header, push_csv};
use super::download::{Cut, JSON, answer, groups, part, prefers};
use super::import_view::IMPORT_ID;
use super::imports::{file_problem, find};
use super::{Problem, Shared};
use crate::rejections::{Records, Rejection, open_records, read_rejections};

/// What `limit` takes.
const LIMITS: RangeInclusive<usize> = 1..=1_000_000;
/// What the CSV has behind the columns of the file.
const REASON: [&str; 4] = ["line", "row", "code", "reason"];

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
/// billed for their debt (`conflict`). A CSV with the columns and the separator
/// of the uploaded file, and `line`, `row`, `code` and `reason` behind them: it
/// can be corrected and uploaded as it is. JSON where the header Accept asks
/// for `application/json`. The records are read from the spool of the replica
/// that is asked, for as long as it has the file.
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
        (status = 200, description = "The rows", content((String = "text/csv", example = "name,governmentId,email,debtAmount,debtDueDate,debtId,line,row,code,reason\r\n\"Ana Souza\",52998224725,\"ana.souza\",\"'150.00\",\"2030-01-15\",7,42,41,\"email_invalid\",\"the e-mail address is not valid\"\r\n"), (RejectionsView = "application/json"))),
        (status = 400, description = "The query is invalid", body = Problem, content_type = "application/problem+json", example = json!(Problem::bad_query("limit takes 1 to 1000000"))),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 503, description = "The ledger or the files are unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
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
    let ledger = shared.ledger()?.clone();
    let records = match status.erasure {
        None => open_records(&shared.spool, of.0).await,
        // Its file is about to be.
        Some(_) => Ok(None),
    };
    let records = records.map_err(|error| file_problem(of.0, &error))?;
    let delimiter = records.as_ref().map(Records::delimiter);
    let table = Table::of(records.as_ref());
    let limit = wanted.limit.unwrap_or(usize::MAX);
    let groups = groups(of.0, move |taken| async move {
        read_rejections(&ledger, records, of, limit, &taken).await
    });
    if prefers(JSON, &headers) {
        let mut first = true;
        let rows = groups.map(move |group| json(&group?, &mut first));
        let parts = part("{\"rejections\":[").chain(rows).chain(part("]}"));
        return Ok(answer(JSON, None, parts));
    }
    let separator = wanted.separator.unwrap_or(Separator::of_file(delimiter));
    let header = table.header(separator);
    let rows = groups.map(move |group| Ok(table.csv(&group?, separator)));
    let name = format!("rejections-{}.csv", of.0);
    Ok(answer(CSV, Some(&name), part(header).chain(rows)))
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

/// The CSV of rejections: the columns of the file, so that it can be corrected and uploaded as it
/// is, and the reason behind them.
struct Table {
    /// The names in the file's header.
    columns: Vec<String>,
    /// Where the due date is.
    due_date: Option<usize>,
    /// The file is such a table itself, corrected: its reasons are left out.
    has_reasons: bool,
}

impl Table {
    fn of(records: Option<&Records>) -> Self {
        let header = records.map_or(&[][..], Records::header);
        let columns = header.strip_suffix(&REASON.map(str::to_owned));
        Self {
            columns: columns.unwrap_or(header).to_vec(),
            due_date: records.map(|records| records.place_of(Column::DebtDueDate)),
            has_reasons: columns.is_some(),
        }
    }

    fn header(&self, separator: Separator) -> String {
        let columns = self.columns.iter().map(|name| &**name);
        csv_header(columns.chain(REASON), separator)
    }

    fn csv(&self, group: &[Rejection], separator: Separator) -> String {
        let mut text = String::new();
        for rejection in group {
            let record = rejection.record.as_ref();
            let line = record.map(|record| record.line.to_string());
            let row = rejection.row.to_string();
            let reason = [
                line.as_deref(),
                Some(&*row),
                Some(&*rejection.reason.code),
                Some(&*rejection.reason.text),
            ];
            let cells = record.map_or(&[][..], |record| self.own_cells(&record.cells));
            let missing = self.columns.len().saturating_sub(cells.len());
            let cells: Vec<_> = cells
                .iter()
                .enumerate()
                .map(|(place, cell)| self.shown(place, cell))
                .collect();
            let cells = cells.iter().map(|cell| Some(&**cell));
            let cells = cells.chain(repeat_n(None, missing));
            push_csv(&mut text, cells.chain(reason), separator);
        }
        text
    }

    fn shown<'c>(&self, place: usize, cell: &'c str) -> Cow<'c, str> {
        if cell.contains(['\r', '\n']) {
            on_one_line(cell)
        } else if self.due_date == Some(place) && cell.parse::<Date>().is_ok() {
            // Every spreadsheet reads a day in this form as that day.
            Cow::Borrowed(cell)
        } else {
            as_text(cell)
        }
    }

    /// Those without the reasons that were behind them.
    fn own_cells<'c>(&self, cells: &'c [String]) -> &'c [String] {
        let all = self.columns.len() + REASON.len();
        if self.has_reasons && cells.len() >= all {
            &cells[..cells.len() - REASON.len()]
        } else {
            cells
        }
    }
}

/// The sign for a line break must not come into a name.
fn on_one_line(cell: &str) -> Cow<'static, str> {
    let lines = cell.split(['\r', '\n']).filter(|line| !line.is_empty());
    Cow::Owned(lines.collect::<Vec<_>>().join(" "))
}
