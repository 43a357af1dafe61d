//! Who sends the message of a debt on a channel, and what became of it.

use std::time::Duration;

use common::ledger::{Channel, ChannelCounts, EndedSend, Ledger, RowFacts, SendClaim, SendEnd};
use contract::RowId;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{LONG, reason, registered, row, rows};
use crate::{bill_debts, poll_until, tell_debts};

const SMS: Channel = Channel::new("sms");
const LEASE: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(60);
const ONE: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

async fn ask<L: Ledger>(ledger: &L, owner: Uuid, lease: Duration) -> SendClaim {
    let mut claims = ledger
        .claim_sends(Channel::MAIL, &["7"], owner, lease)
        .await
        .unwrap();
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

/// Records an end, and gives what stands.
async fn end<L: Ledger>(ledger: &L, debt_id: &str, end: &SendEnd) -> SendEnd {
    let ends = [of_debt(debt_id, end.clone())];
    let mut standing = ledger.end_sends(Channel::MAIL, &ends).await.unwrap();
    assert_eq!(standing.len(), 1);
    standing.remove(0)
}

/// The end of a debt's message that was sent for no row.
fn of_debt(debt_id: &str, end: SendEnd) -> EndedSend<'_> {
    let row = None;
    EndedSend { debt_id, row, end }
}

fn undeliverable(code: &str) -> SendEnd {
    SendEnd::Undeliverable(reason(code, "no such mailbox"))
}

/// The time left is the first one's, whatever the others ask for.
pub async fn a_mail_is_granted_to_one_and_the_others_are_told_how_long_to_wait<L: Ledger>(
    ledger: &L,
) {
    assert_eq!(ask(ledger, ONE, LEASE).await, SendClaim::Granted);
    for lease in [LEASE * 10, SHORT] {
        let SendClaim::Leased(left) = ask(ledger, OTHER, lease).await else {
            panic!("granted twice")
        };
        assert!(left > LEASE / 2 && left <= LEASE, "{left:?}");
    }
    end(ledger, "9", &SendEnd::Sent).await;
    let mixed = ledger
        .claim_sends(Channel::MAIL, &["8", "7", "9"], OTHER, LEASE)
        .await;
    let mixed = mixed.unwrap();
    assert_eq!(mixed[0], SendClaim::Granted);
    assert_eq!(mixed[2], SendClaim::Ended(SendEnd::Sent));
    assert!(matches!(mixed[1], SendClaim::Leased(left) if left <= LEASE));
    assert_eq!(
        ledger
            .claim_sends(Channel::MAIL, &[], ONE, LEASE)
            .await
            .unwrap(),
        []
    );
}

/// A race has one winner.
pub async fn many_at_once_are_granted_a_mail_once<L: Ledger>(ledger: &L) {
    let mut claims = JoinSet::new();
    for owner in 0..30 {
        let ledger = ledger.clone();
        claims.spawn(async move { ask(&ledger, Uuid::from_u128(owner), LEASE).await });
    }
    let claims = claims.join_all().await;
    let granted = claims.iter().filter(|claim| **claim == SendClaim::Granted);
    assert_eq!(granted.count(), 1);
}

/// The answer to its first call may have been lost. One batch may hold a debt several times, too.
pub async fn its_owner_is_granted_a_mail_again_and_the_lease_begins_anew<L: Ledger>(ledger: &L) {
    let twins = ledger
        .claim_sends(Channel::MAIL, &["7", "7"], ONE, SHORT)
        .await
        .unwrap();
    assert_eq!(twins, [SendClaim::Granted, SendClaim::Granted]);
    assert_eq!(ask(ledger, ONE, LEASE).await, SendClaim::Granted);
    let claim = ask(ledger, OTHER, LEASE).await;
    assert!(matches!(claim, SendClaim::Leased(left) if left > LEASE / 2));
    end(ledger, "7", &SendEnd::Sent).await;
    let claim = ask(ledger, ONE, LEASE).await;
    assert_eq!(claim, SendClaim::Ended(SendEnd::Sent));
}

