//! Outcomes, reasons, progress.

use std::sync::Arc;

use common::ledger::{EndedRow, Ledger, Outcome, RowFacts, Unbilled};
use contract::Reason;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{because, ended, import_id, reason, registered, row, rows};
use crate::{bill_rows, end_rows, mail_rows, refuse_mails, tell_rows};

/// Different reasons of an import that every ledger keeps.
const KEPT_REASONS: u64 = 254;

async fn reason_of<L: Ledger>(ledger: &L, import_id: Uuid, row: u64) -> Option<Reason> {
    let facts = ledger.row_facts(import_id, row, 1).await.unwrap().remove(0);
    facts.reason.as_deref().cloned()
}

/// Every order of two or three outcomes.
pub async fn a_row_keeps_its_first_outcome_in_whatever_order_others_come<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 27).await;
    let mut number = 0;
    for first in Outcome::ALL {
        for second in Outcome::ALL {
            for third in Outcome::ALL {
                number += 1;
                for (outcome, fresh) in [(first, true), (second, false), (third, false)] {
                    let rows = rows(import, [number]);
                    let answer = end_rows(ledger, outcome, &rows).await;
                    assert_eq!(answer, [fresh], "{first:?} {second:?} {third:?}");
                }
                let expected = RowFacts {
                    row: number,
                    billed: first == Outcome::Billed,
                    skipped: first == Outcome::Skipped,
                    invalid: first == Outcome::Invalid,
                    ..RowFacts::default()
                };
                let facts = ledger.row_facts(import, number, 1).await.unwrap();
                assert_eq!(facts, [expected]);
            }
        }
    }
}

/// Who counts what is new counts each row once.
pub async fn an_outcome_is_new_exactly_once_even_to_many_at_once<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let mut calls = JoinSet::new();
    for number in 0..30 {
        let ledger = ledger.clone();
        calls.spawn(async move {
            let outcome = Outcome::ALL[number % 3];
            end_rows(&ledger, outcome, &rows(import, 1..=10)).await
        });
    }
    let mut fresh = [0; 10];
    for answer in calls.join_all().await {
        for (count, is_fresh) in fresh.iter_mut().zip(answer) {
            *count += u32::from(is_fresh);
        }
    }
    assert_eq!(fresh, [1; 10]);
    let counts = ledger.outcome_counts(import).await.unwrap();
    assert_eq!(counts.ended(), 10);
}

/// One batch may hold a row several times.
pub async fn twins_in_one_call_are_new_once<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 10).await;
    let twins = rows(import, [1, 2, 1, 1, 2]);
    for outcome in [Outcome::Billed, Outcome::Skipped] {
        let fresh = end_rows(ledger, outcome, &twins).await;
        let is_new = outcome == Outcome::Billed;
        assert_eq!(fresh, [is_new, is_new, false, false, false]);
    }
    let twins = rows(import, [2, 1, 1, 2]);
    tell_rows(ledger, &twins).await;
    mail_rows(ledger, &twins).await;
    let counts = ledger.outcome_counts(import).await.unwrap();
    let counts = [counts.billed, counts.notified, counts.mailed];
    assert_eq!(counts, [2; 3]);
    let (first, second) = (reason("first", "1"), reason("second", "2"));
    let twins = [
        because(row(import, 3), &first),
        because(row(import, 3), &second),
    ];
    let fresh = ledger.end_rows(Unbilled::Invalid, &twins).await.unwrap();
    assert_eq!(fresh, [true, false]);
    assert_eq!(reason_of(ledger, import, 3).await, Some(first));
}

/// The answer says of each row whether it is new, wherever it stands.
pub async fn rows_of_several_imports_keep_their_order_in_the_answer<L: Ledger>(ledger: &L) {
    let first = registered(ledger, 1, 9).await;
    let second = registered(ledger, 2, 9).await;
    let third = registered(ledger, 3, 9).await;
    let known = [row(second, 1), row(third, 2)];
    end_rows(ledger, Outcome::Skipped, &known).await;
    let mixed = [row(first, 1), row(second, 1), row(third, 1)];
    let mixed = [&mixed[..], &[row(second, 2), row(first, 2), row(third, 2)]].concat();
    let expected = [true, false, true, true, true, false];
    assert_eq!(end_rows(ledger, Outcome::Billed, &mixed).await, expected);
    let unknown = [&mixed[..], &[row(first, 3)]].concat();
    let fresh = end_rows(ledger, Outcome::Invalid, &unknown).await;
    assert_eq!(fresh, [false, false, false, false, false, false, true]);
}

