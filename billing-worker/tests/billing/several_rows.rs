//! Several rows in a message.

use common::ledger::{DebtLedger, DebtState, ImportLedger, RowLedger, SharedLedger};
use contract::{MAX_RECORDS, OptionalColumn, RowIdentity, push_record};
use testkit::{Attribute, CsvRow, Stack, bill};
use uuid::Uuid;

use super::{claim_of, deleted, notifications, registered, row, send_row, start};

fn body(records: &[String]) -> String {
    let (first, others) = records.split_first().unwrap();
    let mut body = first.clone();
    for record in others {
        push_record(&mut body, record);
    }
    body
}

fn valid(debt_id: &str) -> String {
    CsvRow::valid(debt_id).line()
}

/// Outcome and reason of each row.
async fn outcomes(ledger: &SharedLedger, import_id: Uuid, rows: u64) -> Vec<String> {
    let facts = ledger.row_facts(import_id, 1, rows).await.unwrap();
    let outcome = |facts: &common::ledger::RowFacts| {
        let outcome = [
            (facts.billed && facts.notified, "billed"),
            (facts.skipped, "skipped"),
            (facts.invalid, "invalid"),
        ];
        let outcome = outcome
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| name);
        let reason = facts.reason.as_ref().map(|reason| &*reason.code);
        outcome.chain(reason).collect::<Vec<_>>().join(" ")
    };
    facts.iter().map(outcome).collect()
}

async fn holder(ledger: &SharedLedger, debt_id: &str) -> String {
    match ledger.debts(&[debt_id]).await.unwrap().remove(0) {
        DebtState::Billed {
            claim: Some(claim),
            notified: true,
        } => claim.holder.to_string(),
        other => panic!("{debt_id} is {other:?}"),
    }
}

#[tokio::test]
async fn each_row_of_a_message_has_its_own_outcome() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 8).await;
    let odd = CsvRow {
        name: "José,\n\n\"Zé\"".into(),
        ..CsvRow::valid("debt-2")
    };
    let dear = CsvRow {
        debt_amount: "8.00".into(),
        ..CsvRow::valid("debt-1")
    };
    let ambiguous = CsvRow {
        debt_amount: "1.000".into(),
        ..CsvRow::valid("debt-4")
    };
    let records = [
        valid("debt-1"),
        "five,fields,are,too,few".to_owned(),
        odd.line(),
        valid("debt-1"),
        dear.line(),
        ambiguous.line(),
        valid("debt-3"),
    ];
    send_row(&stack, import_id, 2, &format!("{}\n", body(&records))).await;
    let service = start(&stack).await;
    deleted(&service, 1).await;
    assert_eq!(
        outcomes(&ledger, import_id, 8).await,
        [
            "",
            "billed",
            "invalid field_count",
            "billed",
            "skipped",
            "skipped conflict",
            "invalid amount_ambiguous",
            "billed",
        ]
    );
    let mut told: Vec<_> = notifications(&stack).await;
    told.sort_by_key(|told| told.row);
    let told: Vec<_> = told
        .into_iter()
        .map(|told| (told.row.unwrap().row, told.notification.name))
        .collect();
    let joao = || "João da Silva".to_owned();
    assert_eq!(told, [(2, joao()), (4, odd.name), (8, joao())]);
    for (name, value) in [
        ("sqs_consumer_messages_received_total", 1),
        ("messages_processed_successfully_total", 1),
        ("billing_processed_successfully_total", 3),
        ("notification_sent_total", 3),
        ("skipped_messages_total", 2),
        ("invalid_messages_total", 2),
    ] {
        assert_eq!(service.metric(name).await, value, "{name}");
    }
}

#[tokio::test]
async fn a_message_comes_again_until_its_last_row_is_settled_and_does_nothing_twice() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 5).await;
    // Its holder may still tell of it, so the second row waits.
    let gone = RowIdentity::Row(row(import_id, 1));
    bill(&ledger, "debt-1", claim_of(gone, "debt-1", 777)).await;
    let records = [
        valid("debt-2"),
        valid("debt-1"),
        "not,a,debt".to_owned(),
        valid("debt-2"),
    ];
    send_row(&stack, import_id, 2, &body(&records)).await;
    let service = start(&stack).await;
    deleted(&service, 1).await;
    assert!(service.metric("sqs_consumer_messages_received_total").await >= 2);
    assert_eq!(
        outcomes(&ledger, import_id, 5).await,
        [
            "billed",
            "billed",
            "skipped conflict",
            "invalid field_count",
            "skipped"
        ]
    );
    assert_eq!(notifications(&stack).await.len(), 2);
    for (name, value) in [
        ("messages_processed_successfully_total", 1),
        ("messages_processed_errors_total", 0),
        // The other was counted by the worker that billed it.
        ("billing_processed_successfully_total", 1),
        ("notification_sent_total", 2),
        ("skipped_messages_total", 2),
        ("invalid_messages_total", 1),
    ] {
        assert_eq!(service.metric(name).await, value, "{name}");
    }
}