/// All of it, and only while it stands.
pub async fn its_owner_renews_a_lease_that_has_not_ended<L: Ledger>(ledger: &L) {
    let ids = ["7", "8"];
    let claims = ledger
        .claim_sends(Channel::MAIL, &ids, ONE, LEASE / 6)
        .await
        .unwrap();
    assert_eq!(claims, [SendClaim::Granted, SendClaim::Granted]);
    assert!(
        !ledger
            .renew_sends(Channel::MAIL, OTHER, LEASE)
            .await
            .unwrap()
    );
    assert!(ledger.renew_sends(Channel::MAIL, ONE, LEASE).await.unwrap());
    for claim in ledger
        .claim_sends(Channel::MAIL, &ids, OTHER, LEASE)
        .await
        .unwrap()
    {
        assert!(matches!(claim, SendClaim::Leased(left) if left > LEASE / 2));
    }
    assert!(ledger.renew_sends(Channel::MAIL, ONE, SHORT).await.unwrap());
    poll_until("another to be granted it", LONG, async || {
        (ask(ledger, OTHER, LEASE).await == SendClaim::Granted).then_some(())
    })
    .await;
    assert!(!ledger.renew_sends(Channel::MAIL, ONE, LEASE).await.unwrap());
    let claim = ask(ledger, ONE, LEASE).await;
    assert!(matches!(claim, SendClaim::Leased(_)));
}

/// The answer to a call may be lost, and it is made again.
pub async fn attempts_of_unknown_outcome_are_counted_once_each<L: Ledger>(ledger: &L) {
    let note = async |ids: &[&str], owner| {
        ledger
            .note_unknown_sends(Channel::MAIL, ids, owner)
            .await
            .unwrap()
    };
    for _ in 0..2 {
        assert_eq!(note(&["7", "8"], ONE).await, [1, 1]);
    }
    assert_eq!(note(&["8", "9"], OTHER).await, [2, 1]);
    assert!(note(&[], ONE).await.is_empty());
    // It is no end.
    assert_eq!(ask(ledger, ONE, LEASE).await, SendClaim::Granted);
}

/// Giving back what is another's, or what nobody has, changes nothing.
pub async fn only_its_owner_gives_a_lease_back<L: Ledger>(ledger: &L) {
    assert_eq!(ask(ledger, ONE, LEASE).await, SendClaim::Granted);
    ledger
        .release_sends(Channel::MAIL, &["7", "8"], OTHER)
        .await
        .unwrap();
    ledger.release_sends(Channel::MAIL, &[], ONE).await.unwrap();
    let claim = ask(ledger, OTHER, LEASE).await;
    assert!(matches!(claim, SendClaim::Leased(_)));
    for _ in 0..2 {
        ledger
            .release_sends(Channel::MAIL, &["8", "7"], ONE)
            .await
            .unwrap();
    }
    assert_eq!(ask(ledger, OTHER, LEASE).await, SendClaim::Granted);
    // A repeat that comes late does not take what is another's by now.
    ledger
        .release_sends(Channel::MAIL, &["7"], ONE)
        .await
        .unwrap();
    let claim = ask(ledger, ONE, LEASE).await;
    assert!(matches!(claim, SendClaim::Leased(_)));
}

/// Its owner may have died over it.
pub async fn a_mail_is_granted_again_when_its_lease_has_ended<L: Ledger>(ledger: &L) {
    assert_eq!(ask(ledger, ONE, SHORT).await, SendClaim::Granted);
    poll_until("the lease to end", LONG, async || {
        (ask(ledger, OTHER, LEASE).await == SendClaim::Granted).then_some(())
    })
    .await;
    ledger
        .release_sends(Channel::MAIL, &["7"], ONE)
        .await
        .unwrap();
    let claim = ask(ledger, ONE, SHORT).await;
    assert!(matches!(claim, SendClaim::Leased(left) if left > SHORT));
}

