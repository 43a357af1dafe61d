//! Claims, marks of notifications, numbers.

use common::ledger::{AddressChange, Bill, Billed, Claim, DebtState, Ledger, Revision, Told};
use contract::RowIdentity;
use tokio::task::JoinSet;

use super::{at, import_id, registered, row, rows};
use crate::{bill_rows, tell, tell_rows};

fn claim(holder: &str, number: usize) -> Claim {
    Claim::new(
        RowIdentity::Message(holder.to_owned()),
        format!("{{\"number\":{number}}}"),
    )
}

fn billed(claim: Claim, notified: bool) -> DebtState {
    DebtState::Billed {
        claim: Some(claim),
        notified,
    }
}

/// Gives the claims that stand.
async fn bill<L: Ledger>(ledger: &L, claims: &[(String, Claim)]) -> Vec<Option<Claim>> {
    let bill = |(debt_id, claim): &(String, Claim)| Bill {
        debt_id: debt_id.clone(),
        claim: claim.clone(),
    };
    let bills: Vec<Bill> = claims.iter().map(bill).collect();
    let billed = ledger.bill(&bills).await.unwrap();
    billed.into_iter().map(|billed| billed.claim).collect()
}

/// Whoever claims later is given the claim that stands, itself included.
pub async fn the_first_claim_of_a_debt_wins_and_every_later_one_finds_it<L: Ledger>(ledger: &L) {
    assert_eq!(
        ledger.debts(&["7", "8"]).await.unwrap(),
        [DebtState::Unbilled, DebtState::Unbilled]
    );
    let first = ("7".to_owned(), claim("a", 1));
    let standing = bill(ledger, std::slice::from_ref(&first)).await;
    assert_eq!(standing, [Some(claim("a", 1))]);
    for other in [claim("b", 2), claim("a", 3), claim("a", 1)] {
        let mixed = [("8".to_owned(), claim("c", 4)), ("7".to_owned(), other)];
        let standing = bill(ledger, &mixed).await;
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
    let standing = bill(ledger, &twins).await;
    assert_eq!(standing, vec![Some(claim("a", 1)); 3]);
}

/// Whoever comes later finds it recorded, and another row of the debt is not billed.
pub async fn the_row_that_holds_the_claim_is_billed_once<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 9).await;
    let bill = |number| Bill {
        debt_id: "7".to_owned(),
        claim: Claim::new(
            RowIdentity::Row(row(import, number)),
            format!("{{\"number\":{number}}}"),
        ),
    };
    for (number, row_is_new) in [(3, true), (3, false), (4, false)] {
        let standing = ledger.bill(&[bill(number)]).await.unwrap();
        let claim = Some(bill(3).claim);
        assert_eq!(standing, [Billed { claim, row_is_new }]);
    }
    let facts = ledger.row_facts(import, 1, 9).await.unwrap();
    let billed = facts.iter().filter(|facts| facts.billed);
    assert_eq!(billed.map(|facts| facts.row).collect::<Vec<_>>(), [3]);
    assert_eq!(ledger.outcome_counts(import).await.unwrap().billed, 1);
}

/// Told, and told again: a row is counted once, and one that bills nothing not at all.
pub async fn the_row_that_is_told_of_is_its_holders<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 9).await;
    let rows = rows(import, [2, 9]);
    bill_rows(ledger, &rows).await;
    for _ in 0..2 {
        tell_rows(ledger, &rows[..1]).await;
        let facts = ledger.row_facts(import, 1, 9).await.unwrap();
        let told = facts.iter().filter(|facts| facts.notified);
        assert_eq!(told.map(|facts| facts.row).collect::<Vec<_>>(), [2]);
        assert_eq!(ledger.outcome_counts(import).await.unwrap().notified, 1);
    }
}

