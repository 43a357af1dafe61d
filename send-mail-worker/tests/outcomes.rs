//! E-mails that are put off, refused for ever, or whose transport is away, on a real queue and a
//! real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod mailroom;

use std::time::Duration;

use common::ledger::{
    Channel, ChannelLedger, EndedSend, ImportLedger, PutOffRows, RowFacts, RowLedger, SendClaim,
    SendEnd, SharedLedger,
};
use common::messaging::{Aws, DeadLetters};
use contract::{Reason, RowId};
use jiff::Timestamp;
use mailroom::{LONG, MemoryTransport, deleted, deliver_raw, publish, settings, start, start_with};
use send_mail_worker::patience::Patience;
use testkit::{RunningService, Stack, new_import, poll_until};
use uuid::Uuid;

/// Without waiting.
fn patience(most: u32) -> Patience {
    Patience {
        waits: vec![Duration::ZERO],
        most,
    }
}

fn no_mailbox() -> Reason {
    Reason {
        code: "mailbox_unknown".into(),
        text: "the mail server does not know the mailbox".into(),
    }
}

/// An import of that many rows, and its first row.
async fn import(ledger: &SharedLedger, rows: u64) -> RowId {
    let import_id = Uuid::now_v7();
    let import = new_import(import_id, rows);
    ledger.register_import(&import).await.unwrap();
    RowId { import_id, row: 1 }
}

async fn facts(ledger: &SharedLedger, row: RowId) -> RowFacts {
    let facts = ledger.row_facts(row.import_id, row.row, 1).await;
    facts.unwrap().remove(0)
}

async fn put_off(ledger: &SharedLedger, row: RowId) -> PutOffRows {
    let status = ledger.import_status(row.import_id).await.unwrap();
    status.unwrap().put_off
}

/// Asks for the end of an e-mail as a worker would, and gives a claim back.
async fn end(ledger: &SharedLedger, debt_id: &str) -> SendClaim {
    let (owner, lease) = (Uuid::new_v4(), Duration::from_mins(1));
    let claims = ledger
        .claim_sends(Channel::MAIL, &[debt_id], owner, lease)
        .await;
    ledger
        .release_sends(Channel::MAIL, &[debt_id], owner)
        .await
        .unwrap();
    claims.unwrap().remove(0)
}

async fn outcomes(service: &RunningService) -> [u64; 4] {
    let metrics = service.get("/metrics").await;
    ["sent", "put_off", "undeliverable", "away"].map(|outcome| {
        let sample = format!("mail_outcomes_total{{outcome=\"{outcome}\"");
        let line = metrics.lines().find(|line| line.starts_with(&sample));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    })
}

async fn errors(service: &RunningService) -> u64 {
    service.metric("messages_processed_errors_total").await
}

async fn assert_no_dead_letters(stack: &Stack) {
    let resources = stack.resources();
    for url in [
        &resources.process_email_url,
        &resources.process_email_dlq_url,
    ] {
        assert!(stack.depth(url).await.is_empty(), "{url}");
    }
}

