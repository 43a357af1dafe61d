//! Rows whose e-mail can never be delivered, and the way back.

use std::time::Duration;

use common::ledger::{Channel, Ledger, Outcome, Progress, RowFacts, SendClaim, SendEnd};
use contract::{Reason, RowId};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{at, ended, reason, registered, row, rows};

const LEASE: Duration = Duration::from_mins(1);

/// An import of nine rows that are billed, told of and sent. The debt of row 1
/// is `1`, and so on.
async fn billed<L: Ledger>(ledger: &L, number: u128) -> Uuid {
    let import = registered(ledger, number, 9).await;
    ledger.record_sent(import, 9, Some(at(1))).await.unwrap();
    let ended = ended(import, 1..=9);
    ledger.end_rows(Outcome::Billed, &ended).await.unwrap();
    let all = rows(import, 1..=9);
    ledger.advance_rows(Progress::Notified, &all).await.unwrap();
    import
}

async fn facts<L: Ledger>(ledger: &L, row: RowId) -> RowFacts {
    let facts = ledger.row_facts(row.import_id, row.row, 1).await;
    facts.unwrap().remove(0)
}

async fn end<L: Ledger>(ledger: &L, debt_id: &str, end: SendEnd) {
    ledger
        .end_sends(Channel::MAIL, &[(debt_id, end)])
        .await
        .unwrap();
}

async fn record<L: Ledger>(ledger: &L, row: RowId, debt_id: &str) -> bool {
    let fresh = ledger.record_undeliverable(&[(row, debt_id)]).await;
    fresh.unwrap()[0]
}

async fn reopen<L: Ledger>(ledger: &L, row: RowId, debt_id: &str) -> bool {
    let opened = ledger.reopen_undeliverable(&[(row, debt_id)]).await;
    opened.unwrap()[0]
}

async fn claim<L: Ledger>(ledger: &L, debt_id: &str, owner: u128) -> SendClaim {
    let owner = Uuid::from_u128(owner);
    let claims = ledger
        .claim_sends(Channel::MAIL, &[debt_id], owner, LEASE)
        .await;
    claims.unwrap().remove(0)
}

fn no_mailbox() -> Reason {
    reason("mailbox_refused", "550 5.1.1")
}

/// Whoever comes late changes nothing.
pub async fn a_row_is_undeliverable_only_where_its_mail_is<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    end(ledger, "2", SendEnd::Sent).await;
    assert_eq!(claim(ledger, "3", 1).await, SendClaim::Granted);
    for (number, debt_id) in [(1, "1"), (2, "2"), (3, "3")] {
        let row = row(import, number);
        assert!(!record(ledger, row, debt_id).await, "{debt_id}");
        assert!(!facts(ledger, row).await.undeliverable);
    }
    let first = row(import, 1);
    end(ledger, "1", SendEnd::Undeliverable(no_mailbox())).await;
    assert!(record(ledger, first, "1").await);
    assert!(reopen(ledger, first, "1").await);
    assert!(!record(ledger, first, "1").await);
    assert!(!facts(ledger, first).await.undeliverable);
}

/// As if it had never ended: for another reason, or sent.
pub async fn what_is_taken_up_again_ends_anew<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let row = row(import, 8);
    let domain = reason("mailbox_refused", "550 5.1.2");
    for (owner, why) in (1..).zip([no_mailbox(), domain]) {
        end(ledger, "8", SendEnd::Undeliverable(why.clone())).await;
        assert!(record(ledger, row, "8").await);
        assert_eq!(facts(ledger, row).await.reason.as_deref(), Some(&why));
        for opened in [true, false] {
            assert_eq!(reopen(ledger, row, "8").await, opened);
            let expected = RowFacts {
                row: 8,
                billed: true,
                notified: true,
                ..RowFacts::default()
            };
            assert_eq!(facts(ledger, row).await, expected);
        }
        assert_eq!(claim(ledger, "8", owner).await, SendClaim::Granted);
        let attempt = Uuid::from_u128(owner);
        let unknown = ledger
            .note_unknown_sends(Channel::MAIL, &["8"], attempt)
            .await;
        assert_eq!(unknown.unwrap(), [1]);
    }
    end(ledger, "8", SendEnd::Sent).await;
    assert!(!reopen(ledger, row, "8").await);
    let sent = SendClaim::Ended(SendEnd::Sent);
    assert_eq!(claim(ledger, "8", 9).await, sent);
}

