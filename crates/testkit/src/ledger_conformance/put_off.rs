//! Rows whose e-mail a mail server put off.

use common::ledger::{Ledger, PutOffRow, PutOffRows, RowFacts, STALLED_AFTER};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{reason, registered, row, rows};
use crate::{bill_rows, mail_rows, put_off as waits, tell_rows};

/// So many seconds from now. What waits goes by itself, so the clock counts.
fn from_now(seconds: i64) -> Timestamp {
    let now = Timestamp::now().as_second();
    Timestamp::from_second(now + seconds).unwrap()
}

/// An import of nine rows that are billed and told of.
async fn billed<L: Ledger>(ledger: &L, number: u128) -> Uuid {
    let import = registered(ledger, number, 9).await;
    let rows = rows(import, 1..=9);
    bill_rows(ledger, &rows).await;
    tell_rows(ledger, &rows).await;
    import
}

async fn facts<L: Ledger>(ledger: &L, import: Uuid, number: u64) -> RowFacts {
    let mut facts = ledger.row_facts(import, number, 1).await.unwrap();
    facts.remove(0)
}

async fn put_off<L: Ledger>(ledger: &L, import: Uuid) -> PutOffRows {
    let status = ledger.import_status(import).await.unwrap();
    status.unwrap().put_off
}

/// Of each row; other rows and other imports do not.
pub async fn a_row_waits_until_the_last_time_that_was_told<L: Ledger>(ledger: &L) {
    let (import, other) = (billed(ledger, 1).await, billed(ledger, 2).await);
    assert_eq!(put_off(ledger, import).await, PutOffRows::default());
    let (soon, later, latest) = (from_now(60), from_now(300), from_now(900));
    let told = [
        waits(row(import, 3), later),
        waits(row(other, 3), latest),
        waits(row(import, 7), soon),
    ];
    ledger.record_put_off(&told).await.unwrap();
    ledger.record_put_off(&[]).await.unwrap();
    let expected = PutOffRows {
        rows: 2,
        first: Some(soon),
        last: Some(later),
    };
    assert_eq!(put_off(ledger, import).await, expected);
    let again = [waits(row(import, 7), latest)];
    ledger.record_put_off(&again).await.unwrap();
    let expected = PutOffRows {
        rows: 2,
        first: Some(later),
        last: Some(latest),
    };
    assert_eq!(put_off(ledger, import).await, expected);
    for (number, until) in [(3, Some(later)), (7, Some(latest)), (4, None)] {
        assert_eq!(facts(ledger, import, number).await.put_off_until, until);
    }
    let of_other = facts(ledger, other, 3).await;
    assert!(of_other.is_awaited(Timestamp::now()));
    assert_eq!(put_off(ledger, other).await.rows, 1);
}

/// The last reason counts, and that of a row that no longer waits is none.
pub async fn a_row_waits_for_the_last_reason_that_was_told<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let why = |code, text| PutOffRow {
        why: reason(code, text),
        ..waits(row(import, 1), from_now(60))
    };
    for (code, text) in [
        ("mailbox_full", "452 4.2.2"),
        ("mail_deferred", "451"),
        ("mailbox_full", ""),
    ] {
        let told = [why(code, text), waits(row(import, 2), from_now(60))];
        ledger.record_put_off(&told).await.unwrap();
        let known = facts(ledger, import, 1).await.put_off_why;
        assert_eq!(known.as_deref(), Some(&reason(code, text)));
        let other = facts(ledger, import, 2).await.put_off_why;
        assert_eq!(other.as_deref(), Some(&told[1].why));
        assert_eq!(facts(ledger, import, 3).await.put_off_why, None);
    }
    mail_rows(ledger, &rows(import, [1])).await;
    ledger.forget_put_off(&rows(import, [2])).await.unwrap();
    for number in [1, 2] {
        let facts = facts(ledger, import, number).await;
        assert_eq!((facts.put_off_why, facts.reason), (None, None));
    }
}

/// Its message comes at a whole second.
pub async fn a_row_waits_for_the_next_whole_second<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let told = [waits(
        row(import, 1),
        from_now(60) + SignedDuration::from_millis(1),
    )];
    let before = from_now(60);
    ledger.record_put_off(&told).await.unwrap();
    let until = facts(ledger, import, 1).await.put_off_until.unwrap();
    assert_eq!(until.subsec_nanosecond(), 0);
    assert!(until > before, "{until} after {before}");
}

/// The others still do, and to forget what does not wait is no error.
pub async fn a_row_that_is_forgotten_no_longer_waits<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let until = from_now(60);
    let told = [waits(row(import, 1), until), waits(row(import, 2), until)];
    ledger.record_put_off(&told).await.unwrap();
    for _ in 0..2 {
        let forgotten = rows(import, [2, 9]);
        ledger.forget_put_off(&forgotten).await.unwrap();
        ledger.forget_put_off(&[]).await.unwrap();
        assert_eq!(put_off(ledger, import).await.rows, 1);
        assert_eq!(facts(ledger, import, 2).await.put_off_until, None);
    }
    assert_eq!(facts(ledger, import, 1).await.put_off_until, Some(until));
}

/// Though it was not forgotten yet.
pub async fn what_is_at_its_end_does_not_wait<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let until = from_now(60);
    ledger
        .record_put_off(&[waits(row(import, 1), until)])
        .await
        .unwrap();
    let first = rows(import, [1]);
    mail_rows(ledger, &first).await;
    let facts = facts(ledger, import, 1).await;
    assert_eq!((facts.mailed, facts.put_off_until), (true, None));
}

/// Its message is lost: it is believed as long as an import may stand still.
pub async fn a_row_that_is_late_no_longer_waits_for_who_looks<L: Ledger>(ledger: &L) {
    let import = billed(ledger, 1).await;
    let (soon, later) = (from_now(60), from_now(3_600));
    let told = [waits(row(import, 1), soon), waits(row(import, 2), later)];
    ledger.record_put_off(&told).await.unwrap();
    let last_moment = soon + STALLED_AFTER - SignedDuration::from_secs(1);
    for (now, waiting, first) in [
        (soon, 2, soon),
        (last_moment, 2, soon),
        (soon + STALLED_AFTER, 1, later),
    ] {
        let seen = ledger.observe_import(import, now).await.unwrap().unwrap();
        let expected = PutOffRows {
            rows: waiting,
            first: Some(first),
            last: Some(later),
        };
        assert_eq!(seen.status.put_off, expected, "at {now}");
    }
    assert_eq!(facts(ledger, import, 1).await.put_off_until, None);
}
