//! billing-worker's `run` on a real queue, a real topic and a real Redis.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod boletos;
mod several_rows;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use billing_worker::Settings;
use common::ledger::{Claim, ImportLedger, OutcomeCounts, RowLedger, SharedLedger};
use common::rules::Calendar;
use contract::{ReceivedNotification, RowId, RowIdentity};
use serde_json::Value;
use testkit::{
    Attribute, CsvRow, Emulator, PipelineNames, RunningService, Stack, bill, new_import, poll_until,
};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(20);

async fn start(stack: &Stack) -> RunningService {
    start_with(stack, &[]).await
}

/// With further variables.
async fn start_with(stack: &Stack, further: &[(&'static str, &str)]) -> RunningService {
    run(settings(stack, further)).await
}

/// On that day, for as long as it runs.
async fn start_on(stack: &Stack, day: &str) -> RunningService {
    let mut settings = settings(stack, &[]);
    settings.rules.calendar = Calendar::Fixed(day.parse().unwrap());
    run(settings).await
}

fn settings(stack: &Stack, further: &[(&'static str, &str)]) -> Settings {
    let queue = &stack.resources().data_process_url;
    Settings::read(&stack.service_environment(queue, further)).unwrap()
}

async fn run(settings: Settings) -> RunningService {
    RunningService::start(|listener, stop| billing_worker::run(settings, listener, stop)).await
}

/// Puts rows of an import in the queue, numbered from 1.
async fn send(stack: &Stack, import_id: Uuid, bodies: &[String]) {
    for (row, body) in (1..).zip(bodies) {
        send_row(stack, import_id, row, body).await;
    }
}

async fn send_row(stack: &Stack, import_id: Uuid, row: u64, body: &str) {
    let attributes = [
        ("import_id", Attribute::Text(import_id.to_string())),
        ("row", Attribute::Number(row)),
    ];
    let queue = &stack.resources().data_process_url;
    stack.queues().send(queue, body, attributes).await.unwrap();
}

async fn registered(ledger: &SharedLedger, rows: u64) -> Uuid {
    let import_id = Uuid::now_v7();
    ledger
        .register_import(&new_import(import_id, rows))
        .await
        .unwrap();
    import_id
}

async fn deleted(service: &RunningService, messages: u64) {
    poll_until("the messages to be deleted", LONG, async || {
        let deleted = service.metric("sqs_consumer_messages_deleted_total").await;
        (deleted == messages).then_some(())
    })
    .await;
}

/// What the subscribed queue got, and the row in the attributes.
async fn notifications(stack: &Stack) -> Vec<ReceivedNotification> {
    let stored = stack.take_all(&stack.resources().process_email_url).await;
    let read = stored.iter().map(|message| {
        let row = message.row();
        ReceivedNotification::read(&message.body, row).unwrap()
    });
    read.collect()
}

fn row(import_id: Uuid, row: u64) -> RowId {
    RowId { import_id, row }
}

fn claim_of(holder: RowIdentity, debt_id: &str, sequence: u64) -> Claim {
    let notification = testkit::billed(debt_id, sequence);
    Claim::new(holder, serde_json::to_string(&notification).unwrap())
}

#[tokio::test]
async fn each_debt_is_billed_once_with_its_data_as_it_was_meant() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 3).await;
    let odd = CsvRow {
        name: "  José \"Zé\" da Silva,\nfilho ".into(),
        government_id: " 001.234.567-89".into(),
        debt_amount: "1.000,50".into(),
        ..CsvRow::valid(" debt-2 ")
    };
    let bodies = [
        CsvRow::valid("debt-1").line(),
        odd.line(),
        CsvRow::valid("debt-3").line(),
    ];
    send(&stack, import_id, &bodies).await;
    let service = start(&stack).await;
    deleted(&service, 3).await;

    let notifications = notifications(&stack).await;
    assert_eq!(notifications.len(), 3);
    let found = notifications
        .iter()
        .find(|n| n.notification.debt_id == "debt-2")
        .unwrap();
    assert_eq!(found.notification.name, "José \"Zé\" da Silva,\nfilho");
    assert_eq!(found.notification.government_id, "00123456789");
    assert_eq!(found.notification.debt_amount.centavos(), 100_050);
    assert_eq!(found.row, Some(row(import_id, 2)));
    let numbers: HashSet<_> = notifications
        .iter()
        .map(|n| &n.notification.boleto.as_ref().unwrap().our_number)
        .collect();
    assert_eq!(numbers.len(), 3);

    let counts = OutcomeCounts {
        rows: 3,
        billed: 3,
        notified: 3,
        ..OutcomeCounts::default()
    };
    assert_eq!(ledger.outcome_counts(import_id).await.unwrap(), counts);
    for (name, value) in [
        ("billing_processed_successfully_total", 3),
        ("notification_sent_total", 3),
        ("notification_sent_errors_total", 0),
        ("messages_processed_successfully_total", 3),
        ("messages_processed_errors_total", 0),
        ("sqs_consumer_messages_received_total", 3),
        ("skipped_messages_total", 0),
        ("invalid_messages_total", 0),
    ] {
        assert_eq!(service.metric(name).await, value, "{name}");
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_notification_has_the_form_of_the_contract() {
    let stack = Stack::start().await;
    let service = start(&stack).await;
    let queue = &stack.resources().data_process_url;
    stack
        .queues()
        .send(queue, CsvRow::valid("debt-1").line(), [])
        .await
        .unwrap();
    deleted(&service, 1).await;
    let stored = stack.take_all(&stack.resources().process_email_url).await;
    let message = &stored[0].body;
    assert!(message.contains("\"debt_amount\":7811.50,"), "{message}");
    let message: Value = serde_json::from_str(message).unwrap();
    assert_eq!(message["debt_due_date"], "2027-03-15");
    assert_eq!(message["government_id"], "52998224725");
    assert_eq!(stored[0].attributes["event_type"], "billing.issued");
}

#[tokio::test]
async fn a_bad_row_is_invalid_and_the_others_go_on() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 6).await;
    let with_amount = |amount: &str| CsvRow {
        debt_amount: amount.into(),
        ..CsvRow::valid("bad")
    };
    let bodies = [
        CsvRow::valid("good-1").line(),
        "five,fields,are,too,few".to_owned(),
        with_amount("100000000.00").line(),
        with_amount("1.000").line(),
        String::from("\r\n"),
        CsvRow::valid("good-2").line(),
    ];
    send(&stack, import_id, &bodies).await;
    let service = start(&stack).await;
    deleted(&service, 6).await;
    let counts = ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!((counts.billed, counts.invalid), (2, 4));
    assert_eq!(service.metric("invalid_messages_total").await, 4);
    assert_eq!(notifications(&stack).await.len(), 2);
}

#[tokio::test]
async fn twins_are_billed_and_told_once() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 30).await;
    let bodies: Vec<String> = (0..30)
        .map(|n| CsvRow::valid(format!("debt-{}", n % 3)).line())
        .collect();
    send(&stack, import_id, &bodies).await;
    let service = start(&stack).await;
    deleted(&service, 30).await;
    let counts = ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!((counts.billed, counts.skipped, counts.notified), (3, 27, 3));
    assert_eq!(service.metric("skipped_messages_total").await, 27);
    assert_eq!(
        service.metric("billing_processed_successfully_total").await,
        3
    );
    assert_eq!(notifications(&stack).await.len(), 3);
}

