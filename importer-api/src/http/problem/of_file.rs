//! What is wrong with a file.

use axum::http::StatusCode;
use contract::Column;

use super::Problem;
use crate::csv::{HeaderError, SurveyError};
use crate::workbook::WorkbookError;

const NOT_CSV: (&str, &str) = (
    "file-not-csv",
    "The file is neither a CSV nor an .xlsx workbook",
);
const WITHOUT_COLUMNS: &str = "The file's columns are invalid";

impl Problem {
    /// The file cannot be imported.
    pub(in crate::http) fn file(error: &SurveyError) -> Self {
        let (kind, title) = match error {
            SurveyError::Header(header) => return Self::header(header, error.to_string()),
            SurveyError::Empty | SurveyError::NoData => {
                ("file-without-data", "The file has no data")
            }
            SurveyError::Encoding => ("file-encoding", "The file's encoding is not supported"),
            SurveyError::NotCsv(_) => NOT_CSV,
            SurveyError::SecondHeader { .. } => {
                ("second-header", "A second file is appended to this one")
            }
            SurveyError::TooManyRows { .. } => ("too-many-rows", "The file has too many rows"),
        };
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            kind,
            title,
            error.to_string(),
        )
    }

    /// The file has no header with all columns.
    fn header(error: &HeaderError, detail: String) -> Self {
        let (kind, title, columns) = match error {
            HeaderError::Missing { missing, .. } if missing.len() == Column::ALL.len() => (
                "file-without-header",
                "The file has no header",
                missing.clone(),
            ),
            HeaderError::Missing { missing, .. } => {
                ("file-without-columns", WITHOUT_COLUMNS, missing.clone())
            }
            HeaderError::Repeated { column, .. } => {
                ("file-without-columns", WITHOUT_COLUMNS, vec![*column])
            }
        };
        Self {
            columns,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail)
        }
    }

    /// The workbook cannot be imported.
    pub(in crate::http) fn workbook(error: &WorkbookError) -> Self {
        let detail = error.to_string();
        let refused =
            |kind, title| Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, &*detail);
        let problem = match error {
            WorkbookError::Header { error: header, .. } => Self::header(header, detail),
            WorkbookError::NoRoom => Self::too_many_uploads(),
            WorkbookError::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "workbook-too-large",
                "The workbook is too large",
                detail,
            ),
            WorkbookError::Unpacked(_) | WorkbookError::Texts => {
                refused("workbook-too-large", "The workbook is too large")
            }
            WorkbookError::Empty { .. } | WorkbookError::NoSheet => {
                refused("file-without-data", "The file has no data")
            }
            WorkbookError::Other(_) => refused(NOT_CSV.0, NOT_CSV.1),
            WorkbookError::HiddenRow { .. } => {
                refused("workbook-hidden-row", "The workbook has a hidden row")
            }
            WorkbookError::NotCalculated { .. } => refused(
                "workbook-formula",
                "The workbook has a formula without its value",
            ),
            WorkbookError::Merged { .. } => refused(
                "workbook-merged",
                "The workbook has a merged cell among the debts",
            ),
            WorkbookError::OtherSheet { .. } => refused(
                "workbook-sheets",
                "The workbook has another sheet with a table",
            ),
            _ => refused("workbook-unreadable", "The workbook cannot be read"),
        };
        Self {
            cell: error.place().map(|place| place.to_string().into()),
            ..problem
        }
    }
}
