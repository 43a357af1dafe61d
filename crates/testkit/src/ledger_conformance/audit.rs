//! The proof for one import, drawn from the ledger.

use common::ledger::{Audit, Breach, Law, Ledger, Unbilled};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{at, because, ended, import_id, reason, record_sent, registered, row, rows};
use crate::{bill_rows, mail_rows, refuse_mails, tell_rows};

async fn audit<L: Ledger>(ledger: &L, import: Uuid) -> Audit {
    Audit::of(ledger, import).await.unwrap().unwrap()
}

async fn end<L: Ledger>(ledger: &L, outcome: Unbilled, import: Uuid, number: u64) {
    let rows = ended(import, [number]);
    ledger.end_rows(outcome, &rows).await.unwrap();
}

/// Bills a row's debt and tells of it.
async fn tell<L: Ledger>(ledger: &L, import: Uuid, number: u64) {
    let rows = rows(import, [number]);
    bill_rows(ledger, &rows).await;
    tell_rows(ledger, &rows).await;
}

async fn undeliverable<L: Ledger>(ledger: &L, import: Uuid, number: u64) {
    let rows = [(row(import, number), reason("mailbox", "none"))];
    refuse_mails(ledger, &rows).await;
}

async fn sent<L: Ledger>(ledger: &L, import: Uuid, rows: u64) {
    record_sent(ledger, import, rows, Some(at(1))).await;
}

fn broken(audit: &Audit) -> Vec<Breach> {
    let broken = audit.laws.iter().filter(|breach| breach.count > 0);
    broken.cloned().collect()
}

/// One row of each kind.
pub async fn an_import_that_kept_every_law_holds<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 5).await;
    // What another import does is none of its business.
    let other = registered(ledger, 2, 5).await;
    sent(ledger, other, 5).await;
    sent(ledger, import, 5).await;
    tell(ledger, import, 1).await;
    mail_rows(ledger, &rows(import, [1])).await;
    tell(ledger, import, 2).await;
    undeliverable(ledger, import, 2).await;
    end(ledger, Unbilled::Skipped, import, 3).await;
    let why = reason("email_invalid", "no @");
    let others = [
        because(row(import, 4), &why),
        because(row(import, 5), &reason("conflict", "amount")),
    ];
    let (invalid, skipped) = others.split_at(1);
    ledger.end_rows(Unbilled::Invalid, invalid).await.unwrap();
    ledger.end_rows(Unbilled::Skipped, skipped).await.unwrap();

    let audit = audit(ledger, import).await;
    assert_eq!(broken(&audit), []);
    assert!(audit.holds(), "{audit}");
    let counts = ledger.outcome_counts(import).await.unwrap();
    assert_eq!((audit.import_id, audit.counts), (import, counts));
}

/// Nothing to prove is not a proof.
pub async fn an_unknown_import_has_no_audit<L: Ledger>(ledger: &L) {
    assert_eq!(Audit::of(ledger, import_id(1)).await.unwrap(), None);
}

/// It is not at its end either.
pub async fn what_a_mail_server_put_off_breaks_no_law_until_it_is_late<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 2).await;
    sent(ledger, import, 2).await;
    end(ledger, Unbilled::Skipped, import, 1).await;
    tell(ledger, import, 2).await;
    let until = Timestamp::now() + SignedDuration::from_mins(5);
    ledger
        .record_put_off(&[crate::put_off(row(import, 2), until)])
        .await
        .unwrap();
    let waiting = audit(ledger, import).await;
    assert_eq!(broken(&waiting), []);
    assert!(waiting.waits() && !waiting.holds(), "{waiting}");
    assert!(
        waiting.to_string().contains("1 e-mails are put off"),
        "{waiting}"
    );

    let late = until + SignedDuration::from_mins(11);
    ledger.observe_import(import, late).await.unwrap();
    let lost = audit(ledger, import).await;
    assert_eq!(broken(&lost)[0].law, Law::BilledIsMailed);
    assert!(!lost.waits() && !lost.holds());
}

/// But it does not hold yet.
pub async fn what_is_still_under_way_breaks_no_law_unless_it_was_sent<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 3).await;
    let under_way = audit(ledger, import).await;
    assert_eq!(broken(&under_way), []);
    assert!(!under_way.holds());
    record_sent(ledger, import, 2, None).await;
    let ended = audit(ledger, import).await;
    let expected = Breach {
        law: Law::Ended,
        count: 2,
        rows: vec![1, 2],
    };
    assert_eq!(broken(&ended), [expected]);
}

/// Each law that the calls of every ledger can break, by one row.
pub async fn a_row_that_breaks_a_law_is_named<L: Ledger>(ledger: &L) {
    let breaks = [
        (Law::Ended, 2),
        (Law::MailedIsNotified, 4),
        (Law::BilledIsMailed, 6),
        (Law::RejectedHasReason, 7),
        (Law::WithinTheFile, 8),
    ];
    for (number, (law, broken_by)) in (1..).zip(breaks) {
        let import = registered(ledger, number, 7).await;
        sent(ledger, import, 7).await;
        for row in (1..=7).filter(|row| *row != broken_by) {
            end(ledger, Unbilled::Skipped, import, row).await;
        }
        match law {
            Law::MailedIsNotified => {
                let rows = rows(import, [broken_by]);
                bill_rows(ledger, &rows).await;
                mail_rows(ledger, &rows).await;
            }
            Law::BilledIsMailed => tell(ledger, import, broken_by).await,
            Law::RejectedHasReason => end(ledger, Unbilled::Invalid, import, broken_by).await,
            Law::WithinTheFile => end(ledger, Unbilled::Skipped, import, broken_by).await,
            _ => {}
        }
        let audit = audit(ledger, import).await;
        let expected = Breach {
            law,
            count: 1,
            rows: vec![broken_by],
        };
        assert_eq!(broken(&audit), [expected], "{audit}");
        assert!(!audit.holds());
    }
}

/// What was not sent owes nothing.
pub async fn a_cancelled_import_holds_when_what_was_sent_is_settled<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 9).await;
    ledger.cancel_import(import, at(0)).await.unwrap();
    sent(ledger, import, 2).await;
    end(ledger, Unbilled::Skipped, import, 1).await;
    assert!(!audit(ledger, import).await.holds());
    end(ledger, Unbilled::Skipped, import, 2).await;
    let audit = audit(ledger, import).await;
    assert!(audit.holds(), "{audit}");
    assert_eq!(audit.counts.not_sent, 7);
}