#[tokio::test]
async fn twins_without_attributes_are_counted_as_one_bill() {
    let stack = Stack::start().await;
    let queue = &stack.resources().data_process_url;
    for _ in 0..8 {
        let body = CsvRow::valid("debt-1").line();
        stack.queues().send(queue, body, []).await.unwrap();
    }
    let service = start(&stack).await;
    deleted(&service, 8).await;
    assert_eq!(
        service.metric("billing_processed_successfully_total").await,
        1
    );
    assert_eq!(service.metric("skipped_messages_total").await, 7);
    assert_eq!(notifications(&stack).await.len(), 1);
}

#[tokio::test]
async fn two_workers_on_the_same_rows_bill_each_debt_once() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let (first, second) = (registered(&ledger, 50).await, registered(&ledger, 50).await);
    let bodies: Vec<String> = (0..50)
        .map(|n| CsvRow::valid(format!("debt-{n}")).line())
        .collect();
    let (one, other) = (start(&stack).await, start(&stack).await);
    tokio::join!(send(&stack, first, &bodies), send(&stack, second, &bodies));
    poll_until("every row to have its outcome", LONG, async || {
        let first = ledger.outcome_counts(first).await.unwrap();
        let second = ledger.outcome_counts(second).await.unwrap();
        let billed = first.billed + second.billed;
        let skipped = first.skipped + second.skipped;
        (billed == 50 && skipped == 50).then_some(())
    })
    .await;
    let debts: HashSet<String> = notifications(&stack)
        .await
        .into_iter()
        .map(|n| n.notification.debt_id)
        .collect();
    assert_eq!(debts.len(), 50);
    let sent =
        one.metric("notification_sent_total").await + other.metric("notification_sent_total").await;
    assert_eq!(sent, 50);
}

