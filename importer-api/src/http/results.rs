use std::io;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use common::ledger::{ImportStatus, Outcome, SharedLedger};
use contract::Notification;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::csv_table::{CSV, Separator, as_text, csv_header, push_csv};
use super::download::{Cut, answer, groups, part, prefers};
use super::import_view::IMPORT_ID;
use super::imports::{file_problem, find};
use super::{Problem, Shared};
use crate::blocking::blocking;
use crate::results::{RowOutcome, RowResult, WantedRows, read_results};
use crate::spool::{FileReader, Manifest};

/// JSON objects, one a line.
const NDJSON: &str = "application/x-ndjson";
const COLUMNS: [&str; 12] = [
    "row",
    "debtId",
    "outcome",
    "code",
    "reason",
    "ourNumber",
    "digitableLine",
    "barcode",
    "pix",
    "notified",
    "mail",
    "mailReason",
];

/// Which of the results, and what separates the columns of a CSV.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Only rows with that outcome; all unless it is given.
    #[param(inline, example = "billed")]
    outcome: Option<WantedOutcome>,
    /// What separates the columns of the CSV; that of the uploaded file unless it is given, as a
    /// spreadsheet splits what it would have saved.
    #[param(inline, example = "semicolon")]
    separator: Option<Separator>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WantedOutcome {
    Billed,
    Skipped,
    Invalid,
    Pending,
    NotSent,
}

impl From<WantedOutcome> for RowOutcome {
    fn from(wanted: WantedOutcome) -> Self {
        match wanted {
            WantedOutcome::Billed => Self::Ended(Outcome::Billed),
            WantedOutcome::Skipped => Self::Ended(Outcome::Skipped),
            WantedOutcome::Invalid => Self::Ended(Outcome::Invalid),
            WantedOutcome::Pending => Self::Pending,
            WantedOutcome::NotSent => Self::NotSent,
        }
    }
}

/// What became of a row. A CSV has the same, with empty cells for null.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ResultView<'a> {
    /// Number of the row, from 1.
    #[schema(example = 17)]
    row: u64,
    /// What identifies the debt; null where the record cannot be read so far.
    #[schema(example = "1adb6ccf-ff16-467f-bea7-5f05d494280f")]
    debt_id: Option<&'a str>,
    /// `billed`, `skipped` (another row billed the debt), `invalid`, `pending` (still to come), or
    /// `not_sent` (the import was stopped before).
    #[schema(example = "billed")]
    outcome: &'static str,
    /// Stable name of the reason why the row is invalid, undeliverable, or in conflict with what
    /// was billed for its debt.
    code: Option<&'a str>,
    /// That reason in plain words, but for e-mails.
    reason: Option<&'a str>,
    /// Nosso número of the boleto that the row was billed with, as the slip prints it.
    #[schema(example = "31285570000000001")]
    our_number: Option<&'a str>,
    /// Linha digitável as people read it.
    #[schema(example = "00190.00009 03128.557000 00000.001172 2 14940000010050")]
    digitable_line: Option<String>,
    /// The 44 digits of the barcode.
    #[schema(example = "00192149400000100500000003128557000000000117")]
    barcode: Option<String>,
    /// PIX BR Code, where the issuer has a key.
    pix: Option<&'a str>,
    /// Whether the topic has the notification; null where the row was not billed.
    #[schema(example = true)]
    notified: Option<bool>,
    /// `sent`, `waiting` (a mail server put it off), `undeliverable`, or `pending`; null where the
    /// row was not billed.
    #[schema(example = "sent")]
    mail: Option<&'static str>,
    /// Why the e-mail is undeliverable.
    mail_reason: Option<&'a str>,
}

impl<'a> ResultView<'a> {
    fn new(result: &'a RowResult, notification: Option<&'a Notification>) -> Self {
        let facts = &result.facts;
        let code = facts.reason.as_ref().map(|reason| &*reason.code);
        let text = facts.reason.as_ref().map(|reason| &*reason.text);
        let boleto = notification.and_then(|notification| notification.boleto.as_ref());
        let barcode = boleto.map(|boleto| &boleto.barcode);
        Self {
            row: facts.row,
            debt_id: result.debt_id.as_deref(),
            outcome: result.outcome.name(),
            code,
            reason: text.filter(|_| !facts.undeliverable),
            our_number: boleto.map(|boleto| &*boleto.our_number),
            digitable_line: barcode.map(|barcode| barcode.digitable_line().to_string()),
            barcode: barcode.map(ToString::to_string),
            pix: boleto.and_then(|boleto| boleto.pix.as_deref()),
            notified: facts.billed.then_some(facts.notified),
            mail: facts.billed.then(|| mail_of(result)),
            mail_reason: match &facts.put_off_why {
                Some(why) => Some(&why.text),
                None => text.filter(|_| facts.undeliverable),
            },
        }
    }

    fn push_csv(&self, csv: &mut String, separator: Separator) {
        let notified = self
            .notified
            .map(|notified| if notified { "true" } else { "false" });
        let debt_id = self.debt_id.map(as_text);
        let our_number = self.our_number.map(as_text);
        let barcode = self.barcode.as_deref().map(as_text);
        let cells = [
            Some(&*self.row.to_string()),
            debt_id.as_deref(),
            Some(self.outcome),
            self.code,
            self.reason,
            our_number.as_deref(),
            self.digitable_line.as_deref(),
            barcode.as_deref(),
            self.pix,
            notified,
            self.mail,
            self.mail_reason,
        ];
        push_csv(csv, cells, separator);
    }
}

