//! Who sends an e-mail, and whether it is sent.

use std::time::Duration;

use common::ledger::{Ledger, MailClaim};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::LONG;
use crate::poll_until;

const LEASE: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(60);
const ONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

async fn ask<L: Ledger>(ledger: &L, owner: Uuid, lease: Duration) -> MailClaim {
    let claims = ledger.claim_mails(&["7"], owner, lease).await.unwrap();
    assert_eq!(claims.len(), 1);
    claims[0]
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
    ledger.mark_mailed(&["9"]).await.unwrap();
    let mixed = ledger.claim_mails(&["8", "7", "9"], OTHER, LEASE).await;
    let mixed = mixed.unwrap();
    assert_eq!((mixed[0], mixed[2]), (MailClaim::Granted, MailClaim::Sent));
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
    ledger.mark_mailed(&["7"]).await.unwrap();
    assert_eq!(ask(ledger, ONE, LEASE).await, MailClaim::Sent);
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
pub async fn a_mail_that_was_sent_is_sent_for_ever<L: Ledger>(ledger: &L) {
    assert_eq!(ask(ledger, ONE, SHORT).await, MailClaim::Granted);
    for _ in 0..2 {
        ledger.mark_mailed(&["7"]).await.unwrap();
        ledger.release_mails(&["7"], ONE).await.unwrap();
        assert_eq!(ask(ledger, ONE, SHORT).await, MailClaim::Sent);
        assert_eq!(ask(ledger, OTHER, SHORT).await, MailClaim::Sent);
    }
    // A lease of the same length that ends shows that the time has passed.
    let other = ledger.claim_mails(&["8"], ONE, SHORT).await.unwrap();
    assert_eq!(other, [MailClaim::Granted]);
    poll_until("another lease to end", LONG, async || {
        let claims = ledger.claim_mails(&["8"], OTHER, LEASE).await.unwrap();
        (claims == [MailClaim::Granted]).then_some(())
    })
    .await;
    assert_eq!(ask(ledger, OTHER, SHORT).await, MailClaim::Sent);
}

/// A mail server's yes counts, whoever has the lease by now.
pub async fn a_mail_can_be_marked_without_a_lease_and_after_it<L: Ledger>(ledger: &L) {
    ledger.mark_mailed(&["9", "7", "7"]).await.unwrap();
    let claims = ledger.claim_mails(&["7", "9"], ONE, LEASE).await;
    assert_eq!(claims.unwrap(), [MailClaim::Sent, MailClaim::Sent]);
    let granted = ledger.claim_mails(&["8"], OTHER, LEASE).await.unwrap();
    assert_eq!(granted, [MailClaim::Granted]);
    ledger.mark_mailed(&["8"]).await.unwrap();
    let claims = ledger.claim_mails(&["8"], OTHER, LEASE).await.unwrap();
    assert_eq!(claims, [MailClaim::Sent]);
    ledger.mark_mailed(&[]).await.unwrap();
}