/// Neither a release nor the end of its lease opens it again.
pub async fn a_mail_that_has_ended_stays_so_for_ever<L: Ledger>(ledger: &L) {
    let ends = [
        of_debt("7", SendEnd::Sent),
        of_debt("8", undeliverable("mailbox")),
    ];
    let ids = ["7", "8"];
    let granted = ledger
        .claim_sends(Channel::MAIL, &ids, ONE, SHORT)
        .await
        .unwrap();
    assert_eq!(granted, [SendClaim::Granted, SendClaim::Granted]);
    let ended = ends.clone().map(|ended| SendClaim::Ended(ended.end));
    for _ in 0..2 {
        ledger.end_sends(Channel::MAIL, &ends).await.unwrap();
        ledger
            .release_sends(Channel::MAIL, &ids, ONE)
            .await
            .unwrap();
        for owner in [ONE, OTHER] {
            let claims = ledger.claim_sends(Channel::MAIL, &ids, owner, SHORT).await;
            assert_eq!(claims.unwrap(), ended);
        }
    }
    // A lease of the same length that ends shows that the time has passed.
    let other = ledger
        .claim_sends(Channel::MAIL, &["9"], ONE, SHORT)
        .await
        .unwrap();
    assert_eq!(other, [SendClaim::Granted]);
    poll_until("another lease to end", LONG, async || {
        let claims = ledger
            .claim_sends(Channel::MAIL, &["9"], OTHER, LEASE)
            .await
            .unwrap();
        (claims == [SendClaim::Granted]).then_some(())
    })
    .await;
    let claims = ledger
        .claim_sends(Channel::MAIL, &ids, OTHER, SHORT)
        .await
        .unwrap();
    assert_eq!(claims, ended);
}

/// What was sent is never undeliverable, nor the other way round, and a reason stays.
pub async fn the_first_end_of_a_mail_stands<L: Ledger>(ledger: &L) {
    let ends = [
        SendEnd::Sent,
        undeliverable("mailbox"),
        undeliverable("domain"),
    ];
    let mut debts = 0..;
    for first in &ends {
        for second in &ends {
            let debt_id = debts.next().unwrap().to_string();
            assert_eq!(&end(ledger, &debt_id, first).await, first);
            assert_eq!(&end(ledger, &debt_id, second).await, first);
            let claims = ledger
                .claim_sends(Channel::MAIL, &[&debt_id], ONE, LEASE)
                .await;
            assert_eq!(claims.unwrap(), [SendClaim::Ended(first.clone())]);
        }
    }
    let twins = [("a", 1), ("b", 0), ("a", 0)];
    let twins = twins.map(|(debt_id, end)| of_debt(debt_id, ends[end].clone()));
    let standing = ledger.end_sends(Channel::MAIL, &twins).await.unwrap();
    let expected = [ends[1].clone(), ends[0].clone(), ends[1].clone()];
    assert_eq!(standing, expected);
    assert_eq!(ledger.end_sends(Channel::MAIL, &[]).await.unwrap(), []);
}

/// Everybody is told of the same end.
pub async fn many_at_once_end_a_mail_in_one_way<L: Ledger>(ledger: &L) {
    for debt in 0..6 {
        let mut calls = JoinSet::new();
        for number in 0..30 {
            let ledger = ledger.clone();
            let own = match (number + debt) % 3 {
                0 => SendEnd::Sent,
                code => undeliverable(&code.to_string()),
            };
            calls.spawn(async move { end(&ledger, &debt.to_string(), &own).await });
        }
        let ends = calls.join_all().await;
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
        let claims = ledger
            .claim_sends(Channel::MAIL, &[&debt.to_string()], ONE, LEASE)
            .await;
        assert_eq!(claims.unwrap(), [SendClaim::Ended(ends[0].clone())]);
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
        let own = SendEnd::Undeliverable(reason);
        let debt_id = number.to_string();
        assert_eq!(end(ledger, &debt_id, &own).await, own);
        let claims = ledger
            .claim_sends(Channel::MAIL, &[&debt_id], ONE, LEASE)
            .await;
        assert_eq!(claims.unwrap(), [SendClaim::Ended(own)]);
    }
}

/// A mail server's answer counts, whoever has the lease by now.
pub async fn a_mail_can_be_ended_without_a_lease_and_after_it<L: Ledger>(ledger: &L) {
    let sent = ["9", "7", "7"].map(|debt_id| of_debt(debt_id, SendEnd::Sent));
    ledger.end_sends(Channel::MAIL, &sent).await.unwrap();
    let claims = ledger
        .claim_sends(Channel::MAIL, &["7", "9"], ONE, LEASE)
        .await;
    let ended = SendClaim::Ended(SendEnd::Sent);
    assert_eq!(claims.unwrap(), [ended.clone(), ended]);
    for end in [SendEnd::Sent, undeliverable("mailbox")] {
        let debt_id = format!("{end:?}");
        let ids = [&*debt_id];
        let granted = ledger
            .claim_sends(Channel::MAIL, &ids, OTHER, LEASE)
            .await
            .unwrap();
        assert_eq!(granted, [SendClaim::Granted]);
        assert_eq!(self::end(ledger, &debt_id, &end).await, end);
        let claims = ledger
            .claim_sends(Channel::MAIL, &ids, OTHER, LEASE)
            .await
            .unwrap();
        assert_eq!(claims, [SendClaim::Ended(end)]);
    }
}