/// What became of the e-mail of a billed row.
fn mail_of(result: &RowResult) -> &'static str {
    let facts = &result.facts;
    if facts.mailed {
        "sent"
    } else if facts.undeliverable {
        "undeliverable"
    } else if facts.put_off_until.is_some() {
        "waiting"
    } else {
        "pending"
    }
}

/// Download what became of every row.
///
/// One record per row of the file, in its order, with the numbers of its boleto: a CSV that a
/// spreadsheet may open, with the separator of the uploaded file, or JSON objects, one per line,
/// where the header Accept asks for `application/x-ndjson`. It is read from the ledger while it is
/// downloaded, so that the rows of an import that goes on may be a moment apart. Where the files
/// are not on S3, the file must be in the spool of the replica that is asked.
///
/// ```sh
/// curl --remote-name --remote-header-name http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/results
/// curl --header 'Accept: application/x-ndjson' 'http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/results?outcome=billed'
/// ```
#[utoipa::path(
    get,
    path = "/v1/imports/{import_id}/results",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID)), Wanted),
    responses(
        (status = 200, description = "The rows; the schema is that of one", content((String = "text/csv", example = "row,debtId,outcome,code,reason,ourNumber,digitableLine,barcode,pix,notified,mail,mailReason\r\n1,\"sample-0001\",billed,,,\"'31285570000000001\",\"00190.00009 03128.557000 00000.001172 2 14940000010050\",\"'00192149400000100500000003128557000000000117\",,true,sent,\r\n"), (ResultView = "application/x-ndjson"))),
        (status = 400, description = "The query is invalid", body = Problem, content_type = "application/problem+json", example = json!(Problem::bad_query("unknown variant `paid`"))),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 409, description = "Its file is not here", body = Problem, content_type = "application/problem+json", example = json!(Problem::file_not_here())),
        (status = 410, description = "Its personal data was removed, and its file with it", body = Problem, content_type = "application/problem+json", example = json!(Problem::personal_data_removed())),
        (status = 429, description = "Too many clients download results", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::too_many_downloads())),
        (status = 503, description = "The ledger or the files are unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn results(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad_query(error.body_text()))?;
    let opened = Opened::of(&shared, import_id).await?;
    let import_id = opened.manifest.import_id;
    let separator = Separator::of_file(Some(opened.manifest.layout.delimiter));
    let separator = wanted.separator.unwrap_or(separator);
    let rows = opened.read(WantedRows {
        outcome: wanted.outcome.map(RowOutcome::from),
        numbers: 1..=u64::MAX,
    });
    if prefers(NDJSON, &headers) {
        let parts = rows.then(|rows| text_of(rows, push_json));
        let name = format!("results-{import_id}.ndjson");
        return Ok(answer(NDJSON, Some(&name), parts));
    }
    let line = move |view: &ResultView<'_>, csv: &mut String| {
        view.push_csv(csv, separator);
        Ok(())
    };
    let rows = rows.then(move |rows| text_of(rows, line));
    let header = csv_header(COLUMNS, separator);
    let parts = part(header).chain(rows);
    let name = format!("results-{import_id}.csv");
    Ok(answer(CSV, Some(&name), parts))
}

/// An import whose rows are read while a client downloads what became of them.
pub(super) struct Opened {
    pub(super) manifest: Manifest,
    /// Where its first row starts.
    file: FileReader,
    status: ImportStatus,
    pub(super) ledger: SharedLedger,
    /// The client is among those who download.
    place: OwnedSemaphorePermit,
}

impl Opened {
    pub(super) async fn of(
        shared: &Shared,
        import_id: Result<Path<Uuid>, PathRejection>,
    ) -> Result<Self, Problem> {
        let status = find(shared, import_id, Timestamp::now()).await?;
        let import_id = status.import.import_id;
        if status.erasure.is_some() {
            return Err(Problem::personal_data_removed());
        }
        let place = shared.downloads.add();
        let place = place.ok_or_else(Problem::too_many_downloads)?;
        let failed = |error: io::Error| file_problem(import_id, &error);
        let manifest = shared.spool.manifest_of(import_id).await.map_err(failed)?;
        let manifest = manifest.ok_or_else(Problem::file_not_here)?;
        let start = manifest.start().offset;
        let file = shared.spool.read(import_id, start).await.map_err(failed)?;
        Ok(Self {
            manifest,
            file,
            status,
            ledger: shared.ledger()?.clone(),
            place,
        })
    }

    /// What became of these rows, some at a time.
    pub(super) fn read(
        self,
        wanted: WantedRows,
    ) -> impl Stream<Item = Result<Vec<RowResult>, Cut>> {
        let import_id = self.manifest.import_id;
        groups(import_id, move |taken| async move {
            let Self {
                manifest,
                file,
                status,
                ledger,
                place: _place,
            } = self;
            read_results(&ledger, file, manifest, &status, wanted, &taken).await
        })
    }
}

fn push_json(view: &ResultView<'_>, text: &mut String) -> Result<(), serde_json::Error> {
    text.push_str(&serde_json::to_string(view)?);
    text.push('\n');
    Ok(())
}

/// The text of a group of rows. To write a thousand lines takes milliseconds, which the thread that
/// answers requests does not have.
async fn text_of(
    rows: Result<Vec<RowResult>, Cut>,
    push: impl Fn(&ResultView<'_>, &mut String) -> Result<(), serde_json::Error> + Send + 'static,
) -> Result<String, Cut> {
    let rows = rows?;
    let text = blocking(move || {
        let mut text = String::new();
        for row in &rows {
            let json = row.notification.as_deref();
            let notification = json.and_then(|json| serde_json::from_str(json).ok());
            push(&ResultView::new(row, notification.as_ref()), &mut text)?;
        }
        Ok(text)
    });
    text.await.map_err(|_| Cut)
}