#[tokio::test]
async fn a_mail_may_be_put_off_more_often_than_a_message_may_be_received() {
    /// A message is a dead letter at its sixth receive.
    const TIMES: u32 = 7;
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let row = import(&ledger, 1).await;
    let transport = MemoryTransport::default();
    transport.defer("debt-1", TIMES);
    let service = start_with(&stack, &transport, patience(100)).await;
    publish(&stack, "debt-1", row).await;
    deleted(&service, u64::from(TIMES) + 1).await;

    assert_eq!(transport.mails().len(), 1);
    assert_eq!(transport.asked("debt-1"), TIMES + 1);
    let facts = facts(&ledger, row).await;
    assert!(facts.mailed && !facts.undeliverable);
    assert_eq!(put_off(&ledger, row).await, PutOffRows::default());
    assert_eq!(outcomes(&service).await, [1, TIMES.into(), 0, 0]);
    assert_eq!(service.metric("mails_sent_total").await, 1);
    let put_off = service.metric("messages_put_off_total").await;
    assert_eq!((put_off, errors(&service).await), (TIMES.into(), 0));
    assert_no_dead_letters(&stack).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_mail_that_is_put_off_keeps_nobody_waiting() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let row = import(&ledger, 2).await;
    let (service, transport) = start(&stack).await;
    transport.defer("debt-1", 1);
    deliver_raw(&stack, "debt-1", row).await;
    deliver_raw(&stack, "debt-2", RowId { row: 2, ..row }).await;
    deleted(&service, 2).await;

    let sent = transport.mails();
    assert_eq!((sent.len(), &*sent[0].debt_id), (1, "debt-2"));
    let depth = stack.depth(&stack.resources().process_email_url).await;
    assert_eq!((depth.delayed, depth.total()), (1, 1));
    // The ledger knows of it, and until when.
    let waiting = put_off(&ledger, row).await;
    let wait = waiting.first.unwrap().duration_since(Timestamp::now());
    assert_eq!((waiting.rows, waiting.first), (1, waiting.last));
    assert!((40..=67).contains(&wait.as_secs()), "{wait}");
    // Nobody has its claim meanwhile.
    assert_eq!(end(&ledger, "debt-1").await, SendClaim::Granted);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_permanent_refusal_is_recorded_and_never_retried() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let row = import(&ledger, 2).await;
    let (service, transport) = start(&stack).await;
    transport.refuse("debt-1", no_mailbox());
    publish(&stack, "debt-1", row).await;
    deliver_raw(&stack, "debt-2", RowId { row: 2, ..row }).await;
    deleted(&service, 2).await;
    let refused = facts(&ledger, row).await;
    assert!(refused.undeliverable && !refused.mailed);
    assert_eq!(refused.reason.as_deref(), Some(&no_mailbox()));

    // Told again.
    deliver_raw(&stack, "debt-1", row).await;
    deleted(&service, 3).await;
    // Redriven from the dead letters.
    let letters = &stack.resources().process_email_dlq_url;
    let body = mailroom::notification("debt-1");
    let dead = stack
        .queues()
        .send(letters, body, mailroom::attributes(row));
    dead.await.unwrap();
    let settings = settings(&stack);
    let aws = Aws::new(&settings.base.aws).await;
    let queue = aws.queue(&settings.queue_url).unwrap();
    let letters = DeadLetters::of(queue).await.unwrap().unwrap();
    assert_eq!(letters.redrive(10, |_| {}).await.moved, 1);
    deleted(&service, 4).await;

    assert_eq!(transport.asked("debt-1"), 1);
    assert_eq!(transport.mails().len(), 1);
    assert_eq!(outcomes(&service).await, [1, 0, 1, 0]);
    assert_eq!(errors(&service).await, 0);
    let ended = SendClaim::Ended(SendEnd::Undeliverable(no_mailbox()));
    assert_eq!(end(&ledger, "debt-1").await, ended);
    let counts = ledger.outcome_counts(row.import_id).await.unwrap();
    assert_eq!((counts.mailed, counts.undeliverable), (1, 1));
    assert_no_dead_letters(&stack).await;
    service.stop().await.unwrap();
}

