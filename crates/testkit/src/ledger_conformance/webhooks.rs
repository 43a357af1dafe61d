//! What webhooks are told of.

use std::collections::BTreeSet;
use std::time::Duration;

use common::ledger::{
    Channel, EndedSend, Ledger, NewEvent, NotedImport, NotedMail, Outbox, SendEnd, StoredEvent,
    TakenEvent,
};
use contract::RowId;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{LONG, reason, registered, row, rows};
use crate::{bill_debts, end_debts, poll_until, tell_debts};

const HOUR: Duration = Duration::from_hours(1);
const CODE: &str = "mailbox_refused";

fn event(number: u128) -> NewEvent {
    NewEvent {
        id: Uuid::from_u128(number),
        kind: "import.completed".to_owned(),
        body: format!("{{\"é\":\"{number}\"}}"),
    }
}

fn untold(import_id: Uuid) -> NotedImport {
    NotedImport {
        import_id,
        told: None,
    }
}

async fn noted<L: Ledger>(ledger: &L) -> Vec<NotedImport> {
    let mut noted = ledger.noted_imports().await.unwrap();
    noted.sort_unstable_by_key(|noted| noted.import_id);
    noted
}

async fn take<L: Ledger>(ledger: &L, lease: Duration) -> Vec<TakenEvent> {
    ledger.take_events(10, lease).await.unwrap()
}

async fn figures<L: Ledger>(ledger: &L) -> (u64, u64) {
    let figures = ledger.event_figures().await.unwrap();
    (figures.waiting, figures.given_up)
}

/// Stores events of imports of their own.
async fn stored<L: Ledger>(ledger: &L, numbers: impl IntoIterator<Item = u128>) {
    for number in numbers {
        let import_id = Uuid::from_u128(number);
        ledger.note_imports(&[import_id]).await.unwrap();
        let new = event(number);
        let told = ledger.tell_of_import(import_id, Some(&new), true).await;
        told.unwrap();
    }
}

/// A debt of that name for each of these rows, which is billed and told of.
async fn billed<L: Ledger>(ledger: &L, rows: &[RowId]) {
    bill_debts(ledger, rows, debt).await;
    tell_debts(ledger, rows, debt).await;
}

fn debt(row: &RowId) -> String {
    format!("\"{}\\ é", row.row)
}

async fn refuse<L: Ledger>(ledger: &L, rows: &[RowId]) {
    let refused = SendEnd::Undeliverable(reason(CODE, "550"));
    let ends: Vec<_> = rows.iter().map(|row| (*row, refused.clone())).collect();
    end_debts(ledger, Channel::MAIL, &ends, debt).await;
}

fn noted_mail(row: RowId) -> NotedMail {
    NotedMail {
        debt_id: debt(&row),
        row: Some(row),
        code: CODE.to_owned(),
    }
}

async fn mails<L: Ledger>(ledger: &L) -> Vec<NotedMail> {
    ledger.noted_mails(10).await.unwrap().mails
}

/// Neither before that nor after its time.
pub async fn nothing_is_noted_that_nobody_asked_for<L: Ledger>(ledger: &L) {
    let import = registered(ledger, 1, 9).await;
    let of = rows(import, 1..=3);
    billed(ledger, &of).await;
    refuse(ledger, &of[..1]).await;
    assert_eq!((noted(ledger).await, mails(ledger).await), (vec![], vec![]));
    assert_eq!(
        (take(ledger, HOUR).await, figures(ledger).await),
        (vec![], (0, 0))
    );
    ledger
        .note_for_webhooks(Duration::from_millis(1))
        .await
        .unwrap();
    let mut number = 2;
    poll_until("the time to be over", LONG, async || {
        registered(ledger, number, 9).await;
        number += 1;
        let noted = noted(ledger).await;
        noted
            .iter()
            .all(|noted| noted.import_id < super::import_id(number - 1))
            .then_some(())
    })
    .await;
    refuse(ledger, &of[1..2]).await;
    assert_eq!(mails(ledger).await, []);
    // Time that is left is left.
    ledger.note_for_webhooks(HOUR).await.unwrap();
    refuse(ledger, &of[2..]).await;
    assert_eq!(mails(ledger).await, [noted_mail(of[2])]);
}

/// And when it is opened again, be it noted or not.
pub async fn an_import_is_noted_as_it_is_registered<L: Ledger>(ledger: &L) {
    let earlier = registered(ledger, 1, 9).await;
    let of = rows(earlier, 1..=2);
    billed(ledger, &of).await;
    refuse(ledger, &of).await;
    ledger.note_for_webhooks(HOUR).await.unwrap();
    let import = registered(ledger, 2, 9).await;
    assert_eq!(noted(ledger).await, [untold(import)]);
    for mail in &of {
        let opened = ledger
            .reopen_mails(Channel::MAIL, &[(*mail, &debt(mail))])
            .await
            .unwrap();
        assert_eq!(opened, [true]);
        assert_eq!(noted(ledger).await, [untold(earlier), untold(import)]);
    }
    let imports = [earlier, import, Uuid::from_u128(1)];
    ledger
        .tell_of_import(import, Some(&event(1)), false)
        .await
        .unwrap();
    ledger.note_imports(&imports).await.unwrap();
    ledger.note_imports(&[]).await.unwrap();
    let told = NotedImport {
        import_id: import,
        told: Some(event(1).id),
    };
    assert_eq!(
        noted(ledger).await,
        [untold(Uuid::from_u128(1)), untold(earlier), told]
    );
}

