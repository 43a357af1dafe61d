//! Claims, marks of notifications, numbers.

use common::ledger::{Claim, DebtState, Ledger};
use contract::RowIdentity;
use tokio::task::JoinSet;

use super::{import_id, row};

fn claim(holder: &str, number: usize) -> Claim {
    Claim {
        holder: RowIdentity::Message(holder.to_owned()),
        notification: format!("{{\"number\":{number}}}"),
    }
}

fn billed(claim: Claim, notified: bool) -> DebtState {
    DebtState::Billed {
        claim: Some(claim),
        notified,
    }
}

/// Whoever claims later is given the claim that stands, itself included.
pub async fn the_first_claim_of_a_debt_wins_and_every_later_one_finds_it<L: Ledger>(ledger: &L) {
    assert_eq!(
        ledger.debts(&["7", "8"]).await.unwrap(),
        [DebtState::Unbilled, DebtState::Unbilled]
    );
    let first = ("7".to_owned(), claim("a", 1));
    let standing = ledger.claim(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(standing, [Some(claim("a", 1))]);
    for other in [claim("b", 2), claim("a", 3), claim("a", 1)] {
        let mixed = [("8".to_owned(), claim("c", 4)), ("7".to_owned(), other)];
        let standing = ledger.claim(&mixed).await.unwrap();
        assert_eq!(standing, [Some(claim("c", 4)), Some(claim("a", 1))]);
    }
    assert_eq!(
        ledger.debts(&["8", "9", "7", "8"]).await.unwrap(),
        [
            billed(claim("c", 4), false),
            DebtState::Unbilled,
            billed(claim("a", 1), false),
            billed(claim("c", 4), false),
        ]
    );
}

/// One batch may hold a debt several times.
pub async fn twins_in_one_call_are_claimed_by_the_first<L: Ledger>(ledger: &L) {
    let twins = ["a", "b", "c"].map(|holder| ("7".to_owned(), claim(holder, 1)));
    let standing = ledger.claim(&twins).await.unwrap();
    assert_eq!(standing, vec![Some(claim("a", 1)); 3]);
}

/// A race has one winner, and all agree on it.
pub async fn many_at_once_claim_a_debt_for_one_of_them<L: Ledger>(ledger: &L) {
    let mut claims = JoinSet::new();
    for number in 0..40 {
        let ledger = ledger.clone();
        claims.spawn(async move {
            let own = claim(&number.to_string(), number);
            let standing = ledger.claim(&[("7".to_owned(), own.clone())]).await;
            (own, standing.unwrap().remove(0).unwrap())
        });
    }
    let claims = claims.join_all().await;
    let winners = claims.iter().filter(|(own, standing)| own == standing);
    assert_eq!(winners.count(), 1);
    assert!(claims.iter().all(|(_, standing)| *standing == claims[0].1));
}

/// The notification is published as it was stored.
pub async fn a_claim_is_given_back_to_the_byte<L: Ledger>(ledger: &L) {
    let notification = "{ \"b\":1.50,\"a\" : \"Zé \\u00e9 \\\"\\\\ 😀\", \"b\":1.5e0 }";
    let holders = [
        RowIdentity::Row(row(import_id(1), u64::from(u32::MAX))),
        RowIdentity::Message("m-\"1\"/2 é".to_owned()),
    ];
    for (debt_id, holder) in ["7", "8"].into_iter().zip(holders) {
        let claim = Claim {
            holder,
            notification: notification.to_owned(),
        };
        let claims = [(debt_id.to_owned(), claim.clone())];
        for _ in 0..2 {
            assert_eq!(ledger.claim(&claims).await.unwrap(), [Some(claim.clone())]);
        }
        let states = ledger.debts(&[debt_id]).await.unwrap();
        assert_eq!(states, [billed(claim, false)]);
    }
}

/// A debt id is any text, and no two texts are one debt.
pub async fn debt_ids_are_told_apart_byte_by_byte<L: Ledger>(ledger: &L) {
    let long = "x".repeat(2_000);
    let ids = [
        "a", "A", "a ", "é", "e\u{301}", "07", "7", "7:8", "{7}", "%", "_", "'", "\\", "\"",
        "a\nb", "*", &long,
    ];
    let own = |index: usize| claim(&index.to_string(), index);
    for (index, id) in ids.iter().enumerate() {
        let standing = ledger.claim(&[((*id).to_owned(), own(index))]).await;
        assert_eq!(standing.unwrap(), [Some(own(index))], "{id:?}");
    }
    ledger.mark_notified(&["a", "%", "*"]).await.unwrap();
    for (index, (id, state)) in ids
        .iter()
        .zip(ledger.debts(&ids).await.unwrap())
        .enumerate()
    {
        let notified = ["a", "%", "*"].contains(id);
        assert_eq!(state, billed(own(index), notified), "{id:?}");
    }
}

/// Marks are set and taken back, each as often as somebody likes.
pub async fn a_notification_is_marked_and_forgotten_again_and_again<L: Ledger>(ledger: &L) {
    let claims = ["7", "8"].map(|id| (id.to_owned(), claim(id, 1)));
    ledger.claim(&claims).await.unwrap();
    let notified = async || ledger.notified(&["9", "8", "7", "8"]).await.unwrap();
    assert_eq!(notified().await, [false; 4]);
    for _ in 0..2 {
        for _ in 0..2 {
            ledger.mark_notified(&["8", "8"]).await.unwrap();
            assert_eq!(notified().await, [false, true, false, true]);
        }
        let states = ledger.debts(&["7", "8"]).await.unwrap();
        assert_eq!(
            states,
            [billed(claim("7", 1), false), billed(claim("8", 1), true)]
        );
        for _ in 0..2 {
            ledger.forget_notified(&["9", "8"]).await.unwrap();
            assert_eq!(notified().await, [false; 4]);
        }
        ledger.mark_notified(&["7", "9", "8"]).await.unwrap();
        assert_eq!(notified().await, [true; 4]);
        ledger.forget_notified(&["8"]).await.unwrap();
        assert_eq!(notified().await, [true, false, true, false]);
        ledger.forget_notified(&["7", "9"]).await.unwrap();
    }
    ledger.mark_notified(&[]).await.unwrap();
    ledger.forget_notified(&[]).await.unwrap();
    assert_eq!(ledger.notified(&[]).await.unwrap(), Vec::<bool>::new());
    assert_eq!(ledger.debts(&[]).await.unwrap(), []);
    assert_eq!(ledger.claim(&[]).await.unwrap(), []);
}

/// Only a claim bills.
pub async fn a_mark_without_a_claim_does_not_bill<L: Ledger>(ledger: &L) {
    ledger.mark_notified(&["7"]).await.unwrap();
    assert_eq!(ledger.debts(&["7"]).await.unwrap(), [DebtState::Unbilled]);
    assert_eq!(ledger.notified(&["7"]).await.unwrap(), [true]);
}

/// One call after another.
pub async fn numbers_are_gapless_in_a_call_and_never_repeated<L: Ledger>(ledger: &L) {
    let mut next = 0;
    for count in [1, 1_000, 1, 3, 1_000_000] {
        let numbers = ledger.reserve_numbers("a", count).await.unwrap();
        assert!(
            numbers.start > next || next == 0,
            "{numbers:?} after {next}"
        );
        assert_eq!(numbers.end - numbers.start, count);
        next = numbers.end - 1;
    }
}

/// Several processes draw from one sequence.
pub async fn many_at_once_never_get_the_same_number<L: Ledger>(ledger: &L) {
    let mut calls = JoinSet::new();
    for count in 1..=30 {
        let ledger = ledger.clone();
        calls.spawn(async move { ledger.reserve_numbers("a", count).await.unwrap() });
    }
    let mut ranges = calls.join_all().await;
    ranges.sort_unstable_by_key(|range| range.start);
    for pair in ranges.windows(2) {
        assert!(pair[0].end <= pair[1].start, "{pair:?}");
    }
    let given: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    assert_eq!(given, (1..=30).sum::<u64>());
}

/// A sequence is none of another's.
pub async fn each_sequence_starts_at_one<L: Ledger>(ledger: &L) {
    assert_eq!(ledger.reserve_numbers("a", 5).await.unwrap(), 1..6);
    assert_eq!(ledger.reserve_numbers("a:1", 2).await.unwrap(), 1..3);
    assert_eq!(ledger.reserve_numbers("A", 1).await.unwrap(), 1..2);
}
