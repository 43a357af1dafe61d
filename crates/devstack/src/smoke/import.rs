use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde::Deserialize;
use tokio::time;
use uuid::Uuid;

use super::POLL_INTERVAL;
use crate::import::{Expected, Uploader};

/// Without any progress for that long the import counts as stuck.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// The import did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// importer-api was not reached, or its answer is not what it documents.
    #[error("cannot ask importer-api: {0}")]
    Http(#[from] reqwest::Error),
    /// Nothing moved any more.
    #[error("import {import_id}: no progress for {} s; {counts:?}", STUCK_AFTER.as_secs())]
    Stuck {
        /// The import.
        import_id: Uuid,
        /// How far it is.
        counts: RowCounts,
    },
}

/// An import as `GET /v1/imports/{id}` shows it.
#[derive(Deserialize)]
struct Import {
    over: bool,
    rows: RowCounts,
}

/// The rows of an import by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct RowCounts {
    total: u64,
    billed: u64,
    skipped: u64,
    invalid: u64,
    notified: u64,
    mailed: u64,
}

impl RowCounts {
    /// What must become of the rows of a file; where its debts were billed by an earlier upload of
    /// it, all valid rows are skipped.
    pub(super) fn expected(file: Expected, billed_before: bool) -> Self {
        let (billed, skipped) = if billed_before {
            (0, file.billed + file.skipped)
        } else {
            (file.billed, file.skipped)
        };
        Self {
            total: file.rows,
            billed,
            skipped,
            invalid: file.invalid,
            notified: billed,
            mailed: billed,
        }
    }

    /// The figures with their names.
    pub(super) fn figures(&self) -> [(&'static str, u64); 6] {
        [
            ("rows", self.total),
            ("billed", self.billed),
            ("skipped", self.skipped),
            ("invalid", self.invalid),
            ("notified", self.notified),
            ("mailed", self.mailed),
        ]
    }
}

/// Whether a debt has a boleto.
pub(super) async fn is_billed(importer: &Uploader, debt: &str) -> Result<bool, ImportError> {
    let answer = importer.get(&format!("/v1/boletos/{debt}")).send().await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(false);
    }
    answer.error_for_status()?;
    Ok(true)
}

/// The figures of an import at its end.
pub(super) async fn ended(importer: &Uploader, import_id: Uuid) -> Result<RowCounts, ImportError> {
    let mut last = None;
    let mut moved = Instant::now();
    loop {
        let request = importer.get(&format!("/v1/imports/{import_id}"));
        let answer = request.send().await?.error_for_status()?;
        let Import { over, rows: counts } = answer.json().await?;
        if over {
            return Ok(counts);
        }
        if last != Some(counts) {
            (last, moved) = (Some(counts), Instant::now());
        } else if moved.elapsed() > STUCK_AFTER {
            return Err(ImportError::Stuck { import_id, counts });
        }
        time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_billed_before_is_skipped() {
        let file = Expected {
            rows: 10,
            billed: 7,
            skipped: 2,
            invalid: 1,
        };
        let figures = |before| RowCounts::expected(file, before).figures().map(|(_, n)| n);
        assert_eq!(figures(false), [10, 7, 2, 1, 7, 7]);
        assert_eq!(figures(true), [10, 0, 9, 1, 0, 0]);
    }
}
