//! An import for the ledger, without an upload.

use common::ledger::{Channel, Ledger, NewImport, SendEnd};
use contract::{Reason, RowId};
use jiff::Timestamp;
use uuid::Uuid;

/// An accepted file of that many rows.
pub fn new_import(import_id: Uuid, rows: u64) -> NewImport {
    NewImport {
        import_id,
        file_name: Some("debts.csv".to_owned()),
        size: rows * 100,
        sha256: "0".repeat(64),
        rows,
        accepted_at: Timestamp::now(),
    }
}

/// Ends the e-mails of these rows as undeliverable, and records it as send-mail-worker does. Gives
/// for each row whether that is new. The debt of a row is named by the row itself.
pub async fn refuse_mails<L: Ledger>(ledger: &L, rows: &[(RowId, Reason)]) -> Vec<bool> {
    let debts: Vec<String> = rows.iter().map(|(row, _)| row.to_string()).collect();
    let ends = debts.iter().zip(rows);
    let ends = ends.map(|(debt, (_, why))| (&**debt, SendEnd::Undeliverable(why.clone())));
    ledger
        .end_sends(Channel::MAIL, &ends.collect::<Vec<_>>())
        .await
        .unwrap();
    let rows = rows
        .iter()
        .zip(&debts)
        .map(|((row, _), debt)| (*row, &**debt));
    let rows: Vec<_> = rows.collect();
    ledger.record_undeliverable(&rows).await.unwrap()
}
