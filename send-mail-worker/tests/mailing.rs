//! send-mail-worker's `run` on a real queue and a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod mailroom;

use std::time::Duration;

use common::ledger::{Channel, ChannelLedger, ImportLedger, SendClaim};
use contract::RowId;
use mailroom::{LONG, deleted, deliver_in_envelope, deliver_raw, publish, start};
use serde_json::json;
use testkit::{Stack, new_import, poll_until};
use uuid::Uuid;

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
        deliver_in_envelope(&stack, "debt-1", first).await;
        deliver_raw(&stack, "debt-2", second).await;
    }
    let (service, mails) = start(&stack).await;
    deleted(&service, 6).await;
    publish(&stack, "debt-1", first).await;
    deleted(&service, 7).await;

    let mut sent: Vec<String> = mails.mails().into_iter().map(|mail| mail.debt_id).collect();
    sent.sort_unstable();
    assert_eq!(sent, ["debt-1", "debt-2"]);
    assert_eq!(mails.mails()[0].name, "João da Silva");
    assert_eq!(mails.mails()[0].debt_amount.centavos(), 781_100);
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

/// Both name a document and an amount in another form than ours, and no boleto.
const OF_THE_FIRST_VERSION: [&str; 2] = [
    r#"{"name": "Ana Prado", "government_id": 6048, "email": "ana.prado@example.org", "debt_amount": 4476.0, "debt_due_date": "2026-05-14", "debt_id": "fv-1"}"#,
    r#"{"name": "Rui Rocha", "government_id": 9340, "email": "rui.rocha@example.org", "debt_amount": 8288.55, "debt_due_date": "2026-01-28", "debt_id": "fv-2"}"#,
];

#[tokio::test]
async fn what_the_first_version_publishes_is_mailed_once_whatever_the_form() {
    let stack = Stack::start().await;
    let queue = &stack.resources().process_email_url;
    for notification in OF_THE_FIRST_VERSION {
        let envelope = json!({
            "Type": "Notification",
            "Message": notification.replace("fv-", "enveloped-"),
            "MessageAttributes": null,
        });
        let bodies = [notification.to_owned(), envelope.to_string()];
        // Each again, as queues may deliver it.
        for body in bodies.iter().chain(&bodies) {
            stack.queues().send(queue, body, []).await.unwrap();
        }
    }
    let (service, mails) = start(&stack).await;
    deleted(&service, 8).await;

    let mut sent: Vec<_> = mails
        .mails()
        .into_iter()
        .map(|mail| {
            (
                mail.debt_id,
                mail.government_id,
                mail.debt_amount.centavos(),
            )
        })
        .collect();
    sent.sort_unstable();
    let expected = [
        ("enveloped-1", "6048", 447_600),
        ("enveloped-2", "9340", 828_855),
        ("fv-1", "6048", 447_600),
        ("fv-2", "9340", 828_855),
    ];
    let expected = expected.map(|(id, document, amount)| (id.into(), document.into(), amount));
    assert_eq!(sent, expected);
    assert_eq!(service.metric("messages_processed_errors_total").await, 0);
}

#[tokio::test]
async fn an_erased_debt_gets_no_mail_and_its_message_is_done() {
    let stack = Stack::start().await;
    let erased = testkit::billed("debt-1", 1).erased();
    let queue = &stack.resources().process_email_url;
    let body = serde_json::to_string(&erased).unwrap();
    stack.queues().send(queue, &*body, []).await.unwrap();
    let import_id = Uuid::now_v7();
    deliver_raw(&stack, "debt-2", RowId { import_id, row: 2 }).await;
    let (service, mails) = start(&stack).await;
    deleted(&service, 2).await;

    let sent: Vec<String> = mails.mails().into_iter().map(|mail| mail.debt_id).collect();
    assert_eq!(sent, ["debt-2"]);
    assert_eq!(service.metric("messages_processed_errors_total").await, 0);
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
async fn a_live_lease_is_waited_for_and_a_dead_sender_replaced() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let dead = Uuid::new_v4();
    let lease = Duration::from_secs(3);
    let claims = ledger
        .claim_sends(Channel::MAIL, &["debt-1"], dead, lease)
        .await
        .unwrap();
    assert_eq!(claims, [SendClaim::Granted]);
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
        .queues()
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
        "messages_put_off_total",
        "mails_sent_total",
        "mail_send_duration_seconds_count",
    ] {
        assert!(
            metrics.contains(&format!("{name}{{app=\"send-mail-worker\"}} 0\n")),
            "{name}"
        );
    }
    for outcome in ["sent", "put_off", "undeliverable", "away"] {
        let sample =
            format!("mail_outcomes_total{{outcome=\"{outcome}\",app=\"send-mail-worker\"}} 0\n");
        assert!(metrics.contains(&sample), "{outcome}");
    }
    assert_eq!(service.get("/health").await, r#"{"status":"ok"}"#);
}
