//! The claims of an import, and what is known of its erasure.

use std::collections::BTreeMap;

use common::ledger::{Bill, Claim, ClaimedDebt, Erasure, Ledger, Revision};
use contract::RowIdentity;
use uuid::Uuid;

use super::{at, import_id, registered, row};
use crate::{billed, end_rows, tell};

/// More than any store gives in one page.
const MANY: u64 = 1_500;
/// Most claims of a page: they are in memory at a time.
const LARGEST_PAGE: usize = 4_000;

fn bill(holder: RowIdentity, debt_id: &str) -> Bill {
    let notification = serde_json::to_string(&billed(debt_id, 1)).unwrap();
    Bill {
        debt_id: debt_id.to_owned(),
        claim: Claim::new(holder, notification),
    }
}

/// Debts for consecutive rows of an import, from that one on.
fn bills<'a>(
    import_id: Uuid,
    first: u64,
    debt_ids: impl IntoIterator<Item = &'a str>,
) -> Vec<Bill> {
    let bills = (first..).zip(debt_ids);
    bills
        .map(|(number, debt_id)| bill(RowIdentity::Row(row(import_id, number)), debt_id))
        .collect()
}

/// The claims of an import by their debts.
async fn claims_of<L: Ledger>(ledger: &L, import_id: Uuid) -> BTreeMap<String, Claim> {
    let (mut found, mut from) = (BTreeMap::new(), None);
    loop {
        let page = ledger.claims_of(import_id, from.as_deref()).await.unwrap();
        assert!(page.debts.len() <= LARGEST_PAGE);
        let claims = page.debts.into_iter();
        found.extend(claims.map(|ClaimedDebt { debt_id, claim }| (debt_id, claim)));
        from = page.next;
        if from.is_none() {
            return found;
        }
    }
}

/// Those of other imports, and of none, are left out.
pub async fn the_claims_of_an_import_are_found_wherever_they_stand<L: Ledger>(ledger: &L) {
    let (own, other) = (registered(ledger, 1, 9_000).await, import_id(2));
    assert_eq!(claims_of(ledger, own).await, BTreeMap::new());
    let long = "x".repeat(2_000);
    let odd = [
        "a",
        "A",
        "a ",
        "é",
        "7:8",
        "{7}",
        "%",
        "*",
        "a\nb",
        "processed:a",
        &long,
    ];
    let many: Vec<String> = (0..MANY).map(|number| format!("many-{number}")).collect();
    let apart = ["told of before", "its row is known", "twin"];
    // Something is known of these debts, or of their rows, before they are billed.
    tell(ledger, &apart[..1]).await;
    let known = [row(own, 8_001)];
    end_rows(ledger, common::ledger::Outcome::Skipped, &known).await;
    let mut expected = bills(own, 1, odd);
    expected.extend(bills(own, 100, many.iter().map(String::as_str)));
    expected.extend(bills(own, 8_000, apart));
    // The second debt of one row.
    expected.extend(bills(own, 8_002, ["a twin"]));
    let others = bills(other, 1, ["other-1", "other-2"]);
    let of_none = bill(RowIdentity::Message("m".to_owned()), "message");
    let all: Vec<Bill> = expected.iter().chain(&others).cloned().collect();
    for some in all.chunks(500) {
        ledger.bill(some).await.unwrap();
    }
    ledger.bill(&[of_none]).await.unwrap();

    let by_debt = |bills: Vec<Bill>| -> BTreeMap<String, Claim> {
        let claims = bills.into_iter();
        claims.map(|bill| (bill.debt_id, bill.claim)).collect()
    };
    assert_eq!(claims_of(ledger, own).await, by_debt(expected));
    assert_eq!(claims_of(ledger, other).await, by_debt(others));
    assert_eq!(claims_of(ledger, import_id(3)).await, BTreeMap::new());
}

/// Who erases the claims of an import does so again and again until none is left.
pub async fn a_claim_that_was_erased_is_still_found_and_no_other_is_changed<L: Ledger>(ledger: &L) {
    let (own, other) = (import_id(1), import_id(2));
    let debts: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let own_bills = bills(own, 1, debts.iter().map(String::as_str));
    let other_bills = bills(other, 1, ["other"]);
    ledger.bill(&own_bills).await.unwrap();
    ledger.bill(&other_bills).await.unwrap();
    let erased: Vec<Claim> = own_bills
        .iter()
        .map(|bill| bill.claim.erased().unwrap())
        .collect();
    let revisions = own_bills.iter().zip(&erased);
    let revisions = revisions.map(|(bill, to)| Revision {
        debt_id: &bill.debt_id,
        from: &bill.claim,
        to,
    });
    let revised = ledger.revise(&revisions.collect::<Vec<_>>()).await.unwrap();
    assert_eq!(revised, vec![true; own_bills.len()]);
    let found = claims_of(ledger, own).await;
    let expected = debts.iter().cloned().zip(erased).collect();
    assert_eq!(found, expected);
    assert!(found.values().all(Claim::is_erased));
    let other = claims_of(ledger, other).await;
    assert_eq!(other.values().collect::<Vec<_>>(), [&other_bills[0].claim]);
}

/// It can be asked for anew, which changes nothing of that.
pub async fn an_erasure_is_known_by_who_asked_first_and_when_it_was_done<L: Ledger>(ledger: &L) {
    let own = registered(ledger, 1, 9).await;
    let other = registered(ledger, 2, 9).await;
    let erasure = async |import_id| {
        let status = ledger.import_status(import_id).await.unwrap();
        status.unwrap().erasure
    };
    assert_eq!(erasure(own).await, None);
    assert_eq!(ledger.open_erasures().await.unwrap(), Vec::<Uuid>::new());
    let mut known = Erasure {
        asked_at: at(1),
        by: "2c26b46b68ffc68f".to_owned(),
        erased_at: None,
    };
    for (second, by) in [(1, "2c26b46b68ffc68f"), (2, "")] {
        ledger.begin_erasure(own, by, at(second)).await.unwrap();
        assert_eq!(erasure(own).await, Some(known.clone()));
        assert_eq!(ledger.open_erasures().await.unwrap(), [own]);
    }
    known.erased_at = Some(at(3));
    for second in [3, 4] {
        ledger.end_erasure(own, at(second)).await.unwrap();
        assert_eq!(erasure(own).await, Some(known.clone()));
        assert_eq!(ledger.open_erasures().await.unwrap(), Vec::<Uuid>::new());
    }
    ledger.begin_erasure(own, "other", at(5)).await.unwrap();
    ledger.begin_erasure(other, "", at(5)).await.unwrap();
    let mut open = ledger.open_erasures().await.unwrap();
    open.sort_unstable();
    assert_eq!(open, [own, other]);
    assert_eq!(erasure(own).await, Some(known.clone()));
    // Whoever looks at it keeps it.
    let observed = ledger.observe_import(own, at(6)).await.unwrap();
    assert_eq!(observed.unwrap().status.erasure, Some(known));
    // Of one that is not known any more nothing is kept.
    ledger.end_erasure(import_id(3), at(6)).await.unwrap();
    assert_eq!(ledger.import_status(import_id(3)).await.unwrap(), None);
}