/// Nor is it an error.
pub async fn an_empty_batch_changes_nothing<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 1).await;
    let none = Vec::<bool>::new();
    for outcome in Outcome::ALL {
        assert_eq!(end_rows(ledger, outcome, &[]).await, none);
    }
    assert_eq!(ledger.row_facts(import, 1, 0).await.unwrap(), []);
    assert_eq!(ledger.outcome_counts(import).await.unwrap().ended(), 0);
}

/// Neither a repeat nor another outcome changes it.
pub async fn a_reason_stays_with_the_outcome_it_came_with<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 3).await;
    let (conflict, invalid) = (reason("conflict", "other amount"), reason("email", "no @"));
    let skip = [because(row(import, 1), &conflict)];
    let refuse = [
        because(row(import, 1), &invalid),
        because(row(import, 2), &invalid),
    ];
    for _ in 0..2 {
        ledger.end_rows(Unbilled::Skipped, &skip).await.unwrap();
        ledger.end_rows(Unbilled::Invalid, &refuse).await.unwrap();
        let again = [because(row(import, 2), &conflict)];
        ledger.end_rows(Unbilled::Invalid, &again).await.unwrap();
        bill_rows(ledger, &rows(import, [1, 2])).await;
        assert_eq!(reason_of(ledger, import, 1).await.as_ref(), Some(&conflict));
        assert_eq!(reason_of(ledger, import, 2).await.as_ref(), Some(&invalid));
        assert_eq!(reason_of(ledger, import, 3).await, None);
    }
}

/// A reason that comes later is that of something that did not happen.
pub async fn an_outcome_without_a_reason_has_none_for_ever<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 3).await;
    // Its neighbours have one.
    let reason = reason("email", "no @");
    let others = [1, 3].map(|number| because(row(import, number), &reason));
    ledger.end_rows(Unbilled::Invalid, &others).await.unwrap();
    let plain = ended(import, [2]);
    ledger.end_rows(Unbilled::Skipped, &plain).await.unwrap();
    let late = [because(row(import, 2), &reason)];
    for outcome in [Unbilled::Skipped, Unbilled::Invalid] {
        assert_eq!(ledger.end_rows(outcome, &late).await.unwrap(), [false]);
        assert_eq!(reason_of(ledger, import, 2).await, None);
    }
}

/// Codes and texts of any rule.
pub async fn a_reason_is_given_back_to_the_byte<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 4).await;
    let reasons = [
        reason("a", ""),
        reason("", "a"),
        reason("a", "é \"'\\ {}%_\n😀"),
        reason("a", &"x".repeat(3_000)),
    ];
    for (number, reason) in (1..).zip(&reasons) {
        let rows = [because(row(import, number), reason)];
        ledger.end_rows(Unbilled::Invalid, &rows).await.unwrap();
    }
    for (number, reason) in (1..).zip(&reasons) {
        let kept = reason_of(ledger, import, number).await;
        assert_eq!(kept.as_ref(), Some(reason));
    }
}

/// The same code may stand for another text there.
pub async fn reasons_of_one_import_are_none_of_another<L: Ledger>(ledger: &L) {
    let first = registered(ledger, 1, 2).await;
    let second = registered(ledger, 2, 2).await;
    let (one, other) = (reason("a", "one"), reason("a", "other"));
    let mixed = [
        because(row(first, 1), &one),
        because(row(second, 2), &one),
        because(row(second, 1), &other),
    ];
    ledger.end_rows(Unbilled::Invalid, &mixed).await.unwrap();
    assert_eq!(reason_of(ledger, first, 1).await.as_ref(), Some(&one));
    assert_eq!(reason_of(ledger, first, 2).await, None);
    assert_eq!(reason_of(ledger, second, 1).await.as_ref(), Some(&other));
    assert_eq!(reason_of(ledger, second, 2).await.as_ref(), Some(&one));
}

