use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use common::ledger::{ImportState, ImportStatus};
use form_urlencoded::Serializer;
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::{Builder, Uuid};

use super::import_view::ImportView;
use super::imports::ledger_problem;
use super::{Problem, Shared};
use crate::progress::observe;

/// Imports of a page, unless the client says.
const PAGE: usize = 20;
/// Most imports of a page, and of a look at the ledger.
const LARGEST_PAGE: usize = 100;
/// Most imports that are looked at for one page, in milliseconds each with a
/// ledger that is far away: a page of a rare kind may be empty and have another
/// one after it.
const LOOKED_AT: usize = 2_000;
/// Most characters of a file's name that is looked for.
const NAME_CHARACTERS: usize = 500;
/// The id of an import is of the time when its upload, or its preview, began;
/// it was accepted that much later at most.
const LONGEST_UPLOAD: Duration = Duration::from_hours(24);

/// Which imports, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Most imports of the page.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
    /// Only imports older than this one.
    before: Option<Uuid>,
    /// Only imports in that state.
    #[param(inline, example = "stalled")]
    state: Option<WantedState>,
    /// Only imports whose file has that text in its name, in any case.
    #[param(example = "2027-01", max_length = 500)]
    file_name: Option<String>,
    /// Only imports that were accepted at that time or later.
    #[param(value_type = Option<String>, format = DateTime, example = "2027-01-01T03:00:00Z")]
    accepted_from: Option<Timestamp>,
    /// Only imports that were accepted before that time.
    #[param(value_type = Option<String>, format = DateTime, example = "2027-02-01T03:00:00Z")]
    accepted_before: Option<Timestamp>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WantedState {
    Received,
    Sending,
    Processing,
    Waiting,
    Completed,
    CompletedWithErrors,
    Stalled,
    Cancelled,
    Abandoned,
    Failed,
}

impl From<WantedState> for ImportState {
    fn from(wanted: WantedState) -> Self {
        match wanted {
            WantedState::Received => Self::Received,
            WantedState::Sending => Self::Sending,
            WantedState::Processing => Self::Processing,
            WantedState::Waiting => Self::Waiting,
            WantedState::Completed => Self::Completed,
            WantedState::CompletedWithErrors => Self::CompletedWithErrors,
            WantedState::Stalled => Self::Stalled,
            WantedState::Cancelled => Self::Cancelled,
            WantedState::Abandoned => Self::Abandoned,
            WantedState::Failed => Self::Failed,
        }
    }
}

/// A page of the imports, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportPage {
    /// The imports.
    imports: Vec<ImportView>,
    /// The next page, if there may be one.
    #[schema(example = "/v1/imports?limit=20&before=01a20cf7-b9ab-731a-b03f-a050ab734734")]
    next: Option<String>,
}

impl Page {
    /// Whether every import is wanted.
    fn wants_all(&self) -> bool {
        self.state.is_none()
            && self.file_name.is_none()
            && self.accepted_from.is_none()
            && self.accepted_before.is_none()
    }

    fn wants(&self, import: &ImportStatus, now: Timestamp) -> bool {
        let accepted_at = import.import.accepted_at;
        let has_name = |part: &str| {
            let name = import.import.file_name.as_deref().unwrap_or_default();
            name.to_lowercase().contains(&part.to_lowercase())
        };
        let is_in = |state: WantedState| import.state(now) == state.into();
        self.state.is_none_or(is_in)
            && self.file_name.as_deref().is_none_or(has_name)
            && self.accepted_from.is_none_or(|from| from <= accepted_at)
            && self
                .accepted_before
                .is_none_or(|before| accepted_at < before)
    }

    /// Where to begin to look, backwards.
    fn begin(&self) -> Option<Uuid> {
        let newest = self.accepted_before.map(|before| {
            // An import of that millisecond may have been accepted before.
            let millisecond = before.as_millisecond().saturating_add(1);
            first_of(u64::try_from(millisecond).unwrap_or_default())
        });
        match (self.before, newest) {
            (Some(before), Some(newest)) => Some(before.min(newest)),
            (before, newest) => before.or(newest),
        }
    }

