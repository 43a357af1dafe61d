//! send-mail-worker's `run` on a real queue and a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::time::Duration;

use common::contract::{Notification, RowId};
use common::ledger::{ImportLedger, MailClaim, MailLedger};
use send_mail_worker::Settings;
use send_mail_worker::transport::MemoryTransport;
use testkit::{Attribute, RunningService, Stack, new_import, poll_until};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(20);

async fn start(stack: &Stack) -> (RunningService, MemoryTransport) {
    let queue = &stack.resources().process_email_url;
    let settings = Settings::read(&stack.service_environment(queue, &[])).unwrap();
    let transport = MemoryTransport::default();
    let mails = transport.clone();
    let service = RunningService::start(|listener, stop| {
        send_mail_worker::run(settings, transport, listener, stop)
    });
    (service.await, mails)
}

fn notification(debt_id: &str) -> String {
    let notification = Notification {
        name: "João".into(),
        government_id: "00123".into(),
        email: "joao@example.com".into(),
        debt_amount: "7811.5".parse().unwrap(),
        debt_due_date: "2027-03-15".parse().unwrap(),
        debt_id: debt_id.into(),
        boleto: None,
    };
    serde_json::to_string(&notification).unwrap()
}

fn attributes(row: RowId) -> [(&'static str, Attribute); 3] {
    [
        ("event_type", Attribute::Text("billing.issued".into())),
        ("import_id", Attribute::Text(row.import_id.to_string())),
        ("row", Attribute::Number(row.row)),
    ]
}

/// Through the topic: the queue gets it in an SNS envelope.
async fn publish(stack: &Stack, debt_id: &str, row: RowId) {
    let topic = &stack.resources().topic_arn;
    let body = notification(debt_id);
    let published = stack.emulator().publish(topic, &body, attributes(row));
    published.await.unwrap();
}

/// As raw delivery does: the notification itself.
async fn deliver_raw(stack: &Stack, debt_id: &str, row: RowId) {
    let queue = &stack.resources().process_email_url;
    let sent = stack
        .emulator()
        .send(queue, notification(debt_id), attributes(row));
    sent.await.unwrap();
}

async fn deleted(service: &RunningService, messages: u64) {
    poll_until("the messages to be deleted", LONG, async || {
        let deleted = service.metric("sqs_consumer_messages_deleted_total").await;
        (deleted == messages).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_debt_gets_one_mail_whatever_the_form_and_however_often_it_comes() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = Uuid::now_v7();
    ledger
        .register_import(&new_import(import_id, 2))
        .await
        .unwrap();
    let (first, second) = (RowId { import_id, row: 1 }, RowId { import_id, row: 2 });
    for _ in 0..3 {
        publish(&stack, "debt-1", first).await;
        deliver_raw(&stack, "debt-2", second).await;
    }
    let (service, mails) = start(&stack).await;
    deleted(&service, 6).await;
    publish(&stack, "debt-1", first).await;
    deleted(&service, 7).await;

    let mut sent: Vec<String> = mails.mails().into_iter().map(|mail| mail.debt_id).collect();
    sent.sort_unstable();
    assert_eq!(sent, ["debt-1", "debt-2"]);
    assert_eq!(mails.mails()[0].name, "João");
    assert_eq!(mails.mails()[0].debt_amount.centavos(), 781_150);
    assert_eq!(ledger.outcome_counts(import_id).await.unwrap().mailed, 2);
    assert_eq!(service.metric("mails_sent_total").await, 2);
    assert_eq!(
        service
            .metric("messages_processed_successfully_total")
            .await,
        7
    );
    assert_eq!(service.metric("messages_processed_errors_total").await, 0);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn two_workers_send_each_mail_once() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = Uuid::now_v7();
    ledger
        .register_import(&new_import(import_id, 60))
        .await
        .unwrap();
    let ((one, mails), (other, more_mails)) = (start(&stack).await, start(&stack).await);
    for row in 1..=60 {
        let id = RowId { import_id, row };
        deliver_raw(&stack, &format!("debt-{row}"), id).await;
        deliver_raw(&stack, &format!("debt-{row}"), id).await;
    }
    poll_until("all mails", LONG, async || {
        let counts = ledger.outcome_counts(import_id).await.unwrap();
        (counts.mailed == 60).then_some(())
    })
    .await;
    poll_until("the queue to be empty or leased", LONG, async || {
        let depth = stack.depth(&stack.resources().process_email_url).await;
        (depth.visible == 0).then_some(())
    })
    .await;
    assert_eq!(mails.mails().len() + more_mails.mails().len(), 60);
    drop((one, other));
}

#[tokio::test]
async fn a_mail_that_was_not_taken_is_tried_again() {
    let stack = Stack::start().await;
    let (service, mails) = start(&stack).await;
    mails.fail_once("debt-1");
    let row = RowId {
        import_id: Uuid::now_v7(),
        row: 1,
    };
    deliver_raw(&stack, "debt-1", row).await;
    deleted(&service, 1).await;
    assert_eq!(mails.mails().len(), 1);
    assert_eq!(service.metric("messages_processed_errors_total").await, 1);
}

#[tokio::test]
async fn a_live_lease_is_waited_for_and_a_dead_sender_replaced() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let dead = Uuid::new_v4();
    let lease = Duration::from_secs(3);
    let claims = ledger.claim_mails(&["debt-1"], dead, lease).await.unwrap();
    assert_eq!(claims, [MailClaim::Granted]);
    let row = RowId {
        import_id: Uuid::now_v7(),
        row: 1,
    };
    let (service, mails) = start(&stack).await;
    deliver_raw(&stack, "debt-1", row).await;
    poll_until("the message to be seen", LONG, async || {
        let received = service.metric("sqs_consumer_messages_received_total").await;
        (received == 1).then_some(())
    })
    .await;
    assert_eq!(mails.mails().len(), 0);
    deleted(&service, 1).await;
    assert_eq!(mails.mails().len(), 1);
    assert_eq!(service.metric("messages_processed_errors_total").await, 0);
}

#[tokio::test]
async fn redis_away_delays_a_mail_and_loses_none() {
    let mut stack = Stack::start().await;
    let (service, mails) = start(&stack).await;
    let row = RowId {
        import_id: Uuid::now_v7(),
        row: 1,
    };
    deliver_raw(&stack, "debt-1", row).await;
    deleted(&service, 1).await;
    stack.kill_redis();
    deliver_raw(&stack, "debt-2", row).await;
    poll_until("the message to be in hand", LONG, async || {
        let received = service.metric("sqs_consumer_messages_received_total").await;
        (received == 2).then_some(())
    })
    .await;
    stack.start_redis().await;
    deleted(&service, 2).await;
    assert_eq!(mails.mails().len(), 2);
    assert_eq!(service.metric("messages_processed_errors_total").await, 0);
}

#[tokio::test]
async fn what_cannot_be_read_stays_in_the_queue_and_holds_up_nothing() {
    let stack = Stack::start().await;
    let (service, mails) = start(&stack).await;
    let queue = &stack.resources().process_email_url;
    stack
        .emulator()
        .send(queue, "no notification", [])
        .await
        .unwrap();
    let row = RowId {
        import_id: Uuid::now_v7(),
        row: 1,
    };
    deliver_raw(&stack, "debt-1", row).await;
    deleted(&service, 1).await;
    assert_eq!(mails.mails().len(), 1);
    assert_eq!(stack.depth(queue).await.total(), 1);
    assert!(service.metric("messages_processed_errors_total").await >= 1);
}

#[tokio::test]
async fn every_metric_of_the_contract_is_there_as_0_from_the_start() {
    let stack = Stack::start().await;
    let (service, _) = start(&stack).await;
    let metrics = service.get("/metrics").await;
    for name in [
        "sqs_consumer_messages_received_total",
        "sqs_consumer_messages_deleted_total",
        "messages_processed_successfully_total",
        "messages_processed_errors_total",
        "mails_sent_total",
    ] {
        assert!(
            metrics.contains(&format!("{name}{{app=\"send-mail-worker\"}} 0\n")),
            "{name}"
        );
    }
    assert_eq!(service.get("/health").await, r#"{"status":"ok"}"#);
}