/// What one has claimed, given back or ended is still to be done on another.
pub async fn no_channel_knows_another<L: Ledger>(ledger: &L) {
    let ids = ["7", "8"];
    for owner in [ONE, OTHER] {
        let channel = if owner == ONE { Channel::MAIL } else { SMS };
        let claims = ledger.claim_sends(channel, &ids, owner, LEASE).await;
        assert_eq!(claims.unwrap(), [SendClaim::Granted, SendClaim::Granted]);
    }
    assert!(!ledger.renew_sends(SMS, ONE, LEASE).await.unwrap());
    assert!(ledger.renew_sends(SMS, OTHER, LEASE).await.unwrap());
    ledger.release_sends(SMS, &ids, ONE).await.unwrap();
    let ask = async |channel, owner| {
        ledger
            .claim_sends(channel, &["7"], owner, LEASE)
            .await
            .unwrap()
    };
    assert!(matches!(ask(SMS, ONE).await[..], [SendClaim::Leased(_)]));

    let ends = [of_debt("7", undeliverable("no_number"))];
    ledger.end_sends(SMS, &ends).await.unwrap();
    assert_eq!(ask(SMS, ONE).await, [SendClaim::Ended(ends[0].end.clone())]);
    assert_eq!(ask(Channel::MAIL, ONE).await, [SendClaim::Granted]);
    let note = async |channel| {
        ledger
            .note_unknown_sends(channel, &["7"], ONE)
            .await
            .unwrap()
    };
    assert_eq!(
        (note(SMS).await, note(Channel::MAIL).await),
        (vec![1], vec![1])
    );
}

/// What is known of a row, whichever e-mail it is known by.
async fn facts<L: Ledger>(ledger: &L, row: RowId) -> RowFacts {
    let facts = ledger.row_facts(row.import_id, row.row, 1).await;
    facts.unwrap().remove(0)
}

/// An e-mail to another address is sent whatever became of the one before, and
/// its row has one end: the first that was sent, or none that was.
pub async fn each_revision_has_an_e_mail_of_its_own_and_all_have_one_row<L: Ledger>(ledger: &L) {
    let import_id = registered(ledger, 1, 9).await;
    let rows = rows(import_id, 1..=3);
    bill_debts(ledger, &rows, |row| row.row.to_string()).await;
    tell_debts(ledger, &rows, |row| row.row.to_string()).await;
    let (first, second) = (Channel::MAIL, Channel::mail(2));
    let end = async |channel, debt: u64, end| {
        let debt_id = &*debt.to_string();
        let row = Some(row(import_id, debt));
        let ends = [EndedSend { debt_id, row, end }];
        ledger.end_sends(channel, &ends).await.unwrap().remove(0)
    };
    let why = undeliverable("mailbox");

    // Sent, and then to nobody: it stays sent.
    end(first, 1, SendEnd::Sent).await;
    let claims = ledger.claim_sends(second, &["1"], ONE, LEASE).await;
    assert_eq!(claims.unwrap(), [SendClaim::Granted]);
    assert_eq!(end(second, 1, why.clone()).await, why);
    let ends = ledger.send_ends(second, &["1", "2", "1"]).await;
    assert_eq!(ends.unwrap(), [Some(why.clone()), None, Some(why.clone())]);
    let ends = ledger.send_ends(first, &["1"]).await;
    assert_eq!(ends.unwrap(), [Some(SendEnd::Sent)]);
    let sent = facts(ledger, rows[0]).await;
    assert!(sent.mailed && !sent.undeliverable && sent.reason.is_none());

    // To nobody, taken up again, and sent.
    end(first, 2, why.clone()).await;
    let opened = ledger.reopen_mails(second, &[(rows[1], "2")]).await;
    assert_eq!(opened.unwrap(), [false]);
    let opened = ledger.reopen_mails(first, &[(rows[1], "2")]).await;
    assert_eq!(opened.unwrap(), [true]);
    for _ in 0..2 {
        end(second, 2, SendEnd::Sent).await;
    }
    let sent = facts(ledger, rows[1]).await;
    assert!(sent.mailed && !sent.undeliverable && sent.reason.is_none());

    // Twice to nobody: the later one is taken up again.
    end(first, 3, SendEnd::Superseded).await;
    end(second, 3, why.clone()).await;
    let refused = facts(ledger, rows[2]).await;
    assert_eq!(
        refused.reason.as_deref(),
        Some(&reason("mailbox", "no such mailbox"))
    );
    let counts = ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!((counts.mailed, counts.undeliverable), (2, 1));
    let opened = ledger.reopen_mails(second, &[(rows[2], "3")]).await;
    assert_eq!(opened.unwrap(), [true]);
    let open = facts(ledger, rows[2]).await;
    assert!(!open.is_settled() && open.reason.is_none());
    let counts = ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!((counts.mailed, counts.undeliverable), (2, 0));
    let ended = SendClaim::Ended(SendEnd::Superseded);
    let claims = ledger.claim_sends(first, &["3"], ONE, LEASE).await;
    assert_eq!(claims.unwrap(), [ended]);
}