/// By whoever and however often, and also once it is delivered. The last one
/// ends what is noted of the import.
pub async fn an_event_of_an_import_is_stored_once<L: Ledger>(ledger: &L) {
    ledger.note_for_webhooks(HOUR).await.unwrap();
    let import = registered(ledger, 1, 9).await;
    for (number, is_last) in [(1, false), (2, true)] {
        let new = event(number);
        let mut replicas = JoinSet::new();
        for _ in 0..8 {
            let (ledger, new) = (ledger.clone(), new.clone());
            replicas.spawn(async move {
                let told = ledger.tell_of_import(import, Some(&new), is_last).await;
                told.unwrap();
            });
        }
        replicas.join_all().await;
        let taken = take(ledger, HOUR).await;
        let expected = TakenEvent {
            event: new.clone(),
            attempts: 0,
        };
        assert_eq!(taken, [expected]);
        ledger.end_event(new.id).await.unwrap();
        ledger
            .tell_of_import(import, Some(&new), is_last)
            .await
            .unwrap();
        assert_eq!(
            (take(ledger, HOUR).await, figures(ledger).await),
            (vec![], (0, 0))
        );
    }
    assert_eq!(noted(ledger).await, []);
    // Of one that is not noted nothing is told, and one may go without an event.
    ledger
        .tell_of_import(import, Some(&event(3)), false)
        .await
        .unwrap();
    ledger.note_imports(&[import]).await.unwrap();
    ledger.tell_of_import(import, None, false).await.unwrap();
    assert_eq!(noted(ledger).await, [untold(import)]);
    ledger.tell_of_import(import, None, true).await.unwrap();
    assert_eq!(
        (noted(ledger).await, figures(ledger).await),
        (vec![], (0, 0))
    );
}

/// With its row where it has one; in the order in which they came.
pub async fn a_mail_is_noted_once_that_can_never_be_delivered<L: Ledger>(ledger: &L) {
    ledger.note_for_webhooks(HOUR).await.unwrap();
    let import = registered(ledger, 1, 9).await;
    let of = rows(import, 1..=5);
    billed(ledger, &of).await;
    refuse(ledger, &[row(import, 4)]).await;
    poll_until("some time to pass", LONG, async || {
        let waited = ledger.noted_mails(1).await.unwrap().waited;
        (waited > Duration::from_millis(1)).then_some(())
    })
    .await;
    let sent = [(row(import, 2), SendEnd::Sent)];
    end_debts(ledger, Channel::MAIL, &sent, debt).await;
    let refused = SendEnd::Undeliverable(reason(CODE, "550"));
    let elsewhere = [(row(import, 3), refused.clone())];
    end_debts(ledger, Channel::new("sms"), &elsewhere, debt).await;
    // The end that stands is another, or the same.
    refuse(ledger, &[row(import, 2), row(import, 4)]).await;
    let without_row = EndedSend {
        debt_id: "elsewhere",
        row: None,
        end: refused,
    };
    ledger
        .end_sends(Channel::MAIL, &[without_row])
        .await
        .unwrap();
    let found = mails(ledger).await;
    let elsewhere = NotedMail {
        debt_id: "elsewhere".to_owned(),
        row: None,
        code: CODE.to_owned(),
    };
    let first = noted_mail(row(import, 4));
    assert_eq!(found, [first.clone(), elsewhere.clone()]);
    let one = ledger.noted_mails(1).await.unwrap();
    assert_eq!(one.mails, std::slice::from_ref(&first));
    // Told of, it is not noted again.
    assert!(ledger.tell_of_mails(&event(1), &[first]).await.unwrap());
    refuse(ledger, &[row(import, 4)]).await;
    assert_eq!(mails(ledger).await, [elsewhere]);
    // Opened again, it is when it ends so once more.
    let opened = [(row(import, 4), &*debt(&row(import, 4)))];
    assert_eq!(
        ledger.reopen_mails(Channel::MAIL, &opened).await.unwrap(),
        [true]
    );
    refuse(ledger, &[row(import, 4)]).await;
    assert_eq!(mails(ledger).await[1..], [noted_mail(row(import, 4))]);
}