    /// Whether that import and all before it are too old.
    fn is_behind(&self, import_id: Uuid) -> bool {
        let (Some(from), Some(begun)) = (self.accepted_from, import_id.get_timestamp()) else {
            return false;
        };
        let (seconds, _) = begun.to_unix();
        let accepted_by = seconds.saturating_add(LONGEST_UPLOAD.as_secs());
        i64::try_from(accepted_by).is_ok_and(|by| by < from.as_second())
    }

    /// The address of the imports before that one.
    fn after(&self, limit: usize, last: Uuid) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("limit", &limit.to_string());
        query.append_pair("before", &last.to_string());
        let name = self.state.map(|state| ImportState::from(state).name());
        let others = [
            ("state", name.map(str::to_owned)),
            ("file_name", self.file_name.clone()),
            (
                "accepted_from",
                self.accepted_from.map(|time| time.to_string()),
            ),
            (
                "accepted_before",
                self.accepted_before.map(|time| time.to_string()),
            ),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        format!("/v1/imports?{}", query.finish())
    }
}

/// The least id of a millisecond (RFC 9562, UUID version 7).
fn first_of(millisecond: u64) -> Uuid {
    Builder::from_unix_timestamp_millis(millisecond, &[0; 10]).into_uuid()
}

/// List the imports, newest first.
///
/// `next` is the address of the next page, until there is none. For a page of
/// certain imports, two thousand imports are looked at at most, so that a page
/// may have fewer than `limit`, or none, and another one after it.
///
/// ```sh
/// curl 'http://localhost:8000/v1/imports?limit=20'
/// curl 'http://localhost:8000/v1/imports?state=failed&accepted_from=2027-01-01T03:00:00Z'
/// ```
#[utoipa::path(
    get,
    path = "/v1/imports",
    tag = "imports",
    security((), ("bearer" = [])),
    params(Page),
    responses(
        (status = 200, description = "A page of the imports", body = ImportPage),
        (status = 400, description = "The query is invalid", body = Problem, content_type = "application/problem+json", example = json!(Problem::bad_query("limit takes 1 to 100"))),
        (status = 503, description = "The ledger is unavailable, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<ImportPage>, Problem> {
    let Query(page) = page.map_err(|error| Problem::bad_query(error.body_text()))?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Problem::bad_query("limit takes 1 to 100"));
    }
    let name = page.file_name.as_deref().unwrap_or_default();
    if name.chars().nth(NAME_CHARACTERS).is_some() {
        return Err(Problem::bad_query("file_name takes up to 500 characters"));
    }
    let now = Timestamp::now();
    // One more than asked for tells whether there is a next page.
    let enough = limit + 1;
    let at_once = if page.wants_all() {
        enough
    } else {
        LARGEST_PAGE
    };
    let (mut found, mut before, mut looked_at) = (Vec::new(), page.begin(), 0);
    let last = loop {
        let ids = look(&shared, &page, &mut found, before, at_once, now).await?;
        looked_at += ids.len();
        if found.len() >= enough {
            found.truncate(limit);
            break found
                .last()
                .map(|status: &ImportStatus| status.import.import_id);
        }
        before = ids.last().copied();
        let is_oldest = ids.len() < at_once;
        if is_oldest || before.is_none_or(|oldest| page.is_behind(oldest)) {
            break None;
        }
        if looked_at >= LOOKED_AT {
            break before;
        }
    };
    Ok(Json(ImportPage {
        imports: found
            .iter()
            .map(|status| ImportView::new(status, now))
            .collect(),
        next: last.map(|last| page.after(limit, last)),
    }))
}

/// Adds those of the next imports that are wanted. Gives all of them.
async fn look(
    shared: &Shared,
    page: &Page,
    found: &mut Vec<ImportStatus>,
    before: Option<Uuid>,
    count: usize,
    now: Timestamp,
) -> Result<Vec<Uuid>, Problem> {
    let ledger = shared.ledger()?;
    let ids = ledger.recent_imports(before, count as u64).await;
    let ids = ids.map_err(|error| ledger_problem(&error))?;
    let looks = ids
        .iter()
        .map(|id| observe(ledger, &shared.metrics, *id, now));
    let statuses = try_join_all(looks).await;
    let statuses = statuses.map_err(|error| ledger_problem(&error))?;
    let wanted = statuses.into_iter().flatten();
    found.extend(wanted.filter(|status| page.wants(status, now)));
    Ok(ids)
}
