use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::import_view::IMPORT_ID;
use super::imports::{find, ledger_problem};
use super::{Problem, Shared};
use crate::reasons::{ReasonCount, ReasonOf, count_reasons};

/// Why rows need attention.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonsView {
    /// The reasons, the most frequent first.
    reasons: Vec<ReasonView>,
}

/// Rows with a reason.
#[derive(Debug, Serialize, ToSchema)]
struct ReasonView {
    /// `invalid`: they could not be billed. `skipped`: another row billed the
    /// debt, with other values. `undeliverable`: their e-mail can never be
    /// delivered. `put_off`: a mail server put it off, and it is tried again.
    #[schema(example = "undeliverable")]
    outcome: &'static str,
    /// Stable name of the reason.
    #[schema(example = "mailbox_refused")]
    code: String,
    /// The reason of the first of them in plain words.
    #[schema(example = "the mail server refused the mailbox (550 5.1.1)")]
    reason: String,
    /// Number of the first of them.
    #[schema(example = 17)]
    first_row: u64,
    /// How many they are.
    #[schema(example = 12)]
    rows: u64,
}

impl From<ReasonCount> for ReasonView {
    fn from(count: ReasonCount) -> Self {
        Self {
            outcome: match count.of {
                ReasonOf::Invalid => "invalid",
                ReasonOf::Skipped => "skipped",
                ReasonOf::Undeliverable => "undeliverable",
                ReasonOf::PutOff => "put_off",
            },
            code: count.code,
            reason: count.text,
            first_row: count.first_row,
            rows: count.rows,
        }
    }
}

/// Count the rows that need attention by their reasons.
///
/// The rows that the rejections list, and those whose e-mail is put off, by what
/// became of them and the code of the reason. `reopen?code=` sends the undeliverable e-mails of one code again.
///
/// ```sh
/// curl http://localhost:8000/v1/imports/01a20d97-6b57-75d8-bf76-a150c081d411/reasons
/// ```
#[utoipa::path(
    get,
    path = "/v1/imports/{import_id}/reasons",
    tag = "imports",
    security((), ("bearer" = [])),
    params(("import_id" = Uuid, Path, description = "The import, as the upload answered", example = json!(IMPORT_ID))),
    responses(
        (status = 200, description = "The reasons", body = ReasonsView),
        (status = 404, description = "There is no such import", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_import())),
        (status = 429, description = "Too many clients download results", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::too_many_downloads())),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn reasons(
    State(shared): State<Shared>,
    import_id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<ReasonsView>, Problem> {
    let status = find(&shared, import_id, Timestamp::now()).await?;
    let _download = shared
        .downloads
        .add()
        .ok_or_else(Problem::too_many_downloads)?;
    let import = status.import;
    let counts = count_reasons(shared.ledger()?, import.import_id, import.rows).await;
    let counts = counts.map_err(|error| ledger_problem(&error))?;
    Ok(Json(ReasonsView {
        reasons: counts.into_iter().map(Into::into).collect(),
    }))
}