/// Every ledger keeps 254 different ones of an import. One that comes later is kept or is `other`,
/// and is never taken for one of the first.
pub async fn reasons_beyond_those_that_are_kept_are_other<L: Ledger>(ledger: &L) {
    const DIFFERENT: u64 = KEPT_REASONS + 50;
    let import = registered(ledger, 1, DIFFERENT + 1).await;
    let nth = |number: u64| reason("rule", &format!("reason {number}"));
    let different: Vec<EndedRow> = (1..=DIFFERENT)
        .map(|number| because(row(import, number), &nth(number)))
        .collect();
    for some in different.chunks(100) {
        ledger.end_rows(Unbilled::Invalid, some).await.unwrap();
    }
    // One that is kept stays so for rows that come later.
    let late = [because(row(import, DIFFERENT + 1), &nth(1))];
    ledger.end_rows(Unbilled::Invalid, &late).await.unwrap();

    let facts = ledger.row_facts(import, 1, DIFFERENT + 1).await.unwrap();
    for (number, facts) in (1..=DIFFERENT).zip(&facts) {
        let kept = facts.reason.as_deref().unwrap();
        let other = number > KEPT_REASONS && kept.code == "other";
        assert!(other || *kept == nth(number), "{number}: {kept:?}");
    }
    let kept = facts.last().unwrap().reason.as_deref();
    assert_eq!(kept, Some(&nth(1)));
}

/// Each billed row comes as far as it comes, whatever the others do.
pub async fn told_and_mailed_stand_alone<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 9).await;
    bill_rows(ledger, &rows(import, 1..=3)).await;
    for _ in 0..3 {
        tell_rows(ledger, &rows(import, [1])).await;
        mail_rows(ledger, &rows(import, [2])).await;
    }
    let facts = ledger.row_facts(import, 1, 4).await.unwrap();
    let facts = facts
        .iter()
        .map(|facts| (facts.billed, facts.notified, facts.mailed));
    let expected = [
        (true, true, false),
        (true, false, true),
        (true, false, false),
        (false, false, false),
    ];
    assert_eq!(facts.collect::<Vec<_>>(), expected);
    let counts = ledger.outcome_counts(import).await.unwrap();
    let progress = (counts.notified, counts.mailed, counts.undeliverable);
    assert_eq!((progress, counts.ended()), ((1, 1, 0), 3));
}

/// It keeps its outcome, and says nothing of the other rows.
pub async fn a_row_is_undeliverable_once_with_its_first_reason<L: Ledger>(ledger: &L) {
    let first = registered(ledger, 1, 9).await;
    let second = registered(ledger, 2, 9).await;
    bill_rows(ledger, &rows(first, 1..=9)).await;
    bill_rows(ledger, &rows(second, [3])).await;
    let (one, other) = (reason("mailbox", "none"), reason("domain", "none"));
    let mixed = [
        (row(first, 3), one.clone()),
        (row(second, 3), other.clone()),
        (row(first, 5), other.clone()),
        (row(first, 3), other.clone()),
    ];
    refuse_mails(ledger, &mixed).await;
    let again = [(row(first, 5), one.clone()), (row(first, 9), one.clone())];
    refuse_mails(ledger, &again).await;

    let facts = ledger.row_facts(first, 1, 9).await.unwrap();
    for facts in facts {
        let reason = match facts.row {
            3 | 9 => Some(&one),
            5 => Some(&other),
            _ => None,
        };
        let expected = RowFacts {
            row: facts.row,
            billed: true,
            undeliverable: reason.is_some(),
            reason: reason.cloned().map(Arc::new),
            ..RowFacts::default()
        };
        assert_eq!(facts, expected);
    }
    assert_eq!(reason_of(ledger, second, 3).await, Some(other));
    let counts = ledger.outcome_counts(first).await.unwrap();
    assert_eq!((counts.billed, counts.undeliverable), (9, 3));
}

