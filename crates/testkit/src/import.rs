//! An import for the ledger, without an upload.

use common::ledger::{
    Bill, CarrierLedger, Carrying, Channel, Checkpoint, Claim, EndedRow, EndedSend, ImportLease,
    Ledger, NewImport, Outcome, PutOffRow, SendEnd, Told, Unbilled,
};
use contract::{Reason, RowId, RowIdentity};
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
        spool: "a spool".to_owned(),
        client: String::new(),
    }
}

/// The right to an import that nobody has taken yet, as its epoch is.
pub(crate) fn first_lease(import_id: Uuid) -> ImportLease {
    ImportLease {
        import_id,
        epoch: 0,
    }
}

/// Records how far an import is sent that nobody has taken yet. Gives whether it is cancelled.
pub async fn record_sent(
    ledger: &impl CarrierLedger,
    import_id: Uuid,
    rows: u64,
    sent_at: Option<Timestamp>,
) -> bool {
    record_sent_under(ledger, &first_lease(import_id), rows, sent_at).await
}

/// The same under a lease.
pub(crate) async fn record_sent_under(
    ledger: &impl CarrierLedger,
    lease: &ImportLease,
    rows: u64,
    sent_at: Option<Timestamp>,
) -> bool {
    let offset = rows * 100;
    let recorded = ledger.record_sent(lease, Checkpoint { rows, offset }, sent_at);
    let carrying = recorded.await.unwrap();
    assert_ne!(carrying, Carrying::TakenOver);
    carrying == Carrying::Cancelled
}

/// Bills a debt. Gives the claim that stands.
pub async fn bill<L: Ledger>(ledger: &L, debt_id: &str, claim: Claim) -> Option<Claim> {
    let bill = Bill {
        debt_id: debt_id.to_owned(),
        claim,
    };
    ledger.bill(&[bill]).await.unwrap().remove(0).claim
}

/// Records that SNS accepted the notifications of debts, and of no row.
pub async fn tell<L: Ledger>(ledger: &L, debt_ids: &[&str]) {
    let told = debt_ids.iter().map(|debt_id| Told {
        debt_id,
        row: None,
        revision: 0,
    });
    ledger.tell(&told.collect::<Vec<_>>()).await.unwrap();
}

/// Bills a debt for each row, which `debt` names. Gives for each whether the row had no outcome
/// before.
pub async fn bill_debts<L: Ledger>(
    ledger: &L,
    rows: &[RowId],
    debt: impl Fn(&RowId) -> String,
) -> Vec<bool> {
    let bills = rows.iter().map(|row| Bill {
        debt_id: debt(row),
        claim: Claim::new(RowIdentity::Row(*row), "{}".to_owned()),
    });
    let billed = ledger.bill(&bills.collect::<Vec<_>>()).await.unwrap();
    billed.into_iter().map(|billed| billed.row_is_new).collect()
}

/// Records that SNS accepted the notifications of debts that [`bill_debts`] billed.
pub async fn tell_debts<L: Ledger>(ledger: &L, rows: &[RowId], debt: impl Fn(&RowId) -> String) {
    let debts: Vec<String> = rows.iter().map(debt).collect();
    let told = debts.iter().zip(rows).map(|(debt_id, row)| Told {
        debt_id,
        row: Some(*row),
        revision: 0,
    });
    ledger.tell(&told.collect::<Vec<_>>()).await.unwrap();
}

/// Records how the messages of debts that [`bill_debts`] billed ended.
pub async fn end_debts<L: Ledger>(
    ledger: &L,
    channel: Channel,
    ends: &[(RowId, SendEnd)],
    debt: impl Fn(&RowId) -> String,
) {
    let debts: Vec<String> = ends.iter().map(|(row, _)| debt(row)).collect();
    let ends = debts.iter().zip(ends);
    let ends = ends.map(|(debt_id, (row, end))| EndedSend {
        debt_id,
        row: Some(*row),
        end: end.clone(),
    });
    let ends: Vec<_> = ends.collect();
    ledger.end_sends(channel, &ends).await.unwrap();
}

/// The same as [`bill_debts`], each debt named by its row.
pub async fn bill_rows<L: Ledger>(ledger: &L, rows: &[RowId]) -> Vec<bool> {
    bill_debts(ledger, rows, RowId::to_string).await
}

/// Gives rows an outcome, without a reason. Gives for each whether it had none before.
pub async fn end_rows<L: Ledger>(ledger: &L, outcome: Outcome, rows: &[RowId]) -> Vec<bool> {
    let unbilled = match outcome {
        Outcome::Billed => return bill_rows(ledger, rows).await,
        Outcome::Skipped => Unbilled::Skipped,
        Outcome::Invalid => Unbilled::Invalid,
    };
    let rows: Vec<EndedRow> = rows.iter().copied().map(EndedRow::from).collect();
    ledger.end_rows(unbilled, &rows).await.unwrap()
}

/// Records that SNS accepted the notifications of the debts that [`bill_rows`] billed.
pub async fn tell_rows<L: Ledger>(ledger: &L, rows: &[RowId]) {
    tell_debts(ledger, rows, RowId::to_string).await;
}

/// Records that the e-mails of the debts that [`bill_rows`] billed were sent.
pub async fn mail_rows<L: Ledger>(ledger: &L, rows: &[RowId]) {
    let ends: Vec<_> = rows.iter().map(|row| (*row, SendEnd::Sent)).collect();
    end_debts(ledger, Channel::MAIL, &ends, RowId::to_string).await;
}

/// Records that these e-mails can never be delivered.
pub async fn refuse_mails<L: Ledger>(ledger: &L, rows: &[(RowId, Reason)]) {
    let ends = rows.iter().cloned();
    let ends: Vec<_> = ends
        .map(|(row, why)| (row, SendEnd::Undeliverable(why)))
        .collect();
    end_debts(ledger, Channel::MAIL, &ends, RowId::to_string).await;
}

/// A row whose e-mail waits until then, as the mailbox is full.
pub fn put_off(row: RowId, until: Timestamp) -> PutOffRow {
    let why = Reason {
        code: "mailbox_full".into(),
        text: "452 4.2.2 at RCPT".into(),
    };
    PutOffRow { row, until, why }
}