#[tokio::test]
async fn a_row_that_was_billed_before_a_crash_is_told_as_it_was_stored() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 1).await;
    let holder = RowIdentity::Row(row(import_id, 1));
    bill(&ledger, "debt-1", claim_of(holder, "debt-1", 777)).await;

    send(&stack, import_id, &[CsvRow::valid("debt-1").line()]).await;
    let service = start(&stack).await;
    deleted(&service, 1).await;
    let notifications = notifications(&stack).await;
    assert_eq!(notifications.len(), 1);
    assert_eq!(
        notifications[0].notification.boleto,
        testkit::billed("debt-1", 777).boleto
    );
    let counts = ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!((counts.billed, counts.notified, counts.skipped), (1, 1, 0));
}

#[tokio::test]
async fn a_debt_whose_holder_is_gone_is_told_by_the_next_row() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 2).await;
    let holder = RowIdentity::Row(row(import_id, 1));
    bill(&ledger, "debt-1", claim_of(holder, "debt-1", 777)).await;

    send_row(&stack, import_id, 2, &CsvRow::valid("debt-1").line()).await;
    let service = start(&stack).await;
    deleted(&service, 1).await;
    let notifications = notifications(&stack).await;
    assert_eq!(notifications.len(), 1);
    assert_eq!(notifications[0].notification.name, "João da Silva");
    assert_eq!(notifications[0].row, Some(row(import_id, 1)));
    let counts = ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!((counts.billed, counts.notified, counts.skipped), (1, 1, 1));
    assert!(service.metric("sqs_consumer_messages_received_total").await >= 2);
}

#[tokio::test]
async fn a_message_without_attributes_or_with_forged_ones_goes_by_its_id() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 1).await;
    let service = start(&stack).await;
    let queue = &stack.resources().data_process_url;
    stack
        .queues()
        .send(queue, CsvRow::valid("debt-1").line(), [])
        .await
        .unwrap();
    send_row(
        &stack,
        import_id,
        u64::from(u32::MAX),
        &CsvRow::valid("debt-2").line(),
    )
    .await;
    send_row(&stack, Uuid::now_v7(), 1, &CsvRow::valid("debt-3").line()).await;
    deleted(&service, 3).await;
    assert_eq!(ledger.outcome_counts(import_id).await.unwrap().billed, 0);
    assert_eq!(
        service.metric("billing_processed_successfully_total").await,
        3
    );
    let notifications = notifications(&stack).await;
    assert_eq!(notifications.len(), 3);
    assert!(notifications.iter().all(|n| n.row.is_none()));
}

#[tokio::test]
async fn redis_away_costs_no_row() {
    let mut stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 40).await;
    let service = start(&stack).await;
    let bodies: Vec<String> = (0..40)
        .map(|n| CsvRow::valid(format!("debt-{n}")).line())
        .collect();
    send(&stack, import_id, &bodies[..20]).await;
    deleted(&service, 20).await;
    stack.kill_redis();
    for (number, body) in (21..).zip(&bodies[20..]) {
        send_row(&stack, import_id, number, body).await;
    }
    poll_until("the worker to have rows in hand", LONG, async || {
        let received = service.metric("sqs_consumer_messages_received_total").await;
        (received > 20).then_some(())
    })
    .await;
    stack.start_redis().await;
    deleted(&service, 40).await;
    assert_eq!(notifications(&stack).await.len(), 40);
    assert_eq!(service.metric("messages_processed_errors_total").await, 0);
    let counts = stack
        .ledger()
        .await
        .outcome_counts(import_id)
        .await
        .unwrap();
    assert_eq!((counts.billed, counts.notified), (40, 40));
}

