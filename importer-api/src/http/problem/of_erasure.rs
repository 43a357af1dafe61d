//! What is wrong with a request about personal data that is to be removed, or is.

use axum::http::StatusCode;

use super::Problem;

impl Problem {
    /// The import goes on.
    pub(in crate::http) fn import_not_over() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "import-not-over",
            "The import is not over",
            "personal data is removed once nothing more happens to the import: wait until it is over, or cancel it and wait for the rows that were sent",
        )
    }

    /// Another replica has the file.
    pub(in crate::http) fn file_not_here_to_erase() -> Self {
        Self {
            detail: "ask the replica that took the upload, which alone can remove the file; if it is gone for good, ask again an hour after SPOOL_RETENTION_HOURS from the end of the import".into(),
            ..Self::file_not_here()
        }
    }

    /// What was asked for is gone for good, or about to be.
    pub(in crate::http) fn personal_data_removed() -> Self {
        Self::new(
            StatusCode::GONE,
            "personal-data-removed",
            "The personal data was removed",
            "somebody had the personal data of this import removed: its file is gone, nothing of it can be sent again, and its slips cannot be printed. GET /v1/imports/{import_id} says when, and GET /v1/boletos/{debt_id} still has the numbers",
        )
    }
}