/// A race has one winner, and all agree on it.
pub async fn many_at_once_claim_a_debt_for_one_of_them<L: Ledger>(ledger: &L) {
    let mut claims = JoinSet::new();
    for number in 0..40 {
        let ledger = ledger.clone();
        claims.spawn(async move {
            let own = claim(&number.to_string(), number);
            let standing = bill(&ledger, &[("7".to_owned(), own.clone())]).await;
            (own, standing.into_iter().next().flatten().unwrap())
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
        RowIdentity::Row(row(import_id(1), 70_000)),
        RowIdentity::Message("m-\"1\"/2 é".to_owned()),
    ];
    for (debt_id, holder) in ["7", "8"].into_iter().zip(holders) {
        let claim = Claim::new(holder, notification.to_owned());
        let claims = [(debt_id.to_owned(), claim.clone())];
        for _ in 0..2 {
            assert_eq!(bill(ledger, &claims).await, [Some(claim.clone())]);
        }
        let states = ledger.debts(&[debt_id]).await.unwrap();
        assert_eq!(states, [billed(claim, false)]);
    }
}

/// Who looks in between may have seen another claim.
pub async fn a_claim_is_revised_where_it_stands_as_is_said<L: Ledger>(ledger: &L) {
    let change = |second, by: &str| AddressChange {
        at: at(second),
        by: by.to_owned(),
    };
    let first = claim("a", 1);
    let second = Claim {
        notification: "{\"number\":2}".to_owned(),
        changes: vec![change(1, "")],
        ..first.clone()
    };
    let third = Claim {
        changes: vec![change(1, ""), change(2, "é \"1\"")],
        ..first.clone()
    };
    bill(ledger, &[("7".to_owned(), first.clone())]).await;
    for (from, to, revised) in [
        (&second, &third, false),
        (&first, &second, true),
        (&first, &third, false),
        (&second, &third, true),
    ] {
        let revision = |debt_id| Revision { debt_id, from, to };
        let revisions = [revision("7"), revision("unbilled"), revision("7")];
        let answers = ledger.revise(&revisions).await.unwrap();
        assert_eq!(answers, [revised, false, false]);
    }
    let states = ledger.debts(&["7", "unbilled"]).await.unwrap();
    assert_eq!(states, [billed(third.clone(), false), DebtState::Unbilled]);
    // It is still the claim of the debt.
    let other = [("7".to_owned(), claim("b", 4))];
    assert_eq!(bill(ledger, &other).await, [Some(third)]);
    assert_eq!(ledger.revise(&[]).await.unwrap(), Vec::<bool>::new());
}

/// A race has one winner.
pub async fn many_at_once_revise_a_claim_once<L: Ledger>(ledger: &L) {
    bill(ledger, &[("7".to_owned(), claim("a", 0))]).await;
    let mut calls = JoinSet::new();
    for number in 1..=20 {
        let ledger = ledger.clone();
        calls.spawn(async move {
            let (from, to) = (&claim("a", 0), &claim("a", number));
            let debt_id = "7";
            let revised = ledger.revise(&[Revision { debt_id, from, to }]).await;
            revised.unwrap()[0].then_some(number)
        });
    }
    let winners: Vec<usize> = calls.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let states = ledger.debts(&["7"]).await.unwrap();
    assert_eq!(states, [billed(claim("a", winners[0]), false)]);
}

/// Who published an earlier notification may say so after the claim is revised.
pub async fn whoever_is_told_of_an_earlier_revision_is_not_told_of_the_debt<L: Ledger>(ledger: &L) {
    let first = claim("a", 0);
    let changed = |times: i64| Claim {
        notification: format!("{{\"number\":{times}}}"),
        changes: (1..=times)
            .map(|second| AddressChange {
                at: at(second),
                by: String::new(),
            })
            .collect(),
        ..first.clone()
    };
    bill(ledger, &[("7".to_owned(), first.clone())]).await;
    let told = async |revision| {
        let told = Told {
            debt_id: "7",
            row: None,
            revision,
        };
        ledger.tell(&[told]).await.unwrap();
        ledger.debts(&["7"]).await.unwrap().remove(0)
    };
    assert_eq!(told(0).await, billed(first.clone(), true));
    for times in 1..=3 {
        let revision = Revision {
            debt_id: "7",
            from: &changed(times - 1),
            to: &changed(times),
        };
        assert_eq!(ledger.revise(&[revision]).await.unwrap(), [true]);
        ledger.forget_notified(&["7"]).await.unwrap();
        let times_of = u32::try_from(times).unwrap();
        assert_eq!(told(times_of - 1).await, billed(changed(times), false));
        assert_eq!(told(times_of).await, billed(changed(times), true));
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
        let standing = bill(ledger, &[((*id).to_owned(), own(index))]).await;
        assert_eq!(standing, [Some(own(index))], "{id:?}");
    }
    tell(ledger, &["a", "%", "*"]).await;
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
    bill(ledger, &claims).await;
    let notified = async || ledger.notified(&["9", "8", "7", "8"]).await.unwrap();
    assert_eq!(notified().await, [false; 4]);
    for _ in 0..2 {
        for _ in 0..2 {
            tell(ledger, &["8", "8"]).await;
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
        tell(ledger, &["7", "9", "8"]).await;
        assert_eq!(notified().await, [true; 4]);
        ledger.forget_notified(&["8"]).await.unwrap();
        assert_eq!(notified().await, [true, false, true, false]);
        ledger.forget_notified(&["7", "9"]).await.unwrap();
    }
    tell(ledger, &[]).await;
    ledger.forget_notified(&[]).await.unwrap();
    assert_eq!(ledger.notified(&[]).await.unwrap(), Vec::<bool>::new());
    assert_eq!(ledger.debts(&[]).await.unwrap(), []);
    assert_eq!(bill(ledger, &[]).await, []);
}

/// Only a claim bills.
pub async fn a_mark_without_a_claim_does_not_bill<L: Ledger>(ledger: &L) {
    tell(ledger, &["7"]).await;
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
