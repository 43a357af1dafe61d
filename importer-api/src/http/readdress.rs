use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use contract::email_address;
use serde::Deserialize;
use tracing::warn;
use utoipa::ToSchema;

use super::auth::Client;
use super::boletos::{self, BoletoView};
use super::imports::ledger_problem;
use super::{Problem, Shared};
use crate::import::ReaddressError;

/// What is to change of a boleto.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BoletoChange)]
pub(super) struct Change {
    /// The address that its e-mail goes to from now on.
    #[schema(
        min_length = 3,
        max_length = 254,
        example = "elijah.santos@example.com"
    )]
    email: String,
}

/// Change where the e-mail of a boleto goes.
///
/// The e-mail is sent to that address: anew, under a Message-ID of its own, where
/// it was sent or is undeliverable, and instead where it waits for a mail
/// server. The row that was undeliverable is open again until the new e-mail has
/// ended; one whose e-mail was sent stays sent. The boleto is the same, and
/// `address_changes` says who changed the address, and when. With the address
/// that the boleto has already, an undeliverable e-mail is tried again, and
/// nothing else is done.
///
/// ```sh
/// curl --request PATCH http://localhost:8000/v1/boletos/sample-0001 \\
///   --header 'Content-Type: application/json' \\
///   --data '{"email": "elijah.santos@example.com"}'
/// ```
#[utoipa::path(
    patch,
    path = "/v1/boletos/{debt_id}",
    tag = "boletos",
    security((), ("bearer" = [])),
    params(("debt_id" = String, Path, description = "The debt, percent-encoded where it must be", example = "sample-0001")),
    request_body(content = Change, content_type = "application/json"),
    responses(
        (status = 200, description = "The boleto, with the address", body = BoletoView),
        (status = 400, description = "The body is no JSON", body = Problem, content_type = "application/problem+json", example = json!(Problem::unread_change(StatusCode::BAD_REQUEST))),
        (status = 404, description = "No boleto is known for the debt", body = Problem, content_type = "application/problem+json", example = json!(Problem::no_such_boleto())),
        (status = 409, description = "The e-mail is being sent at this moment, or somebody else changes the address", body = Problem, content_type = "application/problem+json", example = json!(Problem::being_sent(30))),
        (status = 410, description = "The personal data of the debt was removed", body = Problem, content_type = "application/problem+json", example = json!(Problem::personal_data_removed())),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json", example = json!(Problem::unread_change(StatusCode::PAYLOAD_TOO_LARGE))),
        (status = 415, description = "The body is not sent as JSON", body = Problem, content_type = "application/problem+json", example = json!(Problem::unread_change(StatusCode::UNSUPPORTED_MEDIA_TYPE))),
        (status = 422, description = "The address is invalid, or something else was to be changed", body = Problem, content_type = "application/problem+json", example = json!(Problem::bad_address(&contract::InvalidReason::EmailInvalid))),
        (status = 503, description = "The ledger is unavailable, the service stops, or all connections are taken", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait")), example = json!(Problem::ledger_away())),
    )
)]
pub(super) async fn readdress(
    State(shared): State<Shared>,
    Extension(client): Extension<Client>,
    debt_id: Result<Path<String>, PathRejection>,
    change: Result<Json<Change>, JsonRejection>,
) -> Result<Response, Problem> {
    let Path(debt_id) = debt_id.map_err(|_| Problem::no_such_boleto())?;
    let Json(Change { email }) = change.map_err(|error| Problem::unread_change(error.status()))?;
    let email = email_address(&email).map_err(|reason| Problem::bad_address(&reason))?;
    let debt_id = debt_id.trim().to_owned();
    let importer = shared.importer()?;
    let (changed, by) = (debt_id.clone(), client.name());
    // A client that does not wait for the answer must not end it half way.
    let work = tokio::spawn(async move { importer.readdress(&changed, email, by).await });
    let done = work.await.map_err(|error| {
        warn!(debt_id, %error, "The change of an address failed unexpectedly");
        Problem::internal()
    })?;
    done.map_err(|error| problem(&debt_id, &error))?;
    boletos::shown(&shared, &debt_id).await
}

fn problem(debt_id: &str, error: &ReaddressError) -> Problem {
    match error {
        ReaddressError::NoBill => Problem::no_such_boleto(),
        ReaddressError::Erased => Problem::personal_data_removed(),
        ReaddressError::BeingSent(left) => Problem::being_sent(left.as_secs() + 1),
        ReaddressError::Contended => Problem::changed_meanwhile(),
        ReaddressError::Ledger(error) => ledger_problem(error),
        ReaddressError::GaveUp(error) => {
            warn!(debt_id, %error, "The change of an address was given up");
            Problem::ledger_away()
        }
    }
}