#[tokio::test]
async fn rows_beyond_an_import_or_of_none_go_by_message_and_place() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 2).await;
    let records = |prefix: &str| ["1", "2", "3"].map(|number| valid(&format!("{prefix}-{number}")));
    send_row(&stack, import_id, 2, &body(&records("beyond"))).await;
    send_row(&stack, Uuid::now_v7(), 1, &body(&records("forged"))).await;
    let queue = &stack.resources().data_process_url;
    let bare = [valid("bare"), valid("bare"), valid("bare-2")];
    stack.queues().send(queue, body(&bare), []).await.unwrap();
    stack
        .queues()
        .send(queue, valid("single"), [])
        .await
        .unwrap();
    let service = start(&stack).await;
    deleted(&service, 4).await;
    assert_eq!(
        outcomes(&ledger, import_id, 4).await,
        ["", "billed", "", ""]
    );
    for (debt_id, place) in [
        ("beyond-2", Some("2")),
        ("beyond-3", Some("3")),
        ("forged-1", Some("1")),
        ("forged-3", Some("3")),
        ("bare", Some("1")),
        ("bare-2", Some("3")),
        ("single", None),
    ] {
        let holder = holder(&ledger, debt_id).await;
        let id = holder.strip_prefix("message:").unwrap();
        let found = id.split_once('#').map(|(_, place)| place);
        assert_eq!(found, place, "{debt_id} is held by {holder}");
    }
    assert_eq!(
        holder(&ledger, "beyond-1").await,
        RowIdentity::Row(row(import_id, 2)).to_string()
    );
    assert_eq!(service.metric("skipped_messages_total").await, 1);
    let told = notifications(&stack).await;
    assert_eq!(told.len(), 9);
    assert_eq!(told.iter().filter(|told| told.row.is_some()).count(), 1);
}

#[tokio::test]
async fn a_message_of_too_many_rows_is_invalid_as_one() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 500).await;
    let records = |count: usize| -> Vec<String> {
        (0..count)
            .map(|number| valid(&format!("debt-{count}-{number}")))
            .collect()
    };
    send_row(&stack, import_id, 1, &body(&records(MAX_RECORDS))).await;
    send_row(&stack, import_id, 201, &body(&records(MAX_RECORDS + 1))).await;
    let service = start(&stack).await;
    deleted(&service, 2).await;
    let outcomes = outcomes(&ledger, import_id, 500).await;
    assert!(
        outcomes[..MAX_RECORDS]
            .iter()
            .all(|outcome| outcome == "billed")
    );
    assert_eq!(outcomes[200], "invalid too_many_records");
    let counts = ledger.outcome_counts(import_id).await.unwrap();
    assert_eq!((counts.billed, counts.invalid), (MAX_RECORDS as u64, 1));
}

#[tokio::test]
async fn the_optional_columns_of_each_record_reach_its_notification() {
    let stack = Stack::start().await;
    let ledger = stack.ledger().await;
    let import_id = registered(&ledger, 5).await;
    let columns = |lines: &str| {
        [
            ("import_id", Attribute::Text(import_id.to_string())),
            ("columns", Attribute::Text(lines.to_owned())),
        ]
    };
    let queue = &stack.resources().data_process_url;
    let several = body(
        &["debt-1", "bad", "debt-3", "debt-4"].map(|debt| match debt {
            "bad" => "five,fields,are,too,few".to_owned(),
            debt => valid(debt),
        }),
    );
    let lines = r#"{"phone":"11 91234-5678"}
{"phone":"lost"}
{}
{"phone":"+55","later":1}"#;
    let row = |row| ("row", Attribute::Number(row));
    let attributes = columns(lines).into_iter().chain([row(1)]);
    stack
        .queues()
        .send(queue, several, attributes)
        .await
        .unwrap();
    // A counterpart sends none, and may send something else.
    let attributes = columns("telefone").into_iter().chain([row(5)]);
    stack
        .queues()
        .send(queue, valid("debt-5"), attributes)
        .await
        .unwrap();
    let service = start(&stack).await;
    deleted(&service, 2).await;
    assert_eq!(
        outcomes(&ledger, import_id, 5).await,
        [
            "billed",
            "invalid field_count",
            "billed",
            "billed",
            "billed"
        ]
    );
    let mut told = notifications(&stack).await;
    told.sort_by_key(|told| told.row);
    let phones: Vec<_> = told
        .iter()
        .map(|told| {
            told.notification
                .columns
                .get(OptionalColumn::Phone)
                .map(String::as_str)
        })
        .collect();
    assert_eq!(phones, [Some("11 91234-5678"), None, Some("+55"), None]);
}