#[tokio::test]
async fn a_queue_and_a_topic_that_are_away_are_waited_for() {
    let stack = Stack::start().await;
    let address = free_address();
    let endpoint = format!("http://{address}");
    let queue = format!("{endpoint}/000000000000/data-process");
    let away = [
        ("SQS_ENDPOINT_URL", &*endpoint),
        ("SNS_ENDPOINT_URL", &*endpoint),
    ];
    let settings = Settings::read(&stack.service_environment(&queue, &away)).unwrap();
    let service =
        RunningService::start(|listener, stop| billing_worker::run(settings, listener, stop)).await;
    assert_eq!(service.get("/health").await, r#"{"status":"ok"}"#);

    let emulator = Emulator::start(address).await.unwrap();
    let resources = emulator
        .create_pipeline(&PipelineNames::default())
        .await
        .unwrap();
    let body = CsvRow::valid("debt-1").line();
    emulator.send(&queue, body, []).await.unwrap();
    deleted(&service, 1).await;
    let told = emulator
        .take_all(&resources.process_email_url)
        .await
        .unwrap();
    assert_eq!(told.len(), 1);
}

/// An address where nothing listens at the moment.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn a_stop_while_redis_is_away_gives_the_rows_back() {
    let mut stack = Stack::start().await;
    let service = start(&stack).await;
    let queue = stack.resources().data_process_url.clone();
    stack
        .queues()
        .send(&queue, CsvRow::valid("debt-0").line(), [])
        .await
        .unwrap();
    deleted(&service, 1).await;
    stack.kill_redis();
    stack
        .queues()
        .send(&queue, CsvRow::valid("debt-1").line(), [])
        .await
        .unwrap();
    poll_until("the row to be in hand", LONG, async || {
        (stack.depth(&queue).await.in_flight == 1).then_some(())
    })
    .await;
    service.stop().await.unwrap();
    assert_eq!(stack.depth(&queue).await.visible, 1);
}

#[tokio::test]
async fn every_metric_of_the_contract_is_there_as_0_from_the_start() {
    let stack = Stack::start().await;
    let service = start(&stack).await;
    let metrics = service.get("/metrics").await;
    for name in [
        "notification_sent_total",
        "notification_sent_errors_total",
        "sqs_consumer_messages_received_total",
        "sqs_consumer_messages_deleted_total",
        "skipped_messages_total",
        "invalid_messages_total",
        "billing_processed_successfully_total",
        "messages_processed_successfully_total",
        "messages_processed_errors_total",
    ] {
        assert!(
            metrics.contains(&format!("{name}{{app=\"billing-worker\"}} 0\n")),
            "{name}"
        );
    }
    assert_eq!(service.get("/health").await, r#"{"status":"ok"}"#);
}

#[tokio::test]
async fn an_erased_debt_is_told_of_to_nobody_and_skips_whoever_asks_for_it() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let (erased, later) = (registered(&ledger, 1).await, registered(&ledger, 2).await);
    // Its message comes again, as one of a dead-letter queue may.
    let claim = claim_of(RowIdentity::Row(row(erased, 1)), "debt-1", 1);
    bill(&ledger, "debt-1", claim.erased().unwrap()).await;
    send_row(&stack, erased, 1, &CsvRow::valid("debt-1").line()).await;
    // Another debtor for all that anybody knows; then another amount.
    let asks = |amount: &str| CsvRow {
        name: "Ana".into(),
        government_id: "1".into(),
        email: "ana@example.com".into(),
        debt_amount: amount.into(),
        debt_due_date: "2027-01-19".into(),
        ..CsvRow::valid("debt-1")
    };
    send(&stack, later, &[asks("7811").line(), asks("7812").line()]).await;
    let service = start(&stack).await;
    deleted(&service, 3).await;

    assert_eq!(notifications(&stack).await.len(), 0);
    assert_eq!(service.metric("notification_sent_total").await, 0);
    let facts = ledger.row_facts(later, 1, 2).await.unwrap();
    assert!(facts.iter().all(|row| row.skipped));
    assert_eq!(facts[0].reason, None);
    let why = facts[1].reason.as_ref().unwrap();
    assert_eq!(why.text, "the debt was billed with another amount");
    let counts = ledger.outcome_counts(erased).await.unwrap();
    assert_eq!((counts.billed, counts.notified), (1, 1));
}
