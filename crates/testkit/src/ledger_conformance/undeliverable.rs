//! Rows whose e-mail can never be delivered, and the way back.

use std::time::Duration;

use common::ledger::{Channel, EndedSend, Ledger, RowFacts, SendClaim, SendEnd};
use contract::{Reason, RowId};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{at, reason, record_sent, registered, row, rows};
use crate::{bill_debts, tell_debts};

const LEASE: Duration = Duration::from_mins(1);

/// An import of nine rows that are billed, told of and sent. The debt of row 1
/// of import 1 is `1`, that of import 2 `o1`, and so on.
async fn billed<L: Ledger>(ledger: &L, number: u128) -> Uuid {
    let import = registered(ledger, number, 9).await;
    record_sent(ledger, import, 9, Some(at(1))).await;
    let rows = rows(import, 1..=9);
    let debt = |row: &RowId| {
        let other = if number == 1 { "" } else { "o" };
        format!("{other}{}", row.row)
    };
    bill_debts(ledger, &rows, debt).await;
    tell_debts(ledger, &rows, debt).await;
    import
}

async fn facts<L: Ledger>(ledger: &L, row: RowId) -> RowFacts {
    let facts = ledger.row_facts(row.import_id, row.row, 1).await;
    facts.unwrap().remove(0)
}

/// Ends an e-mail, of no row if there is none. Gives what stands.
async fn end<L: Ledger>(ledger: &L, row: Option<RowId>, debt_id: &str, end: SendEnd) -> SendEnd {
    let ends = [EndedSend { debt_id, row, end }];
    let standing = ledger.end_sends(Channel::MAIL, &ends).await;
    standing.unwrap().remove(0)
}

async fn refuse<L: Ledger>(ledger: &L, row: RowId, debt_id: &str) {
    let why = SendEnd::Undeliverable(no_mailbox());
    assert_eq!(end(ledger, Some(row), debt_id, why.clone()).await, why);
}

async fn reopen<L: Ledger>(ledger: &L, row: RowId, debt_id: &str) -> bool {
    let opened = ledger.reopen_mails(Channel::MAIL, &[(row, debt_id)]).await;
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

/// Whatever a later end says.
pub async fn a_row_is_undeliverable_only_where_its_mail_is<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let (sent, refused) = (row(import, 2), row(import, 3));
    end(ledger, Some(sent), "2", SendEnd::Sent).await;
    let late = SendEnd::Undeliverable(no_mailbox());
    let standing = end(ledger, Some(sent), "2", late).await;
    assert_eq!(standing, SendEnd::Sent);
    let facts_of = facts(ledger, sent).await;
    assert!(facts_of.mailed && !facts_of.undeliverable);

    refuse(ledger, refused, "3").await;
    let standing = end(ledger, Some(refused), "3", SendEnd::Sent).await;
    assert_eq!(standing, SendEnd::Undeliverable(no_mailbox()));
    let facts_of = facts(ledger, refused).await;
    assert!(facts_of.undeliverable && !facts_of.mailed);
}

/// As if it had never ended: for another reason, or sent.
pub async fn what_is_taken_up_again_ends_anew<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let row = row(import, 8);
    let domain = reason("mailbox_refused", "550 5.1.2");
    for (owner, why) in (1..).zip([no_mailbox(), domain]) {
        let refused = SendEnd::Undeliverable(why.clone());
        end(ledger, Some(row), "8", refused).await;
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
    end(ledger, Some(row), "8", SendEnd::Sent).await;
    assert!(!reopen(ledger, row, "8").await);
    let sent = SendClaim::Ended(SendEnd::Sent);
    assert_eq!(claim(ledger, "8", 9).await, sent);
}

/// What is sent, what is being sent, other rows, other imports.
pub async fn nothing_else_is_taken_up_again<L: Ledger>(ledger: &L) {
    let (import, other) = (billed(ledger, 1).await, billed(ledger, 2).await);
    end(ledger, Some(row(import, 1)), "1", SendEnd::Sent).await;
    assert_eq!(claim(ledger, "2", 1).await, SendClaim::Granted);
    for (import, number, debt_id) in [(import, 4, "4"), (import, 5, "5"), (other, 4, "o4")] {
        refuse(ledger, row(import, number), debt_id).await;
    }
    let asked = [
        (row(import, 1), "1"),
        (row(import, 2), "2"),
        (row(import, 4), "4"),
        (row(import, 6), "unknown"),
    ];
    let opened = ledger.reopen_mails(Channel::MAIL, &asked).await.unwrap();
    assert_eq!(opened, [false, false, true, false]);
    let none = ledger.reopen_mails(Channel::MAIL, &[]).await.unwrap();
    assert_eq!(none, Vec::<bool>::new());

    assert_eq!(claim(ledger, "1", 2).await, SendClaim::Ended(SendEnd::Sent));
    assert!(matches!(claim(ledger, "2", 2).await, SendClaim::Leased(_)));
    for debt_id in ["5", "o4"] {
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
    for number in 1..=8 {
        let debt_id = number.to_string();
        end(ledger, Some(row(import, number)), &debt_id, SendEnd::Sent).await;
    }
    let last = row(import, 9);
    for (second, why) in [(10, "550 5.1.1"), (20, "550 5.1.2")] {
        let why = reason("mailbox_refused", why);
        end(ledger, Some(last), "9", SendEnd::Undeliverable(why)).await;
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
    refuse(ledger, row(import, 1), "1").await;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let ledger = ledger.clone();
        calls.spawn(async move { reopen(&ledger, row(import, 1), "1").await });
    }
    let opened = calls.join_all().await;
    assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
}