/// They share what is kept of them.
pub async fn reasons_of_outcomes_and_of_undeliverable_rows_are_told_apart<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 4).await;
    let (one, other) = (reason("a", "one"), reason("a", "other"));
    let invalid = [because(row(import, 1), &one)];
    ledger.end_rows(Unbilled::Invalid, &invalid).await.unwrap();
    bill_rows(ledger, &rows(import, 2..=3)).await;
    let undeliverable = [
        (row(import, 2), one.clone()),
        (row(import, 3), other.clone()),
    ];
    refuse_mails(ledger, &undeliverable).await;
    let invalid = [because(row(import, 4), &other)];
    ledger.end_rows(Unbilled::Invalid, &invalid).await.unwrap();
    for (number, reason) in (1..).zip([&one, &one, &other, &other]) {
        assert_eq!(
            reason_of(ledger, import, number).await.as_ref(),
            Some(reason)
        );
    }
}

/// Held against a model, for windows of every alignment.
pub async fn facts_of_any_window_are_those_of_its_rows<L: Ledger>(ledger: &L) {
    const ROWS: u64 = 61;
    let import = registered(ledger, 1, ROWS).await;
    let mut random = fastrand::Rng::with_seed(1);
    let mut model = Vec::new();
    for number in 1..=ROWS {
        let mut facts = RowFacts {
            row: number,
            ..RowFacts::default()
        };
        match random.u8(0..4) {
            0 => facts.billed = true,
            1 => facts.skipped = true,
            2 => facts.invalid = true,
            _ => {}
        }
        if facts.invalid || (facts.skipped && random.bool()) {
            let code = random.u8(0..5).to_string();
            facts.reason = Some(Arc::new(reason(&code, "text")));
        }
        if facts.billed {
            facts.notified = random.bool();
            facts.mailed = random.bool();
            facts.undeliverable = !facts.mailed && random.bool();
        }
        if facts.undeliverable {
            facts.reason = Some(Arc::new(reason("mailbox", "none")));
        }
        model.push(facts);
    }
    for facts in &model {
        record(ledger, import, facts).await;
    }
    for first in 1..=18 {
        for count in (0..=18).chain([ROWS, ROWS + 30]) {
            let window = ledger.row_facts(import, first, count).await.unwrap();
            let expected = (first..first + count).map(|number| {
                let index = usize::try_from(number - 1).unwrap();
                let beyond = RowFacts {
                    row: number,
                    ..RowFacts::default()
                };
                model.get(index).cloned().unwrap_or(beyond)
            });
            assert_eq!(window, expected.collect::<Vec<_>>(), "{count} from {first}");
        }
    }
}

async fn record<L: Ledger>(ledger: &L, import: Uuid, facts: &RowFacts) {
    let row = row(import, facts.row);
    let ended = [EndedRow {
        row,
        reason: facts.reason.as_deref().cloned(),
    }];
    if facts.billed {
        bill_rows(ledger, &[row]).await;
    }
    if facts.skipped {
        ledger.end_rows(Unbilled::Skipped, &ended).await.unwrap();
    }
    if facts.invalid {
        ledger.end_rows(Unbilled::Invalid, &ended).await.unwrap();
    }
    if facts.notified {
        tell_rows(ledger, &[row]).await;
    }
    if facts.mailed {
        mail_rows(ledger, &[row]).await;
    }
    if facts.undeliverable
        && let Some(reason) = facts.reason.as_deref()
    {
        refuse_mails(ledger, &[(row, reason.clone())]).await;
    }
}

/// Asking is no error, and does not make them known.
pub async fn nothing_is_known_of_rows_beyond_an_import_or_of_an_unknown_one<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 3).await;
    let nothing = |first: u64, count| {
        let rows = (first..).take(count).map(|row| RowFacts {
            row,
            ..RowFacts::default()
        });
        rows.collect::<Vec<_>>()
    };
    for (id, first) in [(import, 1), (import, 1_000_000), (import_id(2), 5)] {
        let facts = ledger.row_facts(id, first, 9).await.unwrap();
        assert_eq!(facts, nothing(first, 9));
    }
    assert_eq!(ledger.import_status(import_id(2)).await.unwrap(), None);
}