/// Nobody sends it, and nobody takes it for refused.
pub async fn an_e_mail_that_is_superseded_says_nothing_of_its_row<L: Ledger>(ledger: &L) {
    let import_id = registered(ledger, 1, 9).await;
    let rows = rows(import_id, [1]);
    bill_debts(ledger, &rows, |row| row.row.to_string()).await;
    let before = facts(ledger, rows[0]).await;
    for row in [None, Some(rows[0])] {
        let superseded = EndedSend {
            row,
            ..of_debt("1", SendEnd::Superseded)
        };
        let standing = ledger.end_sends(Channel::MAIL, &[superseded]).await;
        assert_eq!(standing.unwrap(), [SendEnd::Superseded]);
    }
    let opened = ledger.reopen_mails(Channel::MAIL, &[(rows[0], "1")]).await;
    assert_eq!(opened.unwrap(), [false]);
    assert_eq!(facts(ledger, rows[0]).await, before);
    let late = end(ledger, "1", &SendEnd::Sent).await;
    assert_eq!(late, SendEnd::Superseded);
    let ends = ledger.send_ends(Channel::MAIL, &["1", "2"]).await;
    assert_eq!(ends.unwrap(), [Some(SendEnd::Superseded), None]);
    assert_eq!(facts(ledger, rows[0]).await, before);
}

/// A row counts once, and the import is no less open, or over, for it.
pub async fn a_channel_counts_its_rows_and_holds_no_import_open<L: Ledger>(ledger: &L) {
    let (import_id, other) = (
        registered(ledger, 1, 9).await,
        registered(ledger, 2, 9).await,
    );
    let looked = async |import_id| ledger.import_status(import_id).await.unwrap().unwrap();
    let before = looked(import_id).await;
    assert_eq!(before.channels, []);
    let why = undeliverable("no_number");
    let ends = [
        ("1", row(import_id, 1), SendEnd::Sent),
        ("9", row(import_id, 9), SendEnd::Sent),
        ("3", row(other, 3), SendEnd::Sent),
        ("2", row(import_id, 2), why.clone()),
    ];
    let ends = ends.map(|(debt_id, row, end)| EndedSend {
        row: Some(row),
        ..of_debt(debt_id, end)
    });
    let push = Channel::new("push");
    for _ in 0..2 {
        ledger.end_sends(SMS, &ends).await.unwrap();
        ledger.end_sends(push, &ends[..1]).await.unwrap();
        ledger.end_sends(push, &[]).await.unwrap();
    }
    let counts = |channel: Channel, sent, undeliverable| ChannelCounts {
        channel: channel.name().to_owned(),
        sent,
        undeliverable,
    };
    let after = looked(import_id).await;
    assert_eq!(after.channels, [counts(push, 1, 0), counts(SMS, 2, 1)]);
    assert_eq!(looked(other).await.channels, [counts(SMS, 1, 0)]);
    assert_eq!(after.counts, before.counts);
}