/// What is sent, what is being sent, other rows, other imports.
pub async fn nothing_else_is_taken_up_again<L: Ledger>(ledger: &L) {
    let (import, other) = (billed(ledger, 1).await, billed(ledger, 2).await);
    end(ledger, "1", SendEnd::Sent).await;
    assert_eq!(claim(ledger, "2", 1).await, SendClaim::Granted);
    for (import, number, debt_id) in [(import, 4, "4"), (import, 5, "5"), (other, 4, "o4")] {
        end(ledger, debt_id, SendEnd::Undeliverable(no_mailbox())).await;
        assert!(record(ledger, row(import, number), debt_id).await);
    }
    // The row has no end yet: somebody is about to record it.
    end(ledger, "3", SendEnd::Undeliverable(no_mailbox())).await;
    let asked = [
        (row(import, 1), "1"),
        (row(import, 2), "2"),
        (row(import, 3), "3"),
        (row(import, 4), "4"),
        (row(import, 6), "unknown"),
    ];
    let opened = ledger.reopen_undeliverable(&asked).await.unwrap();
    assert_eq!(opened, [false, false, false, true, false]);
    let none = ledger.reopen_undeliverable(&[]).await.unwrap();
    assert_eq!(none, Vec::<bool>::new());

    assert_eq!(claim(ledger, "1", 2).await, SendClaim::Ended(SendEnd::Sent));
    assert!(matches!(claim(ledger, "2", 2).await, SendClaim::Leased(_)));
    for debt_id in ["3", "5", "o4"] {
        let ended = SendClaim::Ended(SendEnd::Undeliverable(no_mailbox()));
        assert_eq!(claim(ledger, debt_id, 2).await, ended);
    }
    let kept = [row(import, 5), row(other, 4)];
    for row in kept {
        let facts = facts(ledger, row).await;
        assert!(facts.undeliverable);
        assert_eq!(facts.reason.as_deref(), Some(&no_mailbox()));
    }
}

/// And ends again, at a time of its own.
pub async fn an_import_that_was_at_its_end_is_open_again<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let others = rows(import, 1..=8);
    ledger
        .advance_rows(Progress::Mailed, &others)
        .await
        .unwrap();
    let last = row(import, 9);
    for (second, why) in [(10, "550 5.1.1"), (20, "550 5.1.2")] {
        let why = reason("mailbox_refused", why);
        end(ledger, "9", SendEnd::Undeliverable(why)).await;
        assert!(record(ledger, last, "9").await);
        let seen = ledger.observe_import(import, at(second)).await.unwrap();
        assert_eq!(seen.unwrap().status.finished_at, Some(at(second)));
        assert!(ledger.open_imports().await.unwrap().is_empty());

        assert!(reopen(ledger, last, "9").await);
        assert_eq!(ledger.open_imports().await.unwrap(), [import]);
        let seen = ledger.observe_import(import, at(second + 5)).await;
        let seen = seen.unwrap().unwrap();
        assert_eq!(
            (seen.status.finished_at, seen.status.is_over()),
            (None, false)
        );
        assert_eq!(seen.status.progressed_at, at(second + 5));
        assert_eq!(ledger.open_imports().await.unwrap(), [import]);
    }
}

/// Each e-mail is taken up again for one of them.
pub async fn many_at_once_take_a_mail_up_again_once<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    end(ledger, "1", SendEnd::Undeliverable(no_mailbox())).await;
    assert!(record(ledger, row(import, 1), "1").await);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let ledger = ledger.clone();
        calls.spawn(async move { reopen(&ledger, row(import, 1), "1").await });
    }
    let opened = calls.join_all().await;
    assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
}
