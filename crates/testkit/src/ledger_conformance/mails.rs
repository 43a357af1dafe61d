//! Who sends an e-mail, and what became of it.

use std::time::Duration;

use common::ledger::{Ledger, MailClaim, MailEnd};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{LONG, reason};
use crate::poll_until;

const LEASE: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(60);
const ONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

async fn ask<L: Ledger>(ledger: &L, owner: Uuid, lease: Duration) -> MailClaim {
    let mut claims = ledger.claim_mails(&["7"], owner, lease).await.unwrap();
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

/// Records an end, and gives what stands.
async fn end<L: Ledger>(ledger: &L, debt_id: &str, end: &MailEnd) -> MailEnd {
    let ends = [(debt_id, end.clone())];
    let mut standing = ledger.end_mails(&ends).await.unwrap();
    assert_eq!(standing.len(), 1);
    standing.remove(0)
}

fn undeliverable(code: &str) -> MailEnd {
    MailEnd::Undeliverable(reason(code, "no such mailbox"))
}

/// The time left is the first one's, whatever the others ask for.
pub async fn a_mail_is_granted_to_one_and_the_others_are_told_how_long_to_wait<L: Ledger>(
    ledger: &L,
) {
    assert_eq!(ask(ledger, ONE, LEASE).await, MailClaim::Granted);
    for lease in [LEASE * 10, SHORT] {
        let MailClaim::Leased(left) = ask(ledger, OTHER, lease).await else {
            panic!("granted twice")
        };
        assert!(left > LEASE / 2 && left <= LEASE, "{left:?}");
    }
    end(ledger, "9", &MailEnd::Sent).await;
    let mixed = ledger.claim_mails(&["8", "7", "9"], OTHER, LEASE).await;
    let mixed = mixed.unwrap();
    assert_eq!(mixed[0], MailClaim::Granted);
    assert_eq!(mixed[2], MailClaim::Ended(MailEnd::Sent));
    assert!(matches!(mixed[1], MailClaim::Leased(left) if left <= LEASE));
    assert_eq!(ledger.claim_mails(&[], ONE, LEASE).await.unwrap(), []);
}

/// A race has one winner.
pub async fn many_at_once_are_granted_a_mail_once<L: Ledger>(ledger: &L) {
    let mut claims = JoinSet::new();
    for owner in 0..30 {
        let ledger = ledger.clone();
        claims.spawn(async move { ask(&ledger, Uuid::from_u128(owner), LEASE).await });
    }
    let claims = claims.join_all().await;
    let granted = claims.iter().filter(|claim| **claim == MailClaim::Granted);
    assert_eq!(granted.count(), 1);
}

/// The answer to its first call may have been lost. One batch may hold a debt several times, too.
pub async fn its_owner_is_granted_a_mail_again_and_the_lease_begins_anew<L: Ledger>(ledger: &L) {
    let twins = ledger.claim_mails(&["7", "7"], ONE, SHORT).await.unwrap();
    assert_eq!(twins, [MailClaim::Granted, MailClaim::Granted]);
    assert_eq!(ask(ledger, ONE, LEASE).await, MailClaim::Granted);
    let claim = ask(ledger, OTHER, LEASE).await;
    assert!(matches!(claim, MailClaim::Leased(left) if left > LEASE / 2));
    end(ledger, "7", &MailEnd::Sent).await;
    let claim = ask(ledger, ONE, LEASE).await;
    assert_eq!(claim, MailClaim::Ended(MailEnd::Sent));
}

/// All of it, and only while it stands.
pub async fn its_owner_renews_a_lease_that_has_not_ended<L: Ledger>(ledger: &L) {
    let ids = ["7", "8"];
    let claims = ledger.claim_mails(&ids, ONE, LEASE / 6).await.unwrap();
    assert_eq!(claims, [MailClaim::Granted, MailClaim::Granted]);
    assert!(!ledger.renew_mails(OTHER, LEASE).await.unwrap());
    assert!(ledger.renew_mails(ONE, LEASE).await.unwrap());
    for claim in ledger.claim_mails(&ids, OTHER, LEASE).await.unwrap() {
        assert!(matches!(claim, MailClaim::Leased(left) if left > LEASE / 2));
    }
    assert!(ledger.renew_mails(ONE, SHORT).await.unwrap());
    poll_until("another to be granted it", LONG, async || {
        (ask(ledger, OTHER, LEASE).await == MailClaim::Granted).then_some(())
    })
    .await;
    assert!(!ledger.renew_mails(ONE, LEASE).await.unwrap());
    let claim = ask(ledger, ONE, LEASE).await;
    assert!(matches!(claim, MailClaim::Leased(_)));
}

/// The answer to a call may be lost, and it is made again.
pub async fn attempts_of_unknown_outcome_are_counted_once_each<L: Ledger>(ledger: &L) {
    let note = async |ids: &[&str], owner| ledger.note_unknown_mails(ids, owner).await.unwrap();
    for _ in 0..2 {
        assert_eq!(note(&["7", "8"], ONE).await, [1, 1]);
    }
    assert_eq!(note(&["8", "9"], OTHER).await, [2, 1]);
    assert!(note(&[], ONE).await.is_empty());
    // It is no end.
    assert_eq!(ask(ledger, ONE, LEASE).await, MailClaim::Granted);
}

/// Giving back what is another's, or what nobody has, changes nothing.
pub async fn only_its_owner_gives_a_lease_back<L: Ledger>(ledger: &L) {
    assert_eq!(ask(ledger, ONE, LEASE).await, MailClaim::Granted);
    ledger.release_mails(&["7", "8"], OTHER).await.unwrap();
    ledger.release_mails(&[], ONE).await.unwrap();
    let claim = ask(ledger, OTHER, LEASE).await;
    assert!(matches!(claim, MailClaim::Leased(_)));
    for _ in 0..2 {
        ledger.release_mails(&["8", "7"], ONE).await.unwrap();
    }
    assert_eq!(ask(ledger, OTHER, LEASE).await, MailClaim::Granted);
    // A repeat that comes late does not take what is another's by now.
    ledger.release_mails(&["7"], ONE).await.unwrap();
    let claim = ask(ledger, ONE, LEASE).await;
    assert!(matches!(claim, MailClaim::Leased(_)));
}

/// Its owner may have died over it.
pub async fn a_mail_is_granted_again_when_its_lease_has_ended<L: Ledger>(ledger: &L) {
    assert_eq!(ask(ledger, ONE, SHORT).await, MailClaim::Granted);
    poll_until("the lease to end", LONG, async || {
        (ask(ledger, OTHER, LEASE).await == MailClaim::Granted).then_some(())
    })
    .await;
    ledger.release_mails(&["7"], ONE).await.unwrap();
    let claim = ask(ledger, ONE, SHORT).await;
    assert!(matches!(claim, MailClaim::Leased(left) if left > SHORT));
}

/// Neither a release nor the end of its lease opens it again.
pub async fn a_mail_that_has_ended_stays_so_for_ever<L: Ledger>(ledger: &L) {
    let ends = [("7", MailEnd::Sent), ("8", undeliverable("mailbox"))];
    let ids = ["7", "8"];
    let granted = ledger.claim_mails(&ids, ONE, SHORT).await.unwrap();
    assert_eq!(granted, [MailClaim::Granted, MailClaim::Granted]);
    let ended = ends.clone().map(|(_, end)| MailClaim::Ended(end));
    for _ in 0..2 {
        ledger.end_mails(&ends).await.unwrap();
        ledger.release_mails(&ids, ONE).await.unwrap();
        for owner in [ONE, OTHER] {
            let claims = ledger.claim_mails(&ids, owner, SHORT).await;
            assert_eq!(claims.unwrap(), ended);
        }
    }
    // A lease of the same length that ends shows that the time has passed.
    let other = ledger.claim_mails(&["9"], ONE, SHORT).await.unwrap();
    assert_eq!(other, [MailClaim::Granted]);
    poll_until("another lease to end", LONG, async || {
        let claims = ledger.claim_mails(&["9"], OTHER, LEASE).await.unwrap();
        (claims == [MailClaim::Granted]).then_some(())
    })
    .await;
    let claims = ledger.claim_mails(&ids, OTHER, SHORT).await.unwrap();
    assert_eq!(claims, ended);
}

/// What was sent is never undeliverable, nor the other way round, and a reason stays.
pub async fn the_first_end_of_a_mail_stands<L: Ledger>(ledger: &L) {
    let ends = [
        MailEnd::Sent,
        undeliverable("mailbox"),
        undeliverable("domain"),
    ];
    let mut debts = 0..;
    for first in &ends {
        for second in &ends {
            let debt_id = debts.next().unwrap().to_string();
            assert_eq!(&end(ledger, &debt_id, first).await, first);
            assert_eq!(&end(ledger, &debt_id, second).await, first);
            let claims = ledger.claim_mails(&[&debt_id], ONE, LEASE).await;
            assert_eq!(claims.unwrap(), [MailClaim::Ended(first.clone())]);
        }
    }
    let twins = [("a", ends[1].clone()), ("b", ends[0].clone())];
    let twins = [&twins[..], &[("a", ends[0].clone())]].concat();
    let standing = ledger.end_mails(&twins).await.unwrap();
    let expected = [ends[1].clone(), ends[0].clone(), ends[1].clone()];
    assert_eq!(standing, expected);
    assert_eq!(ledger.end_mails(&[]).await.unwrap(), []);
}

/// Everybody is told of the same end.
pub async fn many_at_once_end_a_mail_in_one_way<L: Ledger>(ledger: &L) {
    for debt in 0..6 {
        let mut calls = JoinSet::new();
        for number in 0..30 {
            let ledger = ledger.clone();
            let own = match (number + debt) % 3 {
                0 => MailEnd::Sent,
                code => undeliverable(&code.to_string()),
            };
            calls.spawn(async move { end(&ledger, &debt.to_string(), &own).await });
        }
        let ends = calls.join_all().await;
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
        let claims = ledger.claim_mails(&[&debt.to_string()], ONE, LEASE).await;
        assert_eq!(claims.unwrap(), [MailClaim::Ended(ends[0].clone())]);
    }
}

/// Codes and texts of any mail server.
pub async fn the_reason_of_a_mail_is_given_back_to_the_byte<L: Ledger>(ledger: &L) {
    let reasons = [
        reason("a", ""),
        reason("", "a"),
        reason("a:b", "é: \"'\\ {}%_\n😀"),
        reason("sent", &"x".repeat(3_000)),
    ];
    for (number, reason) in reasons.into_iter().enumerate() {
        let own = MailEnd::Undeliverable(reason);
        let debt_id = number.to_string();
        assert_eq!(end(ledger, &debt_id, &own).await, own);
        let claims = ledger.claim_mails(&[&debt_id], ONE, LEASE).await;
        assert_eq!(claims.unwrap(), [MailClaim::Ended(own)]);
    }
}

/// A mail server's answer counts, whoever has the lease by now.
pub async fn a_mail_can_be_ended_without_a_lease_and_after_it<L: Ledger>(ledger: &L) {
    let sent = ["9", "7", "7"].map(|debt_id| (debt_id, MailEnd::Sent));
    ledger.end_mails(&sent).await.unwrap();
    let claims = ledger.claim_mails(&["7", "9"], ONE, LEASE).await;
    let ended = MailClaim::Ended(MailEnd::Sent);
    assert_eq!(claims.unwrap(), [ended.clone(), ended]);
    for end in [MailEnd::Sent, undeliverable("mailbox")] {
        let debt_id = format!("{end:?}");
        let ids = [&*debt_id];
        let granted = ledger.claim_mails(&ids, OTHER, LEASE).await.unwrap();
        assert_eq!(granted, [MailClaim::Granted]);
        assert_eq!(self::end(ledger, &debt_id, &end).await, end);
        let claims = ledger.claim_mails(&ids, OTHER, LEASE).await.unwrap();
        assert_eq!(claims, [MailClaim::Ended(end)]);
    }
}