/// Each by one, and with all of its e-mails.
pub async fn an_event_of_mails_is_stored_as_a_whole<L: Ledger>(ledger: &L) {
    ledger.note_for_webhooks(HOUR).await.unwrap();
    let import = registered(ledger, 1, 9).await;
    let of = rows(import, 1..=4);
    billed(ledger, &of).await;
    refuse(ledger, &of).await;
    let found = mails(ledger).await;
    assert_eq!(found.len(), 4);
    let mut replicas = JoinSet::new();
    for number in 1..=8 {
        let (ledger, some) = (ledger.clone(), found[..3].to_vec());
        replicas.spawn(async move {
            let new = event(number);
            ledger.tell_of_mails(&new, &some).await.unwrap()
        });
    }
    let told = replicas.join_all().await;
    assert_eq!(told.iter().filter(|told| **told).count(), 1);
    assert_eq!(take(ledger, HOUR).await.len(), 1);
    for (some, is_told) in [(&found[2..], false), (&[], false), (&found[3..], true)] {
        let told = ledger.tell_of_mails(&event(9), some).await.unwrap();
        assert_eq!(told, is_told);
    }
    assert_eq!(
        (mails(ledger).await, figures(ledger).await),
        (vec![], (2, 0))
    );
}

/// Many at once take it once.
pub async fn an_event_is_taken_by_one_until_its_lease_ends<L: Ledger>(ledger: &L) {
    stored(ledger, 1..=20).await;
    let mut replicas = JoinSet::new();
    for _ in 0..8 {
        let ledger = ledger.clone();
        replicas.spawn(async move {
            let mut all = Vec::new();
            loop {
                let taken = ledger.take_events(3, HOUR).await.unwrap();
                if taken.is_empty() {
                    return all;
                }
                assert!(taken.len() <= 3);
                all.extend(taken.into_iter().map(|taken| taken.event.id));
            }
        });
    }
    let mut all = replicas.join_all().await.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=20).map(Uuid::from_u128).collect::<Vec<_>>());

    stored(ledger, [21]).await;
    assert_eq!(take(ledger, Duration::from_millis(20)).await.len(), 1);
    let again = poll_until("the lease to end", LONG, async || {
        Some(take(ledger, HOUR).await).filter(|taken| !taken.is_empty())
    })
    .await;
    assert_eq!(again[0].event, event(21));
}

/// Its attempts are counted by whoever makes them.
pub async fn an_event_is_put_off_given_up_and_tried_again<L: Ledger>(ledger: &L) {
    stored(ledger, 1..=2).await;
    take(ledger, HOUR).await;
    let [first, second] = [1, 2].map(Uuid::from_u128);
    ledger
        .put_off_event(first, 3, Duration::ZERO)
        .await
        .unwrap();
    let expected = TakenEvent {
        event: event(1),
        attempts: 3,
    };
    assert_eq!(take(ledger, HOUR).await, [expected]);
    ledger.put_off_event(first, 4, HOUR).await.unwrap();
    assert_eq!(take(ledger, HOUR).await, []);
    // Who was too late changes nothing.
    ledger.give_up_event(first).await.unwrap();
    ledger.end_event(second).await.unwrap();
    for id in [first, second] {
        ledger.put_off_event(id, 1, Duration::ZERO).await.unwrap();
    }
    ledger.give_up_event(second).await.unwrap();
    assert_eq!(
        (take(ledger, HOUR).await, figures(ledger).await),
        (vec![], (0, 1))
    );
    assert_eq!(ledger.retry_events().await.unwrap(), 1);
    assert_eq!(ledger.retry_events().await.unwrap(), 0);
    let expected = TakenEvent {
        event: event(1),
        attempts: 0,
    };
    assert_eq!(take(ledger, HOUR).await, [expected]);
    ledger.give_up_event(first).await.unwrap();
    ledger.end_event(first).await.unwrap();
    assert_eq!(figures(ledger).await, (0, 0));
}

/// What is known already stays.
pub async fn what_another_ledger_has_to_tell_is_taken_over_once<L: Ledger>(ledger: &L) {
    let told = NotedImport {
        import_id: Uuid::from_u128(1),
        told: Some(Uuid::from_u128(7)),
    };
    let stored = |number, attempts, due_in| StoredEvent {
        event: event(number),
        attempts,
        due_in,
    };
    let outbox = Outbox {
        noting: HOUR,
        imports: vec![told, untold(Uuid::from_u128(2))],
        mails: vec![
            noted_mail(row(Uuid::from_u128(1), 3)),
            NotedMail {
                row: None,
                ..noted_mail(row(Uuid::from_u128(1), 1))
            },
        ],
        events: vec![
            stored(1, 2, Some(Duration::ZERO)),
            stored(2, 1, Some(HOUR)),
            stored(3, 7, None),
        ],
    };
    ledger.adopt_outbox(&Outbox::default()).await.unwrap();
    for _ in 0..2 {
        ledger.adopt_outbox(&outbox).await.unwrap();
    }
    assert_eq!(noted(ledger).await, outbox.imports);
    let ids = |mails: Vec<NotedMail>| mails.into_iter().map(|mail| mail.debt_id);
    let found: BTreeSet<String> = ids(mails(ledger).await).collect();
    assert_eq!(found, ids(outbox.mails).collect());
    assert_eq!(figures(ledger).await, (2, 1));
    let expected = TakenEvent {
        event: event(1),
        attempts: 2,
    };
    assert_eq!(take(ledger, HOUR).await, [expected]);
    let import = registered(ledger, 1, 9).await;
    assert_eq!(noted(ledger).await.last(), Some(&untold(import)));
}