/// As if somebody had died between the mark and the bitmap.
#[tokio::test]
async fn whoever_finds_an_end_finishes_its_row() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let row = import(&ledger, 2).await;
    let ends = [
        ("debt-1", SendEnd::Undeliverable(no_mailbox())),
        ("debt-2", SendEnd::Sent),
    ];
    let ends = ends.map(|(debt_id, end)| EndedSend {
        debt_id,
        row: None,
        end,
    });
    ledger.end_sends(Channel::MAIL, &ends).await.unwrap();
    let (service, transport) = start(&stack).await;
    deliver_raw(&stack, "debt-1", row).await;
    deliver_raw(&stack, "debt-2", RowId { row: 2, ..row }).await;
    deleted(&service, 2).await;

    let first = facts(&ledger, row).await;
    assert!(first.undeliverable && !first.mailed);
    assert_eq!(first.reason.as_deref(), Some(&no_mailbox()));
    let second = facts(&ledger, RowId { row: 2, ..row }).await;
    assert!(second.mailed && !second.undeliverable);
    assert_eq!(transport.mails().len(), 0);
    assert_eq!(outcomes(&service).await, [0; 4]);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_mail_that_is_put_off_for_too_long_is_undeliverable() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let row = import(&ledger, 1).await;
    let transport = MemoryTransport::default();
    transport.defer("debt-1", u32::MAX);
    let service = start_with(&stack, &transport, patience(2)).await;
    publish(&stack, "debt-1", row).await;
    deleted(&service, 3).await;

    let facts = facts(&ledger, row).await;
    assert!(facts.undeliverable && !facts.mailed);
    let reason = facts.reason.unwrap();
    assert_eq!(reason.code, "mail_put_off_too_long");
    assert_eq!(transport.asked("debt-1"), 3);
    assert_eq!(put_off(&ledger, row).await, PutOffRows::default());
    assert_eq!(outcomes(&service).await, [0, 2, 1, 0]);
    assert_no_dead_letters(&stack).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_transport_that_is_away_uses_up_neither_receives_nor_patience() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let row = import(&ledger, 1).await;
    let (service, transport) = start(&stack).await;
    transport.set_away(true);
    deliver_raw(&stack, "debt-1", row).await;
    // More often than a message may be received.
    poll_until("it to be looked for", LONG, async || {
        (transport.looked_for() > 7).then_some(())
    })
    .await;
    let (status, waiting) = service.answer("/ready").await;
    let text = r#"{"for":["mail transport"],"status":"waiting","why":{"mail transport":"told to be away"}}"#;
    assert_eq!((status, &*waiting), (503, text));
    // Nothing is claimed that cannot be sent.
    assert_eq!(end(&ledger, "debt-1").await, SendClaim::Granted);
    deliver_raw(&stack, "debt-2", row).await;
    transport.set_away(false);
    deleted(&service, 2).await;

    assert_eq!(transport.mails().len(), 2);
    let received = service.metric("sqs_consumer_messages_received_total");
    assert_eq!(received.await, 2);
    assert_eq!(service.metric("messages_put_off_total").await, 0);
    assert_eq!(errors(&service).await, 0);
    assert_no_dead_letters(&stack).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_transport_that_goes_away_over_a_batch_gets_it_again() {
    const SENDS: u32 = 7;
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let row = import(&ledger, 1).await;
    let (service, transport) = start(&stack).await;
    transport.go_away_at_sends(SENDS);
    deliver_raw(&stack, "debt-1", row).await;
    deleted(&service, 1).await;

    assert_eq!(transport.mails().len(), 1);
    assert_eq!(outcomes(&service).await, [1, 0, 0, SENDS.into()]);
    let received = service.metric("sqs_consumer_messages_received_total");
    assert_eq!(received.await, 1);
    assert_eq!(service.metric("messages_put_off_total").await, 0);
    assert_eq!(errors(&service).await, 0);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_stop_gives_back_what_waits_for_the_transport() {
    let stack = Stack::start().await;
    let row = import(&stack.ledger().await, 1).await;
    let (service, transport) = start(&stack).await;
    transport.set_away(true);
    deliver_raw(&stack, "debt-1", row).await;
    poll_until("it to be looked for", LONG, async || {
        (transport.looked_for() > 1).then_some(())
    })
    .await;
    service.stop().await.unwrap();
    let depth = stack.depth(&stack.resources().process_email_url).await;
    assert_eq!((depth.visible, depth.total()), (1, 1));
}
