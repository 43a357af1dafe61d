mod of_change;
mod of_erasure;
mod of_file;

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::pace::LEAST_RATE;

/// What is wrong with a request, as RFC 9457 has it
/// (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Stable name of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:problem:file-without-columns")]
    kind: String,
    /// The kind of problem in words.
    #[schema(example = "The file lacks columns")]
    title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong with this request, and what to do.
    #[schema(
        example = "the header lacks the columns email. The first line is: \"name,governmentId,mail,debtAmount,debtDueDate,debtId\""
    )]
    detail: String,
    /// Columns that the file's header lacks, or has more than once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["email"]))]
    columns: Vec<&'static str>,
    /// The cell of a workbook that is to be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "B17")]
    cell: Option<Box<str>>,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:problem:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            columns: Vec::new(),
            cell: None,
        }
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// There is no such route.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such route",
            "GET /docs lists the routes",
        )
    }

    /// The method is not allowed for this route.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The method is not allowed for this route",
            "the header Allow lists the methods; GET /docs lists the routes",
        )
    }

    /// There is no such import.
    pub(super) fn no_such_import() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-import",
            "There is no such import",
            "GET /v1/imports lists the imports; an import appears here moments after its upload",
        )
    }

    /// Nobody has billed the debt, or a counterpart that keeps its boletos
    /// elsewhere.
    pub(super) fn no_such_boleto() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-boleto",
            "There is no boleto for this debt",
            "no boleto is known for the debt: it is not billed yet, the id is spelled differently, or its row was invalid; GET /v1/imports/{import_id}/rejections has the invalid rows",
        )
    }

    /// The query is invalid.
    pub(super) fn bad_query(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-query",
            "The query is invalid",
            detail,
        )
    }

    /// All rows of the import are sent, or it failed.
    pub(super) fn nothing_to_cancel() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "nothing-to-cancel",
            "There is nothing to cancel",
            "the import is no longer being sent; rows already sent will be finished",
        )
    }

    /// The import is being sent for the first time.
    pub(super) fn still_sending() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "still-sending",
            "The import is still being sent",
            "wait until its state is no longer received or sending",
        )
    }

    /// The file is in no spool, or in that of another replica.
    pub(super) fn file_not_here() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "file-not-here",
            "The file of the import is not here",
            "ask the replica that took the upload; after SPOOL_RETENTION_HOURS the file is gone: upload it again",
        )
    }

    /// The same, where e-mails should be sent again.
    pub(super) fn file_not_here_to_reopen() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "file-not-here",
            "The file of the import is not here",
            "ask the replica that took the upload; after SPOOL_RETENTION_HOURS the file is gone, and these e-mails cannot be sent again: print their slips. Uploading the same file again only skips its rows",
        )
    }

    /// The ledger does not answer.
    pub(super) fn ledger_away() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ledger-away",
            "The ledger is unavailable",
            "the ledger cannot be reached right now; try again in a moment",
        )
    }

    /// The ledger is unavailable to an upload.
    pub(super) fn ledger_away_from_upload() -> Self {
        Self {
            detail: "the ledger cannot be reached right now, and the file was not accepted; send it again in a moment".into(),
            ..Self::ledger_away()
        }
    }

    /// The idempotency key is invalid.
    pub(super) fn bad_idempotency_key() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-idempotency-key",
            "The idempotency key is invalid",
            "the header Idempotency-Key takes 1 to 255 visible ASCII characters",
        )
    }

    /// The idempotency key belongs to an upload of another file.
    pub(super) fn idempotency_key_taken() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-taken",
            "The idempotency key belongs to another file",
            "an earlier upload with this Idempotency-Key had other content; use a new key for a new file",
        )
    }

    /// The request is not `multipart/form-data`, or is cut off or malformed.
    pub(super) fn malformed_form(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed-form",
            "The request is not a well-formed multipart form",
            detail,
        )
    }

    /// The request lacks a token that is known.
    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The request has no valid token",
            "send one of the tokens of this service in the header Authorization: Bearer <token>",
        )
    }

    /// Another website sent the request from a visitor's browser.
    pub(super) fn cross_site() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "cross-site",
            "Another website sent the request",
            "a browser sent this from a page of another site; use the page of this service, or a client other than a browser. Behind a proxy, forward the Host header or list the host in ALLOWED_HOSTS",
        )
    }

    /// The service is asked by a name that may be another website's.
    pub(super) fn foreign_host() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "foreign-host",
            "The host name is not allowed",
            "without API_TOKENS the header Host must be an address, localhost, or a name of ALLOWED_HOSTS",
        )
    }

    /// The client stopped sending.
    pub(super) fn idle(limit: Duration) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "idle",
            "The upload stalled",
            format!("nothing came in for {limit:?}; nothing of the upload was kept, send it again"),
        )
    }

    /// The client sent too slowly.
    pub(super) fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "too-slow",
            "The upload came in too slowly",
            format!(
                "the upload stayed below {LEAST_RATE} bytes per second for too long; nothing of the upload was kept, send it again over a faster connection"
            ),
        )
    }

    /// Nothing is left for a connection with a request of the API.
    pub(super) fn too_many_connections() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-connections",
            "Too many connections",
            "all connections of this service are in use; try again in a moment",
        )
    }

    /// The request is larger than the service takes.
    pub(super) fn too_large(most: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The upload is too large",
            format!("the limit is {most} bytes per request (MAX_UPLOAD_BYTES); split the file"),
        )
    }

    /// The request's body is compressed.
    pub(super) fn encoded() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "encoded",
            "The upload is compressed",
            "compressed uploads are not supported; send the form without a Content-Encoding",
        )
    }

    /// As many uploads as the service takes at a time are coming in.
    pub(super) fn too_many_uploads() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-uploads",
            "Too many concurrent uploads",
            "other uploads are coming in; send this one again in a moment",
        )
    }

    /// As many clients follow imports as the service takes at a time.
    pub(super) fn too_many_followers() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-followers",
            "Too many clients follow imports",
            "too many clients follow imports; poll the import instead, or try again in a moment",
        )
    }

    /// As many clients download results as the service serves at a time.
    pub(super) fn too_many_downloads() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-downloads",
            "Too many concurrent downloads",
            "other clients are downloading results; try again in a moment",
        )
    }

    /// The rows that were asked for are more than an archive of slips takes.
    pub(super) fn too_many_slips(most: u64, rows: u64) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "too-many-slips",
            "Too many slips for one archive",
            format!(
                "an archive has the slips of up to {most} rows, and this import has {rows} rows: ask for some of them, such as ?from=1&to={most}"
            ),
        )
    }

    /// The preview is none of this client, or its hour is over.
    pub(super) fn no_such_preview() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-preview",
            "There is no such preview",
            "a preview is kept for an hour, for the token that uploaded it and, unless the files are on S3, by the replica that took it: upload the file",
        )
    }

    /// The form has no field `file`.
    pub(super) fn no_file() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "no-file",
            "The form has no file",
            "the form must contain exactly one `file` field with the CSV or workbook",
        )
    }

    /// The form has more than one field `file`.
    pub(super) fn many_files() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "many-files",
            "The form has more than one file",
            "the form must contain exactly one `file` field",
        )
    }

    /// The files cannot be read or written.
    pub(super) fn files_away() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "files-away",
            "The files are unavailable",
            "where the files are kept cannot be reached right now; try again in a moment",
        )
    }

    /// The same for an upload.
    pub(super) fn files_away_from_upload() -> Self {
        Self {
            detail: "where the files are kept cannot be reached right now, and nothing of the file was kept; send it again in a moment".into(),
            ..Self::files_away()
        }
    }

    /// The disk is full.
    pub(super) fn disk_full() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "disk-full",
            "The upload cannot be stored",
            "there is no room for the file; nothing of it was kept, try again later",
        )
    }

    /// A fault of the service; the log has the details.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error",
            "see the log for details; try again later. Nothing of the upload was kept",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let further = further_header(status).map(|header| [header]);
        (status, content_type, further, Json(self)).into_response()
    }
}

/// The header that RFC 9110 asks for with a status.
fn further_header(status: StatusCode) -> Option<(HeaderName, &'static str)> {
    match status {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some((header::ACCEPT_ENCODING, "identity")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Some((header::RETRY_AFTER, "1"))
        }
        _ => None,
    }
}
